//! Event streams and waits for a state, over real sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A client of an event stream, after the response head.
struct Listener(BufReader<TcpStream>);

/// One received event.
#[derive(Debug)]
struct Received {
    id: String,
    kind: String,
    data: serde_json::Value,
}

fn ask(api: SocketAddr, target: &str, last: &str) -> TcpStream {
    let mut stream = TcpStream::connect(api).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let last = if last.is_empty() { String::new() } else { format!("Last-Event-ID: {last}\r\n") };
    let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{last}\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    stream
}

impl Listener {
    fn start(api: SocketAddr, target: &str, last: &str) -> Listener {
        let mut listener = Listener(BufReader::new(ask(api, target, last)));
        let head = listener.block().join("\n");
        assert!(head.starts_with("HTTP/1.1 200 OK\n"), "{head}");
        assert!(head.contains("\nContent-Type: text/event-stream\n"), "{head}");
        assert!(head.ends_with("\nConnection: close"), "{head}");
        assert_eq!(listener.block()[0], "retry: 3000");
        listener
    }

    /// The lines up to the next empty one.
    fn block(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("a line in time");
            assert!(line.ends_with('\n'), "the stream ended: {line:?}");
            match line.trim_end() {
                "" => return lines,
                text => lines.push(text.to_owned()),
            }
        }
    }

    /// The next event. Comments before it are accepted unless they report dropped events.
    fn next(&mut self) -> Received {
        loop {
            let lines = self.block();
            let field = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name));
            if let (Some(id), Some(kind), Some(data)) = (field("id: "), field("event: "), field("data: ")) {
                let data = serde_json::from_str(data).expect("JSON");
                return Received { id: id.to_owned(), kind: kind.to_owned(), data };
            }
            assert!(!lines.concat().contains("lost"), "{lines:?}");
        }
    }
}

#[test]
fn transitions_are_streamed_and_replayed_on_reconnect() {
    let server = Server::answering(OK);
    let url = server.url("http");
    let daemon = Daemon::start(&["--interval", "0.05", &url]);
    daemon.wait_for_state("up");
    let mut live = Listener::start(daemon.api, "/events", "");
    drop(server);
    let [degraded, down] = [(); 2].map(|()| live.next());
    assert_eq!((&*degraded.kind, &*down.kind), ("transition", "transition"));
    assert_eq!((&degraded.data["from"], &degraded.data["to"]), (&"up".into(), &"degraded".into()));
    assert_eq!((&down.data["from"], &down.data["to"]), (&"degraded".into(), &"down".into()));
    assert_eq!((&down.data["error"], &down.data["latency_ms"]), (&"refused".into(), &().into()));
    let probe = down.data["probe"].as_str().expect("a probe");
    assert_eq!(probe.trim_end_matches('/'), url.trim_end_matches('/'));
    assert!(down.data["detail"].as_str().is_some_and(|detail| detail.starts_with("connection refused")));
    assert!(down.data["ts"].as_f64() > degraded.data["ts"].as_f64());
    let keys: Vec<_> = down.data.as_object().expect("an object").keys().map(String::as_str).collect();
    let mut all = ["ts", "target", "probe", "from", "to", "detail", "error", "latency_ms", "since_s"];
    all.sort_unstable();
    assert_eq!(keys, all);
    // A client that saw the first event gets the second again; an ID of another daemon's gets all events.
    let mut back = Listener::start(daemon.api, "/events", &degraded.id);
    assert_eq!(back.next().id, down.id);
    let mut other_id = Listener::start(daemon.api, "/events", "1-1");
    assert_eq!(other_id.next().data["to"], "up");
    assert_eq!([(); 2].map(|()| other_id.next().id), [degraded.id, down.id]);
    daemon.wait_for_state("down");
    assert_eq!(daemon.end("-TERM").0.code(), Some(0), "streams do not delay the stop");
}

#[test]
fn checks_are_streamed_on_request() {
    let [one, other] = [(); 2].map(|()| Server::answering(OK));
    let daemon = Daemon::start(&["--interval", "0.05", &one.url("http"), &other.url("http")]);
    daemon.wait_for_state("up");
    let mut all = Listener::start(daemon.api, "/events?checks=1", "");
    let mut ids = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..8 {
        let event = all.next();
        assert_eq!(
            (&*event.kind, &event.data["event"], &event.data["state"]),
            ("check", &"ok".into(), &"up".into())
        );
        names.insert(event.data["target"].as_str().expect("a name").to_owned());
        ids.push(event.id.split_once('-').and_then(|(_, seq)| seq.parse::<u64>().ok()).expect("a number"));
    }
    assert!(ids.is_sorted() && ids[7] - ids[0] == 7, "{ids:?}");
    assert_eq!(names.len(), 2);
    let mut single = Listener::start(daemon.api, &format!("/events?checks=1&target={}", other.address), "");
    for _ in 0..4 {
        assert_eq!(single.next().data["target"], other.address.to_string());
    }
}

#[test]
fn wait_is_answered_when_the_state_is_reached() {
    let server = Server::answering(OK);
    let daemon = Daemon::start(&["--interval", "0.05", &server.url("http")]);
    let (status, body) = daemon.get("/wait?state=up&timeout=20");
    assert_eq!((status, &*body), (200, "up\n"));
    let (status, body) = daemon.get("/wait?state=down&timeout=0.1");
    assert_eq!((status, &*body), (503, "up\n"));
    let api = daemon.api;
    let waiting: Vec<_> =
        (0..20).map(|_| thread::spawn(move || get(api, "/wait?state=down&timeout=60"))).collect();
    let waiting_now = || {
        let figures = daemon.get("/metrics").1;
        figures.contains("pingstate_connections{kind=\"stream\"} 20\n").then_some(())
    };
    eventually("twenty that wait", waiting_now);
    drop(server);
    for one in waiting {
        let (status, head, body) = one.join().expect("no panic");
        assert_eq!((status, &*body), (200, "down\n"), "{head}");
        assert!(head.contains("\r\nConnection: close"), "{head}");
    }
    let (status, body) = daemon.get("/wait?state=gone");
    assert_eq!((status, &*body), (400, "state must be unknown, up, degraded or down\n"));
}

/// Number of event streams of the daemon.
fn listening(daemon: &Daemon) -> usize {
    let figures = daemon.get("/metrics").1;
    let line = figures.lines().find_map(|line| line.strip_prefix("pingstate_connections{kind=\"stream\"} "));
    line.and_then(|count| count.parse().ok()).expect("a number")
}

/// As with `nc -N` and scripts that shut down the write side.
#[test]
fn half_closed_client_still_gets_its_response() {
    let server = Server::answering(OK);
    let daemon = Daemon::start(&["--interval", "0.05", &server.url("http")]);
    daemon.wait_for_state("up");
    for (request, answer) in [
        ("GET /wait?state=down&timeout=1 HTTP/1.0\r\n\r\n", "HTTP/1.1 503 "),
        ("GET /wait?state=up HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200 "),
        ("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200 "),
    ] {
        let mut stream = TcpStream::connect(daemon.api).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("sent");
        stream.shutdown(Shutdown::Write).expect("shut down");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("an answer");
        assert!(response.starts_with(answer), "{request}: {response}");
    }
    let mut listener = Listener::start(daemon.api, "/events?checks=1", "");
    listener.0.get_ref().shutdown(Shutdown::Write).expect("shut down");
    for _ in 0..5 {
        assert_eq!(listener.next().kind, "check");
    }
    // After the client is gone, the next write to it discovers that.
    drop(listener);
    eventually("no stream", || (listening(&daemon) == 0).then_some(()));
}

/// Nothing is sent to a waiting client, so only its reset shows that it is gone.
#[test]
fn waiting_client_is_freed_after_its_reset() {
    let server = Server::answering(OK);
    let daemon = Daemon::start(&["--interval", "1", &server.url("http")]);
    daemon.wait_for_state("up");
    for ends_first in [false, true] {
        let stream = ask(daemon.api, "/wait?state=down&timeout=3600", "");
        eventually("one that waits", || (listening(&daemon) == 1).then_some(()));
        if ends_first {
            stream.shutdown(Shutdown::Write).expect("shut down");
            for _ in 0..10 {
                assert_eq!(listening(&daemon), 1, "a shut down write side is not a closed connection");
            }
        }
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("set");
        drop(stream);
        eventually("none", || (listening(&daemon) == 0).then_some(()));
    }
}

/// TCP keep-alive finds clients on machines that are gone.
#[cfg(target_os = "linux")]
#[test]
fn tcp_keep_alive_is_enabled_on_client_connections() {
    let server = Server::answering(OK);
    let daemon = Daemon::start(&["--interval", "1", &server.url("http")]);
    let _stream = ask(daemon.api, "/wait?state=down&timeout=3600", "");
    // The second timer of `tr tm->when` is the keep-alive: 02 (see proc_net_tcp.txt).
    let port = format!(":{:04X}", daemon.api.port());
    eventually("a keep-alive timer", || {
        let table = std::fs::read_to_string("/proc/net/tcp").expect("linux");
        let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut ours = rows.filter(|row| row[1].ends_with(&port) && row[3] == "01");
        ours.any(|row| row[5].starts_with("02:")).then_some(())
    });
}

#[cfg(target_os = "linux")]
#[test]
fn waiting_clients_at_the_limit_do_not_block_new_clients() {
    if !make_room(4096) {
        return crate::common::missing("prlimit");
    }
    let server = Server::answering(OK);
    let daemon = Daemon::start(&["--interval", "0.05", &server.url("http")]);
    daemon.wait_for_state("up");
    let waiting: Vec<_> = (0..1024).map(|_| ask(daemon.api, "/wait?state=down&timeout=3600", "")).collect();
    eventually("all of them", || (listening(&daemon) == 1024).then_some(()));
    // A client is not evicted for another one within CLIENT_GRACE, 30 ms.
    let all_accepted = now();
    eventually("the grace", || (now() - all_accepted > Duration::from_millis(50)).then_some(()));
    let mut listener = Listener::start(daemon.api, "/events?checks=1", "");
    assert_eq!(listener.next().kind, "check");
    let (status, body) = daemon.get("/wait?state=down&timeout=0.2");
    assert_eq!((status, &*body), (503, "up\n"));
    assert!(listening(&daemon) >= 1022);
    drop(waiting);
}

/// Number of stream clients, and how many of them read.
const CLIENTS: usize = 1000;
const READERS: usize = 100;

/// Memory limit of the daemon with all of them, in kB.
const GROWTH_KB: u64 = 8 * 1024;

/// Raises the descriptor limit of this process and its children to this number; true on success.
fn make_room(descriptors: usize) -> bool {
    let pid = std::process::id().to_string();
    let limit = format!("--nofile={descriptors}:");
    let raised = Command::new("prlimit").args(["--pid", &pid, &limit]).output();
    raised.is_ok_and(|output| output.status.success())
}

/// 900 of 1,000 clients never read: they cost little memory and are closed, and the others miss no event.
#[cfg(target_os = "linux")]
#[test]
fn clients_that_never_read_are_closed_and_do_not_affect_others() {
    if !make_room(4096) {
        return crate::common::missing("prlimit");
    }
    let server = Server::answering(OK);
    // Only the first target answers, so that there are several kinds of events.
    let targets: Vec<_> = (1..6).map(|n| format!("http://127.0.0.{n}:{}/", server.address.port())).collect();
    let mut args = vec!["--interval", "0.1", "--api-port", "0"];
    args.extend(targets.iter().map(String::as_str));
    let daemon = Daemon::start(&args);
    eventually("a first check of each", || daemon.get("/status").1.contains("\"unknown\": 0").then_some(()));
    let before = daemon.figure("VmHWM");
    let over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let mut listener = Listener::start(daemon.api, "/events?checks=1", "");
            let over = over.clone();
            thread::spawn(move || {
                let seq = |event: &Received| {
                    event.id.split_once('-').and_then(|(_, seq)| seq.parse().ok()).expect("a number")
                };
                let first: u64 = seq(&listener.next());
                let mut last = first;
                while !over.load(Ordering::SeqCst) {
                    let next = seq(&listener.next());
                    assert_eq!(next, last + 1, "an event is missing");
                    last = next;
                }
                last - first
            })
        })
        .collect();
    let unread: Vec<_> = (READERS..CLIENTS)
        .map(|_| {
            let stream = ask(daemon.api, "/events?checks=1", "");
            let _ = socket2::SockRef::from(&stream).set_recv_buffer_size(4096);
            stream
        })
        .collect();
    let listening = || listening(&daemon);
    eventually("all of them", || (listening() == CLIENTS).then_some(()));
    let start = now();
    let mut worst = Duration::ZERO;
    while listening() > READERS {
        let asked = now();
        daemon.state();
        worst = worst.max(now() - asked);
        assert!(now() - start < 4 * PATIENCE, "{} listen after {:?}", listening(), now() - start);
        #[allow(clippy::disallowed_methods)] // Polls a few times a second.
        thread::sleep(Duration::from_millis(100));
    }
    over.store(true, Ordering::SeqCst);
    let counts: Vec<_> = readers.into_iter().map(|reader| reader.join().expect("misses nothing")).collect();
    let grown = daemon.figure("VmHWM").saturating_sub(before);
    let (least, most) = (counts.iter().min(), counts.iter().max());
    println!("{} closed after {:.1?}; {before} kB + {grown} kB", unread.len(), now() - start);
    println!("the others received {least:?} to {most:?} events; slowest other answer {worst:.1?}");
    assert!(grown <= GROWTH_KB, "grew by {grown} kB");
    assert_eq!(counts.len(), READERS);
}
