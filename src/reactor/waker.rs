//! Wakes the loop from other threads.

use std::io;
use std::sync::Arc;

use mio::{Registry, Token};

/// Ends the loop's wait; may be used from any thread and repeatedly.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<mio::Waker>);

impl Waker {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Waker> {
        Ok(Waker(Arc::new(mio::Waker::new(registry, token)?)))
    }

    pub(crate) fn wake(&self) {
        // It fails only if wakeups are already pending or the loop has ended.
        let _ = self.0.wake();
    }
}
