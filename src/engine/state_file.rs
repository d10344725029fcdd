//! The history of the targets, and the state file.
//!
//! The lines of 10,000 targets have 15 MB: they are made in pieces, the next one when the last one was written. While a
//! write is in progress, no other one begins.

use std::time::Duration;

use super::Engine;
use super::limits::STATE_PIECE;
use super::messages::{Output, StatePiece};
use super::owners::Owner;
use crate::clock::Now;
use crate::monitor::{History, Saved};
use crate::snapshot::state_file::{Header, write_header, write_target};

pub(super) struct StateFile {
    interval: Duration,
    write: Option<Write>,
    /// Since the last success.
    failures: u32,
}

/// A write in progress: one piece is being written.
struct Write {
    /// The position of the first target that is not in a piece yet.
    next: usize,
    is_last: bool,
    /// It must begin anew: the list of targets has changed, or the daemon stops.
    restarts: bool,
}

impl Engine {
    /// Records the history of this many days from now on; 0 for none, which is the default.
    #[cold]
    pub(crate) fn record_history(&mut self, days: u8, now: Now) {
        self.update_clock(now);
        self.cx.targets.record_history(days, self.cx.now);
    }

    /// Continues from what was saved of a target; `expected` is where it probably is in the list. Before the first turn.
    #[cold]
    pub(crate) fn restore(&mut self, saved: Saved, expected: &mut usize, now: Now) {
        self.update_clock(now);
        self.cx.targets.restore(saved, expected, self.cx.now);
    }

    /// Writes the state file at this interval from now on, and after the end of each UTC day.
    #[cold]
    pub(crate) fn attach_state_file(&mut self, interval: Duration, now: Now) {
        self.update_clock(now);
        self.state_file = Some(Box::new(StateFile { interval, write: None, failures: 0 }));
        self.schedule_state();
        self.runs.set_timers(&mut self.cx);
    }

    fn schedule_state(&mut self) {
        let Some(file) = &self.state_file else { return };
        let rest_of_day = History::DAY_S - self.cx.now.unix.as_secs() % History::DAY_S;
        let at = self.cx.now.instant + file.interval.min(Duration::from_secs(rest_of_day));
        self.cx.timers.set(Owner::StateFile, Some(at));
    }

    #[cold]
    pub(super) fn begin_state(&mut self) {
        self.schedule_state();
        let Some(file) = self.state_file.as_mut().filter(|file| file.write.is_none()) else { return };
        file.write = Some(Write { next: 0, is_last: false, restarts: false });
        self.send_state();
    }

    fn send_state(&mut self) {
        let now = self.cx.now;
        let Some(write) = self.state_file.as_mut().and_then(|file| file.write.as_mut()) else { return };
        let is_first = write.next == 0;
        let mut bytes = Vec::with_capacity(STATE_PIECE + STATE_PIECE / 8);
        if is_first {
            let targets = self.cx.targets.list().len() as u64;
            write_header(&mut bytes, Header { unix: now.unix, targets });
        }
        while bytes.len() < STATE_PIECE {
            let Some(saved) = self.cx.targets.save(write.next, now) else { break };
            write_target(&mut bytes, &saved);
            write.next += 1;
        }
        write.is_last = write.next >= self.cx.targets.list().len();
        self.cx.outputs.push_back(Output::WriteState(StatePiece { bytes, is_first, is_last: write.is_last }));
    }

    /// The result of [`Output::WriteState`].
    #[cold]
    pub(crate) fn handle_state_written(&mut self, result: Result<(), String>, now: Now) {
        self.update_clock(now);
        let Some(file) = &mut self.state_file else { return };
        let Some(write) = &mut file.write else { return };
        if write.restarts {
            *write = Write { next: 0, is_last: false, restarts: false };
            return self.send_state();
        }
        let (counter, line) = match result {
            Ok(()) if !write.is_last => return self.send_state(),
            Ok(()) => {
                let failures = std::mem::take(&mut file.failures);
                let line = format!("state file: written again after {failures} failed attempts");
                (&mut self.cx.counters.state_file.ok, Some(line).filter(|_| failures > 0))
            }
            Err(error) => {
                file.failures = file.failures.saturating_add(1);
                let line = ["state file: ", &error, ", will be tried again"].concat();
                (&mut self.cx.counters.state_file.failed, Some(line).filter(|_| file.failures == 1))
            }
        };
        *counter += 1;
        file.write = None;
        if let Some(line) = line {
            self.cx.log(line);
        }
    }

    /// The list of targets has changed.
    pub(super) fn restart_state(&mut self) {
        if let Some(write) = self.state_file.as_mut().and_then(|file| file.write.as_mut()) {
            write.restarts = true;
        }
    }

    /// Writes the state file a last time.
    #[cold]
    pub(crate) fn finish_state(&mut self, now: Now) {
        self.update_clock(now);
        self.restart_state();
        self.begin_state();
    }

    pub(crate) fn is_writing_state(&self) -> bool {
        self.state_file.as_ref().is_some_and(|file| file.write.is_some())
    }
}
