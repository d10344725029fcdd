//! The https probe, played against a TLS server in memory.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};

use super::*;
use crate::clock::system_time;
use crate::probe::build::TlsTrust;

/// A server that has a certificate of its own for `localhost`.
struct Site {
    config: Arc<ServerConfig>,
    pem: String,
}

/// When the certificates of [`rcgen::generate_simple_self_signed`] expire: with the year 4095.
const END: Duration = Duration::from_secs(67_090_118_400);

fn site() -> Site {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(certified.key_pair.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .expect("a configuration");
    Site { config: Arc::new(config), pem: certified.cert.pem() }
}

impl Site {
    fn probe(&self, check: &str) -> NetProbe {
        build("https://localhost:8443/x", |p| p.check(check).ca_pem(self.pem.as_bytes()))
    }

    fn server(&self) -> ServerConnection {
        ServerConnection::new(self.config.clone()).expect("a server")
    }
}

/// Hands the server what the attempt sent.
fn deliver(script: &mut Script, server: &mut ServerConnection) {
    let sent = script.sent();
    let mut rest = sent.as_slice();
    while !rest.is_empty() {
        server.read_tls(&mut rest).expect("room");
        server.process_new_packets().expect("TLS");
    }
}

/// What the server has to send.
fn ciphertext(server: &mut ServerConnection) -> Vec<u8> {
    let mut out = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut out).expect("memory");
    }
    out
}

/// Shakes hands in pieces of `size`, and gives the request that then arrives.
fn shake_hands(script: &mut Script, server: &mut ServerConnection, size: usize) -> String {
    script.connected();
    loop {
        deliver(script, server);
        let mut request = [0; 4096];
        if let Ok(len @ 1..) = server.reader().read(&mut request) {
            script.receive_all(ciphertext(server).chunks(size));
            return text(request[..len].to_vec());
        }
        let bytes = ciphertext(server);
        assert!(!bytes.is_empty(), "both wait for the other");
        script.receive_all(bytes.chunks(size));
    }
}

#[test]
fn an_https_answer_is_judged_however_its_records_are_cut() {
    let site = site();
    for size in [1, 7, 100_000] {
        for (body, close, ok) in [("..pong", false, true), ("......", true, false)] {
            let mut script = Script::begin(&site.probe("body_contains:pong"));
            assert_eq!(script.connect(), ("localhost".to_owned(), 8443));
            let mut server = site.server();
            let request = shake_hands(&mut script, &mut server, size);
            assert!(request.starts_with("GET /x HTTP/1.1\r\nHost: localhost:8443\r\n"), "{request}");
            let answer = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
            server.writer().write_all(answer.as_bytes()).expect("room");
            if close {
                server.send_close_notify();
            }
            script.receive_all(ciphertext(&mut server).chunks(size));
            let result = script.verdict();
            assert_eq!((result.ok, result.reason), (ok, (!ok).then_some(Reason::Body)), "{result:?}");
            server.read_tls(&mut script.sent().as_slice()).expect("in memory");
            let heard = server.process_new_packets().expect("TLS");
            assert!(heard.peer_has_closed(), "TLS wants a goodbye");
        }
    }
}

#[test]
fn a_close_without_close_notify_is_an_ordinary_end() {
    let site = site();
    for (head, reason) in [("", Some(Reason::Body)), ("Content-Length: 9\r\n", Some(Reason::HttpProtocol))] {
        let mut script = Script::begin(&site.probe("body_contains:pong"));
        let mut server = site.server();
        shake_hands(&mut script, &mut server, 1000);
        server.writer().write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\nping").as_bytes()).expect("room");
        script.receive(&ciphertext(&mut server));
        script.input(Input::Closed);
        assert_eq!(script.verdict().reason, reason);
    }
}

#[test]
fn each_record_is_read_once() {
    let site = site();
    let probe = build("https://localhost/", |p| {
        p.ca_pem(site.pem.as_bytes()).check_response(|response| response.body == b"one two three")
    });
    for size in [10, 100_000] {
        let mut script = Script::begin(&probe);
        let mut server = site.server();
        shake_hands(&mut script, &mut server, size);
        for part in ["HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n", "one ", "two ", "three"] {
            server.writer().write_all(part.as_bytes()).expect("room");
            script.receive_all(ciphertext(&mut server).chunks(size));
        }
        assert!(script.verdict().ok);
    }
}

#[test]
fn a_close_without_an_answer_is_told() {
    let site = site();
    for polite in [true, false] {
        let mut script = Script::begin(&site.probe(""));
        let mut server = site.server();
        shake_hands(&mut script, &mut server, 1000);
        if polite {
            server.send_close_notify();
            script.receive(&ciphertext(&mut server));
        } else {
            script.input(Input::Closed);
        }
        assert_eq!(script.verdict(), down(Reason::HttpProtocol, "closed without an answer"));
    }
}

#[test]
fn the_handshake_is_what_is_waited_for_first() {
    let site = site();
    for (input, reason, detail) in [
        (Input::TimedOut, Reason::TlsProtocol, "timed out after 5 s waiting for the TLS handshake"),
        (reset(), Reason::Reset, "connection reset while waiting for the TLS handshake"),
        (Input::Closed, Reason::TlsProtocol, ""),
    ] {
        let mut script = Script::begin(&site.probe(""));
        script.connected();
        assert!(!script.sent().is_empty(), "the client speaks first");
        script.input(input);
        let result = script.verdict();
        assert_eq!((result.reason, result.latency), (Some(reason), None));
        assert!(detail.is_empty() || result.detail == detail, "{result:?}");
    }
    let mut script = Script::begin(&site.probe(""));
    let mut server = site.server();
    shake_hands(&mut script, &mut server, 1000);
    script.input(Input::TimedOut);
    assert_eq!(script.verdict().detail, "timed out after 5 s waiting for the answer's head");
}

#[test]
fn a_refused_certificate_is_refused_with_an_alert() {
    let site = site();
    for (url, trusted, reason) in [
        ("https://localhost/", false, Some(Reason::TlsUntrusted)),
        ("https://other/", true, Some(Reason::TlsName)),
    ] {
        let pem = if trusted { site.pem.as_bytes() } else { b"" };
        let mut script = Script::begin(&build(url, |p| p.ca_pem(pem)));
        let mut server = site.server();
        script.connected();
        deliver(&mut script, &mut server);
        script.receive(&ciphertext(&mut server));
        assert_eq!(script.verdict().reason, reason, "{:?}", script.verdict());
        assert!(!script.sent().is_empty(), "no alert was sent");

        let mut script = Script::begin(&build(url, |p| p.verify_tls(false)));
        let mut server = site.server();
        shake_hands(&mut script, &mut server, 1000);
        server.writer().write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("room");
        script.receive(&ciphertext(&mut server));
        assert!(script.verdict().ok);
    }
}

#[test]
fn a_peer_that_speaks_no_tls_is_told_of() {
    let mut script = asked(&site().probe(""));
    script.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert_eq!(script.verdict().reason, Some(Reason::TlsProtocol));
}

#[test]
fn a_redirect_from_http_to_https_is_trusted_alike() {
    let site = site();
    let trust = TlsTrust::new(true, site.pem.as_bytes()).expect("a certificate");
    let probe = build("http://localhost/", |p| p.trust(&trust).header("Authorization", "s3cret"));
    let mut script = asked(&probe);
    assert!(text(script.sent()).contains("s3cret"));
    script.receive(b"HTTP/1.1 301 X\r\nLocation: https://localhost/\r\n\r\n");
    assert_eq!(script.connect(), ("localhost".to_owned(), 443));
    let mut server = site.server();
    let request = shake_hands(&mut script, &mut server, 1000);
    assert!(!request.contains("s3cret"), "https is another origin");
    server.writer().write_all(b"HTTP/1.1 302 X\r\nLocation: http://localhost/y\r\n\r\n").expect("room");
    script.receive(&ciphertext(&mut server));
    assert_eq!(script.connect(), ("localhost".to_owned(), 80));
    server.read_tls(&mut script.sent().as_slice()).expect("in memory");
    let heard = server.process_new_packets().expect("TLS");
    assert!(heard.peer_has_closed(), "TLS wants a goodbye");
    script.connected();
    assert!(text(script.sent()).starts_with("GET /y HTTP/1.1\r\n"));
    script.receive(b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(script.verdict(), up("HTTP 200"));
}

#[test]
fn a_host_that_no_certificate_can_be_for_is_told_at_once() {
    let mut script = asked(&build("https://-a.example/", |p| p));
    assert!(script.sent().is_empty());
    let told = "TLS: no certificate can be for \"-a.example\", which is not a host name";
    assert_eq!(script.verdict(), down(Reason::TlsName, told));
}

#[test]
fn a_refused_certificate_has_an_end_and_its_handshake_took_time() {
    let site = site();
    for (url, pem) in [("https://localhost/", ""), ("https://other/", &*site.pem)] {
        let mut script = asked(&build(url, |p| p.ca_pem(pem.as_bytes())));
        let mut server = site.server();
        deliver(&mut script, &mut server);
        script.receive(&ciphertext(&mut server));
        let result = script.measured();
        assert_eq!(
            (result.ok, result.tls_not_after, result.http_status),
            (false, Some(system_time(END)), None)
        );
        assert_eq!((result.phases.tls, result.phases.first_byte), (Some(MS * 4), None));
    }
}

#[test]
fn the_handshake_comes_before_the_first_byte() {
    let site = site();
    for verify in [true, false] {
        let probe = build("https://localhost/", |p| p.ca_pem(site.pem.as_bytes()).verify_tls(verify));
        let mut script = Script::begin(&probe);
        let mut server = site.server();
        shake_hands(&mut script, &mut server, 1000);
        script.wait(MS * 7);
        server.writer().write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("room");
        script.receive(&ciphertext(&mut server));
        let result = script.measured();
        assert_eq!(
            (result.ok, result.tls_not_after, result.http_status),
            (true, Some(system_time(END)), Some(200))
        );
        let ms = |ms| Some(MS * ms);
        assert_eq!(result.phases.each().map(|(_, span)| span), [None, None, ms(0), ms(7), ms(0)]);
    }
    let mut script = asked(&site.probe(""));
    script.input(Input::TimedOut);
    let result = script.measured();
    assert_eq!((result.phases.tls, result.phases.first_byte), (Some(MS * 4), None));
    assert_eq!(result.tls_not_after, None);
}
