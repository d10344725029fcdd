//! Checks that wait because of the descriptor limit.

use super::*;
use crate::monitor::TargetUpdate;
use crate::probe::connector::{CONNECTION_ATTEMPT_DELAY, LOCAL_RETRY};

/// Targets that may have this number of connections together.
fn limited(hosts: &[&'static str], checks: usize) -> Bench {
    let monitors = hosts.iter().map(|host| Monitor::new(Hello(host)).interval(secs(1))).collect();
    let mut bench = Bench::sharing(monitors, Schedule::Repeated, Shares { checks, ..Shares::of(usize::MAX) });
    bench.engine.handle_files(
        Some(b"10.0.0.1 names\n10.0.0.2 names\n10.0.0.3 names\n".into()),
        None,
        bench.now,
    );
    bench
}

const LITERALS: [&str; 4] = ["10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4"];

/// The addresses that are connected to.
fn connects(bench: &mut Bench) -> Vec<(ConnId, String)> {
    let outputs = bench.outputs();
    for output in &outputs {
        if matches!(output, Output::RefreshFiles) {
            bench.engine.handle_files(None, None, bench.now);
        }
    }
    let opens = outputs.into_iter().chain(bench.outputs()).filter_map(|output| match output {
        Output::Open { id, to, .. } => Some((id, to.ip().to_string())),
        _ => None,
    });
    opens.collect()
}

fn answer(bench: &mut Bench, id: ConnId) {
    bench.tell(id, Input::Connected);
    bench.tell(id, Input::Received(b"x"));
}

#[test]
fn checks_above_the_limit_wait_in_order_and_have_their_whole_timeout() {
    let mut bench = limited(&LITERALS, 3);
    assert_eq!(
        said(&bench.outputs()),
        [
            "the limit of open files (ulimit -n) allows 3 connections to targets at the same time: checks of the 4 \
          targets may start late"
        ]
    );
    bench.pass(secs(1));
    let first = connects(&mut bench);
    assert_eq!(first.iter().map(|(_, to)| to.as_str()).collect::<Vec<_>>(), LITERALS[..2]);
    answer(&mut bench, first[1].0);
    let third = connects(&mut bench);
    assert_eq!(third[0].1, LITERALS[2]);
    bench.pass(secs(1));
    // The first has timed out; the third has begun a second ago.
    let fourth = connects(&mut bench);
    assert_eq!(fourth[0].1, LITERALS[3]);
    bench.pass(secs(1));
    let begun = connects(&mut bench);
    assert!(!bench.engine.knows(third[0].0) && bench.engine.knows(fourth[0].0));
    // Targets that became due meanwhile start in that order.
    assert_eq!(begun[0].1, LITERALS[1]);
    assert!(bench.engine.targets().skipped() > 0);
}

#[test]
fn a_name_gets_further_connections_only_if_they_are_free() {
    let mut bench = limited(&["names", "10.1.0.1"], 3);
    bench.pass(Duration::ZERO);
    assert_eq!(connects(&mut bench).len(), 1);
    bench.pass(CONNECTION_ATTEMPT_DELAY);
    assert_eq!(connects(&mut bench).len(), 1, "the second address");
    bench.pass(Duration::from_millis(500) - CONNECTION_ATTEMPT_DELAY);
    let opened = connects(&mut bench);
    assert_eq!(opened[0].1, "10.0.0.3", "as long as nothing else has taken the third connection");
    // The other target is due.
    bench.pass(Duration::from_millis(500));
    assert_eq!(connects(&mut bench), []);
    answer(&mut bench, opened[0].0);
    assert_eq!(connects(&mut bench)[0].1, "10.1.0.1");
}

#[test]
fn an_address_without_a_free_connection_is_tried_later() {
    let mut bench = limited(&["names", "10.1.0.1"], 3);
    bench.pass(Duration::ZERO);
    assert_eq!(connects(&mut bench).len(), 1);
    assert!(bench.engine.runs.queue.take_connection());
    bench.pass(secs(1));
    assert_eq!(connects(&mut bench).len(), 1, "the second address, not the third");
    bench.engine.runs.queue.release(1);
    bench.pass(LOCAL_RETRY);
    assert_eq!(connects(&mut bench)[0].1, "10.0.0.3");
}

#[test]
fn a_check_out_of_schedule_waits_as_well_and_runs_once() {
    let mut bench = limited(&LITERALS[..2], 2);
    bench.pass(Duration::ZERO);
    let first = connects(&mut bench);
    let second = bench.id(1);
    for _ in 0..2 {
        bench.engine.check_now(second, bench.now);
    }
    assert_eq!(connects(&mut bench), []);
    bench.pass(secs(1));
    assert_eq!(connects(&mut bench), []);
    answer(&mut bench, first[0].0);
    let second = connects(&mut bench);
    assert_eq!((second.len(), second[0].1.as_str()), (1, LITERALS[1]));
    answer(&mut bench, second[0].0);
    assert_eq!(connects(&mut bench), []);
}

#[test]
fn waiting_checks_survive_a_reload() {
    let mut bench = limited(&LITERALS, 2);
    bench.pass(Duration::ZERO);
    let first = connects(&mut bench);
    bench.pass(secs(1));
    bench.outputs();

    let updates = [3, 0, 2].map(|kept| TargetUpdate::Keep(bench.id(kept))).into();
    bench.engine.replace(updates, bench.now).expect("it fits");
    bench.pass(Duration::from_millis(500));
    assert_eq!(connects(&mut bench), []);
    answer(&mut bench, first[0].0);
    let next = connects(&mut bench);
    assert_eq!((next.len(), next[0].1.as_str()), (1, LITERALS[2]), "the second is gone");
    answer(&mut bench, next[0].0);
    assert_eq!(connects(&mut bench)[0].1, LITERALS[3]);
}

#[test]
fn the_watchdog_is_pinged_while_checks_wait() {
    let mut bench = limited(&LITERALS, 2);
    bench.engine.attach_service_manager(Some(Duration::from_millis(1500)), bench.now);
    bench.outputs();
    bench.pass(Duration::from_millis(1500));
    let pings = |output: &Output| matches!(output, Output::Notify(text) if text == "WATCHDOG=1");
    assert!(bench.outputs().iter().any(pings));
}

#[test]
fn shares_add_up_to_less_than_the_limit() {
    for free in (50..5000).chain([1_000_000, usize::MAX / 2]) {
        let shares = Shares::of(free);
        let sum = shares.checks + shares.queries + shares.hooks + shares.clients + shares.streams;
        assert!(sum < free, "{shares:?} of {free}");
    }
    let least = Shares::of(0);
    assert_eq!([least.checks, least.queries, least.hooks, least.clients, least.streams], [2, 2, 1, 2, 1]);
    let most = Shares::of(usize::MAX);
    assert_eq!((most.hooks, most.clients, most.streams), (HOOKS_MAX, CLIENTS_MAX, STREAMS_MAX));
}
