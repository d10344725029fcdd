//! The daemon as a value: targets watched and their states served, in one thread.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::names::Names;
use crate::api::host::HostGuard;
use crate::engine::{Schedule, Verdict};
use crate::fsm::State;
use crate::monitor::Monitor;
use crate::reactor::{self, Bell, Reactor};
use crate::snapshot::Snapshot;
use crate::verdict::ProbeResult;

/// Watches these monitors and serves their states at `address`; port 0 is any free port. Takes one
/// [`Monitor`] or any number of them.
///
/// # Errors
/// As [`ServerBuilder::bind`].
pub fn serve(
    monitors: impl IntoIterator<Item = Monitor>,
    address: impl Into<SocketAddr>,
) -> io::Result<Server> {
    Server::builder(monitors).bind(address)
}

/// One check that has ended, for those who want to be told.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Checked<'a> {
    /// The target's place in the list of monitors.
    pub index: usize,
    /// The target's name.
    pub name: &'a str,
    /// What is probed.
    pub target: &'a str,
    /// What the check found.
    pub result: &'a ProbeResult,
    /// The state that follows.
    pub state: State,
    /// The state before and how long it had lasted, if it was another one.
    pub changed: Option<(State, Duration)>,
}

pub(super) type OnCheck = Box<dyn FnMut(&Checked<'_>) + Send>;

/// A [`Server`] to be.
pub struct ServerBuilder {
    monitors: Vec<Monitor>,
    names: Names,
    allowed: Vec<String>,
    signals: bool,
    on_check: Option<OnCheck>,
}

impl ServerBuilder {
    /// How names are resolved.
    #[must_use]
    pub fn names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// Answers requests for this `Host` too when bound to loopback.
    #[must_use]
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.allowed.push(name.into());
        self
    }

    /// Ends [`Server::run`] on SIGINT and SIGTERM.
    #[must_use]
    pub fn stop_on_signals(mut self) -> Self {
        self.signals = true;
        self
    }

    /// Calls this after every check, on the thread that runs the server.
    #[must_use]
    pub fn on_check(mut self, call: impl FnMut(&Checked<'_>) + Send + 'static) -> Self {
        self.on_check = Some(Box::new(call));
        self
    }

    /// Binds the API to `address`; port 0 is any free port. The first checks start with the first turn.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if two monitors have the same name; otherwise what the system says
    /// of the address: taken, not this machine's, not allowed.
    pub fn bind(self, address: impl Into<SocketAddr>) -> io::Result<Server> {
        let address = address.into();
        let mut names = BTreeSet::new();
        if let Some(twice) = self.monitors.iter().find(|monitor| !names.insert(monitor.name())) {
            let message = format!("two monitors are called {}", twice.name());
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        let guard = HostGuard::new(address.ip(), self.allowed);
        let mut reactor = self.names.reactor(self.monitors, Schedule::Beat, guard)?;
        let address = reactor.listen(address)?;
        if self.signals {
            reactor.listen_to_signals()?;
        }
        Ok(Server { reactor, address, on_check: self.on_check, stopped: Arc::new(AtomicBool::new(false)) })
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("monitors", &self.monitors).finish_non_exhaustive()
    }
}

/// The daemon: watches its targets and answers the API, in the thread that runs it.
pub struct Server {
    reactor: Reactor,
    address: SocketAddr,
    on_check: Option<OnCheck>,
    stopped: Arc<AtomicBool>,
}

impl Server {
    /// A server for these monitors, to be bound.
    pub fn builder(monitors: impl IntoIterator<Item = Monitor>) -> ServerBuilder {
        ServerBuilder {
            monitors: monitors.into_iter().collect(),
            names: Names::default(),
            allowed: Vec::new(),
            signals: false,
            on_check: None,
        }
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
        Some(Snapshot::of(watch.target(), watch.fsm(), reactor::now()))
    }

    /// Runs until it is stopped: by a [`Stopper`], or by a signal (see
    /// [`ServerBuilder::stop_on_signals`]).
    ///
    /// # Errors
    /// The system's, of polling. Trouble with single sockets never ends the server.
    pub fn run(&mut self) -> io::Result<()> {
        while self.turn(None)? {}
        Ok(())
    }

    /// One turn of the loop, for programs that have a loop of their own: waits until something happens
    /// or is due, but no longer than `at_most`, and does what is to be done. Says whether to go on.
    ///
    /// # Errors
    /// As [`Server::run`].
    pub fn turn(&mut self, at_most: impl Into<Option<Duration>>) -> io::Result<bool> {
        if self.is_stopped() {
            return Ok(false);
        }
        self.reactor.turn(at_most.into())?;
        tell(&mut self.reactor, &mut self.on_check);
        Ok(!self.is_stopped())
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
    pub fn stopper(&mut self) -> io::Result<Stopper> {
        Ok(Stopper { stopped: self.stopped.clone(), bell: self.reactor.bell()? })
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire) || self.reactor.is_told_to_stop()
    }
}

/// The descriptor that becomes readable when [`Server::turn`] has something to do, to be waited for in
/// another event loop. It stays the server's.
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

/// Stops a [`Server`] from elsewhere.
#[derive(Clone, Debug)]
pub struct Stopper {
    stopped: Arc<AtomicBool>,
    bell: Bell,
}

impl Stopper {
    /// Ends [`Server::run`], and makes [`Server::turn`] say so.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.bell.ring();
    }
}

pub(super) fn tell(reactor: &mut Reactor, on_check: &mut Option<OnCheck>) {
    for Verdict { target, result, change } in reactor.take_verdicts() {
        let Some(on_check) = on_check else { continue };
        let watch = reactor.engine().fleet().watch(target);
        on_check(&Checked {
            index: target,
            name: watch.name(),
            target: watch.target(),
            result: &result,
            state: change.as_ref().map_or(watch.fsm().state(), |change| change.to),
            changed: change.map(|change| (change.from, change.lasted)),
        });
    }
}
