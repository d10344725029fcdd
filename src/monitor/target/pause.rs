//! Pauses of a target, and checks outside its schedule.

use std::time::{Duration, Instant};

use super::Target;
use crate::clock::Now;
use crate::fsm::Change;

/// The shortest time between two requested checks of a target.
const REQUEST_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    /// `None`: until it is resumed.
    pub(crate) until: Option<Instant>,
}

impl Target {
    pub(crate) fn is_paused(&self) -> bool {
        self.pause.is_some()
    }

    pub(crate) fn pause(&self) -> Option<Pause> {
        self.pause
    }

    /// Begins a pause, or changes its end. A check in flight must be abandoned.
    pub(in crate::monitor) fn begin_pause(&mut self, pause: Pause, now: Now) -> Option<Change> {
        self.pause = Some(pause);
        self.notified.pause();
        self.take_deferred();
        self.set_held(false);
        if let Some(special) = &mut self.special {
            (special.retry_at, special.retried) = (None, 0);
        }
        self.suspend(now)
    }

    /// Ends a pause. A heartbeat whose deadline was in the pause is expected anew.
    pub(in crate::monitor) fn end_pause(&mut self, now: Instant) {
        self.pause = None;
        if self.heartbeat.is_some() && self.next_scheduled <= now {
            self.note_heartbeat(now);
        }
    }

    /// Restarts the schedule, with its first two checks at these times after `start`.
    pub(in crate::monitor) fn reschedule(&mut self, start: Instant, first_checks: (Duration, Duration)) {
        if self.heartbeat.is_some() {
            return;
        }
        let first = start + first_checks.0;
        (self.first, self.next_scheduled) = (Some(first), start + first_checks.1);
        if let Some(special) = &mut self.special {
            (special.anchor, special.interval) = (first, self.interval);
        }
    }

    /// When a check that is requested now starts, `delay` later; `None` if one was requested within the last second.
    pub(in crate::monitor) fn request_check(&mut self, delay: Duration, now: Instant) -> Option<Instant> {
        if self.requested.is_some_and(|last| now < last + REQUEST_INTERVAL) {
            return None;
        }
        self.requested = Some(now + delay);
        self.requested
    }
}
