//! The daemon as a value: targets watched and their states served, in one thread.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::api::host::HostGuard;
use crate::engine::{Engine, Schedule, Verdict};
use crate::fsm::State;
use crate::monitor::Monitor;
use crate::reactor::{self, Reactor};
use crate::resolve::Resolver;
use crate::snapshot::Snapshot;
use crate::verdict::ProbeResult;

/// Where multicast DNS is asked (RFC 6762 section 3).
const MDNS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251)), 5353);

/// How names are resolved.
#[derive(Clone, Debug)]
pub struct Names {
    servers: Vec<SocketAddr>,
    hosts: PathBuf,
    resolv_conf: PathBuf,
    mdns: SocketAddr,
}

impl Default for Names {
    /// `/etc/hosts`, then the name servers of `/etc/resolv.conf`; both are read again when they change.
    fn default() -> Self {
        Names {
            servers: Vec::new(),
            hosts: "/etc/hosts".into(),
            resolv_conf: "/etc/resolv.conf".into(),
            mdns: MDNS,
        }
    }
}

impl Names {
    /// Asks these name servers instead of those of resolv.conf.
    #[must_use]
    pub fn servers(mut self, servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.servers = servers.into_iter().collect();
        self
    }

    /// Reads this file instead of `/etc/hosts`.
    #[must_use]
    pub fn hosts(mut self, path: impl Into<PathBuf>) -> Self {
        self.hosts = path.into();
        self
    }

    /// Reads this file instead of `/etc/resolv.conf`.
    #[must_use]
    pub fn resolv_conf(mut self, path: impl Into<PathBuf>) -> Self {
        self.resolv_conf = path.into();
        self
    }

    /// Asks for `.local` names here instead of at the multicast group 224.0.0.251:5353.
    #[must_use]
    pub fn mdns(mut self, address: SocketAddr) -> Self {
        self.mdns = address;
        self
    }

    fn reactor(self, monitors: Vec<Monitor>, schedule: Schedule, guard: HostGuard) -> io::Result<Reactor> {
        let resolver = Resolver::new(self.servers, self.mdns, Box::new(reactor::random));
        let engine = Engine::new(monitors, schedule, resolver, guard, reactor::now());
        Reactor::new(engine, self.hosts, self.resolv_conf)
    }
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

type OnCheck = Box<dyn FnMut(&Checked<'_>) + Send>;

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
    /// What the system says of the address: taken, not this machine's, not allowed.
    pub fn bind(self, address: SocketAddr) -> io::Result<Server> {
        let guard = HostGuard::new(address.ip(), self.allowed);
        let mut reactor = self.names.reactor(self.monitors, Schedule::Beat, guard)?;
        let address = reactor.listen(address)?;
        if self.signals {
            reactor.listen_to_signals()?;
        }
        Ok(Server { reactor, address, on_check: self.on_check })
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

    /// Runs until a signal says stop (see [`ServerBuilder::stop_on_signals`]); without, for ever.
    ///
    /// # Errors
    /// The system's, of polling. Trouble with single sockets never ends the server.
    pub fn run(&mut self) -> io::Result<()> {
        while self.turn(None)? {}
        Ok(())
    }

    /// One turn of the loop, which takes `at_most` so long if nothing happens. Says whether to go on.
    ///
    /// # Errors
    /// As [`Server::run`].
    pub fn turn(&mut self, at_most: Option<Duration>) -> io::Result<bool> {
        self.reactor.turn(at_most)?;
        tell(&mut self.reactor, &mut self.on_check);
        Ok(!self.reactor.is_told_to_stop())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Checks every target once, as many at the same time as is sensible, and tells each result as it
/// comes. No API, no history. Ends early on SIGINT and SIGTERM if `signals`; says whether all were
/// checked.
///
/// # Errors
/// As [`Server::run`].
pub fn check_once(
    monitors: impl IntoIterator<Item = Monitor>,
    names: Names,
    signals: bool,
    on_check: impl FnMut(&Checked<'_>) + Send + 'static,
) -> io::Result<bool> {
    let guard = HostGuard::new(IpAddr::V4(Ipv4Addr::LOCALHOST), Vec::new());
    let mut reactor = names.reactor(monitors.into_iter().collect(), Schedule::Once, guard)?;
    if signals {
        reactor.listen_to_signals()?;
    }
    let mut on_check: Option<OnCheck> = Some(Box::new(on_check));
    while !reactor.engine().is_finished() {
        reactor.turn(None)?;
        tell(&mut reactor, &mut on_check);
        if reactor.is_told_to_stop() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn tell(reactor: &mut Reactor, on_check: &mut Option<OnCheck>) {
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
