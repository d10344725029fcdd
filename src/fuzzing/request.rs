//! Requests of API clients, and the responses to them.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::Source;
use super::source::slicings;
use crate::api::access::Access;
use crate::api::client::{Client, Next};
use crate::api::control::{Action, Control, ControlScope};
use crate::api::host::HostGuard;
use crate::api::response::{Date, Response};
use crate::api::routes::{self, ListingPage, Reply, render};
use crate::clock::{Now, test_now};
use crate::monitor::{Monitor, Targets};
use crate::probe::build::probe;
use crate::probe::{Attempt, Probe};
use crate::text::token::Token;
use crate::wire::http::query::{decoded, parameter};
use crate::wire::http::request::{Content, Framing, HEAD_MAX, Method, Read, Request, read};
use crate::wire::http::request_body::RequestBody;
use crate::wire::http::response::ResponseReader;

/// Every prefix up to this length is parsed separately.
const PREFIXES_MAX: usize = 400;

/// The token of a heartbeat.
const TOKEN: &str = "0123456789abcdef";

/// The token of the API.
const API_TOKEN: &str = "fedcba9876543210";

/// Two bytes for the split; the rest is sent by the client.
pub fn request(data: &[u8]) {
    let mut source = Source::new(data);
    let cut = source.number();
    let stream = source.rest();
    every_prefix(stream);
    let [whole, others @ ..] = slicings(stream, cut);
    for framing in [Framing::Chunked, Framing::Length(1 + cut as u64)] {
        let content = Content { framing, expects_continue: false };
        let line = first_line(&content, &whole);
        assert!(others.iter().all(|pieces| first_line(&content, pieces) == line), "{content:?}");
    }
    let whole = converse(&whole);
    for pieces in others {
        assert_eq!(converse(&pieces), whole, "split differently");
    }
    let now = test_now();
    let mut monitors = Vec::from(["a", "b/c", "ü ~"].map(|name| Monitor::new(Named(name))));
    let heartbeat = probe("heartbeat", "", None).name("h").token(TOKEN).build();
    monitors.push(Monitor::new(heartbeat.expect("valid")));
    let targets = Targets::new(monitors, now);
    for next in &whole.0 {
        if let Next::Request(request) = next {
            for token in [None, Some(API_TOKEN)] {
                for protects_reads in [false, true] {
                    reply(request, &targets, token, protects_reads, now);
                }
            }
        }
    }
}

/// A request is found at its end, and bytes after a request or an error do not change the result.
fn every_prefix(stream: &[u8]) {
    let last = read(stream);
    if let Read::Request(request, taken) = &last {
        sensible(request, &stream[..*taken]);
    }
    let mut before = Read::Partial;
    for end in 0..=stream.len().min(PREFIXES_MAX) {
        let here = read(&stream[..end]);
        match &before {
            Read::Partial => {}
            known => assert_eq!(&here, known, "at {end}"),
        }
        if let Read::Request(_, taken) = &here {
            assert!(*taken <= end);
            assert!(before != Read::Partial || *taken == end, "found late");
        }
        before = here;
    }
    if before != Read::Partial {
        assert_eq!(before, last);
    }
}

/// The first line of a body, if it ends and is valid.
fn first_line(content: &Content, pieces: &[&[u8]]) -> Option<String> {
    let mut body = RequestBody::new(content);
    let has_ended = pieces.iter().any(|piece| body.receive(piece) != Ok(false));
    has_ended.then(|| body.first_line())
}

/// The parts of a request occur in its head.
fn sensible(request: &Request, head: &[u8]) {
    assert!(head.len() <= HEAD_MAX && (head.ends_with(b"\n\n") || head.ends_with(b"\n\r\n")));
    let start = head.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap();
    let line = head[start..].split(|byte| *byte == b'\n').next().unwrap();
    let words: Vec<_> = line.split(|byte| *byte == b' ').map(String::from_utf8_lossy).collect();
    let method = match &*words[0] {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "OPTIONS" => Method::Options,
        "POST" => Method::Post,
        _ => Method::Other,
    };
    assert_eq!(request.method, method);
    assert!(words.iter().any(|word| word.contains(&request.path)) || request.path == "/");
    assert!(!request.path.contains(['?', '#', ' ', '\r', '\n']));
    assert!(words.iter().any(|word| word.contains(&request.query)));
    assert!(!request.query.contains(['#', ' ', '\r', '\n']));
    parameters(&request.query);
    if let Some(host) = &request.host {
        assert!(!host.contains(['@', '/', ' ', '\\', '\r', '\n']), "{host:?}");
    }
    assert!(request.host.is_some() || !request.http11);
    let names_html = || String::from_utf8_lossy(head).to_lowercase().contains("text/html");
    assert!(!request.prefers_html || names_html());
}

/// A decoded parameter is not longer than the query.
fn parameters(query: &str) {
    for name in ["target", "state", ""] {
        if let Some(Ok(value)) = parameter(query, name) {
            assert!(value.len() <= query.len(), "{value:?}");
        }
    }
}

/// Passes the pieces to the client as the engine does: at most `room` bytes at once, and one request at a time.
fn converse(pieces: &[&[u8]]) -> (Vec<Next>, bool) {
    let mut client = Client::new();
    let mut results = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let room = client.room();
            assert!(room > 0 && room <= HEAD_MAX, "a waiting client has room");
            let (here, after) = rest.split_at(rest.len().min(room));
            rest = after;
            client.receive(here);
            loop {
                match client.next() {
                    Next::Wait => break,
                    next => results.push(next),
                }
            }
        }
    }
    (results, client.is_idle())
}

/// The response to a request can be parsed, and is complete exactly at its last byte.
fn reply(request: &Request, targets: &Targets, token: Option<&str>, protects_reads: bool, now: Now) {
    let guard = HostGuard::new(IpAddr::V4(Ipv4Addr::LOCALHOST), vec!["nas.lan".to_owned()]);
    let mut access = Access::from(guard.clone());
    access.set_token(token.map(|token| Token::parse(token, "").expect("valid")), protects_reads);
    let has_token = token.is_some() && request.bearer.as_deref() == token;
    let may_read = has_token || token.is_none() || !protects_reads;
    let response = match routes::reply(request, targets, &access, now) {
        Reply::Now(response) => response,
        Reply::Listing(page, _) if page != ListingPage::Metrics => {
            Response::new(200, page.content_type(), render(&page, targets, now).expect("not the metrics"))
        }
        Reply::Heartbeat(_) => {
            let path = decoded(&request.path).expect("valid");
            return assert!(path.contains(TOKEN) && guard.admits(request) && request.method != Method::Other);
        }
        Reply::Control(control) => {
            assert!(guard.admits(request) && request.method == Method::Post && has_token);
            assert!(is_own_page(request), "{request:?}");
            return sensible_control(control, targets);
        }
        _ => return assert!(guard.admits(request) && may_read),
    };
    let (status, body) = (response.status, response.body.clone());
    assert!([200, 400, 401, 403, 404, 405, 421, 503].contains(&status));
    assert!(
        may_read
            || [401, 421].contains(&status)
            || decoded(&request.path).is_some_and(|path| path.contains("heartbeat"))
    );
    assert!(status != 403 || request.method == Method::Post);
    if !guard.admits(request) {
        assert_eq!(status, 421);
    }
    let head_only = request.method == Method::Head;
    let bytes = response.write(head_only, request.keep_alive, request.http11, Date::default().at(now.unix));
    let mut reader = ResponseReader::new(head_only, usize::MAX);
    reader.receive(&bytes[..bytes.len() - 1]).expect("a response");
    assert!(!reader.is_done());
    reader.receive(&bytes[bytes.len() - 1..]).expect("a response");
    assert!(reader.is_done());
    let head = reader.head().expect("a head");
    let length = head.headers.get("content-length").and_then(|text| text.parse().ok());
    assert_eq!((head.status, length), (status, Some(body.len())));
    assert_eq!(reader.body(), if head_only { &[][..] } else { &body[..] });
    let closes = head.headers.get("connection") == Some("close");
    assert_eq!(closes, !request.keep_alive);
}

/// Whether no page of another origin can have sent this.
fn is_own_page(request: &Request) -> bool {
    let Some(origin) = &request.origin else { return !request.is_cross_site };
    let Some((_, authority)) = origin.split_once("://") else { return false };
    let host = request.host.as_deref().unwrap_or_default();
    // The name and at most a dot and a port.
    let is_of = |name: &str| {
        let rest = authority.to_lowercase().strip_prefix(&name.to_lowercase()).map(str::to_owned);
        rest.is_some_and(|rest| {
            rest.trim_start_matches('.').trim_start_matches(':').bytes().all(|b| b.is_ascii_digit())
        })
    };
    let name = match host.rfind(']') {
        Some(end) => &host[..=end],
        None => host.split(':').next().unwrap_or_default(),
    };
    !request.is_cross_site && (is_of("nas.lan") || is_of(name.trim_end_matches('.')))
}

fn sensible_control(control: Control, targets: &Targets) {
    assert!(match control.scope {
        ControlScope::All => true,
        ControlScope::Group(group) => targets.find_group(&group).is_some(),
        ControlScope::Target(target) => targets.get(target).is_some(),
    });
    if let Action::Pause(span) = control.action {
        assert!(!span.is_zero() && span <= Duration::from_secs(30 * 24 * 3600));
    }
}

/// A target that is never probed.
struct Named(&'static str);

impl Probe for Named {
    fn name(&self) -> &str {
        self.0
    }
    fn timeout(&self) -> Duration {
        Duration::from_secs(1)
    }
    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        unreachable!("it is only listed")
    }
}
