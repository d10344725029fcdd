//! What a state machine keeps across a restart of the program.

use std::time::{Duration, Instant};

use super::{Counters, Fsm, State};
use crate::clock::Now;
use crate::result::{ProbeWarnings, Reason};

/// The state and the counters. `age` is the time in the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavedFsm {
    pub(crate) state: State,
    pub(crate) age: Duration,
    pub(crate) policy_state: State,
    pub(crate) warnings: ProbeWarnings,
    pub(crate) checks: [u64; 2],
    pub(crate) failures: Vec<(Reason, u64)>,
    pub(crate) changes_to: [u64; 4],
    pub(crate) time_in: [Duration; 4],
    pub(crate) latency_sum: Duration,
    pub(crate) latencies: u64,
}

/// The state from before the restart.
#[derive(Clone, Debug)]
pub(super) struct Restored {
    pub(super) state: State,
    pub(super) since: Instant,
    /// It is the current state again, or still.
    pub(super) is_current: bool,
}

impl Fsm {
    pub(crate) fn save(&self, now: Now) -> SavedFsm {
        let awaited = self.restored.as_ref().filter(|restored| !restored.is_current);
        let (state, age) = match awaited {
            Some(restored) => (restored.state, now.instant.saturating_duration_since(restored.since)),
            None => (self.state, self.time_in_state(now)),
        };
        SavedFsm {
            state,
            age,
            policy_state: self.policy_state,
            warnings: self.warnings,
            checks: self.counters.checks,
            failures: self.counters.failures.clone(),
            changes_to: self.counters.changes_to,
            time_in: State::ALL.map(|state| self.time_in(state, now)),
            latency_sum: self.counters.latency_sum,
            latencies: self.counters.latencies,
        }
    }

    /// Continues from a state saved `gap` ago. Until the first result the state is unknown, unless `at_once`.
    pub(crate) fn restore(&mut self, saved: SavedFsm, gap: Duration, at_once: bool, now: Now) {
        let is_current = at_once || saved.state == State::Unknown;
        let since = now.instant.checked_sub(saved.age.saturating_add(gap)).unwrap_or(now.instant);
        self.restored = Some(Box::new(Restored { state: saved.state, since, is_current }));
        (self.state, self.state_since) = (if is_current { saved.state } else { State::Unknown }, now.instant);
        (self.policy_state, self.warnings) = (saved.policy_state, saved.warnings);
        self.counters = Counters {
            checks: saved.checks,
            // Of this run only.
            without_result: 0,
            failures: saved.failures,
            changes_to: saved.changes_to,
            time_in: saved.time_in,
            latency_sum: saved.latency_sum,
            latencies: saved.latencies,
        };
    }
}
