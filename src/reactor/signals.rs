//! Signals: a flag, and a pipe that wakes the loop.

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

/// Handlers that set a flag when one of some signals arrives.
///
/// The flag alone says that. The pipe only ends the loop's wait: the handler's write to it may fail, but
/// the signal has interrupted the wait then, and the flag is checked after that.
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
        let mut taken = Signals { pipe, handlers: Vec::new() };
        for signal in signals {
            // Handlers run in this order: the flag is set before the loop is woken.
            taken.handlers.push(flag::register(*signal, flag.clone())?);
            let sender = sender.as_fd().try_clone_to_owned()?;
            taken.handlers.push(low_level::pipe::register(*signal, sender)?);
        }
        Ok(taken)
    }

    /// Empties the pipe, so that it announces the next signal.
    pub(super) fn handle_event(&mut self) {
        let mut bytes = [0; 16];
        while matches!(self.pipe.read(&mut bytes), Ok(count) if count > 0) {}
    }
}

/// The handlers hold the pipe's other end.
impl Drop for Signals {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            unregister(handler);
        }
    }
}
