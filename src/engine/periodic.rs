//! Periodic requests: the metrics that are pushed to a URL, and a GET that shows that the daemon runs.
//!
//! A request runs like a check of a target. The next one is not sent before it has ended, and nothing is queued: the
//! next push has newer values. The metrics of 10,000 targets have several MB: they are rendered in pieces as the
//! connection takes them.

use std::time::Duration;

use super::context::Context;
use super::limits::{ALIVE_INTERVAL, PUSH_INTERVAL};
use super::owners::{Owner, RequestKind};
use crate::api::counters::{Connections, ProcessStats};
use crate::api::metrics::Position;
use crate::probe::build::PeriodicRequest;
use crate::result::ProbeResult;

#[derive(Default)]
pub(super) struct PeriodicRequests {
    /// By [`RequestKind::index`].
    list: [Option<Box<Periodic>>; RequestKind::ALL.len()],
}

pub(super) struct Periodic {
    pub(super) request: PeriodicRequest,
    pub(super) interval: Duration,
    is_due: bool,
    pub(super) progress: Progress,
    /// Since the last success.
    failures: u32,
}

pub(super) enum Progress {
    Idle,
    /// A push waits for [`Output::ReadProcessStats`](super::Output::ReadProcessStats).
    AwaitingStats,
    Sending(Option<Upload>),
}

/// The metrics of one push: up to where they are rendered, and what was read at its start.
pub(super) struct Upload {
    pub(super) position: Position,
    pub(super) connections: Connections,
    pub(super) process_stats: ProcessStats,
}

impl PeriodicRequests {
    /// The first request is sent in the next turn.
    #[cold]
    pub(super) fn add(&mut self, kind: RequestKind, request: PeriodicRequest, cx: &mut Context) {
        let interval = request.interval_or(match kind {
            RequestKind::Push => PUSH_INTERVAL,
            RequestKind::Alive => ALIVE_INTERVAL,
        });
        let (is_due, progress) = (false, Progress::Idle);
        self.list[kind.index()] =
            Some(Box::new(Periodic { request, interval, is_due, progress, failures: 0 }));
        cx.timers.set(Owner::Request(kind), Some(cx.now.instant));
    }

    /// The request that is due, unless the previous one is in flight. Sets the timer for the next one.
    pub(super) fn take_due(&mut self, kind: RequestKind, cx: &mut Context) -> Option<&mut Periodic> {
        let periodic = self.get_mut(kind).filter(|periodic| periodic.is_due)?;
        periodic.is_due = false;
        cx.timers.set(Owner::Request(kind), Some(cx.now.instant + periodic.interval));
        matches!(periodic.progress, Progress::Idle).then_some(periodic)
    }

    /// The request is sent after the other deadlines of the turn.
    #[cold]
    pub(super) fn note_due(&mut self, kind: RequestKind) {
        if let Some(periodic) = self.get_mut(kind) {
            periodic.is_due = true;
        }
    }

    #[cold]
    pub(super) fn handle_result(&mut self, kind: RequestKind, result: &ProbeResult, cx: &mut Context) {
        let Some(periodic) = self.get_mut(kind) else { return };
        periodic.progress = Progress::Idle;
        let request = &periodic.request;
        let what = match kind {
            RequestKind::Push => "push to",
            RequestKind::Alive => "alive request to",
        };
        if result.ok {
            let failures = std::mem::take(&mut periodic.failures);
            if failures > 0 {
                let noun = if failures == 1 { "failure" } else { "failures" };
                cx.log(format!("{what} {request}: works again after {failures} {noun}"));
            }
            return;
        }
        periodic.failures = periodic.failures.saturating_add(1);
        if periodic.failures == 1 {
            let why = request.redacted(&result.detail);
            cx.log(format!("{what} {request}: {why}, will be retried"));
        }
    }

    pub(super) fn get_mut(&mut self, kind: RequestKind) -> Option<&mut Periodic> {
        self.list[kind.index()].as_deref_mut()
    }
}
