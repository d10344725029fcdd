//! Deadlines, one per owner: O(1) to find the next one, O(log n) to change one.

use std::time::{Duration, Instant};

pub(crate) trait Owner: Copy + Ord {
    /// A small number, unique among owners with a deadline.
    fn index(self) -> usize;
}

/// At most one deadline for each owner: a heap with an index by owner.
///
/// Equal deadlines are ordered by owner.
pub(crate) struct Timers<O> {
    /// Deadlines are stored as nanoseconds since this time.
    start: Instant,
    heap: Vec<Entry<O>>,
    /// By [`Owner::index`]: index in `heap` plus one, or zero without a deadline.
    positions: Vec<u32>,
}

/// Nanoseconds since the start, and the owner.
type Entry<O> = (u64, O);

/// Children of each entry of the heap: with four it is half as deep as with two.
const ARITY: usize = 4;

impl<O: Owner> Timers<O> {
    /// Deadlines before `start` count as `start`.
    pub(crate) fn new(start: Instant) -> Self {
        Timers { start, heap: Vec::new(), positions: Vec::new() }
    }

    pub(crate) fn set(&mut self, owner: O, at: Option<Instant>) {
        let position = self.positions.get(owner.index()).copied().unwrap_or(0) as usize;
        match (position, at) {
            (0, None) => {}
            (0, Some(at)) => {
                let entry = (self.count(at), owner);
                self.heap.push(entry);
                self.sift(self.heap.len() - 1, entry);
            }
            (position, None) => self.remove(position - 1),
            (position, Some(at)) => {
                let entry = (self.count(at), owner);
                if self.heap[position - 1].0 != entry.0 {
                    self.sift(position - 1, entry);
                }
            }
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|(at, _)| self.start + Duration::from_nanos(*at))
    }

    pub(crate) fn take_due(&mut self, now: Instant) -> Option<O> {
        let (at, owner) = *self.heap.first()?;
        if at > self.count(now) {
            return None;
        }
        self.remove(0);
        Some(owner)
    }

    fn count(&self, at: Instant) -> u64 {
        // 64 bits of nanoseconds are five centuries.
        at.saturating_duration_since(self.start).as_nanos() as u64
    }

    fn remove(&mut self, index: usize) {
        let (_, owner) = self.heap[index];
        self.positions[owner.index()] = 0;
        let Some(last) = self.heap.pop() else { return };
        if index < self.heap.len() {
            self.sift(index, last);
        }
    }

    fn sift(&mut self, mut index: usize, entry: Entry<O>) {
        while index > 0 && is_earlier(entry, self.heap[(index - 1) / ARITY]) {
            self.put(index, self.heap[(index - 1) / ARITY]);
            index = (index - 1) / ARITY;
        }
        while let Some((below, other)) =
            self.earliest_child(index).filter(|(_, other)| is_earlier(*other, entry))
        {
            self.put(index, other);
            index = below;
        }
        self.put(index, entry);
    }

    fn earliest_child(&self, index: usize) -> Option<(usize, Entry<O>)> {
        let first = ARITY * index + 1;
        let below = self.heap.get(first..self.heap.len().min(first + ARITY))?;
        let mut earliest = (first, *below.first()?);
        for (at, other) in (first + 1..).zip(&below[1..]) {
            if is_earlier(*other, earliest.1) {
                earliest = (at, *other);
            }
        }
        Some(earliest)
    }

    fn put(&mut self, index: usize, entry: Entry<O>) {
        self.heap[index] = entry;
        let owner_index = entry.1.index();
        if owner_index >= self.positions.len() {
            self.positions.resize(owner_index + 1, 0);
        }
        // 2^32 deadlines do not fit into memory.
        self.positions[owner_index] = index as u32 + 1;
    }
}

fn is_earlier<O: Owner>(one: Entry<O>, other: Entry<O>) -> bool {
    if one.0 == other.0 { one.1 < other.1 } else { one.0 < other.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test_now;
    use std::collections::BTreeMap;

    impl Owner for char {
        fn index(self) -> usize {
            self as usize
        }
    }

    #[test]
    fn owners_come_due_in_order_each_once() {
        let t = test_now().instant;
        let at = |ms| t + Duration::from_millis(ms);
        let mut timers = Timers::new(t);
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
        assert_eq!((timers.heap.len(), timers.positions.iter().max()), (0, Some(&0)));
    }

    #[test]
    fn any_sequence_is_as_in_a_sorted_list() {
        let t = test_now().instant;
        let mut timers = Timers::new(t);
        let mut list = BTreeMap::new();
        let mut dice = 1_u32;
        for _ in 0..20_000 {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let owner = char::from(b'a' + (dice >> 24) as u8 % 40);
            let at = t + Duration::from_millis(u64::from(dice >> 12) % 64);
            match dice >> 30 {
                0 => {
                    timers.set(owner, None);
                    list.remove(&owner);
                }
                1 => {
                    let first = list.iter().map(|(owner, at)| (*at, *owner)).min();
                    let due = first.filter(|(due, _)| *due <= at).map(|(_, owner)| owner);
                    assert_eq!(timers.take_due(at), due);
                    due.map(|owner| list.remove(&owner));
                }
                _ => {
                    timers.set(owner, Some(at));
                    list.insert(owner, at);
                }
            }
            assert_eq!(timers.next(), list.values().min().copied());
            assert_eq!(timers.heap.len(), list.len());
        }
    }
}
