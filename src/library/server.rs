//! The daemon as a value: targets watched and their states served, in one thread.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::builder::ServerBuilder;
use super::checked::{OnCheck, OnWarning, Warning, tell};
use crate::monitor::{Monitor, TargetUpdate};
use crate::reactor::{self, Reactor, Waker};
use crate::snapshot::Snapshot;

/// Watches these monitors and serves their states at `address`; port 0 is any free port. Takes one
/// [`Monitor`] or any number of them.
///
/// ```
/// # use std::net::TcpListener;
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// # use std::{io::{Read, Write}, net::TcpStream, thread};
/// use pingstate::{Monitor, probe, serve};
///
/// let monitor = Monitor::new(probe("tcp", "127.0.0.1", port).build()?);
/// let mut server = serve(monitor, ([127, 0, 0, 1], 0))?;
/// println!("http://{}/status", server.address());
/// # let shutdown_handle = server.shutdown_handle()?;
/// # let mut client = TcpStream::connect(server.address())?;
/// # client.write_all(b"GET /targets HTTP/1.0\r\n\r\n")?;
/// # let client = thread::spawn(move || {
/// #     let mut answer = String::new();
/// #     let _ = client.read_to_string(&mut answer);
/// #     shutdown_handle.stop();
/// #     answer
/// # });
/// server.run()?;
/// # assert!(client.join().unwrap().starts_with("HTTP/1.1 404 "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`ServerBuilder::bind`].
pub fn serve(
    monitors: impl IntoIterator<Item = Monitor>,
    address: impl Into<SocketAddr>,
) -> io::Result<Server> {
    Server::builder(monitors).bind(address)
}

/// The daemon: watches its targets and answers the API, in the thread that runs it. Nothing happens
/// while neither [`Server::run`] nor [`Server::turn`] is called.
///
/// ```
/// # use std::net::TcpListener;
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// use pingstate::{Monitor, Server, blocking, probe};
///
/// let mut server = Server::builder([
///     Monitor::new(probe("tcp", "127.0.0.1", port).name("db").build()?),
///     Monitor::new(blocking("disk", || true)),
/// ])
/// .bind(([127, 0, 0, 1], 0))?;
/// let shutdown_handle = server.shutdown_handle()?;
/// let thread = std::thread::spawn(move || server.run());
/// // Do other work …
/// shutdown_handle.stop();
/// thread.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Server {
    reactor: Reactor,
    address: SocketAddr,
    on_check: Option<OnCheck>,
    on_warning: Option<OnWarning>,
    /// What there is to do at the end is done.
    ended: bool,
}

impl Server {
    pub(super) fn new(
        reactor: Reactor,
        address: SocketAddr,
        on_check: Option<OnCheck>,
        on_warning: Option<OnWarning>,
    ) -> Self {
        Server { reactor, address, on_check, on_warning, ended: false }
    }

    /// A server for these monitors, to be bound.
    pub fn builder(monitors: impl IntoIterator<Item = Monitor>) -> ServerBuilder {
        ServerBuilder::new(monitors.into_iter().collect())
    }

    /// The address that the API is bound to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is known of the target at this place in the list of monitors.
    #[must_use]
    pub fn snapshot(&self, index: usize) -> Option<Snapshot> {
        let watch = self.reactor.engine().fleet().watches().get(index)?;
        Some(Snapshot::of(watch.name(), watch.target(), watch.fsm(), reactor::now()))
    }

    /// Runs until it is stopped: by a [`ShutdownHandle`], or by a signal (see
    /// [`ServerBuilder::stop_on_signals`]).
    ///
    /// # Errors
    /// The system's, of polling. Trouble with single sockets never ends the server.
    pub fn run(&mut self) -> io::Result<()> {
        while self.turn(None)? {}
        Ok(())
    }

    /// One turn of the loop, for programs that have a loop of their own: waits until something happens
    /// or is due, but no longer than `at_most` (`None` for as long as it takes), and does what is to be
    /// done. Says whether to go on.
    ///
    /// ```
    /// # use std::net::TcpListener;
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// use pingstate::{Monitor, probe, serve};
    /// use std::time::Duration;
    ///
    /// let mut server = serve(Monitor::new(probe("tcp", "127.0.0.1", port).build()?), ([127, 0, 0, 1], 0))?;
    /// let mut frames = 0;
    /// while frames < 10 && server.turn(Duration::from_millis(2))? {
    ///     frames += 1; // Draw the next one.
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Server::run`].
    pub fn turn(&mut self, at_most: impl Into<Option<Duration>>) -> io::Result<bool> {
        if !self.goes_on() {
            return Ok(false);
        }
        self.reactor.turn(at_most.into())?;
        self.tell();
        Ok(self.goes_on())
    }

    /// Watches these targets from now on. Those that are kept lose nothing: their state and history go
    /// on, and so does a check that is under way. The check of one that is dropped ends without a result.
    /// Those that are new are checked for the first time as at the start: see [`Monitor::interval`].
    ///
    /// ```
    /// # use std::net::TcpListener;
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// use pingstate::{Monitor, Server, State, TargetUpdate, blocking, probe};
    ///
    /// let mut server = Server::builder([
    ///     Monitor::new(blocking("disk", || true)),
    ///     Monitor::new(probe("tcp", "127.0.0.1", port).name("db").build()?),
    /// ])
    /// .bind(([127, 0, 0, 1], 0))?;
    /// while server.snapshot(1).is_some_and(|db| db.state == State::Unknown) {
    ///     server.turn(None)?;
    /// }
    ///
    /// // The database moves to the first place, the disk goes and a cache comes.
    /// let cache = Monitor::new(probe("tcp", "127.0.0.1", port).name("cache").build()?);
    /// server.replace(vec![TargetUpdate::Keep(1), TargetUpdate::Start(cache)])?;
    /// let states = [0, 1].map(|place| server.snapshot(place).map(|target| target.state));
    /// assert_eq!(states, [Some(State::Up), Some(State::Unknown)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if one is kept that is not there or is kept twice, or if two have the
    /// same name. Then all stays as it is.
    pub fn replace(&mut self, successors: Vec<TargetUpdate>) -> io::Result<()> {
        // What has ended is told by the place that it had.
        self.tell();
        self.reactor.replace(successors).map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))
    }

    /// Whether SIGHUP has come since the last time this was asked: the custom is to read one's
    /// configuration again. See [`ServerBuilder::reload_on_sighup`].
    pub fn take_reload_request(&mut self) -> bool {
        self.reactor.take_reload_request()
    }

    /// Reports that the new configuration cannot be used, for this reason: the status that the service
    /// manager shows (see [`ServerBuilder::notify_systemd`]) says so until the next [`Server::replace`]
    /// that succeeds.
    pub fn reload_failed(&mut self, reason: &str) {
        self.reactor.reload_failed(reason);
    }

    /// When [`Server::turn`] has something to do even if nothing happens on its descriptor (see
    /// [`AsRawFd`]); `None` if never.
    #[must_use]
    pub fn next_turn(&self) -> Option<Instant> {
        self.reactor.next_turn()
    }

    /// Something that stops the server from another thread or from its own callback.
    ///
    /// # Errors
    /// The system's, of making a descriptor to wake the loop with.
    pub fn shutdown_handle(&mut self) -> io::Result<ShutdownHandle> {
        Ok(ShutdownHandle { stopped: self.reactor.stop_flag(), waker: self.reactor.waker()? })
    }

    /// Tells of what has come since the last time.
    fn tell(&mut self) {
        match &mut self.on_check {
            Some(on_check) => tell(&mut self.reactor, on_check),
            None => drop(self.reactor.take_verdicts()),
        }
        for text in self.reactor.take_notices() {
            if let Some(on_warning) = &mut self.on_warning {
                on_warning(&Warning { text });
            }
        }
    }

    /// Whether there is a next turn. If not, what would outlive the server is ended.
    fn goes_on(&mut self) -> bool {
        let is_stopped = self.reactor.is_told_to_stop();
        if is_stopped && !std::mem::replace(&mut self.ended, true) {
            self.reactor.stop();
            self.tell();
        }
        !is_stopped
    }
}

/// The descriptor that becomes readable when something has happened, to be waited for in another event
/// loop, for [`Server::next_turn`] at the latest; then [`Server::turn`] with [`Duration::ZERO`] does what
/// is to be done. It stays the server's. `examples/own_loop.rs` shows it.
impl AsRawFd for Server {
    fn as_raw_fd(&self) -> RawFd {
        self.reactor.as_raw_fd()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Stops a [`Server`] from elsewhere, as often as one likes.
///
/// ```
/// use pingstate::{Monitor, ShutdownHandle, blocking, serve};
///
/// let mut server = serve(Monitor::new(blocking("disk", || true)), ([127, 0, 0, 1], 0))?;
/// let shutdown_handle: ShutdownHandle = server.shutdown_handle()?;
/// std::thread::spawn(move || shutdown_handle.stop());
/// server.run()?;
/// assert!(!server.turn(None)?, "it stays stopped");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ShutdownHandle {
    stopped: Arc<AtomicBool>,
    waker: Waker,
}

impl ShutdownHandle {
    /// Ends [`Server::run`], and makes [`Server::turn`] say so.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.waker.wake();
    }
}
