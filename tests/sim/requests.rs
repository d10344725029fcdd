//! What the API's clients ask, and what must be said to it.

use super::client::Kind;
use super::follow::{Wish, check_wait};
use super::jobs::Report;
use super::plan::S;
use super::world::{Sock, World};
use crate::engine::ConnId;
use crate::engine::limits::CLIENT_HEAD;
use crate::fsm::State;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    State,
    Health,
    Status,
    /// For browsers.
    Html,
    /// About the target of the name 0, if it is there.
    Named,
    /// About the targets of the group g0, if it has any.
    GroupState,
    GroupListing,
    Probe,
    /// See [`Wish`].
    Follow,
    Other,
}

/// A request, and what must be said to it.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) bytes: Vec<u8>,
    pub(super) statuses: &'static [u16],
    pub(super) page: Page,
    pub(super) head: bool,
    pub(super) last: bool,
    pub(super) wish: Option<Wish>,
    /// It is a heartbeat.
    pub(super) report: Option<Report>,
}

impl World {
    pub(super) fn ask(&mut self, kind: Kind, flood: bool) -> Ask {
        if kind == Kind::Hostile && self.rng.permille(500) {
            let bytes: Vec<u8> = match self.rng.below(7) {
                0 => b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".to_vec(),
                1 => b"GET / HTTP/2.0\r\n\r\n".to_vec(),
                2 => [
                    b"GET / HTTP/1.1\r\nHost: a\r\n".as_slice(),
                    &[b"X: ".as_slice(), &[b'x'; 995], b"\r\n"].concat().repeat(33),
                ]
                .concat(),
                3 => b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 6\r\n\r\n".to_vec(),
                4 => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
                5 => b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n".to_vec(),
                _ => b"\r\n".repeat(20),
            };
            return Ask {
                bytes,
                statuses: &[400, 431, 505],
                page: Page::Other,
                head: false,
                last: true,
                wish: None,
                report: None,
            };
        }
        if matches!(kind, Kind::Polite | Kind::Pipeline) && !flood && self.rng.permille(60) {
            if let Some(target) = self.any_job() {
                return self.ask_to_report(target);
            }
        }
        let follow =
            (!flood && self.rng.permille(if self.is_crowded { 900 } else { 300 })).then(|| self.wish());
        let (path, statuses, page): (&str, &'static [u16], Page) = if let Some((path, ..)) = &follow {
            (path, &[200, 404, 503], Page::Follow)
        } else if flood {
            ("/status", &[200], Page::Status)
        } else {
            self.rng.pick(&[
                ("/state", &[200][..], Page::State),
                ("/state?x=1", &[200], Page::State),
                ("/healthz", &[200, 503], Page::Health),
                ("/status", &[200], Page::Status),
                ("/", &[200], Page::Status),
                ("/page", &[200], Page::Html),
                ("/?html", &[200], Page::Html),
                ("/targets/t0/state", &[200, 404], Page::Named),
                ("/groups/g0/state", &[200, 404], Page::GroupState),
                ("/groups/g0?recent=0", &[200, 404], Page::GroupListing),
                ("/metrics", &[200], Page::Other),
                ("/livez", &[200], Page::Other),
                ("/probe?target=t0", &[200, 404, 503], Page::Probe),
                ("/nothing", &[404], Page::Other),
            ])
        };
        let mut ask =
            Ask { bytes: Vec::new(), statuses, page, head: false, last: false, wish: None, report: None };
        ask.wish = follow.as_ref().map(|(.., wish)| *wish);
        let (mut method, mut host, mut version, mut extra) = ("GET", "localhost:8787", "1.1", "");
        let mut body = "";
        match self.rng.below(if flood { 1 } else { 14 }) {
            1 => (method, ask.head) = ("HEAD", true),
            2 if matches!(page, Page::State | Page::Health | Page::Status) => {
                (method, ask.statuses, ask.page) = ("DELETE", &[405], Page::Other);
            }
            3 => {
                (host, ask.statuses, ask.page) = ("evil.example", &[421], Page::Other);
                ask.wish = None;
            }
            4 => (version, ask.last) = ("1.0", true),
            5 => (version, extra) = ("1.0", "Connection: keep-alive\r\n"),
            6 => (extra, ask.last) = ("Connection: close\r\n", true),
            7 => (extra, body, ask.last) = ("Content-Length: 3\r\nExpect: 100-continue\r\n", "a\r\n", true),
            8 if page != Page::Follow && ask.statuses != [404] => {
                (method, version, ask.page) = ("OPTIONS", "1.7", Page::Other);
            }
            _ => {}
        }
        // What a flood asks at once does not fit into an inbox.
        let padding = if flood { format!("X: {}\r\n", "x".repeat(900)) } else { String::new() };
        let seen = follow.as_ref().map_or("", |(_, field, _)| field);
        let accept = if page == Page::Html { "Accept: text/html,*/*;q=0.8\r\n" } else { "" };
        let fields = format!("Host: {host}\r\n{accept}{extra}{seen}{padding}");
        ask.bytes = format!("{method} {path} HTTP/{version}\r\n{fields}\r\n{body}").into_bytes();
        ask
    }

    /// Waits for a state for long.
    pub(super) fn ask_to_wait(&self) -> Ask {
        let state = if self.worst() == State::Unknown { State::Degraded } else { State::Unknown };
        let bytes = format!("GET /wait?state={state}&timeout=300 HTTP/1.0\r\n\r\n").into_bytes();
        let wish = Some(Wish::Wait { name: None, state, timeout: 300 * S });
        Ask { bytes, statuses: &[200, 503], page: Page::Follow, head: false, last: true, wish, report: None }
    }

    /// An answer has been made: it is looked at as a whole, at the moment in the order of outputs at
    /// which it was made.
    pub(super) fn read_answer(&mut self, id: ConnId) {
        if !self.engine.knows(id) {
            return;
        }
        let states = self.worst();
        let many = self.present.len() != 1;
        let named = self.holder(0).map(|target| self.models[target].state);
        let group = self.state_of_group("g0");
        let wish = match self.socks.get(&id) {
            Some(Sock::Client(client)) if client.follow.is_some() => return self.read_stream(id),
            Some(Sock::Client(client)) => client.asked.front().and_then(|ask| ask.wish),
            _ => None,
        };
        let present = wish.and_then(|wish| self.present(wish.name()));
        let bytes = self.engine.response(id);
        let at = self.at.max(self.seen);
        let names: Vec<_> = self.present.iter().map(|target| self.plan.targets[*target].name).collect();
        let is_full = self.engine.audit().are_listings_full();
        let Some(Sock::Client(client)) = self.socks.get_mut(&id) else { return };
        if client.owing > 0 && client.owing == bytes.len() {
            return; // The body of the response whose head has been sent.
        }
        assert_eq!(client.owing, 0, "one answer at a time");
        let (status, close, body) = split(&bytes);
        client.owing = bytes.len();
        client.touched = at;
        if status == 408 {
            let first = client.first_byte.expect("a request has begun");
            assert!(at >= first + CLIENT_HEAD.as_nanos() as u64, "408 before the time");
            assert!(client.kind == Kind::Drip || client.excused, "{:?} got 408", client.kind);
            client.asked.clear();
            client.over = true;
            return self.counters.add("clients: 408");
        }
        if wish.is_some() && is_for_lack_of_room(&bytes) {
            assert!(self.is_crowded, "there is room");
            (client.over, client.first_byte) = (true, None);
            client.asked.clear();
            return self.counters.add("streams: no room");
        }
        let ask =
            client.asked.pop_front().unwrap_or_else(|| panic!("{status} to nothing, {:?}", client.kind));
        if client.asked.is_empty() {
            client.first_byte = None;
        }
        client.over |= close;
        assert!(ask.statuses.contains(&status), "{status} to {}", ask.bytes.escape_ascii());
        let is_last = ask.last || wish.is_some() && status != 404;
        assert_eq!(close, is_last, "{}", ask.bytes.escape_ascii());
        assert_eq!(body.is_none(), ask.head, "{}", ask.bytes.escape_ascii());
        let report = ask.report.clone();
        match wish {
            Some(Wish::Wait { state, timeout, .. }) => {
                check_wait(state, present, status, body);
                assert!(status != 503 || timeout == 0, "gave up at once");
                self.counters.add("waits: answered at once");
            }
            Some(Wish::Events { .. }) => assert!(if present.is_some() { ask.head } else { status == 404 }),
            None => {}
        }
        // A listing that clients share may be older.
        let is_listing = matches!(ask.page, Page::Status | Page::Html | Page::GroupListing);
        match (body.filter(|_| !is_listing || !is_full), ask.page) {
            (Some(body), Page::GroupState | Page::GroupListing) => check_group(ask.page, status, body, group),
            (Some(body), Page::Html) => check_page(body, states, &names),
            (Some(body), page) => check_body(page, status, body, states, many, named),
            (None, _) => {}
        }
        if let Some(report) = report {
            self.note_report(report, status);
        }
        self.counters.add("clients: answers");
    }
}

fn is_for_lack_of_room(bytes: &[u8]) -> bool {
    bytes.starts_with(b"HTTP/1.1 503 ") && bytes.windows(14).any(|field| field == b"\nRetry-After: ")
}

/// Status, whether it closes, and the body if there is one: exactly one answer.
pub(super) fn split(bytes: &[u8]) -> (u16, bool, Option<&[u8]>) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head") + 4;
    let head = std::str::from_utf8(&bytes[..end]).expect("a head is ASCII");
    let status = head.strip_prefix("HTTP/1.1 ").expect("a status line")[..3].parse().expect("a status");
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    if head.contains("\r\nContent-Type: text/event-stream\r\n") {
        assert_eq!(bytes.len(), end, "the head of a stream, and no more");
        return (status, true, None);
    }
    let length: usize = field("Content-Length: ").expect("a length").parse().expect("a number");
    assert!(field("Date: ").is_some_and(|date| date.ends_with(" GMT")), "{head}");
    let body = &bytes[end..];
    let close = field("Connection: ") == Some("close");
    if body.is_empty() && length > 0 {
        return (status, close, None);
    }
    assert_eq!(body.len(), length, "{head}");
    (status, close, Some(body))
}

fn check_body(page: Page, status: u16, body: &[u8], state: State, many: bool, named: Option<State>) {
    match page {
        Page::State => assert_eq!(body, format!("{state}\n").as_bytes()),
        Page::Health if state == State::Up => assert_eq!((status, body), (200, b"ok\n".as_slice())),
        Page::Health => assert_eq!((status, body), (503, format!("{state}\n").as_bytes())),
        Page::Status => {
            let start = format!(
                "{{\n  \"state\": \"{state}\",\n  \"{}\":",
                if many { "counts" } else { "last_event" }
            );
            assert!(body.starts_with(start.as_bytes()) && body.ends_with(b"\n}\n"));
        }
        Page::Named => match named {
            Some(state) => assert_eq!((status, body), (200, format!("{state}\n").as_bytes())),
            None => assert_eq!(status, 404),
        },
        Page::Probe => assert_eq!(status == 404, named.is_none()),
        Page::Html | Page::GroupState | Page::GroupListing | Page::Follow | Page::Other => {}
    }
}

/// The page is complete and has a row for each target.
fn check_page(body: &[u8], worst: State, names: &[usize]) {
    let html = std::str::from_utf8(body).expect("UTF-8");
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</script>"), "{html}");
    assert_eq!(html.matches("<details ").count(), names.len());
    for name in names {
        assert_eq!(html.matches(&format!("<bdi>t{name}</bdi>")).count(), 1, "t{name}");
    }
    assert!(worst != State::Down || html.contains("<h1 class=down>"), "{html}");
}

/// The response about a group with this worst state and number of targets.
fn check_group(page: Page, status: u16, body: &[u8], group: Option<(State, usize)>) {
    let Some((state, count)) = group else { return assert_eq!(status, 404) };
    assert_eq!(status, 200);
    if page == Page::GroupState {
        return assert_eq!(body, format!("{state}\n").as_bytes());
    }
    let start = format!("{{\n  \"state\": \"{state}\",\n  \"counts\":");
    assert!(body.starts_with(start.as_bytes()) && body.ends_with(b"\n}\n"));
    let text = std::str::from_utf8(body).expect("UTF-8");
    let lines = |start| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((lines("      \"group\": \"g0\","), lines("      \"recent\"")), (count, 0));
}
