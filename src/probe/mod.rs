//! Probes, and one attempt of a probe as a state machine without sockets or clocks.
//!
//! ```text
//!   +--BlockingTask--> running ------Worked, TimedOut--------------------+
//!   |                                                                    v
//! begin --Connect--> connecting -----Failed, TimedOut------------------> done
//!                      |    ^                                            ^
//!            Connected |    | Connect                                    |
//!                      v    |                                            |
//!                    connected ------Received, Closed, Failed, TimedOut--+
//!                      |    ^
//!                      +----+ Received / Send
//! ```
//!
//! In every state, an attempt may set a timer ([`Output::SetTimer`]). The polling contract is in the documentation
//! of [`Attempt`].
//!
//! The engine resolves names, chooses addresses, owns the sockets and enforces the deadline. A new kind of probe is a file here and an entry in `kinds`; a new setting is described in `build/settings`.

mod banner;
pub(crate) mod blocking;
pub(crate) mod build;
pub(crate) mod cert_days;
pub(crate) mod connector;
pub(crate) mod dns;
pub(crate) mod durations;
mod endpoint;
pub(crate) mod exec;
pub(crate) mod guard;
#[cfg(test)]
pub(crate) mod harness;
mod heartbeat;
pub(crate) mod http;
pub(crate) mod icmp;
pub(crate) mod kinds;
mod program;
pub(crate) mod tcp;
mod tls;
#[cfg(test)]
#[cfg(feature = "tls")]
mod tls_server;
mod transport;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Now;
use crate::network::Network;
use crate::result::{Failure, ProbeResult};
#[doc(hidden)]
pub use heartbeat::Heartbeat;
pub use program::{Exit, Program};
pub use transport::Transport;

/// A target that can be checked repeatedly.
///
/// All methods are called often, on the event loop, and must not block; blocking code belongs in
/// [`Output::BlockingTask`] or [`blocking`](crate::blocking). A panic in [`Probe::begin`] or in an attempt is
/// a failed check.
///
/// A Redis server is healthy if it answers a PING:
///
/// ```
/// use pingstate::{Attempt, Input, Now, Output, Probe, ProbeResult, Reason, Transport};
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
///         let host = self.host.clone();
///         let connect = Output::Connect { transport: Transport::Tcp, host, port: self.port };
///         Box::new(Ping { started_at: now, received: Vec::new(), output: Some(connect) })
///     }
/// }
///
/// struct Ping {
///     started_at: Now,
///     received: Vec<u8>,
///     output: Option<Output>,
/// }
///
/// impl Attempt for Ping {
///     fn handle_input(&mut self, input: Input<'_>, now: Now) {
///         self.output = match input {
///             Input::Connected(_) => Some(Output::Send(b"PING\r\n".to_vec())),
///             Input::Received(bytes) => {
///                 self.received.extend_from_slice(bytes);
///                 let answer = String::from_utf8_lossy(&self.received);
///                 match &*answer {
///                     "+PONG\r\n" => Some(Output::Done(ProbeResult::up(now.since(self.started_at), "PONG"))),
///                     _ if "+PONG\r\n".starts_with(&*answer) => None, // Incomplete.
///                     _ => Some(Output::Done(ProbeResult::down(Reason::Custom, &answer))),
///                 }
///             }
///             Input::Closed => Some(Output::Done(ProbeResult::down(Reason::Custom, "closed early"))),
///             Input::Failed(failure) => Some(Output::Done(failure.into())),
///             _ => None, // TimedOut: the default detail is sufficient.
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

    /// The URL of the target, which the API shows as `probe`. Default: the name.
    fn url(&self) -> &str {
        self.name()
    }

    /// The total time of one attempt, including name resolution and connecting: more than 0, at most
    /// [`ProbeBuilder::TIMEOUT_MAX`](crate::ProbeBuilder::TIMEOUT_MAX).
    fn timeout(&self) -> Duration;

    /// The time between two checks, unless [`Monitor::interval`](crate::Monitor::interval) is called. Default: 5 s; 60 s
    /// if the kind of a [`NetProbe`](crate::NetProbe) is exec.
    fn default_interval(&self) -> Duration {
        kinds::INTERVAL
    }

    /// Whether attempts run a program ([`Output::Exec`]). A check then waits for one of 16 slots before its attempt
    /// starts. Default: false.
    fn runs_program(&self) -> bool {
        false
    }

    /// The heartbeat that is expected instead of attempts, for targets of the kind heartbeat.
    #[doc(hidden)]
    fn heartbeat(&self) -> Option<&Heartbeat> {
        None
    }

    /// The settings of the sockets of its attempts, and of lookups for them. Default: none.
    fn network(&self) -> Option<&Arc<Network>> {
        None
    }

    /// Starts one attempt.
    fn begin(&self, now: Now) -> Box<dyn Attempt>;
}

impl<P: Probe + ?Sized> Probe for Box<P> {
    fn name(&self) -> &str {
        (**self).name()
    }
    fn url(&self) -> &str {
        (**self).url()
    }
    fn timeout(&self) -> Duration {
        (**self).timeout()
    }
    fn default_interval(&self) -> Duration {
        (**self).default_interval()
    }
    fn runs_program(&self) -> bool {
        (**self).runs_program()
    }
    fn heartbeat(&self) -> Option<&Heartbeat> {
        (**self).heartbeat()
    }
    fn network(&self) -> Option<&Arc<Network>> {
        (**self).network()
    }
    fn begin(&self, now: Now) -> Box<dyn Attempt> {
        (**self).begin(now)
    }
}

/// One attempt of a probe: a state machine that ends with a [`ProbeResult`].
///
/// - After [`Probe::begin`] and after each [`Attempt::handle_input`], the caller calls [`Attempt::poll_output`]
///   until it returns `None`. More than 1024 outputs for one input end the attempt.
/// - An attempt has one connection at a time: [`Output::Connect`] closes the previous one.
/// - After [`Output::Done`], neither method is called again.
/// - [`Input::TimedOut`] is the last input.
///
/// A test needs no network: it passes the inputs itself, with the bytes split anywhere.
///
/// ```
/// use pingstate::{Attempt, Input, Now, Output, Probe, probe};
/// # use std::time::{Duration, Instant, SystemTime};
///
/// let smtp = probe("tcp", "mail.example.com", 25).check("banner_contains:220").build()?;
/// let now = Now::new(Instant::now(), SystemTime::now());
/// let mut attempt: Box<dyn Attempt> = smtp.begin(now);
/// assert!(matches!(attempt.poll_output(), Some(Output::Connect { port: 25, .. })));
///
/// let later = now.after(Duration::from_millis(7));
/// attempt.handle_input(Input::Connected(([192, 0, 2, 1], 25).into()), later);
/// attempt.handle_input(Input::Received(b"22"), later);
/// assert!(attempt.poll_output().is_none(), "waits for more bytes");
///
/// attempt.handle_input(Input::Received(b"0 mail"), later);
/// let Some(Output::Done(result)) = attempt.poll_output() else { panic!("no result") };
/// assert_eq!((result.ok, result.latency), (true, Some(Duration::from_millis(7))));
/// # Ok::<(), pingstate::Error>(())
/// ```
pub trait Attempt: Send {
    /// Processes one event.
    fn handle_input(&mut self, input: Input<'_>, now: Now);

    /// Returns the next action; `None` while the attempt waits for input.
    fn poll_output(&mut self) -> Option<Output>;
}

/// An event for an [`Attempt`], which must ignore events that it does not know.
///
/// ```
/// use pingstate::{Input, Output, ProbeResult, Reason};
///
/// fn answer(input: &Input<'_>) -> Option<Output> {
///     Some(Output::Done(match input {
///         Input::Failed(failure) => failure.clone().into(),
///         Input::Closed => ProbeResult::down(Reason::Custom, "closed without data"),
///         _ => return None,
///     }))
/// }
/// assert!(answer(&Input::TimedOut).is_none());
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// The requested connection is established, to this address.
    Connected(SocketAddr),
    /// Bytes from the peer. Over TCP they are split anywhere and never empty; over UDP they are one datagram,
    /// cut after 16 KiB.
    Received(&'a [u8]),
    /// One ICMP message from the peer, of any kind, without its IP header.
    IcmpMessage {
        /// From its type to the end of its payload.
        bytes: &'a [u8],
        /// The time to live (IPv6: hop limit) that is left, if it is known.
        hop_limit: Option<u8>,
    },
    /// An ICMP error about a message that was sent. The connection continues to exist.
    IcmpError {
        /// The reason is [`Reason::TtlExceeded`](crate::Reason::TtlExceeded) or
        /// [`Reason::Unreachable`](crate::Reason::Unreachable); the detail names the sender of the error.
        failure: Failure,
        /// The beginning of the message, at least its first 8 bytes. On a raw socket it may be that of another process.
        quoted: &'a [u8],
    },
    /// The peer closed its side of the connection (EOF); no more bytes follow. Not over UDP and ICMP.
    Closed,
    /// The connection could not be established, or it failed. It no longer exists. Or the program of
    /// [`Output::Exec`] could not be started.
    Failed(Failure),
    /// The result of the [`Output::BlockingTask`].
    Worked(ProbeResult),
    /// The program of [`Output::Exec`] has ended. The bytes are the first 8 KiB of its standard output, or, if that
    /// is empty, of its standard error.
    Exited(Exit, &'a [u8]),
    /// The timer of [`Output::SetTimer`] has expired.
    TimerExpired,
    /// The number that [`Output::Random`] requested.
    Random(u64),
    /// The piece of a body that [`Output::Content`] requested. An empty one is the end.
    #[doc(hidden)]
    Content(&'a [u8]),
    /// The deadline has passed. An attempt that does not return [`Output::Done`] now is ended with `timed out
    /// after 2 s`. Bytes sent now are only sent if the kernel accepts them immediately.
    TimedOut,
}

/// A closure that runs on its own thread; see [`Output::BlockingTask`].
///
/// ```
/// use pingstate::{BlockingTask, ProbeResult};
///
/// let task = BlockingTask::new(|| ProbeResult::up(Default::default(), "mounted"));
/// assert!(task.run().ok); // The thread does the same.
/// ```
pub struct BlockingTask(Box<dyn FnOnce() -> ProbeResult + Send>);

impl BlockingTask {
    /// A task that calls `work`.
    #[must_use]
    pub fn new(work: impl FnOnce() -> ProbeResult + Send + 'static) -> Self {
        BlockingTask(Box::new(work))
    }

    /// Runs the task on the current thread.
    #[must_use]
    pub fn run(self) -> ProbeResult {
        (self.0)()
    }
}

impl fmt::Debug for BlockingTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockingTask")
    }
}

/// An action that an [`Attempt`] requests.
///
/// ```
/// use pingstate::{Output, Transport};
///
/// let connect = Output::Connect { transport: Transport::Tcp, host: "localhost".to_owned(), port: 6379 };
/// assert_eq!(format!("{connect:?}"), "Connect(Tcp localhost 6379)");
/// ```
#[non_exhaustive]
pub enum Output {
    /// Connect to this host and port. An existing connection is closed first.
    Connect {
        /// The protocol.
        transport: Transport,
        /// The name, or an IP address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// Connect to the first of the configured name servers. An existing connection is closed first.
    ConnectNameServer {
        /// The protocol.
        transport: Transport,
    },
    /// Send these bytes over the connection, over UDP and ICMP as one datagram; without a connection they are discarded.
    /// If more than 1 MiB is waiting to be sent, the check fails.
    Send(Vec<u8>),
    /// Run blocking code on its own thread. The thread cannot be ended from outside: if the check ends
    /// first, the thread continues and its result is discarded. [`blocking`](crate::blocking) limits a
    /// probe to one thread. A panic in the task is a failed check.
    BlockingTask(BlockingTask),
    /// Run this program, in its own process group that is killed when the attempt ends. Its standard input is empty,
    /// `PINGSTATE_TARGET` in its environment is the name of the target. See [`Probe::runs_program`].
    Exec(Program),
    /// Request an [`Input::TimerExpired`] after this time. An attempt has one timer: it replaces the previous one.
    SetTimer(Duration),
    /// Request an [`Input::Random`], for ids and cookies that a peer must not be able to guess.
    Random,
    /// Request an [`Input::Content`] when all bytes of [`Output::Send`] are sent. For requests of the daemon itself.
    #[doc(hidden)]
    Content,
    /// The result. The connection, if any, is closed.
    Done(ProbeResult),
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Output::Connect { transport, host, port } => write!(f, "Connect({transport:?} {host} {port})"),
            Output::ConnectNameServer { transport } => write!(f, "ConnectNameServer({transport:?})"),
            Output::Send(bytes) => write!(f, "Send({} bytes)", bytes.len()),
            Output::BlockingTask(work) => work.fmt(f),
            Output::Exec(program) => write!(f, "Exec({})", program.name()),
            Output::SetTimer(span) => write!(f, "SetTimer({span:?})"),
            Output::Random => f.write_str("Random"),
            Output::Content => f.write_str("Content"),
            Output::Done(result) => write!(f, "Done({result:?})"),
        }
    }
}
