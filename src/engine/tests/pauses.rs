//! Pauses of targets.

use super::heartbeats::{TOKEN, expecting};
use super::streams::subscribe;
use super::*;
use crate::monitor::Targets;

const HOUR: Duration = Duration::from_secs(3600);

impl Bench {
    pub(super) fn pause(&mut self, position: usize, span: Option<Duration>) {
        let id = self.id(position);
        self.engine.pause(id, span, self.now);
    }

    pub(super) fn resume(&mut self, position: usize) {
        let id = self.id(position);
        self.engine.resume(id, self.now);
    }

    pub(super) fn targets(&self) -> &Targets {
        self.engine.targets()
    }

    fn state_of(&self, position: usize) -> State {
        self.targets().list()[position].fsm().state()
    }
}

/// The times of the next checks in milliseconds, each of which ends at once.
fn checks(bench: &mut Bench, span: Duration) -> Vec<(usize, u128)> {
    let (start, end) = (bench.now.instant, bench.now.after(span));
    let mut checks = Vec::new();
    while let Some(at) = bench.engine.poll_timeout().filter(|at| *at <= end.instant) {
        bench.now = bench.now.after(at.saturating_duration_since(bench.now.instant));
        bench.engine.handle_timeout(bench.now);
        for output in bench.outputs() {
            if let Output::CheckResult(check) = output {
                let position = bench.targets().ids().position(|id| id == check.target).expect("present");
                checks.push((position, (bench.now.instant - start).as_millis()));
            }
        }
    }
    bench.now = end;
    checks
}

#[test]
fn a_pause_ends_the_check_in_flight_without_a_result() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    let conn = bench.opened();
    bench.tell(conn, Input::Connected);
    bench.outputs();
    bench.pause(0, Some(HOUR));
    let outputs = bench.outputs();
    assert!(outputs.iter().any(|output| matches!(output, Output::Close(id) if *id == conn)));
    assert!(!outputs.iter().any(|output| matches!(output, Output::CheckResult(_))));
    bench.tell(conn, Input::Received(b"x"));
    assert_eq!((bench.engine.connections().len(), bench.engine.runs.queue.connections), (0, 0));
    bench.pass(HOUR - Duration::from_millis(1));
    assert!(bench.opens().is_empty(), "nothing is sent");
    assert!(bench.targets().list()[0].fsm().last().is_none());
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.opens().len(), 1, "a check at the end of the pause");
    assert_eq!(bench.targets().counts().paused, 0);
}

#[test]
fn a_waiting_check_and_a_pending_retry_are_dropped() {
    let monitors =
        ["10.0.0.1", "10.0.0.2"].map(|host| Monitor::new(Hello(host)).interval(secs(1)).retries(3));
    let shares = Shares { checks: 2, ..Shares::of(usize::MAX) };
    let mut bench = Bench::sharing(monitors.into(), Schedule::Repeated, shares);
    bench.pass(Duration::from_millis(500));
    let first = bench.opened();
    bench.pause(1, None);
    bench.tell(first, Input::Failed(Failure::new(Reason::Refused, "refused")));
    assert!(bench.opens().is_empty(), "the second target has waited");
    assert!(bench.targets().list()[0].retry_at().is_some());
    bench.pause(0, None);
    assert_eq!(bench.targets().list()[0].retry_at(), None);
    bench.pass(HOUR * 1000);
    assert!(bench.opens().is_empty());
    assert_eq!(bench.engine.poll_timeout(), None, "there is no deadline");
    bench.resume(0);
    bench.pass(Duration::ZERO);
    assert_eq!(bench.opens().len(), 1);
    bench.resume(0);
    bench.resume(1);
    assert_eq!(bench.engine.runs.len(), 1, "resuming again changes nothing");
}

#[test]
fn a_paused_target_is_unknown_and_excluded_from_the_worst_state() {
    let (is_up, monitors) = switched(3);
    let mut bench = Bench::watching(monitors, Schedule::Repeated);
    bench.engine.attach_service_manager(None, bench.now);
    is_up.store(false, Ordering::Relaxed);
    bench.pass(Duration::from_millis(400));
    is_up.store(true, Ordering::Relaxed);
    bench.pass(secs(1) - Duration::from_millis(401));
    assert_eq!((bench.state(), bench.targets().counts().by_state), (State::Down, [0, 1, 0, 2]));
    let changes = bench.targets().changes();
    bench.pause(0, Some(HOUR));
    bench.pause(1, None);
    assert_eq!(
        (bench.state_of(0), bench.state_of(1), bench.state()),
        (State::Unknown, State::Unknown, State::Up)
    );
    assert_eq!((bench.targets().counts().by_state, bench.targets().counts().paused), ([0, 1, 0, 0], 2));
    assert!(bench.targets().changes() > changes, "cached listings are rendered again");
    bench.pause(2, Some(secs(10)));
    assert_eq!(
        (bench.targets().counts().by_state, bench.targets().counts().paused, bench.state()),
        ([0; 4], 3, State::Unknown)
    );
    bench.pass(secs(2));
    let outputs = bench.outputs();
    assert!(outputs.iter().any(|output| matches!(output, Output::Notify(text) if text == "STATUS=3 paused")));
    bench.pass(secs(8));
    assert_eq!(
        (bench.targets().counts().by_state, bench.targets().counts().paused, bench.state()),
        ([0, 1, 0, 0], 2, State::Up)
    );
}

#[test]
fn the_state_before_the_pause_and_the_thresholds_apply_to_the_next_result() {
    let (is_up, monitors) = switched(1);
    let mut bench = Bench::watching(monitors, Schedule::Repeated);
    bench.pass(secs(1));
    for (before, is_up_after, after) in [
        (State::Up, false, State::Degraded),
        (State::Degraded, false, State::Down),
        (State::Down, false, State::Down),
        (State::Down, true, State::Up),
        (State::Up, true, State::Up),
    ] {
        assert_eq!(bench.targets().list()[0].fsm().policy_state(), before);
        bench.pause(0, Some(HOUR));
        bench.outputs();
        bench.pass(secs(60));
        bench.pause(0, Some(HOUR));
        bench.resume(0);
        assert_eq!(bench.state_of(0), State::Unknown, "until its first check");
        is_up.store(is_up_after, Ordering::Relaxed);
        bench.pass(Duration::ZERO);
        // The second failure in a row makes a degraded target down, but the pause separates the two.
        let after = if before == State::Degraded { State::Degraded } else { after };
        assert_eq!(bench.state_of(0), after, "from {before}");
        if before == State::Degraded {
            bench.pass(secs(1));
            assert_eq!(bench.state_of(0), State::Down);
        }
    }
}

#[test]
fn first_checks_after_a_pause_are_at_once_and_the_schedule_continues_from_there() {
    let (_, monitors) = switched(1);
    let mut bench = Bench::watching(monitors, Schedule::Repeated);
    assert_eq!(checks(&mut bench, secs(1)).len(), 2);
    bench.pause(0, Some(Duration::from_millis(1300)));
    assert_eq!(checks(&mut bench, secs(3)), [(0, 1300), (0, 2300)]);
    bench.pause(0, Some(HOUR));
    bench.pass(Duration::from_millis(100));
    bench.resume(0);
    assert_eq!(checks(&mut bench, secs(1)), [(0, 0), (0, 1000)]);
    // A later pause replaces the first, whether it ends earlier or later.
    bench.pause(0, Some(HOUR));
    bench.pause(0, Some(secs(1)));
    assert_eq!(checks(&mut bench, Duration::from_millis(1500)), [(0, 1000)]);
    bench.pause(0, Some(secs(1)));
    bench.pause(0, Some(secs(2)));
    bench.pause(0, Some(secs(20)));
    assert_eq!(checks(&mut bench, Duration::from_millis(20_500)), [(0, 20_000)]);
    assert_eq!(bench.targets().skipped(), 0, "nothing was scheduled");
}

#[test]
fn a_pause_is_an_event() {
    let (_, monitors) = switched(1);
    let mut bench = Bench::watching(monitors, Schedule::Repeated);
    bench.pass(secs(1));
    let id = subscribe(&mut bench, "/events");
    bench.pause(0, None);
    bench.outputs();
    let event = bench.deliver(id);
    assert!(
        event.contains("\"from\":\"up\",\"to\":\"unknown\",\"detail\":\"paused\",\"error\":null"),
        "{event}"
    );
    bench.pause(0, Some(HOUR));
    bench.resume(0);
    bench.outputs();
    assert_eq!(bench.deliver(id), "", "the state is the same");
    bench.pass(Duration::ZERO);
    bench.outputs();
    assert!(bench.deliver(id).contains("\"from\":\"unknown\",\"to\":\"up\""));
}

#[test]
fn a_client_that_waits_for_the_worst_state_gets_it() {
    let mut bench = super::streams::bench(&[("a", "+"), ("b", "-")]);
    bench.pass(secs(6));
    assert_eq!(bench.state(), State::Down);
    let id = super::streams::ask(&mut bench, "/wait?state=up");
    assert_eq!(bench.deliver(id), "");
    bench.pause(1, Some(secs(50)));
    bench.outputs();
    assert!(bench.deliver(id).ends_with("\r\n\r\nup\n"));
    let id = super::streams::ask(&mut bench, "/wait?state=down");
    bench.pass(secs(49));
    bench.outputs();
    assert_eq!(bench.deliver(id), "");
    bench.pass(secs(1));
    bench.outputs();
    assert!(bench.deliver(id).ends_with("\r\n\r\ndown\n"), "the pause has ended");
}

#[test]
fn a_paused_target_is_checked_neither_on_request_nor_late_for_the_watchdog() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.engine.attach_service_manager(Some(secs(3)), bench.now);
    bench.pause(0, None);
    let id = bench.id(0);
    bench.engine.check_now(id, bench.now);
    assert!(bench.opens().is_empty());
    bench.pass(secs(60));
    let pings = |output: &Output| matches!(output, Output::Notify(text) if text == "WATCHDOG=1");
    assert_eq!(bench.outputs().iter().filter(|output| pings(output)).count(), 20);
}

#[test]
fn a_heartbeat_in_a_pause_is_accepted_and_moves_the_deadline() {
    let mut bench = expecting();
    assert_eq!(bench.heartbeat("GET", TOKEN).0, 200);
    assert_eq!(bench.last(0).0, State::Up);
    bench.pause(0, Some(secs(1000)));
    bench.pass(secs(950));
    assert_eq!(bench.heartbeat("GET", &format!("{TOKEN}/fail")).0, 200);
    assert_eq!(bench.last(0), (State::Unknown, "heartbeat received".to_owned(), None), "it is no result");
    bench.pass(secs(50));
    assert_eq!(bench.targets().counts().paused, 0);
    bench.pass(secs(60) - Duration::from_millis(1));
    assert_eq!(bench.last(0).0, State::Unknown);
    bench.pass(Duration::from_millis(1));
    assert_eq!((bench.last(0).0, &*bench.last(0).1), (State::Degraded, "no heartbeat for 1 m 50 s"));
    // A deadline in the pause counts from its end.
    bench.pause(0, None);
    bench.pass(secs(500));
    bench.resume(0);
    bench.pass(secs(110) - Duration::from_millis(1));
    assert_eq!(bench.last(0).0, State::Unknown);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.last(0).0, State::Degraded);
}

#[test]
fn pauses_survive_a_reload() {
    let (_, mut monitors) = switched(4);
    monitors.truncate(3);
    let (_, others) = switched(4);
    let mut others = others.into_iter();
    let mut start = || Update::Start(others.next().expect("four"));
    let mut bench = Bench::watching(monitors, Schedule::Repeated);
    bench.pass(secs(1));
    bench.pause(0, Some(HOUR));
    bench.pause(1, None);
    bench.pass(secs(1));
    let list =
        vec![Update::Keep(2), Update::Keep(1), start(), Update::Start(Monitor::new(Hello("n")).paused(true))];
    let updates = bench.updates(list);
    bench.engine.replace(updates, bench.now).expect("valid");
    assert_eq!((bench.targets().counts().by_state, bench.targets().counts().paused), ([0, 1, 0, 0], 3));
    let until = bench.targets().list()[2].pause().and_then(|pause| pause.until);
    assert_eq!(until.map(|until| until - bench.now.instant), Some(HOUR - secs(1)), "t0 with other settings");
    let endless = |position: usize| bench.targets().list()[position].pause().map(|pause| pause.until);
    assert_eq!((endless(1), endless(3), endless(0)), (Some(None), Some(None), None));
    // Other settings of a target end a pause without an end: the settings say whether it starts paused.
    start();
    let updates = vec![Update::Start(others.next().expect("four")), Update::Keep(2)];
    let updates = bench.updates(updates);
    bench.engine.replace(updates, bench.now).expect("valid");
    bench.pass(HOUR - Duration::from_millis(1001));
    assert_eq!(bench.targets().counts().paused, 1);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.targets().counts().paused, 0);
}

#[test]
fn a_target_can_start_paused() {
    let (_, monitors) = switched(2);
    let monitors =
        monitors.into_iter().map(|monitor| monitor.paused(true).initial_state(State::Up)).collect();
    let mut bench = Bench::watching(monitors, Schedule::Repeated);
    assert_eq!(
        (bench.state(), bench.targets().counts().paused, bench.targets().counts().by_state),
        (State::Unknown, 2, [0; 4])
    );
    bench.pass(HOUR * 24 * 365);
    assert!(bench.outputs().is_empty());
    bench.resume(1);
    bench.pass(Duration::ZERO);
    assert_eq!((bench.state_of(0), bench.state_of(1), bench.state()), (State::Unknown, State::Up, State::Up));
    bench.pause(1, Some(Duration::MAX));
    assert_eq!(
        bench.targets().list()[1].pause().map(|pause| pause.until),
        Some(None),
        "too long for the clock"
    );
}
