//! Bare probers: as little as one can do and still probe. They are this program started again, so that
//! their processor time is theirs alone.
//!
//! The TCP one makes the fewest system calls possible for a connection whose success is checked: socket,
//! connect, epoll_ctl, getsockopt, close, and an epoll_wait for all that is due at the same time.

use std::io::ErrorKind;
use std::process::Command;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::listener::address;

/// The argument that makes this program a bare prober.
pub(crate) const FLAG: &str = "--floor";

/// This program as a prober of the first targets behind `port`, each once in `interval`.
pub(crate) fn tcp(port: u16, targets: usize, interval: Duration) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.args([FLAG, "tcp", &port.to_string(), &targets.to_string(), &interval.as_micros().to_string()]);
    command
}

/// Probes until killed.
pub(crate) fn run(args: &[String]) {
    let number = |place: usize| args[place].parse::<u64>().expect("a number");
    let port = u16::try_from(number(1)).expect("a port");
    let (targets, interval) = (number(2) as usize, Duration::from_micros(number(3)));
    match &*args[0] {
        "tcp" => probe_tcp(port, targets, interval),
        other => panic!("no prober {other}"),
    }
}

/// The beats of all targets, spread over the interval: one after the other in a circle.
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

    /// The next target whose beat is not after `now`.
    fn take(&mut self, now: Instant) -> Option<usize> {
        if self.due() > now {
            return None;
        }
        let target = (self.next % self.targets as u64) as usize;
        self.next += 1;
        Some(target)
    }
}

fn probe_tcp(port: u16, targets: usize, interval: Duration) {
    let mut poll = Poll::new().expect("epoll");
    let mut events = Events::with_capacity(256);
    let mut streams: Vec<Option<TcpStream>> = (0..targets).map(|_| None).collect();
    let mut failures = 0_u64;
    let mut beats = Beats::new(targets, interval);
    loop {
        let now = Instant::now();
        while let Some(target) = beats.take(now) {
            let mut stream = TcpStream::connect(address(target, port)).expect("a socket");
            poll.registry().register(&mut stream, Token(target), Interest::WRITABLE).expect("registered");
            streams[target] = Some(stream);
        }
        let wait = beats.due().saturating_duration_since(Instant::now());
        poll.poll(&mut events, Some(wait)).expect("polled");
        for event in &events {
            if let Some(stream) = streams[event.token().0].take() {
                // One that was reset has stood: this prober was late to look.
                let error = stream.take_error().unwrap_or_else(Some);
                failures += u64::from(error.is_some_and(|error| error.kind() != ErrorKind::ConnectionReset));
            }
        }
        assert!(failures < 1000, "targets fail");
    }
}
