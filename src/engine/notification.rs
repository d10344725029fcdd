//! A notification: what hooks and webhooks report.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use crate::clock::Now;
use crate::fsm::{Change, State};
use crate::monitor::{Due, Notifications, Notify, Target, TargetId, Targets, is_notified};
use crate::probe::build::Webhook;
use crate::result::Reason;
use crate::snapshot::message::{Occasion, message, sentence};
use crate::snapshot::transition::Transition;
use crate::snapshot::{age_s, latency_ms};

const TEST_DETAIL: &str = "this is a test of the notifications";

#[derive(Clone, Debug)]
pub(crate) struct Notification {
    pub(super) target: TargetId,
    /// This and the URL are taken at the time of the change: a reload may give the name another probe.
    pub(super) name: Arc<str>,
    pub(super) url: Arc<str>,
    notify: Notify,
    ts: Duration,
    pub(super) from: State,
    pub(super) to: State,
    pub(super) detail: Arc<str>,
    pub(super) error: Option<Reason>,
    pub(super) latency: Option<Duration>,
    pub(super) previous_state_duration: Duration,
    pub(super) occasion: Occasion,
    /// The number of children that are not reported because of the target; `None` if it has none.
    pub(super) held_children: Option<usize>,
}

impl Notification {
    /// What must be notified after a check, with its receivers.
    pub(super) fn after_check(
        id: TargetId,
        change: Option<&Change>,
        cx: &mut Context,
    ) -> Option<(Notification, Arc<Notifications>)> {
        let now = cx.now;
        let target = cx.targets.get_mut(id)?;
        let due = target.update_notified(change, now.instant)?;
        let settings = target.notifications()?.clone();
        let last = target.fsm().last()?;
        let (from, occasion) = match due {
            Due::Change { from } => {
                (from, Occasion::Change { previous: change.map_or(from, |change| change.from) })
            }
            Due::Reminder(number) => (State::Down, Occasion::Reminder(number)),
        };
        let time_in_state = target.fsm().time_in_state(now);
        let notification = Notification {
            target: id,
            name: target.name().into(),
            url: target.url().into(),
            notify: settings.notify,
            ts: now.unix,
            from,
            to: target.fsm().state(),
            detail: last.detail.clone(),
            error: last.reason,
            latency: last.latency,
            previous_state_duration: change.map_or(time_in_state, |change| change.previous_state_duration),
            occasion,
            held_children: cx.targets.held_children(id),
        };
        Some((notification, settings))
    }

    /// A message that tests receivers.
    pub(crate) fn test(target: &Target, now: Now) -> Notification {
        Notification {
            target: target.id(),
            name: target.name().into(),
            url: target.url().into(),
            notify: Notify::All,
            ts: now.unix,
            from: State::Up,
            to: State::Down,
            detail: TEST_DETAIL.into(),
            error: None,
            latency: None,
            previous_state_duration: Duration::ZERO,
            occasion: Occasion::Test,
            held_children: None,
        }
    }

    /// Merges a later notification of the same target into this one, which has not been delivered. Returns
    /// whether there is something to deliver: the receiver knows the state of `from`.
    pub(super) fn merge(&mut self, later: Notification) -> bool {
        if later.is_reminder() && !self.is_reminder() {
            // The change to down is still to be delivered.
            return true;
        }
        *self = Notification { from: self.from, ..later };
        self.is_reminder() || is_notified(self.notify, self.from, self.to)
    }

    fn is_reminder(&self) -> bool {
        matches!(self.occasion, Occasion::Reminder(_))
    }

    /// A target that is paused or not yet checked again has a state that is not notified. Its notifications wait
    /// for the next check, which may cancel them.
    pub(super) fn is_due(&self, targets: &Targets) -> bool {
        targets.get(self.target).is_none_or(|target| target.fsm().state() != State::Unknown)
    }

    /// The body of a webhook.
    pub(crate) fn body(&self, webhook: &Webhook) -> String {
        message(webhook, self.transition(), self.occasion)
    }

    /// The environment of a hook.
    pub(crate) fn env(&self) -> Vec<(&'static str, String)> {
        let latency = self.latency.map(|latency| latency_ms(latency).to_string());
        let mut env = vec![
            ("PINGSTATE_TARGET", self.name.replace('\0', "")),
            ("PINGSTATE_FROM", self.from.to_string()),
            ("PINGSTATE_TO", self.to.to_string()),
            ("PINGSTATE_DETAIL", self.detail.to_string()),
            ("PINGSTATE_ERROR", self.error.map_or("", Reason::as_str).to_owned()),
            ("PINGSTATE_LATENCY_MS", latency.unwrap_or_default()),
            ("PINGSTATE_PROBE", self.url.replace('\0', "")),
            ("PINGSTATE_SINCE_S", age_s(self.previous_state_duration).to_string()),
            ("PINGSTATE_TEXT", sentence(&self.transition(), self.occasion).replace('\0', "")),
        ];
        match self.occasion {
            Occasion::Change { .. } => {}
            Occasion::Reminder(number) => env.push(("PINGSTATE_REMINDER", number.to_string())),
            Occasion::Test => env.push(("PINGSTATE_TEST", "1".to_owned())),
        }
        env.extend(self.held_children.map(|count| ("PINGSTATE_HELD", count.to_string())));
        env
    }

    fn transition(&self) -> Transition<'_> {
        Transition {
            ts: self.ts,
            name: &self.name,
            url: Some(&self.url),
            from: self.from,
            to: self.to,
            detail: Some(&self.detail),
            error: self.error,
            latency: self.latency,
            previous_state_duration: self.previous_state_duration,
        }
    }
}
