//! Conversations that go well: both versions, every slicing, close_notify, names.

use super::*;

#[test]
fn echoes_in_both_versions_however_the_bytes_are_cut() {
    let ca = Party::ca();
    let leaf = Party::signed_by(params(&[HOST]), &ca);
    let config = trusting(&ca);
    // Several records each way.
    let message: Vec<u8> = (0..40_000_u32).map(|n| (n % 251) as u8).collect();
    for version in VERSIONS {
        for piece in [1, 2, 3, 5, 7, 64, 1000, 4095, 4096, 4097, 16_384, 20_000, usize::MAX] {
            for (up, down) in [(piece, usize::MAX), (usize::MAX, piece), (piece, piece)] {
                let mut server = server(&leaf, version);
                server.set_buffer_limit(None);
                let mut client = client(&config, HOST);
                client.send(&message[..10]);
                client.send(&message[10..]);
                let echoed = converse(&mut client, &mut server, up, down).unwrap();
                assert!(echoed == message, "{version:?} {up} {down}");
                assert!(!client.is_handshaking() && !client.is_closed());
                assert_eq!(server.protocol_version(), Some(version.version));
            }
        }
    }
}

#[test]
fn sends_before_and_after_the_handshake() {
    let ca = Party::ca();
    let leaf = Party::signed_by(params(&[HOST]), &ca);
    let config = trusting(&ca);
    for version in VERSIONS {
        let mut server = server(&leaf, version);
        let mut client = client(&config, HOST);
        assert!(client.is_handshaking());
        assert_eq!(converse(&mut client, &mut server, usize::MAX, usize::MAX).unwrap(), b"");
        assert!(!client.is_handshaking());
        assert!(client.take_ciphertext().is_empty());
        client.send(b"late");
        assert_eq!(converse(&mut client, &mut server, usize::MAX, usize::MAX).unwrap(), b"late");
    }
}

#[test]
fn more_than_the_librarys_buffers_waits_for_the_handshake() {
    let ca = Party::ca();
    let leaf = Party::signed_by(params(&[HOST]), &ca);
    let mut server = server(&leaf, &TLS13);
    server.set_buffer_limit(None);
    let mut client = client(&trusting(&ca), HOST);
    let message = vec![7; 300_000];
    client.send(&message);
    assert!(converse(&mut client, &mut server, usize::MAX, usize::MAX).unwrap() == message);
}

#[test]
fn close_notify_ends_each_direction() {
    let ca = Party::ca();
    let leaf = Party::signed_by(params(&[HOST]), &ca);
    let config = trusting(&ca);
    for version in VERSIONS {
        for piece in [1, usize::MAX] {
            let mut server = server(&leaf, version);
            let mut client = client(&config, HOST);
            client.send(b"ping");
            converse(&mut client, &mut server, usize::MAX, usize::MAX).unwrap();
            server.writer().write_all(b"bye").unwrap();
            server.send_close_notify();
            let mut last_words = take(&mut server);
            last_words.extend_from_slice(b"trailing bytes that are not read");
            let mut plaintext = Vec::new();
            for piece in last_words.chunks(piece) {
                client.receive(piece, &mut plaintext).unwrap();
            }
            assert_eq!(plaintext, b"bye");
            assert!(client.is_closed());

            client.close();
            let mut goodbye = &client.take_ciphertext()[..];
            server.read_tls(&mut goodbye).unwrap();
            assert!(server.process_new_packets().unwrap().peer_has_closed());
        }
    }
}

#[test]
fn names_are_sent_and_addresses_are_not() {
    let ca = Party::ca();
    let names = ["a.example", "*.b.example", "127.0.0.1", "2001:db8::1"];
    let leaf = Party::signed_by(params(&names), &ca);
    let config = trusting(&ca);
    for (host, sni) in [
        ("a.example", Some("a.example")),
        ("A.Example", Some("a.example")),
        ("a.example.", Some("a.example")),
        ("x.b.example", Some("x.b.example")),
        ("127.0.0.1", None),
        ("2001:db8::1", None),
        ("2001:DB8:0::1", None),
    ] {
        for version in VERSIONS {
            let mut server = server(&leaf, version);
            let mut client = client(&config, host);
            client.send(b"ping");
            assert_eq!(converse(&mut client, &mut server, 9, 9).unwrap(), b"ping", "{host}");
            assert_eq!(server.server_name(), sni);
        }
    }
}

#[test]
fn hosts_that_no_certificate_can_name_are_refused() {
    let config = TlsConfig::new(true, b"").unwrap();
    let long = "a.".repeat(130);
    for host in ["", ".", "..", "a..b", "a b", "1.2.3.4.5", "[::1]", "-a.example", "é.example", "a\n", &long]
    {
        let Err(failure) = TlsClient::new(&config, host, CLOCK) else { panic!("{host:?}") };
        assert_eq!(failure.reason, Reason::TlsName);
        assert!(failure.detail.starts_with("TLS: no certificate can be for \""), "{failure}");
        assert!(failure.detail.chars().count() < 256, "{failure}");
    }
}

#[test]
fn sessions_are_never_resumed() {
    let ca = Party::ca();
    let leaf = Party::signed_by(params(&[HOST]), &ca);
    let config = trusting(&ca);
    for version in VERSIONS {
        let mut server_config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.cert.der().clone()],
                PrivatePkcs8KeyDer::from(leaf.key.serialize_der()).into(),
            )
            .unwrap();
        server_config.ticketer = ring::Ticketer::new().unwrap();
        let server_config = Arc::new(server_config);
        for _ in 0..3 {
            let mut server = ServerConnection::new(server_config.clone()).unwrap();
            let mut client = client(&config, HOST);
            client.send(b"ping");
            converse(&mut client, &mut server, usize::MAX, usize::MAX).unwrap();
            assert_eq!(server.handshake_kind(), Some(rustls::HandshakeKind::Full));
        }
    }
}
