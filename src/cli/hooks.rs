//! What is done when a target changes, made once for all targets of which the same is asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Settings;
use super::trust::Trusted;
use crate::monitor::{HOOK_TIMEOUT, Hook, Monitor};
use crate::probe::build::Webhook;

/// All that has been made so far.
#[derive(Default)]
pub(super) struct Hooks {
    /// By their words, the time they have, and whether they are told of the first state.
    commands: BTreeMap<(Vec<String>, Duration, bool), Arc<Hook>>,
    /// By their URL, whom they trust, and whether they are told of the first state; `None` for a URL that
    /// is wrong.
    webhooks: BTreeMap<(String, u64, bool), Option<Arc<Webhook>>>,
}

impl Hooks {
    /// The same monitor, with the hooks that the settings ask for. The error is one line that names the
    /// flag, and is told once.
    pub(super) fn attach(
        &mut self,
        mut monitor: Monitor,
        settings: &Settings,
        trusted: &Trusted,
    ) -> Result<Monitor, Option<String>> {
        let first = settings.hook_first;
        if let Some(words) = &settings.on_change {
            let timeout = settings.hook_timeout.unwrap_or(HOOK_TIMEOUT);
            let made = self.commands.entry((words.clone(), timeout, first));
            let hook = made.or_insert_with(|| Arc::new(Hook::new(words).timeout(timeout).first(first)));
            monitor = monitor.on_change(hook.clone());
        }
        if let Some(url) = &settings.webhook {
            monitor = monitor.webhook(self.webhook(url, first, trusted)?);
        }
        Ok(monitor)
    }

    fn webhook(&mut self, url: &str, first: bool, trusted: &Trusted) -> Result<Arc<Webhook>, Option<String>> {
        let key = (url.to_owned(), trusted.mark, first);
        if let Some(made) = self.webhooks.get(&key) {
            return made.clone().ok_or(None);
        }
        let made = Webhook::to(url, trusted.trust.as_ref()).map(|webhook| Arc::new(webhook.first(first)));
        self.webhooks.insert(key, made.as_ref().ok().cloned());
        made.map_err(|error| Some(format!("--webhook: {}", error.message())))
    }
}
