//! Histories: assignment of time to slots, clock steps, uptime.

use super::*;
use crate::clock::test_now;

/// 2025-01-30 00:00 UTC.
const MIDNIGHT: u64 = 1_738_195_200;

fn midnight() -> Now {
    Now { unix: Duration::from_secs(MIDNIGHT), ..test_now() }
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn history(days: u8, now: Now) -> History {
    History::new(days, State::Unknown, now)
}

/// Up, degraded and down of the slots that have data, with their distance from the last one.
fn seconds(slots: impl ExactSizeIterator<Item = Slot>) -> Vec<(usize, [u32; 3])> {
    let last = slots.len() - 1;
    let parts = slots
        .enumerate()
        .map(|(index, slot)| (last - index, [slot.up_s(), slot.degraded_s(), slot.down_s()]));
    parts.filter(|(_, seconds)| *seconds != [0; 3]).collect()
}

#[test]
fn time_is_assigned_to_half_hours_and_days() {
    let start = midnight();
    let mut history = history(90, start);
    assert_eq!(history.uptime(Window::H24, start), None);
    history.enter(State::Up, start.after(s(10)));
    history.enter(State::Down, start.after(s(1810)));
    history.enter(State::Degraded, start.after(s(86_400 + 100)));
    let now = start.after(s(86_400 + 130));
    assert_eq!(seconds(history.days(now)), [(1, [1800, 0, 84_590]), (0, [0, 30, 100])]);
    let half_hours = seconds(history.half_hours(now));
    assert_eq!(half_hours.len(), 48, "{half_hours:?}");
    assert_eq!(half_hours[0], (47, [10, 0, 1790]));
    assert_eq!(half_hours[47], (0, [0, 30, 100]));
    assert_eq!(history.uptime(Window::D7, now), Some((1830 * 10_000 / (86_400 + 120)) as u16));
    assert_eq!(history.uptime(Window::H24, now), Some((40 * 10_000 / (47 * 1800 + 130)) as u16));
    let later = now.after(s(90 * 86_400));
    history.enter(State::Unknown, now);
    assert_eq!(Window::ALL.map(|window| history.uptime(window, later)), [None; 4]);
}

#[test]
fn windows_contain_their_days() {
    let start = midnight();
    let mut history = history(90, start);
    history.enter(State::Down, start);
    history.enter(State::Up, start.after(s(86_400)));
    for (days, expected) in [
        (6, [10_000, 8571, 8571, 8571]),
        (7, [10_000, 10_000, 8749, 8749]),
        (30, [10_000, 10_000, 10_000, 9677]),
    ] {
        // At the end of this day.
        let now = start.after(s((days + 1) * 86_400 - 1));
        let uptimes = Window::ALL.map(|window| history.uptime(window, now));
        assert_eq!(uptimes, expected.map(Some), "{days} days");
    }
    let now = start.after(s(95 * 86_400));
    history.enter(State::Up, now);
    assert_eq!(history.uptime(Window::D90, now), Some(10_000));
    assert_eq!(history.days(now).map(|slot| u64::from(slot.up_s())).sum::<u64>(), 89 * 86_400);
}

#[test]
fn slots_are_allocated_as_they_are_used() {
    let start = midnight();
    let mut history = history(90, start);
    let allocated = |history: &History| 8 * (history.half_hours.capacity() + history.days.capacity());
    history.enter(State::Up, start);
    assert_eq!(allocated(&history), 0);
    history.enter(State::Up, start.after(s(5)));
    assert_eq!(allocated(&history), 128);
    for half_hour in 1..=100 * 48 {
        history.enter(State::Up, start.after(s(half_hour * 1800)));
    }
    assert_eq!(allocated(&history), 1104);
    assert!(size_of::<History>() <= 176, "{}", size_of::<History>());
}

#[test]
fn fractions_of_seconds_are_not_lost() {
    let start = midnight();
    let mut history = history(90, start);
    let states = [State::Up, State::Down, State::Degraded, State::Unknown, State::Up, State::Degraded];
    let (mut now, mut measured) = (start, [Duration::ZERO; 4]);
    for step in 0..40_000_u32 {
        let state = states[step as usize % states.len()];
        history.enter(state, now);
        let span = Duration::from_micros(7_919 + u64::from(step) * 7_001 % 1_999_993);
        measured[state.index()] += span;
        now = now.after(span);
    }
    history.enter(State::Unknown, now);
    let sum = |seconds: fn(Slot) -> u32| history.days(now).map(|slot| f64::from(seconds(slot))).sum::<f64>();
    for (state, stored) in [
        (State::Up, sum(Slot::up_s)),
        (State::Degraded, sum(Slot::degraded_s)),
        (State::Down, sum(Slot::down_s)),
    ] {
        let measured = measured[state.index()].as_secs_f64();
        assert!((stored - measured).abs() < 2.0, "{state}: {stored} of {measured}");
    }
    let known = measured.iter().sum::<Duration>() - measured[State::Unknown.index()];
    assert_eq!(sum(Slot::known_s), known.as_secs() as f64);
    for slot in history.half_hours(now) {
        assert!(slot.known_s() <= 1800);
    }
}

#[test]
fn no_state_gets_the_seconds_of_another_in_the_long_run() {
    let start = midnight();
    let mut history = history(1, start);
    // The short state always ends a second.
    for round in 0..100_u64 {
        history.enter(State::Up, start.after(Duration::from_millis(round * 1000 + 10)));
        history.enter(State::Down, start.after(Duration::from_millis(round * 1000 + 1000)));
    }
    history.enter(State::Unknown, start.after(s(100) + Duration::from_millis(10)));
    assert_eq!(seconds(history.days(start.after(s(101)))), [(0, [99, 0, 1])]);
}

#[test]
fn a_clock_that_is_set_back_does_not_fill_a_slot_twice() {
    let start = midnight().after(s(7200));
    let mut history = history(90, start);
    history.enter(State::Up, start);
    let end = start.after(s(3600));
    history.enter(State::Up, end);
    let back = Now { unix: start.unix, ..end };
    // What is in the future now was assigned wrongly.
    assert_eq!(seconds(history.half_hours(back)), [(0, [1800, 0, 0])]);
    let later = back.after(s(3000));
    history.enter(State::Up, later);
    assert_eq!(seconds(history.half_hours(later)), [(1, [1800, 0, 0]), (0, [1200, 0, 0])]);
    assert_eq!(history.uptime(Window::H24, later), Some(10_000));
    assert!(history.days(later).all(|slot| slot.known_s() <= 3600 + 3000));
}

#[test]
fn time_at_a_clock_that_lost_its_date_is_unknown() {
    let start = midnight();
    let mut history = history(90, start);
    history.enter(State::Down, start);
    let end = start.after(s(1000));
    history.enter(State::Up, end);
    // In 1970 for two hours.
    let reset = Now { unix: s(0), ..end };
    history.enter(State::Up, reset);
    history.note_latency(s(1), reset);
    let before = reset.after(s(7200));
    assert_eq!(history.uptime(Window::D90, before), None);
    history.enter(State::Up, before);
    let right = Now { unix: s(MIDNIGHT + 8205), ..before.after(s(5)) };
    history.enter(State::Up, right);
    assert_eq!(seconds(history.days(right)), [(0, [5, 0, 1000])]);
    assert!(history.days(right).all(|slot| slot.latency().is_none()));
}

#[test]
fn a_clock_that_stays_behind_for_a_day_is_used() {
    let start = midnight();
    let mut history = history(90, start);
    history.enter(State::Down, start);
    let end = start.after(s(1000));
    history.enter(State::Up, end);
    let mut now = Now { unix: s(1_000_000_000), ..end };
    for _ in 0..26 {
        history.enter(State::Up, now);
        now = now.after(s(3600));
    }
    history.enter(State::Up, now);
    let days = seconds(history.days(now));
    let known = days.iter().map(|(_, seconds)| seconds[0]).sum::<u32>();
    assert!((3600..=3 * 3600).contains(&known), "{days:?}");
    assert!(days.iter().all(|(_, seconds)| seconds[2] == 0), "the wrong day is removed: {days:?}");
}

#[test]
fn a_clock_that_jumps_ahead_adds_no_time() {
    let start = midnight();
    let mut history = history(30, start);
    history.enter(State::Up, start);
    let end = start.after(s(1000));
    let ahead = Now { unix: end.unix + s(5 * 86_400), ..end };
    history.enter(State::Up, ahead);
    assert_eq!(history.days(ahead).map(|slot| slot.known_s()).sum::<u32>(), 1000);
    // A machine that was suspended for ten years.
    let ahead = Now { unix: end.unix + s(3650 * 86_400), ..end.after(s(3)) };
    assert_eq!(history.uptime(Window::D90, ahead), Some(10_000));
    history.enter(State::Up, ahead);
    assert_eq!(history.days(ahead).map(|slot| slot.known_s()).sum::<u32>(), 3);
}

#[test]
fn long_times_in_one_state_fill_all_slots() {
    let start = midnight();
    let mut history = history(90, start);
    history.enter(State::Up, start);
    let now = start.after(s(400 * 86_400 + 600));
    let expected: Vec<_> = history.days(now).collect();
    history.enter(State::Up, now);
    assert!(history.days(now).eq(expected));
    assert_eq!(history.days(now).map(|slot| u64::from(slot.up_s())).sum::<u64>(), 89 * 86_400 + 600);
    assert_eq!(history.half_hours(now).map(|slot| slot.up_s()).sum::<u32>(), 47 * 1800 + 600);
}

#[test]
fn latencies_are_averaged_by_slot() {
    let start = midnight();
    let mut history = history(90, start);
    for (at, ms) in [(10, 10), (20, 30), (1810, 50)] {
        history.enter(State::Up, start.after(s(at)));
        history.note_latency(Duration::from_millis(ms), start.after(s(at)));
    }
    let now = start.after(s(1820));
    let millis = |slot: Option<Slot>| slot.unwrap().latency().map(|latency| latency.as_secs_f64() * 1000.0);
    let about = |value: Option<f64>, expected: f64| (value.unwrap() - expected).abs() < 0.1;
    assert!(about(millis(history.half_hours(now).nth(46)), 20.0));
    assert!(about(millis(history.half_hours(now).nth(47)), 50.0));
    assert!(about(millis(history.days(now).last()), 30.0));
    assert_eq!(history.days(now).next().unwrap().latency(), None);
}

#[test]
fn any_clock_is_harmless() {
    let start = Now { unix: s(3), ..midnight() };
    let mut history = history(90, start);
    let mut now = start.after(s(2));
    for unix in [0, 5, u64::MAX, 7, u64::MAX - 3600, MIDNIGHT, 1, 253_402_300_799, u64::MAX, 0] {
        history.enter(State::Up, now);
        history.note_latency(s(1), now);
        assert!(history.days(now).len() == 90 && history.uptime(Window::H24, now) != Some(0));
        now = Now { unix: s(unix), instant: now.instant + s(40_000) };
    }
}
