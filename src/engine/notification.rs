//! A notification: what hooks and webhooks report.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use crate::fsm::{Change, State};
use crate::monitor::{Due, Notifications, Notify, TargetId, Targets, is_notified};
use crate::result::Reason;
use crate::snapshot::transition::Transition;

#[derive(Clone, Debug)]
pub(super) struct Notification {
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
    /// The number of the reminder; 0 for a change.
    pub(super) reminder: u32,
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
        let (from, reminder) = match due {
            Due::Change { from } => (from, 0),
            Due::Reminder(number) => (State::Down, number),
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
            reminder,
        };
        Some((notification, settings))
    }

    /// Merges a later notification of the same target into this one, which has not been delivered. Returns
    /// whether there is something to deliver: the receiver knows the state of `from`.
    pub(super) fn merge(&mut self, later: Notification) -> bool {
        if later.reminder > 0 && self.reminder == 0 {
            // The change to down is still to be delivered.
            return true;
        }
        *self = Notification { from: self.from, ..later };
        self.reminder > 0 || is_notified(self.notify, self.from, self.to)
    }

    /// A target that is paused or not yet checked again has a state that is not notified. Its notifications wait
    /// for the next check, which may cancel them.
    pub(super) fn is_due(&self, targets: &Targets) -> bool {
        targets.get(self.target).is_none_or(|target| target.fsm().state() != State::Unknown)
    }

    pub(super) fn transition(&self) -> Transition<'_> {
        Transition {
            ts: self.ts,
            name: &self.name,
            url: &self.url,
            from: self.from,
            to: self.to,
            detail: &self.detail,
            error: self.error,
            latency: self.latency,
            previous_state_duration: self.previous_state_duration,
        }
    }
}
