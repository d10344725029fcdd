//! 10,000 API clients that are slow, silent or greedy: memory stays bounded, a good client is served, probes
//! run on schedule, and stuck clients are closed in time.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::*;
use mio::{Events, Interest, Poll, Token};

/// Number of clients, if the descriptor limit of one process allows it.
const CLIENTS: usize = 10_000;

/// New clients per second.
const RATE: f64 = 3000.0;

/// Memory limit of the daemon with all of them, in kB: 8 MiB, plus 3 MiB for a build without
/// optimization.
const MEMORY_KB: u64 = if cfg!(debug_assertions) { 11 } else { 8 } * 1024;

/// Longest time until a client is closed, including the time in the accept queue.
const GONE: Duration = Duration::from_secs(if cfg!(debug_assertions) { 15 } else { 10 });

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Sends nothing.
    Idle,
    /// Sends a head that never ends, one byte every half second.
    Dripping,
    /// Pipelines many requests and reads nothing.
    NeverReading,
    /// Pipelines many requests and reads slowly.
    Pipelining,
}

struct Stuck {
    stream: mio::net::TcpStream,
    kind: Kind,
    came: Instant,
    connected: bool,
    asked: bool,
}

impl Stuck {
    fn act(&mut self, requests: &[u8]) {
        let _ = match self.kind {
            Kind::Idle => Ok(0),
            Kind::Dripping => self.stream.write(b"G"),
            Kind::NeverReading | Kind::Pipelining if !self.asked => self.stream.write(requests),
            Kind::NeverReading | Kind::Pipelining => Ok(0),
        };
        self.asked = true;
    }

    /// Reads what this kind of client reads of its responses.
    fn read(&mut self) {
        let mut buffer = [0; 4096];
        match self.kind {
            Kind::NeverReading => {}
            Kind::Pipelining => drop(self.stream.read(&mut buffer)),
            Kind::Idle | Kind::Dripping => while matches!(self.stream.read(&mut buffer), Ok(1..)) {},
        }
    }
}

/// Raises the descriptor limit of this process as far as possible and returns it.
fn descriptors() -> usize {
    let limit = |name: &str| {
        let text = std::fs::read_to_string("/proc/self/limits").expect("linux");
        let line = text.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
        let column = if name == "soft" { 3 } else { 4 };
        line.split_whitespace().nth(column).and_then(|n| n.parse::<usize>().ok()).unwrap_or(1024)
    };
    let wanted = limit("hard").min(20_000);
    let pid = std::process::id().to_string();
    let _ = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={wanted}:")]).status();
    limit("soft")
}

#[test]
fn slow_clients_do_not_affect_others() {
    let _alone = crate::common::alone();
    let count = CLIENTS.min(descriptors().saturating_sub(200));
    let (checked, checks) = channel();
    let server = Server::start(move |mut stream| {
        let _ = checked.send(now());
        read_head(&stream);
        let _ = stream.write_all(OK.as_bytes());
    });
    let daemon = Daemon::start(&["--interval", "0.25", &server.url("http")]);
    daemon.wait_for_state("up");
    let over = Arc::new(AtomicBool::new(false));
    let good = thread::spawn({
        let (api, over) = (daemon.api, over.clone());
        move || good_client(api, &over)
    });
    let start = now();
    while checks.try_recv().is_ok() {}
    let (ends, longest) = connect_clients(&daemon, count);
    let lasted = now() - start;
    over.store(true, Ordering::SeqCst);
    let (mut times, failures) = good.join().expect("a good client");
    times.sort();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    let memory = daemon.figure("VmHWM");
    let checks = checks.try_iter().count();
    println!("{count} clients for {lasted:.1?}: {} ended in order, {} reset or refused", ends.0, ends.1);
    println!("longest stuck {longest:.1?}, memory {memory} kB, {} descriptors", daemon.descriptors());
    println!("good client: {} answers, p50 {p50:.1?}, p99 {p99:.1?}, {checks} checks", times.len());
    println!("slowest {:?}", &times[times.len() - 5..]);
    println!("{failures} requests without a response");
    assert!(failures <= times.len() / 50, "{failures}");
    assert!(memory <= MEMORY_KB, "{memory} kB");
    assert!(longest <= GONE, "{longest:?}");
    // A release build on an idle machine needs a few milliseconds.
    assert!(p50 < Duration::from_millis(50) && p99 < Duration::from_secs(2), "{p50:?} {p99:?}");
    let due = lasted.as_millis() / 250;
    assert!((due - 2..=due + 2).contains(&(checks as u128)), "{checks} of {due} checks");
    let (_, body) = daemon.get("/status");
    assert!(body.contains("\"state\": \"up\"") && body.contains("\"transitions\": 1,"), "{body}");
}

/// Requests the state repeatedly; returns the response times and the number of failed requests.
fn good_client(api: SocketAddr, over: &AtomicBool) -> (Vec<Duration>, usize) {
    let (mut times, mut failures) = (Vec::new(), 0);
    while !over.load(Ordering::SeqCst) {
        let start = now();
        match ask(api) {
            Ok(answer) => assert!(answer.ends_with("\r\n\r\nup\n"), "{answer}"),
            Err(_) => failures += 1,
        }
        times.push(now() - start);
        #[allow(clippy::disallowed_methods)] // It sends 50 requests a second.
        thread::sleep(Duration::from_millis(20));
    }
    (times, failures)
}

/// One request and its response. A missing response is the client's own fault if hundreds of other
/// clients connected before it sent its request.
fn ask(api: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(api)?;
    stream.write_all(b"GET /state HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    match stream.read_to_string(&mut answer)? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(answer),
    }
}

/// Connects this number of clients and waits until all are closed; returns how many were closed in order,
/// how many were not, and the longest connection time.
fn connect_clients(daemon: &Daemon, count: usize) -> ((usize, usize), Duration) {
    let requests = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(40);
    let mut poll = Poll::new().expect("a poll");
    let mut events = Events::with_capacity(1024);
    let mut clients: Vec<Option<Stuck>> = Vec::new();
    let mut left = BTreeSet::new();
    let (mut ends, mut longest) = ((0, 0), Duration::ZERO);
    let (start, mut drip_at) = (now(), now());
    let idle = daemon.descriptors();
    while clients.len() < count || !left.is_empty() {
        let come = ((now() - start).as_secs_f64() * RATE) as usize;
        for _ in clients.len()..count.min(come) {
            let mut stream = mio::net::TcpStream::connect(daemon.api).expect("starts");
            // The kernel buffers little for a client that reads nothing.
            let _ = socket2::SockRef::from(&stream).set_recv_buffer_size(4096);
            let both = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(clients.len()), both).expect("registered");
            let kinds = [Kind::Idle, Kind::Dripping, Kind::NeverReading, Kind::Pipelining];
            let kind = kinds[clients.len() % kinds.len()];
            left.insert(clients.len());
            clients.push(Some(Stuck { stream, kind, came: now(), connected: false, asked: false }));
        }
        poll.poll(&mut events, Some(Duration::from_millis(10))).expect("polled");
        let drip = now() >= drip_at;
        let mut touched: Vec<_> =
            events.iter().map(|e| (e.token().0, e.is_read_closed(), e.is_error())).collect();
        if drip {
            drip_at = now() + Duration::from_millis(500);
            touched.extend(left.iter().map(|index| (*index, false, false)));
        }
        for (index, ended, broken) in touched {
            let Some(client) = &mut clients[index] else { continue };
            if !client.connected && !broken {
                client.connected = client.stream.peer_addr().is_ok();
                client.came = now();
                if !client.connected {
                    continue;
                }
            }
            if !client.asked || drip {
                client.act(&requests);
            }
            client.read();
            if ended || broken {
                longest = longest.max(now() - client.came);
                if broken {
                    ends.1 += 1
                } else {
                    ends.0 += 1
                }
                left.remove(&index);
                clients[index] = None;
            }
        }
        // What the kernel still buffers for clients that never read no longer belongs to the daemon.
        let readable = |index: &usize| clients[*index].as_ref().is_some_and(|c| c.kind != Kind::NeverReading);
        if clients.len() == count && !left.iter().any(readable) && daemon.descriptors() <= idle + 1 {
            println!("{} clients did not see the close", left.len());
            break;
        }
        assert!(now() - start < PATIENCE, "{} are still connected", left.len());
    }
    (ends, longest)
}

/// A client that shuts down its write side after a request still gets its response, and a client that
/// closes at any point of the conversation affects no other client.
#[test]
fn clients_may_leave_at_any_point() {
    let _alone = crate::common::alone();
    let server = Server::answering(OK);
    let daemon = Daemon::start(&["--interval", "0.1", &server.url("http")]);
    daemon.wait_for_state("up");
    let before = daemon.descriptors();
    let request = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for cut in 0..=request.len() {
        for reset in [false, true] {
            let mut stream = TcpStream::connect(daemon.api).expect("connects");
            stream.write_all(&request[..cut]).expect("sent");
            if reset {
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("set");
            }
        }
        let mut stream = TcpStream::connect(daemon.api).expect("connects");
        stream.write_all(&request[..cut]).expect("sent");
        stream.shutdown(std::net::Shutdown::Write).expect("ended");
        let mut answer = String::new();
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream.read_to_string(&mut answer).expect("an ordinary end");
        assert_eq!(answer.starts_with("HTTP/1.1 200 "), cut == request.len(), "{cut}: {answer}");
    }
    eventually("all of them gone", || (daemon.descriptors() <= before + 1).then_some(()));
    assert_eq!(daemon.state(), "up");
}

/// A client that pipelines forever and reads nothing is closed five seconds after the kernel stopped
/// accepting responses for it.
#[test]
fn client_that_never_reads_is_closed() {
    let _alone = crate::common::alone();
    let server = Server::answering(OK);
    let daemon = Daemon::start(&["--interval", "0.1", &server.url("http")]);
    daemon.wait_for_state("up");
    let mut stream = TcpStream::connect(daemon.api).expect("connects");
    socket2::SockRef::from(&stream).set_recv_buffer_size(4096).expect("set");
    stream.set_write_timeout(Some(PATIENCE)).expect("set");
    let requests = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    let mut written = now();
    while stream.write_all(&requests).is_ok() {
        written = now();
    }
    let stuck = now() - written;
    println!("closed after {stuck:.1?}");
    assert!(stuck < Duration::from_secs(7), "{stuck:?}");
    assert_eq!(daemon.state(), "up");
}

/// Responses to clients that never read: the kernel drops them soon after the daemon has closed the
/// connections, although the clients stay connected.
#[cfg(target_os = "linux")]
#[test]
fn kernel_drops_responses_of_closed_clients() {
    let _alone = crate::common::alone();
    let server = Server::answering(OK);
    let daemon = Daemon::start(&["--interval", "0.02", &server.url("http")]);
    let full = || daemon.get("/status").1.matches("\"event\"").count() == 20;
    eventually("a full history", || full().then_some(()));
    let requests = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(8);
    let deaf: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = TcpStream::connect(daemon.api).expect("connects");
            socket2::SockRef::from(&stream).set_recv_buffer_size(2048).expect("set");
            stream.write_all(&requests).expect("sent");
            stream
        })
        .collect();
    let start = now();
    let most = Cell::new(0);
    // Connections on the daemon's side that are established or not fully closed.
    eventually("all of them closed in the kernel", || {
        let table = std::fs::read_to_string("/proc/net/tcp").expect("linux");
        let port = format!(":{:04X}", daemon.api.port());
        let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        let left = rows.filter(|row| row[1].ends_with(&port) && !["0A", "06"].contains(&row[3])).count();
        most.set(left.max(most.get()));
        (most.get() >= deaf.len() && left == 0).then_some(())
    });
    println!("{} connections, closed after {:.1?}", most.get(), now() - start);
    assert_eq!(daemon.state(), "up");
}
