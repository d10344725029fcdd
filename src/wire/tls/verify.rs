//! Who is trusted: the two ways a server's certificate is judged.

use std::fmt;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

use super::der;

/// How many of the certificates that come with a server's own are looked at. Paths are searched
/// among all of them in every order, so that a pile of hundred lookalikes costs hundreds of times
/// what six do, while every other probe waits. Honest servers send one to four.
const INTERMEDIATES_MAX: usize = 6;

/// Trusts whom a root certificate vouches for, and the very certificates it was given.
pub(super) struct Trust {
    roots: RootCertStore,
    /// SHA-256 of each given certificate: a fraction of the memory of a whole system's bundle.
    given: Vec<Fingerprint>,
    algorithms: WebPkiSupportedAlgorithms,
}

type Fingerprint = [u8; 32];

impl Trust {
    /// Trust in the roots that are built in.
    pub(super) fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        Trust { roots, given: Vec::new(), algorithms }
    }

    /// Trusts `certificate` too.
    ///
    /// As a server's own certificate it is trusted as it stands, whoever has signed it: the library
    /// knows roots only, and refuses a self-signed server. As a root it is trusted only if it is not
    /// one that servers use: the key in a gadget must not vouch for other names.
    pub(super) fn give(&mut self, certificate: CertificateDer<'_>) -> Result<(), Error> {
        let end_entity = is_end_entity(&certificate);
        if !end_entity {
            self.add_root(&certificate)?;
        }
        self.given.extend(fingerprint(&certificate));
        Ok(())
    }

    /// System bundles repeat what is built in: a root is kept once.
    fn add_root(&mut self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        self.roots.add(certificate.clone())?;
        if let Some(added) = self.roots.roots.pop() {
            if !self.roots.roots.contains(&added) {
                self.roots.roots.push(added);
            }
        }
        Ok(())
    }

    fn is_given(&self, certificate: &[u8]) -> bool {
        !self.given.is_empty() && fingerprint(certificate).is_some_and(|print| self.given.contains(&print))
    }

    fn judge(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let alone = judge_alone(&parsed, now);
        if self.is_given(certificate) {
            // Dates, which are checked first, and purpose count. What else speaks against it does
            // not, above all being a CA's: `openssl req -x509` makes such certificates for servers.
            return match alone {
                Err(Error::InvalidCertificate(CertificateError::Other(_))) => Ok(()),
                other => other,
            };
        }
        let others = others.get(..INTERMEDIATES_MAX).unwrap_or(others);
        alone
            .and_then(|()| {
                verify_server_cert_signed_by_trust_anchor(
                    &parsed,
                    &self.roots,
                    others,
                    now,
                    self.algorithms.all,
                )
                .map_err(Finding::blame_issuer)
            })
            .map_err(|error| Finding::self_signed(error, certificate))
    }
}

/// Judges what a certificate says of itself: its dates first, then whether it is for servers.
fn judge_alone(certificate: &ParsedCertificate<'_>, now: UnixTime) -> Result<(), Error> {
    let nobody = RootCertStore::empty();
    match verify_server_cert_signed_by_trust_anchor(certificate, &nobody, &[], now, &[]) {
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => Ok(()),
        other => other,
    }
}

/// When a certificate expires, as the time since 1970: told to a verifier that lives after the end of
/// all calendars. `None` for one that cannot be read, or that expires before it begins.
pub(super) fn not_after(certificate: &CertificateDer<'_>) -> Option<Duration> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    match judge_alone(&parsed, UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX))) {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Some(Duration::from_secs(not_after.as_secs()))
        }
        _ => None,
    }
}

/// Whether this is a server's certificate rather than a CA's, as seen on the first day of its life.
fn is_end_entity(certificate: &CertificateDer<'_>) -> bool {
    let Ok(parsed) = ParsedCertificate::try_from(certificate) else { return false };
    let epoch = UnixTime::since_unix_epoch(Duration::ZERO);
    match judge_alone(&parsed, epoch) {
        Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
            judge_alone(&parsed, not_before).is_ok()
        }
        other => other.is_ok(),
    }
}

fn fingerprint(certificate: &[u8]) -> Option<Fingerprint> {
    let sha256 = TLS13_AES_128_GCM_SHA256.tls13()?.common.hash_provider;
    sha256.hash(certificate).as_ref().try_into().ok()
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(end_entity, intermediates, now)?;
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

/// What the library's own errors cannot say.
#[derive(Debug)]
pub(super) enum Finding {
    /// Nobody but the certificate itself vouches for it.
    SelfSigned,
    /// The error is about a certificate further up.
    Issuer(CertificateError),
}

impl Finding {
    /// Of a certificate whose own dates are good, bad dates are those of an issuer.
    fn blame_issuer(error: Error) -> Error {
        match error {
            Error::InvalidCertificate(
                inner @ (CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYetContext { .. }),
            ) => Finding::Issuer(inner).into(),
            other => other,
        }
    }

    fn self_signed(error: Error, certificate: &[u8]) -> Error {
        match error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_))
                if der::is_self_issued(certificate) =>
            {
                Finding::SelfSigned.into()
            }
            other => other,
        }
    }
}

impl From<Finding> for Error {
    fn from(finding: Finding) -> Self {
        Error::InvalidCertificate(CertificateError::Other(OtherError(std::sync::Arc::new(finding))))
    }
}

impl std::error::Error for Finding {}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("certificate refused")
    }
}

/// Trusts anybody, whatever the certificate.
#[derive(Debug)]
pub(super) struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// All there are, the outdated ones last: a device that has nothing better is let in.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::RSA_PKCS1_SHA1,
        ]
    }
}
