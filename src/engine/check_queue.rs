//! Limits the connections of checks; checks that are due above the limit wait in order.
//!
//! Checks that run programs have slots of their own.
//!
//! Each check in flight counts with the connections that it may need at once. A waiting check has no timer.

use std::collections::VecDeque;
use std::time::Instant;

use super::exec_slots::ExecSlots;
use super::limits::CONNECTIONS_PER_CHECK;
use crate::monitor::TargetId;

pub(super) struct CheckQueue {
    pub(super) waiting: VecDeque<TargetId>,
    pub(super) execs: ExecSlots,
    /// Connections of the checks in flight, and of deliveries to webhooks.
    pub(super) connections: usize,
    connections_max: usize,
}

impl CheckQueue {
    pub(super) fn new(connections_max: usize) -> Self {
        let execs = ExecSlots::new(connections_max);
        CheckQueue { waiting: VecDeque::new(), execs, connections: 0, connections_max }
    }

    pub(super) fn push(&mut self, target: TargetId, runs_program: bool) {
        let queue = if runs_program { &mut self.execs.waiting } else { &mut self.waiting };
        queue.push_back(target);
    }

    /// The checks that wait, in any order.
    pub(super) fn all_waiting(&self) -> impl Iterator<Item = TargetId> + '_ {
        self.waiting.iter().chain(&self.execs.waiting).copied()
    }

    pub(super) fn retain(&mut self, keep: impl Fn(TargetId) -> bool) {
        self.waiting.retain(|target| keep(*target));
        self.execs.waiting.retain(|target| keep(*target));
    }

    pub(super) fn next(&mut self, now: Instant) -> Option<TargetId> {
        if !self.has_connections() {
            return None;
        }
        self.execs.next(now).or_else(|| self.waiting.pop_front())
    }

    /// Whether a check that runs a program can start in the next turn.
    pub(super) fn has_startable(&self, now: Instant) -> bool {
        self.has_connections() && self.execs.startable(now).is_some()
    }

    fn has_connections(&self) -> bool {
        self.connections + CONNECTIONS_PER_CHECK <= self.connections_max
    }

    pub(super) fn take_connection(&mut self) -> bool {
        let is_free = self.connections < self.connections_max;
        self.connections += usize::from(is_free);
        is_free
    }

    pub(super) fn release(&mut self, connections: usize) {
        self.connections -= connections;
    }
}
