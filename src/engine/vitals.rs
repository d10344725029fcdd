//! The figures of the daemon: what it counts of itself, and what the system knows of the process, which
//! is asked for when a client wants it.

use super::limits::CLIENT_IDLE;
use super::{Conn, ConnId, Engine, Output, Owner};
use crate::api::counters::{Connections, Figures, Vitals};
use crate::api::metrics::metrics;
use crate::api::routes::Bulk;
use crate::clock::Now;
use crate::wire::http::request::Request;

impl Engine {
    /// Keeps a request until the process has been measured.
    pub(super) fn await_vitals(&mut self, id: ConnId, request: Request, bulk: Bulk, now: Now) {
        let Some(caller) = self.caller(id) else { return };
        caller.hold(request, bulk);
        self.timers.set(Owner::Client(id), Some(now.instant + CLIENT_IDLE));
        self.owed.measure_for(id);
        self.outputs.push_back(Output::Measure);
    }

    /// The answer to [`Output::Measure`].
    pub(crate) fn handle_vitals(&mut self, vitals: Vitals, now: Now) {
        let now = self.observe(now);
        let client = self.owed.take_measured();
        let held = client.and_then(|id| Some((id, self.caller(id)?.take_held()?)));
        if let Some((id, (request, bulk))) = held {
            let figures = Figures {
                counters: &self.counters,
                connections: self.count_connections(),
                vitals,
                started: self.started,
            };
            let response = metrics(&self.fleet, &figures, now);
            self.respond(id, &request, bulk, response, now);
        }
        self.settle(now);
    }

    fn count_connections(&self) -> Connections {
        let mut counts = Connections::default();
        for (_, conn) in self.conns.iter() {
            *match conn {
                Conn::Dialed { .. } | Conn::Probed { .. } => &mut counts.probe,
                Conn::Client(_) => &mut counts.client,
                Conn::Stream(_) => &mut counts.stream,
                Conn::Query { .. } => &mut counts.dns,
            } += 1;
        }
        counts
    }
}
