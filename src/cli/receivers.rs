//! Notifications, hooks and webhooks, created once for all targets with the same settings.

use std::sync::Arc;

use super::log::{Log, Priority};
use super::options::NotificationSettings;
use super::request_files::HeaderFields;
use super::shared::{Shared, fingerprint};
use super::trust::Trusted;
use crate::monitor::{Hook, Notifications, Notify};
use crate::probe::build::{Error, Webhook};

/// The contents of the files of a webhook.
#[derive(Default)]
pub(super) struct WebhookFiles {
    pub(super) trusted: Trusted,
    pub(super) headers: HeaderFields,
}

impl WebhookFiles {
    pub(super) fn fingerprint(&self) -> u64 {
        fingerprint(&(self.trusted.fingerprint, &self.headers))
    }
}

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
        files: &WebhookFiles,
    ) -> Result<Option<Arc<Notifications>>, Option<String>> {
        if !settings.has_receiver() {
            return Ok(None);
        }
        if settings.hook_first && !std::mem::replace(&mut self.warned, true) {
            let text = "--hook-first: is deprecated and will be removed in 1.0: \
                 --notify down reports targets that are down at start";
            self.log.line(Priority::Warning, text);
        }
        let key = fingerprint(&(settings, files.fingerprint()));
        let made = self.notifications.get(key, || make(settings, files).map(Arc::new))?;
        Ok(Some(made))
    }
}

fn make(settings: &NotificationSettings, files: &WebhookFiles) -> Result<Notifications, String> {
    let mut notifications = Notifications::new().notify(match settings.hook_first {
        true => Notify::AllAndFirst,
        false => settings.notify.unwrap_or_default(),
    });
    if let Some(words) = &settings.on_change {
        let timeout = settings.hook_timeout.unwrap_or(Hook::TIMEOUT);
        notifications = notifications.hook(Hook::new(words).timeout(timeout));
    }
    if let Some(url) = &settings.webhook {
        notifications = notifications.webhook(webhook(url, settings, files)?);
    }
    if let Some(interval) = settings.remind {
        notifications = notifications.remind(interval);
    }
    Ok(notifications)
}

fn webhook(url: &str, settings: &NotificationSettings, files: &WebhookFiles) -> Result<Webhook, String> {
    let named = |flag: &'static str| move |error: Error| format!("{flag}: {}", error.message());
    let mut webhook = Webhook::new(url, files.trusted.trust.as_ref()).map_err(named("--webhook"))?;
    if !files.headers.is_empty() {
        webhook = webhook.headers(files.headers.to_vec()).map_err(named("--webhook-header-file"))?;
    }
    if let Some(key) = &settings.webhook_text_key {
        webhook = webhook.text_key(key).map_err(named("--webhook-text-key"))?;
    }
    Ok(webhook.format(settings.webhook_format.unwrap_or_default()))
}
