//! Requests of tools, load balancers, scripts and scanners to the API, as bytes and with the installed curl.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;

use crate::common::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const HOST: &str = "Host: localhost\r\n";

fn up() -> (Server, Daemon) {
    let server = Server::answering(OK);
    let daemon = Daemon::start(&["--name", "web", &server.url("http")]);
    daemon.wait_for_state("up");
    (server, daemon)
}

/// The complete response to these bytes, after which the client shuts down its write side.
fn half_closed(daemon: &Daemon, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(daemon.api).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(request).expect("sent");
    stream.shutdown(Shutdown::Write).expect("shut down");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn requests_in_every_form_that_clients_use_are_answered() {
    let (_server, daemon) = up();
    let up = "up\n";
    for (request, status, end) in [
        // Health checks of load balancers and orchestrators.
        ("GET /healthz HTTP/1.0\r\n\r\n".to_owned(), 200, "ok\n"),
        ("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\nHost: 127.0.0.1\r\n\r\n".to_owned(), 200, "ok\n"),
        ("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:8787\r\nUser-Agent: kube-probe/1.29\r\nAccept: */*\r\nConnection: close\r\n\r\n".to_owned(), 200, "ok\n"),
        ("OPTIONS / HTTP/1.0\r\n\r\n".to_owned(), 200, "\r\n\r\n"),
        (format!("OPTIONS * HTTP/1.1\r\n{HOST}\r\n"), 200, "\r\n\r\n"),
        ("HEAD /healthz HTTP/1.0\r\n\r\n".to_owned(), 200, "\r\n\r\n"),
        // Versions.
        (format!("GET /state HTTP/1.9\r\n{HOST}\r\n"), 200, up),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505, "\n"),
        ("GET /state\r\n".to_owned(), 400, "\n"),
        // Absolute form; its host takes precedence (RFC 9112 section 3.2.2).
        ("GET http://localhost/state HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), 200, up),
        ("GET HTTPS://[::1]:443/state?x HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 200, up),
        ("GET http://evil.example/state HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 421, "\n"),
        // Hosts.
        ("GET /state HTTP/1.1\r\n\r\n".to_owned(), 400, "\n"),
        ("GET /state HTTP/1.1\r\nHost:\r\n\r\n".to_owned(), 421, "\n"),
        // Upgrades that are ignored.
        (format!("GET /state HTTP/1.1\r\n{HOST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n"), 200, up),
        // Paths.
        (format!("GET //state HTTP/1.1\r\n{HOST}\r\n"), 200, up),
        (format!("GET /%73tate?a=b#c HTTP/1.1\r\n{HOST}\r\n"), 200, up),
        (format!("GET /./targets/web/state HTTP/1.1\r\n{HOST}\r\n"), 200, up),
        (format!("GET /state/ HTTP/1.1\r\n{HOST}\r\n"), 404, "not found\n"),
        // Ignored fields.
        (format!("GET /state HTTP/1.1\r\n{HOST}If-None-Match: *\r\nRange: bytes=0-0\r\nAccept-Encoding: br\r\nAccept: text/html\r\n\r\n"), 200, up),
        (format!("GET /state HTTP/1.1\r\n{HOST}Cookie: {}\r\n\r\n", "x".repeat(8 * 1024)), 200, up),
        (format!("GET /state HTTP/1.1\r\n{HOST}{}\r\n", format!("Cookie: {}\r\n", "x".repeat(7_000)).repeat(4)), 200, up),
        (format!("GET /state HTTP/1.1\r\n{HOST}{}\r\n", "X-A: b\r\n".repeat(250)), 200, up),
        (format!("GET /state HTTP/1.1\r\n{HOST}{}\r\n", "X-A: b\r\n".repeat(300)), 431, "\n"),
        // Line ends.
        ("GET /state HTTP/1.1\nHost: localhost\n\n".to_owned(), 200, up),
        (format!("\r\nGET /state HTTP/1.1\r\n{HOST}\r\n"), 200, up),
    ] {
        let answer = half_closed(&daemon, request.as_bytes());
        let line = request.lines().next().unwrap_or_default();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {answer}");
        assert!(answer.ends_with(end), "{line}: {answer}");
    }
}

#[test]
fn another_method_is_refused_by_its_path_with_or_without_a_body() {
    let (_server, daemon) = up();
    for path in
        ["/", "/status", "/state", "/healthz", "/metrics", "/probe", "/events", "/wait", "/targets/web"]
    {
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "FOO"] {
            for (fields, body) in [
                ("", ""),
                ("Content-Length: 3\r\n", "x=1"),
                ("Content-Length: 3\r\nExpect: 100-continue\r\n", ""),
                ("Content-Length: 1000000\r\n", "x=1"),
                ("Transfer-Encoding: chunked\r\n", "3\r\nx=1\r\n0\r\n\r\n"),
            ] {
                let request = format!("{method} {path} HTTP/1.1\r\n{HOST}{fields}\r\n{body}");
                let answer = half_closed(&daemon, request.as_bytes());
                assert!(answer.starts_with("HTTP/1.1 405 "), "{request}: {answer}");
                assert!(answer.contains("\r\nAllow: GET, HEAD\r\n"), "{request}: {answer}");
                assert_eq!(answer.contains("\r\nConnection: close\r\n"), !fields.is_empty(), "{answer}");
            }
        }
    }
    let unknown = half_closed(
        &daemon,
        format!("POST /nothing HTTP/1.1\r\n{HOST}Content-Length: 1\r\n\r\nx").as_bytes(),
    );
    assert!(unknown.starts_with("HTTP/1.1 404 "), "{unknown}");
}

/// A body is not misread as the next request, and a GET with a body is answered.
#[test]
fn request_bodies_are_skipped() {
    let (_server, daemon) = up();
    let next = format!("GET /healthz HTTP/1.1\r\n{HOST}\r\n");
    for fields in [format!("Content-Length: {}\r\n", next.len()), "Transfer-Encoding: chunked\r\n".to_owned()]
    {
        let request = format!("GET /state HTTP/1.1\r\n{HOST}{fields}\r\n{next}");
        let answer = half_closed(&daemon, request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nup\n"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    }
}

/// Closing with unread bytes would send a reset, which can destroy the response in transit.
#[test]
fn the_answer_to_a_large_body_arrives() {
    let (_server, daemon) = up();
    let body = vec![b'x'; 8 * 1024 * 1024];
    for _ in 0..5 {
        let mut stream = TcpStream::connect(daemon.api).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let head = format!("POST /state HTTP/1.1\r\n{HOST}Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(&body).expect("all of it is taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer and an end in order");
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    }
}

#[test]
fn other_protocols_are_refused_at_once() {
    let (_server, daemon) = up();
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
        b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET /state HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"EHLO example.com\r\n",
    ] {
        // Later the answer would be 408.
        let answer = String::from_utf8(talk(daemon.api, bytes)).expect("text");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[test]
fn split_and_pipelined_requests_are_answered() {
    let (_server, daemon) = up();
    let mut stream = TcpStream::connect(daemon.api).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_nodelay(true).expect("set");
    let close = format!("GET /healthz HTTP/1.0\r\n{HOST}\r\n");
    for byte in format!("GET /state HTTP/1.1\r\n{HOST}\r\n").bytes() {
        stream.write_all(&[byte]).expect("sent");
    }
    stream.write_all(format!("HEAD /state HTTP/1.1\r\n{HOST}\r\n{close}").as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
    assert!(answer.contains("\r\n\r\nup\nHTTP/1.1") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
}

#[test]
fn curl_flags_work() {
    if !has("curl", &["--version"]) {
        return;
    }
    let (_server, daemon) = up();
    let upload = std::env::temp_dir().join(format!("pingstate-upload-{}", daemon.api.port()));
    std::fs::write(&upload, vec![b'x'; 3_000_000]).expect("written");
    let upload_text = upload.display().to_string();
    let data = format!("@{upload_text}");
    for (args, path, expected) in [
        (&[][..], "/state", "up\n200"),
        (&["-d", "x=1"], "/state", "method not allowed\n405"),
        (&["-d", "x=1", "-H", "Expect: 100-continue"], "/state", "method not allowed\n405"),
        (&["-d", &data], "/state", "method not allowed\n405"),
        (&["-T", &upload_text], "/state", "method not allowed\n405"),
        (&["-d", "x=1", "-H", "Transfer-Encoding: chunked"], "/state", "method not allowed\n405"),
        (&["-X", "GET", "-d", "x=1"], "/state", "up\n200"),
        (&["--http1.0"], "/state", "up\n200"),
        (&["--http2"], "/state", "up\n200"),
        (&["--path-as-is"], "//./%73tate", "up\n200"),
        (&["--compressed", "-r", "0-0", "-z", "2020-01-01"], "/state", "up\n200"),
        (&["-X", "OPTIONS"], "/state", "200"),
        (&["-I", "-o", "/dev/null"], "/state", "200"),
    ] {
        let url = format!("http://{}{path}", daemon.api);
        let output = Command::new("curl")
            .args(["-q", "-s", "-m", "10", "--noproxy", "*", "-w", "%{http_code}"])
            .args(args)
            .arg(&url)
            .output()
            .expect("curl runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!((output.status.code(), &*text), (Some(0), expected), "{args:?}");
    }
    let _ = std::fs::remove_file(upload);
}
