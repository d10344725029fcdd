//! Beats, and what the states of all targets add up to.

use super::mute::Mute;
use super::*;
use crate::clock::{Now, test_now};
use crate::probe::build::TIMEOUT_MAX;
use crate::verdict::{ProbeResult, Reason};

const S: Duration = Duration::from_secs(1);

fn fleet(intervals: &[u32], now: Now) -> Fleet {
    let monitor = |s: &u32| Monitor::new(Mute("m")).interval(S * *s);
    Fleet::new(intervals.iter().map(monitor).collect(), now)
}

#[test]
fn first_beats_are_spread_and_the_first_is_at_once() {
    let now = test_now();
    let fleet = fleet(&[8, 8, 8, 8], now);
    let offsets: Vec<_> = fleet.watches().iter().map(|w| w.beat() - now.instant).collect();
    assert_eq!(offsets, [Duration::ZERO, S * 2, S * 4, S * 6]);
}

#[test]
fn beats_stay_on_the_grid_and_missed_ones_are_skipped() {
    let t0 = test_now();
    let mut fleet = fleet(&[5], t0);
    let watch = fleet.watch_mut(0);
    for (now, next) in
        [(0, 5000), (5000, 10_000), (10_007, 15_000), (14_000, 15_000), (61_234, 65_000), (65_000, 70_000)]
    {
        watch.advance(t0.after(Duration::from_millis(now)).instant);
        assert_eq!(watch.beat() - t0.instant, Duration::from_millis(next), "at {now}");
    }
}

#[test]
fn a_monitor_has_the_usual_interval_and_history_unless_told_otherwise() {
    let now = test_now();
    let quick = Monitor::new(Mute("quick")).interval(Duration::ZERO);
    for (monitor, interval) in [(Monitor::new(Mute("m")), S * 5), (quick, INTERVAL_MIN)] {
        let mut fleet = Fleet::new(vec![monitor], now);
        fleet.watch_mut(0).advance(now.instant);
        assert_eq!(fleet.watch(0).beat() - now.instant, interval);
        for _ in 0..30 {
            fleet.fire(0, &ProbeResult::up(S, "fine"), now);
        }
        assert_eq!(fleet.watch(0).fsm().recent().len(), 20);
    }
}

#[test]
fn spans_without_end_are_cut() {
    let now = test_now();
    let monitor = || Monitor::new(Mute("m")).interval(Duration::MAX);
    let mut fleet = Fleet::new(vec![monitor(), monitor()], now);
    fleet.watch_mut(0).advance(now.instant);
    assert_eq!(fleet.watch(0).beat() - now.instant, INTERVAL_MAX);
    assert_eq!(fleet.watch(1).beat() - now.instant, INTERVAL_MAX / 2);
    let endless = crate::probe::blocking::blocking("endless", || true).within(Duration::MAX);
    assert_eq!(Fleet::new(vec![Monitor::new(endless)], now).watch(0).timeout(), TIMEOUT_MAX);
}

#[test]
fn counts_follow_the_states_and_the_worst_one_wins() {
    let now = test_now();
    let mut fleet = fleet(&[5, 5, 5], now);
    assert_eq!((fleet.counts(), fleet.worst()), ([3, 0, 0, 0], State::Unknown));
    let up = ProbeResult::up(S, "fine");
    let down = ProbeResult::down(Reason::Refused, "no");
    fleet.fire(0, &up, now);
    assert_eq!((fleet.counts(), fleet.worst()), ([2, 1, 0, 0], State::Unknown));
    fleet.fire(1, &up, now);
    fleet.fire(2, &up, now);
    assert_eq!(fleet.worst(), State::Up);
    fleet.fire(2, &down, now);
    assert_eq!((fleet.counts(), fleet.worst()), ([0, 2, 1, 0], State::Degraded));
    fleet.fire(2, &down, now);
    assert_eq!((fleet.counts(), fleet.worst()), ([0, 2, 0, 1], State::Down));
}
