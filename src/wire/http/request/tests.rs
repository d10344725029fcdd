//! Requests as clients send them, cut anywhere, and requests that are refused.

mod access;

use super::*;
use crate::wire::http::mutation::Mutation;

fn request(text: &str) -> Request {
    match read(text.as_bytes()) {
        Read::Request(request, used) => {
            assert_eq!(used, text.len(), "{text:?}");
            for at in 0..text.len() {
                assert_eq!(read(&text.as_bytes()[..at]), Read::Partial, "{:?}", &text[..at]);
            }
            let pipelined = format!("{text}GET /next HTTP/1.1\r\n\r\n");
            assert_eq!(read(pipelined.as_bytes()), Read::Request(request.clone(), used));
            request
        }
        other => panic!("{other:?}: {text:?}"),
    }
}

/// Refused with `status`, and with nothing else at any prefix: a client may be cut off earlier than
/// at the head's end, but not for another reason.
fn assert_refused(bytes: &[u8], status: u16) {
    assert_eq!(read(bytes), Read::Refused(status), "{}", bytes.escape_ascii());
    let mut refused = false;
    for at in 0..=bytes.len() {
        match read(&bytes[..at]) {
            Read::Partial => assert!(!refused),
            Read::Refused(early) => {
                assert_eq!(early, status, "{}", bytes[..at].escape_ascii());
                refused = true;
            }
            Read::Request(..) => panic!("a request: {}", bytes[..at].escape_ascii()),
        }
    }
}

/// The length of the shortest prefix that is refused.
fn refused_after(bytes: &[u8]) -> usize {
    (0..=bytes.len()).find(|at| matches!(read(&bytes[..*at]), Read::Refused(_))).expect("a refusal")
}

#[test]
fn an_ordinary_request() {
    let expected = Request {
        method: Method::Get,
        path: "/state".to_owned(),
        query: String::new(),
        http11: true,
        host: Some("localhost:8787".to_owned()),
        keep_alive: true,
        last_event_id: None,
        bearer: None,
        origin: None,
        is_cross_site: false,
        prefers_html: false,
        content: None,
    };
    for text in [
        "GET /state HTTP/1.1\r\nHost: localhost:8787\r\nAccept: */*\r\n\r\n",
        "GET /state#c?d HTTP/1.1\nhost:localhost:8787\n\n",
        "\r\n\n\r\nGET /state#x HTTP/1.1\r\nHOST: \tlocalhost:8787 \r\nExpect: 100-continue\r\n\r\n",
        "GET http://localhost:8787/state? HTTP/1.1\r\nHost: other\r\nContent-Length: 0\r\n\r\n",
        "GET HTTP://localhost:8787/state HTTP/1.1\r\nHost:\r\nContent-Length: 0, 0\r\n\r\n",
    ] {
        assert_eq!(request(text), expected, "{text:?}");
    }
}

#[test]
fn methods() {
    for (method, known) in [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("OPTIONS", Method::Options),
        ("POST", Method::Post),
        ("TRACE", Method::Other),
        ("PROPFIND", Method::Other),
        ("get", Method::Other),
        ("DELETE", Method::Other),
    ] {
        assert_eq!(request(&format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n")).method, known);
    }
}

#[test]
fn targets_in_every_form() {
    for (target, host, path) in [
        ("/", "field", "/"),
        ("/targets/a%20b%2F/state", "field", "/targets/a%20b%2F/state"),
        ("//evil/x", "field", "//evil/x"),
        ("/?x#y", "field", "/"),
        ("?x", "field", ""),
        ("*", "field", "*"),
        ("host:443", "field", "host:443"),
        ("a?u=http://b/c", "field", "a"),
        ("/http://b/c", "field", "/http://b/c"),
        ("http://b", "b", "/"),
        ("http://b?x", "b", "/"),
        ("http://[::1]:80/c/d?e=://", "[::1]:80", "/c/d"),
        ("https://b//c", "b", "//c"),
        ("a1+b-c.d://b/c", "b", "/c"),
        ("a/b://c/d", "field", "a/b://c/d"),
        ("1a://b/c", "field", "1a://b/c"),
        ("/gr\u{fc}n", "field", "/gr\u{fc}n"),
    ] {
        let request = request(&format!("OPTIONS {target} HTTP/1.1\r\nHost: field\r\n\r\n"));
        assert_eq!((request.host.as_deref(), request.path.as_str()), (Some(host), path), "{target}");
    }
}

#[test]
fn queries_end_with_the_target_or_a_fragment() {
    for (target, path, query) in [
        ("/a", "/a", ""),
        ("/a?", "/a", ""),
        ("/a?b=c&d", "/a", "b=c&d"),
        ("/a?b?c://d/e", "/a", "b?c://d/e"),
        ("/a?b#c?d", "/a", "b"),
        ("/a#b?c", "/a", ""),
        ("http://h?x/y", "/", "x/y"),
    ] {
        let request = request(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((&*request.path, &*request.query), (path, query), "{target}");
    }
}

#[test]
fn the_last_event_seen_is_read_unless_it_is_of_another_kind() {
    for (field, id) in [
        ("X: y", None),
        ("Last-Event-ID: 1738200000-17", Some("1738200000-17")),
        ("last-event-id: \tx ", Some("x")),
        ("Last-Event-ID:", None),
        (&format!("Last-Event-ID: {}", "x".repeat(64)), Some(&"x".repeat(64))),
        (&format!("Last-Event-ID: {}", "x".repeat(65)), None),
    ] {
        let request = request(&format!("GET /events HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n"));
        assert_eq!(request.last_event_id.as_deref(), id, "{field}");
    }
}

#[test]
fn connections_are_kept_by_version_and_wish() {
    for (version, field, kept) in [
        ("1.1", "X: y", true),
        ("1.1", "Connection: keep-alive", true),
        ("1.1", "Connection: close", false),
        ("1.1", "connection: Upgrade, CLOSE", false),
        ("1.1", "Connection: x\r\nConnection: \tclose", false),
        ("1.1", "Connection: keep-alive, close", false),
        ("1.1", "Connection: closed", true),
        ("1.0", "X: y", false),
        ("1.0", "Connection: Keep-Alive", true),
        ("1.0", "Connection: x , keep-alive", true),
        ("1.0", "Connection: keep-alive, close", false),
    ] {
        let request = request(&format!("GET / HTTP/{version}\r\nHost: a\r\n{field}\r\n\r\n"));
        assert_eq!((request.keep_alive, request.http11), (kept, version == "1.1"), "{version} {field}");
    }
}

#[test]
fn hosts() {
    assert_eq!(request("GET / HTTP/1.0\r\n\r\n").host, None);
    assert_eq!(request("GET http://a/ HTTP/1.0\r\n\r\n").host.as_deref(), Some("a"));
    for host in ["", "a", "a.b-c_d:80", "127.0.0.1:8787", "[::1]", "[fe80::1%25eth0]:80", "a:", "%41"] {
        let request = request(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(request.host.as_deref(), Some(host));
    }
    assert_refused(b"GET / HTTP/1.1\r\n\r\n", 400);
    assert_refused(b"GET http://a/ HTTP/1.1\r\n\r\n", 400);
    for version in ["1.0", "1.1"] {
        assert_refused(format!("GET / HTTP/{version}\r\nHost: a\r\nhost: a\r\n\r\n").as_bytes(), 400);
        for host in [
            "a b", "a/b", "u@a", "a:b", "a:80:80", "::1", "[::1", "[]", "[::1]x", "[a b]", "\u{e4}", "a, b",
            "\"a\"",
        ] {
            assert_refused(format!("GET / HTTP/{version}\r\nHost: {host}\r\n\r\n").as_bytes(), 400);
            if !host.contains([' ', '/']) {
                assert_refused(
                    format!("GET http://{host}/ HTTP/{version}\r\nHost: a\r\n\r\n").as_bytes(),
                    400,
                );
            }
        }
    }
}

/// The answer does not depend on the body, and ends the connection.
#[test]
fn a_request_with_a_body_is_read_and_is_the_last_one() {
    for (fields, kept) in [
        ("Content-Length: 0", true),
        ("Content-Length: 1", false),
        ("Content-Length: 18446744073709551616", false),
        ("Content-Length: 5\r\nContent-Length: 5\r\nExpect: 100-continue", false),
        ("Expect: 100-continue", true),
        ("Transfer-Encoding: chunked", false),
        ("transfer-encoding: gzip, Chunked", false),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\nContent-Length: 1", false),
    ] {
        for (method, known) in [("GET", Method::Get), ("POST", Method::Post)] {
            let request = request(&format!("{method} /state HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"));
            assert_eq!((request.method, request.keep_alive), (known, kept), "{fields}");
            let expected = match fields {
                _ if kept => None,
                _ if fields.to_ascii_lowercase().contains("chunked") => Some(Framing::Chunked),
                _ if fields.contains(": 1\n") || fields.ends_with(": 1") => Some(Framing::Length(1)),
                _ if fields.contains(": 5") => Some(Framing::Length(5)),
                _ => Some(Framing::Length(u64::MAX)),
            };
            assert_eq!(request.content.map(|content| content.framing), expected, "{fields}");
            let waits = request.content.is_some_and(|content| content.expects_continue);
            assert_eq!(waits, !kept && fields.contains("Expect"), "{fields}");
        }
    }
}

#[test]
fn bodies_without_a_known_end_are_refused() {
    for fields in [
        "Content-Length: 0\r\nContent-Length: 5",
        "Content-Length: -1",
        "Content-Length:",
        "Transfer-Encoding:",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: x\r\nContent-Length: 1",
        "Transfer-Encoding: chunked\r\nContent-Length: x",
    ] {
        assert_refused(format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n").as_bytes(), 400);
    }
}

/// RFC 9110 section 2.5.
#[test]
fn later_minor_versions_are_read_as_http_1_1() {
    for minor in 1..10 {
        let text = format!("GET http://b:1/c?d HTTP/1.{minor}\nHost: a\n\n");
        let request = request(&text);
        assert!(request.http11 && request.keep_alive && request.path == "/c", "{text}");
        assert_refused(format!("GET / HTTP/1.{minor}\r\n\r\n").as_bytes(), 400);
    }
    // The version is the third word, and no other.
    assert!(!request("GET /HTTP/1.9 HTTP/1.0\r\n\r\n").http11);
    assert_eq!(request("GET / HTTP/1.1\r\nHost: a\r\nA: b c HTTP/1.9\r\n\r\n").path, "/");
}

#[test]
fn what_browsers_load_balancers_and_upgrades_send_besides_changes_nothing() {
    let plain = request("GET /state HTTP/1.1\r\nHost: a\r\n\r\n");
    for fields in [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x",
        "If-None-Match: *\r\nIf-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\nRange: bytes=0-0",
        "Accept-Encoding: gzip, br\r\nAccept: text/plain, */*\r\nTE: trailers\r\nPriority: u=0",
        "X-Forwarded-For: 192.0.2.1, 2001:db8::1\r\nForwarded: for=\"[::1]\"\r\nVia: 1.1 x",
        "Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nUser-Agent:",
    ] {
        let with = request(&format!("GET /state HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"));
        assert_eq!(with, plain, "{fields}");
    }
    let cookie = format!("Cookie: {}", "a=".repeat(4 * 1024));
    let many = "X-A: b\r\n".repeat(200);
    assert_eq!(request(&format!("GET /state HTTP/1.1\r\n{many}Host: a\r\n{cookie}\r\n\r\n")), plain);
}

#[test]
fn garbage_is_refused_as_early_as_it_shows() {
    for (bytes, status, after) in [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(), 400, 1),
        (b"\0\0\0", 400, 1),
        (b" GET / HTTP/1.1\r\n", 400, 1),
        (b"\rGET / HTTP/1.1\r\n", 400, 2),
        (b"GET\r\n", 400, 4),
        (b"GET /\r\n", 400, 6),
        (b"GET  / HTTP/1.1\r\n", 400, 5),
        (b"GET / HTTX", 400, 10),
        (b"GET / \r\n", 400, 7),
        (b"GET / HTTP/x", 400, 12),
        (b"GET / HTTP/1.1 \r\n", 400, 15),
        (b"GET / HTTP/1.1\r\r\n", 400, 16),
        (b"GET / HTTP/1.10\r\n", 400, 15),
        (b"GET / HTTP/1.90\r\n", 505, 15),
        (b"GET / HTTP/1.x\r\n", 505, 14),
        (b"GET / HTTP/2\r\n", 505, 12),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET / HTTP/1.1\r\n\r\n", 400, 12),
        (b"\r\n\r\n\0\r\nQUIT\n", 400, 5),
        (b"GET / HTTP/0.9\r\n", 505, 12),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 12),
        (b"SSH-2.0-x\r\n", 400, 10),
        (b"\n\n\n\n\n\n\n\n\n\n", 400, 9),
    ] {
        assert_refused(bytes, status);
        assert_eq!(refused_after(bytes), after, "{}", bytes.escape_ascii());
    }
}

#[test]
fn malformed_fields_are_refused() {
    for field in ["A : b", " A: b", "A: b\r\n c", "A", ": b", "A: b\0", "A: b\rc", "\u{e4}: b", "A\x01: b"] {
        assert_refused(format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n").as_bytes(), 400);
    }
    for (count, refused) in [(FIELDS_MAX - 1, false), (FIELDS_MAX, true)] {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(count));
        assert_eq!(read(text.as_bytes()) == Read::Refused(431), refused);
    }
}

#[test]
fn heads_may_be_as_big_as_the_cap_but_no_bigger() {
    let start =
        format!("GET / HTTP/1.1\r\nHost: a\r\n{}A: ", format!("A: {}\r\n", "x".repeat(1000)).repeat(28));
    let end = "\r\n\r\n";
    let room = HEAD_MAX - start.len() - end.len();
    request_fits(&format!("{start}{}{end}", "x".repeat(room)));
    let over = format!("{start}{}{end}", "x".repeat(room + end.len()));
    assert_eq!(read(over.as_bytes()), Read::Refused(431));
    assert_eq!(read(&over.as_bytes()[..HEAD_MAX]), Read::Refused(431));
    assert_eq!(read(&over.as_bytes()[..HEAD_MAX - 1]), Read::Partial);
}

#[test]
fn lines_may_be_as_long_as_their_cap_but_no_longer() {
    for (start, end) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nA: ", "\r\n\r\n"),
        ("GET / HTTP/1.1\r\nHost: a\r\nA: ", "\r\nB: c\r\n\r\n"),
        ("GET /", " HTTP/1.1\r\nHost: a\r\n\r\n"),
    ] {
        let line = start.len() - start.rfind('\n').map_or(0, |at| at + 1) + end.find('\n').unwrap_or(0);
        let fits = format!("{start}{}{end}", "x".repeat(LINE_MAX - line));
        assert!(matches!(read(fits.as_bytes()), Read::Request(_, used) if used == fits.len()));
        assert_refused(format!("{start}{}{end}", "x".repeat(LINE_MAX - line + 1)).as_bytes(), 431);
    }
    assert_refused(format!("GET {} X\r\n\r\n", "x".repeat(LINE_MAX)).as_bytes(), 431);
    assert_refused(format!("GET {} X\r\n\r\n", "x".repeat(LINE_MAX - 6)).as_bytes(), 400);
}

fn request_fits(text: &str) {
    assert_eq!(text.len(), HEAD_MAX);
    assert!(matches!(read(text.as_bytes()), Read::Request(_, HEAD_MAX)));
    assert_eq!(read(&text.as_bytes()[..HEAD_MAX - 1]), Read::Partial);
}

/// The cost of a head that trickles in is bounded by the cap: all its prefixes are read in a moment.
#[test]
fn a_trickling_client_is_cheap() {
    for more in [&*format!("{}:\n", "a".repeat(200)), "\u{e4}", "x"] {
        let text = format!("GET / HTTP/1.1\nHost: a\n{}", more.repeat(HEAD_MAX / more.len() + 1));
        for at in 0..if more.contains('\n') { HEAD_MAX } else { LINE_MAX } {
            assert_eq!(read(&text.as_bytes()[..at]), Read::Partial);
        }
    }
}

/// The first prefix that is answered decides: what follows it changes nothing.
#[test]
fn mutilated_requests_are_read_the_same_however_they_are_cut() {
    let seeds: [&[u8]; 3] = [
        b"GET /state?x HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n",
        b"\r\nHEAD http://b/c HTTP/1.0\nContent-Length: 0\n\n",
        b"POST * HTTP/2.0\r\n\r\n",
    ];
    let odd = b"\r\n\0 \t:;,0129HT/.\xc3";
    let mut mutation = Mutation::new();
    for round in 0..3000 {
        let bytes = mutation.of(seeds[round % seeds.len()], odd);
        let first = (0..=bytes.len()).map(|at| read(&bytes[..at])).find(|read| *read != Read::Partial);
        assert_eq!(read(&bytes), first.unwrap_or(Read::Partial), "{}", bytes.escape_ascii());
    }
}
