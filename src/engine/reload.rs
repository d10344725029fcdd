//! Reload: replaces the list of targets without losing the state of those that stay.

use super::Engine;
use crate::clock::Now;
use crate::monitor::TargetUpdate;
use crate::probe::build::Error;

impl Engine {
    /// Checks of removed targets end without a result. On an error, nothing changes. A target gives its id to
    /// its replacement of the same name: events, hooks and streams continue.
    #[cold]
    pub(crate) fn replace(&mut self, updates: Vec<TargetUpdate>, now: Now) -> Result<(), Error> {
        self.cx.targets.validate(&updates)?;
        self.update_clock(now);
        let ended = self.cx.targets.replace(updates, self.cx.now);
        self.runs.handle_reload(&ended, &mut self.cx);
        self.restart_push();
        self.restart_state();
        self.hooks.handle_reload(&self.cx.targets);
        self.event_log.handle_reload(self.cx.targets.list().len());
        self.api.handle_reload(&mut self.cx);
        self.has_unpublished = !self.api.streams.is_empty();
        if let Some(manager) = &mut self.manager {
            manager.note_reload("", &mut self.cx);
        }
        // Notifications of targets that were paused and are removed wait no longer.
        self.start_deliveries();
        self.process_events();
        self.set_wakeup();
        Ok(())
    }

    #[cold]
    pub(crate) fn note_refused_reload(&mut self, error: &str, now: Now) {
        self.update_clock(now);
        if let Some(manager) = &mut self.manager {
            manager.note_reload(error, &mut self.cx);
        }
        self.set_wakeup();
    }
}
