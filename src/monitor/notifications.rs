//! Which changes of a target are notified, and how.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Hook, Monitor};
use crate::fsm::State;
use crate::probe::build::Webhook;

/// Which changes of state are notified: see [`Notifications::notify`].
///
/// ```
/// use pingstate::{Notifications, Notify};
///
/// let notifications = Notifications::new().notify(Notify::All);
/// # assert!(format!("{notifications:?}").contains("All"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Notify {
    /// That the target is down, and that it is up or degraded after that.
    #[default]
    Down,
    /// Every change of state except that from unknown to up by the first check, and those to unknown.
    All,
    /// As `All`, and also the change from unknown to up.
    AllAndFirst,
}

/// The notifications of a target: their receivers, and when they are sent.
///
/// Without a receiver there are none. A change that follows while a notification of the same target waits is
/// merged with it: each receiver gets one from the last state that it knows to the current one, and none if
/// these are the same.
///
/// ```
/// use pingstate::{Error, Hook, Monitor, Notifications, Webhook, blocking};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// let notifications = Notifications::new()
///     .hook(Hook::new(["sh", "-c", "echo \"$PINGSTATE_TEXT\" | mail ops"]))
///     .webhook(Webhook::new("http://127.0.0.1:9000/", None)?)
///     .remind(Duration::from_secs(3600));
/// let notifications = Arc::new(notifications);
/// let monitors = ["a", "b"]
///     .map(|name| Monitor::new(blocking(name, || true)).notifications(notifications.clone()));
/// # assert_eq!(monitors[1].name(), "b");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Notifications {
    pub(crate) hook: Option<Arc<Hook>>,
    pub(crate) webhook: Option<Arc<Webhook>>,
    pub(crate) notify: Notify,
    pub(crate) remind: Option<Duration>,
}

impl Notifications {
    /// The shortest interval of reminders: one minute.
    pub const REMIND_MIN: Duration = Duration::from_secs(60);

    /// Without receivers.
    #[must_use]
    pub fn new() -> Self {
        Notifications::default()
    }

    /// Runs a command for each notification, one at a time for each target. The environment describes the
    /// change: `PINGSTATE_TARGET`, `PINGSTATE_FROM`, `PINGSTATE_TO`, `PINGSTATE_DETAIL`, `PINGSTATE_ERROR`,
    /// `PINGSTATE_LATENCY_MS` (these two empty if not applicable), `PINGSTATE_PROBE`, `PINGSTATE_SINCE_S`,
    /// for a reminder its number in `PINGSTATE_REMINDER`, and for a target on which others depend the number of those that
    /// are not reported because of it in `PINGSTATE_HELD`. The command inherits no descriptors: all open
    /// descriptors of the program are set to close on exec.
    #[must_use]
    pub fn hook(mut self, hook: impl Into<Arc<Hook>>) -> Self {
        self.hook = Some(hook.into());
        self
    }

    /// Posts each notification as JSON, one at a time for each URL.
    #[must_use]
    pub fn webhook(mut self, webhook: impl Into<Arc<Webhook>>) -> Self {
        self.webhook = Some(webhook.into());
        self
    }

    /// Default: [`Notify::Down`].
    #[must_use]
    pub fn notify(mut self, notify: Notify) -> Self {
        self.notify = notify;
        self
    }

    /// Notifies again while the target is down: with the first check that ends this long after the last
    /// notification. [`Notifications::REMIND_MIN`] to [`Monitor::INTERVAL_MAX`]. Default: no reminders.
    #[must_use]
    pub fn remind(mut self, interval: Duration) -> Self {
        self.remind = Some(interval);
        self
    }
}

impl Monitor {
    /// Sends notifications. Default: none.
    #[must_use]
    pub fn notifications(mut self, notifications: impl Into<Arc<Notifications>>) -> Self {
        self.notifications = Some(notifications.into());
        self
    }
}

/// The state that the receivers of a target know, or would know if there were any.
#[derive(Clone, Debug)]
pub(crate) struct Notified {
    state: State,
    reminders: Option<Box<Reminders>>,
}

#[derive(Clone, Debug)]
struct Reminders {
    next: Instant,
    count: u32,
}

/// What must be notified after a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The state before, as the receivers know it.
    Change { from: State },
    /// Its number, from 1.
    Reminder(u32),
}

impl Notified {
    pub(super) fn new(state: State) -> Self {
        Notified { state, reminders: None }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// The number of reminders that were sent, and the time until the next one.
    pub(super) fn save_reminders(&self, now: Instant) -> Option<(u32, Duration)> {
        let reminders = self.reminders.as_ref()?;
        Some((reminders.count, reminders.next.saturating_duration_since(now)))
    }

    /// Reminders begin anew after a pause.
    pub(super) fn pause(&mut self) {
        self.reminders = None;
    }

    /// As saved `gap` ago.
    pub(super) fn restore(
        state: State,
        reminders: Option<(u32, Duration)>,
        gap: Duration,
        now: Instant,
    ) -> Self {
        let reminders = reminders.map(|(count, rest)| {
            let rest = rest.saturating_sub(gap).min(Monitor::INTERVAL_MAX);
            Box::new(Reminders { next: now + rest, count })
        });
        Notified { state, reminders }
    }

    /// `from` is the state before the check if it was changed by it.
    pub(super) fn update(
        &mut self,
        from: Option<State>,
        state: State,
        settings: Option<&Notifications>,
        now: Instant,
    ) -> Option<Due> {
        let (notify, remind) =
            settings.map_or((Notify::Down, None), |settings| (settings.notify, settings.remind));
        let Some(from) = from.filter(|_| state != State::Unknown) else {
            return self.remind(state, remind?, now).map(Due::Reminder);
        };
        let known = std::mem::replace(&mut self.state, state);
        if known == state {
            // It was unknown meanwhile: by a pause or a restart.
            return self.remind(state, remind?, now).map(Due::Reminder);
        }
        self.reminders = None;
        if let Some(interval) = remind.filter(|_| state == State::Down) {
            self.reminders = Some(Box::new(Reminders { next: now + interval, count: 0 }));
        }
        // A pause is not notified: the state before it is the one that the receivers know.
        let from = if from == State::Unknown { known } else { from };
        is_notified(notify, known, state).then_some(Due::Change { from })
    }

    fn remind(&mut self, state: State, interval: Duration, now: Instant) -> Option<u32> {
        if state != State::Down {
            return None;
        }
        let first = || Box::new(Reminders { next: now + interval, count: 0 });
        let reminders = self.reminders.get_or_insert_with(first);
        if now < reminders.next {
            return None;
        }
        (reminders.next, reminders.count) = (now + interval, reminders.count.saturating_add(1));
        Some(reminders.count)
    }
}

/// Whether receivers that know one state are notified of the other.
pub(crate) fn is_notified(notify: Notify, known: State, state: State) -> bool {
    match notify {
        Notify::Down => (known == State::Down) != (state == State::Down),
        Notify::All => known != state && (known, state) != (State::Unknown, State::Up),
        Notify::AllAndFirst => known != state,
    }
}

#[cfg(test)]
mod tests;
