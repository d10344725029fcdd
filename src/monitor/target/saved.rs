//! What a target keeps across a restart of the program.

use std::time::{Duration, Instant};

use super::{Pause, Target};
use crate::clock::Now;
use crate::fsm::{SavedFsm, State};
use crate::monitor::Monitor;
use crate::monitor::history::SavedHistory;
use crate::monitor::notifications::Notified;

/// Durations are relative to `unix`, the time since 1970 at which it was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) name: String,
    /// A fingerprint of the settings.
    pub(crate) settings: u64,
    pub(crate) unix: Duration,
    pub(crate) fsm: SavedFsm,
    /// The state that the receivers of notifications know.
    pub(crate) notified: State,
    /// The number of reminders that were sent, and the time until the next one.
    pub(crate) reminders: Option<(u32, Duration)>,
    pub(crate) pause: SavedPause,
    pub(crate) heartbeat: Option<SavedHeartbeat>,
    pub(crate) history: Option<SavedHistory>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SavedPause {
    None,
    /// The rest of the time.
    Rest(Duration),
    UntilResumed,
}

/// The time since the last heartbeat, and until the deadline of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SavedHeartbeat {
    pub(crate) age: Duration,
    pub(crate) rest: Duration,
}

impl Target {
    /// Brings the history up to date, too.
    pub(crate) fn save(&mut self, now: Now) -> Saved {
        if let Some(history) = &mut self.history {
            history.enter(self.fsm.state(), now);
        }
        let rest = |until: Instant| until.saturating_duration_since(now.instant);
        Saved {
            name: self.name().to_owned(),
            settings: self.settings,
            unix: now.unix,
            fsm: self.fsm.save(now),
            notified: self.notified.state(),
            reminders: self.notified.save_reminders(now.instant),
            pause: match self.pause {
                None => SavedPause::None,
                Some(Pause { until: Some(until) }) => SavedPause::Rest(rest(until)),
                Some(Pause { until: None }) => SavedPause::UntilResumed,
            },
            heartbeat: self.heartbeat.as_ref().map(|expected| SavedHeartbeat {
                age: now.instant.saturating_duration_since(expected.since),
                rest: rest(self.next_scheduled),
            }),
            history: self.history.as_ref().map(|history| history.save()),
        }
    }

    /// Continues from what was saved before the restart. The time since then is unknown; it is none if the clock has
    /// lost its date.
    pub(in crate::monitor) fn restore(&mut self, saved: Saved, first_checks: (Duration, Duration), now: Now) {
        let gap = now.unix.saturating_sub(saved.unix);
        self.fsm.restore(saved.fsm, gap, self.heartbeat.is_some(), now);
        self.notified = Notified::restore(saved.notified, saved.reminders, gap, now.instant);
        self.pause = match saved.pause {
            SavedPause::None => None,
            SavedPause::UntilResumed => Some(Pause { until: None }),
            SavedPause::Rest(rest) => {
                let rest = rest.checked_sub(gap).filter(|rest| *rest <= Monitor::INTERVAL_MAX);
                rest.map(|rest| Pause { until: Some(now.instant + rest) })
            }
        };
        if let Some(heartbeat) = saved.heartbeat {
            self.restore_heartbeat(heartbeat, gap, now.instant);
        }
        if let Some(Pause { until: Some(until) }) = self.pause {
            self.reschedule(until, first_checks);
        }
        if let Some(history) = &mut self.history {
            history.restore(saved.history, self.fsm.state(), saved.unix, now);
        }
    }

    fn restore_heartbeat(&mut self, saved: SavedHeartbeat, gap: Duration, now: Instant) {
        self.note_heartbeat(now);
        let Some(expected) = &mut self.heartbeat else { return };
        expected.since = now.checked_sub(saved.age.saturating_add(gap)).unwrap_or(now);
        // One whose deadline was while the program did not run may have been sent: it is expected anew.
        if let Some(rest) = saved.rest.checked_sub(gap).filter(|rest| !rest.is_zero()) {
            self.next_scheduled = self.next_scheduled.min(now + rest);
        }
    }
}
