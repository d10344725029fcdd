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
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

/// How long a connection is held before it is reset.
pub(crate) const HOLD: Duration = Duration::from_millis(200);

/// How long accepting rests between two rounds.
const REST: Duration = Duration::from_millis(20);

/// Listeners and the thread that serves them for as long as the program runs.
pub(crate) struct Listeners {
    port: u16,
    count: Arc<AtomicUsize>,
}

impl Listeners {
    /// As many as that, on one port and addresses of their own.
    pub(crate) fn open(targets: usize) -> Listeners {
        let (port, listeners) =
            (0..20).find_map(|_| bind(targets)).expect("a port that all of them can have");
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        thread::spawn(move || serve(listeners, &counted));
        Listeners { port, count }
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

fn serve(mut listeners: Vec<TcpListener>, count: &AtomicUsize) {
    let mut poll = Poll::new().expect("epoll");
    for (number, listener) in listeners.iter_mut().enumerate() {
        // What is accepted inherits it.
        SockRef::from(&*listener).set_linger(Some(Duration::ZERO)).expect("set");
        poll.registry().register(listener, Token(number), Interest::READABLE).expect("registered");
    }
    let mut events = Events::with_capacity(4096);
    let mut held: VecDeque<(Instant, TcpStream)> = VecDeque::new();
    loop {
        thread::sleep(REST);
        poll.poll(&mut events, Some(Duration::ZERO)).expect("polled");
        let now = Instant::now();
        for event in &events {
            while let Ok((stream, _)) = listeners[event.token().0].accept() {
                count.fetch_add(1, Ordering::Relaxed);
                held.push_back((now, stream));
            }
        }
        while held.front().is_some_and(|(since, _)| now - *since >= HOLD) {
            held.pop_front();
        }
    }
}
