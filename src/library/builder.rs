//! Configuration of a server.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::events::{CheckEvent, OnCheck, OnWarning, Warning};
use super::resolver_config::ResolverConfig;
use super::server::Server;
use crate::api::host::HostGuard;
use crate::engine::Schedule;
use crate::monitor::{Monitor, validate_names};

/// Configures a [`Server`].
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
/// let db = server.targets().next().expect("one target");
/// while server.snapshot(db).is_some_and(|db| db.state == State::Unknown) {
///     server.turn(None)?;
/// }
/// assert_eq!(server.snapshot(db).map(|db| db.state), Some(State::Up));
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

    /// Configures name resolution.
    #[must_use]
    pub fn names(mut self, names: ResolverConfig) -> Self {
        self.names = names;
        self
    }

    /// Also accepts this `Host` when bound to loopback, for reverse proxies that forward another name.
    /// Requests for other names get status 421, which prevents DNS rebinding: a web page cannot read the
    /// states.
    #[must_use]
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.allowed.push(name.into());
        self
    }

    /// Ends [`Server::run`] on SIGINT and SIGTERM. They no longer end the program by themselves, even
    /// after the server is dropped.
    #[must_use]
    pub fn stop_on_signals(mut self) -> Self {
        self.signals = true;
        self
    }

    /// Handles SIGHUP: it ends a turn of the loop instead of the program. See
    /// [`Server::take_reload_request`].
    #[must_use]
    pub fn reload_on_sighup(mut self) -> Self {
        self.hangup = true;
        self
    }

    /// Reaps orphaned processes if this process is PID 1, as in a container; otherwise they stay zombies.
    /// Only for programs without child processes other than hooks: it may take their exit status.
    #[must_use]
    pub fn reap_orphans(mut self) -> Self {
        self.orphans = true;
        self
    }

    /// Calls this after every check on the thread of the server, which it blocks until it returns. Its
    /// panics propagate through [`Server::run`].
    #[must_use]
    pub fn on_check(mut self, call: impl FnMut(&CheckEvent<'_>) + Send + 'static) -> Self {
        self.on_check = Some(Box::new(call));
        self
    }

    /// Calls this with every warning: failed hooks and webhooks, and ignored parts of the hosts file or
    /// resolv.conf. It blocks the server, as [`ServerBuilder::on_check`] does.
    #[must_use]
    pub fn on_warning(mut self, call: impl FnMut(&Warning) + Send + 'static) -> Self {
        self.on_warning = Some(Box::new(call));
        self
    }

    /// Notifies systemd, or the service manager that `NOTIFY_SOCKET` in the environment names
    /// (sd_notify(3)): readiness, the number of targets per state, and stopping. If `WATCHDOG_USEC` is set,
    /// it sends watchdog pings while checks start and end in time. Without `NOTIFY_SOCKET` it does nothing.
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

    /// Binds the API to `address`; port 0 selects a free port. The first checks start with the first turn.
    ///
    /// # Errors
    /// An [`Error`](crate::Error) of kind [`InvalidInput`](io::ErrorKind::InvalidInput) if a setting of a
    /// monitor is invalid or two monitors have the same name; otherwise the error of binding: address in use,
    /// not local, or not permitted.
    pub fn bind(self, address: impl Into<SocketAddr>) -> io::Result<Server> {
        let address = address.into();
        validate_names(self.monitors.iter().map(Monitor::name))?;
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
