//! Counters of one target.

use std::time::Duration;

use super::{Change, Event, State};
use crate::result::Reason;

/// They never decrease.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    /// Checks by [`Event`].
    pub(crate) checks: [u64; 2],
    /// Failed checks by reason, sorted, without those that never occurred.
    pub(crate) failures: Vec<(Reason, u64)>,
    /// Changes by the new state's [`State::index`].
    pub(crate) changes_to: [u64; 4],
    /// The time in each state without the current period, by [`State::index`].
    time_in: [Duration; 4],
}

impl Counters {
    pub(super) fn count_check(&mut self, event: Event, reason: Option<Reason>) {
        self.checks[event as usize] += 1;
        let Some(reason) = reason else { return };
        match self.failures.binary_search_by_key(&reason, |(known, _)| *known) {
            Ok(index) => self.failures[index].1 += 1,
            Err(index) => {
                // Most targets fail for one or two reasons: more capacity would waste memory.
                self.failures.reserve_exact(1);
                self.failures.insert(index, (reason, 1));
            }
        }
    }

    pub(super) fn count_change(&mut self, change: &Change) {
        self.changes_to[change.to.index()] += 1;
        let time_in = &mut self.time_in[change.from.index()];
        *time_in = time_in.saturating_add(change.previous_state_duration);
    }

    pub(super) fn time_in(&self, state: State) -> Duration {
        self.time_in[state.index()]
    }
}
