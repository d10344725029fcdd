//! `/metrics` and pushes: the daemon's counters and the process statistics, which are read for each request.

use super::{ConnOwner, Engine};
use crate::api::counters::{Connections, Figures, ProcessStats};
use crate::api::metrics::metrics;
use crate::api::routes::ListingPage;
use crate::clock::Now;

impl Engine {
    /// The result of [`Output::ReadProcessStats`](super::Output::ReadProcessStats).
    pub(crate) fn handle_process_stats(&mut self, process_stats: ProcessStats, now: Now) {
        self.update_clock(now);
        let connections = self.count_connections();
        if !self.api.awaiting_stats.is_empty() {
            self.api.make_room(&ListingPage::Metrics, &mut self.cx);
            let counters = &self.cx.counters;
            let process_stats = process_stats.clone();
            let figures = Figures { counters, connections, process_stats, started: self.started };
            let body = metrics(&self.cx.targets, &figures, self.cx.now);
            self.api.handle_metrics(body, &mut self.cx);
        }
        self.start_push(connections, process_stats);
    }

    fn count_connections(&self) -> Connections {
        let mut connections = Connections::default();
        for (id, owner) in self.cx.conns() {
            *match owner {
                ConnOwner::Connecting { .. } | ConnOwner::Connected(_) => &mut connections.probe,
                ConnOwner::Client if self.api.is_stream(id) => &mut connections.stream,
                ConnOwner::Client => &mut connections.client,
                ConnOwner::Query(_) => &mut connections.dns,
            } += 1;
        }
        connections
    }
}
