//! Valid and invalid responses, compared with the installed curl.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::common::*;

/// Lines of a head after `HTTP/1.1 200 OK`; whether that is a valid response; why curl differs, if it does.
const FIELDS: &[(&str, bool, Option<&str>)] = &[
    ("A: b", true, None),
    ("A:b\r\nA:\r\nA:   \tb \t", true, None),
    ("A: b\tc", true, None),
    ("A : b", true, None),
    ("A: b\n B: c", true, None),
    ("A: b\r\n c\r\n\td", true, None),
    ("A(b): c\r\nA b: c\r\n: c", true, None),
    ("A: b\u{1}c\r\nA: b\u{7f}c\r\nA: \u{fc}", true, None),
    ("Server test/fake", false, None),
    ("A: b\r\nServer test/fake", false, None),
    (" continues nothing", false, None),
    ("A: b\0", false, None),
    ("A\0: b", false, None),
    ("A: b\rc", false, Some("RFC 9112 section 2.2: a bare CR is invalid")),
    ("Content-Length: 2\r\nContent-Length: 2", true, None),
    ("Content-Length: 99999999999999999999999", true, None),
    ("Content-Length: 18446744073709551616", true, None),
    ("Content-Length: ", false, None),
    ("Content-Length: x", false, None),
    ("Content-Length: -2", false, None),
    ("Content-Length: +2", false, Some("RFC 9112 section 6.3: an invalid length is an error")),
    ("Content-Length: 2x", false, Some("RFC 9112 section 6.3: an invalid length is an error")),
    (
        "Content-Length: 3\r\nContent-Length: 2",
        false,
        Some("RFC 9112 section 6.3: differing lengths are an error"),
    ),
    ("Transfer-Encoding: chunked", true, Some("curl reads the body, a check of the status does not")),
    ("Transfer-Encoding: identity", true, None),
];

/// Complete responses, in the same form.
const WHOLE: &[(&str, bool, Option<&str>)] = &[
    ("HTTP/1.0 200 OK\r\n\r\n", true, None),
    ("HTTP/1.1 200\r\n\r\n", true, None),
    ("HTTP/1.1 200 \r\n\r\n", true, None),
    ("HTTP/1.1  200 OK\r\n\r\n", true, None),
    ("HTTP/1.1 200 \u{fc}\r\n\r\n", true, None),
    ("HTTP/1.1 200 OK\n\n", true, None),
    ("http/1.1 200 OK\r\n\r\n", true, None),
    ("HTTP/1.2 200 OK\r\n\r\n", true, Some("RFC 9110 section 2.5")),
    ("HTTP/1.9 200 OK\r\n\r\n", true, Some("RFC 9110 section 2.5")),
    ("\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", true, Some("sent after the body of an earlier response")),
    ("HTTP/1.10 200 OK\r\n\r\n", false, None),
    ("HTTP/1 200 OK\r\n\r\n", false, None),
    ("HTTP/0.9 200 OK\r\n\r\n", false, None),
    ("HTTP/3 200 OK\r\n\r\n", false, None),
    ("HTTP/2 200 OK\r\n\r\n", false, Some("not the protocol that was asked for")),
    ("HTTP 200 OK\r\n\r\n", false, None),
    ("HTTP/1.1\t200 OK\r\n\r\n", false, None),
    (" HTTP/1.1 200 OK\r\n\r\n", false, None),
    ("ICY 200 OK\r\n\r\n", false, None),
    ("RTSP/1.0 200 OK\r\n\r\n", false, None),
    ("<html>hello</html>\n", false, None),
    ("SSH-2.0-OpenSSH_9.2\r\n", false, None),
    ("", false, None),
    ("HTTP/1.1 20 OK\r\n\r\n", false, None),
    ("HTTP/1.1 2000 OK\r\n\r\n", false, None),
    ("HTTP/1.1 099 OK\r\n\r\n", false, None),
    ("HTTP/1.1 200OK\r\n\r\n", false, Some("malformed (RFC 9112 section 4)")),
    ("HTTP/1.1 200 O\0K\r\n\r\n", false, None),
    ("HTTP/1.1 200 O\u{1}K\r\n\r\n", false, Some("malformed (RFC 9112 section 4)")),
    ("HTTP/1.1 200 OK\r\nA: b\r\n", false, Some("RFC 9112 section 8: incomplete")),
    ("HTTP/1.1 100 Continue\r\n\r\n", false, None),
    ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", false, None),
    ("HTTP/1.1 103 Hints\r\nContent-Length: 2\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", true, None),
    ("HTTP/1.1 103 Hints\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\n\r\n", false, None),
    ("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", true, None),
    ("HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nok", true, None),
];

/// The part after the head of a chunked body that contains `ok`; whether all of it can be read.
const CHUNKS: &[(&str, bool, Option<&str>)] = &[
    ("2\r\nok\r\n0\r\n\r\n", true, None),
    ("2\nok\n0\n\n", true, None),
    ("02;a=b;c=\"d\"\r\nok\r\n0;x\r\n\r\n", true, None),
    ("2 \r\nok\r\n0\r\n\r\n", true, None),
    ("2\r\nok\r\n0\r\nA: b\r\n\r\n", true, None),
    ("2\r\nok\r\n0\r\nA: b\n\n", true, None),
    ("2\r\nok\r\n0\r\nA : b\r\nA(b): c\r\n: d\r\nA: b\u{1}\r\n\r\n", true, None),
    ("2\r\nok\r\n0\r\nA: b\r\n c\r\n\r\n", true, None),
    ("2\r\nok\r\n0\r\nA: b\0\r\n\r\n", false, None),
    ("2\r\nok\r\n0\r\nno colon\r\n\r\n", false, None),
    ("2\r\nok\r\n0\r\nA: b\rc\r\n\r\n", false, None),
    ("2\r\nok\r\n0\r\n", false, None),
    ("2\r\nok\r\n", false, None),
    ("2\r\nok", false, None),
    (" 2\r\nok\r\n0\r\n\r\n", false, None),
    ("\r\n2\r\nok\r\n0\r\n\r\n", false, None),
    ("0x2\r\nok\r\n0\r\n\r\n", false, None),
    ("00000000000000002\r\nok\r\n0\r\n\r\n", false, None),
    ("2\r\nokay\r\n0\r\n\r\n", false, None),
    ("2;a\0\r\nok\r\n0\r\n\r\n", false, Some("RFC 9112 section 7.1.1: no control characters")),
];

/// Sends the same bytes to every client.
struct Responder(Server, Arc<Mutex<Vec<u8>>>);

impl Responder {
    fn start() -> Responder {
        let response = Arc::new(Mutex::new(Vec::new()));
        let shared = response.clone();
        let server = Server::start(move |mut stream| {
            read_head(&stream);
            let bytes = shared.lock().expect("no panic").clone();
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read(&mut [0]);
        });
        Responder(server, response)
    }

    /// pingstate's result for this response, and whether curl has read all of it.
    fn ask(&self, response: &[u8], args: &[&str]) -> (String, bool) {
        *self.1.lock().expect("no panic") = response.to_vec();
        let mut command = pingstate();
        command.args(["--once", "--timeout", "20"]).args(args).arg(self.0.url("http"));
        let ours = String::from_utf8(command.output().expect("runs").stdout).expect("text");
        let mut curl = Command::new("curl");
        curl.args(["-q", "-sf", "--noproxy", "*", "--max-time", "20", "-o", "/dev/null"]);
        let theirs = curl.arg(self.0.url("http")).status().expect("runs");
        (ours, theirs.success())
    }
}

#[test]
fn response_validity_matches_curl() {
    if !has("curl", &["--version"]) {
        return;
    }
    let server = Responder::start();
    let mut wrong = Vec::new();
    let mut compare =
        |text: &str, ours: (bool, &str), theirs: bool, expected: bool, different: Option<&str>| {
            // If a reason is given, another version of curl may agree with pingstate.
            if ours.0 != expected || (different.is_none() && theirs != expected) {
                let bytes = text.escape_default();
                wrong
                    .push(format!("{bytes}: {}, curl {theirs}, expected {expected} ({different:?})", ours.1));
            }
        };
    for (lines, expected, different) in FIELDS {
        let has_length = lines.contains("Content-Length") || lines.contains("Transfer-Encoding");
        let length = if has_length { "" } else { "Content-Length: 2\r\n" };
        let response = format!("HTTP/1.1 200 OK\r\n{lines}\r\n{length}\r\nok");
        let (ours, theirs) = server.ask(response.as_bytes(), &[]);
        compare(lines, (ours.starts_with("up"), &ours), theirs, *expected, *different);
    }
    for (response, expected, different) in WHOLE {
        let (ours, theirs) = server.ask(response.as_bytes(), &[]);
        compare(response, (ours.starts_with("up"), &ours), theirs, *expected, *different);
    }
    for (chunks, expected, different) in CHUNKS {
        let response = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        let (ours, theirs) = server.ask(response.as_bytes(), &["--check", "body_contains:absent"]);
        compare(chunks, (ours.contains("text not in the body"), &ours), theirs, *expected, *different);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Large parts that real servers send are accepted; an error names the exceeded limit.
#[test]
fn large_responses_are_up_and_limits_are_named() {
    let server = Responder::start();
    let head = |fields: String| format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok");
    let hints = |count| "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n".repeat(count);
    let chunked = |chunks: String| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    for (response, says) in [
        (head("A: b\r\n".repeat(130)), "HTTP 200"),
        (head("A: b\r\n".repeat(1000)), "HTTP 200"),
        (head(format!("Set-Cookie: a={}\r\n", "x".repeat(1000)).repeat(65)), "HTTP 200"),
        (head(format!("A: {}\r\n", "x".repeat(250_000))), "HTTP 200"),
        (hints(30) + &head(String::new()), "HTTP 200"),
        (hints(64) + &head(String::new()), "HTTP 200"),
        (chunked(format!("2;{}\r\nok\r\n0\r\n\r\n", "x".repeat(10_000))), "HTTP 200"),
        (head("A: b\r\n".repeat(1100)), "more than 1024 header fields"),
        (head(format!("A: {}\r\n", "x".repeat(270_000))), "header fields are over 256 KiB"),
        (hints(65) + &head(String::new()), "more than 64 interim responses"),
        (
            chunked(format!("1;{}\r\no\r\n0\r\n\r\n", "x".repeat(300_000))),
            "chunk extensions and trailers are over 256 KiB",
        ),
    ] {
        let (ours, _) = server.ask(response.as_bytes(), &["--check", "body_contains:ok"]);
        assert!(ours.trim_end().ends_with(says), "{ours} instead of {says}");
        assert_eq!(ours.starts_with("up"), says == "HTTP 200", "{ours}");
    }
}
