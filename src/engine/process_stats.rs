//! The figures of the daemon: what it counts of itself, and what the system knows of the process, which
//! is asked for when a client wants it.

use super::limits::CLIENT_IDLE;
use super::{Conn, ConnId, Engine, Output, Owner};
use crate::api::counters::{Connections, Figures, ProcessStats};
use crate::api::metrics::metrics;
use crate::api::routes::ResponseSize;
use crate::clock::Now;
use crate::wire::http::request::Request;

impl Engine {
    /// Keeps a request until the process has been measured.
    pub(super) fn await_process_stats(&mut self, id: ConnId, request: Request, size: ResponseSize, now: Now) {
        let Some(caller) = self.caller(id) else { return };
        caller.defer_request(request, size);
        self.timers.set(Owner::Client(id), Some(now.instant + CLIENT_IDLE));
        self.response_budget.measure_for(id);
        self.outputs.push_back(Output::ReadProcessStats);
    }

    /// The answer to [`Output::ReadProcessStats`].
    pub(crate) fn handle_process_stats(&mut self, process_stats: ProcessStats, now: Now) {
        let now = self.update_clock(now);
        let client = self.response_budget.take_measured();
        let held = client.and_then(|id| Some((id, self.caller(id)?.take_held()?)));
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
