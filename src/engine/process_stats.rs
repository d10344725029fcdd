//! `/metrics`: the daemon's counters and the process statistics, which are read for each request.

use super::limits::CLIENT_IDLE;
use super::{ConnId, ConnOwner, Engine, Output, Owner};
use crate::api::counters::{Connections, Figures, ProcessStats};
use crate::api::metrics::metrics;
use crate::api::routes::ResponseSize;
use crate::clock::Now;
use crate::wire::http::request::Request;

impl Engine {
    /// Defers a request until the process statistics have been read.
    pub(super) fn await_process_stats(&mut self, id: ConnId, request: Request, size: ResponseSize, now: Now) {
        let Some(conn) = self.api_conn(id) else { return };
        conn.defer_request(request, size);
        self.cx.timers.set(Owner::Client(id), Some(now.instant + CLIENT_IDLE));
        self.response_budget.measure_for(id);
        self.cx.outputs.push_back(Output::ReadProcessStats);
    }

    /// The result of [`Output::ReadProcessStats`].
    pub(crate) fn handle_process_stats(&mut self, process_stats: ProcessStats, now: Now) {
        let now = self.update_clock(now);
        let client = self.response_budget.take_measured();
        let held = client.and_then(|id| Some((id, self.api_conn(id)?.take_held()?)));
        if let Some((id, (request, size))) = held {
            let figures = Figures {
                counters: &self.cx.counters,
                connections: self.count_connections(),
                process_stats,
                started: self.started,
            };
            let response = metrics(&self.cx.targets, &figures, now);
            self.respond(id, &request, size, response, now);
        }
        self.process_events();
    }

    fn count_connections(&self) -> Connections {
        let mut counts = Connections::default();
        for (id, owner) in self.cx.conns() {
            *match owner {
                ConnOwner::Connecting { .. } | ConnOwner::Connected(_) => &mut counts.probe,
                ConnOwner::Client if self.is_stream(id) => &mut counts.stream,
                ConnOwner::Client => &mut counts.client,
                ConnOwner::Query(_) => &mut counts.dns,
            } += 1;
        }
        counts
    }
}
