//! Retries, and intervals that depend on the state.

use super::*;

const MS: Duration = Duration::from_millis(1);

/// A target with a literal address and this number of retries, two seconds apart.
fn retrying(retries: u32, schedule: Schedule) -> Bench {
    let monitor = Monitor::new(Hello("127.0.0.1")).retries(retries).retry_interval(secs(2));
    Bench::watching(vec![monitor], schedule)
}

fn refuse(bench: &mut Bench) {
    let id = bench.opened();
    bench.tell(id, Input::Failed(Failure::new(Reason::Refused, "refused")));
}

fn answer(bench: &mut Bench) {
    let id = bench.opened();
    bench.tell(id, Input::Connected);
    bench.outputs();
    bench.tell(id, Input::Received(b"x"));
}

fn results(bench: &mut Bench) -> Vec<(bool, Option<State>)> {
    let outputs = bench.outputs().into_iter();
    let check = |output| match output {
        Output::CheckResult(check) => Some((check.result.ok, check.change.map(|change| change.to))),
        _ => None,
    };
    outputs.filter_map(check).collect()
}

/// The time to the next attempt.
fn next(bench: &mut Bench) -> Duration {
    bench.engine.handle_timeout(bench.now); // No check is in flight.
    bench.engine.poll_timeout().expect("a deadline") - bench.now.instant
}

#[test]
fn a_success_of_the_second_attempt_is_the_result_of_the_check() {
    let mut bench = retrying(1, Schedule::Repeated);
    bench.pass(Duration::ZERO);
    refuse(&mut bench);
    assert!(results(&mut bench).is_empty() && bench.engine.targets().list()[0].fsm().last().is_none());
    assert_eq!(next(&mut bench), secs(2));
    bench.pass(secs(2));
    answer(&mut bench);
    assert_eq!(results(&mut bench), [(true, Some(State::Up))]);
    assert_eq!(bench.engine.targets().list()[0].fsm().recent().len(), 1);
    assert_eq!(next(&mut bench), secs(3), "the schedule continues");
}

#[test]
fn the_last_failure_is_the_result_and_each_attempt_has_the_full_timeout() {
    let mut bench = retrying(2, Schedule::Repeated);
    bench.pass(Duration::ZERO);
    refuse(&mut bench);
    for _ in 0..2 {
        bench.pass(secs(2) - MS);
        assert!(bench.outputs().is_empty());
        bench.pass(MS);
        bench.opened();
        bench.pass(secs(2) - MS);
        assert!(bench.outputs().is_empty());
        bench.pass(MS);
        let ended = results(&mut bench);
        assert!(ended.is_empty() || ended == [(false, Some(State::Down))]);
    }
    let target = &bench.engine.targets().list()[0];
    assert_eq!(
        (target.fsm().counters().checks, target.skipped()),
        ([0, 1], 1),
        "8 s, the check at 5 s was skipped"
    );
    assert_eq!((next(&mut bench), bench.engine.targets().delay.count), (secs(2), 1));
    bench.pass(secs(2));
    refuse(&mut bench);
    assert!(results(&mut bench).is_empty(), "the next check is tried again as often");
}

#[test]
fn a_pending_retry_after_a_delay_of_the_loop_is_one_attempt() {
    let mut bench = retrying(1, Schedule::Repeated);
    bench.pass(Duration::ZERO);
    refuse(&mut bench);
    bench.now = bench.now.after(secs(60));
    bench.engine.handle_timeout(bench.now);
    let opens = bench.outputs();
    let [Output::Open { id, .. }] = opens[..] else { panic!("{opens:?}") };
    bench.pass(secs(2) - MS);
    assert!(bench.outputs().is_empty(), "the try has its whole time");
    bench.tell(id, Input::Failed(Failure::new(Reason::Refused, "refused")));
    assert_eq!(results(&mut bench), [(false, Some(State::Down))]);
}

#[test]
fn a_requested_check_starts_a_pending_retry_at_once() {
    let mut bench = retrying(1, Schedule::Repeated);
    bench.pass(Duration::ZERO);
    refuse(&mut bench);
    bench.pass(MS * 500);
    bench.engine.check_now(bench.id(0), bench.now);
    refuse(&mut bench);
    assert_eq!(results(&mut bench), [(false, Some(State::Down))]);
    bench.pass(secs(4));
    assert!(bench.outputs().is_empty(), "nothing is left of the wait");
}

#[test]
fn a_single_round_ends_with_the_last_attempt() {
    let mut bench = retrying(1, Schedule::Once);
    bench.pass(Duration::ZERO);
    refuse(&mut bench);
    assert!(!bench.engine.is_finished());
    bench.pass(secs(2));
    refuse(&mut bench);
    bench.engine.handle_timeout(bench.now);
    assert!(bench.engine.is_finished() && bench.engine.poll_timeout().is_none());
}

#[test]
fn a_probe_that_panics_is_retried() {
    struct Bomb;
    impl Probe for Bomb {
        fn name(&self) -> &str {
            "bomb"
        }
        fn timeout(&self) -> Duration {
            secs(2)
        }
        fn begin(&self, _now: Now) -> Box<dyn Attempt> {
            panic!("bang")
        }
    }
    let monitor = Monitor::new(Bomb).retries(3).retry_interval(Monitor::INTERVAL_MIN);
    let mut bench = Bench::watching(vec![monitor], Schedule::Repeated);
    bench.pass(MS * 2);
    assert!(bench.outputs().is_empty());
    bench.pass(MS);
    assert_eq!(results(&mut bench), [(false, Some(State::Down))]);
}

#[test]
fn the_intervals_while_down_and_in_doubt_apply() {
    let monitor = Monitor::new(Hello("127.0.0.1")).interval_fast(secs(1)).interval_down(secs(60));
    let mut bench = Bench::watching(vec![monitor], Schedule::Repeated);
    bench.pass(Duration::ZERO);
    answer(&mut bench);
    assert_eq!(next(&mut bench), secs(5));
    for interval in [1, 60, 60] {
        let wait = next(&mut bench);
        bench.pass(wait);
        refuse(&mut bench);
        assert_eq!(next(&mut bench), secs(interval));
    }
    bench.pass(secs(60));
    answer(&mut bench);
    assert_eq!((next(&mut bench), bench.state()), (secs(5), State::Up));
}

#[test]
fn a_slow_response_is_reported_as_slow() {
    let monitor = Monitor::new(Hello("127.0.0.1")).slow(Duration::ZERO).retries(3);
    let mut bench = Bench::watching(vec![monitor], Schedule::Repeated);
    bench.pass(Duration::ZERO);
    answer(&mut bench);
    let outputs = bench.outputs();
    let Some(Output::CheckResult(check)) = outputs.last() else { panic!("{outputs:?}") };
    assert_eq!((check.result.ok, &*check.result.detail), (true, "answered, slow (over 0 ms)"));
    assert_eq!(bench.state(), State::Degraded);
}

/// The interval after a failure starts with that failure.
#[test]
fn times_that_were_never_scheduled_are_not_skipped() {
    let monitor = Monitor::new(Hello("192.0.2.1")).interval(secs(30)).interval_fast(secs(1));
    let mut bench = Bench::watching(vec![monitor.initial_state(State::Up)], Schedule::Repeated);
    bench.pass(secs(2)); // It times out.
    bench.opened();
    assert_eq!((bench.state(), next(&mut bench)), (State::Degraded, secs(1)));
    assert_eq!(bench.engine.targets().skipped(), 0, "the next check was due after 30 s");
    bench.pass(secs(3));
    bench.outputs();
    assert_eq!(bench.engine.targets().skipped(), 2, "those that were due each second");
}
