//! TLS settings and trusted certificates, shared by all connections.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::UnixTime;
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, Error};

use super::failure::{Known, certificate, explain};
use super::pem::{self, ClientCertError};
use super::verify::{Trust, Verifier};

/// TLS settings for all connections with the same trusted certificates. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct TlsConfig {
    /// Everything but the time, the verifier and the client certificate. Its clock is set to 1970 and is never read.
    template: Arc<ClientConfig>,
    /// `None`: certificates are not verified.
    pub(super) trust: Option<Arc<Trust>>,
    pub(super) identity: Option<Arc<Identity>>,
}

/// The keys of the peers that are accepted, and the client certificate.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    /// SHA-256 of the public keys of which one is required; empty for any key.
    pub(super) pins: Vec<[u8; 32]>,
    pub(super) client: Option<Arc<CertifiedKey>>,
}

impl TlsConfig {
    /// Trusts the built-in roots and the certificates of `extra_roots` (PEM, may be empty). If `verify` is
    /// false, every server certificate is accepted. Errors if the PEM text is malformed or has no usable
    /// certificate. See [`Trust::add_trusted`] for certificates that are not CAs.
    pub(crate) fn new(verify: bool, extra_roots: &[u8]) -> Result<Self, String> {
        let mut trust = Trust::new(webpki_roots::TLS_SERVER_ROOTS);
        if !extra_roots.is_empty() {
            add_all_trusted(&mut trust, extra_roots)?;
        }
        TlsConfig::with_trust(verify.then_some(trust))
    }

    /// Trusts the certificates of `roots` (PEM) alone.
    pub(crate) fn only(roots: &[u8]) -> Result<Self, String> {
        let mut trust = Trust::new(&[]);
        add_all_trusted(&mut trust, roots)?;
        TlsConfig::with_trust(Some(trust))
    }

    fn with_trust(trust: Option<Trust>) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let trust = trust.map(Arc::new);
        let verifier = Verifier::default();
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(FixedClock(Duration::ZERO)))
            .with_safe_default_protocol_versions()
            .map_err(|error| explain(&error, Known::default()).detail)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(TlsConfig { template: Arc::new(config), trust, identity: None })
    }

    /// Accepts only peers that have one of these public keys, also without verification of certificates.
    pub(crate) fn with_pins(mut self, pins: Vec<[u8; 32]>) -> Self {
        let client = self.identity.and_then(|identity| identity.client.clone());
        self.identity = Some(Arc::new(Identity { pins, client }));
        self
    }

    /// Sends this certificate (PEM, with its chain) to a server that requests one.
    pub(crate) fn with_client_certificate(
        mut self,
        certificate: &[u8],
        key: &[u8],
    ) -> Result<Self, ClientCertError> {
        let pins = self.identity.map(|identity| identity.pins.clone()).unwrap_or_default();
        let client = Some(Arc::new(pem::client_certificate(certificate, key)?));
        self.identity = Some(Arc::new(Identity { pins, client }));
        Ok(self)
    }

    /// Whether the server has to sign with an algorithm that the library supports.
    pub(super) fn verifies_signatures(&self) -> bool {
        let is_pinned = self.identity.as_ref().is_some_and(|identity| !identity.pins.is_empty());
        self.trust.is_some() || is_pinned
    }

    /// The configuration and the verifier for one connection, with the clock set to `unix`. Uses a few hundred
    /// bytes: everything large is shared.
    pub(super) fn at(&self, unix: Duration) -> (Arc<ClientConfig>, Arc<Verifier>) {
        let algorithms = self.template.crypto_provider().signature_verification_algorithms;
        let verifier = Arc::new(Verifier {
            trust: self.trust.clone(),
            identity: self.identity.clone(),
            algorithms: self.verifies_signatures().then_some(algorithms),
            ..Verifier::default()
        });
        let mut config = ClientConfig::clone(&self.template);
        config.time_provider = Arc::new(FixedClock(unix));
        config.client_auth_cert_resolver = verifier.clone();
        config.dangerous().set_certificate_verifier(verifier.clone());
        (Arc::new(config), verifier)
    }
}

#[derive(Debug)]
struct FixedClock(Duration);

impl TimeProvider for FixedClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0))
    }
}

/// Adds each certificate of a PEM text. Malformed text is an error, and so is a text without usable
/// certificate; single unsupported ones are skipped, since system bundles contain some.
fn add_all_trusted(trust: &mut Trust, pem: &[u8]) -> Result<(), String> {
    let mut added = 0_usize;
    let mut first_error = None;
    for (number, item) in pem::certificates(pem) {
        match trust.add_trusted(item?) {
            Ok(()) => added += 1,
            Err(Error::InvalidCertificate(error)) if first_error.is_none() => {
                first_error = Some(certificate(&format!("certificate {number} in the PEM text"), &error).1);
            }
            Err(_) => {}
        }
    }
    if added > 0 {
        return Ok(());
    }
    Err(first_error.unwrap_or_else(|| pem::no_certificate(pem)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem() -> String {
        rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap().cert.pem()
    }

    fn error(text: &str) -> String {
        TlsConfig::new(true, text.as_bytes()).unwrap_err()
    }

    /// Well-formed PEM around bytes that are not a certificate.
    const UNSUPPORTED: &str = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";

    #[test]
    fn accepts_valid_certificates_among_comments_keys_and_unsupported_ones() {
        let good = pem();
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        for text in [
            String::new(),
            good.clone(),
            format!("\u{feff}{good}"),
            good.replace('\n', "\r\n"),
            format!("# a comment\n{key}{good}"),
            format!("# {}{good}", good.trim_end().replace('\n', "\n# ") + "\n"),
            format!(
                "-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: A,B\n\nAAAA\n-----END RSA PRIVATE KEY-----\n{good}"
            ),
            format!("{UNSUPPORTED}{good}"),
            format!("{good}{UNSUPPORTED}\n{good}"),
        ] {
            assert!(TlsConfig::new(true, text.as_bytes()).is_ok(), "{text}");
            assert!(TlsConfig::new(false, text.as_bytes()).is_ok(), "{text}");
        }
    }

    fn der() -> String {
        pem::no_certificate(b"0")
    }

    #[test]
    fn names_what_is_wrong_with_the_text() {
        let good = pem();
        let none = "no certificate in the PEM text (no \"-----BEGIN CERTIFICATE-----\")";
        assert_eq!(error(" "), none);
        assert_eq!(error("\0\u{1}binary"), none);
        assert_eq!(error("0\u{1}binary"), der());
        assert_eq!(error(&rcgen::KeyPair::generate().unwrap().serialize_pem()), none);
        let cut = &good[..good.len() - 30];
        assert_eq!(error(cut), "certificate 1 in the PEM text has no END line");
        assert_eq!(error(&format!("{good}{cut}")), "certificate 2 in the PEM text has no END line");
        let bad = good.replacen("BEGIN CERTIFICATE-----\n", "BEGIN CERTIFICATE-----\n!", 1);
        assert_eq!(error(&bad), "certificate 1 in the PEM text is not proper base64");
        let bad = good.replacen("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE--", 1);
        assert_eq!(error(&bad), "certificate 1 in the PEM text has a malformed BEGIN line");
        assert_eq!(error(UNSUPPORTED), "certificate 1 in the PEM text is malformed");
        assert!(TlsConfig::new(false, UNSUPPORTED.as_bytes()).is_err());
    }

    #[test]
    fn never_reads_a_clock_of_its_own() {
        let config = TlsConfig::new(true, b"").unwrap();
        let unix = Duration::from_secs(1_738_200_000);
        let (at, _) = config.at(unix);
        assert_eq!(at.time_provider.current_time().unwrap().as_secs(), unix.as_secs());
        assert!(Arc::ptr_eq(at.crypto_provider(), config.template.crypto_provider()));
        assert_eq!(config.template.time_provider.current_time().unwrap().as_secs(), 0);
    }
}
