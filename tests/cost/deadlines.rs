//! One total deadline per check, whatever the target, its name servers or its redirects do. Meanwhile the
//! API responds and other targets are checked on schedule.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::common::*;
use pingstate::{Monitor, ProbeBuilder, ResolverConfig, check_all};

/// The timeout of every check here, and the allowed delay after it, which no other test of this binary adds to.
const TIMEOUT: Duration = Duration::from_millis(700);
const SLACK: Duration = Duration::from_millis(100);

/// Writes `piece` repeatedly until the peer closes.
fn drip(mut stream: TcpStream, first: &'static [u8], piece: &'static [u8], every: Duration) {
    read_head(&stream);
    let mut sent = stream.write_all(first);
    let _ = stream.set_read_timeout(Some(every));
    while sent.is_ok() && !matches!(stream.read(&mut [0; 64]), Ok(0)) {
        sent = stream.write_all(piece);
    }
}

fn dripping(first: &'static [u8], piece: &'static [u8]) -> Server {
    Server::start(move |stream| drip(stream, first, piece, Duration::from_millis(2)))
}

/// A server that accepts connections and sends nothing.
fn silent() -> Server {
    Server::start(|mut stream| {
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

/// An address with a full accept queue: it neither answers nor refuses.
fn black_hole() -> (SocketAddr, TcpListener, Vec<mio::net::TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("an address");
    let mut poll = mio::Poll::new().expect("a poll");
    let mut events = mio::Events::with_capacity(8192);
    let mut held = Vec::new();
    loop {
        let mut stream = mio::net::TcpStream::connect(address).expect("starts");
        let token = mio::Token(held.len());
        poll.registry().register(&mut stream, token, mio::Interest::WRITABLE).expect("registered");
        held.push(stream);
        poll.poll(&mut events, Some(Duration::from_millis(200))).expect("polled");
        if events.is_empty() || held.len() > 8000 {
            return (address, listener, held);
        }
    }
}

/// A name server that never answers.
fn dead_dns() -> (SocketAddr, UdpSocket) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    (socket.local_addr().expect("an address"), socket)
}

#[test]
fn no_check_outlives_its_timeout() {
    let _alone = crate::common::alone();
    let hole = black_hole();
    let dns = dead_dns();
    let redirecting = Server::start(|stream| {
        let host = stream.local_addr().expect("an address");
        drip(
            stream,
            Box::leak(format!("HTTP/1.1 302 F\r\nLocation: http://{host}/x\r\nX: ").into_boxed_str())
                .as_bytes(),
            b"x",
            Duration::from_millis(2),
        );
    });
    let chain = Server::start(|mut stream| {
        read_head(&stream);
        let _ = stream.set_read_timeout(Some(Duration::from_millis(150)));
        let _ = stream.read(&mut [0; 1]);
        let host = stream.local_addr().expect("an address");
        let _ = write!(stream, "HTTP/1.1 302 F\r\nLocation: http://{host}/{:?}\r\n\r\n", now());
    });
    let servers = [
        ("silent", "http", "", silent()),
        ("silent handshake", "https", "", silent()),
        ("silent banner", "tcp", "banner_contains:SSH", silent()),
        ("dripped banner", "tcp", "banner_contains:SSH", dripping(b"", b"")),
        ("dripped head", "http", "", dripping(b"HTTP/1.1 200 OK\r\nX: ", b"x")),
        ("dripped fields", "http", "", dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")),
        (
            "dripped length",
            "http",
            "body_contains:z",
            dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x"),
        ),
        ("dripped body", "http", "body_contains:z", dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"x")),
        ("endless 1xx", "http", "", dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
        (
            "endless extensions",
            "http",
            "body_contains:z",
            dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5", b";x=y"),
        ),
        (
            "endless chunks",
            "http",
            "body_contains:z",
            dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        ),
        (
            "endless trailers",
            "http",
            "body_contains:z",
            dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        ),
        ("dripped handshake", "https", "", dripping(b"\x16\x03\x03\x40\x00", b"\x02")),
        ("dripped redirect", "http", "", redirecting),
        ("slow redirects", "http", "", chain),
    ];
    let mut urls: Vec<_> =
        servers.iter().map(|(what, scheme, check, server)| (*what, server.url(scheme), *check)).collect();
    urls.push(("black hole", format!("tcp://{}", hole.0), ""));
    urls.push(("black-holed https", format!("https://{}/", hole.0), ""));
    urls.push(("dead DNS", "http://db.example/".into(), ""));
    urls.push(("dead mDNS", "http://printer.local/".into(), ""));
    urls.retain(|(_, url, _)| cfg!(feature = "tls") || !url.starts_with("https"));
    let monitors = urls.iter().map(|(what, url, check)| {
        let url = url.trim_end_matches('/').to_owned() + if url.starts_with("tcp") { "" } else { "/" };
        let probe = ProbeBuilder::from_url(&url).name(what).check(check).timeout(TIMEOUT).build();
        Monitor::new(probe.unwrap_or_else(|error| panic!("{what}: {error}")))
    });
    let names = ResolverConfig::default().servers([dns.0]).mdns(dns.0);
    let start = now();
    let mut ends = Vec::new();
    let record = |checked: &pingstate::CheckEvent<'_>| {
        ends.push((checked.name.to_owned(), now() - start, checked.result.clone()));
    };
    check_all(monitors, names, record).expect("runs");
    assert_eq!(ends.len(), urls.len());
    for (what, took, result) in ends {
        println!("{what}: {took:?} {}", result.detail);
        assert!(!result.ok, "{what}: {result:?}");
        assert!(took <= TIMEOUT + SLACK, "{what} took {took:?}: {result:?}");
        let patient = ["endless 1xx", "endless extensions", "dripped banner"].contains(&&*what);
        assert!(patient || result.detail.contains("timed out after 0.7 s"), "{what}: {result:?}");
    }
}

#[test]
fn slow_checks_delay_neither_the_api_nor_other_checks() {
    let _alone = crate::common::alone();
    let flood = Server::start(|mut stream| {
        read_head(&stream);
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
        while sent.is_ok() {
            sent = stream.write_all(chunk.as_bytes());
        }
    });
    let (count, checks) = channel();
    let good = Server::start(move |mut stream| {
        let _ = count.send(now());
        read_head(&stream);
        let _ = stream.write_all(b"HTTP/1.1 200 needle\r\nContent-Length: 6\r\n\r\nneedle");
    });
    let (quiet, dead) = (silent(), dead_dns());
    let dns = dead.0.to_string();
    let daemon = Daemon::start(&[
        "--interval",
        "0.2",
        "--timeout",
        "1",
        "--check",
        "body_contains:needle",
        "--dns",
        &dns,
        &good.url("http"),
        &flood.url("http"),
        &quiet.url("http"),
        "http://db.example/",
    ]);
    let good_state = format!("/targets/{}/state", good.address);
    eventually("the first check", || (daemon.get(&good_state).1 == "up\n").then_some(()));
    let first = checks.recv_timeout(PATIENCE).expect("a check");
    let mut slowest = Duration::ZERO;
    let checks: Vec<_> = (0..15)
        .map(|_| {
            let start = now();
            assert_eq!(daemon.get(&good_state), (200, "up\n".into()));
            slowest = slowest.max(now() - start);
            checks.recv_timeout(PATIENCE).expect("a check")
        })
        .collect();
    println!("slowest answer: {slowest:?}");
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    // A busy machine may delay a check, but none is lost or doubled.
    for (k, check) in (1u32..).zip(checks) {
        let due = Duration::from_millis(200) * k;
        let off = (check - first).abs_diff(due);
        assert!(off < Duration::from_millis(190), "check {k} is off by {off:?}");
    }
    assert_eq!(daemon.state(), "down", "the others fail");
}
