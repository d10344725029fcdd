//! Checks that wait for a connection: as few as possible, and in order.

use super::plan::Wants;
use super::world::{Sock, World};
use crate::engine::limits::{CONNECTIONS_PER_CHECK, WEBHOOKS_PARALLEL};

impl World {
    /// No other target has waited for longer.
    pub(super) fn check_order(&self, target: usize, due: u64) {
        let tracks = self.ledger.tracks();
        let runs_program = |target: usize| self.plan.targets[target].wants == Wants::Program;
        let others = self.present.iter().filter(|other| {
            let has_begun = self.runs[**other].is_some() || tracks[**other].begins > self.begins[**other];
            // Programs have slots of their own, and heartbeats are received.
            let is_queued = !self.plan.targets[**other].is_heartbeat()
                && runs_program(**other) == runs_program(target)
                && !(runs_program(target) && self.has_program(**other));
            **other != target && !has_begun && is_queued && !self.urgent.contains(other)
        });
        let first = others.map(|other| self.schedules[*other].due()).min();
        assert!(first.is_none_or(|first| first >= due), "target {target} is checked before its turn");
    }

    /// There are no more connections than allowed, and no check waits without need.
    pub(super) fn check_queue(&mut self, connections: usize, waiting: usize) {
        let is_checked = |sock: &&Sock| matches!(sock, Sock::Target(_) | Sock::Peer(_) | Sock::Post(_));
        let open = self.socks.values().filter(is_checked).count();
        let posts = CONNECTIONS_PER_CHECK * WEBHOOKS_PARALLEL;
        let most = self.plan.shares.checks;
        assert!(open <= connections && connections <= most.saturating_add(posts), "{open}, {connections}");
        if waiting > 0 {
            self.counters.add("caps: steps with a check that waits");
            assert!(connections + CONNECTIONS_PER_CHECK > most, "a check waits for nothing");
        }
    }
}
