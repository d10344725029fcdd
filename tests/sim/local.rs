//! What checks depend on besides the target: how its addresses are learned, and what the machine lacks.

use super::dependencies::is_of_network;
use super::names::How;
use super::world::World;
use crate::monitor::TargetId;
use crate::result::{ProbeResult, Reason};

impl World {
    /// How the target's addresses were learned.
    pub(super) fn way(&self, target: usize) -> &'static str {
        if let Some(way) = self.plan.targets[target].counter_of_success() {
            return way;
        }
        match self.plan.targets[target].how() {
            How::Literal => "up: by a literal address",
            How::Loopback => "up: localhost",
            How::Hosts => "up: by the hosts file",
            How::Plain => "up: by DNS",
            How::Alias => "up: by an alias",
            How::Search => "up: by the search list",
            How::Big => "up: by DNS over TCP",
            How::Multicast => "up: by multicast DNS",
            How::NoName | How::NoData | How::Invalid => "up: by a lie",
        }
    }

    /// Whether this failure is that of the machine: it has no sockets, or no address.
    pub(super) fn has_no_result(&self, result: &ProbeResult) -> bool {
        let Some(reason) = result.reason else { return false };
        reason == Reason::Local || !self.has_address && is_of_network(reason)
    }

    /// The state stays, and the schedule goes on.
    pub(super) fn note_no_result(&mut self, target: usize, id: TargetId) {
        self.counters.add("checks: without a result");
        self.models[target].without_result += 1;
        let real = self.engine.targets().get(id).expect("it is watched");
        self.models[target].compare(real.fsm(), target, self.moment(self.seen), self.seen);
        self.schedules[target].end_check(self.models[target].mind, self.seen);
        assert_eq!(real.skipped(), self.schedules[target].skipped, "skipped checks of target {target}");
    }
}
