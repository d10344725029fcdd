//! The most recent slots of one length.

use std::time::Duration;

use super::slot::Slot;

#[derive(Clone, Debug)]
pub(super) struct Ring {
    /// Oldest first, at most `max`, without gaps.
    slots: Vec<Slot>,
    max: u8,
    length_s: u32,
    /// The number of the last slot: its start, since 1970, divided by the length.
    newest: u32,
    /// The latencies in the last slot.
    latency_sum_us: u64,
    latency_count: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SavedRing {
    pub(crate) newest: u32,
    pub(crate) latency_sum_us: u64,
    pub(crate) latency_count: u32,
    /// Oldest first.
    pub(crate) slots: Vec<Slot>,
}

/// How many slots are allocated at once: growing by one would fragment the heap.
const GROWTH: usize = 8;

impl Ring {
    pub(super) fn new(length_s: u64, max: u8) -> Self {
        let length_s = length_s as u32;
        Ring { slots: Vec::new(), max, length_s, newest: 0, latency_sum_us: 0, latency_count: 0 }
    }

    pub(super) fn save(&self) -> SavedRing {
        SavedRing {
            newest: self.newest,
            latency_sum_us: self.latency_sum_us,
            latency_count: self.latency_count,
            slots: self.slots.clone(),
        }
    }

    /// Slots with more time than their length are emptied; the oldest ones are dropped if there are too many.
    pub(super) fn restore(&mut self, saved: SavedRing) {
        let surplus = saved.slots.len().saturating_sub(self.max.into());
        let slots = saved.slots.iter().skip(surplus);
        let count = slots.len();
        self.slots = Vec::with_capacity(count.next_multiple_of(GROWTH).min(self.max.into()));
        let is_possible = |slot: &&Slot| slot.known_s() <= self.length_s;
        self.slots.extend(slots.map(|slot| Some(slot).filter(is_possible).copied().unwrap_or_default()));
        (self.newest, self.latency_sum_us, self.latency_count) =
            (saved.newest, saved.latency_sum_us, saved.latency_count);
    }

    pub(super) fn length_s(&self) -> u64 {
        self.length_s.into()
    }

    pub(super) fn max(&self) -> u64 {
        self.max.into()
    }

    pub(super) fn number(&self, unix_s: u64) -> u32 {
        (unix_s / self.length_s()) as u32
    }

    pub(super) fn get(&self, number: u32) -> Slot {
        let age = self.newest.checked_sub(number).and_then(|age| usize::try_from(age).ok());
        let index = age.and_then(|age| self.slots.len().checked_sub(age + 1));
        index.map_or_else(Slot::default, |index| self.slots[index])
    }

    /// Removes slots in the future: the clock has been set back.
    pub(super) fn remove_after(&mut self, unix_s: u64) {
        let number = self.number(unix_s);
        if self.newest > number && !self.slots.is_empty() {
            let surplus = usize::try_from(self.newest - number).unwrap_or(usize::MAX);
            self.slots.truncate(self.slots.len().saturating_sub(surplus));
            self.newest = number;
            (self.latency_sum_us, self.latency_count) = (0, 0);
        }
    }

    pub(super) fn add(&mut self, state: usize, seconds: u64, unix_s: u64) {
        let length_s = self.length_s();
        if let Some(slot) = self.slot_at(unix_s) {
            *slot = slot.with(state, seconds, length_s);
        }
    }

    pub(super) fn note_latency(&mut self, latency: Duration, unix_s: u64) {
        if self.slot_at(unix_s).is_none() || self.number(unix_s) != self.newest {
            return;
        }
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency_sum_us = self.latency_sum_us.saturating_add(micros);
        self.latency_count = self.latency_count.saturating_add(1);
        let mean = self.latency_sum_us / u64::from(self.latency_count);
        if let Some(slot) = self.slots.last_mut() {
            slot.set_latency(Duration::from_micros(mean));
        }
    }

    /// The slot of a time, which is added if it is later than the last one. `None` if it is before the first one.
    fn slot_at(&mut self, unix_s: u64) -> Option<&mut Slot> {
        let number = self.number(unix_s);
        if self.slots.is_empty() || number > self.newest {
            self.advance(number);
        }
        let age = usize::try_from(self.newest.checked_sub(number)?).ok()?;
        let index = self.slots.len().checked_sub(age + 1)?;
        self.slots.get_mut(index)
    }

    #[cold]
    fn advance(&mut self, number: u32) {
        let max = usize::from(self.max);
        let missing = if self.slots.is_empty() { 1 } else { number - self.newest };
        let missing = usize::try_from(missing).unwrap_or(usize::MAX).min(max);
        let surplus = (self.slots.len() + missing).saturating_sub(max);
        self.slots.drain(..surplus);
        let len = self.slots.len() + missing;
        if len > self.slots.capacity() {
            self.slots.reserve_exact(len.next_multiple_of(GROWTH).min(max) - self.slots.len());
        }
        self.slots.resize(len, Slot::default());
        (self.newest, self.latency_sum_us, self.latency_count) = (number, 0, 0);
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.slots.capacity()
    }
}
