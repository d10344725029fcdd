//! Delayed retries of connections after the kernel ran out of memory or buffers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::engine::ConnId;

/// The delay before a retry. Without it the loop would spin until resources are available.
const BACKOFF: Duration = Duration::from_millis(10);

/// The waiting connections, all until the same time.
#[derive(Default)]
pub(super) struct BackoffSet {
    waiting: BTreeSet<ConnId>,
    until: Option<Instant>,
}

impl BackoffSet {
    pub(super) fn add(&mut self, id: ConnId, now: Instant) {
        self.waiting.insert(id);
        self.until.get_or_insert(now + BACKOFF);
    }

    pub(super) fn remove(&mut self, id: ConnId) {
        self.waiting.remove(&id);
    }

    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// The connections to read from and write to, once the delay has passed.
    pub(super) fn take(&mut self, now: Instant) -> BTreeSet<ConnId> {
        match self.until.take_if(|at| *at <= now) {
            Some(_) => std::mem::take(&mut self.waiting),
            None => BTreeSet::new(),
        }
    }
}
