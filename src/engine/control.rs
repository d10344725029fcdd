//! Pauses, and checks outside the schedule.

use std::time::Duration;

use super::Engine;
use crate::clock::Now;
use crate::fsm::Change;
use crate::monitor::{Monitor, TargetId};

impl Engine {
    /// Starts a check outside the schedule, unless one is in flight or waits, or the target is paused.
    pub(crate) fn check_now(&mut self, target: TargetId, now: Now) {
        self.update_clock(now);
        self.runs.check_now(target, &mut self.cx);
        self.process_events();
        self.set_wakeup();
    }

    /// Pauses a target for `span`, or until it is resumed.
    #[cold]
    pub(crate) fn pause(&mut self, target: TargetId, span: Option<Duration>, now: Now) {
        self.update_clock(now);
        let span = span.filter(|span| *span <= Monitor::INTERVAL_MAX);
        let until = span.map(|span| self.cx.now.instant + span);
        self.runs.pause(&[target], until, &mut self.cx);
        self.process_events();
        self.set_wakeup();
    }

    #[cold]
    pub(crate) fn resume(&mut self, target: TargetId, now: Now) {
        self.update_clock(now);
        self.runs.resume(&[target], &mut self.cx);
        self.process_events();
        self.set_wakeup();
    }

    /// A pause of a target has begun or ended.
    #[cold]
    pub(super) fn note_pause(&mut self, target: TargetId, change: Option<&Change>) {
        if let Some(change) = change {
            self.event_log.note_pause(target, change, self.cx.now);
        }
        // Clients wait for the worst state of all targets, which may be another one now.
        self.has_unpublished = !self.api.streams.is_empty();
        if let Some(manager) = &mut self.manager {
            manager.schedule_status(&mut self.cx);
        }
    }
}
