//! Configuration of a server.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::events::{CheckEvent, OnCheck, OnWarning, Warning};
use super::resolver_config::ResolverConfig;
use super::server::Server;
use crate::api::access::Access;
use crate::api::host::{HostGuard, is_host};
use crate::api::page::is_frame_ancestor;
use crate::engine::Schedule;
use crate::monitor::dependencies::validate_dependencies;
use crate::monitor::{History, Monitor, validate_keys, validate_names, validate_tokens};
use crate::probe::build::{Error, PeriodicRequest};
use crate::text::token::Token;

const STATE_INTERVAL_MIN: Duration = Duration::from_secs(1);

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
///     .on_check(|event| println!("{} is {}", event.name, event.state))
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
    resolver: ResolverConfig,
    allowed_hosts: Vec<String>,
    token: Option<String>,
    protects_reads: bool,
    has_page: bool,
    frame_ancestor: Option<String>,
    stop_on_signals: bool,
    reload_on_sighup: bool,
    reap_orphans: bool,
    notify_systemd: bool,
    push: Option<PeriodicRequest>,
    alive: Option<PeriodicRequest>,
    history_days: u8,
    state_file: Option<PathBuf>,
    state_interval: Duration,
    on_check: Option<OnCheck>,
    on_warning: Option<OnWarning>,
}

impl ServerBuilder {
    pub(super) fn new(monitors: Vec<Monitor>) -> Self {
        ServerBuilder {
            monitors,
            resolver: ResolverConfig::default(),
            allowed_hosts: Vec::new(),
            token: None,
            protects_reads: false,
            has_page: true,
            frame_ancestor: None,
            stop_on_signals: false,
            reload_on_sighup: false,
            reap_orphans: false,
            notify_systemd: false,
            push: None,
            alive: None,
            history_days: ServerBuilder::HISTORY_DAYS,
            state_file: None,
            state_interval: ServerBuilder::STATE_INTERVAL,
            on_check: None,
            on_warning: None,
        }
    }

    /// Configures name resolution. Default: [`ResolverConfig::default`].
    #[must_use]
    pub fn resolver(mut self, resolver: ResolverConfig) -> Self {
        self.resolver = resolver;
        self
    }

    /// Also accepts requests for this host name or IP address when bound to loopback, for reverse proxies that
    /// forward another `Host`. Requests for other names get status 421, which prevents DNS rebinding: a web page
    /// cannot read the states.
    #[must_use]
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.allowed_hosts.push(name.into());
        self
    }

    /// The token that requests to pause, resume and check targets must have: `Authorization: Bearer TOKEN`, 16 to 128
    /// letters, digits and characters of `-._~+/=`. Default: none, and these requests are refused.
    ///
    /// ```
    /// # use std::{io::{Read, Write}, net::TcpStream};
    /// use pingstate::{Monitor, Server, blocking};
    ///
    /// let monitor = Monitor::new(blocking("disk", || true));
    /// let mut server = Server::builder(monitor).token("correct-horse-battery").bind(([127, 0, 0, 1], 0))?;
    /// // curl -X POST -H 'Authorization: Bearer correct-horse-battery' http://127.0.0.1:PORT/pause?for=10m
    /// # let mut client = TcpStream::connect(server.address())?;
    /// # let token = "Authorization: Bearer correct-horse-battery";
    /// # client.write_all(format!("POST /pause?for=10m HTTP/1.0\r\n{token}\r\n\r\n").as_bytes())?;
    /// let disk = server.targets().next().expect("one target");
    /// while server.snapshot(disk).is_some_and(|disk| disk.paused_until.is_none()) {
    ///     server.turn(None)?;
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Requires the token of [`ServerBuilder::token`] for all requests but heartbeats.
    #[must_use]
    pub fn protect_reads(mut self) -> Self {
        self.protects_reads = true;
        self
    }

    /// Whether browsers get a status page at `/` and `/page`. Default: true.
    ///
    /// ```
    /// use pingstate::{Monitor, Server, blocking};
    ///
    /// let disk = || Monitor::new(blocking("disk", || true));
    /// Server::builder([disk()]).status_page(false).bind(([127, 0, 0, 1], 0))?;
    /// let framed = Server::builder([disk()]).frame_ancestor("https://home.example");
    /// framed.bind(([127, 0, 0, 1], 0))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn status_page(mut self, has_page: bool) -> Self {
        self.has_page = has_page;
        self
    }

    /// Lets pages of this origin, or with `*` all pages, show the status page in a frame. Default: only the API itself.
    #[must_use]
    pub fn frame_ancestor(mut self, origin: impl Into<String>) -> Self {
        self.frame_ancestor = Some(origin.into());
        self
    }

    /// Ends [`Server::run`] on SIGINT and SIGTERM. They no longer end the program by themselves, even
    /// after the server is dropped.
    #[must_use]
    pub fn stop_on_signals(mut self) -> Self {
        self.stop_on_signals = true;
        self
    }

    /// Handles SIGHUP: it ends a turn of the loop instead of the program. See
    /// [`Server::take_reload_request`].
    #[must_use]
    pub fn reload_on_sighup(mut self) -> Self {
        self.reload_on_sighup = true;
        self
    }

    /// Reaps orphaned processes if this process is PID 1, as in a container; otherwise they stay zombies.
    /// Only for programs without child processes other than hooks: it may take their exit status.
    #[must_use]
    pub fn reap_orphans(mut self) -> Self {
        self.reap_orphans = true;
        self
    }

    /// Calls `callback` after every check. It runs on the thread of the server, which it blocks until it returns;
    /// a panic in it propagates through [`Server::run`] or [`Server::turn`].
    #[must_use]
    pub fn on_check(mut self, callback: impl FnMut(&CheckEvent<'_>) + Send + 'static) -> Self {
        self.on_check = Some(Box::new(callback));
        self
    }

    /// Calls `callback` with every warning: failed hooks, webhooks and pushes, and ignored parts of the hosts file or
    /// resolv.conf. It blocks the server, as that of [`ServerBuilder::on_check`] does.
    #[must_use]
    pub fn on_warning(mut self, callback: impl FnMut(&Warning) + Send + 'static) -> Self {
        self.on_warning = Some(Box::new(callback));
        self
    }

    /// Notifies systemd, or the service manager that `NOTIFY_SOCKET` in the environment names
    /// (sd_notify(3)): readiness, the number of targets per state, and stopping. If `WATCHDOG_USEC` is set,
    /// it sends watchdog pings while checks start and end in time. Without `NOTIFY_SOCKET` it does nothing.
    #[must_use]
    pub fn notify_systemd(mut self) -> Self {
        self.notify_systemd = true;
        self
    }

    /// Posts the metrics to this URL, at start and at an interval, in the Prometheus text format and with a chunked body:
    /// to VictoriaMetrics (`/api/v1/import/prometheus`) or a Pushgateway (`/metrics/job/NAME`). Redirects are failures.
    /// Failures are warnings: the first one at once, the number of further ones after the next success.
    ///
    /// ```
    /// # use std::net::TcpListener;
    /// # use std::io::Read;
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// use pingstate::{Monitor, PeriodicRequest, Server, blocking};
    ///
    /// let url = format!("http://127.0.0.1:{port}/api/v1/import/prometheus");
    /// let mut server = Server::builder([Monitor::new(blocking("disk", || true))])
    ///     .push(PeriodicRequest::new(&url, None)?)
    ///     .bind(([127, 0, 0, 1], 0))?;
    /// # let receiver = std::thread::spawn(move || {
    /// #     let mut head = [0; 20];
    /// #     listener.accept().and_then(|(mut peer, _)| peer.read_exact(&mut head)).map(|()| head)
    /// # });
    /// # while !receiver.is_finished() {
    /// server.turn(None)?;
    /// # }
    /// # assert_eq!(&receiver.join().unwrap()?, b"POST /api/v1/import/");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn push(mut self, request: PeriodicRequest) -> Self {
        self.push = Some(request);
        self
    }

    /// Requests this URL with GET, at start and at an interval, while checks start and end in time, for monitors that
    /// expect this: healthchecks.io, or a push monitor of Uptime Kuma. Failures are warnings as with
    /// [`ServerBuilder::push`].
    ///
    /// ```no_run
    /// use pingstate::{Monitor, PeriodicRequest, Server, blocking};
    ///
    /// let mut server = Server::builder([Monitor::new(blocking("disk", || true))])
    ///     .alive(PeriodicRequest::new("https://hc-ping.com/9a8b7c6d-s3cret", None)?)
    ///     .bind(([127, 0, 0, 1], 8787))?;
    /// server.run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn alive(mut self, request: PeriodicRequest) -> Self {
        self.alive = Some(request);
        self
    }

    /// The default and the maximum number of days of the history: 90.
    pub const HISTORY_DAYS: u8 = History::DAYS_MAX;

    /// How many UTC days of the history of each target are kept: at most [`ServerBuilder::HISTORY_DAYS`], which is the
    /// default. It also has the half-hours of the last day; both together have up to 1,104 bytes per target. With 0 no
    /// history is recorded, and there is no [`Snapshot::uptime`](crate::Snapshot::uptime).
    ///
    /// ```
    /// use pingstate::{Monitor, Server, Window, blocking};
    /// use std::time::Duration;
    ///
    /// let disk = Monitor::new(blocking("disk", || true)).interval(Duration::from_millis(50));
    /// let mut server = Server::builder(disk).history_days(30).bind(([127, 0, 0, 1], 0))?;
    /// let disk = server.targets().next().expect("one target");
    /// let uptime = |server: &Server| server.snapshot(disk)?.uptime?.ratio(Window::H24);
    /// // From the first second whose state is known.
    /// while uptime(&server).is_none() {
    ///     server.turn(Duration::from_millis(100))?;
    /// }
    /// assert_eq!(uptime(&server), Some(1.0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn history_days(mut self, days: u8) -> Self {
        self.history_days = days;
        self
    }

    /// The default interval of the state file: 15 minutes.
    pub const STATE_INTERVAL: Duration = Duration::from_secs(15 * 60);

    /// Continues from this file, if it exists, and writes it at an interval, after the end of each UTC day, and when the
    /// server stops: the state, history, counters and pause of each target, the time of its last heartbeat, and what was
    /// notified. A target is recognised by its name and URL. It is unknown until its first check; then it is in the same
    /// state as before, if that has not changed, and nothing is notified.
    ///
    /// It is written on a thread of its own, with the permissions 0600: first `FILE.tmp`, which then replaces the file. A
    /// failure is a warning, and the file is written again at the next interval. A file that is damaged or of another
    /// version is renamed to `FILE.bad`. Default: none.
    ///
    /// ```
    /// use pingstate::{Monitor, Server, State, blocking};
    ///
    /// # let file = std::env::temp_dir().join(format!("pingstate-state-{}", std::process::id()));
    /// # let _ = std::fs::remove_file(&file);
    /// let start = || {
    ///     let disk = Monitor::new(blocking("disk", || true));
    ///     Server::builder(disk).state_file(&file).bind(([127, 0, 0, 1], 0))
    /// };
    /// let run = |server: &mut Server| {
    ///     let disk = server.targets().next().expect("one target");
    ///     while server.snapshot(disk).is_some_and(|disk| disk.state != State::Up) {
    ///         server.turn(None)?;
    ///     }
    ///     server.shutdown_handle()?.stop();
    ///     server.run()?;
    ///     Ok::<_, std::io::Error>(server.snapshot(disk).expect("it is present"))
    /// };
    /// let before = run(&mut start()?)?;
    /// let after = run(&mut start()?)?;
    /// assert_eq!((before.transitions, after.transitions), (1, 1));
    /// # std::fs::remove_file(&file)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn state_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_file = Some(path.into());
        self
    }

    /// The interval of [`ServerBuilder::state_file`]: from one second to [`Monitor::INTERVAL_MAX`]. Default:
    /// [`ServerBuilder::STATE_INTERVAL`].
    #[must_use]
    pub fn state_interval(mut self, interval: Duration) -> Self {
        self.state_interval = interval;
        self
    }

    /// Binds the API to `address`; port 0 selects a free port. The first checks start with the first turn.
    ///
    /// # Errors
    /// An [`Error`] of kind [`InvalidInput`](io::ErrorKind::InvalidInput) if a setting is invalid or two monitors
    /// have the same name or key (see the manual); otherwise the error of binding: address in use,
    /// not local, or not permitted.
    pub fn bind(self, address: impl Into<SocketAddr>) -> io::Result<Server> {
        let address = address.into();
        validate_names(self.monitors.iter().map(Monitor::name))?;
        validate_keys(self.monitors.iter().map(Monitor::labels))?;
        validate_tokens(self.monitors.iter().map(Monitor::heartbeat))?;
        validate_dependencies(self.monitors.iter().map(Monitor::dependencies))?;
        if let Some(host) = self.allowed_hosts.iter().find(|host| !is_host(host)) {
            return Err(Error::ApiAllowHost(format!("{host:?} is not a host name or an IP address")).into());
        }
        let token = self.token.map(|token| Token::parse(&token, Access::TOKEN_PUNCTUATION)).transpose();
        let token = token.map_err(Error::ApiTokenFile)?;
        if self.protects_reads && token.is_none() {
            return Err(Error::ApiTokenFile("is required to protect reading".to_owned()).into());
        }
        if self.history_days > ServerBuilder::HISTORY_DAYS {
            return Err(Error::HistoryDays(format!("{} is more than 90", self.history_days)).into());
        }
        if !(STATE_INTERVAL_MIN..=Monitor::INTERVAL_MAX).contains(&self.state_interval) {
            let message = format!("{:?} is not between 1 s and 10 years", self.state_interval);
            return Err(Error::StateInterval(message).into());
        }
        let frame_ancestor = self.frame_ancestor.unwrap_or_default();
        if !frame_ancestor.is_empty() && !is_frame_ancestor(&frame_ancestor) {
            return Err(Error::ApiFrame(format!("{frame_ancestor:?} is not an origin or *")).into());
        }
        let mut access = Access::from(HostGuard::new(address.ip(), self.allowed_hosts));
        access.set_token(token, self.protects_reads);
        access.set_page(self.has_page, &frame_ancestor);
        let mut reactor = self.resolver.reactor(self.monitors, Schedule::Repeated, access)?;
        let address = reactor.listen(address)?;
        reactor.record_history(self.history_days);
        if let Some(path) = self.state_file {
            reactor.keep_state(path, self.state_interval);
        }
        if self.stop_on_signals {
            reactor.listen_to_signals()?;
        }
        if self.reload_on_sighup {
            reactor.listen_to_hangup()?;
        }
        if self.reap_orphans {
            reactor.reap_orphans()?;
        }
        if self.notify_systemd {
            reactor.notify_manager();
        }
        reactor.start_requests(self.push, self.alive);
        let ServerBuilder { on_check, on_warning, .. } = self;
        Ok(Server { reactor, address, on_check, on_warning, ended: false })
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("monitors", &self.monitors).finish_non_exhaustive()
    }
}
