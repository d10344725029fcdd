//! Baseline probers: the minimal work that a probe requires. They run in a process of their own (this
//! program, re-executed), so that their CPU time can be measured separately.
//!
//! The TCP baseline uses the fewest system calls that check whether a connection succeeds: socket, connect,
//! epoll_ctl, getsockopt, close, and one epoll_wait for all simultaneous events. HTTP adds a send and a
//! receive. HTTPS adds rustls with pingstate's configuration.

mod protocol;

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};

use super::listener::address;
use protocol::{Http, Https, Protocol};

/// The argument that runs this program as a baseline prober.
pub(crate) const FLAG: &str = "--baseline";

/// Failed probes after which the prober aborts: its CPU time would not be comparable.
const FAILURES_MAX: u64 = 100;

/// A command that probes `targets` TCP targets on `port`, each once per `interval`.
pub(crate) fn tcp(port: u16, targets: usize, interval: Duration) -> Command {
    command("tcp", port, targets, interval)
}

/// Like [`tcp`] for HTTP targets, which share one address and differ in their path.
pub(crate) fn http(port: u16, targets: usize, interval: Duration) -> Command {
    command("http", port, targets, interval)
}

/// Like [`http`] for HTTPS targets. `ca` is trusted in addition to the built-in roots.
pub(crate) fn https(port: u16, targets: usize, interval: Duration, ca: &Path) -> Command {
    let mut command = command("https", port, targets, interval);
    command.arg(ca);
    command
}

fn command(kind: &str, port: u16, targets: usize, interval: Duration) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("path of this program"));
    command.args([FLAG, kind, &port.to_string(), &targets.to_string(), &interval.as_micros().to_string()]);
    command
}

/// Probes until the process is killed.
pub(crate) fn run(args: &[String]) {
    let number = |index: usize| args[index].parse::<u64>().expect("a number");
    let port = u16::try_from(number(1)).expect("a port");
    let schedule = Schedule::new(number(2) as usize, Duration::from_micros(number(3)));
    match &*args[0] {
        "tcp" => probe(schedule, |target| (address(target, port), ())),
        "http" => probe(schedule, |target| (address(0, port), Http::new(port, target))),
        "https" => {
            let config = protocol::config(Path::new(&args[4]));
            probe(schedule, |target| (address(0, port), Https::new(&config, port, target)));
        }
        other => panic!("unknown prober {other}"),
    }
}

/// Probe times, spread evenly over the interval, for each target in turn.
struct Schedule {
    start: Instant,
    step: Duration,
    next: u64,
    targets: usize,
}

impl Schedule {
    fn new(targets: usize, interval: Duration) -> Schedule {
        Schedule { start: Instant::now(), step: interval / targets as u32, next: 0, targets }
    }

    fn next_time(&self) -> Instant {
        self.start + Duration::from_nanos(self.step.as_nanos() as u64 * self.next)
    }

    /// The next target whose probe is due at `now`.
    fn next_due(&mut self, now: Instant) -> Option<usize> {
        if self.next_time() > now {
            return None;
        }
        let target = (self.next % self.targets as u64) as usize;
        self.next += 1;
        Some(target)
    }
}

/// A connection that is being established or used.
struct Connection<T> {
    stream: TcpStream,
    connecting: bool,
    protocol: T,
}

impl<T: Protocol> Connection<T> {
    fn open(address: std::net::SocketAddr, protocol: T, registry: &Registry, target: usize) -> Connection<T> {
        let mut stream = TcpStream::connect(address).expect("create a socket");
        registry.register(&mut stream, Token(target), T::INTEREST).expect("register");
        Connection { stream, connecting: true, protocol }
    }

    /// Returns `None` while the probe is in progress, then whether it succeeded.
    fn advance(&mut self) -> Option<bool> {
        if self.connecting {
            self.connecting = false;
            // ECONNRESET: the connection was established, and the server has reset it after `RESET_DELAY`.
            let error = self.stream.take_error().unwrap_or_else(Some);
            if error.is_some_and(|error| error.kind() != ErrorKind::ConnectionReset) {
                return Some(false);
            }
            return self.protocol.start(&mut self.stream);
        }
        self.protocol.advance(&mut self.stream)
    }
}

fn probe<T: Protocol>(mut schedule: Schedule, begin: impl Fn(usize) -> (std::net::SocketAddr, T)) {
    let mut poll = Poll::new().expect("create an epoll instance");
    let mut events = Events::with_capacity(256);
    let mut connections: Vec<Option<Connection<T>>> = (0..schedule.targets).map(|_| None).collect();
    let mut failures = 0;
    loop {
        let now = Instant::now();
        while let Some(target) = schedule.next_due(now) {
            let (address, protocol) = begin(target);
            connections[target] = Some(Connection::open(address, protocol, poll.registry(), target));
        }
        let wait = schedule.next_time().saturating_duration_since(Instant::now());
        poll.poll(&mut events, Some(wait)).expect("poll");
        for event in &events {
            let slot = &mut connections[event.token().0];
            if let Some(success) = slot.as_mut().and_then(Connection::advance) {
                failures += u64::from(!success);
                *slot = None;
            }
        }
        assert!(failures < FAILURES_MAX, "{failures} failed probes");
    }
}

/// A TCP probe finishes when the connection is established.
impl Protocol for () {
    const INTEREST: Interest = Interest::WRITABLE;

    fn start(&mut self, _stream: &mut TcpStream) -> Option<bool> {
        Some(true)
    }

    fn advance(&mut self, _stream: &mut TcpStream) -> Option<bool> {
        None
    }
}
