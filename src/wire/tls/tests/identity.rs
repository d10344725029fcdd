//! Pinned keys, trust in given certificates alone, and client certificates.

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;

use super::*;
use crate::wire::base64;
use crate::wire::tls::ClientCertError;

/// The digest of a party's public key, from the refusal of another one.
fn digest(party: &Party) -> [u8; 32] {
    let config = TlsConfig::new(false, b"").unwrap().with_pins(vec![[7; 32]]);
    let (reason, detail) = refusal(&config, HOST, CLOCK, &[party]);
    assert_eq!(reason, Reason::TlsPin);
    let rest = detail.strip_prefix("TLS: certificate has the public key sha256//").expect(&detail);
    let digest = rest.strip_suffix(", which is not one of --pin").expect(rest);
    base64::decode(digest).unwrap().try_into().unwrap()
}

#[test]
fn one_of_the_pinned_keys_is_required_with_and_without_verification() {
    let ca = Party::ca();
    let [leaf, other] = [(), ()].map(|()| Party::signed_by(params(&[HOST]), &ca));
    let (right, wrong) = (digest(&leaf), digest(&other));
    assert_ne!(right, wrong);
    for config in [trusting(&ca), TlsConfig::new(false, b"").unwrap()] {
        assert_eq!(ask(&config.clone().with_pins(vec![right]), HOST, CLOCK, &[&leaf]), Ok(()));
        assert_eq!(ask(&config.clone().with_pins(vec![wrong, right]), HOST, CLOCK, &[&leaf]), Ok(()));
        let (reason, _) = refusal(&config.clone().with_pins(vec![wrong]), HOST, CLOCK, &[&leaf]);
        assert_eq!(reason, Reason::TlsPin);
        // The pin of an issuer does not count.
        let (reason, _) = refusal(&config.with_pins(vec![digest(&ca)]), HOST, CLOCK, &[&leaf, &ca]);
        assert_eq!(reason, Reason::TlsPin);
    }
    let (reason, _) = refusal(&trusting(&other).with_pins(vec![right]), HOST, CLOCK, &[&leaf]);
    assert_eq!(reason, Reason::TlsUntrusted, "a pin is no trust");
}

#[test]
fn a_server_must_have_the_pinned_key() {
    let (leaf, other) = (Party::self_signed(params(&[HOST])), Party::self_signed(params(&[HOST])));
    let insecure = TlsConfig::new(false, b"").unwrap();
    let pinned = insecure.clone().with_pins(vec![digest(&leaf)]);
    for version in VERSIONS {
        for (config, ok) in [(&insecure, true), (&pinned, false)] {
            let chain = vec![leaf.cert.der().clone()];
            let mut server = server_with(chain, other.signing_key(), version);
            let result = converse(&mut client(config, HOST), &mut server, usize::MAX, usize::MAX);
            assert_eq!(result.is_ok(), ok, "{result:?}");
        }
        let mut server = server(&leaf, version);
        assert!(converse(&mut client(&pinned, HOST), &mut server, usize::MAX, usize::MAX).is_ok());
    }
}

#[test]
fn only_the_given_roots_are_trusted() {
    let ca = Party::ca();
    let leaf = Party::signed_by(params(&[HOST]), &ca);
    let only = TlsConfig::only(ca.pem().as_bytes()).unwrap();
    assert_eq!(only.trust.as_ref().unwrap().roots.len(), 1);
    assert!(trusting(&ca).trust.unwrap().roots.len() > 100);
    assert_eq!(ask(&only, HOST, CLOCK, &[&leaf]), Ok(()));
    assert!(TlsConfig::only(b"").is_err());
}

/// A server that requires a client certificate of `ca`.
fn demanding(ca: &Party, leaf: &Party, version: &'static SupportedProtocolVersion) -> ServerConnection {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(ca.cert.der().clone()).unwrap();
    let demanding = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let certified = CertifiedKey::new(vec![leaf.cert.der().clone()], leaf.signing_key());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(demanding.build().unwrap())
        .with_cert_resolver(Arc::new(Always(Arc::new(certified))));
    ServerConnection::new(Arc::new(config)).unwrap()
}

#[test]
fn a_client_certificate_is_sent_on_request() {
    let (ca, stranger) = (Party::ca(), Party::self_signed(ca_params("a stranger")));
    let mut server_params = params(&[HOST]);
    server_params.not_after = date_time_ymd(4000, 1, 1);
    let leaf = Party::signed_by(server_params.clone(), &ca);
    // The server reads this machine's clock.
    let [known, unknown] = [&ca, &stranger].map(|ca| Party::signed_by(server_params.clone(), ca));
    let refused = "TLS: the server refuses the client certificate of --cert";
    for version in VERSIONS {
        let ask = |config: &TlsConfig| {
            let (mut server, mut client) = (demanding(&ca, &leaf, version), client(config, HOST));
            client.send(b"ping");
            let awaited = |client: &TlsClient| client.awaits_verdict();
            let result = converse(&mut client, &mut server, usize::MAX, usize::MAX);
            let awaits = awaited(&client);
            (result.map_err(|failure| (failure.reason, failure.detail)), awaits)
        };
        let with = |party: &Party| {
            let (cert, key) = (party.pem(), party.key.serialize_pem());
            trusting(&ca).with_client_certificate(cert.as_bytes(), key.as_bytes()).unwrap()
        };
        let is_13 = version.version == rustls::ProtocolVersion::TLSv1_3;
        assert_eq!(ask(&with(&known)), (Ok(b"ping".to_vec()), is_13));
        let (result, _) = ask(&with(&unknown));
        let (reason, detail) = result.unwrap_err();
        assert!(reason == Reason::TlsClientCert && detail.starts_with(refused), "{detail}");
        let missing = "TLS: the server requires a client certificate; pass one with --cert and --key";
        assert_eq!(ask(&trusting(&ca)), (Err((Reason::TlsClientCert, missing.to_owned())), false));
        // A server that does not request it does not get it, and pins do not replace it.
        let mut server = server(&leaf, version);
        let mut client = client(&with(&known).with_pins(vec![digest(&leaf)]), HOST);
        assert!(converse(&mut client, &mut server, usize::MAX, usize::MAX).is_ok());
        assert!(!client.awaits_verdict() && client.verifier.identity.as_ref().unwrap().client.is_some());
    }
}

#[test]
fn client_certificates_are_read_or_their_error_is_named() {
    let (party, other) = (Party::ca(), Party::ca());
    let (cert, key) = (party.pem(), party.key.serialize_pem());
    let config = TlsConfig::new(true, b"").unwrap();
    let load = |cert: &str, key: &str| {
        config.clone().with_client_certificate(cert.as_bytes(), key.as_bytes()).map(|_| ())
    };
    let both = format!("{key}\n# chain\n{cert}{}", other.pem());
    for (cert, key) in
        [(&*cert, &*key), (&both, &both), (&cert.replace('\n', "\r\n"), &key.replace('\n', "\r\n"))]
    {
        assert!(load(cert, key).is_ok(), "{cert}{key}");
    }
    let encrypted = key.replace("BEGIN PRIVATE", "BEGIN ENCRYPTED PRIVATE");
    let traditional = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: A,B\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let is_encrypted = "the key is encrypted; decrypt it with: openssl pkey -in FILE -out FILE.key";
    for (cert, key, is_key, message) in [
        ("", &*key, false, "no certificate in the PEM text"),
        ("0\u{1}", &key, false, "not PEM but DER; convert it with: openssl x509"),
        (&cert[..99], &key, false, "certificate 1 in the PEM text has no END line"),
        (&cert, "", true, "no private key in the PEM text (no \"-----BEGIN PRIVATE KEY-----\")"),
        (&cert, &cert, true, "no private key"),
        (&cert, "0\u{1}", true, "not PEM but DER; convert it with: openssl pkey -inform der"),
        (&cert, &key[..99], true, "the key has no END line"),
        (&cert, &encrypted, true, is_encrypted),
        (&cert, traditional, true, is_encrypted),
        (
            &cert,
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            true,
            "the key is not supported",
        ),
        (&cert, &other.key.serialize_pem(), true, "the key is not that of the certificate"),
    ] {
        let (of_key, text) = match load(cert, key).unwrap_err() {
            ClientCertError::Cert(text) => (false, text),
            ClientCertError::Key(text) => (true, text),
        };
        assert!(of_key == is_key && text.starts_with(message), "{text}");
    }
    for cut in 0..both.len() {
        let _ = load(&both[..cut], &both);
        let _ = load(&both, &both[..cut]);
    }
}
