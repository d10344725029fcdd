//! Webhooks over real sockets: delivered, tried again, given up, and no burden to the checks.
#![allow(clippy::expect_used, clippy::panic)] // A test that cannot go on says why.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{PATIENCE, now, read_head};
use pingstate::*;
use serde_json::Value;

const MS: Duration = Duration::from_millis(1);

/// A server with one target that is as it is told, and its webhook.
struct Bed {
    server: Server,
    is_up: Arc<AtomicBool>,
    checks: Arc<AtomicUsize>,
    notices: Receiver<String>,
}

impl Bed {
    fn new(webhook: Webhook) -> Bed {
        let (is_up, checks) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let (told, counted, (sender, notices)) = (is_up.clone(), checks.clone(), channel());
        let target = blocking("db", move || (told.load(Ordering::SeqCst), "as told"));
        let monitor = Monitor::new(target)
            .interval(5 * MS)
            .policy(Policy::Thresholds { fall: 1, rise: 1 })
            .webhook(webhook);
        let server = Server::builder(monitor)
            .on_warning(move |notice| drop(sender.send(notice.text.clone())))
            .on_check(move |_| {
                counted.fetch_add(1, Ordering::SeqCst);
            })
            .bind(([127, 0, 0, 1], 0))
            .expect("serves");
        let mut bed = Bed { server, is_up, checks, notices };
        bed.set(true);
        bed
    }

    fn set(&mut self, is_up: bool) {
        self.is_up.store(is_up, Ordering::SeqCst);
        let state = if is_up { State::Up } else { State::Down };
        self.turn_until(state.as_str(), |bed| bed.server.snapshot(0).expect("a target").state == state);
    }

    fn turn_until(&mut self, what: &str, mut done: impl FnMut(&Bed) -> bool) {
        let start = now();
        while !done(self) {
            assert!(now() - start < PATIENCE, "waited too long for: {what}");
            assert!(self.server.turn(20 * MS).expect("turns"), "stopped before: {what}");
        }
    }

    /// The next thing that comes.
    fn next<T>(&mut self, what: &str, from: &Receiver<T>) -> T {
        let mut got = None;
        self.turn_until(what, |_| {
            got = from.try_recv().ok();
            got.is_some()
        });
        got.expect("something")
    }

    fn notice(&mut self) -> String {
        let mut told = None;
        self.turn_until("a notice", |bed| {
            told = bed.notices.try_recv().ok();
            told.is_some()
        });
        told.expect("a notice")
    }
}

fn to(address: SocketAddr) -> Webhook {
    Webhook::new(&format!("http://{address}/hooks/s3cret"), None).expect("a URL")
}

/// Reads a request: its head and its body.
fn read_request(mut stream: &TcpStream) -> (String, Value) {
    let head = read_head(stream);
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    stream.read_exact(&mut body).expect("a body");
    (head, serde_json::from_slice(&body).expect("JSON"))
}

/// A server that answers its first requests like this and all others with 200; and what it is sent.
fn receiver(answers: &'static [&'static str]) -> (common::Server, Receiver<(String, Value)>) {
    receiver_at("127.0.0.1:0".parse().expect("an address"), answers)
}

fn receiver_at(
    at: SocketAddr,
    answers: &'static [&'static str],
) -> (common::Server, Receiver<(String, Value)>) {
    let (sender, requests) = channel();
    let (sender, count) = (Mutex::new(sender), AtomicUsize::new(0));
    let server = common::Server::start_at(at, move |stream| {
        let request = read_request(&stream);
        let answer = answers.get(count.fetch_add(1, Ordering::SeqCst)).unwrap_or(&"200 OK");
        let _ = (&stream).write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes());
        let _ = sender.lock().expect("no panic").send(request);
    });
    (server, requests)
}

#[test]
fn changes_are_posted_in_order() {
    let (server, requests) = receiver(&[]);
    let mut bed = Bed::new(to(server.address));
    for (is_up, from, state) in [(false, "up", "down"), (true, "down", "up"), (false, "up", "down")] {
        bed.set(is_up);
        let (head, json) = bed.next("a request", &requests);
        assert!(head.starts_with("POST /hooks/s3cret HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nContent-Type: application/json\r\n"), "{head}");
        assert_eq!((&json["target"], &json["probe"]), (&"db".into(), &"db".into()));
        assert_eq!((&json["from"], &json["to"]), (&from.into(), &state.into()));
        assert_eq!(json["detail"], "as told");
        assert_eq!(json["error"], if is_up { Value::Null } else { "custom".into() });
        assert!(json["ts"].is_f64() && json["since_s"].is_f64());
    }
    assert!(bed.notices.try_recv().is_err());
}

#[test]
fn the_first_state_is_told_if_asked_for() {
    let (server, requests) = receiver(&[]);
    let mut bed = Bed::new(to(server.address).first(true));
    assert_eq!(bed.next("a request", &requests).1["from"], "unknown");
}

#[test]
fn what_failed_is_tried_again() {
    let (server, requests) = receiver(&["500 Oops"]);
    let mut bed = Bed::new(to(server.address));
    bed.set(false);
    let (_, first) = bed.next("a request", &requests);
    let failed = now();
    let (_, second) = bed.next("another one", &requests);
    assert!(now() - failed > 500 * MS, "not at once");
    assert_eq!(first, second);
    let webhook = format!("webhook http://{}", server.address);
    let failed = format!("{webhook}: failed, to be tried again: HTTP 500 (db: up → down)");
    assert_eq!(bed.notice(), failed, "said at once");
    assert_eq!(bed.notice(), format!("{webhook}: delivered after 2 tries (db: up → down)"));
}

#[test]
fn a_receiver_that_is_away_gets_it_when_it_is_back() {
    let (server, requests) = receiver(&[]);
    let address = server.address;
    drop((server, requests));
    let mut bed = Bed::new(to(address));
    bed.set(false);
    let checks = bed.checks.load(Ordering::SeqCst);
    bed.turn_until("checks", |bed| bed.checks.load(Ordering::SeqCst) > checks + 20);
    let (_server, requests) = receiver_at(address, &[]);
    assert_eq!(bed.next("a request", &requests).1["to"], "down");
}

#[test]
fn a_receiver_that_refuses_is_not_asked_again() {
    let (server, requests) = receiver(&["404 Not Found"]);
    let mut bed = Bed::new(to(server.address));
    bed.set(false);
    bed.next("a request", &requests);
    let expected =
        format!("webhook http://{}: given up after 1 try: HTTP 404 (db: up → down)", server.address);
    assert_eq!(bed.notice(), expected);
    bed.set(true);
    assert_eq!(bed.next("the next change", &requests).1["to"], "up");
}

/// What a reverse proxy in front of the receiver answers: the first is followed, the second is not.
#[test]
fn a_receiver_that_has_moved_gets_the_body_at_its_new_place() {
    let (new, requests) = receiver(&[]);
    let location = format!("HTTP/1.1 308 Moved\r\nLocation: http://{}/new\r\n\r\n", new.address);
    let old = common::Server::start(move |stream| {
        read_request(&stream);
        let _ = (&stream).write_all(location.as_bytes());
    });
    let mut bed = Bed::new(to(old.address));
    bed.set(false);
    let (head, json) = bed.next("a request", &requests);
    assert!(head.starts_with("POST /new HTTP/1.1\r\n"), "{head}");
    assert_eq!(json["to"], "down");

    let (server, requests) = receiver(&["302 Found\r\nLocation: https://127.0.0.1:1/login?for=s3cret"]);
    let mut bed = Bed::new(to(server.address));
    bed.set(false);
    bed.next("a request", &requests);
    let why = "HTTP 302 to https://127.0.0.1:1/login?for=…, where it would become a GET";
    let expected = format!("webhook http://{}: given up after 1 try: {why} (db: up → down)", server.address);
    assert_eq!(bed.notice(), expected);
}

#[test]
fn a_receiver_that_says_nothing_holds_nobody_up() {
    let (sender, came) = channel();
    let sender = Mutex::new(sender);
    let mute = common::Server::start(move |mut stream| {
        let _ = sender.lock().expect("no panic").send(());
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut bed = Bed::new(to(mute.address));
    bed.set(false);
    bed.next("a connection", &came);
    for is_up in [true, false].repeat(200) {
        bed.set(is_up);
    }
    let notice = bed.notice();
    let expected = format!("webhook http://{}: too much to deliver, the oldest is dropped", mute.address);
    assert_eq!(notice, expected);
    assert!(bed.notices.try_recv().is_err(), "said once");
}
