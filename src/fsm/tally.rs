//! Counters of one target.

use std::time::Duration;

use super::{Change, Event, State};
use crate::result::Reason;

/// Counters of one target's checks and state changes since the start. They never decrease.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Checks by [`Event`].
    pub(crate) checks: [u64; 2],
    /// Failed checks by reason, sorted, without those that never occurred.
    pub(crate) failures: Vec<(Reason, u64)>,
    /// Changes by the new state's [`State::index`].
    pub(crate) to: [u64; 4],
    /// The total time in each state without the current period, in nanoseconds, by [`State::index`].
    previous_state_duration: [u64; 4],
}

impl Tally {
    pub(super) fn note_check(&mut self, event: Event, reason: Option<Reason>) {
        self.checks[event as usize] += 1;
        let Some(reason) = reason else { return };
        match self.failures.binary_search_by_key(&reason, |(known, _)| *known) {
            Ok(place) => self.failures[place].1 += 1,
            Err(place) => {
                // Most targets fail for one or two reasons: more capacity would waste memory.
                self.failures.reserve_exact(1);
                self.failures.insert(place, (reason, 1));
            }
        }
    }

    pub(super) fn note_change(&mut self, change: &Change) {
        self.to[change.to.index()] += 1;
        let previous_state_duration = &mut self.previous_state_duration[change.from.index()];
        *previous_state_duration = previous_state_duration
            .saturating_add(u64::try_from(change.previous_state_duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The total time in a state without the current period.
    pub(super) fn previous_state_duration(&self, state: State) -> Duration {
        Duration::from_nanos(self.previous_state_duration[state.index()])
    }
}
