//! What is said of a server before it is one.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use super::checked::{CheckEvent, OnCheck, OnWarning, Warning};
use super::names::ResolverConfig;
use super::server::Server;
use crate::api::host::HostGuard;
use crate::engine::Schedule;
use crate::monitor::{Monitor, clash};

/// A [`Server`] to be.
///
/// ```
/// # use std::net::TcpListener;
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// use pingstate::{Monitor, Server, State, probe};
///
/// let monitor = Monitor::new(probe("tcp", "127.0.0.1", port).name("db").build()?);
/// let mut server = Server::builder(monitor)
///     .allow_host("status.example.com")
///     .on_check(|checked| println!("{} is {}", checked.name, checked.state))
///     .bind(([127, 0, 0, 1], 0))?;
/// while server.snapshot(0).is_some_and(|db| db.state == State::Unknown) {
///     server.turn(None)?;
/// }
/// assert_eq!(server.snapshot(0).map(|db| db.state), Some(State::Up));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ServerBuilder {
    monitors: Vec<Monitor>,
    names: ResolverConfig,
    allowed: Vec<String>,
    signals: bool,
    hangup: bool,
    orphans: bool,
    notify: bool,
    on_check: Option<OnCheck>,
    on_warning: Option<OnWarning>,
}

impl ServerBuilder {
    pub(super) fn new(monitors: Vec<Monitor>) -> Self {
        ServerBuilder {
            monitors,
            names: ResolverConfig::default(),
            allowed: Vec::new(),
            signals: false,
            hangup: false,
            orphans: false,
            notify: false,
            on_check: None,
            on_warning: None,
        }
    }

    /// How names are resolved.
    #[must_use]
    pub fn names(mut self, names: ResolverConfig) -> Self {
        self.names = names;
        self
    }

    /// Answers requests for this `Host` too when bound to loopback: for reverse proxies that pass
    /// another name on. Requests for names that are not allowed get 421, so that no web page can read
    /// the states by DNS rebinding.
    #[must_use]
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.allowed.push(name.into());
        self
    }

    /// Ends [`Server::run`] on SIGINT and SIGTERM, which then no longer end the program by themselves,
    /// even when the server is gone.
    #[must_use]
    pub fn stop_on_signals(mut self) -> Self {
        self.signals = true;
        self
    }

    /// Takes SIGHUP, which then no longer ends the program by itself, and ends a turn of the loop: see
    /// [`Server::take_reload_request`].
    #[must_use]
    pub fn reload_on_sighup(mut self) -> Self {
        self.hangup = true;
        self
    }

    /// Reaps the orphans that the system hands to this process, if it is PID 1, as in a container: otherwise
    /// each would stay a zombie. Only for programs that start no child processes of their own besides
    /// hooks, since it may take the exit status of those.
    #[must_use]
    pub fn reap_orphans(mut self) -> Self {
        self.orphans = true;
        self
    }

    /// Calls this after every check, on the thread that runs the server: it holds the server up as long
    /// as it takes. A panic in it is one of [`Server::run`].
    #[must_use]
    pub fn on_check(mut self, call: impl FnMut(&CheckEvent<'_>) + Send + 'static) -> Self {
        self.on_check = Some(Box::new(call));
        self
    }

    /// Calls this with every line that people should know of: about hooks and webhooks that failed, and
    /// parts of the hosts file or resolv.conf that are not used. As [`ServerBuilder::on_check`] does, it
    /// holds the server up.
    #[must_use]
    pub fn on_warning(mut self, call: impl FnMut(&Warning) + Send + 'static) -> Self {
        self.on_warning = Some(Box::new(call));
        self
    }

    /// Tells systemd how it goes, or another service manager that `NOTIFY_SOCKET` in the environment
    /// names, as sd_notify(3) describes: that the API listens, how many targets are in which state, that
    /// the server stops; and, where `WATCHDOG_USEC` asks for it, that every check is begun and ended in
    /// time. Without `NOTIFY_SOCKET` it does nothing.
    ///
    /// ```
    /// use pingstate::{Monitor, Server, blocking};
    ///
    /// let monitor = Monitor::new(blocking("disk", || true));
    /// let server = Server::builder(monitor).notify_systemd().bind(([127, 0, 0, 1], 0))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn notify_systemd(mut self) -> Self {
        self.notify = true;
        self
    }

    /// Binds the API to `address`; port 0 is any free port. The first checks start with the first turn.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if two monitors have the same name; otherwise what the system says
    /// of the address: taken, not this machine's, not allowed.
    pub fn bind(self, address: impl Into<SocketAddr>) -> io::Result<Server> {
        let address = address.into();
        if let Some(clash) = clash(self.monitors.iter().map(Monitor::name)) {
            return Err(io::Error::new(ErrorKind::InvalidInput, clash));
        }
        let guard = HostGuard::new(address.ip(), self.allowed);
        let mut reactor = self.names.reactor(self.monitors, Schedule::Beat, guard)?;
        let address = reactor.listen(address)?;
        if self.signals {
            reactor.listen_to_signals()?;
        }
        if self.hangup {
            reactor.listen_to_hangup()?;
        }
        if self.orphans {
            reactor.reap_orphans()?;
        }
        if self.notify {
            reactor.notify_manager();
        }
        Ok(Server::new(reactor, address, self.on_check, self.on_warning))
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("monitors", &self.monitors).finish_non_exhaustive()
    }
}
