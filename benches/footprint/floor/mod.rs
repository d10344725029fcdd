//! Baseline probers: the minimal work that a probe requires. They run in a process of their own (this
//! program, re-executed), so that their CPU time can be measured separately.
//!
//! The TCP baseline uses the fewest system calls that check whether a connection succeeds: socket, connect,
//! epoll_ctl, getsockopt, close, and one epoll_wait for all simultaneous events. HTTP adds a send and a
//! receive. HTTPS adds rustls with pingstate's configuration.

mod talk;

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};

use super::listener::address;
use talk::{Http, Https, Talk};

/// The argument that runs this program as a baseline prober.
pub(crate) const FLAG: &str = "--floor";

/// Failed probes after which the prober aborts: its CPU time would not be comparable.
const FAILURES_MAX: u64 = 100;

/// A command that probes `targets` TCP targets on `port`, each once per `interval`.
pub(crate) fn tcp(port: u16, targets: usize, interval: Duration) -> Command {
    prober("tcp", port, targets, interval)
}

/// Like [`tcp`] for HTTP targets, which share one address and differ in their path.
pub(crate) fn http(port: u16, targets: usize, interval: Duration) -> Command {
    prober("http", port, targets, interval)
}

/// Like [`http`] for HTTPS targets. `ca` is trusted in addition to the built-in roots.
pub(crate) fn https(port: u16, targets: usize, interval: Duration, ca: &Path) -> Command {
    let mut command = prober("https", port, targets, interval);
    command.arg(ca);
    command
}

fn prober(kind: &str, port: u16, targets: usize, interval: Duration) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.args([FLAG, kind, &port.to_string(), &targets.to_string(), &interval.as_micros().to_string()]);
    command
}

/// Probes until the process is killed.
pub(crate) fn run(args: &[String]) {
    let number = |place: usize| args[place].parse::<u64>().expect("a number");
    let port = u16::try_from(number(1)).expect("a port");
    let beats = Beats::new(number(2) as usize, Duration::from_micros(number(3)));
    match &*args[0] {
        "tcp" => probe(beats, |target| (address(target, port), ())),
        "http" => probe(beats, |target| (address(0, port), Http::new(port, target))),
        "https" => {
            let config = talk::config(Path::new(&args[4]));
            probe(beats, |target| (address(0, port), Https::new(&config, port, target)));
        }
        other => panic!("no prober {other}"),
    }
}

/// Probe times, spread evenly over the interval, for each target in turn.
struct Beats {
    start: Instant,
    step: Duration,
    next: u64,
    targets: usize,
}

impl Beats {
    fn new(targets: usize, interval: Duration) -> Beats {
        Beats { start: Instant::now(), step: interval / targets as u32, next: 0, targets }
    }

    fn due(&self) -> Instant {
        self.start + Duration::from_nanos(self.step.as_nanos() as u64 * self.next)
    }

    /// The next target whose probe is due at `now`.
    fn take(&mut self, now: Instant) -> Option<usize> {
        if self.due() > now {
            return None;
        }
        let target = (self.next % self.targets as u64) as usize;
        self.next += 1;
        Some(target)
    }
}

/// A connection that is being established or used.
struct Line<T> {
    stream: TcpStream,
    connecting: bool,
    talk: T,
}

impl<T: Talk> Line<T> {
    fn open(to: std::net::SocketAddr, talk: T, registry: &Registry, target: usize) -> Line<T> {
        let mut stream = TcpStream::connect(to).expect("a socket");
        registry.register(&mut stream, Token(target), T::INTEREST).expect("registered");
        Line { stream, connecting: true, talk }
    }

    /// Returns whether the probe succeeded once it has finished.
    fn advance(&mut self) -> Option<bool> {
        if self.connecting {
            self.connecting = false;
            // ECONNRESET: the connection was established, and the server has reset it after `HOLD`.
            let error = self.stream.take_error().unwrap_or_else(Some);
            if error.is_some_and(|error| error.kind() != ErrorKind::ConnectionReset) {
                return Some(false);
            }
            return self.talk.start(&mut self.stream);
        }
        self.talk.advance(&mut self.stream)
    }
}

fn probe<T: Talk>(mut beats: Beats, begin: impl Fn(usize) -> (std::net::SocketAddr, T)) {
    let mut poll = Poll::new().expect("epoll");
    let mut events = Events::with_capacity(256);
    let mut lines: Vec<Option<Line<T>>> = (0..beats.targets).map(|_| None).collect();
    let mut failures = 0;
    loop {
        let now = Instant::now();
        while let Some(target) = beats.take(now) {
            let (to, talk) = begin(target);
            lines[target] = Some(Line::open(to, talk, poll.registry(), target));
        }
        let wait = beats.due().saturating_duration_since(Instant::now());
        poll.poll(&mut events, Some(wait)).expect("polled");
        for event in &events {
            let slot = &mut lines[event.token().0];
            if let Some(good) = slot.as_mut().and_then(Line::advance) {
                failures += u64::from(!good);
                *slot = None;
            }
        }
        assert!(failures < FAILURES_MAX, "targets fail");
    }
}

/// A TCP probe finishes when the connection is established.
impl Talk for () {
    const INTEREST: Interest = Interest::WRITABLE;

    fn start(&mut self, _stream: &mut TcpStream) -> Option<bool> {
        Some(true)
    }

    fn advance(&mut self, _stream: &mut TcpStream) -> Option<bool> {
        None
    }
}
