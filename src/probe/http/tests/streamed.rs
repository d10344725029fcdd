//! Bodies that are requested in pieces.

use super::*;
use crate::clock::Now;
use crate::probe::build::PeriodicRequest;
use crate::probe::{Attempt, Probe};

pub(super) struct Push(pub(super) PeriodicRequest);

impl Probe for Push {
    fn name(&self) -> &str {
        "push"
    }
    fn timeout(&self) -> Duration {
        PeriodicRequest::TIMEOUT
    }
    fn begin(&self, now: Now) -> Box<dyn Attempt> {
        self.0.post("text/plain; version=0.0.4", now)
    }
}

fn push() -> Push {
    let request = PeriodicRequest::new("http://h/a/s3cret", None).expect("a URL");
    Push(request.headers([("Authorization", "Bearer s3cret")]).expect("valid"))
}

fn begun() -> Harness {
    let mut harness = Harness::begin(&push());
    harness.connected();
    harness
}

#[test]
fn each_piece_is_a_chunk_and_requested_after_the_previous_one() {
    let mut harness = begun();
    let head = text(harness.sent());
    assert!(head.starts_with("POST /a/s3cret HTTP/1.1\r\nHost: h\r\n"), "{head}");
    for field in
        ["Transfer-Encoding: chunked", "Content-Type: text/plain; version=0.0.4", "Connection: close"]
    {
        assert!(head.contains(&format!("\r\n{field}\r\n")), "{head}");
    }
    assert!(
        head.contains("\r\nAuthorization: Bearer s3cret\r\n") && !head.contains("Content-Length"),
        "{head}"
    );
    assert_eq!(harness.content_requests, 1);
    harness.input(Input::Content(b"a 1\n"));
    harness.input(Input::Content(b"b 2\nb 3\n"));
    assert_eq!(
        (text(harness.sent()), harness.content_requests),
        ("4\r\na 1\n\r\n8\r\nb 2\nb 3\n\r\n".into(), 3)
    );
    harness.input(Input::Content(b""));
    harness.input(Input::Content(b"late"));
    assert_eq!((text(harness.sent()), harness.content_requests), ("0\r\n\r\n".into(), 3));
    harness.receive(b"HTTP/1.1 204 No Content\r\n\r\n");
    assert!(harness.result().ok);
}

#[test]
fn a_content_type_of_the_user_replaces_the_default() {
    let request = PeriodicRequest::new("http://h/", None).expect("a URL");
    let mut harness = Harness::begin(&Push(request.headers([("content-type", "x/y")]).expect("valid")));
    harness.connected();
    let head = text(harness.sent()).to_lowercase();
    assert!(
        head.contains("\r\ncontent-type: x/y\r\n") && head.matches("content-type").count() == 1,
        "{head}"
    );
}

#[test]
fn a_response_before_the_end_of_the_body_is_the_result() {
    for (status, ok) in [(200, true), (302, false), (401, false), (413, false), (503, false)] {
        let mut harness = begun();
        harness.input(Input::Content(b"a 1\n"));
        harness.receive(format!("HTTP/1.1 {status} X\r\nLocation: /b\r\n\r\n").as_bytes());
        assert_eq!((harness.result().ok, harness.content_requests), (ok, 2), "{status}");
        assert_eq!(harness.take_connect(), None, "{status}");
    }
}

#[test]
fn a_server_that_does_not_read_is_distinguished_from_one_that_does_not_respond() {
    for (piece, what) in [("a 1\n", "the server to read the request"), ("", "the response")] {
        let mut harness = begun();
        harness.input(Input::Content(piece.as_bytes()));
        harness.input(Input::TimedOut);
        assert_eq!(harness.result().detail, format!("timed out after 10 s waiting for {what}"));
    }
}
