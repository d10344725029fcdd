//! The https probe, played against a TLS server in memory.

use std::io::{Read, Write};

use rustls::ServerConnection;

use super::streamed::Push;
use super::*;
use crate::clock::system_time;
use crate::probe::build::{PeriodicRequest, TlsTrust};
use crate::probe::tls_server::{END, Site, ciphertext, deliver, site, site_with};
use crate::result::ProbeWarning;

fn probe(site: &Site, check: &str) -> NetProbe {
    build("https://localhost:8443/x", |p| p.check(check).ca_pem(site.pem.as_bytes()))
}

/// Completes the handshake in segments of `size` bytes; returns the request.
fn handshake(harness: &mut Harness, server: &mut ServerConnection, size: usize) -> String {
    harness.connected();
    loop {
        deliver(harness, server);
        let mut request = [0; 4096];
        if let Ok(len @ 1..) = server.reader().read(&mut request) {
            harness.receive_all(ciphertext(server).chunks(size));
            return text(request[..len].to_vec());
        }
        let bytes = ciphertext(server);
        assert!(!bytes.is_empty(), "client and server wait for each other");
        harness.receive_all(bytes.chunks(size));
    }
}

#[test]
fn an_https_response_is_evaluated_in_every_segmentation() {
    let site = site();
    for size in [1, 7, 100_000] {
        for (body, close, ok) in [("..pong", false, true), ("......", true, false)] {
            let mut harness = Harness::begin(&probe(&site, "body_contains:pong"));
            assert_eq!(harness.connect(), ("localhost".to_owned(), 8443));
            let mut server = site.server();
            let request = handshake(&mut harness, &mut server, size);
            assert!(request.starts_with("GET /x HTTP/1.1\r\nHost: localhost:8443\r\n"), "{request}");
            let response = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
            server.writer().write_all(response.as_bytes()).expect("room");
            if close {
                server.send_close_notify();
            }
            harness.receive_all(ciphertext(&mut server).chunks(size));
            let result = harness.result();
            assert_eq!((result.ok, result.reason), (ok, (!ok).then_some(Reason::Body)), "{result:?}");
            server.read_tls(&mut harness.sent().as_slice()).expect("in memory");
            let state = server.process_new_packets().expect("TLS");
            assert!(state.peer_has_closed(), "no close_notify alert");
        }
    }
}

#[test]
fn close_notify_is_optional() {
    let site = site();
    for (head, reason) in [("", Some(Reason::Body)), ("Content-Length: 9\r\n", Some(Reason::HttpProtocol))] {
        let mut harness = Harness::begin(&probe(&site, "body_contains:pong"));
        let mut server = site.server();
        handshake(&mut harness, &mut server, 1000);
        server.writer().write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\nping").as_bytes()).expect("room");
        harness.receive(&ciphertext(&mut server));
        harness.input(Input::Closed);
        assert_eq!(harness.result().reason, reason);
    }
}

#[test]
fn each_record_is_read_once() {
    let site = site();
    let probe = build("https://localhost/", |p| {
        p.ca_pem(site.pem.as_bytes()).check_response(|response| response.body == b"one two three")
    });
    for size in [10, 100_000] {
        let mut harness = Harness::begin(&probe);
        let mut server = site.server();
        handshake(&mut harness, &mut server, size);
        for part in ["HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n", "one ", "two ", "three"] {
            server.writer().write_all(part.as_bytes()).expect("room");
            harness.receive_all(ciphertext(&mut server).chunks(size));
        }
        assert!(harness.result().ok);
    }
}

#[test]
fn a_close_without_a_response_is_reported() {
    let site = site();
    for has_close_notify in [true, false] {
        let mut harness = Harness::begin(&probe(&site, ""));
        let mut server = site.server();
        handshake(&mut harness, &mut server, 1000);
        if has_close_notify {
            server.send_close_notify();
            harness.receive(&ciphertext(&mut server));
        } else {
            harness.input(Input::Closed);
        }
        assert_eq!(harness.result(), down(Reason::HttpProtocol, "connection closed without a response"));
    }
}

#[test]
fn a_failure_names_the_handshake() {
    let site = site();
    for (input, reason, detail) in [
        (Input::TimedOut, Reason::TlsProtocol, "timed out after 5 s waiting for the TLS handshake"),
        (reset(), Reason::Reset, "connection reset while waiting for the TLS handshake"),
        (Input::Closed, Reason::TlsProtocol, ""),
    ] {
        let mut harness = Harness::begin(&probe(&site, ""));
        harness.connected();
        assert!(!harness.sent().is_empty(), "the client speaks first");
        harness.input(input);
        let result = harness.result();
        assert_eq!((result.reason, result.latency), (Some(reason), None));
        assert!(detail.is_empty() || result.detail == detail, "{result:?}");
    }
    let mut harness = Harness::begin(&probe(&site, ""));
    let mut server = site.server();
    handshake(&mut harness, &mut server, 1000);
    harness.input(Input::TimedOut);
    assert_eq!(harness.result().detail, "timed out after 5 s waiting for the response");
}

#[test]
fn a_certificate_is_rejected_with_an_alert() {
    let site = site();
    for (url, trusted, reason) in [
        ("https://localhost/", false, Some(Reason::TlsUntrusted)),
        ("https://other/", true, Some(Reason::TlsName)),
    ] {
        let pem = if trusted { site.pem.as_bytes() } else { b"" };
        let mut harness = Harness::begin(&build(url, |p| p.ca_pem(pem)));
        let mut server = site.server();
        harness.connected();
        deliver(&mut harness, &mut server);
        harness.receive(&ciphertext(&mut server));
        assert_eq!(harness.result().reason, reason, "{:?}", harness.result());
        assert!(!harness.sent().is_empty(), "no alert was sent");

        let mut harness = Harness::begin(&build(url, |p| p.verify_tls(false)));
        let mut server = site.server();
        handshake(&mut harness, &mut server, 1000);
        server.writer().write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("room");
        harness.receive(&ciphertext(&mut server));
        assert!(harness.result().ok);
    }
}

#[test]
fn a_peer_without_tls_is_reported() {
    let mut harness = requested(&probe(&site(), ""));
    harness.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert_eq!(harness.result().reason, Some(Reason::TlsProtocol));
}

#[test]
fn a_redirect_from_http_to_https_uses_the_same_trust() {
    let site = site();
    let trust = TlsTrust::new(true, site.pem.as_bytes()).expect("a certificate");
    let probe = build("http://localhost/", |p| p.trust(&trust).header("Authorization", "s3cret"));
    let mut harness = requested(&probe);
    assert!(text(harness.sent()).contains("s3cret"));
    harness.receive(b"HTTP/1.1 301 X\r\nLocation: https://localhost/\r\n\r\n");
    assert_eq!(harness.connect(), ("localhost".to_owned(), 443));
    let mut server = site.server();
    let request = handshake(&mut harness, &mut server, 1000);
    assert!(!request.contains("s3cret"), "https is another origin");
    server.writer().write_all(b"HTTP/1.1 302 X\r\nLocation: http://localhost/y\r\n\r\n").expect("room");
    harness.receive(&ciphertext(&mut server));
    assert_eq!(harness.connect(), ("localhost".to_owned(), 80));
    server.read_tls(&mut harness.sent().as_slice()).expect("in memory");
    let state = server.process_new_packets().expect("TLS");
    assert!(state.peer_has_closed(), "no close_notify alert");
    harness.connected();
    assert!(text(harness.sent()).starts_with("GET /y HTTP/1.1\r\n"));
    harness.receive(b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(harness.result(), up("HTTP 200"));
}

#[test]
fn a_host_without_a_valid_server_name_fails_at_once() {
    let mut harness = requested(&build("https://-a.example/", |p| p));
    assert!(harness.sent().is_empty());
    let detail = "TLS: no certificate can be for \"-a.example\", which is not a host name";
    assert_eq!(harness.result(), down(Reason::TlsName, detail));
}

#[test]
fn a_rejected_certificate_has_an_expiry_and_a_handshake_time() {
    let site = site();
    for (url, pem) in [("https://localhost/", ""), ("https://other/", &*site.pem)] {
        let mut harness = requested(&build(url, |p| p.ca_pem(pem.as_bytes())));
        let mut server = site.server();
        deliver(&mut harness, &mut server);
        harness.receive(&ciphertext(&mut server));
        let result = harness.full_result();
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
        let mut harness = Harness::begin(&probe);
        let mut server = site.server();
        handshake(&mut harness, &mut server, 1000);
        harness.wait(MS * 7);
        server.writer().write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("room");
        harness.receive(&ciphertext(&mut server));
        let result = harness.full_result();
        assert_eq!(
            (result.ok, result.tls_not_after, result.http_status),
            (true, Some(system_time(END)), Some(200))
        );
        let ms = |ms| Some(MS * ms);
        assert_eq!(result.phases.each().map(|(_, span)| span), [None, None, ms(0), ms(7), ms(0)]);
    }
    let mut harness = requested(&probe(&site, ""));
    harness.input(Input::TimedOut);
    let result = harness.full_result();
    assert_eq!((result.phases.tls, result.phases.first_byte), (Some(MS * 4), None));
    assert_eq!(result.tls_not_after, None);
}

#[test]
fn the_certificate_of_a_redirect_that_expires_soon_is_a_warning() {
    let sites = [2027, 2030].map(|year| {
        site_with(|params| {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
        })
    });
    for (first, limit, warns) in [(0, 800, true), (1, 800, true), (0, 10, false), (1, 2000, true)] {
        let probe = build("https://localhost/", |p| p.verify_tls(false).cert_days(limit));
        let mut harness = Harness::begin(&probe);
        for (site, response) in
            [(first, "HTTP/1.1 302 X\r\nLocation: /x\r\n\r\n"), (1 - first, "HTTP/1.1 200 OK\r\n\r\n")]
        {
            let mut server = sites[site].server();
            handshake(&mut harness, &mut server, 1000);
            server.writer().write_all(response.as_bytes()).expect("room");
            harness.receive(&ciphertext(&mut server));
        }
        let result = harness.result();
        assert_eq!(
            (result.ok, result.warnings.contains(ProbeWarning::CertSoon)),
            (true, warns),
            "{result:?}"
        );
        // That of the first to expire.
        let days = result.detail.strip_prefix("HTTP 200, certificate expires in ").map(|text| text.len());
        assert_eq!(days, warns.then_some("400 days".len()), "{result:?}");
    }
}

#[test]
fn another_address_is_for_the_target_and_not_for_redirects_to_other_hosts() {
    let site = site();
    let probe = build("https://localhost:8443/", |p| p.verify_tls(false).connect_to("[2001:db8::1]:9"));
    let mut harness = Harness::begin(&probe);
    for (host, port, location) in [
        ("2001:db8::1", 9, "/x"),
        ("2001:db8::1", 9, "https://other/"),
        ("other", 443, "https://localhost:8443/y"),
    ] {
        assert_eq!(harness.connect(), (host.to_owned(), port));
        let mut server = site.server();
        let request = handshake(&mut harness, &mut server, 1000);
        assert!(request.contains(if host == "other" {
            "Host: other\r\n"
        } else {
            "Host: localhost:8443\r\n"
        }));
        let response = format!("HTTP/1.1 302 X\r\nLocation: {location}\r\n\r\n");
        server.writer().write_all(response.as_bytes()).expect("room");
        harness.receive(&ciphertext(&mut server));
    }
    assert_eq!(harness.connect(), ("2001:db8::1".to_owned(), 9));
}

#[test]
fn a_body_is_requested_in_pieces_after_the_handshake() {
    let site = site();
    let trust = TlsTrust::new(true, site.pem.as_bytes()).expect("a certificate");
    let request = PeriodicRequest::new("https://localhost:8443/x", Some(&trust)).expect("a URL");
    let mut harness = Harness::begin(&Push(request));
    let mut server = site.server();
    let head = handshake(&mut harness, &mut server, 1000);
    assert!(head.starts_with("POST /x ") && head.ends_with("\r\n\r\n"), "{head}");
    assert_eq!(harness.content_requests, 1);
    let piece = vec![b'x'; 100_000];
    harness.input(Input::Content(&piece));
    harness.input(Input::Content(b""));
    assert_eq!(harness.content_requests, 2);
    let (mut received, sent) = (Vec::new(), harness.sent());
    let mut rest = sent.as_slice();
    while !rest.is_empty() {
        server.read_tls(&mut rest).expect("in memory");
        server.process_new_packets().expect("TLS");
        let _ = server.reader().read_to_end(&mut received);
    }
    assert_eq!(received, [&b"186a0\r\n"[..], &piece, b"\r\n0\r\n\r\n"].concat());
}
