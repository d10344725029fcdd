//! Peers that speak something else, break off, or mean harm.

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::Signer;
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

use super::*;

const HANDSHAKE: u8 = 22;

/// One TLS record in the clear.
fn record(kind: u8, version: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind], &version[..], &len, payload].concat()
}

/// What a client that got `bytes` says, however they were cut.
fn verdict(bytes: &[u8]) -> Result<(), Failure> {
    let config = TlsConfig::new(true, b"").unwrap();
    let mut verdicts = [1, 2, 3, 7, usize::MAX].map(|piece| {
        let mut client = client(&config, HOST);
        assert!(!client.take_ciphertext().is_empty());
        let mut plaintext = Vec::new();
        let verdict = bytes.chunks(piece).try_for_each(|piece| client.receive(piece, &mut plaintext));
        assert!(plaintext.is_empty() && client.is_handshaking() && !client.is_closed());
        if let Err(failure) = &verdict {
            assert_eq!(client.receive(b"more", &mut plaintext).as_ref(), Err(failure));
            assert_eq!(&client.cut_short(), failure);
            client.take_ciphertext();
            client.send(b"into the void");
            assert!(client.take_ciphertext().is_empty());
        }
        verdict
    });
    verdicts.rotate_left(1);
    let (first, others) = verdicts.split_first().unwrap();
    others.iter().for_each(|other| assert_eq!(first, other, "{bytes:?}"));
    first.clone()
}

fn detail_of(bytes: &[u8]) -> String {
    let failure = verdict(bytes).unwrap_err();
    assert_eq!(failure.reason, Reason::TlsProtocol);
    failure.detail
}

#[test]
fn peers_that_do_not_speak_tls_are_recognised() {
    for greeting in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"<html>",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"220 mail.example ESMTP\r\n",
        b"-ERR unknown command\r\n",
        b"\0\0\0\0\0\0\0\0",
        b"\x16\x09\x09\0\x05hello",
        b"\x15\x03\x03\xff\xffhello",
        b"\x16\x03\x03\0\0hello",
    ] {
        assert!(
            detail_of(greeting).starts_with("TLS: the server does not speak TLS on this port"),
            "{greeting:?}"
        );
    }
}

#[test]
fn alerts_are_reported_in_words() {
    let refuses = "the server refuses the handshake; it may";
    for (alert, words) in [
        (40, format!("{refuses} support only cipher suites or curves that pingstate does not")),
        (112, format!("{refuses} have no certificate for this host name")),
        (80, format!("{refuses} have no certificate for this host name")),
        (50, "received fatal alert: decode error".to_owned()),
        (99, "received fatal alert 99".to_owned()),
    ] {
        for version in [[3, 0], [3, 1], [3, 3]] {
            let detail = detail_of(&record(21, version, &[2, alert]));
            assert!(detail.starts_with(&format!("TLS: {words}")), "{detail}");
        }
    }
    // A single warning is none of the client's business; many are.
    let warning = record(21, [3, 3], &[1, 112]);
    assert_eq!(verdict(&warning), Ok(()));
    assert_eq!(detail_of(&warning.repeat(9)), "TLS: peer misbehaved: too many warning alerts received");
}

#[test]
fn older_versions_are_reported_as_such() {
    let too_old = "TLS: the server refuses the handshake; it must enable TLS 1.2 or TLS 1.3";
    assert_eq!(detail_of(&record(21, [3, 1], &[2, 70])), too_old);
    for minor in [0, 1, 2] {
        let mut hello = vec![2, 0, 0, 38, 3, minor];
        hello.extend([9; 32]);
        hello.extend([0, 0, 0x2f, 0]);
        assert_eq!(detail_of(&record(HANDSHAKE, [3, minor], &hello)), too_old);
    }
}

/// The server's first flight, as answer to `client`.
fn first_flight(client: &mut TlsClient, server: &mut ServerConnection) -> Vec<u8> {
    feed_echo(server, &client.take_ciphertext());
    take(server)
}

#[test]
fn a_flight_that_is_cut_short_is_no_failure_yet() {
    let ca = Party::ca();
    let leaf = Party::signed_by(params(&[HOST]), &ca);
    let config = trusting(&ca);
    for version in VERSIONS {
        let mut client = client(&config, HOST);
        assert!(client.cut_short().detail.contains("instead of answering"));
        let flight = first_flight(&mut client, &mut server(&leaf, version));
        let mut plaintext = Vec::new();
        // Session tickets may follow the handshake in TLS 1.3, in the same flight: not here.
        for byte in &flight[..flight.len() - 1] {
            client.receive(&[*byte], &mut plaintext).unwrap();
            assert!(client.is_handshaking());
            let failure = client.cut_short();
            assert_eq!(failure.reason, Reason::TlsProtocol);
            assert_eq!(failure.detail, "TLS: peer closed the connection during the handshake");
        }
        assert!(plaintext.is_empty());
    }
}

#[test]
fn a_flight_with_a_flipped_bit_never_leads_to_a_connection() {
    let ca = Party::ca();
    let leaf = Party::signed_by(params(&[HOST]), &ca);
    let config = trusting(&ca);
    for version in VERSIONS {
        let mut len = usize::MAX;
        let mut at = 0;
        while at < len {
            let mut server = server(&leaf, version);
            let mut client = client(&config, HOST);
            let mut flight = first_flight(&mut client, &mut server);
            // Signatures differ in length, and the flight with them.
            len = flight.len();
            let Some(byte) = flight.get_mut(at) else { break };
            *byte ^= 1 << (at % 8);
            let mut plaintext = Vec::new();
            if client.receive(&flight, &mut plaintext).is_ok() {
                // A length that grew, or something in TLS 1.2 that only the server's Finished shows.
                let _ = converse(&mut client, &mut server, usize::MAX, usize::MAX);
            }
            assert!(client.is_handshaking() || is_record_version(&flight, at), "{version:?} {at}");
            at += 1;
        }
    }
}

/// Whether a position of a flight is the version field of a record, which is not checked.
fn is_record_version(flight: &[u8], at: usize) -> bool {
    let mut start = 0;
    while let Some([_, _, _, high, low]) = flight.get(start..start + 5) {
        if at == start + 1 || at == start + 2 {
            return true;
        }
        start += 5 + usize::from(u16::from_be_bytes([*high, *low]));
    }
    false
}

#[test]
fn damaged_data_is_a_failure_after_the_good_data() {
    let ca = Party::ca();
    let leaf = Party::signed_by(params(&[HOST]), &ca);
    let config = trusting(&ca);
    for version in VERSIONS {
        let mut server = server(&leaf, version);
        let mut client = client(&config, HOST);
        converse(&mut client, &mut server, usize::MAX, usize::MAX).unwrap();
        server.writer().write_all(b"good").unwrap();
        let mut bytes = take(&mut server);
        server.writer().write_all(b"bad").unwrap();
        bytes.extend(take(&mut server));
        *bytes.last_mut().unwrap() ^= 1;
        let mut plaintext = Vec::new();
        let failure = client.receive(&bytes, &mut plaintext).unwrap_err();
        assert_eq!(plaintext, b"good");
        assert_eq!(
            (failure.reason, &failure.detail[..]),
            (Reason::TlsProtocol, "TLS: cannot decrypt peer's message")
        );
        assert!(!client.take_ciphertext().is_empty(), "an alert is pending");
    }
}

#[test]
fn handshake_messages_without_end_are_refused() {
    // 16 MB are announced at once, or 64 KB dribbled in the smallest of records.
    let too_large = "TLS: the server sends more than 64 KiB of certificates; \
 remove those that are not of its chain";
    assert_eq!(detail_of(&record(HANDSHAKE, [3, 3], &[2, 0xff, 0xff, 0xff, 0])), too_large);
    let mut dribble = record(HANDSHAKE, [3, 3], &[2, 0, 0xff, 0xff]);
    dribble.extend(record(HANDSHAKE, [3, 3], &[0]).repeat(70_000));
    let config = TlsConfig::new(true, b"").unwrap();
    for piece in [500, 4096, usize::MAX] {
        let mut client = client(&config, HOST);
        let mut taken = 0;
        let mut plaintext = Vec::new();
        let failure = dribble
            .chunks(piece)
            .try_for_each(|piece| {
                taken += piece.len();
                client.receive(piece, &mut plaintext)
            })
            .unwrap_err();
        assert_eq!(failure.detail, too_large);
        assert!(taken <= 70_000 || piece == usize::MAX);
    }
}

#[test]
fn a_pile_of_lookalike_certificates_costs_little() {
    let lookalikes: Vec<Party> = (0..120).map(|_| Party::ca()).collect();
    let leaf = Party::signed_by(params(&[HOST]), &lookalikes[0]);
    let mut chain = vec![leaf.cert.der().clone()];
    chain.extend(lookalikes.iter().map(|party| party.cert.der().clone()));
    // One root has the name that all of them claim as their issuer's, the other has not.
    for root in [Party::ca(), Party::self_signed(ca_params("another CA"))] {
        for version in VERSIONS {
            let mut server = server_with(chain.clone(), leaf.signing_key(), version);
            let mut client = client(&trusting(&root), HOST);
            let flight = first_flight(&mut client, &mut server);
            let failure = client.receive(&flight, &mut Vec::new()).unwrap_err();
            assert_eq!(failure.reason, Reason::TlsUntrusted);
            // The library gives up at 200,000 steps, which is far too late.
            assert!(!failure.detail.contains("maximum path build calls"), "{failure}");
        }
    }
}

/// A key that signs with a scheme of the past, and badly.
#[derive(Clone, Debug)]
struct Antique;

impl SigningKey for Antique {
    fn choose_scheme(&self, _offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(self.clone()))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        None
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }
}

impl Signer for Antique {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(b"signed, honestly".to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::RSA_PKCS1_SHA1
    }
}

#[test]
fn certificates_that_are_none_pass_only_without_verification() {
    for garbage in [&b"garbage"[..], b"", b"\x30\x82\xff\xff", &[0x30; 5000]] {
        let certificate = CertificateDer::from(garbage.to_vec());
        for version in VERSIONS {
            for verify in [false, true] {
                let key: Arc<dyn SigningKey> = match version == &TLS12 && !verify {
                    true => Arc::new(Antique),
                    false => Party::ca().signing_key(),
                };
                let mut server = server_with(vec![certificate.clone()], key, version);
                let mut client = client(&TlsConfig::new(verify, b"").unwrap(), HOST);
                client.send(b"ping");
                let result = converse(&mut client, &mut server, 11, 11);
                if !verify {
                    assert_eq!(result.as_deref(), Ok(&b"ping"[..]), "{garbage:?} {version:?}");
                    continue;
                }
                let failure = result.unwrap_err();
                assert_eq!(failure, Failure::new(Reason::TlsUntrusted, "TLS: certificate is malformed"));
            }
        }
    }
}

#[test]
fn noise_is_survived() {
    let mut seed = 1_u32;
    let mut noise = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    for round in 0..300 {
        let payload: Vec<u8> = (0..round).map(|_| noise()).collect();
        let _ = verdict(&payload);
        if !payload.is_empty() {
            let _ = verdict(&record(20 + noise() % 5, [3, noise() % 5], &payload));
            let hello = [&[noise() % 25, 0, 0, round as u8][..], &payload].concat();
            let _ = verdict(&record(HANDSHAKE, [3, 3], &hello));
        }
    }
}
