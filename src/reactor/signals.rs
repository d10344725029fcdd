//! Signal handlers: each sets a flag and wakes the loop through a pipe.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use mio::unix::pipe::{self, Receiver, Sender};
use mio::{Interest, Registry, Token};
use signal_hook::SigId;
pub(super) use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::unregister;
use signal_hook::{flag, low_level};

/// Only the flags are authoritative. The pipe ends the loop's wait. If the handler's write to it fails, the
/// signal has interrupted the wait, after which the flags are checked.
pub(super) struct Signals {
    receiver: Receiver,
    sender: Sender,
    handlers: Vec<SigId>,
}

impl Signals {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Signals> {
        let (sender, mut receiver) = pipe::new()?;
        registry.register(&mut receiver, token, Interest::READABLE)?;
        Ok(Signals { receiver, sender, handlers: Vec::new() })
    }

    pub(super) fn handle(&mut self, signal: i32, flag: &Arc<AtomicBool>) -> io::Result<()> {
        // Handlers run in this order: the flag is set before the loop is woken.
        self.handlers.push(flag::register(signal, flag.clone())?);
        let sender = self.sender.as_fd().try_clone_to_owned()?;
        self.handlers.push(low_level::pipe::register(signal, sender)?);
        Ok(())
    }

    pub(super) fn drain(&mut self) {
        let mut bytes = [0; 16];
        while matches!(self.receiver.read(&mut bytes), Ok(count) if count > 0) {}
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            unregister(handler);
        }
    }
}
