//! Whether all checks are on time: watchdog pings, and responses to `/livez`.

use super::Engine;
use crate::api::routes::liveness_response;

impl Engine {
    /// Called after all other deadlines of the turn: after a suspend, the checks that are due start first.
    pub(super) fn process_liveness(&mut self) {
        let is_watchdog_due = std::mem::take(&mut self.watchdog_due);
        if !is_watchdog_due && self.api.awaiting_liveness.is_empty() {
            return;
        }
        let is_on_time = self.runs.is_on_time(&self.cx);
        if let Some(manager) = self.manager.as_mut().filter(|_| is_watchdog_due) {
            manager.handle_watchdog(is_on_time, &mut self.cx);
        }
        for id in std::mem::take(&mut self.api.awaiting_liveness) {
            self.api.finish_control(id, Ok(liveness_response(is_on_time)), &mut self.cx);
        }
    }
}
