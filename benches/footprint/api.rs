//! The API compared with nginx returning a constant: throughput and latency, when idle and during 2,000
//! probes per second.
//!
//! The same client runs on the same machine for both, so that its CPU usage affects both equally.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::cpu::ROUNDS;
use super::listener::Listeners;
use super::peers::{self, TempDir};
use super::process::{Process, pingstate_with_api};
use super::table::{Goal, Table, quantile};

const PROBES_PER_SECOND: usize = 2_000;

/// Connections for the throughput test: a request is sent on each, then all responses are read.
const CONNECTIONS: usize = 16;

/// Delay from start to the first request: all targets are up by then.
const SETTLE: Duration = Duration::from_millis(1500);

const WINDOW: Duration = Duration::from_secs(2);

/// How often the servers alternate within a round.
const ALTERNATIONS: u32 = 4;

/// Pause between requests in the latency test, which uses one connection.
const REQUEST_PAUSE: Duration = Duration::from_millis(1);

const TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn measure(table: &mut Table) {
    let listeners = Listeners::open(PROBES_PER_SECOND);
    let temp_dir = TempDir::new();
    let nginx = peers::nginx(&temp_dir).map(|(mut command, address)| (Process::spawn(&mut command), address));
    if nginx.is_none() {
        table.note("nginx: skipped, not installed");
    }
    let nginx = nginx.as_ref().map(|(process, address)| (process, *address));
    let args = |interval: &str, targets| {
        let mut args = vec!["--interval".to_owned(), interval.to_owned()];
        args.extend(listeners.urls(targets));
        args
    };
    let (mut idle, mut loaded) = (Results::default(), Results::default());
    for _ in 0..ROUNDS {
        let (process, address) = pingstate_with_api(&args("600", 1));
        thread::sleep(SETTLE);
        idle.measure((&process, address), nginx);
    }
    for _ in 0..ROUNDS {
        let (process, address) = pingstate_with_api(&args("1", PROBES_PER_SECOND));
        thread::sleep(SETTLE);
        loaded.measure((&process, address), nginx);
    }
    let load = format!("{PROBES_PER_SECOND} probes/s");
    table.add_comparison("API requests, idle / nginx", &idle.rates, "/s", Goal::MinRatio(0.85));
    table.add_comparison("API CPU per request, idle / nginx", &idle.costs, "µs", Goal::None);
    table.add_comparison("API p99 latency, idle / nginx", &idle.p99s, "ms", Goal::None);
    table.add_comparison(format!("API requests during {load} / nginx"), &loaded.rates, "/s", Goal::None);
    table.add_comparison(
        format!("API p99 latency during {load} / nginx"),
        &loaded.p99s,
        "ms",
        Goal::Max(2.0),
    );
}

/// Pairs of values of pingstate and nginx.
#[derive(Default)]
struct Results {
    /// Requests per second.
    rates: Vec<(f64, f64)>,
    /// CPU time of the server per request, in microseconds.
    costs: Vec<(f64, f64)>,
    /// In milliseconds.
    p99s: Vec<(f64, f64)>,
}

impl Results {
    fn measure(&mut self, ours: (&Process, SocketAddr), nginx: Option<(&Process, SocketAddr)>) {
        let missing = (f64::NAN, f64::NAN);
        for _ in 0..ALTERNATIONS {
            let (ours, nginx) = (throughput(ours), nginx.map_or(missing, throughput));
            self.rates.push((ours.0, nginx.0));
            self.costs.push((ours.1, nginx.1));
        }
        self.p99s.push((p99(ours.1), nginx.map_or(f64::NAN, |nginx| p99(nginx.1))));
    }
}

/// Requests per second, and CPU time per request in microseconds.
fn throughput((process, address): (&Process, SocketAddr)) -> (f64, f64) {
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| Client::connect(address)).collect();
    let (start, cpu, mut count) = (Instant::now(), process.cpu(), 0);
    while start.elapsed() < WINDOW / ALTERNATIONS {
        clients.iter_mut().for_each(Client::send_request);
        clients.iter_mut().for_each(Client::read_response);
        count += CONNECTIONS;
    }
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), process.cpu() - cpu);
    (count as f64 / seconds, cpu * 1e6 / count as f64)
}

/// The 99th percentile of latency, in milliseconds.
fn p99(address: SocketAddr) -> f64 {
    let mut client = Client::connect(address);
    let mut latencies = Vec::new();
    let start = Instant::now();
    while start.elapsed() < WINDOW {
        thread::sleep(REQUEST_PAUSE);
        let sent_at = Instant::now();
        client.send_request();
        client.read_response();
        latencies.push(sent_at.elapsed().as_secs_f64() * 1e3);
    }
    quantile(latencies, 0.99)
}

/// A keep-alive connection.
struct Client {
    stream: TcpStream,
    /// Length of a response; all have the same.
    len: usize,
}

impl Client {
    /// Connects, retrying while the server starts, and sends a first request.
    fn connect(address: SocketAddr) -> Client {
        let start = Instant::now();
        let stream = loop {
            match TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(error) => assert!(start.elapsed() < TIMEOUT, "{address}: {error}"),
            }
        };
        stream.set_nodelay(true).expect("set a socket option");
        stream.set_read_timeout(Some(TIMEOUT)).expect("set a socket option");
        let mut client = Client { stream, len: 0 };
        client.send_request();
        let mut response = [0; 4096];
        client.len = client.stream.read(&mut response).expect("receive a response");
        assert!(response.starts_with(b"HTTP/1.1 200 ") && response[..client.len].ends_with(b"up\n"));
        client
    }

    fn send_request(&mut self) {
        self.stream.write_all(b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("send a request");
    }

    fn read_response(&mut self) {
        let mut response = [0; 4096];
        self.stream.read_exact(&mut response[..self.len]).expect("receive a response");
    }
}
