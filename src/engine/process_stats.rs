//! `/metrics`: the daemon's counters and the process statistics, which are read for each request.

use super::limits::CLIENT_IDLE;
use super::{Conn, ConnId, Engine, Output, Owner};
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
        self.timers.set(Owner::Client(id), Some(now.instant + CLIENT_IDLE));
        self.response_budget.measure_for(id);
        self.outputs.push_back(Output::ReadProcessStats);
    }

    /// The result of [`Output::ReadProcessStats`].
    pub(crate) fn handle_process_stats(&mut self, process_stats: ProcessStats, now: Now) {
        let now = self.update_clock(now);
        let client = self.response_budget.take_measured();
        let held = client.and_then(|id| Some((id, self.api_conn(id)?.take_held()?)));
        if let Some((id, (request, size))) = held {
            let figures = Figures {
                counters: &self.counters,
                connections: self.count_connections(),
                process_stats,
                started: self.started,
            };
            let response = metrics(&self.fleet, &figures, now);
            self.respond(id, &request, size, response, now);
        }
        self.drain_resolver(now);
    }

    fn count_connections(&self) -> Connections {
        let mut counts = Connections::default();
        for (_, conn) in self.conns.iter() {
            *match conn {
                Conn::Connecting { .. } | Conn::Probed { .. } => &mut counts.probe,
                Conn::Client(_) => &mut counts.client,
                Conn::Stream(_) => &mut counts.stream,
                Conn::Query { .. } => &mut counts.dns,
            } += 1;
        }
        counts
    }
}
