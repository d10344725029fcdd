//! The history of one target, in a compact form: a process may have 10,000 targets.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Check, Event, Fsm, State};

/// The latest checks, oldest first. Each takes 8 bytes; consecutive checks with equal details share one copy.
#[derive(Clone, Debug)]
pub(crate) struct History {
    capacity: usize,
    checks: VecDeque<PackedCheck>,
    /// The sum of their lengths is the number of checks.
    details: VecDeque<SharedDetail>,
}

/// From the highest bit: milliseconds since 1970 (61 bits), event (1 bit), state (2 bits).
#[derive(Clone, Copy, Debug)]
struct PackedCheck(u64);

/// The detail of `length` consecutive checks.
#[derive(Clone, Debug)]
struct SharedDetail {
    length: usize,
    detail: Arc<str>,
}

impl History {
    pub(super) fn new(capacity: usize) -> Self {
        // The default size is allocated at once: growing would fragment the heap.
        let checks = VecDeque::with_capacity(capacity.min(Fsm::HISTORY));
        History { capacity, checks, details: VecDeque::with_capacity(capacity.min(1)) }
    }

    pub(super) fn push(&mut self, check: Check) {
        if self.capacity == 0 {
            return;
        }
        if self.checks.len() == self.capacity {
            self.evict_oldest();
        }
        self.checks.push_back(PackedCheck::pack(&check));
        match self.details.back_mut() {
            Some(shared) if *shared.detail == *check.detail => shared.length += 1,
            _ => self.details.push_back(SharedDetail { length: 1, detail: check.detail }),
        }
    }

    fn evict_oldest(&mut self) {
        self.checks.pop_front();
        if let Some(shared) = self.details.front_mut() {
            shared.length -= 1;
            if shared.length == 0 {
                self.details.pop_front();
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.checks.len()
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Check> {
        let details =
            self.details.iter().flat_map(|shared| std::iter::repeat_n(&shared.detail, shared.length));
        self.checks.iter().zip(details).map(|(check, detail)| check.unpack(detail.clone()))
    }
}

impl PackedCheck {
    fn pack(check: &Check) -> PackedCheck {
        let ms = check.unix.saturating_add(Duration::from_micros(500)).as_millis();
        let ms = u64::try_from(ms).unwrap_or(u64::MAX).min(u64::MAX >> 3);
        PackedCheck(ms << 3 | (check.event as u64) << 2 | check.state as u64)
    }

    fn unpack(self, detail: Arc<str>) -> Check {
        let event = if self.0 & 4 == 0 { Event::Ok } else { Event::Fail };
        let state = State::ALL[(self.0 & 3) as usize];
        Check { unix: Duration::from_millis(self.0 >> 3), event, state, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ms: u64, event: Event, state: State, detail: &str) -> Check {
        Check { unix: Duration::from_millis(ms), event, state, detail: detail.into() }
    }

    #[test]
    fn the_latest_checks_are_kept_unchanged() {
        let mut states = State::ALL.into_iter().cycle();
        let mut next = |ms: u64| {
            let event = if ms % 3 == 0 { Event::Fail } else { Event::Ok };
            check(ms * 977, event, states.next().unwrap(), ["a", "b", "b", "", "a"][ms as usize % 5])
        };
        for capacity in [0, 1, 2, 7, 20, 33] {
            let mut history = History::new(capacity);
            let mut plain = VecDeque::new();
            for ms in 0..100 {
                let check = next(ms);
                plain.push_back(check.clone());
                plain.drain(..plain.len().saturating_sub(capacity));
                history.push(check);
                assert!(history.iter().eq(plain.iter().cloned()), "{capacity} at {ms}");
                assert_eq!(history.len(), plain.len());
                let lengths = history.details.iter().map(|shared| shared.length);
                assert_eq!(lengths.sum::<usize>(), plain.len());
            }
        }
    }

    #[test]
    fn equal_details_are_kept_once() {
        let mut history = History::new(20);
        (0..100).for_each(|ms| history.push(check(ms, Event::Ok, State::Up, "connect ok")));
        assert_eq!((history.details.len(), history.details.capacity()), (1, 1));
        assert_eq!((history.len(), history.checks.capacity()), (20, 20));
    }

    #[test]
    fn times_are_rounded_to_milliseconds_and_saturate() {
        let mut history = History::new(9);
        for unix in [Duration::ZERO, Duration::new(1, 499_999), Duration::new(1, 500_000), Duration::MAX] {
            history.push(Check { unix, ..check(0, Event::Fail, State::Down, "") });
        }
        let times: Vec<_> =
            history.iter().map(|check| (check.unix.as_millis(), check.event, check.state)).collect();
        let down = |ms| (ms, Event::Fail, State::Down);
        assert_eq!(times, [down(0), down(1000), down(1001), down(u128::from(u64::MAX >> 3))]);
    }
}
