//! Signal handlers: each sets a flag and wakes the loop through a pipe.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use mio::unix::pipe::{self, Receiver};
use mio::{Interest, Registry, Token};
use signal_hook::SigId;
pub(super) use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::unregister;
use signal_hook::{flag, low_level};

/// Handlers that set a flag when one of several signals arrives.
///
/// Only the flag is authoritative. The pipe ends the loop's wait. If the handler's write to it fails, the
/// signal has interrupted the wait, after which the flag is checked.
pub(super) struct Signals {
    pipe: Receiver,
    handlers: Vec<SigId>,
}

impl Signals {
    pub(super) fn new(
        signals: &[i32],
        flag: &Arc<AtomicBool>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Signals> {
        let (sender, mut pipe) = pipe::new()?;
        registry.register(&mut pipe, token, Interest::READABLE)?;
        let mut signal_handlers = Signals { pipe, handlers: Vec::new() };
        for signal in signals {
            // Handlers run in this order: the flag is set before the loop is woken.
            signal_handlers.handlers.push(flag::register(*signal, flag.clone())?);
            let sender = sender.as_fd().try_clone_to_owned()?;
            signal_handlers.handlers.push(low_level::pipe::register(*signal, sender)?);
        }
        Ok(signal_handlers)
    }

    /// Drains the pipe, so that the next signal makes a new event.
    pub(super) fn handle_event(&mut self) {
        let mut bytes = [0; 16];
        while matches!(self.pipe.read(&mut bytes), Ok(count) if count > 0) {}
    }
}

/// The handlers own the write end of the pipe.
impl Drop for Signals {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            unregister(handler);
        }
    }
}
