//! For tests: a TLS server in memory, for attempts that speak TLS.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};

use super::harness::Harness;

/// A server that has a certificate of its own for `localhost`.
pub(super) struct Site {
    config: Arc<ServerConfig>,
    pub(super) pem: String,
}

/// When the certificates of [`site`] expire: with the year 4095.
pub(super) const END: Duration = Duration::from_secs(67_090_118_400);

pub(super) fn site() -> Site {
    site_with(|_| {})
}

pub(super) fn site_with(change: impl FnOnce(&mut CertificateParams)) -> Site {
    let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    change(&mut params);
    let key_pair = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key_pair).expect("a certificate");
    let key = PrivateKeyDer::try_from(key_pair.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a configuration");
    Site { config: Arc::new(config), pem: certificate.pem() }
}

impl Site {
    pub(super) fn server(&self) -> ServerConnection {
        ServerConnection::new(self.config.clone()).expect("a server")
    }
}

/// Hands the server what the attempt sent.
pub(super) fn deliver(harness: &mut Harness, server: &mut ServerConnection) {
    let sent = harness.sent();
    let mut rest = sent.as_slice();
    while !rest.is_empty() {
        server.read_tls(&mut rest).expect("room");
        server.process_new_packets().expect("TLS");
    }
}

/// What the server has to send.
pub(super) fn ciphertext(server: &mut ServerConnection) -> Vec<u8> {
    let mut out = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut out).expect("memory");
    }
    out
}
