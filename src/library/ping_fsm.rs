//! The state machine for those who check on their own: no loop, no probe, only what results add up to.

use std::time::Duration;

use crate::fsm::{Event, Fsm, HISTORY, Policy, State};
use crate::reactor;
use crate::snapshot::Snapshot;
use crate::verdict::{ProbeResult, Reason};

/// A state machine that is driven by hand.
#[derive(Clone, Debug)]
pub struct PingFsm {
    fsm: Fsm,
    name: String,
}

impl Default for PingFsm {
    fn default() -> Self {
        PingFsm::new()
    }
}

impl PingFsm {
    /// A machine in [`State::Unknown`] that follows the default [`Policy`] and remembers [`HISTORY`]
    /// checks.
    #[must_use]
    pub fn new() -> Self {
        PingFsm::with(State::Unknown, Policy::default(), HISTORY)
    }

    /// A machine that starts in this state, follows this policy and remembers so many checks.
    #[must_use]
    pub fn with(initial: State, policy: Policy, history: usize) -> Self {
        PingFsm { fsm: Fsm::new(initial, policy, history, reactor::now()), name: String::new() }
    }

    /// What its snapshots show under `probe`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Takes in what a check found, and says which state that makes.
    pub fn fire(&mut self, event: Event, latency: Option<Duration>, detail: &str) -> State {
        let mut result = match event {
            Event::Ok => ProbeResult::up(Duration::ZERO, detail),
            Event::Fail => ProbeResult::down(Reason::Custom, detail),
        };
        result.latency = latency;
        self.fire_result(&result)
    }

    /// Takes in the result of a check, and says which state that makes.
    pub fn fire_result(&mut self, result: &ProbeResult) -> State {
        self.fsm.fire(result, reactor::now());
        self.fsm.state()
    }

    /// The state now.
    #[must_use]
    pub fn state(&self) -> State {
        self.fsm.state()
    }

    /// What is known now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.name, &self.fsm, reactor::now())
    }
}
