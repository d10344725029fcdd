//! Verification of server certificates, and its absence.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

use super::Validity;
use super::config::Identity;
use super::der::{self, Fields};
use crate::wire::base64;

/// Limit of intermediate certificates in a chain. The library tries paths among them in every order: a
/// hundred lookalikes cost hundreds of times the CPU time of six, while all other probes wait. Real chains
/// have one to four, and the library accepts no more than six either.
const INTERMEDIATES_MAX: usize = 6;

/// Offered without verification; the last ones are outdated, for devices that support nothing better.
const ALL_SCHEMES: [SignatureScheme; 16] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::ED448,
    // rsa_pss_pss_sha256, _sha384 and _sha512 (RFC 8446 section 4.2.3).
    SignatureScheme::Unknown(0x0809),
    SignatureScheme::Unknown(0x080a),
    SignatureScheme::Unknown(0x080b),
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::ECDSA_SHA1_Legacy,
    SignatureScheme::RSA_PKCS1_SHA1,
];

/// The RSA key sizes, in bits, that ring can verify signatures with.
pub(super) const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

pub(super) struct Trust {
    pub(super) roots: RootCertStore,
    /// The subjects of added certificates that are not CAs.
    non_ca_subjects: Vec<Vec<u8>>,
    /// SHA-256 of each added certificate, to save the memory of a system's bundle.
    pinned: Vec<[u8; 32]>,
}

impl Trust {
    pub(super) fn new(roots: &[TrustAnchor<'static>]) -> Self {
        let roots = roots.iter().cloned().collect();
        Trust { roots, non_ca_subjects: Vec::new(), pinned: Vec::new() }
    }

    /// Adds a trusted certificate. As a server's own certificate it is trusted whatever its issuer, since the
    /// library supports only roots and refuses self-signed servers. As a root it is trusted only if it is a
    /// CA: the key of a device must not certify other names.
    pub(super) fn add_trusted(&mut self, certificate: CertificateDer<'_>) -> Result<(), Error> {
        let digest = fingerprint(&certificate);
        match Fields::of(&certificate) {
            Some(fields) if !fields.is_ca() => self.non_ca_subjects.push(fields.subject.to_vec()),
            _ => {
                self.roots.add(certificate)?;
                // System bundles repeat the built-in roots.
                let roots = &mut self.roots.roots;
                let added = roots.pop().filter(|added| !roots.contains(added));
                roots.extend(added);
            }
        }
        self.pinned.extend(digest);
        Ok(())
    }

    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let fields = Fields::of(certificate).ok_or(CertificateError::BadEncoding)?;
        // Without roots, the dates are verified first and then the purpose.
        let no_roots = RootCertStore::empty();
        let alone = match verify_server_cert_signed_by_trust_anchor(&parsed, &no_roots, &[], now, &[]) {
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => Ok(()),
            other => other,
        };
        if let (Ok(()), Some(error)) = (&alone, rsa_size_error(fields.key)) {
            return Err(error.into());
        }
        let is_pinned = |digest| self.pinned.contains(&digest);
        if !self.pinned.is_empty() && fingerprint(certificate).is_some_and(is_pinned) {
            // Dates, which are checked first, and purpose count. Other errors do not, above all that it is a
            // CA: `openssl req -x509` creates such certificates for servers.
            return match alone {
                Err(Error::InvalidCertificate(CertificateError::Other(_))) => Ok(()),
                other => other,
            };
        }
        let (chain, is_complete) = chain(&fields, others);
        let others: Vec<_> = chain.iter().map(|der| CertificateDer::from(*der)).collect();
        let algorithms = algorithms.all;
        let issued = |()| {
            verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, &others, now, algorithms)
                .map_err(CertError::attribute_to_issuer)
        };
        let Err(error) = alone.and_then(issued) else { return Ok(()) };
        let what = match &error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_))
                if fields.is_self_issued() =>
            {
                SELF_SIGNED
            }
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                let top = chain.last().and_then(|top| Fields::of(top)).unwrap_or(fields);
                match () {
                    () if !is_complete => TOO_LONG,
                    () if self.non_ca_subjects.iter().any(|subject| subject == top.issuer) => NO_CA,
                    () if chain.is_empty() => NO_INTERMEDIATES,
                    () => return Err(error),
                }
            }
            Error::InvalidCertificate(CertificateError::BadSignature) => {
                return Err(self.bad_signature_cause(&fields, &chain).into());
            }
            _ => return Err(error),
        };
        Err(CertError::Other(what).into())
    }

    fn bad_signature_cause(&self, leaf: &Fields<'_>, chain: &[&[u8]]) -> CertError {
        let mut issuer = leaf.issuer;
        for other in chain.iter().filter_map(|other| Fields::of(other)) {
            if let Some(error) = rsa_size_error(other.key) {
                return error;
            }
            issuer = other.issuer;
        }
        let roots = self.roots.roots.iter().filter(|root| *root.subject == *issuer);
        let error = roots.filter_map(|root| rsa_size_error(&root.subject_public_key_info)).next();
        error.unwrap_or(CertError::Other(WRONG_CA_KEY))
    }
}

/// The certificates of `others` that can be in the chain of `leaf`, nearest first, and whether these are all.
/// Servers also send their own certificate twice, or bundles of unrelated ones.
fn chain<'a>(leaf: &Fields<'a>, others: &'a [CertificateDer<'_>]) -> (Vec<&'a [u8]>, bool) {
    let mut chain: Vec<&[u8]> = Vec::new();
    let mut issuer = leaf.issuer;
    let mut next = 0;
    loop {
        for other in others {
            let other: &[u8] = other;
            if Fields::of(other).is_none_or(|fields| fields.subject != issuer) || chain.contains(&other) {
                continue;
            }
            if chain.len() == INTERMEDIATES_MAX {
                return (chain, false);
            }
            chain.push(other);
        }
        let Some(fields) = chain.get(next).and_then(|at| Fields::of(at)) else { return (chain, true) };
        issuer = fields.issuer;
        next += 1;
    }
}

fn rsa_size_error(key: &[u8]) -> Option<CertError> {
    let bits = der::rsa_bits(key)?;
    (!RSA_BITS.contains(&bits)).then_some(CertError::KeySize(bits))
}

fn fingerprint(certificate: &[u8]) -> Option<[u8; 32]> {
    let sha256 = TLS13_AES_128_GCM_SHA256.tls13()?.common.hash_provider;
    sha256.hash(certificate).as_ref().try_into().ok()
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

/// The verifier of one connection. It records the validity of the certificate, also of a refused one, which the
/// library does not keep.
#[derive(Debug, Default)]
pub(super) struct Verifier {
    /// `None`: every certificate is accepted.
    pub(super) trust: Option<Arc<Trust>>,
    pub(super) identity: Option<Arc<Identity>>,
    /// `None`: the peer need not prove that it has the key of its certificate.
    pub(super) algorithms: Option<WebPkiSupportedAlgorithms>,
    /// Set when the server requests a client certificate.
    pub(super) requested: OnceLock<()>,
    pub(super) validity: OnceLock<Option<Validity>>,
}

impl Verifier {
    fn verify_pins(&self, certificate: &[u8]) -> Result<(), Error> {
        let Some(identity) = self.identity.as_ref().filter(|identity| !identity.pins.is_empty()) else {
            return Ok(());
        };
        let fields = Fields::of(certificate).ok_or(CertificateError::BadEncoding)?;
        match fingerprint(fields.key_info) {
            Some(digest) if identity.pins.contains(&digest) => Ok(()),
            digest => Err(CertError::Pin(base64::encode(&digest.unwrap_or_default())).into()),
        }
    }
}

impl ResolvesClientCert for Verifier {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.requested.get_or_init(|| ());
        self.identity.as_ref()?.client.clone()
    }

    fn has_certs(&self) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.client.is_some())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.validity.get_or_init(|| Fields::of(end_entity)?.validity());
        if let (Some(trust), Some(algorithms)) = (&self.trust, &self.algorithms) {
            trust.verify(end_entity, intermediates, now, algorithms)?;
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        }
        self.verify_pins(end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.algorithms {
            Some(algorithms) => verify_tls12_signature(message, cert, dss, algorithms),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.algorithms {
            Some(algorithms) => verify_tls13_signature(message, cert, dss, algorithms),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match &self.algorithms {
            Some(algorithms) => algorithms.supported_schemes(),
            None => ALL_SCHEMES.to_vec(),
        }
    }
}

/// Errors for which the library has no variant.
#[derive(Debug)]
pub(super) enum CertError {
    Issuer(CertificateError),
    /// The bits of an RSA key, outside [`RSA_BITS`].
    KeySize(usize),
    /// The SHA-256 of a public key that is not pinned, in base64.
    Pin(String),
    /// The end of a message that starts with "certificate".
    Other(&'static str),
}

pub(super) const UNKNOWN_ISSUER: &str =
    "issuer is not trusted; if it is a private CA, pass its certificate with --ca-file";
const NO_INTERMEDIATES: &str = "issuer is not trusted; pass that of a private CA with --ca-file, \
                     or have the server send its intermediate certificate";
const SELF_SIGNED: &str = "issuer is not trusted: it is self-signed; pass it with --ca-file to trust it";
const TOO_LONG: &str = "chain has more than 6 intermediate certificates";
const NO_CA: &str = "issuer is in --ca-file, but is not a CA; pass the server's own certificate instead";
const WRONG_CA_KEY: &str =
    "has a bad signature: it is not from the CA of that name in --ca-file; was that renewed?";

impl CertError {
    /// Attributes date errors to an issuer, since the dates of the certificate itself have been verified.
    fn attribute_to_issuer(error: Error) -> Error {
        match error {
            Error::InvalidCertificate(
                inner @ (CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYetContext { .. }),
            ) => CertError::Issuer(inner).into(),
            other => other,
        }
    }
}

impl From<CertError> for Error {
    fn from(error: CertError) -> Self {
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
    }
}

impl std::error::Error for CertError {}

impl fmt::Display for CertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("certificate refused")
    }
}
