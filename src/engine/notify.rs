//! Passes notifications to hooks and webhooks.

use super::Engine;
use super::notification::Notification;
use super::owners::RunOwner;
use crate::fsm::Change;
use crate::monitor::TargetId;
use crate::probe::build::DELIVERY_TIMEOUT;

impl Engine {
    /// Called at the end of each check.
    pub(super) fn notify_receivers(&mut self, target: TargetId, change: Option<&Change>) {
        if let Some((notification, receivers)) = Notification::after_check(target, change, &mut self.cx) {
            if receivers.hook.is_some() {
                self.hooks.queue(notification.clone());
            }
            if let Some(webhook) = &receivers.webhook {
                self.webhooks.queue(webhook.clone(), notification, &mut self.cx);
            }
        } else if change.is_none() {
            return;
        }
        // A notification of this target may have waited for its state.
        self.hooks.start(&mut self.cx);
        self.start_deliveries();
    }

    pub(super) fn start_deliveries(&mut self) {
        while let Some((slot, attempt)) = self.webhooks.next_attempt(&mut self.cx) {
            self.runs.begin(RunOwner::Delivery(slot), attempt, DELIVERY_TIMEOUT, None, &mut self.cx);
        }
    }
}
