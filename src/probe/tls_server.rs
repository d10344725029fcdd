//! For tests: a TLS server in memory, for attempts that speak TLS.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{WantsServerCert, WebPkiClientVerifier};
use rustls::{
    ALL_VERSIONS, ConfigBuilder, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion,
    WantsVerifier,
};

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
    serve(change, ALL_VERSIONS, |builder| builder.with_no_client_auth())
}

/// A site that requires a client certificate, and an acceptable one with its key.
pub(super) fn demanding_site(versions: &[&'static SupportedProtocolVersion]) -> (Site, String, String) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let ca = params.self_signed(&key).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifier = verifier.build().expect("a verifier");
    let client_key = KeyPair::generate().expect("a key");
    let client = CertificateParams::new(Vec::new()).expect("no names");
    let client = client.signed_by(&client_key, &ca, &key).expect("a certificate");
    let site = serve(|_| {}, versions, |builder| builder.with_client_cert_verifier(verifier));
    (site, client.pem(), client_key.serialize_pem())
}

fn serve(
    change: impl FnOnce(&mut CertificateParams),
    versions: &[&'static SupportedProtocolVersion],
    auth: impl FnOnce(ConfigBuilder<ServerConfig, WantsVerifier>) -> ConfigBuilder<ServerConfig, WantsServerCert>,
) -> Site {
    let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    change(&mut params);
    let key_pair = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key_pair).expect("a certificate");
    let key = PrivateKeyDer::try_from(key_pair.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
    let config =
        auth(builder).with_single_cert(vec![certificate.der().clone()], key).expect("a configuration");
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
