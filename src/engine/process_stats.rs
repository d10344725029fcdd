//! `/metrics`: the daemon's counters and the process statistics, which are read for each request.

use super::{ConnId, ConnOwner, Engine, Output};
use crate::api::counters::{Connections, Figures, ProcessStats};
use crate::api::metrics::metrics;
use crate::api::routes::ListingPage;
use crate::clock::Now;
use crate::wire::http::request::Request;

impl Engine {
    /// Defers a request until the process statistics have been read.
    pub(super) fn await_process_stats(&mut self, id: ConnId, request: Request) {
        let Some(conn) = self.api_conn(id) else { return };
        conn.held = Some(request);
        if self.awaiting_stats.is_empty() {
            self.cx.outputs.push_back(Output::ReadProcessStats);
        }
        self.awaiting_stats.push(id);
    }

    /// The result of [`Output::ReadProcessStats`].
    pub(crate) fn handle_process_stats(&mut self, process_stats: ProcessStats, now: Now) {
        let now = self.update_clock(now);
        self.make_room(ListingPage::Metrics);
        let figures = Figures {
            counters: &self.cx.counters,
            connections: self.count_connections(),
            process_stats,
            started: self.started,
        };
        let body = metrics(&self.cx.targets, &figures, now);
        let body = self.add_listing(ListingPage::Metrics, body, now);
        for id in std::mem::take(&mut self.awaiting_stats) {
            if let Some(request) = self.api_conn(id).and_then(|conn| conn.held.take()) {
                self.send_listing(id, &request, ListingPage::Metrics, body.clone(), now);
            }
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
