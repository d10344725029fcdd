//! Notifications, hooks and webhooks, created once for all targets with the same settings.

use std::sync::Arc;

use super::log::{Log, Priority};
use super::options::NotificationSettings;
use super::shared::{Shared, fingerprint};
use super::trust::Trusted;
use crate::monitor::{Hook, Notifications, Notify};
use crate::probe::build::Webhook;

pub(super) struct Receivers {
    log: Log,
    warned: bool,
    notifications: Shared<Arc<Notifications>>,
}

impl Receivers {
    pub(super) fn new(log: Log) -> Receivers {
        Receivers { log, warned: false, notifications: Shared::default() }
    }

    /// The error is one line that names the flag; it is `None` if it was reported before.
    pub(super) fn notifications(
        &mut self,
        settings: &NotificationSettings,
        trusted: &Trusted,
    ) -> Result<Option<Arc<Notifications>>, Option<String>> {
        if !settings.has_receiver() {
            return Ok(None);
        }
        if settings.hook_first && !std::mem::replace(&mut self.warned, true) {
            let text = "--hook-first: is deprecated and will be removed in 1.0: \
                 --notify down reports targets that are down at start";
            self.log.line(Priority::Warning, text);
        }
        let key = fingerprint(&(settings, trusted.fingerprint));
        let made = self.notifications.get(key, || make(settings, trusted).map(Arc::new))?;
        Ok(Some(made))
    }
}

fn make(settings: &NotificationSettings, trusted: &Trusted) -> Result<Notifications, String> {
    let mut notifications = Notifications::new().notify(match settings.hook_first {
        true => Notify::AllAndFirst,
        false => settings.notify.unwrap_or_default(),
    });
    if let Some(words) = &settings.on_change {
        let timeout = settings.hook_timeout.unwrap_or(Hook::TIMEOUT);
        notifications = notifications.hook(Hook::new(words).timeout(timeout));
    }
    if let Some(url) = &settings.webhook {
        let webhook = Webhook::new(url, trusted.trust.as_ref());
        notifications =
            notifications.webhook(webhook.map_err(|error| format!("--webhook: {}", error.message()))?);
    }
    if let Some(interval) = settings.remind {
        notifications = notifications.remind(interval);
    }
    Ok(notifications)
}
