//! SIGINT and SIGTERM as readiness of a pipe.

use std::io::{self, Read};
use std::os::fd::AsFd;

use mio::unix::pipe::{self, Receiver};
use mio::{Interest, Registry, Token};
use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::{pipe::register, unregister};

/// The reading end of the pipe that the signal handlers write to.
pub(super) struct Signals {
    pipe: Receiver,
    handlers: [SigId; 2],
    received: bool,
}

impl Signals {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Signals> {
        let (sender, mut receiver) = pipe::new()?;
        registry.register(&mut receiver, token, Interest::READABLE)?;
        let second = sender.as_fd().try_clone_to_owned()?;
        let handlers = [register(SIGINT, second)?, register(SIGTERM, sender)?];
        Ok(Signals { pipe: receiver, handlers, received: false })
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
}

/// The handlers hold the pipe's other end.
impl Drop for Signals {
    fn drop(&mut self) {
        for handler in self.handlers {
            unregister(handler);
        }
    }
}
