//! The other end of TCP probes: thousands of listeners that count connections and leave no trace.
//!
//! Each target is an address of its own in 127.0.0.0/8, so that each has all ephemeral ports to itself,
//! and one address on loopback is as good as another. A connection is held for a while and then reset:
//! by then the prober has closed its end as it likes, as with any server that waits for its client, and
//! a reset ends the pair without a minute in TIME_WAIT. Otherwise the table of resting connections would
//! fill up during the run and make each later connect dearer than the ones before. `accept` does not
//! wait for the prober nor the prober for it, so the listener takes connections in a few times a second:
//! waking it up costs no prober anything.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

/// How long a connection is held before it is reset.
pub(crate) const HOLD: Duration = Duration::from_millis(200);

/// How long accepting rests between two rounds.
const REST: Duration = Duration::from_millis(20);

/// How long a thread that is told to stop may sleep on.
const NAP: Duration = Duration::from_millis(100);

/// Listeners and the thread that serves them, until they are dropped.
pub(crate) struct Listeners {
    port: u16,
    count: Arc<AtomicUsize>,
    arrivals: Arrivals,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// When a connection was taken in, and for which target.
type Arrivals = Arc<Mutex<Vec<(Instant, usize)>>>;

impl Listeners {
    /// As many as that, on one port and addresses of their own.
    pub(crate) fn open(targets: usize) -> Listeners {
        Listeners::start(targets, Some(REST))
    }

    /// The same, and each connection is taken in at once and noted.
    pub(crate) fn watch(targets: usize) -> Listeners {
        Listeners::start(targets, None)
    }

    fn start(targets: usize, rest: Option<Duration>) -> Listeners {
        let bound = (0..20).find_map(|_| bind(targets));
        let (port, listeners) = bound.expect("a port that all of them can have");
        let mut this = Listeners {
            port,
            count: Arc::default(),
            arrivals: Arc::default(),
            stop: Arc::default(),
            thread: None,
        };
        let (count, arrivals, stop) = (this.count.clone(), this.arrivals.clone(), this.stop.clone());
        this.thread = Some(thread::spawn(move || {
            let mut server = Server::new(listeners, rest);
            while !stop.load(Ordering::Relaxed) {
                server.turn(&count, &arrivals);
            }
        }));
        this
    }

    /// The connections of [`Listeners::watch`] so far.
    pub(crate) fn arrivals(&self) -> Vec<(Instant, usize)> {
        self.arrivals.lock().expect("sound").clone()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The first targets, as pingstate takes them.
    pub(crate) fn urls(&self, targets: usize) -> Vec<String> {
        (0..targets).map(|target| format!("tcp://{}", address(target, self.port))).collect()
    }

    /// Connections so far.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where a target listens.
pub(crate) fn address(target: usize, port: u16) -> SocketAddr {
    let [_, high, middle, low] = (target as u32 + 1).to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(127, high + 77, middle, low), port).into()
}

fn bind(targets: usize) -> Option<(u16, Vec<TcpListener>)> {
    let first = TcpListener::bind(address(0, 0)).ok()?;
    let port = first.local_addr().ok()?.port();
    let mut listeners = vec![first];
    for target in 1..targets {
        match TcpListener::bind(address(target, port)) {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => return None,
            Err(error) => panic!("{targets} listeners: {error}"),
        }
    }
    Some((port, listeners))
}

struct Server {
    poll: Poll,
    events: Events,
    listeners: Vec<TcpListener>,
    rest: Option<Duration>,
    held: VecDeque<(Instant, TcpStream)>,
}

impl Server {
    fn new(mut listeners: Vec<TcpListener>, rest: Option<Duration>) -> Server {
        let poll = Poll::new().expect("epoll");
        for (number, listener) in listeners.iter_mut().enumerate() {
            // What is accepted inherits it.
            SockRef::from(&*listener).set_linger(Some(Duration::ZERO)).expect("set");
            poll.registry().register(listener, Token(number), Interest::READABLE).expect("registered");
        }
        Server { poll, events: Events::with_capacity(4096), listeners, rest, held: VecDeque::new() }
    }

    fn turn(&mut self, count: &AtomicUsize, arrivals: &Arrivals) {
        let patience = match self.rest {
            Some(rest) => {
                thread::sleep(rest);
                Duration::ZERO
            }
            None => NAP,
        };
        self.poll.poll(&mut self.events, Some(patience)).expect("polled");
        let now = Instant::now();
        for event in &self.events {
            let target = event.token().0;
            while let Ok((stream, _)) = self.listeners[target].accept() {
                count.fetch_add(1, Ordering::Relaxed);
                if self.rest.is_none() {
                    arrivals.lock().expect("sound").push((now, target));
                }
                self.held.push_back((now, stream));
            }
        }
        while self.held.front().is_some_and(|(since, _)| now - *since >= HOLD) {
            self.held.pop_front();
        }
    }
}
