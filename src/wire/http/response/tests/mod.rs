//! Answers as real servers send them, however they are cut.

mod hostile;

use super::*;
use crate::wire::http::mutation::Mutation;

/// What a reader made of a connection's bytes and, if `close`, of its end.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    head: Option<Head>,
    body: Vec<u8>,
    done: bool,
    error: Option<String>,
}

fn read<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    to_head: bool,
    max_body: usize,
    close: bool,
) -> Outcome {
    let mut reader = ResponseReader::new(to_head, max_body);
    let mut error = None;
    for piece in pieces {
        let outcome = reader.receive(piece);
        assert!(error.is_none() || outcome.is_ok(), "bytes after an error are ignored");
        error = error.or(outcome.err());
    }
    if close {
        error = error.or(reader.close().err());
        assert_eq!(reader.close(), Ok(()));
    }
    let error = error.map(|error| error.0);
    Outcome { head: reader.head().cloned(), body: reader.body().to_vec(), done: reader.is_done(), error }
}

/// Reads `bytes` whole, cut in two at every position, and byte by byte: all must agree.
fn read_cut(bytes: &[u8], to_head: bool, max_body: usize, close: bool) -> Outcome {
    let whole = read([bytes], to_head, max_body, close);
    for at in 0..=bytes.len() {
        let (one, two) = bytes.split_at(at);
        assert_eq!(
            read([one, two], to_head, max_body, close),
            whole,
            "cut at {at} of {}",
            bytes.escape_ascii()
        );
    }
    assert_eq!(read(bytes.chunks(1), to_head, max_body, close), whole, "{}", bytes.escape_ascii());
    whole
}

/// A whole answer: nothing shorter is enough, and nothing after it is needed or read.
fn whole(bytes: &str) -> (Head, String) {
    let outcome = read_cut(bytes.as_bytes(), false, 1000, false);
    assert_eq!((outcome.error, outcome.done), (None, true), "{bytes:?}");
    for at in 0..bytes.len() {
        let prefix = &bytes.as_bytes()[..at];
        let part = read([prefix], false, 1000, false);
        assert_eq!((part.error, part.done), (None, false), "{}", prefix.escape_ascii());
        assert!(outcome.body.starts_with(&part.body));
        assert!(part.head.is_none() || part.head == outcome.head);
        let closed = read([prefix], false, 1000, true);
        assert!(closed.error.is_some(), "closed after {}", prefix.escape_ascii());
        assert_eq!(closed.body, part.body);
    }
    let more = read([bytes.as_bytes(), b"HTTP/1.1 500 No\r\n\r\n\0"], false, 1000, true);
    assert_eq!((&more.head, &more.body, more.error), (&outcome.head, &outcome.body, None));
    (outcome.head.expect("a head"), String::from_utf8(outcome.body).expect("text"))
}

fn body_of(bytes: &str) -> String {
    whole(bytes).1
}

/// The body of an answer that ends with the connection.
fn body_until_close(bytes: &str) -> String {
    let open = read_cut(bytes.as_bytes(), false, 1000, false);
    assert_eq!((open.error, open.done), (None, false), "{bytes:?}");
    let closed = read_cut(bytes.as_bytes(), false, 1000, true);
    assert_eq!((closed.error, closed.done), (None, true), "{bytes:?}");
    String::from_utf8(closed.body).expect("text")
}

fn error_of(bytes: &[u8]) -> String {
    read_cut(bytes, false, 1000, true).error.unwrap_or_else(|| panic!("no error: {}", bytes.escape_ascii()))
}

#[test]
fn a_body_of_a_given_length() {
    let (head, body) = whole("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello");
    assert_eq!((head.status, body.as_str()), (200, "hello"));
    assert_eq!(head.headers.get("x-a"), Some("b"));
    assert_eq!(body_of("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), "");
    assert_eq!(body_of("HTTP/1.0 404\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nno"), "no");
}

#[test]
fn a_body_until_the_close() {
    assert_eq!(body_until_close("HTTP/1.0 200 OK\r\n\r\nall of it"), "all of it");
    assert_eq!(body_until_close("HTTP/1.1 200 OK\r\n\r\n"), "");
    assert_eq!(
        body_until_close("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nzzz"),
        "zzz"
    );
    assert_eq!(
        body_until_close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
        "0\r\n\r\n"
    );
}

#[test]
fn a_chunked_body() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (coded, body) in [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\n00A\r\n wide worl\r\n1\r\nd\r\n000\r\n\r\n", "hello wide world"),
        ("3;a=b;c=\"d;\te\"\r\nabc\r\n0;last\r\n\r\n", "abc"),
        ("3  \r\nabc\r\n0 ;x\r\n\r\n", "abc"),
        ("3\r\nabc\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n", "abc"),
        ("3\nabc\n0\nX: y\n\n", "abc"),
        ("3\r\nabc\r\n0\r\nX: y\r\n z\r\n\tz\r\n\r\n", "abc"),
        ("3\r\nabc\r\n0\r\n: y\r\nA b : c\x01:\r\n\r\n", "abc"),
        ("0000000000000003\r\n\r\n\n\r\n0\r\n\r\n", "\r\n\n"),
    ] {
        assert_eq!(body_of(&format!("{head}{coded}")), body, "{coded:?}");
    }
}

#[test]
fn chunked_in_all_its_spellings_wins_over_a_length() {
    for fields in [
        "Transfer-Encoding: chunked\r\nContent-Length: 1",
        "Content-Length: x\r\ntransfer-encoding:  CHUNKED ",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: ,chunked,",
        "Transfer-Encoding: identity, chunked",
    ] {
        assert_eq!(
            body_of(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n2\r\nok\r\n0\r\n\r\n")),
            "ok",
            "{fields}"
        );
    }
    assert_eq!(
        body_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok"),
        "ok"
    );
}

#[test]
fn some_answers_have_no_body() {
    for status in ["204 No Content", "304 Not Modified"] {
        assert_eq!(body_of(&format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\n")), "");
        assert_eq!(body_of(&format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n")), "");
    }
    for framing in ["Content-Length: 5", "Content-Length: x", "Transfer-Encoding: chunked", "X: y"] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
        let outcome = read_cut(bytes.as_bytes(), true, 1000, false);
        assert!(outcome.done && outcome.head.is_some() && outcome.error.is_none(), "{framing}");
    }
}

#[test]
fn interim_answers_are_skipped() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nContent-Length: 9\r\n\r\n";
    let (head, body) = whole(&format!(
        "HTTP/1.1 100 Continue\r\n\r\n{early}{early}\r\nHTTP/1.1 199 Wait\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"
    ));
    assert_eq!((head.status, body.as_str(), head.headers.get("link")), (404, "no", None));
    assert_eq!(
        error_of(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
        "HTTP 101 to a request that asks for no upgrade"
    );
    assert_eq!(
        error_of(b"HTTP/1.1 100 Continue\r\n\r\n"),
        "connection closed before the end of the header fields"
    );
}

#[test]
fn sloppy_heads_are_read() {
    let (head, body) = whole(
        "\r\n\nHTTP/1.0  299  Fine\nFolded: a\n  b\r\n\tc\r\nSpaced : d\nno token: in this\n nor here\n\
         Bad\x01Name: e\nEmpty:\nContent-Length: 1\n\n!",
    );
    assert_eq!((head.status, body.as_str()), (299, "!"));
    let fields: Vec<_> = head.headers.iter().collect();
    assert_eq!(fields, [("Folded", "a b c"), ("Spaced", "d"), ("Empty", ""), ("Content-Length", "1")]);
    for (line, status) in
        [("HTTP/1.1 999", 999), ("HTTP/1.0 100\r\n\r\nHTTP/1.1 600 ", 600), ("HTTP/1.1 200 \u{fc}", 200)]
    {
        assert_eq!(whole(&format!("{line}\r\nContent-Length: 0\r\n\r\n")).0.status, status);
    }
}

#[test]
fn the_head_is_there_before_the_body_and_may_be_enough() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    let waiting = read_cut(head, false, 9, false);
    assert!(waiting.head.is_some() && !waiting.done);
    let enough = read_cut(head, false, 0, false);
    assert!(enough.head.is_some() && enough.done);
    let chunked = read_cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nrubbish", false, 0, true);
    assert_eq!((chunked.done, chunked.error), (true, None));
}

#[test]
fn no_more_of_the_body_is_kept_than_asked_for() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabcdefgh",
        "HTTP/1.1 200 OK\r\n\r\nabcdefgh",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\ndefghXrubbish",
    ] {
        for limit in 0..8 {
            let outcome = read_cut(answer.as_bytes(), false, limit, true);
            assert_eq!((outcome.done, outcome.error), (true, None), "{answer:?}");
            assert_eq!(outcome.body, b"abcdefgh"[..limit]);
        }
    }
}

#[test]
fn what_came_before_a_cut_stays() {
    for (answer, error) in [
        ("Content-Length: 10\r\n\r\nabc", "connection closed 7 bytes before the end of the body"),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nabc", "connection closed before the end of the body"),
        (
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
            "connection closed before the end of the body",
        ),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz", "malformed chunk: no size"),
    ] {
        let outcome = read_cut(format!("HTTP/1.1 200 OK\r\n{answer}").as_bytes(), false, 1000, true);
        assert_eq!((outcome.error.as_deref(), outcome.done), (Some(error), false));
        assert_eq!(outcome.head.map(|head| head.status), Some(200));
        assert_eq!(outcome.body, b"abc");
    }
}

#[test]
fn malformed_heads_each_have_their_error() {
    for (bytes, error) in [
        (b"".as_slice(), "connection closed without a response"),
        (b"\r\n", "connection closed without a response"),
        (b"HTT", "connection closed before the end of the header fields"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", "connection closed before the end of the header fields"),
        (b"HTTP/1.1 20 OK\r\n", "malformed status line: HTTP/1.1 20 OK"),
        (b"HTTP/1.1 2000 OK\r\n", "malformed status line: HTTP/1.1 2000 OK"),
        (b"HTTP/1.1 -20 OK\r\n", "malformed status line: HTTP/1.1 -20 OK"),
        (b"HTTP/1.1 099 OK\r\n", "malformed status line: HTTP/1.1 099 OK"),
        (b"HTTP/1.1 200 O\x01K\r\n", "malformed status line: HTTP/1.1 200 O\\x01K"),
        (b"HTTP/1.1 \xff\n", "malformed status line: HTTP/1.1 \\xff"),
        (b"HTTP/1.1 200 OK\r\r\n", "malformed status line: HTTP/1.1 200 OK\\r"),
        (b"HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n", "malformed header field: A: b\\x00"),
        (b"HTTP/1.1 200 OK\r\nX: y\r\nA: b\rc\r\n\r\n", "malformed header field: A: b\\rc"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n", "malformed Content-Length: \"5x\""),
        (b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "malformed Content-Length: \"\""),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "differing Content-Length values",
        ),
    ] {
        assert_eq!(error_of(bytes), error, "{}", bytes.escape_ascii());
    }
}

/// As curl and RFC 9112 section 5: a field has a colon.
#[test]
fn a_line_without_a_colon_is_malformed() {
    for (lines, shown) in [
        ("Server test/fake", "Server test/fake"),
        ("A: b\r\nServer test/fake\r\nC: d", "Server test/fake"),
        ("A: b\r\n c\r\nno", "no"),
        (" nothing to continue", " nothing to continue"),
        ("A: b\nno\0", "no\\x00"),
        ("\u{fc}", "\\xc3\\xbc"),
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{lines}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(error_of(bytes.as_bytes()), format!("malformed header field: {shown}"), "{lines:?}");
    }
}

/// RFC 9110 section 2.5: a later minor version is understood as the latest that is known. curl reads
/// the name in any case.
#[test]
fn every_http_1_version_is_read() {
    for version in ["HTTP/1.0", "HTTP/1.1", "HTTP/1.2", "HTTP/1.9", "http/1.1", "Http/1.0"] {
        let (head, body) = whole(&format!("{version} 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        assert_eq!((head.status, body.as_str()), (200, "ok"), "{version}");
    }
}

/// A page that sets many cookies, and a server that hints at much, are healthy: what is needed of the
/// head is its status.
#[test]
fn heads_with_very_many_fields_and_hints_are_read() {
    let cookies = format!("Set-Cookie: a={}\r\n", "x".repeat(1000)).repeat(65);
    let end = "Content-Length: 0\r\n\r\n";
    for answer in [
        format!("HTTP/1.1 200 OK\r\n{}{end}", "A: b\r\n".repeat(130)),
        format!("HTTP/1.1 200 OK\r\n{cookies}{end}"),
        format!("{}HTTP/1.1 200 OK\r\n{end}", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(30)),
    ] {
        for piece in [1, 1460, 100_000] {
            let outcome = read(answer.as_bytes().chunks(piece), false, 0, false);
            assert_eq!((outcome.done, outcome.error), (true, None));
            assert_eq!(outcome.head.map(|head| head.status), Some(200));
        }
    }
}

#[test]
fn a_status_line_after_an_interim_answer_is_checked_as_early_as_the_first() {
    let mut reader = ResponseReader::new(false, 0);
    let outcome = reader.receive(b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 2000 OK\r\n");
    assert_eq!(outcome.unwrap_err().0, "malformed status line: HTTP/1.1 2000 OK");
}

#[test]
fn other_protocols_are_recognised_as_early_as_they_show() {
    for (bytes, error) in [
        (b"SSH-2.0-OpenSSH_9.2p".as_slice(), "not an HTTP response: SSH-2.0-OpenSSH_9.2p…"),
        (b"SSH-2.0-dropbear\r\n", "not an HTTP response: SSH-2.0-dropbear"),
        (b"ICY 200 OK\r\n", "not an HTTP response: ICY 200 OK"),
        (b"HTTP/2 200\r\n", "not an HTTP response: HTTP/2 200"),
        (b"HTTP/1.10 200 OK\r\n", "not an HTTP response: HTTP/1.10 200 OK"),
        (b"HTTP/1.1\r\n", "not an HTTP response: HTTP/1.1"),
        (b"HTTP/1.x 200 OK\r\n", "not an HTTP response: HTTP/1.x 200 OK"),
        (b"HTTP/0.9 200 OK\r\n", "not an HTTP response: HTTP/0.9 200 OK"),
        (b"HTTPS/1.1 200 OK\r\n", "not an HTTP response: HTTPS/1.1 200 OK"),
        (b"PRI * HTTP/2.0\r\n", "not an HTTP response: PRI * HTTP/2.0"),
        (b"\0", "not an HTTP response: \\x00"),
        (b"\xff", "not an HTTP response: \\xff"),
        (b"<html>\n", "not an HTTP response: <html>"),
        (b"\x15", "not an HTTP response but TLS: this seems to be an https port"),
    ] {
        let open = read_cut(bytes, false, 1000, false);
        assert_eq!(open.error.as_deref(), Some(error));
        for at in 0..bytes.len() {
            assert_eq!(read([&bytes[..at]], false, 1000, false).error, None, "{error}: not after {at} bytes");
        }
    }
    assert_eq!(error_of(b"220 hi"), "not an HTTP response: 220 hi");
}

#[test]
fn malformed_chunks_each_have_their_error() {
    for (coded, error) in [
        ("\r\n0\r\n\r\n", "malformed chunk: no size"),
        (" 3\r\nabc", "malformed chunk: no size"),
        (";x\r\n", "malformed chunk: no size"),
        ("g\r\n", "malformed chunk: no size"),
        ("-1\r\n", "malformed chunk: no size"),
        ("3x\r\nabc", "malformed chunk: its size is not a number"),
        ("0x3\r\nabc", "malformed chunk: its size is not a number"),
        ("3 3\r\nabc", "malformed chunk: its size is not a number"),
        ("3\r\r\nabc", "malformed chunk: its size is not a number"),
        ("3;a\0\r\nabc", "malformed chunk: its extension holds a control character"),
        ("0\r\nA: b\0\r\n\r\n", "malformed trailer field"),
        ("0\r\n\0A: b\r\n\r\n", "malformed trailer field"),
        ("0\r\nA: b\rc\r\n\r\n", "malformed trailer field"),
        ("0\r\nA: b\r\r\n\r\n", "malformed trailer field"),
        ("0\r\nA\r\n: b\r\n\r\n", "malformed trailer field"),
        ("0\r\nno colon\r\n\r\n", "malformed trailer field"),
        ("0\r\nno colon\n\n", "malformed trailer field"),
        ("0\r\nA: b\r\nno colon\r\n\r\n", "malformed trailer field"),
        ("0\r\n c\r\n\r\n", "malformed trailer field"),
        ("0\r\n\rx", "malformed trailer field"),
        ("00000000000000003\r\nabc", "malformed chunk: its size has more than 16 digits"),
        ("3\r\nabcd\r\n", "malformed chunk: its data goes on past its size"),
        ("3\r\nabc0\r\n\r\n", "malformed chunk: its data goes on past its size"),
        ("3\r\nabc\rx", "malformed chunk: its data goes on past its size"),
        ("3\r\nabc\r\n\r\n", "malformed chunk: no size"),
        ("ffffffffffffffff\r\nabc", "connection closed before the end of the body"),
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{coded}");
        assert_eq!(error_of(bytes.as_bytes()), error, "{coded:?}");
    }
}

#[test]
fn mutilated_answers_are_read_the_same_however_they_are_cut() {
    let seeds: [&[u8]; 4] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nT: u\r\n\r\n",
        b"HTTP/1.1 100 Go\n\nHTTP/1.0 200 OK\nA: b\n c\n\nbody",
        b"SSH-2.0-x\r\n",
    ];
    let odd = b"\r\n\0 \t:;,0159afHT/.\xff";
    let mut mutation = Mutation::new();
    for round in 0..2000 {
        let bytes = mutation.of(seeds[round % seeds.len()], odd);
        let whole = read([bytes.as_slice()], false, 4, true);
        assert_eq!(read(bytes.chunks(1), false, 4, true), whole, "{}", bytes.escape_ascii());
        let (one, two) = bytes.split_at(mutation.below(bytes.len()));
        assert_eq!(read([one, two], false, 4, true), whole, "{}", bytes.escape_ascii());
    }
}
