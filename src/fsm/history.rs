//! The remembered checks of one target, in little memory: a machine may watch ten thousand.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Check, Event, HISTORY, State};

/// The latest checks, oldest first.
///
/// Each takes eight bytes. A target says the same thing for months: what was seen is kept once for
/// each run of checks that saw the same.
#[derive(Clone, Debug)]
pub(crate) struct History {
    most: usize,
    marks: VecDeque<Mark>,
    /// Their lengths add up to the number of marks.
    runs: VecDeque<Run>,
}

/// What is remembered of one check: the milliseconds since 1970, three bits to the left, above its
/// event and state.
#[derive(Clone, Copy, Debug)]
struct Mark(u64);

#[derive(Clone, Debug)]
struct Run {
    length: usize,
    detail: Arc<str>,
}

impl History {
    /// Room for the `most` recent checks.
    pub(super) fn new(most: usize) -> Self {
        // The usual size is taken at once: to grow into it would leave holes behind.
        let marks = VecDeque::with_capacity(most.min(HISTORY));
        History { most, marks, runs: VecDeque::with_capacity(most.min(1)) }
    }

    pub(super) fn push(&mut self, check: Check) {
        if self.most == 0 {
            return;
        }
        if self.marks.len() == self.most {
            self.forget_oldest();
        }
        self.marks.push_back(Mark::of(&check));
        match self.runs.back_mut() {
            Some(run) if *run.detail == *check.detail => run.length += 1,
            _ => self.runs.push_back(Run { length: 1, detail: check.detail }),
        }
    }

    fn forget_oldest(&mut self) {
        self.marks.pop_front();
        if let Some(run) = self.runs.front_mut() {
            run.length -= 1;
            if run.length == 0 {
                self.runs.pop_front();
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.marks.len()
    }

    /// The checks, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Check> {
        let details = self.runs.iter().flat_map(|run| std::iter::repeat_n(&run.detail, run.length));
        self.marks.iter().zip(details).map(|(mark, detail)| mark.check(detail.clone()))
    }
}

impl Mark {
    fn of(check: &Check) -> Mark {
        let ms = check.unix.saturating_add(Duration::from_micros(500)).as_millis();
        let ms = u64::try_from(ms).unwrap_or(u64::MAX).min(u64::MAX >> 3);
        Mark(ms << 3 | (check.event as u64) << 2 | check.state as u64)
    }

    fn check(self, detail: Arc<str>) -> Check {
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
    fn remembers_the_latest_as_they_were() {
        let mut states = State::ALL.into_iter().cycle();
        let mut next = |ms: u64| {
            let event = if ms % 3 == 0 { Event::Fail } else { Event::Ok };
            check(ms * 977, event, states.next().unwrap(), ["a", "b", "b", "", "a"][ms as usize % 5])
        };
        for most in [0, 1, 2, 7, 20, 33] {
            let mut history = History::new(most);
            let mut plain = VecDeque::new();
            for ms in 0..100 {
                let check = next(ms);
                plain.push_back(check.clone());
                plain.drain(..plain.len().saturating_sub(most));
                history.push(check);
                assert!(history.iter().eq(plain.iter().cloned()), "{most} at {ms}");
                assert_eq!(history.len(), plain.len());
                assert_eq!(history.runs.iter().map(|run| run.length).sum::<usize>(), plain.len());
            }
        }
    }

    #[test]
    fn equal_details_are_kept_once() {
        let mut history = History::new(20);
        (0..100).for_each(|ms| history.push(check(ms, Event::Ok, State::Up, "connect ok")));
        assert_eq!((history.runs.len(), history.runs.capacity()), (1, 1));
        assert_eq!((history.len(), history.marks.capacity()), (20, 20));
    }

    #[test]
    fn times_are_rounded_to_milliseconds_and_cut_at_the_end_of_time() {
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
