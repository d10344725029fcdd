//! Pauses, and checks outside the schedule, by the program or by requests of the API.

use std::time::Duration;

use super::Engine;
use crate::api::control::{Action, Control, ControlScope, Requested};
use crate::api::listing::Contents;
use crate::api::response::Response;
use crate::api::routes::{ListingPage, snapshot};
use crate::clock::Now;
use crate::fsm::Change;
use crate::monitor::{Monitor, Target, TargetId};
use crate::probe::durations::long;
#[cfg(any(test, feature = "cli"))]
use crate::text::token::Token;

impl Engine {
    /// Starts a check outside the schedule, unless one is in flight or waits, or the target is paused.
    pub(crate) fn check_now(&mut self, target: TargetId, now: Now) {
        self.update_clock(now);
        self.runs.check_now(target, &mut self.cx);
        self.process_events();
        self.set_wakeup();
    }

    /// Pauses a target for `span`, or until it is resumed.
    #[cold]
    pub(crate) fn pause(&mut self, target: TargetId, span: Option<Duration>, now: Now) {
        self.update_clock(now);
        let span = span.filter(|span| *span <= Monitor::INTERVAL_MAX);
        let until = span.map(|span| self.cx.now.instant + span);
        self.runs.pause(&[target], until, &mut self.cx);
        self.process_events();
        self.set_wakeup();
    }

    #[cold]
    pub(crate) fn resume(&mut self, target: TargetId, now: Now) {
        self.update_clock(now);
        self.runs.resume(&[target], &mut self.cx);
        self.process_events();
        self.set_wakeup();
    }

    /// A single target is listed, too: see [`Targets::is_list`](crate::monitor::Targets::is_list).
    #[cold]
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn always_list(&mut self) {
        self.cx.targets.is_list = true;
    }

    /// Replaces the token of the API: see [`Access::set_token`](crate::api::access::Access::set_token).
    #[cold]
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn set_token(&mut self, token: Option<Token>, protects_reads: bool) {
        self.api.access.set_token(token, protects_reads);
    }

    /// Processes requests of the API, and responds to them.
    pub(super) fn process_controls(&mut self) {
        for (id, control) in std::mem::take(&mut self.api.controls) {
            let response = self.process_control(control);
            self.api.finish_control(id, response, &mut self.cx);
        }
    }

    /// The response, or the listing to respond with.
    #[cold]
    fn process_control(&mut self, Control { action, scope }: Control) -> Result<Response, ListingPage> {
        let (targets, name): (Vec<_>, _) = match &scope {
            ControlScope::All => (self.cx.targets.ids().collect(), "all targets".to_owned()),
            ControlScope::Group(group) => {
                (self.cx.targets.in_group(Some(group)).map(Target::id).collect(), ["group ", group].concat())
            }
            ControlScope::Target(id) => {
                (vec![*id], self.cx.targets.get(*id).map_or("", Target::name).to_owned())
            }
        };
        let done = match action {
            Action::Pause(span) => {
                self.runs.pause(&targets, Some(self.cx.now.instant + span), &mut self.cx);
                format!("paused for {}", long(span))
            }
            Action::Resume if self.runs.resume(&targets, &mut self.cx) > 0 => "resumed".to_owned(),
            Action::Resume => String::new(),
            Action::Check => return Ok(self.request_checks(&targets).response()),
        };
        if !done.is_empty() {
            self.cx.log([&name, ": ", &done].concat());
        }
        let listing = |group| ListingPage::Status(Contents { group, ..Contents::default() });
        match scope {
            ControlScope::All => Err(listing(None)),
            ControlScope::Group(group) => Err(listing(Some(group))),
            ControlScope::Target(id) => {
                let snapshot = |target| snapshot(target, false, self.cx.now);
                Ok(self.cx.targets.get(id).map_or_else(|| Response::error(404), snapshot))
            }
        }
    }

    fn request_checks(&mut self, targets: &[TargetId]) -> Requested {
        let mut requested = Requested::default();
        let mut probed = targets.to_vec();
        probed.retain(|id| {
            let Some(target) = self.cx.targets.get(*id) else { return false };
            let (is_paused, is_heartbeat) = (target.is_paused(), target.heartbeat().is_some());
            requested.paused += usize::from(is_paused);
            requested.heartbeats += usize::from(is_heartbeat && !is_paused);
            !is_paused && !is_heartbeat
        });
        requested.checked = probed.len();
        self.runs.request_checks(&probed, &mut self.cx);
        requested
    }

    /// A pause of a target has begun or ended.
    #[cold]
    pub(super) fn note_pause(&mut self, target: TargetId, change: Option<&Change>) {
        if let Some(change) = change {
            self.event_log.note_pause(target, change, self.cx.now);
        }
        // Clients wait for the worst state of all targets, which may be another one now.
        self.has_unpublished = !self.api.streams.is_empty();
        if let Some(manager) = &mut self.manager {
            manager.schedule_status(&mut self.cx);
        }
    }
}
