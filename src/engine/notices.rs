//! Notifications other than the API's: log lines, the service manager (sd_notify(3)), hooks and webhooks.

use std::time::{Duration, Instant};

use super::limits::{STATUS_PAUSE, WATCHDOG_SLACK};
use super::owners::{Owner, RunOwner};
use super::{Engine, Output};
use crate::clock::Now;
use crate::fsm::{Change, State};
use crate::monitor::{Target, TargetId};
use crate::result::printable;

/// Characters of the error of a refused reload in the status.
const REFUSAL_SHOWN_MAX: usize = 200;

pub(super) struct ServiceManager {
    /// The last status sent.
    status: String,
    status_sent_at: Instant,
    /// Interval of watchdog pings.
    watchdog: Option<Duration>,
    /// The error of the last reload; empty if it was accepted.
    refusal: String,
}

impl Engine {
    /// Sends READY=1 to a service manager, and from now on its status and, if requested, watchdog pings at
    /// this interval.
    pub(crate) fn attach_service_manager(&mut self, watchdog: Option<Duration>, now: Now) {
        let now = self.update_clock(now);
        let status = self.status();
        self.cx.outputs.push_back(Output::Notify(format!("READY=1\nSTATUS={status}")));
        self.manager =
            Some(ServiceManager { status, status_sent_at: now.instant, watchdog, refusal: String::new() });
        self.set_watchdog_timer(now);
    }

    /// Records the result of a reload: an error, or empty if it was accepted. The service manager's status
    /// shows an error until a reload is accepted.
    #[cold]
    pub(crate) fn note_reload(&mut self, refusal: &str, now: Now) {
        if let Some(manager) = &mut self.manager {
            manager.refusal = printable(refusal, REFUSAL_SHOWN_MAX);
        }
        self.schedule_status(now);
    }

    /// Sends a message to the service manager, if there is one.
    pub(crate) fn notify(&mut self, text: &str) {
        if self.manager.is_some() {
            self.cx.outputs.push_back(Output::Notify(text.to_owned()));
        }
    }

    /// Notifies the target's hook, its webhook and the service manager of a change of state.
    pub(super) fn notify_state_change(&mut self, target: TargetId, change: &Change, now: Now) {
        self.queue_hook(target, change, now);
        self.queue_delivery(target, change, now);
        self.schedule_status(now);
    }

    /// Sends a changed status now or, after [`STATUS_PAUSE`], later.
    pub(super) fn schedule_status(&mut self, now: Now) {
        let at = self.manager.as_ref().map(|manager| manager.status_sent_at + STATUS_PAUSE);
        match at {
            Some(at) if at <= now.instant => self.send_status(now),
            at => self.cx.timers.set(Owner::Status, at),
        }
    }

    /// Sends the status if it has changed.
    #[cold]
    pub(super) fn send_status(&mut self, now: Now) {
        let status = self.status();
        let Some(manager) = self.manager.as_mut().filter(|manager| manager.status != status) else { return };
        self.cx.outputs.push_back(Output::Notify(format!("STATUS={status}")));
        (manager.status, manager.status_sent_at) = (status, now.instant);
    }

    /// Sends a watchdog ping if all checks are on time. Called after all other deadlines of the turn.
    #[cold]
    pub(super) fn handle_watchdog(&mut self, now: Now) {
        if self.is_on_time(now) {
            self.notify("WATCHDOG=1");
        }
        self.set_watchdog_timer(now);
    }

    fn set_watchdog_timer(&mut self, now: Now) {
        let every = self.manager.as_ref().and_then(|manager| manager.watchdog);
        self.cx.timers.set(Owner::Watchdog, every.map(|every| now.instant + every));
    }

    /// Whether every due check has started and every expired one has ended. It reads the checks, not the
    /// timers: a lost timer must stop the watchdog pings.
    fn is_on_time(&self, now: Now) -> bool {
        let is_late = |at: Instant| at + WATCHDOG_SLACK < now.instant;
        let is_idle = |target: &&Target| self.runs.get(RunOwner::Target(target.id())).is_none();
        self.runs.iter().all(|run| !is_late(run.deadline()))
            && self.cx.targets.list().iter().filter(is_idle).all(|target| !is_late(target.due()))
    }

    /// The number of targets in each state, and the error of the last reload.
    fn status(&self) -> String {
        let counts = self.cx.targets.counts();
        let mut status = String::new();
        for state in [State::Up, State::Degraded, State::Down, State::Unknown] {
            let count = counts[state.index()];
            if count > 0 {
                let comma = if status.is_empty() { "" } else { ", " };
                status.push_str(&format!("{comma}{count} {state}"));
            }
        }
        if status.is_empty() {
            status.push_str("no targets");
        }
        if let Some(manager) = self.manager.as_ref().filter(|manager| !manager.refusal.is_empty()) {
            status.push_str(&format!("; not reloaded: {}", manager.refusal));
        }
        status
    }
}
