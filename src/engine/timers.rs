//! Deadlines: one per owner, the next one found at once, moved in O(log n).

use std::time::Instant;

/// Who can have a deadline.
pub(crate) trait Owner: Copy + Ord {
    /// A small number that no other owner has at the same time.
    fn place(self) -> usize;
}

/// At most one deadline for each owner: a binary heap that knows where each owner's entry is.
///
/// Deadlines of the same moment come in the order of their owners.
pub(crate) struct Timers<O> {
    heap: Vec<(Instant, O)>,
    /// By [`Owner::place`]: where in the heap, counted from one; zero for no deadline.
    seats: Vec<u32>,
}

impl<O: Owner> Timers<O> {
    pub(crate) fn new() -> Self {
        Timers { heap: Vec::new(), seats: Vec::new() }
    }

    /// Sets, moves or (with `None`) clears the deadline of `owner`.
    pub(crate) fn set(&mut self, owner: O, at: Option<Instant>) {
        let seat = self.seats.get(owner.place()).copied().unwrap_or(0) as usize;
        match (seat, at) {
            (0, None) => {}
            (0, Some(at)) => {
                self.heap.push((at, owner));
                self.settle(self.heap.len() - 1);
            }
            (seat, None) => self.remove(seat - 1),
            (seat, Some(at)) => {
                let index = seat - 1;
                if self.heap[index].0 != at {
                    self.heap[index].0 = at;
                    self.settle(index);
                }
            }
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|(at, _)| *at)
    }

    /// Takes an owner whose deadline is not after `now`, the earliest first.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<O> {
        let (at, owner) = *self.heap.first()?;
        if at > now {
            return None;
        }
        self.remove(0);
        Some(owner)
    }

    fn remove(&mut self, index: usize) {
        let (_, owner) = self.heap.swap_remove(index);
        self.seats[owner.place()] = 0;
        if index < self.heap.len() {
            self.settle(index);
        }
    }

    /// Moves the entry at `index` to where it belongs.
    fn settle(&mut self, mut index: usize) {
        while index > 0 && self.heap[index] < self.heap[(index - 1) / 2] {
            self.heap.swap(index, (index - 1) / 2);
            self.seat(index);
            index = (index - 1) / 2;
        }
        while let Some(child) = self.earlier_child(index) {
            self.heap.swap(index, child);
            self.seat(index);
            index = child;
        }
        self.seat(index);
    }

    /// The earlier child of the entry at `index`, if it is earlier than the entry too.
    fn earlier_child(&self, index: usize) -> Option<usize> {
        let (left, right) = (2 * index + 1, 2 * index + 2);
        let first = self.heap.get(left)?;
        let (child, entry) = match self.heap.get(right) {
            Some(second) if second < first => (right, second),
            _ => (left, first),
        };
        (*entry < self.heap[index]).then_some(child)
    }

    /// Notes where the entry at `index` is.
    fn seat(&mut self, index: usize) {
        let place = self.heap[index].1.place();
        if place >= self.seats.len() {
            self.seats.resize(place + 1, 0);
        }
        // As many deadlines as this would take more memory than 32 bits can name.
        self.seats[place] = index as u32 + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test_now;
    use std::collections::BTreeMap;
    use std::time::Duration;

    impl Owner for char {
        fn place(self) -> usize {
            self as usize
        }
    }

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
        assert_eq!((timers.heap.len(), timers.seats.iter().max()), (0, Some(&0)));
    }

    #[test]
    fn any_sequence_is_as_in_a_sorted_list() {
        let t = test_now().instant;
        let mut timers = Timers::new();
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
