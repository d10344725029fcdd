//! Sends the periodic requests.

use super::Engine;
use super::messages::Output;
use super::owners::{Owner, RequestKind, RunOwner};
use super::periodic::{Progress, Upload};
use crate::api::counters::{Connections, Figures, ProcessStats};
use crate::api::metrics::{PUSH_CONTENT_TYPE, Position};
use crate::clock::Now;
use crate::probe::build::PeriodicRequest;

impl Engine {
    /// Sends these requests from now on.
    #[cold]
    pub(crate) fn attach_requests(
        &mut self,
        push: Option<PeriodicRequest>,
        alive: Option<PeriodicRequest>,
        now: Now,
    ) {
        self.update_clock(now);
        for (kind, request) in RequestKind::ALL.into_iter().zip([push, alive]) {
            if let Some(request) = request {
                self.requests.add(kind, request, &mut self.cx);
            }
        }
    }

    /// Called after all other deadlines of the turn, like the watchdog ping.
    pub(super) fn start_requests(&mut self) {
        for kind in RequestKind::ALL {
            let Some(periodic) = self.requests.take_due(kind, &mut self.cx) else { continue };
            match kind {
                RequestKind::Push => {
                    periodic.progress = Progress::AwaitingStats;
                    self.cx.outputs.push_back(Output::ReadProcessStats);
                }
                RequestKind::Alive if self.runs.is_on_time(&self.cx) => self.begin_request(kind, None),
                RequestKind::Alive => {}
            }
        }
    }

    /// Starts the push that waits for the process statistics.
    pub(super) fn start_push(&mut self, connections: Connections, process_stats: ProcessStats) {
        let kind = RequestKind::Push;
        let Some(periodic) = self.requests.get_mut(kind) else { return };
        if matches!(periodic.progress, Progress::AwaitingStats) {
            self.begin_request(
                kind,
                Some(Upload { position: Position::default(), connections, process_stats }),
            );
        }
    }

    #[cold]
    fn begin_request(&mut self, kind: RequestKind, upload: Option<Upload>) {
        let Some(periodic) = self.requests.get_mut(kind) else { return };
        let attempt = match kind {
            RequestKind::Push => periodic.request.post(PUSH_CONTENT_TYPE, self.cx.now),
            RequestKind::Alive => periodic.request.get(self.cx.now),
        };
        periodic.progress = Progress::Sending(upload);
        self.runs.begin(RunOwner::Request(kind), attempt, PeriodicRequest::TIMEOUT, None, &mut self.cx);
        self.process_events();
        self.set_wakeup();
    }

    /// Renders the next piece of the metrics.
    #[cold]
    pub(super) fn send_content(&mut self, kind: RequestKind) {
        let Some(periodic) = self.requests.get_mut(kind) else { return };
        let Progress::Sending(Some(upload)) = &mut periodic.progress else { return };
        let figures = Figures {
            counters: &self.cx.counters,
            connections: upload.connections,
            process_stats: upload.process_stats.clone(),
            started: self.started,
        };
        let piece = upload.position.next_piece(&self.cx.targets, &figures, self.cx.now);
        self.runs.handle_content(RunOwner::Request(kind), &piece, &mut self.cx);
    }

    /// A push cannot continue with another list of targets: it ends without a result and begins anew.
    pub(super) fn restart_push(&mut self) {
        let kind = RequestKind::Push;
        let Some(periodic) = self.requests.get_mut(kind) else { return };
        if matches!(periodic.progress, Progress::Sending(_)) {
            periodic.progress = Progress::Idle;
            self.runs.abandon(RunOwner::Request(kind), &mut self.cx);
            self.cx.timers.set(Owner::Request(kind), Some(self.cx.now.instant));
        }
    }
}
