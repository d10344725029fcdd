//! The open end: what a probe is, and one try of it as a conversation without sockets or clocks.
//!
//! A try ([`Attempt`]) is told what happened ([`Input`]) and asked what it wants next ([`Output`]).
//! It speaks over one connection at a time. Names, several addresses, sockets and the deadline are
//! the engine's business: an attempt says `Connect` with a host and a port and is told `Connected`.

pub(crate) mod blocking;
pub(crate) mod build;
pub(crate) mod dial;
pub(crate) mod guard;
pub(crate) mod http;
#[cfg(test)]
pub(crate) mod script;
pub(crate) mod tcp;
pub(crate) mod words;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::clock::Now;
use crate::verdict::{Failure, ProbeResult};

/// A target that can be tried, again and again.
pub trait Probe: Send {
    /// A short name, unique among the targets of one daemon.
    fn name(&self) -> &str;

    /// What is probed, as the API shows it under `probe`. The name, unless said otherwise.
    fn target(&self) -> &str {
        self.name()
    }

    /// The time one try may take in all: name resolution, connecting and everything after it.
    fn timeout(&self) -> Duration;

    /// Starts one try.
    fn begin(&self, now: Now) -> Box<dyn Attempt>;
}

impl<P: Probe + ?Sized> Probe for Box<P> {
    fn name(&self) -> &str {
        (**self).name()
    }
    fn target(&self) -> &str {
        (**self).target()
    }
    fn timeout(&self) -> Duration {
        (**self).timeout()
    }
    fn begin(&self, now: Now) -> Box<dyn Attempt> {
        (**self).begin(now)
    }
}

/// One try of a probe: a conversation that ends with a [`ProbeResult`].
///
/// After each input the caller takes outputs until there are none. After [`Output::Done`] an
/// attempt is neither told nor asked anything any more.
pub trait Attempt: Send {
    /// Tells the attempt what happened.
    fn handle_input(&mut self, input: Input<'_>, now: Now);

    /// What the attempt wants done next; `None` once it waits for something to happen.
    fn poll_output(&mut self) -> Option<Output>;
}

/// What happened to the connection of an [`Attempt`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// The connection that was asked for is there, to this address.
    Connected(SocketAddr),
    /// Bytes from the peer, cut anywhere, never empty.
    Received(&'a [u8]),
    /// The peer has ended its side in order; nothing more will be received.
    Closed,
    /// No connection could be made, or it broke. There is no connection any more.
    Failed(Failure),
    /// What came of the [`Output::Work`] that was asked for.
    Worked(ProbeResult),
    /// The time is up. An attempt that does not say [`Output::Done`] now is ended as timed out.
    TimedOut,
}

/// Something to run on a thread of its own; see [`Output::Work`].
pub struct Work(Box<dyn FnOnce() -> ProbeResult + Send>);

impl Work {
    /// What is to be run.
    #[must_use]
    pub fn new(work: impl FnOnce() -> ProbeResult + Send + 'static) -> Self {
        Work(Box::new(work))
    }

    /// Runs it, here.
    #[must_use]
    pub fn run(self) -> ProbeResult {
        (self.0)()
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Work")
    }
}

/// What an [`Attempt`] wants done.
#[non_exhaustive]
pub enum Output {
    /// Connect to this host (a name, or an IP address without brackets) and port over TCP. A
    /// connection that is still there is closed first.
    Connect {
        /// The name or address.
        host: String,
        /// The TCP port.
        port: u16,
    },
    /// Send these bytes over the connection.
    Send(Vec<u8>),
    /// Run this on a thread of its own: for what can only block. It should come to an end by itself,
    /// for nothing can end it from outside. A panic in it is a failed check.
    Work(Work),
    /// The verdict. The connection, if any, is closed.
    Done(ProbeResult),
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Output::Connect { host, port } => write!(f, "Connect({host} {port})"),
            Output::Send(bytes) => write!(f, "Send({} bytes)", bytes.len()),
            Output::Work(work) => work.fmt(f),
            Output::Done(result) => write!(f, "Done({result:?})"),
        }
    }
}
