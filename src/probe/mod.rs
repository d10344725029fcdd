//! The open end: what a probe is, and one try of it as a conversation without sockets or clocks.
//!
//! A try ([`Attempt`]) is told what happened ([`Input`]) and asked what it wants next ([`Output`]).
//! It speaks over one connection at a time. Names, several addresses, sockets and the deadline are
//! the engine's business: an attempt says `Connect` with a host and a port and is told `Connected`.

pub(crate) mod blocking;
pub(crate) mod build;
pub(crate) mod connector;
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
use crate::result::{Failure, ProbeResult};

/// A target that can be tried, again and again.
///
/// What it says of itself is asked for often and should be kept at hand. [`Probe::begin`] and the
/// attempts run on the loop: they must not block; what can only block is for [`Output::BlockingTask`] or
/// [`blocking`](crate::blocking). A panic in them is a failed check.
///
/// A Redis server is healthy if it answers a PING:
///
/// ```
/// use pingstate::{Attempt, Input, Now, Output, Probe, ProbeResult, Reason};
/// use std::time::Duration;
///
/// struct Redis {
///     host: String,
///     port: u16,
/// }
///
/// impl Probe for Redis {
///     fn name(&self) -> &str {
///         "redis"
///     }
///     fn timeout(&self) -> Duration {
///         Duration::from_secs(2)
///     }
///     fn begin(&self, now: Now) -> Box<dyn Attempt> {
///         let connect = Output::Connect { host: self.host.clone(), port: self.port };
///         Box::new(Ping { begun: now, heard: Vec::new(), output: Some(connect) })
///     }
/// }
///
/// struct Ping {
///     begun: Now,
///     heard: Vec<u8>,
///     output: Option<Output>,
/// }
///
/// impl Attempt for Ping {
///     fn handle_input(&mut self, input: Input<'_>, now: Now) {
///         self.output = match input {
///             Input::Connected(_) => Some(Output::Send(b"PING\r\n".to_vec())),
///             Input::Received(bytes) => {
///                 self.heard.extend_from_slice(bytes);
///                 let answer = String::from_utf8_lossy(&self.heard);
///                 match &*answer {
///                     "+PONG\r\n" => Some(Output::Done(ProbeResult::up(now.since(self.begun), "PONG"))),
///                     _ if "+PONG\r\n".starts_with(&*answer) => None, // Cut by the network.
///                     _ => Some(Output::Done(ProbeResult::down(Reason::Custom, &answer))),
///                 }
///             }
///             Input::Closed => Some(Output::Done(ProbeResult::down(Reason::Custom, "closed early"))),
///             Input::Failed(failure) => Some(Output::Done(failure.into())),
///             _ => None, // The time is up: nothing to add.
///         };
///     }
///     fn poll_output(&mut self) -> Option<Output> {
///         self.output.take()
///     }
/// }
/// #
/// # use std::{io::{Read, Write}, net::TcpListener, thread};
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// # thread::spawn(move || for mut peer in listener.incoming().flatten() {
/// #     let _ = peer.read(&mut [0; 64]);
/// #     let _ = peer.write_all(b"+PONG\r\n");
/// # });
///
/// let redis = Redis { host: "localhost".to_owned(), port };
/// assert_eq!(pingstate::check(&redis).detail, "PONG");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Probe: Send {
    /// A short name, unique among the targets of one daemon.
    fn name(&self) -> &str;

    /// What is probed, as the API shows it under `probe`. The name, unless said otherwise.
    fn target(&self) -> &str {
        self.name()
    }

    /// The time one try may take in all: name resolution, connecting and everything after it. More
    /// than [`TIMEOUT_MAX`](crate::TIMEOUT_MAX) counts as that.
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
/// attempt is neither told nor asked anything any more. One that gives more than 1024 outputs to one
/// input is ended.
///
/// It needs no network to be tested: a conversation can be played by hand, cut at any place.
///
/// ```
/// use pingstate::{Attempt, Input, Now, Output, Probe, probe};
/// # use std::time::{Duration, Instant};
///
/// let smtp = probe("tcp", "mail.example.com", 25).check("banner_contains:220").build()?;
/// let now = Now { instant: Instant::now(), unix: Duration::ZERO };
/// let mut attempt: Box<dyn Attempt> = smtp.begin(now);
/// assert!(matches!(attempt.poll_output(), Some(Output::Connect { port: 25, .. })));
///
/// let later = now.after(Duration::from_millis(7));
/// attempt.handle_input(Input::Connected(([192, 0, 2, 1], 25).into()), later);
/// attempt.handle_input(Input::Received(b"22"), later);
/// assert!(attempt.poll_output().is_none(), "it waits for more");
///
/// attempt.handle_input(Input::Received(b"0 mail"), later);
/// let Some(Output::Done(result)) = attempt.poll_output() else { panic!("no verdict") };
/// assert_eq!((result.ok, result.latency), (true, Some(Duration::from_millis(7))));
/// # Ok::<(), pingstate::Error>(())
/// ```
pub trait Attempt: Send {
    /// Tells the attempt what happened.
    fn handle_input(&mut self, input: Input<'_>, now: Now);

    /// What the attempt wants done next; `None` once it waits for something to happen.
    fn poll_output(&mut self) -> Option<Output>;
}

/// What happened to the connection of an [`Attempt`]. More kinds may follow: an attempt passes over
/// those that it does not know.
///
/// ```
/// use pingstate::{Input, Output, ProbeResult, Reason};
///
/// /// For a target that should say nothing and stay.
/// fn answer(input: &Input<'_>) -> Option<Output> {
///     Some(Output::Done(match input {
///         Input::Received(bytes) => ProbeResult::down(Reason::Custom, &format!("{} bytes", bytes.len())),
///         Input::Failed(failure) => failure.clone().into(),
///         Input::Closed => ProbeResult::down(Reason::Custom, "closed without a word"),
///         _ => return None,
///     }))
/// }
///
/// let Some(Output::Done(result)) = answer(&Input::Closed) else { panic!("no verdict") };
/// assert_eq!(result.detail, "closed without a word");
/// assert!(answer(&Input::TimedOut).is_none());
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// The connection that was asked for is there, to this address.
    Connected(SocketAddr),
    /// Bytes from the peer, cut anywhere, never empty.
    Received(&'a [u8]),
    /// The peer has ended its side in order; nothing more will be received.
    Closed,
    /// No connection could be made, in time or at all, or it broke. There is no connection any more.
    Failed(Failure),
    /// What came of the [`Output::BlockingTask`] that was asked for.
    Worked(ProbeResult),
    /// The time is up. An attempt that does not say [`Output::Done`] now is ended with `timed out
    /// after 2 s`. What it sends now is sent if the system takes it at once.
    TimedOut,
}

/// Something to run on a thread of its own; see [`Output::BlockingTask`].
///
/// ```
/// use pingstate::{ProbeResult, Reason, BlockingTask};
///
/// let work = BlockingTask::new(|| match std::fs::metadata("/") {
///     Ok(_) => ProbeResult::up(Default::default(), "mounted"),
///     Err(error) => ProbeResult::down(Reason::Local, &error.to_string()),
/// });
/// assert!(work.run().ok); // As the thread does it.
/// ```
pub struct BlockingTask(Box<dyn FnOnce() -> ProbeResult + Send>);

impl BlockingTask {
    /// What is to be run.
    #[must_use]
    pub fn new(work: impl FnOnce() -> ProbeResult + Send + 'static) -> Self {
        BlockingTask(Box::new(work))
    }

    /// Runs it, here.
    #[must_use]
    pub fn run(self) -> ProbeResult {
        (self.0)()
    }
}

impl fmt::Debug for BlockingTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Work")
    }
}

/// What an [`Attempt`] wants done.
///
/// ```
/// use pingstate::{Output, ProbeResult};
///
/// let outputs = [
///     Output::Connect { host: "localhost".to_owned(), port: 6379 },
///     Output::Send(b"PING\r\n".to_vec()),
///     Output::Done(ProbeResult::up(Default::default(), "PONG")),
/// ];
/// assert_eq!(format!("{:?}", &outputs[..2]), "[Connect(localhost 6379), Send(6 bytes)]");
/// ```
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
    /// Send these bytes over the connection. Without one they go nowhere. When more than 1 MiB would
    /// wait to be sent, the check fails.
    Send(Vec<u8>),
    /// Run this on a thread of its own: for what can only block. It should come to an end by itself,
    /// for nothing can end it from outside: when the check is over before, the thread goes on for
    /// nothing. [`blocking`](crate::blocking) sees to it that there are not many of them. A panic in it
    /// is a failed check.
    BlockingTask(BlockingTask),
    /// The verdict. The connection, if any, is closed.
    Done(ProbeResult),
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Output::Connect { host, port } => write!(f, "Connect({host} {port})"),
            Output::Send(bytes) => write!(f, "Send({} bytes)", bytes.len()),
            Output::BlockingTask(work) => work.fmt(f),
            Output::Done(result) => write!(f, "Done({result:?})"),
        }
    }
}
