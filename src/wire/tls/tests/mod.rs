//! A server in memory to speak with, and certificates of every kind for it.

mod certificates;
mod conversation;
mod hostile;
mod identity;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};

use super::{TlsClient, TlsConfig};
use crate::result::{Failure, Reason};

/// 2025-01-30 01:20:00 UTC.
const CLOCK: Duration = Duration::from_secs(1_738_200_000);
const HOST: &str = "a.example";
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// A certificate and its key.
struct Party {
    cert: rcgen::Certificate,
    key: KeyPair,
}

impl Party {
    fn self_signed(params: CertificateParams) -> Party {
        let key = KeyPair::generate().unwrap();
        Party { cert: params.self_signed(&key).unwrap(), key }
    }

    fn signed_by(params: CertificateParams, ca: &Party) -> Party {
        let key = KeyPair::generate().unwrap();
        Party { cert: params.signed_by(&key, &ca.cert, &ca.key).unwrap(), key }
    }

    fn ca() -> Party {
        Party::self_signed(ca_params("test CA"))
    }

    fn pem(&self) -> String {
        self.cert.pem()
    }

    fn signing_key(&self) -> Arc<dyn SigningKey> {
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        ring::sign::any_supported_type(&der).unwrap()
    }
}

/// Parameters of a certificate that is valid for `names` throughout 2024 and 2025.
fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "test server");
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2026, 1, 1);
    params
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = params(&[]);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// A server that shows these certificates, whatever they are.
fn server_with(
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
    version: &'static SupportedProtocolVersion,
) -> ServerConnection {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(Arc::new(CertifiedKey::new(chain, key)))));
    ServerConnection::new(Arc::new(config)).unwrap()
}

fn server(party: &Party, version: &'static SupportedProtocolVersion) -> ServerConnection {
    server_with(vec![party.cert.der().clone()], party.signing_key(), version)
}

fn trusting(party: &Party) -> TlsConfig {
    TlsConfig::new(true, party.pem().as_bytes()).unwrap()
}

fn client(config: &TlsConfig, host: &str) -> TlsClient {
    TlsClient::new(config, host, CLOCK).unwrap()
}

/// Hands bytes to the server, which sends back whatever plaintext it gets.
fn feed_echo(server: &mut ServerConnection, mut bytes: &[u8]) {
    while !bytes.is_empty() && server.read_tls(&mut bytes).is_ok() {
        let _ = server.process_new_packets();
        let mut plaintext = Vec::new();
        let _ = server.reader().read_to_end(&mut plaintext);
        let _ = server.writer().write_all(&plaintext);
    }
}

fn take(server: &mut ServerConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// Carries bytes both ways, cut into pieces of `up` and `down` bytes, until neither side has any
/// more. Answers with what the client decrypted.
fn converse(
    client: &mut TlsClient,
    server: &mut ServerConnection,
    up: usize,
    down: usize,
) -> Result<Vec<u8>, Failure> {
    let mut plaintext = Vec::new();
    loop {
        let sent = client.take_ciphertext();
        sent.chunks(up).for_each(|piece| feed_echo(server, piece));
        let answered = take(server);
        if sent.is_empty() && answered.is_empty() {
            return Ok(plaintext);
        }
        for piece in answered.chunks(down) {
            client.receive(piece, &mut plaintext)?;
        }
    }
}

/// Asks a server of each version for an echo; both must lead to the same result.
fn ask(config: &TlsConfig, host: &str, unix: Duration, chain: &[&Party]) -> Result<(), Failure> {
    let results = VERSIONS.map(|version| {
        let certificates = chain.iter().map(|party| party.cert.der().clone()).collect();
        let mut server = server_with(certificates, chain[0].signing_key(), version);
        let mut client = TlsClient::new(config, host, unix)?;
        client.send(b"ping");
        let result = converse(&mut client, &mut server, usize::MAX, usize::MAX);
        if result.is_err() {
            // The alert is pending, and what was to be sent in secret never leaves.
            feed_echo(&mut server, &client.take_ciphertext());
            assert!(matches!(server.process_new_packets(), Err(rustls::Error::AlertReceived(_))));
            assert!(client.is_handshaking());
        }
        result.map(|plaintext| assert_eq!(plaintext, b"ping"))
    });
    assert_eq!(results[0], results[1]);
    results[0].clone()
}

fn refusal(config: &TlsConfig, host: &str, unix: Duration, chain: &[&Party]) -> (Reason, String) {
    let failure = ask(config, host, unix, chain).unwrap_err();
    (failure.reason, failure.detail)
}
