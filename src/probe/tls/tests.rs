//! tls probes, played against a TLS server in memory.

use std::io::{Read, Write};
use std::time::Duration;

use rustls::ServerConnection;

use super::*;
use crate::check::Banner;
use crate::probe::Probe;
use crate::probe::build::NetProbe;
use crate::probe::harness::{Harness, segmentations};
use crate::probe::tls_server::{END, Site, ciphertext, deliver, demanding_site, site, site_with};
use crate::result::{ProbeWarning, ProbeWarnings};

const MS: Duration = Duration::from_millis(1);

fn build(url: &str, configure: impl FnOnce(ProbeBuilder) -> ProbeBuilder) -> NetProbe {
    configure(ProbeBuilder::from_url(url)).build().expect("a probe")
}

fn probe(site: &Site, check: &str) -> NetProbe {
    build("tls://localhost:993", |probe| probe.check(check).ca_pem(site.pem.as_bytes()))
}

/// An attempt that connected after 3 ms, 4 ms ago.
fn connected(probe: &NetProbe) -> Harness {
    let mut harness = Harness::begin(probe);
    harness.connect();
    harness.wait(MS * 3);
    harness.connected();
    harness.wait(MS * 4);
    harness
}

/// Carries bytes both ways, those of the server in pieces of `size` bytes, until neither side has any more.
fn converse(harness: &mut Harness, server: &mut ServerConnection, size: usize) {
    loop {
        deliver(harness, server);
        let bytes = ciphertext(server);
        if bytes.is_empty() || harness.is_done() {
            return;
        }
        harness.receive_all(bytes.chunks(size));
    }
}

/// An attempt after the handshake, which took 4 ms.
fn listening(probe: &NetProbe, site: &Site) -> (Harness, ServerConnection) {
    let (mut harness, mut server) = (connected(probe), site.server());
    converse(&mut harness, &mut server, 1000);
    assert!(!server.is_handshaking());
    (harness, server)
}

fn down(reason: Reason, detail: &str) -> ProbeResult {
    ProbeResult::down(reason, detail)
}

#[test]
fn the_default_port_is_443() {
    let probe = build("tls://Mail.example", |probe| probe);
    assert_eq!((probe.name(), probe.url()), ("mail.example:443", "tls://mail.example:443"));
    assert_eq!(Harness::begin(&probe).connect(), ("mail.example".to_owned(), 443));
    let error = ProbeBuilder::from_url("tls://h").check("status:200").build().expect_err("of http");
    assert_eq!(error.to_string(), "check: status belongs to http, not tls");
}

#[test]
fn a_handshake_is_enough_by_default() {
    let site = site();
    for size in [1, 7, 100_000] {
        for check in ["", "port_open", "banner_contains:"] {
            let (mut harness, mut server) = (connected(&probe(&site, check)), site.server());
            converse(&mut harness, &mut server, size);
            let result = harness.full_result();
            let up = ProbeResult::up(MS * 7, "TLS handshake ok");
            assert_eq!(harness.result(), up);
            assert_eq!(result.tls_not_after, Some(system_time(END)));
            assert_eq!(result.phases.each().map(|(_, span)| span), [None, None, Some(MS * 4), None, None]);
            assert!(server.process_new_packets().expect("TLS").peer_has_closed(), "no close_notify alert");
        }
    }
}

#[test]
fn a_banner_is_found_in_every_segmentation() {
    let site = site();
    for (check, detail) in [("banner_contains:OK", Some("banner: '* OK'")), ("banner_contains:NO", None)] {
        for pieces in segmentations(b"* OK ready\r\n") {
            for size in [1, 9, 100_000] {
                let (mut harness, mut server) = listening(&probe(&site, check), &site);
                harness.wait(MS * 10);
                for piece in &pieces {
                    server.writer().write_all(piece).expect("room");
                }
                server.send_close_notify();
                harness.receive_all(ciphertext(&mut server).chunks(size));
                let expected = match detail {
                    Some(detail) => ProbeResult::up(MS * 7, detail),
                    None => down(Reason::Banner, "banner: '* OK ready\\r\\n'").with_latency(MS * 7),
                };
                assert_eq!(harness.result(), expected);
                assert_eq!(harness.full_result().phases.tls, Some(MS * 4));
            }
        }
    }
}

#[test]
fn a_banner_in_the_segment_that_completes_the_handshake_is_evaluated() {
    let site = site();
    let probe = build("tls://localhost:993", |probe| {
        probe.ca_pem(site.pem.as_bytes()).check_banner(|received| match received {
            b"* OK" => Banner::Yes,
            _ => Banner::More,
        })
    });
    let (mut harness, mut server) = (connected(&probe), site.server());
    // TLS 1.3 lets a server send data before the client has completed the handshake.
    deliver(&mut harness, &mut server);
    server.writer().write_all(b"* OK").expect("room");
    converse(&mut harness, &mut server, usize::MAX);
    assert_eq!(harness.result(), ProbeResult::up(MS * 7, "connect ok"));
}

#[test]
fn text_is_sent_after_the_handshake() {
    let site = site();
    for check in ["port_open", "banner_contains:PONG"] {
        let builder = ProbeBuilder::from_url("tls://localhost").check(check).send(b"PING\r\n");
        let probe = builder.ca_pem(site.pem.as_bytes()).build().expect("a probe");
        let (mut harness, mut server) = listening(&probe, &site);
        let mut received = [0; 100];
        let len = server.reader().read(&mut received).expect("bytes");
        assert_eq!(&received[..len], b"PING\r\n");
        assert_eq!(harness.is_done(), check == "port_open");
        if !harness.is_done() {
            server.writer().write_all(b"+PONG\r\n").expect("room");
            harness.receive(&ciphertext(&mut server));
        }
        assert!(harness.result().ok);
    }
}

#[test]
fn an_end_without_the_text_is_a_failure() {
    let site = site();
    let reset = || Input::Failed(Failure::new(Reason::Reset, "connection reset"));
    let late = "timed out after 5 s waiting for the banner";
    for (received, ending, reason, detail) in [
        ("", Input::Closed, Reason::Banner, "closed without a banner"),
        ("hi", Input::Closed, Reason::Banner, "banner: 'hi'"),
        ("", Input::TimedOut, Reason::Banner, late),
        ("hi", Input::TimedOut, Reason::Banner, &format!("{late}; banner: 'hi'")),
        ("", reset(), Reason::Reset, "connection reset while waiting for the banner"),
    ] {
        let (mut harness, mut server) = listening(&probe(&site, "banner_contains:OK"), &site);
        server.writer().write_all(received.as_bytes()).expect("room");
        harness.receive_all(ciphertext(&mut server).chunks(10));
        harness.input(ending);
        assert_eq!(harness.result(), down(reason, detail).with_latency(MS * 7));
    }
    for size in [1, 100_000] {
        let (mut harness, mut server) = listening(&probe(&site, "banner_contains:OK"), &site);
        server.writer().write_all(b"hi").expect("room");
        let bytes = [ciphertext(&mut server), b"\x17\x03\x03\x00\x20".to_vec(), vec![0; 32]].concat();
        harness.receive_all(bytes.chunks(size));
        let result = harness.result();
        assert_eq!((result.reason, result.latency), (Some(Reason::TlsProtocol), Some(MS * 7)));
        assert!(result.detail.ends_with(" while waiting for the banner; banner: 'hi'"), "{result:?}");
    }
}

#[test]
fn a_failure_names_the_handshake() {
    let site = site();
    for (input, reason, detail) in [
        (Input::TimedOut, Reason::TlsProtocol, "timed out after 5 s waiting for the TLS handshake"),
        (
            Input::Failed(Failure::new(Reason::Reset, "connection reset")),
            Reason::Reset,
            "connection reset while waiting for the TLS handshake",
        ),
        (
            Input::Closed,
            Reason::TlsProtocol,
            "TLS: peer closed the connection instead of answering the handshake (does it speak TLS?)",
        ),
    ] {
        let mut harness = connected(&probe(&site, ""));
        assert!(!harness.sent().is_empty(), "the client speaks first");
        harness.input(input);
        assert_eq!(harness.result(), down(reason, detail));
        let result = harness.full_result();
        assert_eq!((result.phases.tls, result.tls_not_after), (Some(MS * 4), None));
    }
    let mut harness = connected(&probe(&site, ""));
    harness.receive(b"220 mail.example ESMTP\r\n");
    assert!(harness.result().detail.contains("does not speak TLS on this port"));
    let mut harness = Harness::begin(&probe(&site, ""));
    harness.failed(Failure::new(Reason::Refused, "connection refused"));
    assert_eq!(harness.result(), down(Reason::Refused, "connection refused"));
    let mut harness = Harness::begin(&probe(&site, ""));
    harness.input(Input::TimedOut);
    let detail = "timed out after 5 s waiting for the connection";
    assert_eq!(harness.result(), down(Reason::ConnectTimeout, detail));
}

#[test]
fn a_certificate_is_rejected_with_an_alert_unless_verification_is_off() {
    let site = site();
    for (url, pem, reason) in
        [("tls://localhost:993", "", Reason::TlsUntrusted), ("tls://other:993", &*site.pem, Reason::TlsName)]
    {
        let (mut harness, mut server) =
            (connected(&build(url, |probe| probe.ca_pem(pem.as_bytes()))), site.server());
        deliver(&mut harness, &mut server);
        harness.receive(&ciphertext(&mut server));
        let result = harness.full_result();
        assert_eq!((result.reason, result.tls_not_after), (Some(reason), Some(system_time(END))));
        assert_eq!((result.phases.tls, result.latency), (Some(MS * 4), None));
        assert!(!harness.sent().is_empty(), "no alert was sent");

        let unverified = build(url, |probe| probe.verify_tls(false));
        let (mut harness, mut server) = (connected(&unverified), site.server());
        converse(&mut harness, &mut server, 1000);
        assert!(harness.result().ok);
    }
    let mut harness = Harness::begin(&build("tls://-a.example", |probe| probe));
    harness.connected();
    assert_eq!(harness.result().reason, Some(Reason::TlsName));
}

#[test]
fn a_certificate_that_expires_soon_is_a_warning() {
    // test_now() is in January 2025.
    let site = site_with(|params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    });
    let trusting = |url| ProbeBuilder::from_url(url).ca_pem(site.pem.as_bytes());
    let url = "tls://localhost";
    for (builder, warns) in [
        (trusting(url), false),
        (trusting(url).cert_days(1000), false),
        (trusting(url).cert_days(2000), true),
        (trusting(url).cert_percent(20), false),
        (trusting(url).cert_percent(50), true),
    ] {
        let (mut harness, mut server) = (connected(&builder.build().expect("a probe")), site.server());
        converse(&mut harness, &mut server, 1000);
        let result = harness.result();
        assert_eq!((result.ok, result.warnings.contains(ProbeWarning::CertSoon)), (true, warns));
        let (_, days) = result.detail.split_once(", certificate expires in ").unwrap_or_default();
        assert_eq!(days, if warns { "1796 days" } else { "" }, "{result:?}");
    }
    let mut harness = connected(&trusting("tls://other").cert_days(2000).build().expect("a probe"));
    let mut server = site.server();
    deliver(&mut harness, &mut server);
    harness.receive(&ciphertext(&mut server));
    let result = harness.result();
    assert_eq!((result.reason, result.warnings), (Some(Reason::TlsName), ProbeWarnings::default()));
    assert!(!result.detail.contains("expires"), "{result:?}");
    assert!(ProbeBuilder::from_url(url).cert_days(0).build().is_err());
    assert!(ProbeBuilder::from_url("http://h").cert_days(9).build().is_err());
}

/// An attempt with a client certificate after a TLS 1.3 handshake.
fn certified(check: &str) -> (Harness, ServerConnection) {
    let (site, cert, key) = demanding_site(&[&rustls::version::TLS13]);
    let trusting = ProbeBuilder::from_url("tls://localhost").ca_pem(site.pem.as_bytes()).check(check);
    let probe = trusting.client_cert(cert.as_bytes(), key.as_bytes()).build().expect("a probe");
    listening(&probe, &site)
}

#[test]
fn a_verdict_on_the_client_certificate_is_awaited_in_tls_1_3() {
    let up = ProbeResult::up(MS * 7, "TLS handshake ok");
    let (mut harness, _) = certified("");
    harness.expire_timer();
    assert_eq!(harness.result(), up);
    let (mut harness, mut server) = certified("");
    server.writer().write_all(b"* OK").expect("room");
    harness.receive(&ciphertext(&mut server));
    assert_eq!(harness.result(), up, "it has accepted the certificate");
    for input in [Input::Closed, Input::TimedOut] {
        let (mut harness, _) = certified("");
        harness.input(input);
        assert_eq!(harness.result(), up);
    }
    let (mut harness, _) = certified("");
    harness.failed(Failure::new(Reason::Reset, "connection reset"));
    let detail = "connection reset after the TLS handshake with the client certificate of --cert";
    assert_eq!(harness.result(), down(Reason::Reset, detail));
    let (mut harness, mut server) = certified("banner_contains:OK");
    server.writer().write_all(b"* OK").expect("room");
    harness.receive(&ciphertext(&mut server));
    assert!(harness.result().ok);

    let (site, cert, key) = demanding_site(&[&rustls::version::TLS12]);
    let trusting = ProbeBuilder::from_url("tls://localhost").ca_pem(site.pem.as_bytes());
    let probe = trusting.client_cert(cert.as_bytes(), key.as_bytes()).build().expect("a probe");
    assert_eq!(listening(&probe, &site).0.result(), up, "TLS 1.2 has the verdict in the handshake");
}

#[test]
fn a_refused_client_certificate_is_a_failure_in_every_segmentation() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (site, ..) = demanding_site(&[version]);
        let (_, cert, key) = demanding_site(&[version]);
        for check in ["", "banner_contains:OK"] {
            for size in [1, 7, 100_000] {
                let builder = ProbeBuilder::from_url("tls://localhost").check(check).verify_tls(false);
                let probe = builder.client_cert(cert.as_bytes(), key.as_bytes()).build().expect("a probe");
                let (mut harness, mut server) = (connected(&probe), site.server());
                while !harness.is_done() {
                    let sent = harness.sent();
                    let mut rest = sent.as_slice();
                    while !rest.is_empty() && server.read_tls(&mut rest).is_ok() {
                        let _ = server.process_new_packets();
                    }
                    let bytes = ciphertext(&mut server);
                    assert!(!bytes.is_empty(), "client and server wait for each other");
                    harness.receive_all(bytes.chunks(size));
                }
                let result = harness.result();
                assert_eq!(result.reason, Some(Reason::TlsClientCert), "{result:?}");
                assert!(result.detail.contains("refuses the client certificate of --cert"), "{result:?}");
            }
        }
    }
}
