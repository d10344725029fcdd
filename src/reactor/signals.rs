//! Signals as readiness of a pipe.

use std::io::{self, Read};
use std::os::fd::AsFd;

use mio::unix::pipe::{self, Receiver};
use mio::{Interest, Registry, Token};
use signal_hook::SigId;
pub(super) use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::{pipe::register, unregister};

/// The reading end of the pipe that the handlers of some signals write to.
pub(super) struct Signals {
    pipe: Receiver,
    handlers: Vec<SigId>,
    received: bool,
}

impl Signals {
    pub(super) fn new(signals: &[i32], registry: &Registry, token: Token) -> io::Result<Signals> {
        let (sender, mut pipe) = pipe::new()?;
        registry.register(&mut pipe, token, Interest::READABLE)?;
        let mut taken = Signals { pipe, handlers: Vec::new(), received: false };
        for signal in signals {
            taken.handlers.push(register(*signal, sender.as_fd().try_clone_to_owned()?)?);
        }
        Ok(taken)
    }

    pub(super) fn handle_event(&mut self) {
        let mut bytes = [0; 16];
        while matches!(self.pipe.read(&mut bytes), Ok(count) if count > 0) {
            self.received = true;
        }
    }

    pub(super) fn received(&self) -> bool {
        self.received
    }

    /// Whether one came since the last time.
    pub(super) fn take(&mut self) -> bool {
        std::mem::take(&mut self.received)
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
