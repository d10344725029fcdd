//! Targets that depend on others: pauses, results that do not count, delays, and reload.

use super::dependencies::{FAILS, NAS, Net, ROUTER, SECOND, UP, monitor, router_and_nas};
use super::*;
use crate::probe::connector::LOCAL_RETRY;

#[test]
fn paused_and_heartbeat_parents_do_not_hold() {
    let mut net = router_and_nas();
    net.check(ROUTER, FAILS);
    net.bench.pause(0, None);
    net.check(NAS, FAILS);
    assert_eq!(net.results(), "1 down, 3 down");
    assert!(net.open.is_empty());
    net.bench.resume(0);
    let job = heartbeats::monitor("job", heartbeats::TOKEN);
    let mut net = Net::new(vec![monitor(NAS, &["job"])]);
    net.replace(vec![TargetUpdate::Keep(net.bench.id(0)), TargetUpdate::Start(job)]);
    net.check(NAS, FAILS);
    assert_eq!(net.results(), "3 down");
}

#[test]
fn heartbeats_are_held_and_may_follow_while_the_parent_is_awaited() {
    let job = || heartbeats::monitor("job", heartbeats::TOKEN).depends_on(ROUTER);
    let heartbeat = |net: &mut Net, path: &str| {
        let request =
            format!("GET /heartbeat/{}{path} HTTP/1.0\r\nHost: localhost\r\n\r\n", heartbeats::TOKEN);
        let conn = net.bench.engine.accept(net.bench.now);
        net.bench.tell(conn, Input::Received(request.as_bytes()));
        net.pump();
    };
    let mut net = Net::of(&[(ROUTER, &[])]);
    net.replace(vec![TargetUpdate::Keep(net.bench.id(0)), TargetUpdate::Start(job())]);
    heartbeat(&mut net, "");
    heartbeat(&mut net, "/fail");
    assert_eq!(net.results(), "job up");
    heartbeat(&mut net, "");
    // The failure counts: its parent has not failed.
    assert_eq!(net.results(), "job up, job up");
    let fsm = net.bench.engine.targets().list()[1].fsm();
    assert_eq!(fsm.counters().changes_to[State::Degraded.index()], 1);
    net.end(ROUTER, FAILS);
    // The deadline of the next one: 100 s and a grace of 10 s.
    net.pass(secs(110));
    assert_eq!(net.results(), "1 down, job unknown held");
    heartbeat(&mut net, "");
    assert_eq!(net.results(), "job up");
}

#[test]
fn a_pause_of_the_awaited_parent_decides() {
    let mut net = router_and_nas();
    net.check(NAS, FAILS);
    net.bench.pause(0, None);
    net.pump();
    assert_eq!((net.results(), net.reported()), ("3 down".into(), format!("{NAS} down")));
}

#[test]
fn a_pause_of_the_child_ends_the_wait_without_a_result() {
    let mut net = router_and_nas();
    net.check(NAS, FAILS);
    net.bench.pause(1, Some(secs(100)));
    net.end(ROUTER, FAILS);
    assert_eq!(net.results(), "1 down");
    net.pass(secs(100));
    assert!(net.is_in_flight(NAS), "the pause has ended");
}

#[test]
fn a_deferred_failure_is_a_check_in_flight_for_requests() {
    let mut net = router_and_nas();
    net.check(NAS, FAILS);
    net.begin(NAS);
    let ids: Vec<_> = net.bench.engine.targets().ids().collect();
    net.bench.engine.runs.request_checks(&ids, &mut net.bench.engine.cx);
    net.pass(secs(1));
    assert_eq!(net.open.len(), 1, "only that of the router");
    assert!(net.bench.engine.runs.is_on_time(&net.bench.engine.cx));
    net.end(ROUTER, FAILS);
    assert_eq!(net.results(), "1 down, 3 unknown held");
}

#[test]
fn a_failed_attempt_of_the_parent_holds() {
    let retrying = monitor(ROUTER, &[]).retries(2).retry_interval(secs(60));
    let mut net = Net::new(vec![retrying, monitor(NAS, &[ROUTER]).retries(1).retry_interval(secs(1))]);
    net.check(NAS, FAILS);
    assert!(!net.is_in_flight(ROUTER), "it is tried again first");
    net.pass(secs(1));
    net.end(NAS, FAILS);
    net.end(ROUTER, FAILS);
    assert_eq!((net.results(), net.state_of(ROUTER)), ("3 unknown held".into(), State::Up));
}

#[test]
fn a_parent_without_a_result_does_not_hold() {
    let mut net = router_and_nas();
    net.check(NAS, FAILS);
    for _ in 0..100 {
        if let Some((_, conn)) = net.open.pop() {
            net.bench.tell(conn, Input::Failed(Failure::exhausted("too many open files")));
        }
        net.pass(LOCAL_RETRY);
    }
    assert_eq!(net.results(), "1 up, 3 down");
}

#[test]
fn a_machine_without_an_address_has_no_results_to_hold() {
    let mut net = router_and_nas();
    net.bench.has_address = false;
    net.begin(NAS);
    let (_, conn) = net.open.pop().expect("a check");
    net.bench.tell(conn, Input::Failed(Failure::new(Reason::Unreachable, "unreachable")));
    net.pump();
    assert_eq!((net.results(), net.open.len()), ("3 up".into(), 0));
    // The failure of the parent is verified in the same turn.
    net.bench.has_address = true;
    net.check(NAS, FAILS);
    let (_, conn) = net.open.pop().expect("that of the router");
    net.bench.tell(conn, Input::Failed(Failure::new(Reason::Unreachable, "unreachable")));
    net.pump();
    assert_eq!(net.results(), "1 down, 3 unknown held");
}

#[test]
fn scheduling_delays_extend_the_wait() {
    let mut net = router_and_nas();
    net.check(NAS, FAILS);
    net.pass(secs(1));
    // The loop sleeps for a minute.
    net.bench.now = net.bench.now.after(secs(60));
    net.bench.engine.handle_timeout(net.bench.now);
    net.pump();
    assert_eq!(net.results(), "");
    net.end(ROUTER, FAILS);
    assert_eq!(net.results(), "1 down, 3 unknown held");
}

#[test]
fn single_checks_ignore_dependencies() {
    let monitors = vec![monitor(ROUTER, &[]), monitor(NAS, &[ROUTER])];
    let bench = Bench::watching(monitors, Schedule::Once);
    let mut net = Net { bench, open: Vec::new(), results: Vec::new(), reported: Vec::new() };
    net.pass(secs(1));
    net.end(ROUTER, FAILS);
    net.end(NAS, FAILS);
    assert_eq!(net.results(), "1 down, 3 down");
    assert!(net.bench.engine.is_finished());
}

#[test]
fn a_reload_keeps_a_deferred_failure() {
    let keep = |net: &Net, position| TargetUpdate::Keep(net.bench.id(position));
    let mut net = router_and_nas();
    net.check(NAS, FAILS);
    net.replace(vec![keep(&net, 1), keep(&net, 0)]);
    net.end(ROUTER, FAILS);
    assert_eq!(net.results(), "1 down, 3 unknown held");
    // The parent is replaced by another one of the same name, which is checked in its place.
    let mut net = router_and_nas();
    net.check(NAS, FAILS);
    let first = net.open.clone();
    net.replace(vec![TargetUpdate::Start(monitor(ROUTER, &[])), keep(&net, 1)]);
    assert_ne!(net.open, first);
    net.end(ROUTER, FAILS);
    assert_eq!(net.results(), "1 down, 3 unknown held");
    // The parent vanishes, and the child depends on nothing.
    let mut net = router_and_nas();
    net.check(NAS, FAILS);
    let child = TargetUpdate::KeepWith(net.bench.id(1), monitor(NAS, &[]));
    net.replace(vec![child]);
    assert_eq!(net.results(), "3 down");
    // The child is replaced.
    let mut net = router_and_nas();
    net.check(NAS, FAILS);
    net.replace(vec![keep(&net, 0), TargetUpdate::Start(monitor(NAS, &[ROUTER]))]);
    net.end(ROUTER, FAILS);
    net.pass(secs(1));
    net.end(NAS, FAILS);
    assert_eq!(net.results(), "1 down, 3 unknown held");
}

#[test]
fn a_reload_changes_the_parents_of_a_target_that_is_kept() {
    let mut net = Net::of(&[(ROUTER, &[]), (SECOND, &[]), (NAS, &[ROUTER])]);
    net.check(ROUTER, FAILS);
    net.check(NAS, FAILS);
    let kept = |net: &Net, parents| TargetUpdate::KeepWith(net.bench.id(2), monitor(NAS, parents));
    let others = |net: &Net| vec![TargetUpdate::Keep(net.bench.id(0)), TargetUpdate::Keep(net.bench.id(1))];
    let mut updates = others(&net);
    updates.push(kept(&net, &[SECOND]));
    net.replace(updates);
    assert_eq!(net.state_of(NAS), State::Unknown, "until its next check");
    net.results();
    net.check(NAS, FAILS);
    net.end(SECOND, UP);
    assert_eq!(net.results(), "2 up, 3 down");
    let updates = vec![kept(&net, &[SECOND]), TargetUpdate::Keep(net.bench.id(0))];
    let error = net.bench.engine.replace(updates, net.bench.now).expect_err("an unknown name");
    assert_eq!(
        error.to_string(),
        format!("depends: \"{NAS}\" depends on \"{SECOND}\", which is not the name of a target")
    );
    let error = net.bench.engine.replace(vec![TargetUpdate::Keep(net.bench.id(2))], net.bench.now);
    assert!(error.is_err(), "the parent of a target that is kept is removed");
}
