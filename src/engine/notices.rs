//! Who is told what besides the API's clients: people by lines, the service manager by its protocol
//! (sd_notify(3)), and the targets' hooks and webhooks.

use std::time::{Duration, Instant};

use super::limits::{STATUS_PAUSE, WATCHDOG_SLACK};
use super::{Engine, Output, Owner};
use crate::clock::Now;
use crate::fsm::{Change, State};
use crate::result::printable;

/// How much of the reason for which a reload was refused the status shows, in characters.
const REFUSAL_SHOWN_MAX: usize = 200;

/// What the service manager was told, and what it wants.
pub(super) struct ServiceManager {
    status: String,
    told: Instant,
    /// How often it wants a sign of life.
    watchdog: Option<Duration>,
    /// Why the last reload was refused; empty if it was not.
    refusal: String,
}

impl Engine {
    /// There is a service manager, which may want a sign of life at these times: it is told that the
    /// daemon serves, and from now on what there is to tell.
    pub(crate) fn attach_service_manager(&mut self, watchdog: Option<Duration>, now: Now) {
        let now = self.update_clock(now);
        let status = self.status();
        self.outputs.push_back(Output::Notify(format!("READY=1\nSTATUS={status}")));
        self.manager = Some(ServiceManager { status, told: now.instant, watchdog, refusal: String::new() });
        self.set_watchdog_timer(now);
    }

    /// Another list of targets was refused, for this reason, or accepted if it is empty. The service
    /// manager's status shows a refusal until the next list is accepted.
    #[cold]
    pub(crate) fn note_reload(&mut self, refusal: &str, now: Now) {
        if let Some(manager) = &mut self.manager {
            manager.refusal = printable(refusal, REFUSAL_SHOWN_MAX);
        }
        self.tell_status_soon(now);
    }

    /// Tells the service manager, if there is one.
    pub(crate) fn notify(&mut self, text: &str) {
        if self.manager.is_some() {
            self.outputs.push_back(Output::Notify(text.to_owned()));
        }
    }

    /// Tells people.
    pub(super) fn log_notice(&mut self, line: String) {
        self.outputs.push_back(Output::Log(line));
    }

    /// Tells everybody who is concerned that a target has changed its state.
    pub(super) fn notify_state_change(&mut self, target: usize, change: &Change, now: Now) {
        self.call_hook(target, change, now);
        self.post(target, change, now);
        self.tell_status_soon(now);
    }

    /// There may be another status for the service manager: it is told at once, or when it may be again.
    pub(super) fn tell_status_soon(&mut self, now: Now) {
        let at = self.manager.as_ref().map(|manager| manager.told + STATUS_PAUSE);
        match at {
            Some(at) if at <= now.instant => self.tell_status(now),
            at => self.timers.set(Owner::Status, at),
        }
    }

    /// Tells the service manager of the state, unless it knows.
    #[cold]
    pub(super) fn tell_status(&mut self, now: Now) {
        let status = self.status();
        let Some(manager) = self.manager.as_mut().filter(|manager| manager.status != status) else { return };
        self.outputs.push_back(Output::Notify(format!("STATUS={status}")));
        (manager.status, manager.told) = (status, now.instant);
    }

    /// The sign of life is due. Whatever else was due has been done before, or there is none.
    #[cold]
    pub(super) fn handle_watchdog(&mut self, now: Now) {
        if self.is_on_time(now) {
            self.notify("WATCHDOG=1");
        }
        self.set_watchdog_timer(now);
    }

    fn set_watchdog_timer(&mut self, now: Now) {
        let every = self.manager.as_ref().and_then(|manager| manager.watchdog);
        self.timers.set(Owner::Watchdog, every.map(|every| now.instant + every));
    }

    /// Whether every check that was due has begun, and every one whose time is up has ended. It asks the
    /// checks, not the deadlines that they are started and ended by.
    fn is_on_time(&self, now: Now) -> bool {
        let is_late = |at: Instant| at + WATCHDOG_SLACK < now.instant;
        self.runs.iter().enumerate().all(|(place, this)| match this {
            Some(this) => !is_late(this.deadline()),
            None => self.slot(place).is_some() || !is_late(self.fleet.watch(place).due()),
        })
    }

    /// How many targets are in which state, in words.
    fn status(&self) -> String {
        let counts = self.fleet.counts();
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
