//! How long a target was in each state, by half-hours and by UTC days.

mod ring;
mod slot;
mod uptime;

use std::time::{Duration, Instant};

use crate::clock::Now;
use crate::fsm::State;
use ring::Ring;
pub(crate) use ring::SavedRing;
pub(crate) use slot::Slot;
pub use uptime::{Uptime, Window};

const HALF_HOUR_S: u64 = History::HALF_HOUR_S;
const DAY_S: u64 = History::DAY_S;
const SECOND_NS: i64 = 1_000_000_000;

/// The history of a target. Durations are measured by the monotonic clock, and assigned to slots by the wall clock at
/// their end. Time in the state unknown is not recorded.
#[derive(Clone, Debug)]
pub(crate) struct History {
    state: State,
    /// The time until this instant has been recorded.
    recorded_until: Instant,
    /// Recorded time that is not in the slots yet, by [`known`]; the sum is less than one second. Negative after one
    /// state got a second of which another had a part.
    remainders_ns: [i64; 3],
    half_hours: Ring,
    days: Ring,
    clock: WallClock,
}

/// The latest wall clock time that was used, and how far before it the clock may be.
///
/// A clock that is behind by more than that, such as one that starts in 1970 at boot, is not used: that time counts as
/// unknown. After a day it is: then the time before was wrong.
#[derive(Clone, Copy, Debug)]
struct WallClock {
    latest_s: u64,
    tolerance_s: u64,
    behind: Duration,
}

impl WallClock {
    fn is_usable(&self, unix_s: u64) -> bool {
        unix_s + self.tolerance_s >= self.latest_s || self.behind.as_secs() >= DAY_S
    }

    fn update(&mut self, elapsed: Duration, unix_s: u64) -> bool {
        if !self.is_usable(unix_s) {
            self.behind = self.behind.saturating_add(elapsed);
            return false;
        }
        if unix_s >= self.latest_s || unix_s + self.tolerance_s < self.latest_s {
            (self.latest_s, self.tolerance_s) = (unix_s, DAY_S);
        }
        self.behind = Duration::ZERO;
        true
    }
}

/// What a state file has of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavedHistory {
    pub(crate) half_hours: SavedRing,
    pub(crate) days: SavedRing,
}

/// The index of a state whose time is recorded.
fn known(state: State) -> Option<usize> {
    match state {
        State::Up => Some(slot::UP),
        State::Degraded => Some(slot::DEGRADED),
        State::Down => Some(slot::DOWN),
        State::Unknown => None,
    }
}

impl History {
    pub(crate) const DAYS_MAX: u8 = 90;
    pub(crate) const HALF_HOURS: u8 = 48;
    pub(crate) const HALF_HOUR_S: u64 = 1800;
    pub(crate) const DAY_S: u64 = 86_400;

    /// `days` is from 1 to [`History::DAYS_MAX`].
    pub(crate) fn new(days: u8, state: State, now: Now) -> Self {
        History {
            state,
            recorded_until: now.instant,
            remainders_ns: [0; 3],
            half_hours: Ring::new(HALF_HOUR_S, Self::HALF_HOURS),
            days: Ring::new(DAY_S, days),
            clock: WallClock { latest_s: unix(now).as_secs(), tolerance_s: DAY_S, behind: Duration::ZERO },
        }
    }

    pub(crate) fn save(&self) -> SavedHistory {
        SavedHistory { half_hours: self.half_hours.save(), days: self.days.save() }
    }

    /// Continues from what was saved at `saved_at`, the time since 1970. The clock is not used before it has passed that
    /// time.
    pub(super) fn restore(
        &mut self,
        saved: Option<SavedHistory>,
        state: State,
        saved_at: Duration,
        now: Now,
    ) {
        (self.state, self.recorded_until, self.remainders_ns) = (state, now.instant, [0; 3]);
        if let Some(saved) = saved {
            self.half_hours.restore(saved.half_hours);
            self.days.restore(saved.days);
        }
        self.clock = WallClock { latest_s: saved_at.as_secs(), behind: Duration::ZERO, tolerance_s: 0 };
    }

    /// Records the time in the state until now. From now on it is `state`.
    pub(crate) fn enter(&mut self, state: State, now: Now) {
        let before = std::mem::replace(&mut self.state, state);
        let elapsed = now.instant.saturating_duration_since(self.recorded_until);
        self.recorded_until = self.recorded_until.max(now.instant);
        let unix_s = unix(now).as_secs();
        if !self.clock.update(elapsed, unix_s) {
            return;
        }
        // The two clocks are not read at exactly the same time.
        let start_s = unix(now).saturating_sub(elapsed).as_secs() + 1;
        self.half_hours.remove_after(start_s.min(unix_s));
        self.days.remove_after(start_s.min(unix_s));
        if let Some(state) = known(before) {
            self.record(state, elapsed, unix(now));
        }
    }

    /// A successful check has ended.
    pub(crate) fn note_latency(&mut self, latency: Duration, now: Now) {
        let unix_s = unix(now).as_secs();
        if self.clock.is_usable(unix_s) {
            self.half_hours.note_latency(latency, unix_s);
            self.days.note_latency(latency, unix_s);
        }
    }

    /// Records a period that ends at `end`, since 1970.
    fn record(&mut self, state: usize, elapsed: Duration, end: Duration) {
        let longest = Duration::from_secs(self.days.max() * DAY_S);
        let mut at = end.saturating_sub(elapsed.min(longest));
        loop {
            let slot = at.as_secs() / HALF_HOUR_S;
            let next = end.min(Duration::from_secs((slot + 1) * HALF_HOUR_S));
            self.record_piece(state, next - at, at.as_secs());
            if next == end {
                break;
            }
            at = next;
        }
    }

    /// Records a period within one half-hour: the whole seconds of the total time. One second is assigned to the state
    /// with the largest remainder, so that neither the total nor a state's part of it deviates by more.
    fn record_piece(&mut self, state: usize, length: Duration, unix_s: u64) {
        self.remainders_ns[state] += length.as_nanos() as i64; // at most 30 minutes
        let mut whole = self.remainders_ns.iter().sum::<i64>() / SECOND_NS;
        let mut next = largest(&self.remainders_ns);
        while whole > 0 {
            let part = (self.remainders_ns[next] / SECOND_NS).clamp(1, whole);
            self.remainders_ns[next] -= part * SECOND_NS;
            whole -= part;
            self.half_hours.add(next, part as u64, unix_s);
            self.days.add(next, part as u64, unix_s);
            next = largest(&self.remainders_ns);
        }
    }

    /// The UTC days, oldest first, today last; empty slots for days without data.
    pub(crate) fn days(&self, now: Now) -> impl ExactSizeIterator<Item = Slot> + '_ {
        self.slots(&self.days, self.days.max(), now)
    }

    /// The half-hours of the last 24 hours, oldest first, the current one last.
    pub(crate) fn half_hours(&self, now: Now) -> impl ExactSizeIterator<Item = Slot> + '_ {
        self.slots(&self.half_hours, self.half_hours.max(), now)
    }

    /// The part of the known time in which the target was up or degraded, in ten-thousandths, rounded down: 10,000 is
    /// without any time down. `None` without data.
    pub(crate) fn uptime(&self, window: Window, now: Now) -> Option<u16> {
        let sum = |slots: &mut dyn Iterator<Item = Slot>| {
            slots.fold((0, 0), |(up, known), slot| {
                (up + u64::from(slot.up_s() + slot.degraded_s()), known + u64::from(slot.known_s()))
            })
        };
        let days = |count| sum(&mut self.slots(&self.days, count, now));
        let (up, known) = match window {
            Window::H24 => sum(&mut self.half_hours(now)),
            Window::D7 => days(7),
            Window::D30 => days(30),
            Window::D90 => days(90),
        };
        Some((up * 10_000).checked_div(known)? as u16)
    }

    pub(crate) fn uptimes(&self, now: Now) -> Uptime {
        Uptime::new(Window::ALL.map(|window| self.uptime(window, now)))
    }

    /// The last `count` slots, including the time in the current state that is not recorded yet.
    fn slots<'a>(
        &self,
        ring: &'a Ring,
        count: u64,
        now: Now,
    ) -> impl ExactSizeIterator<Item = Slot> + use<'a> {
        let unix_s = unix(now).as_secs();
        let (state, pending_s) = self.pending(now);
        let (last, count) = (ring.number(unix_s), count.min(ring.max()) as u32);
        (0..count).map(move |index| {
            // Before 1970 there is no slot.
            let Some(number) = (last + index).checked_sub(count - 1) else { return Slot::default() };
            let start = u64::from(number) * ring.length_s();
            let pending_from = unix_s.saturating_sub(pending_s).max(start);
            let in_slot = unix_s.min(start + ring.length_s()).saturating_sub(pending_from);
            ring.get(number).with(state, in_slot, ring.length_s())
        })
    }

    /// The current state and the whole seconds in it that are not recorded yet.
    fn pending(&self, now: Now) -> (usize, u64) {
        match known(self.state) {
            Some(state) if self.clock.is_usable(unix(now).as_secs()) => {
                let remainder = self.remainders_ns.iter().sum::<i64>();
                let remainder = Duration::from_nanos(u64::try_from(remainder).unwrap_or(0));
                let elapsed = now.instant.saturating_duration_since(self.recorded_until);
                (state, elapsed.saturating_add(remainder).as_secs())
            }
            _ => (slot::UP, 0),
        }
    }
}

/// The wall clock, until the year 9999: the numbers of slots cannot overflow.
fn unix(now: Now) -> Duration {
    now.unix.min(Duration::from_secs(253_402_300_799))
}

fn largest(values: &[i64; 3]) -> usize {
    (1..3).fold(0, |best, index| if values[index] > values[best] { index } else { best })
}

#[cfg(test)]
mod tests;
