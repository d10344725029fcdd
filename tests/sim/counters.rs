//! What happened in all runs together, so that a lazy world is noticed.

use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct Counters(BTreeMap<&'static str, u64>);

impl Counters {
    pub(super) fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

#[cfg(test)]
impl Counters {
    pub(super) fn merge(&mut self, other: &Counters) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    pub(super) fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    pub(super) fn print(&self) {
        for (what, times) in &self.0 {
            println!("{times:>12}  {what}");
        }
    }
}
