//! TCP targets: up to 10,000 listeners that count connections and avoid TIME_WAIT.
//!
//! Each target has its own address in 127.0.0.0/8, so that the full range of ephemeral ports is available
//! for each. A connection is kept for `RESET_DELAY` and then reset. By then the prober has closed its side
//! in its usual way, and the reset removes the connection without TIME_WAIT. Otherwise the kernel's table
//! would grow during the run, and each connect would be more expensive than the ones before. The kernel
//! establishes connections before `accept`, so the listeners accept in batches (`ACCEPT_PAUSE`), and
//! probers do not pay for waking them up.

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

/// Time from accepting a connection to its reset.
pub(crate) const RESET_DELAY: Duration = Duration::from_millis(200);

/// Pause between two batches of `accept`.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Poll timeout, which limits how long stopping the thread takes.
const STOP_TIMEOUT: Duration = Duration::from_millis(100);

/// Listeners and the thread that serves them; closed on drop.
pub(crate) struct Listeners {
    port: u16,
    count: Arc<AtomicUsize>,
    arrivals: Arrivals,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Time and target of each accepted connection.
type Arrivals = Arc<Mutex<Vec<(Instant, usize)>>>;

impl Listeners {
    /// Opens `targets` listeners on the same port of different addresses.
    pub(crate) fn open(targets: usize) -> Listeners {
        Listeners::start(targets, Some(ACCEPT_PAUSE))
    }

    /// Like [`Listeners::open`], but accepts each connection immediately and records its time.
    pub(crate) fn open_recording(targets: usize) -> Listeners {
        Listeners::start(targets, None)
    }

    fn start(targets: usize, pause: Option<Duration>) -> Listeners {
        let bound = (0..20).find_map(|_| bind(targets));
        let (port, listeners) = bound.expect("a port that is free on all addresses");
        let mut this = Listeners {
            port,
            count: Arc::default(),
            arrivals: Arc::default(),
            stop: Arc::default(),
            thread: None,
        };
        let (count, arrivals, stop) = (this.count.clone(), this.arrivals.clone(), this.stop.clone());
        this.thread = Some(thread::spawn(move || {
            let mut server = Server::new(listeners, pause);
            while !stop.load(Ordering::Relaxed) {
                server.poll(&count, &arrivals);
            }
        }));
        this
    }

    /// Connections so far; recorded only by [`Listeners::open_recording`].
    pub(crate) fn arrivals(&self) -> Vec<(Instant, usize)> {
        self.arrivals.lock().expect("mutex is not poisoned").clone()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The URLs of the first `targets` targets.
    pub(crate) fn urls(&self, targets: usize) -> Vec<String> {
        (0..targets).map(|target| format!("tcp://{}", address(target, self.port))).collect()
    }

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
    pause: Option<Duration>,
    open_connections: VecDeque<(Instant, TcpStream)>,
}

impl Server {
    fn new(mut listeners: Vec<TcpListener>, pause: Option<Duration>) -> Server {
        let poll = Poll::new().expect("create an epoll instance");
        for (index, listener) in listeners.iter_mut().enumerate() {
            // Accepted sockets inherit the option.
            SockRef::from(&*listener).set_linger(Some(Duration::ZERO)).expect("set a socket option");
            poll.registry().register(listener, Token(index), Interest::READABLE).expect("register");
        }
        Server {
            poll,
            events: Events::with_capacity(4096),
            listeners,
            pause,
            open_connections: VecDeque::new(),
        }
    }

    fn poll(&mut self, count: &AtomicUsize, arrivals: &Arrivals) {
        let timeout = match self.pause {
            Some(pause) => {
                thread::sleep(pause);
                Duration::ZERO
            }
            None => STOP_TIMEOUT,
        };
        self.poll.poll(&mut self.events, Some(timeout)).expect("poll");
        let now = Instant::now();
        for event in &self.events {
            let target = event.token().0;
            while let Ok((stream, _)) = self.listeners[target].accept() {
                count.fetch_add(1, Ordering::Relaxed);
                if self.pause.is_none() {
                    arrivals.lock().expect("mutex is not poisoned").push((now, target));
                }
                self.open_connections.push_back((now, stream));
            }
        }
        while self.open_connections.front().is_some_and(|(accepted_at, _)| now - *accepted_at >= RESET_DELAY)
        {
            self.open_connections.pop_front();
        }
    }
}
