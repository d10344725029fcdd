//! Hooks and webhooks, created once for all targets with the same settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Settings;
use super::shared::{Shared, fingerprint};
use super::trust::Trusted;
use crate::monitor::{Hook, Monitor};
use crate::probe::build::Webhook;

#[derive(Default)]
pub(super) struct Hooks {
    commands: BTreeMap<u64, Arc<Hook>>,
    webhooks: Shared<Arc<Webhook>>,
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
        self.webhooks.get(key, || match Webhook::new(url, trusted.trust.as_ref()) {
            Ok(webhook) => Ok(Arc::new(webhook.first(first))),
            Err(error) => Err(format!("--webhook: {}", error.message())),
        })
    }
}
