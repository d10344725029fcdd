//! Limits the connections of checks; checks that are due above the limit wait in order.
//!
//! Each check in flight counts with the connections that it may need at once. A waiting check has no timer.

use std::collections::VecDeque;

use super::limits::CONNECTIONS_PER_CHECK;
use crate::monitor::TargetId;

pub(super) struct CheckQueue {
    pub(super) waiting: VecDeque<TargetId>,
    /// Connections of the checks in flight, and of deliveries to webhooks.
    pub(super) connections: usize,
    connections_max: usize,
}

impl CheckQueue {
    pub(super) fn new(connections_max: usize) -> Self {
        CheckQueue { waiting: VecDeque::new(), connections: 0, connections_max }
    }

    pub(super) fn next(&mut self) -> Option<TargetId> {
        let is_free = self.connections + CONNECTIONS_PER_CHECK <= self.connections_max;
        if is_free { self.waiting.pop_front() } else { None }
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
