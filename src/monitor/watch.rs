//! A monitor at work: its state machine and its beat.

use std::time::{Duration, Instant};

use super::Monitor;
use crate::clock::Now;
use crate::fsm::{Change, Fsm};
use crate::probe::build::TIMEOUT_MAX;
use crate::probe::{Attempt, Probe};
use crate::verdict::ProbeResult;

/// A monitor at work: its state machine and its beat.
pub(crate) struct Watch {
    probe: Box<dyn Probe>,
    fsm: Fsm,
    interval: Duration,
    beat: Instant,
}

impl Watch {
    pub(super) fn new(monitor: Monitor, first: Duration, now: Now) -> Self {
        Watch {
            fsm: Fsm::new(monitor.initial, monitor.policy, monitor.history, now),
            probe: monitor.probe,
            interval: monitor.interval,
            beat: now.instant + first,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.probe.name()
    }

    /// What the API shows under `probe`.
    pub(crate) fn target(&self) -> &str {
        self.probe.target()
    }

    pub(crate) fn fsm(&self) -> &Fsm {
        &self.fsm
    }

    /// The time one try may take, clear of the end of the clock whatever the probe says.
    pub(crate) fn timeout(&self) -> Duration {
        self.probe.timeout().min(TIMEOUT_MAX)
    }

    /// When the next try is due.
    pub(crate) fn beat(&self) -> Instant {
        self.beat
    }

    /// Takes the result of a try in; says so if it changes the target's state.
    pub(super) fn fire(&mut self, result: &ProbeResult, now: Now) -> Option<Change> {
        self.fsm.fire(result, now)
    }

    /// Moves on to the first beat after `now`: beats that were missed are not made up.
    pub(crate) fn advance(&mut self, now: Instant) {
        let late = now.saturating_duration_since(self.beat);
        if now < self.beat {
            return;
        }
        let into = (late.as_nanos() % self.interval.as_nanos()) as u64;
        self.beat = now + (self.interval - Duration::from_nanos(into));
    }

    /// Starts one try.
    pub(crate) fn begin(&self, now: Now) -> Box<dyn Attempt> {
        self.probe.begin(now)
    }
}
