//! What wakes the loop from other threads.

use std::io;
use std::sync::Arc;

use mio::{Registry, Token, Waker};

/// Ends the loop's wait, from any thread, however often.
#[derive(Clone, Debug)]
pub(crate) struct Bell(Arc<Waker>);

impl Bell {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Bell> {
        Ok(Bell(Arc::new(Waker::new(registry, token)?)))
    }

    pub(crate) fn ring(&self) {
        // It fails only when the loop is so far behind that it is awake anyway, or gone.
        let _ = self.0.wake();
    }
}
