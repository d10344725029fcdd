//! Notifications to the service manager (sd_notify(3)).

use std::time::{Duration, Instant};

use super::context::Context;
use super::limits::STATUS_PAUSE;
use super::messages::Output;
use super::owners::Owner;
use crate::fsm::State;
use crate::monitor::{StateCounts, Targets};
use crate::text::printable;

const REFUSAL_SHOWN_MAX: usize = 200;

pub(super) struct ServiceManager {
    status: String,
    status_sent_at: Instant,
    watchdog: Option<Duration>,
    /// The error of the last reload; empty if it was accepted.
    refusal: String,
}

impl ServiceManager {
    pub(super) fn new(watchdog: Option<Duration>, cx: &mut Context) -> Self {
        let status = status(&cx.targets, "");
        cx.outputs.push_back(Output::Notify(format!("READY=1\nSTATUS={status}")));
        let manager =
            ServiceManager { status, status_sent_at: cx.now.instant, watchdog, refusal: String::new() };
        manager.set_watchdog_timer(cx);
        manager
    }

    /// The status shows the error of a reload until one is accepted (`refusal` is empty).
    #[cold]
    pub(super) fn note_reload(&mut self, refusal: &str, cx: &mut Context) {
        self.refusal = printable(refusal, REFUSAL_SHOWN_MAX);
        self.schedule_status(cx);
    }

    /// Sends a changed status now or, after [`STATUS_PAUSE`], later.
    pub(super) fn schedule_status(&mut self, cx: &mut Context) {
        let at = self.status_sent_at + STATUS_PAUSE;
        match at <= cx.now.instant {
            true => self.send_status(cx),
            false => cx.timers.set(Owner::Status, Some(at)),
        }
    }

    #[cold]
    pub(super) fn send_status(&mut self, cx: &mut Context) {
        let status = status(&cx.targets, &self.refusal);
        if status != self.status {
            cx.outputs.push_back(Output::Notify(format!("STATUS={status}")));
            (self.status, self.status_sent_at) = (status, cx.now.instant);
        }
    }

    /// Sends a watchdog ping if all checks are on time. Called after all other deadlines of the turn.
    #[cold]
    pub(super) fn handle_watchdog(&mut self, is_on_time: bool, cx: &mut Context) {
        if is_on_time {
            cx.outputs.push_back(Output::Notify("WATCHDOG=1".to_owned()));
        }
        self.set_watchdog_timer(cx);
    }

    fn set_watchdog_timer(&self, cx: &mut Context) {
        let at = self.watchdog.map(|interval| cx.now.instant + interval);
        cx.timers.set(Owner::Watchdog, at);
    }
}

fn status(targets: &Targets, refusal: &str) -> String {
    let StateCounts { by_state, paused } = targets.counts();
    let mut status = String::new();
    let states = [State::Up, State::Degraded, State::Down, State::Unknown];
    let counts = states.map(|state| (by_state[state.index()], state.as_str()));
    for (count, word) in counts.into_iter().chain([(paused, "paused")]) {
        if count > 0 {
            let comma = if status.is_empty() { "" } else { ", " };
            status.push_str(&format!("{comma}{count} {word}"));
        }
    }
    if status.is_empty() {
        status.push_str("no targets");
    }
    if !refusal.is_empty() {
        status.push_str(&format!("; not reloaded: {refusal}"));
    }
    status
}
