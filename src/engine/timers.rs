//! Deadlines: one per owner, the next one found in O(log n).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// At most one deadline for each owner.
pub(crate) struct Timers<O> {
    due: BTreeSet<(Instant, O)>,
    at: BTreeMap<O, Instant>,
}

impl<O: Copy + Ord> Timers<O> {
    pub(crate) fn new() -> Self {
        Timers { due: BTreeSet::new(), at: BTreeMap::new() }
    }

    /// Sets, moves or (with `None`) clears the deadline of `owner`.
    pub(crate) fn set(&mut self, owner: O, at: Option<Instant>) {
        let before = match at {
            Some(at) => self.at.insert(owner, at),
            None => self.at.remove(&owner),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.due.remove(&(before, owner));
        }
        if let Some(at) = at {
            self.due.insert((at, owner));
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes an owner whose deadline is not after `now`, the earliest first.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<O> {
        let (at, owner) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.set(owner, None);
        Some(owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test_now;
    use std::time::Duration;

    #[test]
    fn owners_come_due_in_order_each_once() {
        let t = test_now().instant;
        let at = |ms| t + Duration::from_millis(ms);
        let mut timers = Timers::new();
        timers.set('a', Some(at(30)));
        timers.set('b', Some(at(10)));
        timers.set('c', Some(at(20)));
        timers.set('c', Some(at(5)));
        timers.set('b', None);
        assert_eq!(timers.next(), Some(at(5)));
        assert_eq!(timers.take_due(at(4)), None);
        assert_eq!(timers.take_due(at(40)), Some('c'));
        assert_eq!(timers.take_due(at(40)), Some('a'));
        assert_eq!((timers.take_due(at(40)), timers.next()), (None, None));
        timers.set('c', None);
        assert!(timers.at.is_empty());
    }
}
