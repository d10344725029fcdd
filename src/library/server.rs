//! The server: monitors and API in one thread.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::builder::ServerBuilder;
use super::events::{OnCheck, OnWarning, Warning, report_checks};
use crate::monitor::{Monitor, TargetId, TargetUpdate};
use crate::reactor::{self, Reactor, Waker};
use crate::snapshot::{Snapshot, View};
#[cfg(feature = "cli")]
use crate::text::token::Token;

/// Creates a server for one or more [`Monitor`]s with the API at `address`; port 0 selects a free port.
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

/// The daemon: checks its targets and serves the API, on the thread that calls [`Server::run`] or
/// [`Server::turn`]. Nothing happens between these calls.
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
    pub(super) reactor: Reactor,
    pub(super) address: SocketAddr,
    pub(super) on_check: Option<OnCheck>,
    pub(super) on_warning: Option<OnWarning>,
    pub(super) ended: bool,
}

impl Server {
    /// Configures a server for these monitors.
    pub fn builder(monitors: impl IntoIterator<Item = Monitor>) -> ServerBuilder {
        ServerBuilder::new(monitors.into_iter().collect())
    }

    /// The address that the API is bound to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The ids of the targets, in the order of the monitors that the server was built with or of the last
    /// [`Server::replace_targets`]. [`CheckEvent::id`](crate::CheckEvent::id) is one of them.
    pub fn targets(&self) -> impl ExactSizeIterator<Item = TargetId> + '_ {
        self.reactor.engine().targets().ids()
    }

    /// The current snapshot of a target; `None` if it was removed.
    ///
    /// ```
    /// use pingstate::{Monitor, Server, blocking};
    ///
    /// let server = Server::builder(["a", "b"].map(|name| Monitor::new(blocking(name, || true))))
    ///     .bind(([127, 0, 0, 1], 0))?;
    /// let lines: Vec<_> =
    ///     server.targets().filter_map(|id| server.snapshot(id)).map(|target| target.to_string()).collect();
    /// assert_eq!(lines, ["a is unknown", "b is unknown"]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self, target: TargetId) -> Option<Snapshot> {
        let target = self.reactor.engine().targets().get(target)?;
        Some(View::of_target(target, reactor::now()).to_snapshot())
    }

    /// Pauses a target for this time, or with `None` until [`Server::resume`]; see [`MonitorHandle::pause`].
    ///
    /// ```
    /// use pingstate::{Monitor, blocking, serve};
    /// use std::time::Duration;
    ///
    /// let mut server = serve(Monitor::new(blocking("disk", || true)), ([127, 0, 0, 1], 0))?;
    /// let disk = server.targets().next().expect("one target");
    /// server.pause(disk, Duration::from_secs(3600));
    /// assert!(server.snapshot(disk).is_some_and(|disk| disk.paused_until.is_some()));
    /// server.resume(disk);
    /// assert!(server.snapshot(disk).is_some_and(|disk| disk.paused_until.is_none()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// [`MonitorHandle::pause`]: crate::MonitorHandle::pause
    pub fn pause(&mut self, target: TargetId, time: impl Into<Option<Duration>>) {
        self.reactor.pause(target, time.into());
    }

    /// Ends the pause of a target, whose next check starts with the next turn.
    pub fn resume(&mut self, target: TargetId) {
        self.reactor.resume(target);
    }

    /// Runs until a [`ShutdownHandle`] or a signal stops it (see [`ServerBuilder::stop_on_signals`]).
    ///
    /// # Errors
    /// If polling fails. Errors of single sockets never end the server.
    pub fn run(&mut self) -> io::Result<()> {
        while self.turn(None)? {}
        Ok(())
    }

    /// Runs one turn of the loop, for programs with their own loop: waits for events or a deadline, at most
    /// for `timeout` (`None`: no limit), and processes them. Returns false after the server was stopped.
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
    pub fn turn(&mut self, timeout: impl Into<Option<Duration>>) -> io::Result<bool> {
        if !self.is_running() {
            return Ok(false);
        }
        self.reactor.turn(timeout.into())?;
        self.report();
        Ok(self.is_running())
    }

    /// Replaces the list of targets. Kept targets keep their state, history and a check in flight. A check in
    /// flight of a removed target ends without a result. First checks of new targets are scheduled as at
    /// the start: see [`Monitor::interval`].
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
    /// let targets: Vec<_> = server.targets().collect();
    /// let [disk, db] = targets[..] else { unreachable!() };
    /// while server.snapshot(db).is_some_and(|db| db.state == State::Unknown) {
    ///     server.turn(None)?;
    /// }
    ///
    /// // Moves the database to the first position, removes the disk and adds a cache.
    /// let cache = Monitor::new(probe("tcp", "127.0.0.1", port).name("cache").build()?);
    /// server.replace_targets([TargetUpdate::Keep(db), TargetUpdate::Start(cache)])?;
    /// let states: Vec<_> = server.targets().map(|id| server.snapshot(id).map(|target| target.state)).collect();
    /// assert_eq!(states, [Some(State::Up), Some(State::Unknown)]);
    /// assert!(server.snapshot(disk).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// An [`Error`](crate::Error) of kind [`InvalidInput`](io::ErrorKind::InvalidInput) if a kept target does not
    /// exist or is kept twice, two targets have the same name, or a setting of a monitor is invalid. Then
    /// nothing changes.
    pub fn replace_targets(&mut self, updates: impl IntoIterator<Item = TargetUpdate>) -> io::Result<()> {
        // Ended checks are reported with the names from before.
        self.report();
        Ok(self.reactor.replace(updates.into_iter().collect())?)
    }

    /// Whether SIGHUP has arrived since the last call: by convention, a program then reloads its
    /// configuration. See [`ServerBuilder::reload_on_sighup`].
    pub fn take_reload_request(&mut self) -> bool {
        self.reactor.take_reload_request()
    }

    #[cfg(feature = "cli")]
    pub(crate) fn always_list(&mut self) {
        self.reactor.always_list();
    }

    #[cfg(feature = "cli")]
    pub(crate) fn set_token(&mut self, token: Option<Token>, protects_reads: bool) {
        self.reactor.set_token(token, protects_reads);
    }

    /// Reports that the new configuration cannot be used. The service manager's status (see
    /// [`ServerBuilder::notify_systemd`]) shows the reason until the next successful [`Server::replace_targets`].
    pub fn reload_failed(&mut self, reason: &str) {
        self.reactor.reload_failed(reason);
    }

    /// When [`Server::turn`] must be called even if its descriptor (see [`AsRawFd`]) is not readable;
    /// `None` if there is no deadline.
    #[must_use]
    pub fn next_turn(&self) -> Option<Instant> {
        self.reactor.next_turn()
    }

    /// Returns a handle that stops the server from another thread or from its own callback.
    ///
    /// # Errors
    /// If the descriptor that wakes the loop cannot be created.
    pub fn shutdown_handle(&mut self) -> io::Result<ShutdownHandle> {
        Ok(ShutdownHandle { stopped: self.reactor.stop_flag(), waker: self.reactor.waker()? })
    }

    fn report(&mut self) {
        match &mut self.on_check {
            Some(on_check) => report_checks(&mut self.reactor, on_check),
            None => drop(self.reactor.take_results()),
        }
        for text in self.reactor.take_notices() {
            if let Some(on_warning) = &mut self.on_warning {
                on_warning(&Warning { text });
            }
        }
    }

    /// Whether the server runs. If not, hooks are stopped.
    fn is_running(&mut self) -> bool {
        let is_stopped = self.reactor.is_stop_requested();
        if is_stopped && !std::mem::replace(&mut self.ended, true) {
            self.reactor.stop();
            self.report();
        }
        !is_stopped
    }
}

/// A descriptor that is readable when there are events, for use in another event loop. When it is
/// readable, and at [`Server::next_turn`] at the latest, call [`Server::turn`] with [`Duration::ZERO`]. The
/// server owns it. See `examples/own_loop.rs`.
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

/// Stops a [`Server`] from any thread; may be used repeatedly.
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
    /// Ends [`Server::run`] and makes [`Server::turn`] return false.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = self.waker.wake();
    }
}
