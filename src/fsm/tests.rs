//! The rules of the state machine.

use super::*;
use crate::clock::{system_time, test_now};
use crate::result::{ParseError, Reason};

fn ok() -> ProbeResult {
    ProbeResult::up(Duration::from_millis(5), "fine")
}

fn fail() -> ProbeResult {
    ProbeResult::down(Reason::Refused, "refused")
}

/// The states after each event: `+` is a success, `-` a failure.
fn states(policy: Policy, script: &str) -> Vec<&'static str> {
    let mut fsm = Fsm::new(State::Unknown, policy, Fsm::HISTORY, test_now());
    let fire = |c| {
        fsm.fire(&if c == '+' { ok() } else { fail() }, test_now());
        fsm.state().as_str()
    };
    script.chars().map(fire).collect()
}

#[test]
fn default_policy_is_that_of_the_python_version() {
    let d = Policy::default;
    assert_eq!(states(d(), "+-+"), ["up", "degraded", "up"]);
    assert_eq!(states(d(), "+---"), ["up", "degraded", "down", "down"]);
    assert_eq!(states(d(), "-+"), ["down", "up"]);
    assert_eq!(states(d(), "+-+-+-"), ["up", "degraded", "up", "degraded", "up", "degraded"]);
}

#[test]
fn fall_counts_consecutive_failures() {
    let fall = |fall| Policy::Thresholds { fall, rise: 1 };
    assert_eq!(states(fall(1), "+-"), ["up", "down"]);
    assert_eq!(states(fall(3), "+---"), ["up", "degraded", "degraded", "down"]);
    assert_eq!(states(fall(3), "+--+--"), ["up", "degraded", "degraded", "up", "degraded", "degraded"]);
    assert_eq!(states(fall(3), "-"), ["down"], "the first result decides");
    assert_eq!(states(fall(0), "+-"), ["up", "down"]);
}

#[test]
fn rise_counts_consecutive_successes_while_down() {
    let rise = |rise| Policy::Thresholds { fall: 2, rise };
    assert_eq!(states(rise(3), "-+++"), ["down", "down", "down", "up"]);
    assert_eq!(states(rise(3), "-++-++"), ["down", "down", "down", "down", "down", "down"]);
    assert_eq!(states(rise(3), "+-+"), ["up", "degraded", "up"]);
    assert_eq!(states(rise(3), "+"), ["up"], "the first result decides");
}

#[test]
fn a_table_keeps_the_state_without_a_matching_row() {
    let table =
        || Policy::Table(vec![(State::Unknown, Event::Ok, State::Up), (State::Up, Event::Fail, State::Down)]);
    assert_eq!(states(table(), "-+--+"), ["unknown", "up", "down", "down", "down"]);
}

#[test]
fn a_function_receives_the_streak() {
    let third = Policy::function(|state, event, streak| match (event, streak) {
        (Event::Ok, _) => State::Up,
        (Event::Fail, 3..) => State::Down,
        _ => state,
    });
    assert_eq!(states(third, "+---+-"), ["up", "up", "up", "down", "up", "up"]);
}

#[test]
fn a_function_that_panics_keeps_the_state_and_the_count() {
    let panics_sometimes = Policy::function(|_, event, streak| match (event, streak) {
        (Event::Ok, _) => State::Up,
        (Event::Fail, 2) => panic!("no rule for this"),
        (Event::Fail, _) => State::Down,
    });
    assert_eq!(states(panics_sometimes.clone(), "+--"), ["up", "down", "down"]);
    assert_eq!(states(panics_sometimes, "--+"), ["down", "down", "up"]);
    let panics_always = Policy::function(|_, _, _| panic!("no rule at all"));
    let mut fsm = Fsm::new(State::Unknown, panics_always, Fsm::HISTORY, test_now());
    assert_eq!(fsm.fire(&ok(), test_now()), None);
    assert_eq!((fsm.last().is_some(), fsm.recent().len()), (true, 1));
}

#[test]
fn transitions_are_counted_and_restart_the_time_in_state() {
    let t0 = test_now();
    let at = |s| t0.after(Duration::from_secs(s));
    let mut fsm = Fsm::new(State::Unknown, Policy::default(), Fsm::HISTORY, t0);
    let change = fsm.fire(&ok(), at(1)).expect("unknown to up");
    assert_eq!(
        (change.from, change.to, change.previous_state_duration.as_secs()),
        (State::Unknown, State::Up, 1)
    );
    assert_eq!(fsm.fire(&ok(), at(6)), None);
    assert_eq!(fsm.time_in_state(at(6)).as_secs(), 5);
    assert!(fsm.fire(&fail(), at(11)).is_some());
    assert_eq!((fsm.transitions(), fsm.time_in_state(at(11))), (2, Duration::ZERO));
    let last = fsm.last().expect("checked");
    assert_eq!((last.event, last.latency, last.at), (Event::Fail, None, at(11)));
}

#[test]
fn history_is_bounded_and_shares_equal_details() {
    let mut fsm = Fsm::new(State::Unknown, Policy::default(), 3, test_now());
    for _ in 0..10 {
        fsm.fire(&ok(), test_now());
    }
    let recent: Vec<_> = fsm.recent().iter().collect();
    assert_eq!(recent.len(), 3);
    assert!(Arc::ptr_eq(&recent[0].detail, &recent[2].detail));
    let mut none = Fsm::new(State::Unknown, Policy::default(), 0, test_now());
    none.fire(&ok(), test_now());
    assert_eq!(none.recent().len(), 0);
}

#[test]
fn details_of_a_program_are_truncated() {
    let mut fsm = Fsm::new(State::Unknown, Policy::default(), Fsm::HISTORY, test_now());
    let mut result = ok();
    result.detail = "x".repeat(ProbeResult::DETAIL_MAX);
    fsm.fire(&result, test_now());
    assert_eq!(*fsm.last().expect("checked").detail, *result.detail);
    result.detail.push('x');
    fsm.fire(&result, test_now());
    assert_eq!(fsm.last().expect("checked").detail.chars().count(), ProbeResult::DETAIL_MAX);
}

#[test]
fn policies_and_events_are_formatted() {
    assert_eq!(Event::Fail.to_string(), "fail");
    assert_eq!(format!("{:?}", Policy::default()), "Thresholds { fall: 2, rise: 1 }");
    let table = Policy::Table(vec![(State::Up, Event::Fail, State::Down)]);
    assert_eq!(format!("{table:?}"), "Table([(Up, Fail, Down)])");
    assert_eq!(format!("{:?}", Policy::function(|state, _, _| state)), "Function");
}

#[test]
fn checks_failures_and_changes_are_counted() {
    let mut fsm = Fsm::new(State::Unknown, Policy::default(), 0, test_now());
    let mut without_reason = fail();
    without_reason.reason = None;
    let status = ProbeResult::down(Reason::Status, "HTTP 500");
    for result in [ok(), without_reason, status.clone(), fail(), status, ok()] {
        fsm.fire(&result, test_now());
    }
    let counters = fsm.counters();
    assert_eq!(counters.checks, [2, 4]);
    assert_eq!(counters.failures, [(Reason::Refused, 1), (Reason::Status, 2), (Reason::Custom, 1)]);
    assert!(counters.failures.is_sorted() && counters.failures.capacity() == 3);
    assert_eq!((counters.changes_to, fsm.transitions()), ([0, 2, 1, 1], 4));
}

#[test]
fn the_time_in_each_state_is_summed_up() {
    let t0 = test_now();
    let at = |s| t0.after(Duration::from_secs(s));
    let mut fsm = Fsm::new(State::Unknown, Policy::default(), Fsm::HISTORY, t0);
    for (s, result) in [(1, ok()), (6, fail()), (8, ok()), (20, fail()), (21, fail())] {
        fsm.fire(&result, at(s));
    }
    let time_in = |now| State::ALL.map(|state| fsm.time_in(state, now).as_secs());
    assert_eq!(time_in(at(21)), [1, 17, 3, 0]);
    assert_eq!(time_in(at(30)), [1, 17, 3, 9]);
}

#[test]
fn the_last_check_is_stored_completely() {
    let mut fsm = Fsm::new(State::Unknown, Policy::default(), Fsm::HISTORY, test_now());
    let mut result = fail();
    result.phases.connect = Some(Duration::from_nanos(1_234_567));
    result.address = "192.0.2.1:80".parse().ok();
    (result.http_status, result.tls_not_after) = (Some(404), Some(system_time(Duration::from_secs(7))));
    fsm.fire(&result, test_now());
    let last = fsm.last().expect("checked");
    assert_eq!((last.reason, last.phases, last.address), (result.reason, result.phases, result.address));
    assert_eq!((last.http_status, last.tls_not_after), (result.http_status, result.tls_not_after));
    fsm.fire(&ok(), test_now());
    assert_eq!(fsm.last().and_then(|last| last.reason), None);
}

#[test]
fn words_respect_the_width_of_a_format() {
    assert_eq!(format!("{:<4}|{:>5}|{:^9}", State::Up, Event::Ok, Reason::Local), "up  |   ok|  local  ");
}

#[test]
fn every_word_is_parsed_and_no_other() {
    for state in State::ALL {
        assert_eq!(state.as_str().parse(), Ok(state));
    }
    for event in [Event::Ok, Event::Fail] {
        assert_eq!(event.as_str().parse(), Ok(event));
    }
    for reason in Reason::ALL {
        assert_eq!(reason.as_str().parse(), Ok(*reason));
    }
    for text in ["", "Up", "up ", "ok\n", "downs"] {
        assert_eq!(text.parse::<State>(), Err(ParseError("state")));
        assert_eq!(text.parse::<Event>(), Err(ParseError("event")));
        assert_eq!(text.parse::<Reason>(), Err(ParseError("reason")));
    }
}

#[test]
fn states_are_ordered_by_severity() {
    let mut states = State::ALL;
    states.sort();
    assert_eq!(states, [State::Up, State::Unknown, State::Degraded, State::Down]);
}

#[test]
fn times_of_checks_are_rounded_to_milliseconds_and_saturate() {
    let now = test_now();
    let mut fsm = Fsm::new(State::Unknown, Policy::default(), 9, now);
    for unix in [Duration::ZERO, Duration::new(1, 499_999), Duration::new(1, 500_000), Duration::MAX] {
        fsm.fire(&ok(), Now { unix, ..now });
    }
    let times: Vec<_> = fsm.recent().iter().map(|check| check.unix().as_millis()).collect();
    assert_eq!(times, [0, 1000, 1001, u128::from(u32::MAX) * 1000 + 999]);
    assert_eq!(fsm.recent()[2].ended_at(), system_time(Duration::from_millis(1001)));
}

#[test]
fn a_warning_degrades_a_target_until_a_success_without_it() {
    let mut fsm = Fsm::new(State::Unknown, Policy::default(), Fsm::HISTORY, test_now());
    let mut warned = ok();
    warned.warnings.insert(ProbeWarning::Loss);
    let mut fire = |result: &ProbeResult| {
        fsm.fire(result, test_now());
        (fsm.state().as_str(), fsm.warnings().iter().map(ProbeWarning::as_str).collect::<Vec<_>>())
    };
    assert_eq!(fire(&warned), ("degraded", vec!["loss"]));
    assert_eq!(fire(&fail()), ("degraded", vec!["loss"]));
    assert_eq!(fire(&fail()), ("down", vec![]), "the failure explains it");
    assert_eq!(fire(&warned), ("degraded", vec!["loss"]));
    assert_eq!(fire(&ok()), ("up", vec![]));
    assert_eq!(fsm.counters().checks, [3, 2], "a warning is no failure");
}

/// As [`states`], with `h` for a failure that is held.
fn held(fall: u32, rise: u32, script: &str) -> Vec<&'static str> {
    let mut fsm = Fsm::new(State::Unknown, Policy::Thresholds { fall, rise }, Fsm::HISTORY, test_now());
    let fire = |c| {
        match c {
            '+' => fsm.fire(&ok(), test_now()),
            '-' => fsm.fire(&fail(), test_now()),
            _ => fsm.hold(&fail(), test_now()),
        };
        fsm.state().as_str()
    };
    script.chars().map(fire).collect()
}

#[test]
fn held_failures_do_not_count_and_the_state_before_them_applies() {
    assert_eq!(held(2, 1, "+hh-"), ["up", "unknown", "unknown", "degraded"]);
    assert_eq!(held(3, 1, "+-h--"), ["up", "degraded", "unknown", "degraded", "down"]);
    assert_eq!(held(3, 1, "+-h+-"), ["up", "degraded", "unknown", "up", "degraded"]);
    assert_eq!(held(2, 1, "h-"), ["unknown", "down"], "the first result that counts decides");
    assert_eq!(held(2, 1, "h+"), ["unknown", "up"]);
    assert_eq!(held(2, 2, "-h-"), ["down", "unknown", "down"]);
    assert_eq!(held(2, 2, "-+h++"), ["down", "down", "unknown", "down", "up"]);
}

#[test]
fn a_held_failure_is_recorded_as_a_check() {
    let t0 = test_now();
    let mut fsm = Fsm::new(State::Unknown, Policy::default(), Fsm::HISTORY, t0);
    fsm.fire(&ok(), t0);
    let change = fsm.hold(&fail(), t0.after(Duration::from_secs(3)));
    let previous_state_duration = Duration::from_secs(3);
    assert_eq!(change, Some(Change { from: State::Up, to: State::Unknown, previous_state_duration }));
    assert_eq!(fsm.hold(&fail(), t0.after(Duration::from_secs(4))), None);
    assert_eq!((fsm.counters().checks, &*fsm.counters().failures), ([1, 2], &[(Reason::Refused, 2)][..]));
    let last = fsm.last().expect("a check");
    assert_eq!((last.event, last.reason, &*last.detail), (Event::Fail, Some(Reason::Refused), "refused"));
    let recent: Vec<_> = fsm.recent().iter().map(|check| (check.event(), check.state())).collect();
    assert_eq!(recent[1..], [(Event::Fail, State::Unknown); 2]);
    assert_eq!(fsm.time_in(State::Unknown, t0.after(Duration::from_secs(9))), Duration::from_secs(6));
}
