//! PEM texts with certificates and private keys.

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::der::Fields;

const BEGIN: &[u8] = b"-----BEGIN ";
const CERTIFICATE: &[u8] = b"CERTIFICATE-";
const PRIVATE_KEY: &[u8] = b"PRIVATE KEY-----";

/// Numbered certificates. Other sections are not decoded: an encrypted key is not plain base64.
pub(super) fn certificates(
    pem: &[u8],
) -> impl Iterator<Item = (usize, Result<CertificateDer<'static>, String>)> {
    let sections = sections(pem).filter(|section| section[BEGIN.len()..].starts_with(CERTIFICATE));
    (1..).zip(sections).map(|(number, section)| {
        let certificate = CertificateDer::from_pem_slice(section);
        let described = |error| format!("certificate {number} in the PEM text {}", describe(&error));
        (number, certificate.map_err(described))
    })
}

/// The error for a text without certificate.
pub(super) fn no_certificate(pem: &[u8]) -> String {
    let convert = "not PEM but DER; convert it with: openssl x509 -inform der -in FILE -out FILE.pem";
    match is_der(pem) {
        true => convert.to_owned(),
        false => "no certificate in the PEM text (no \"-----BEGIN CERTIFICATE-----\")".to_owned(),
    }
}

/// What is wrong with a client certificate.
#[derive(Debug)]
pub(crate) enum ClientCertError {
    Cert(String),
    Key(String),
}

/// A client certificate, the first of `certificate`, with its chain and its key.
pub(super) fn client_certificate(certificate: &[u8], key: &[u8]) -> Result<CertifiedKey, ClientCertError> {
    let chain: Result<Vec<_>, _> = certificates(certificate).map(|(_, certificate)| certificate).collect();
    let chain = chain.map_err(ClientCertError::Cert)?;
    if chain.is_empty() {
        return Err(ClientCertError::Cert(no_certificate(certificate)));
    }
    let key = private_key(key).map_err(ClientCertError::Key)?;
    let unsupported = |_| "the key is not supported; P-256, P-384, Ed25519 and RSA of 2048 bits or more are";
    let key =
        any_supported_type(&key).map_err(|error| ClientCertError::Key(unsupported(error).to_owned()))?;
    // Whether the certificate is acceptable is up to the server.
    let Some(fields) = Fields::of(&chain[0]) else {
        return Err(ClientCertError::Cert("certificate 1 in the PEM text is malformed".to_owned()));
    };
    match key.public_key() {
        Some(public) if *public != *fields.key_info => {
            Err(ClientCertError::Key("the key is not that of the certificate".to_owned()))
        }
        _ => Ok(CertifiedKey::new(chain, key)),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let is_key = |section: &&[u8]| {
        let line = section.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        line.trim_ascii_end().ends_with(PRIVATE_KEY)
    };
    let Some(section) = sections(pem).find(is_key) else {
        return Err(match is_der(pem) {
            true => {
                "not PEM but DER; convert it with: openssl pkey -inform der -in FILE -out FILE.pem".to_owned()
            }
            false => "no private key in the PEM text (no \"-----BEGIN PRIVATE KEY-----\")".to_owned(),
        });
    };
    let end = section.windows(9).position(|window| window == b"-----END ").unwrap_or(section.len());
    if section[..end].windows(9).any(|window| window == b"ENCRYPTED") {
        return Err("the key is encrypted; decrypt it with: openssl pkey -in FILE -out FILE.key".to_owned());
    }
    PrivateKeyDer::from_pem_slice(section).map_err(|error| format!("the key {}", describe(&error)))
}

/// The text from each BEGIN line on.
fn sections(pem: &[u8]) -> impl Iterator<Item = &[u8]> {
    let begins = pem.windows(BEGIN.len()).enumerate().filter(|(_, window)| *window == BEGIN);
    let at_line_start = |at: &usize| !matches!(pem.get(at.wrapping_sub(1)), Some(b' '..=b'~'));
    begins.map(|(at, _)| at).filter(at_line_start).map(|at| &pem[at..])
}

/// Whether it begins with the tag SEQUENCE.
fn is_der(text: &[u8]) -> bool {
    text.first() == Some(&0x30)
}

fn describe(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "has no END line",
        pem::Error::IllegalSectionStart { .. } => "has a malformed BEGIN line",
        pem::Error::Base64Decode(_) => "is not proper base64",
        _ => "cannot be read",
    }
}
