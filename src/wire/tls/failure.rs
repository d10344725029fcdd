//! Error messages for failed TLS connections.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved};

use super::verify::{CertError, RSA_BITS, UNKNOWN_ISSUER};
use crate::result::{Failure, Reason};
use crate::text::printable;

/// Limits of a certificate's listed names: their number, and the characters of each.
const NAMES_MAX: usize = 5;
const NAME_MAX: usize = 40;
/// 9999-12-31 23:59:59.
const LAST_SECOND: u64 = 253_402_300_799;
const SECONDS_PER_DAY: u64 = 86_400;

const REISSUE: &str = "; reissue it with P-256 and SHA-256, or use --no-verify-tls";

/// The ends of DER-encoded object identifiers of keys and signatures that ring cannot verify.
const UNSUPPORTED: [([u8; 4], &str); 7] = [
    ([0xce, 0x3d, 4, 1], "ECDSA with SHA-1"),
    ([0x3d, 4, 3, 4], "ECDSA with SHA-512"),
    ([0x0d, 1, 1, 4], "MD5"),
    ([0x0d, 1, 1, 5], "SHA-1"),
    ([3, 0x2b, 0x65, 0x71], "Ed448"),
    ([0x81, 4, 0, 0x23], "P-521"),
    ([0x81, 4, 0, 10], "secp256k1"),
];

pub(super) fn failure(reason: Reason, what: &str) -> Failure {
    Failure::new(reason, format!("TLS: {what}"))
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// The server has sent a valid ServerHello.
    pub(super) greeted: bool,
    /// The target is an IP address, which is not sent as server name (RFC 6066 section 3).
    pub(super) nameless: bool,
    /// Signatures are verified, so that fewer algorithms are offered.
    pub(super) verified: bool,
    pub(super) client_auth: ClientAuth,
}

/// What is known of a client certificate when a connection fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ClientAuth {
    #[default]
    NotRequested,
    /// The server requests a certificate, and there is none.
    Missing,
    Sent,
}

pub(super) fn explain(error: &Error, known: Known) -> Failure {
    let what = match error {
        Error::InvalidCertificate(error) => {
            let (reason, what) = certificate("certificate", error);
            return failure(reason, &what);
        }
        Error::AlertReceived(alert) => match client_certificate_refused(*alert, known) {
            Some(what) => return failure(Reason::TlsClientCert, &what),
            None => explain_alert(*alert, error, known),
        },
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            explain_alert(AlertDescription::ProtocolVersion, error, Known::default())
        }
        // The server chose an offered key exchange, but the library cannot use its key in TLS 1.2.
        Error::PeerMisbehaved(PeerMisbehaved::SignedKxWithWrongAlgorithm) => {
            explain_alert(AlertDescription::HandshakeFailure, error, Known::default())
        }
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        ) if !known.greeted => {
            "the server does not speak TLS on this port; is it for http:// or another protocol?".to_owned()
        }
        Error::InvalidMessage(
            InvalidMessage::HandshakePayloadTooLarge | InvalidMessage::CertificatePayloadTooLarge,
        ) => return too_large(),
        other => words(other),
    };
    failure(Reason::TlsProtocol, &what)
}

/// RFC 8446 section 4.4.2 allows 16 MiB of certificates; the library accepts 64 KiB.
pub(super) fn too_large() -> Failure {
    let what = "the server sends more than 64 KiB of certificates; remove those that are not of its chain";
    failure(Reason::TlsProtocol, what)
}

/// The message for an alert about the client certificate; `None` if it is about something else.
fn client_certificate_refused(alert: AlertDescription, known: Known) -> Option<String> {
    let is_required =
        matches!(alert, AlertDescription::CertificateRequired | AlertDescription::NoCertificate);
    let why = match alert {
        AlertDescription::UnknownCA => ": it does not trust the issuer",
        AlertDescription::CertificateExpired => ": its validity has ended, or not begun",
        AlertDescription::CertificateRevoked => ": it is revoked",
        AlertDescription::HandshakeFailure
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied => "",
        // RFC 8446 section 6.2: also a signature that does not match.
        AlertDescription::DecryptError if known.client_auth == ClientAuth::Sent => "",
        _ if is_required => "",
        _ => return None,
    };
    match known.client_auth {
        ClientAuth::NotRequested if !is_required => None,
        ClientAuth::Sent => Some(format!("the server refuses the client certificate of --cert{why}")),
        _ => Some("the server requires a client certificate; pass one with --cert and --key".to_owned()),
    }
}

/// The message for a fatal alert from the server (RFC 8446 section 6), with the likely remedy.
fn explain_alert(alert: AlertDescription, error: &Error, known: Known) -> String {
    let why = match alert {
        AlertDescription::ProtocolVersion => "; it must enable TLS 1.2 or TLS 1.3",
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity if !known.greeted => {
            "; it may support only cipher suites or curves that pingstate does not \
             (TLS 1.2 with ECDHE and AES-GCM or ChaCha20, or TLS 1.3, is required)"
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA => {
            "; it complains about a client certificate, but has not requested one"
        }
        AlertDescription::UnrecognisedName | AlertDescription::InternalError if !known.nameless => {
            "; it may have no certificate for this host name"
        }
        _ => "",
    };
    let mut what = match (why, alert) {
        ("", AlertDescription::Unknown(number)) => format!("received fatal alert {number}"),
        ("", _) => words(error),
        _ => format!("the server refuses the handshake{why}"),
    };
    if !known.greeted {
        what.push_str(match alert {
            _ if known.nameless => "; it may need a host name, which --tls-name sets",
            AlertDescription::HandshakeFailure if known.verified => {
                "; P-521, Ed448 and RSA-PSS keys and SHA-512 with P-256 need --no-verify-tls"
            }
            _ => "",
        });
    }
    what
}

/// The library's text for an error, its variant names as words: `PskExtensionMustBeLast` becomes "psk
/// extension must be last". The fields of a variant are omitted.
pub(super) fn words(error: &dyn fmt::Display) -> String {
    let text = error.to_string();
    let mut words = String::new();
    let mut chars = text.chars().take_while(|c| !"({[\"".contains(*c)).peekable();
    let mut previous = ' ';
    while let Some(c) = chars.next() {
        let ends_acronym =
            previous.is_ascii_uppercase() && chars.peek().is_some_and(char::is_ascii_lowercase);
        let starts_word = ends_acronym || previous.is_ascii_lowercase() || previous.is_ascii_digit();
        if c.is_ascii_uppercase() && starts_word {
            words.push(' ');
        }
        words.push(if c == '_' { ' ' } else { c.to_ascii_lowercase() });
        previous = c;
    }
    words.truncate(words.trim_end().len());
    words
}

/// The message is a sentence about `noun`.
pub(super) fn certificate(noun: &str, error: &CertificateError) -> (Reason, String) {
    let mut reason = Reason::TlsUntrusted;
    let mut detail = String::new();
    let what = match error {
        CertificateError::ExpiredContext { time, not_after } => {
            reason = Reason::TlsExpired;
            detail = format!("{}, {}", date(*not_after), ago(*time, *not_after));
            "expired on "
        }
        // The library reports this for a certificate that ends before it begins.
        CertificateError::Expired => {
            reason = Reason::TlsExpired;
            "has expired, or expires before it becomes valid"
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            reason = Reason::TlsNotYetValid;
            detail = format!("{}, and this machine's clock says {}", date(*not_before), date(*time));
            "not valid before "
        }
        CertificateError::NotValidYet => {
            reason = Reason::TlsNotYetValid;
            "is not valid yet"
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            reason = Reason::TlsName;
            let host = printable(&expected.to_str(), 2 * NAME_MAX);
            detail = format!("{}; not for {host}", names(presented));
            // Without a name the server cannot choose among its certificates.
            let has_names = presented.iter().any(|name| name.starts_with("DnsName("));
            if has_names && matches!(expected, ServerName::IpAddress(_)) {
                detail.push_str("; pass its name with --tls-name");
            }
            "is for "
        }
        CertificateError::NotValidForName => {
            reason = Reason::TlsName;
            "is not for this host"
        }
        CertificateError::UnknownIssuer => UNKNOWN_ISSUER,
        CertificateError::BadEncoding => "is malformed",
        CertificateError::BadSignature => "has a bad signature: it does not match the server's key",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "is not one for servers (its extended key usage lacks server authentication)"
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id: id, .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            public_key_algorithm_id: id,
            ..
        } => {
            detail = format!("{}, which pingstate cannot verify{REISSUE}", algorithm(id));
            "chain uses "
        }
        CertificateError::Other(other) => match other.0.downcast_ref::<CertError>() {
            Some(CertError::Issuer(error)) => return certificate("issuer's certificate", error),
            Some(CertError::KeySize(bits)) => {
                let wrong = if *bits < *RSA_BITS.start() { "short" } else { "long" };
                detail = format!("{bits} bits, which is too {wrong}{REISSUE}");
                "chain has an RSA key of "
            }
            Some(CertError::Pin(digest)) => {
                reason = Reason::TlsPin;
                detail = format!("sha256//{digest}, which is not one of --pin");
                "has the public key "
            }
            Some(CertError::Other(what)) => what,
            None => {
                detail = words(&other.0);
                match &*detail {
                    "ca used as end entity" => {
                        detail.push_str("; reissue it for a server, or pass it with --ca-file")
                    }
                    "unsupported cert version" => detail.push_str("; reissue it with X.509 version 3"),
                    _ => {}
                }
                "is refused: "
            }
        },
        other => {
            detail = words(other);
            "is refused: "
        }
    };
    (reason, format!("{noun} {what}{detail}"))
}

fn algorithm(id: &[u8]) -> &'static str {
    let name = UNSUPPORTED.iter().find(|(oid, _)| id.windows(oid.len()).any(|part| part == oid));
    name.map_or("an algorithm", |(_, name)| name)
}

fn names(presented: &[String]) -> String {
    let mut names = presented.iter().filter_map(|name| host_name(name));
    let listed: Vec<_> = names.by_ref().take(NAMES_MAX).map(|name| printable(&name, NAME_MAX)).collect();
    match (listed.join(", "), names.count()) {
        _ if listed.is_empty() => "no host (it has no subject alternative name)".to_owned(),
        (text, 0) => text,
        (text, more) => format!("{text} and {more} more"),
    }
}

/// Parses the library's format: `DnsName("a.example")` or `IpAddress(0::1)`. Other kinds do not name hosts.
fn host_name(presented: &str) -> Option<String> {
    if let Some(name) = presented.strip_prefix("DnsName(\"") {
        return name.strip_suffix("\")").map(str::to_owned);
    }
    let address = presented.strip_prefix("IpAddress(")?.strip_suffix(')')?;
    Some(address.parse().map_or_else(|_| address.to_owned(), |address: IpAddr| address.to_string()))
}

/// Times after the year 9999, which the format cannot express, become its last second.
fn date(time: UnixTime) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(time.as_secs().min(LAST_SECOND)))
}

fn ago(now: UnixTime, then: UnixTime) -> String {
    match now.as_secs().saturating_sub(then.as_secs()) / SECONDS_PER_DAY {
        0 => "less than a day ago".to_owned(),
        1 => "1 day ago".to_owned(),
        days => format!("{days} days ago"),
    }
}

#[cfg(test)]
mod tests;
