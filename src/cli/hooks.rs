//! Hooks and webhooks, created once for all targets with the same settings.

use std::sync::Arc;

use super::Settings;
use super::trust::{ByFingerprint, Trusted, fingerprint};
use crate::monitor::{Hook, Monitor};
use crate::probe::build::Webhook;

#[derive(Default)]
pub(super) struct Hooks {
    commands: ByFingerprint<Arc<Hook>>,
    /// `None` for a URL that is invalid.
    webhooks: ByFingerprint<Option<Arc<Webhook>>>,
}

impl Hooks {
    /// The error is one line that names the flag; it is `None` if it was reported before.
    pub(super) fn attach(
        &mut self,
        mut monitor: Monitor,
        settings: &Settings,
        trusted: &Trusted,
    ) -> Result<Monitor, Option<String>> {
        let first = settings.hook_first;
        if let Some(words) = &settings.on_change {
            let timeout = settings.hook_timeout.unwrap_or(Hook::TIMEOUT);
            let key = fingerprint(&(words, timeout, first));
            let make = || Arc::new(Hook::new(words).timeout(timeout).first(first));
            monitor = monitor.on_change(self.commands.entry(key).or_insert_with(make).clone());
        }
        if let Some(url) = &settings.webhook {
            monitor = monitor.webhook(self.webhook(url, first, trusted)?);
        }
        Ok(monitor)
    }

    fn webhook(&mut self, url: &str, first: bool, trusted: &Trusted) -> Result<Arc<Webhook>, Option<String>> {
        let key = fingerprint(&(url, trusted.fingerprint, first));
        if let Some(made) = self.webhooks.get(&key) {
            return made.clone().ok_or(None);
        }
        let made = Webhook::new(url, trusted.trust.as_ref()).map(|webhook| Arc::new(webhook.first(first)));
        self.webhooks.insert(key, made.as_ref().ok().cloned());
        made.map_err(|error| Some(format!("--webhook: {}", error.message())))
    }
}
