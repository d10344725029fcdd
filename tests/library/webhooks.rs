//! Webhooks over real sockets: delivered, retried, dropped after the last retry, and independent of checks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{PATIENCE, now, read_head};
use pingstate::*;
use serde_json::Value;

const MS: Duration = Duration::from_millis(1);

/// A server with one target, its state set by the test, and a webhook.
struct Fixture {
    server: Server,
    is_up: Arc<AtomicBool>,
    checks: Arc<AtomicUsize>,
    notices: Receiver<String>,
}

impl Fixture {
    fn new(webhook: Webhook) -> Fixture {
        Fixture::notifying(Notifications::new().webhook(webhook))
    }

    fn notifying(notifications: Notifications) -> Fixture {
        let (is_up, checks) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let (state, counted, (sender, notices)) = (is_up.clone(), checks.clone(), channel());
        let target = blocking("db", move || (state.load(Ordering::SeqCst), "as set"));
        let monitor = Monitor::new(target)
            .interval(5 * MS)
            .policy(Policy::Thresholds { fall: 1, rise: 1 })
            .notifications(notifications);
        let server = Server::builder(monitor)
            .on_warning(move |notice| drop(sender.send(notice.text.clone())))
            .on_check(move |_| {
                counted.fetch_add(1, Ordering::SeqCst);
            })
            .bind(([127, 0, 0, 1], 0))
            .expect("serves");
        let mut fixture = Fixture { server, is_up, checks, notices };
        fixture.set(true);
        fixture
    }

    fn set(&mut self, is_up: bool) {
        self.is_up.store(is_up, Ordering::SeqCst);
        let state = if is_up { State::Up } else { State::Down };
        self.turn_until(state.as_str(), |fixture| {
            let target = fixture.server.targets().next().expect("a target");
            fixture.server.snapshot(target).expect("a target").state == state
        });
    }

    fn turn_until(&mut self, what: &str, mut done: impl FnMut(&Fixture) -> bool) {
        let start = now();
        while !done(self) {
            assert!(now() - start < PATIENCE, "waited too long for: {what}");
            assert!(self.server.turn(20 * MS).expect("turns"), "stopped before: {what}");
        }
    }

    /// The next received request.
    fn next<T>(&mut self, what: &str, from: &Receiver<T>) -> T {
        let mut got = None;
        self.turn_until(what, |_| {
            got = from.try_recv().ok();
            got.is_some()
        });
        got.expect("something")
    }

    fn notice(&mut self) -> String {
        let mut notice = None;
        self.turn_until("a notice", |fixture| {
            notice = fixture.notices.try_recv().ok();
            notice.is_some()
        });
        notice.expect("a notice")
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

/// A server that sends these responses first and then always 200, and the received requests.
fn receiver(answers: &'static [&'static str]) -> (crate::common::Server, Receiver<(String, Value)>) {
    receiver_at("127.0.0.1:0".parse().expect("an address"), answers)
}

fn receiver_at(
    at: SocketAddr,
    answers: &'static [&'static str],
) -> (crate::common::Server, Receiver<(String, Value)>) {
    let (sender, requests) = channel();
    let (sender, count) = (Mutex::new(sender), AtomicUsize::new(0));
    let server = crate::common::Server::start_at(at, move |stream| {
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
    let mut fixture = Fixture::new(to(server.address));
    for (is_up, from, state) in [(false, "up", "down"), (true, "down", "up"), (false, "up", "down")] {
        fixture.set(is_up);
        let (head, json) = fixture.next("a request", &requests);
        assert!(head.starts_with("POST /hooks/s3cret HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nContent-Type: application/json\r\n"), "{head}");
        assert_eq!((&json["target"], &json["probe"]), (&"db".into(), &"db".into()));
        assert_eq!((&json["from"], &json["to"]), (&from.into(), &state.into()));
        assert_eq!(json["detail"], "as set");
        assert_eq!(json["error"], if is_up { Value::Null } else { "custom".into() });
        assert!(json["ts"].is_f64() && json["since_s"].is_f64());
    }
    assert!(fixture.notices.try_recv().is_err());
}

#[test]
fn first_state_is_reported_if_requested() {
    let (server, requests) = receiver(&[]);
    let mut fixture =
        Fixture::notifying(Notifications::new().webhook(to(server.address)).notify(Notify::AllAndFirst));
    assert_eq!(fixture.next("a request", &requests).1["from"], "unknown");
}

#[test]
fn failed_delivery_is_retried() {
    let (server, requests) = receiver(&["500 Oops"]);
    let mut fixture = Fixture::new(to(server.address));
    fixture.set(false);
    let (_, first) = fixture.next("a request", &requests);
    let failed = now();
    let (_, second) = fixture.next("another one", &requests);
    assert!(now() - failed > 500 * MS, "not at once");
    assert_eq!(first, second);
    let webhook = format!("webhook http://{}", server.address);
    let failed = format!("{webhook}: failed, will be retried: HTTP 500 (db: up → down)");
    assert_eq!(fixture.notice(), failed, "said at once");
    assert_eq!(fixture.notice(), format!("{webhook}: delivered after 2 attempts (db: up → down)"));
}

#[test]
fn delivery_continues_when_the_receiver_returns() {
    let (server, requests) = receiver(&[]);
    let address = server.address;
    drop((server, requests));
    let mut fixture = Fixture::new(to(address));
    fixture.set(false);
    let checks = fixture.checks.load(Ordering::SeqCst);
    fixture.turn_until("checks", |fixture| fixture.checks.load(Ordering::SeqCst) > checks + 20);
    let (_server, requests) = receiver_at(address, &[]);
    assert_eq!(fixture.next("a request", &requests).1["to"], "down");
}

#[test]
fn rejected_delivery_is_not_retried() {
    let (server, requests) = receiver(&["404 Not Found"]);
    let mut fixture = Fixture::new(to(server.address));
    fixture.set(false);
    fixture.next("a request", &requests);
    let expected =
        format!("webhook http://{}: abandoned after 1 attempt: HTTP 404 (db: up → down)", server.address);
    assert_eq!(fixture.notice(), expected);
    fixture.set(true);
    assert_eq!(fixture.next("the next change", &requests).1["to"], "up");
}

/// Redirects of a reverse proxy in front of the receiver: the first is followed, the second is not.
#[test]
fn redirect_is_followed_with_the_body() {
    let (new, requests) = receiver(&[]);
    let location = format!("HTTP/1.1 308 Moved\r\nLocation: http://{}/new\r\n\r\n", new.address);
    let old = crate::common::Server::start(move |stream| {
        read_request(&stream);
        let _ = (&stream).write_all(location.as_bytes());
    });
    let mut fixture = Fixture::new(to(old.address));
    fixture.set(false);
    let (head, json) = fixture.next("a request", &requests);
    assert!(head.starts_with("POST /new HTTP/1.1\r\n"), "{head}");
    assert_eq!(json["to"], "down");

    let (server, requests) = receiver(&["302 Found\r\nLocation: https://127.0.0.1:1/login?for=s3cret"]);
    let mut fixture = Fixture::new(to(server.address));
    fixture.set(false);
    fixture.next("a request", &requests);
    let why = "HTTP 302 to https://127.0.0.1:1/login?for=…, where it would become a GET";
    let expected =
        format!("webhook http://{}: abandoned after 1 attempt: {why} (db: up → down)", server.address);
    assert_eq!(fixture.notice(), expected);
}

#[test]
fn silent_receiver_delays_no_check() {
    let (sender, came) = channel();
    let sender = Mutex::new(sender);
    let mute = crate::common::Server::start(move |mut stream| {
        let _ = sender.lock().expect("no panic").send(());
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut fixture = Fixture::new(to(mute.address));
    fixture.set(false);
    fixture.next("a connection", &came);
    for is_up in [true, false].repeat(200) {
        fixture.set(is_up);
    }
    // On a slow machine, the first attempt has ended meanwhile.
    let failed = format!("webhook http://{}: failed, will be retried: timed out after 10 s", mute.address);
    let notices: Vec<_> = fixture.notices.try_iter().collect();
    assert!(notices.len() <= 1 && notices.iter().all(|notice| notice.starts_with(&failed)), "{notices:?}");
}
