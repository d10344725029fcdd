//! A process that is stopped and continued at any point of a check, for any time: healthy targets stay up,
//! and waiting API clients get a response.
#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::common::fault::{Fault, has_strace};
use crate::common::*;

/// Duration of a stop, in milliseconds: shorter than the timeout of one second, just over it, and much
/// longer.
const SPANS_MS: &[u64] = &[300, 700, 850, 950, 990, 1010, 1050, 1080, 1200, 2500];

/// Response time of the targets.
const ANSWER_MS: u64 = 300;

fn nap(millis: u64) {
    #[allow(clippy::disallowed_methods)] // Another process gives no event to wait for.
    thread::sleep(Duration::from_millis(millis));
}

#[test]
fn no_stop_in_the_middle_of_a_check_turns_a_target_down() {
    let _alone = crate::common::alone();
    thread::scope(|scope| {
        for span_ms in SPANS_MS {
            for is_http in [true, false] {
                scope.spawn(move || stop_for(*span_ms, is_http));
            }
        }
    });
}

/// Stops and continues a daemon as soon as its target has been connected to, and again later in a check.
fn stop_for(span_ms: u64, is_http: bool) {
    let (begun, begins) = channel();
    let server = Server::start(move |mut stream| {
        let _ = begun.send(());
        if is_http {
            read_head(&stream);
        }
        nap(ANSWER_MS);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let url = server.url(if is_http { "http" } else { "tcp" });
    let mut args = vec!["--interval", "0.6", "--timeout", "1", url.trim_end_matches('/')];
    if !is_http {
        args.extend(["--check", "banner_contains:OK"]);
    }
    let daemon = Daemon::start(&args);
    daemon.wait_for_state("up");
    daemon.next_line();
    for phase_ms in [0, 100, 200] {
        // A check that begins now, not an earlier one.
        while begins.try_recv().is_ok() {}
        begins.recv_timeout(PATIENCE).expect("a check");
        nap(phase_ms);
        daemon.signal("-STOP");
        let mut client = TcpStream::connect(daemon.api).expect("the system takes it in");
        client.write_all(b"GET /state HTTP/1.0\r\n\r\n").expect("and what it says");
        nap(span_ms);
        daemon.signal("-CONT");
        let mut answer = String::new();
        client.set_read_timeout(Some(PATIENCE)).expect("set");
        client.read_to_string(&mut answer).expect("an answer");
        assert!(answer.ends_with("\r\n\r\nup\n"), "{span_ms} ms, {url}, {phase_ms} ms: {answer}");
        nap(700);
    }
    let (_, body) = daemon.get("/status");
    assert!(daemon.no_line() && body.contains("\"transitions\": 1,"), "{span_ms} ms, {url}: {body}");
}

/// Bytes that a client read while the daemon was stopped are taken into account before any deadline.
#[test]
fn reading_client_is_not_closed_after_a_stop() {
    let _alone = crate::common::alone();
    read_over_a_pause("stop", |daemon, read| {
        daemon.signal("-STOP");
        read();
        daemon.signal("-CONT");
        None
    });
}

/// The same if the process stands still after its wait for events.
#[test]
fn reading_client_is_not_closed_after_a_stop_of_a_turn() {
    let _alone = crate::common::alone();
    if !has_strace() {
        return;
    }
    read_over_a_pause("turn", |daemon, read| {
        let status = format!("/proc/{}/status", daemon.pid());
        let fault = Fault::inject(daemon, "/^epoll_p?wait$:delay_exit=10000000:when=2").expect("strace");
        // strace's other stops are shorter.
        let is_held = || std::fs::read_to_string(&status).expect("linux").contains("State:\tt");
        eventually("the delay", || {
            let is_delayed = is_held();
            nap(200);
            (is_delayed && is_held()).then_some(())
        });
        read();
        Some(fault)
    });
}

/// Reads a long response to its end. `pause` gets a function that reads what the system holds, and that takes
/// longer than CLIENT_STALL; the daemon must not run meanwhile. What `pause` returns is kept to the end.
fn read_over_a_pause(name: &str, pause: impl FnOnce(&Daemon, &mut dyn FnMut()) -> Option<Fault>) {
    let path = std::env::temp_dir().join(format!("pingstate-stops-{name}-{}.conf", std::process::id()));
    let targets: String = (0..4000).map(|n| format!("t{n} tcp://127.0.0.1:9 --interval 3600\n")).collect();
    std::fs::write(&path, targets).expect("written");
    let daemon = Daemon::start(&["--config", path.to_str().expect("text")]);
    std::fs::remove_file(&path).expect("removed");
    let mut client = TcpStream::connect(daemon.api).expect("connected");
    client.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("asked");
    client.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut answer = vec![0; 1];
    client.read_exact(&mut answer).expect("it begins");
    nap(500);
    let _fault = pause(&daemon, &mut || {
        client.set_read_timeout(Some(Duration::from_millis(5500))).expect("set");
        let blocked = client.read_to_end(&mut answer).expect_err("there is more than the system holds");
        assert!(matches!(blocked.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{blocked}");
    });
    client.set_read_timeout(Some(PATIENCE)).expect("set");
    client.read_to_end(&mut answer).expect("the rest");
    let text = String::from_utf8(answer).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{head}, {} bytes", body.len());
}
