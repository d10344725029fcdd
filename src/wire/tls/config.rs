//! TLS settings and trusted certificates, shared by all connections.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, Error};

use super::failure::{Known, certificate, explain};
use super::verify::{Trust, Verifier};

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-";
const IS_DER: &str = "not PEM but DER; convert it with: openssl x509 -inform der -in FILE -out FILE.pem";

/// TLS settings for all https connections with the same trusted certificates. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct TlsConfig {
    /// Everything but the time and the verifier. Its clock is set to 1970 and is never read.
    template: Arc<ClientConfig>,
    /// `None`: certificates are not verified.
    pub(super) trust: Option<Arc<Trust>>,
}

impl TlsConfig {
    /// Trusts the built-in roots and the certificates of `extra_roots` (PEM, may be empty). If `verify` is
    /// false, every server certificate is accepted. Errors if the PEM text is malformed or has no usable
    /// certificate. See [`Trust::add_trusted`] for certificates that are not CAs.
    pub(crate) fn new(verify: bool, extra_roots: &[u8]) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let mut trust = Trust::new(provider.signature_verification_algorithms);
        if !extra_roots.is_empty() {
            add_all_trusted(&mut trust, extra_roots)?;
        }
        let trust = verify.then(|| Arc::new(trust));
        let verifier = Verifier { trust: trust.clone(), validity: OnceLock::new() };
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(FixedClock(Duration::ZERO)))
            .with_safe_default_protocol_versions()
            .map_err(|error| explain(&error, Known::default()).detail)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(TlsConfig { template: Arc::new(config), trust })
    }

    /// The configuration and the verifier for one connection, with the clock set to `unix`. Uses a few hundred
    /// bytes: everything large is shared.
    pub(super) fn at(&self, unix: Duration) -> (Arc<ClientConfig>, Arc<Verifier>) {
        let verifier = Arc::new(Verifier { trust: self.trust.clone(), validity: OnceLock::new() });
        let mut config = ClientConfig::clone(&self.template);
        config.time_provider = Arc::new(FixedClock(unix));
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
    let mut number = 0;
    // Other sections are not decoded: an encrypted key is not plain base64.
    for (at, start) in pem.windows(BEGIN.len()).enumerate() {
        if start != BEGIN || matches!(pem.get(at.wrapping_sub(1)), Some(b' '..=b'~')) {
            continue;
        }
        number += 1;
        let item = CertificateDer::from_pem_slice(&pem[at..]).map_err(|error| {
            let what = match error {
                pem::Error::MissingSectionEnd { .. } => "has no END line",
                pem::Error::IllegalSectionStart { .. } => "has a malformed BEGIN line",
                pem::Error::Base64Decode(_) => "is not proper base64",
                _ => "cannot be read",
            };
            format!("certificate {number} in the PEM text {what}")
        })?;
        match trust.add_trusted(item) {
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
    Err(first_error.unwrap_or_else(|| match pem.first() {
        // The tag SEQUENCE, with which a certificate in DER begins.
        Some(0x30) => IS_DER.to_owned(),
        _ => "no certificate in the PEM text (no \"-----BEGIN CERTIFICATE-----\")".to_owned(),
    }))
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

    #[test]
    fn names_what_is_wrong_with_the_text() {
        let good = pem();
        let none = "no certificate in the PEM text (no \"-----BEGIN CERTIFICATE-----\")";
        assert_eq!(error(" "), none);
        assert_eq!(error("\0\u{1}binary"), none);
        assert_eq!(error("0\u{1}binary"), IS_DER);
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
