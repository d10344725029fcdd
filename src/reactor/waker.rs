//! What wakes the loop from other threads.

use std::io;
use std::sync::Arc;

use mio::{Registry, Token};

/// Ends the loop's wait, from any thread, however often.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<mio::Waker>);

impl Waker {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Waker> {
        Ok(Waker(Arc::new(mio::Waker::new(registry, token)?)))
    }

    pub(crate) fn wake(&self) {
        // It fails only when the loop is so far behind that it is awake anyway, or gone.
        let _ = self.0.wake();
    }
}
