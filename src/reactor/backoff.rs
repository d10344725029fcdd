//! Connections for which the system had no memory or buffers: sound, and tried again shortly.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::engine::ConnId;

/// How long they rest. Without it the loop would spin until the system recovers.
const REST: Duration = Duration::from_millis(10);

/// The connections that rest, all until the same moment.
#[derive(Default)]
pub(super) struct BackoffSet {
    waiting: BTreeSet<ConnId>,
    until: Option<Instant>,
}

impl BackoffSet {
    pub(super) fn add(&mut self, id: ConnId, now: Instant) {
        self.waiting.insert(id);
        self.until.get_or_insert(now + REST);
    }

    pub(super) fn remove(&mut self, id: ConnId) {
        self.waiting.remove(&id);
    }

    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Those that have rested, to be read from and written to.
    pub(super) fn take(&mut self, now: Instant) -> BTreeSet<ConnId> {
        match self.until.take_if(|at| *at <= now) {
            Some(_) => std::mem::take(&mut self.waiting),
            None => BTreeSet::new(),
        }
    }
}
