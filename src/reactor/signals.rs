//! SIGINT and SIGTERM as readiness of a pipe.

use std::io::{self, Read};
use std::os::fd::AsFd;

use mio::unix::pipe::{self, Receiver};
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGINT, SIGTERM};

/// The reading end of the pipe that the signal handlers write to.
pub(super) struct Signals {
    pipe: Receiver,
    received: bool,
}

impl Signals {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Signals> {
        let (sender, mut receiver) = pipe::new()?;
        registry.register(&mut receiver, token, Interest::READABLE)?;
        let second = sender.as_fd().try_clone_to_owned()?;
        signal_hook::low_level::pipe::register(SIGINT, second)?;
        signal_hook::low_level::pipe::register(SIGTERM, sender)?;
        Ok(Signals { pipe: receiver, received: false })
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
