//! The first checks come soon; the following ones are spread over the interval.

use super::*;

/// When the first checks of these targets are due, and the second ones if each is over at once.
fn first_checks(targets: &mut Targets, start: Now) -> Vec<(Duration, Duration)> {
    (0..targets.list().len())
        .map(|target| {
            let target = targets.get_mut(targets.id(target)).expect("it is present");
            let first = target.scheduled();
            target.advance(first);
            (first - start.instant, target.scheduled() - start.instant)
        })
        .collect()
}

#[test]
fn first_checks_come_within_two_seconds_and_the_next_are_spread_over_the_interval() {
    let now = test_now();
    let ms = Duration::from_millis;
    let of = |intervals: &[u32]| first_checks(&mut targets(intervals, now), now);
    let spread = [(0, 30), (401, 36), (802, 42), (1203, 18), (1604, 24)];
    assert_eq!(of(&[30; 5]), spread.map(|(first, second)| (ms(first), S * second)));
    assert_eq!(of(&[30]), [(Duration::ZERO, S * 30)]);
    let different = [(0, 1000), (667, 160_000), (1334, 3334)];
    let different = different.map(|(first, second)| (ms(first), ms(second)));
    let each = of(&[1, 120, 2]);
    for (got, want) in each.iter().zip(different) {
        let near = |a: Duration, b: Duration| a.abs_diff(b) < ms(1);
        assert!(near(got.0, want.0) && near(got.1, want.1), "{each:?}");
    }
}

#[test]
fn first_checks_of_many_targets_are_as_far_apart_as_their_number_asks_for() {
    let now = test_now();
    for interval in [1, 5, 30, 3600] {
        let checks = first_checks(&mut targets(&[interval; 10_000], now), now);
        let window = (S * interval).min(S * 12);
        for (index, (first, second)) in checks.iter().enumerate() {
            assert_eq!(*first, window / 10_000 * index as u32);
            let apart = *second - *first;
            assert!(apart >= S * interval / 2 && apart < S * interval * 3 / 2, "{apart:?} of {interval} s");
        }
        let mut times: Vec<_> =
            checks.iter().map(|(_, second)| second.as_nanos() % (S * interval).as_nanos()).collect();
        times.sort_unstable();
        let even = (S * interval).as_nanos() / 10_000;
        assert!(times.windows(2).all(|two| two[1] - two[0] == even), "evenly spread");
    }
}

#[test]
fn a_first_check_that_takes_long_misses_the_regular_times_that_pass() {
    let t0 = test_now();
    let at = |s| t0.instant + S * s;
    for (end, next, skipped) in [(1, 5, 0), (5, 10, 1), (12, 15, 2), (15, 20, 3)] {
        let mut targets = targets(&[5], t0);
        targets.get_mut(targets.id(0)).expect("it is present").advance(at(end));
        assert_eq!((targets.list()[0].scheduled(), targets.skipped()), (at(next), skipped), "{end}");
    }
}

#[test]
fn the_second_check_is_as_far_away_as_the_first_result_asks_for() {
    let t0 = test_now();
    let monitors = || {
        let monitor = || Monitor::new(Mute("m")).interval(S * 100).interval_down(S * 10);
        (0..4).map(|_| monitor()).collect()
    };
    let seconds = |ok: bool| {
        let mut targets = Targets::new(monitors(), t0);
        (0..4)
            .map(|target| {
                let first = Now { instant: targets.list()[target].scheduled(), ..t0 };
                let result =
                    if ok { ProbeResult::up(S, "fine") } else { ProbeResult::down(Reason::Refused, "no") };
                targets.fire(targets.id(target), &result, first);
                targets.get_mut(targets.id(target)).expect("it is present").advance(first.instant);
                let apart = (targets.list()[target].scheduled() - first.instant).as_secs_f64();
                // A check in between changes the schedule only if it changes the interval.
                targets.get_mut(targets.id(target)).expect("it is present").advance(first.instant + S);
                assert_eq!((targets.list()[target].scheduled() - first.instant).as_secs_f64(), apart);
                targets.fire(targets.id(target), &ProbeResult::down(Reason::Refused, "no"), first);
                targets.fire(targets.id(target), &ProbeResult::down(Reason::Refused, "no"), first);
                targets.get_mut(targets.id(target)).expect("it is present").advance(first.instant + S * 2);
                let down = (targets.list()[target].scheduled() - first.instant).as_secs_f64();
                assert_eq!(down, if ok { 10.0 } else { apart });
                apart
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(seconds(true), [100.0, 124.499, 148.998, 73.497]);
    assert_eq!(seconds(false), [10.0, 12.4499, 14.8998, 7.3497]);
}
