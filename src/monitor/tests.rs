//! Schedules, the rules beside the policy, and what the states of all targets add up to.

mod first_checks;
mod validation;

use super::mute::Mute;
use super::targets::SchedulingDelay;
use super::*;
use crate::clock::{Now, test_now};
use crate::fsm::Event;
use crate::probe::build::ProbeBuilder;
use crate::result::{ProbeResult, Reason};

const S: Duration = Duration::from_secs(1);

fn targets(intervals: &[u32], now: Now) -> Targets {
    let monitor = |s: &u32| Monitor::new(Mute("m")).interval(S * *s);
    Targets::new(intervals.iter().map(monitor).collect(), now)
}

#[test]
fn checks_stay_on_schedule_and_missed_ones_are_skipped() {
    let t0 = test_now();
    let mut targets = targets(&[5], t0);
    let target = targets.get_mut(targets.id(0)).expect("it is present");
    for (now, next) in
        [(0, 5000), (5000, 10_000), (10_007, 15_000), (14_000, 15_000), (61_234, 65_000), (65_000, 70_000)]
    {
        target.advance(t0.after(Duration::from_millis(now)).instant);
        assert_eq!(target.scheduled() - t0.instant, Duration::from_millis(next), "at {now}");
    }
}

#[test]
fn a_monitor_has_the_default_interval_of_its_probe_and_history() {
    let now = test_now();
    let probe = |url: &str| ProbeBuilder::from_url(url).name("p").build().expect("a probe");
    for (monitor, interval) in [
        (Monitor::new(Mute("m")), S * 5),
        (Monitor::new(probe("http://192.0.2.1/")), S * 5),
        (Monitor::new(probe("exec:check")), S * 60),
        (Monitor::new(Box::new(probe("exec:check"))), S * 60),
        (Monitor::new(probe("exec:check")).interval(Monitor::INTERVAL_MIN), Monitor::INTERVAL_MIN),
    ] {
        let mut targets = Targets::new(vec![monitor], now);
        targets.get_mut(targets.id(0)).expect("it is present").advance(now.instant);
        assert_eq!(targets.list()[0].scheduled() - now.instant, interval);
        for _ in 0..30 {
            targets.fire(targets.id(0), &ProbeResult::up(S, "fine"), now);
        }
        assert_eq!(targets.list()[0].fsm().recent().len(), 20);
    }
}

#[test]
fn the_longest_interval_does_not_overflow_the_clock() {
    let now = test_now();
    let monitor = || Monitor::new(Mute("m")).interval(Monitor::INTERVAL_MAX);
    let mut targets = Targets::new(vec![monitor(), monitor()], now);
    targets.get_mut(targets.id(0)).expect("it is present").advance(now.instant);
    assert_eq!(targets.list()[0].scheduled() - now.instant, Monitor::INTERVAL_MAX);
    assert_eq!(targets.list()[1].scheduled() - now.instant, Duration::from_millis(1001));
    targets.get_mut(targets.id(1)).expect("it is present").advance(now.instant + S * 2);
    assert_eq!(targets.list()[1].scheduled() - now.instant, Monitor::INTERVAL_MAX / 2 * 3);
    let endless = crate::probe::blocking::blocking("endless", || true).timeout(Duration::MAX);
    assert_eq!(Targets::new(vec![Monitor::new(endless)], now).list()[0].timeout(), ProbeBuilder::TIMEOUT_MAX);
}

#[test]
fn counts_follow_the_states_and_the_worst_one_wins() {
    let now = test_now();
    let mut targets = targets(&[5, 5, 5], now);
    assert_eq!((targets.counts().by_state, targets.worst()), ([3, 0, 0, 0], State::Unknown));
    let up = ProbeResult::up(S, "fine");
    let down = ProbeResult::down(Reason::Refused, "no");
    targets.fire(targets.id(0), &up, now);
    assert_eq!((targets.counts().by_state, targets.worst()), ([2, 1, 0, 0], State::Unknown));
    targets.fire(targets.id(1), &up, now);
    targets.fire(targets.id(2), &up, now);
    assert_eq!(targets.worst(), State::Up);
    targets.fire(targets.id(2), &down, now);
    assert_eq!((targets.counts().by_state, targets.worst()), ([0, 2, 1, 0], State::Degraded));
    targets.fire(targets.id(2), &down, now);
    assert_eq!((targets.counts().by_state, targets.worst()), ([0, 2, 0, 1], State::Down));
}

/// Results of a script of `+` and `-` and of latencies in milliseconds, a check each.
fn fired(targets: &mut Targets, script: &str, now: Now) -> Vec<(State, String)> {
    let fire = |word: &str| {
        let mut result = match word {
            "-" => ProbeResult::down(Reason::Refused, "no"),
            ms => ProbeResult::up(Duration::from_millis(ms.parse().unwrap_or(0)), "fine"),
        };
        targets.get_mut(targets.id(0)).expect("it is present").apply_slow_threshold(&mut result);
        targets.fire(targets.id(0), &result, now);
        (targets.list()[0].fsm().state(), result.detail)
    };
    script.split_whitespace().map(fire).collect()
}

fn slow(over: u64, clear: Option<u64>) -> Monitor {
    let monitor = Monitor::new(Mute("m")).slow(Duration::from_millis(over));
    match clear {
        Some(clear) => monitor.slow_clear(Duration::from_millis(clear)),
        None => monitor,
    }
}

fn slow_states(monitor: Monitor, script: &str) -> String {
    let now = test_now();
    let words = fired(&mut Targets::new(vec![monitor], now), script, now);
    words.iter().map(|(state, _)| state.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_slow_answer_degrades_what_would_be_up() {
    assert_eq!(slow_states(slow(500, None), "500 501 500"), "up degraded up");
    assert_eq!(slow_states(slow(500, None), "501 - - 501 1"), "degraded degraded down degraded up");
    let now = test_now();
    let mut targets = Targets::new(vec![slow(500, None)], now);
    let details: Vec<_> =
        fired(&mut targets, "1 501 9999", now).into_iter().map(|(_, detail)| detail).collect();
    assert_eq!(details, ["fine", "fine, slow (over 500 ms)", "fine, slow (over 500 ms)"]);
    assert_eq!(targets.list()[0].fsm().counters().checks, [3, 0], "slow is no failure");
    assert_eq!(targets.counts().by_state, [0, 0, 1, 0]);
}

#[test]
fn once_slow_an_answer_must_be_faster_to_be_so_no_more() {
    assert_eq!(
        slow_states(slow(500, Some(300)), "400 501 400 301 300 400"),
        "up degraded degraded degraded up up"
    );
    assert_eq!(
        slow_states(slow(500, Some(300)), "501 - 400 - - 400 300"),
        "degraded degraded degraded degraded down degraded up",
        "failures change nothing"
    );
    let now = test_now();
    let words = fired(&mut Targets::new(vec![slow(500, Some(300))], now), "501 400", now);
    assert_eq!(words[1].1, "fine, slow (over 300 ms)");
}

#[test]
fn slowness_counts_as_success_for_every_policy() {
    let rise = |fall, rise| slow(500, None).policy(Policy::Thresholds { fall, rise });
    assert_eq!(slow_states(rise(2, 3), "- 900 900 900 900"), "down down down degraded degraded");
    assert_eq!(slow_states(rise(2, 1), "900 - 900 - 900"), "degraded degraded degraded degraded degraded");
    assert_eq!(slow_states(rise(3, 1), "1 - - 900 - -"), "up degraded degraded degraded degraded degraded");
    // One that knows no degraded tier finds its way back.
    let plain = slow(500, None).policy(Policy::Table(vec![
        (State::Unknown, Event::Ok, State::Up),
        (State::Up, Event::Fail, State::Down),
        (State::Down, Event::Ok, State::Up),
    ]));
    assert_eq!(slow_states(plain, "900 1 900 - 900 1"), "degraded up degraded down degraded up");
}

#[test]
fn an_answer_without_latency_is_not_slow_and_a_long_detail_makes_room() {
    let now = test_now();
    let mut targets = Targets::new(vec![slow(0, None)], now);
    let mut result = ProbeResult::up(S, &"x".repeat(ProbeResult::DETAIL_MAX));
    targets.get_mut(targets.id(0)).expect("it is present").apply_slow_threshold(&mut result);
    assert!(result.detail.ends_with("x…, slow (over 0 ms)"), "{}", result.detail);
    assert_eq!(result.detail.chars().count(), ProbeResult::DETAIL_MAX);
    result.latency = None;
    let before = result.clone();
    targets.get_mut(targets.id(0)).expect("it is present").apply_slow_threshold(&mut result);
    assert_eq!(result, before);
}

#[test]
fn the_interval_follows_the_state() {
    let t0 = test_now();
    let monitor = Monitor::new(Mute("m"))
        .interval(S * 10)
        .interval_down(S * 60)
        .interval_fast(S * 2)
        .slow(S / 2)
        .policy(Policy::Thresholds { fall: 3, rise: 2 });
    let mut targets = Targets::new(vec![monitor], t0);
    let mut lines = Vec::new();
    // Each check ends 100 ms after its scheduled time.
    for word in ["1", "900", "-", "-", "-", "-", "1", "-", "1", "1", "-", "1"] {
        let now = Now { instant: targets.list()[0].scheduled() + S / 10, ..t0 };
        let (state, _) = fired(&mut targets, word, now).remove(0);
        targets.get_mut(targets.id(0)).expect("it is present").advance(now.instant);
        lines.push(format!("{word} {state} {}", (targets.list()[0].scheduled() - t0.instant).as_secs_f64()));
    }
    assert_eq!(
        lines,
        [
            "1 up 10",
            "900 degraded 20",
            "- degraded 22",
            "- degraded 24",
            "- down 84",
            "- down 144",
            "1 down 146",
            "- down 206",
            "1 down 208",
            "1 up 218",
            "- degraded 220",
            "1 up 230",
        ]
    );
    assert_eq!(targets.list()[0].skipped(), 0);
}

#[test]
fn a_check_between_scheduled_times_moves_the_next_one_only_if_the_interval_changes() {
    let t0 = test_now();
    let at = |ms| t0.after(Duration::from_millis(ms));
    let monitor = || Monitor::new(Mute("m")).interval(S * 10).interval_down(S * 60).interval_fast(S);
    let mut targets = Targets::new(vec![monitor(), monitor()], t0);
    // Before its first check is due, at 1,001 ms, nothing moves.
    targets.get_mut(targets.id(1)).expect("it is present").advance(at(1000).instant);
    assert_eq!(targets.list()[1].scheduled() - t0.instant, Duration::from_millis(1001));
    for (ms, word, next) in [
        (100, "1", 10),
        (3000, "1", 10),
        (4500, "-", 5),
        (5100, "-", 65),
        (31_000, "1", 35),
        (36_000, "1", 45),
        (61_000, "1", 65),
    ] {
        fired(&mut targets, word, at(ms));
        targets.get_mut(targets.id(0)).expect("it is present").advance(at(ms).instant);
        assert_eq!(targets.list()[0].scheduled() - t0.instant, S * next, "at {ms}");
    }
    assert_eq!(targets.list()[0].skipped(), 1, "that at 55 s");
}

#[test]
fn a_state_that_a_policy_keeps_in_spite_of_the_last_check_is_looked_at_fast() {
    let now = test_now();
    let monitor = |rows: &[(State, Event, State)]| {
        Monitor::new(Mute("m")).interval_fast(S).interval_down(S * 60).policy(Policy::Table(rows.to_vec()))
    };
    for (rows, script, interval) in [
        (&[][..], "-", 5),
        (&[(State::Unknown, Event::Ok, State::Up)], "1 -", 1),
        (&[(State::Unknown, Event::Ok, State::Degraded)], "1 1", 5),
        (&[(State::Unknown, Event::Fail, State::Down)], "- -", 60),
        (&[(State::Unknown, Event::Fail, State::Down)], "- 1", 1),
    ] {
        let mut targets = Targets::new(vec![monitor(rows)], now);
        fired(&mut targets, script, now);
        targets.get_mut(targets.id(0)).expect("it is present").advance(now.instant);
        assert_eq!(targets.list()[0].scheduled() - now.instant, S * interval, "{rows:?} {script}");
    }
}

#[test]
fn a_failed_try_is_repeated_so_often_and_the_next_check_has_as_many() {
    let now = test_now();
    let at = |s| now.instant + S * s;
    let mut targets = Targets::new(vec![Monitor::new(Mute("m")).retries(2).retry_interval(S * 3)], now);
    let (up, down) = (ProbeResult::up(S, "fine"), ProbeResult::down(Reason::Refused, "no"));
    let target = targets.get_mut(targets.id(0)).expect("it is present");
    for _ in 0..2 {
        assert!(target.retry(&down, at(0)));
        assert_eq!(target.retry_at(), Some(at(3)));
        target.begin(now);
        assert_eq!(target.retry_at(), None);
        assert!(target.retry(&down, at(10)));
        target.begin(now);
        assert!(!target.retry(&down, at(20)), "used up");
    }
    assert!(target.retry(&down, at(0)));
    assert!(!target.retry(&up, at(3)), "a success is the end of it");
    assert!(target.retry(&down, at(0)) && target.retry(&down, at(0)) && !target.retry(&down, at(0)));
    let mut usual = Targets::new(vec![Monitor::new(Mute("m"))], now);
    assert!(!usual.get_mut(usual.id(0)).expect("it is present").retry(&down, at(0)));
}

#[test]
fn what_the_loop_was_late_by_is_added_up_and_missed_times_are_counted() {
    let t0 = test_now();
    let at = |ms| t0.after(Duration::from_millis(ms));
    let mut targets = targets(&[5, 5], t0);
    targets.begin(targets.id(0), at(20));
    targets.begin(targets.id(1), at(100)); // Before its scheduled time, on request.
    assert_eq!(targets.delay, SchedulingDelay { sum: Duration::from_millis(20), count: 1 });
    targets.get_mut(targets.id(0)).expect("it is present").advance(at(4000).instant);
    assert_eq!(targets.list()[0].skipped(), 0);
    targets.begin(targets.id(0), at(5001));
    targets.get_mut(targets.id(0)).expect("it is present").advance(at(15_000).instant);
    assert_eq!(targets.list()[0].skipped(), 2, "those at 10 and 15 s");
    assert_eq!(targets.delay, SchedulingDelay { sum: Duration::from_millis(21), count: 2 });
}
