//! Why a connection failed, in words for a person.

use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

use super::verify::Finding;
use crate::verdict::{Failure, Reason, printable};

/// How many of a certificate's names are told.
const NAMES_MAX: usize = 5;
/// The longest name that is told, in characters.
const NAME_MAX: usize = 40;
/// 9999-12-31 23:59:59, the last second that can be written as a date.
const LAST_SECOND: u64 = 253_402_300_799;
const SECONDS_PER_DAY: u64 = 86_400;

const TOO_OLD: &str = "peer speaks only a TLS older than 1.2";

/// A failure of this kind, told as one of TLS.
pub(super) fn failure(reason: Reason, what: &str) -> Failure {
    Failure::new(reason, format!("TLS: {what}"))
}

/// What `error` means. `greeted` if the peer has sent a proper hello before it.
pub(super) fn explain(error: &Error, greeted: bool) -> Failure {
    let what = match error {
        Error::InvalidCertificate(error) => return certificate("certificate", error),
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => TOO_OLD.to_owned(),
        Error::AlertReceived(alert) => format!("the peer refused: {}", alert_name(*alert)),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        ) if !greeted => "peer does not speak TLS".to_owned(),
        other => other.to_string(),
    };
    failure(Reason::TlsProtocol, &what)
}

/// What speaks against a certificate; `noun` says which one.
fn certificate(noun: &str, error: &CertificateError) -> Failure {
    let (reason, what) = match error {
        CertificateError::ExpiredContext { time, not_after } => {
            (Reason::TlsExpired, format!("expired on {}, {}", date(*not_after), ago(*time, *not_after)))
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            let (from, now) = (date(*not_before), date(*time));
            (Reason::TlsNotYetValid, format!("not valid before {from}, and this machine's clock says {now}"))
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let host = printable(&expected.to_str(), 2 * NAME_MAX);
            (Reason::TlsName, format!("is for {}; not for {host}", names(presented)))
        }
        CertificateError::UnknownIssuer => (Reason::TlsUntrusted, "issuer is not trusted".to_owned()),
        CertificateError::BadEncoding => (Reason::TlsUntrusted, "is malformed".to_owned()),
        CertificateError::BadSignature => (Reason::TlsUntrusted, "has a bad signature".to_owned()),
        CertificateError::InvalidPurposeContext { .. } => {
            (Reason::TlsUntrusted, "is not one for servers".to_owned())
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            (Reason::TlsUntrusted, "has a kind of signature that is not supported".to_owned())
        }
        CertificateError::Other(other) => match other.0.downcast_ref::<Finding>() {
            Some(Finding::Issuer(error)) => return certificate("issuer's certificate", error),
            Some(Finding::SelfSigned) => {
                (Reason::TlsUntrusted, "issuer is not trusted: it is self-signed".to_owned())
            }
            None => (Reason::TlsUntrusted, format!("is refused: {other}")),
        },
        other => (Reason::TlsUntrusted, format!("is refused: {other}")),
    };
    failure(reason, &format!("{noun} {what}"))
}

/// The names of a certificate, at most [`NAMES_MAX`] of them.
fn names(presented: &[String]) -> String {
    let mut told = String::new();
    let mut count = 0;
    for name in presented.iter().filter_map(|name| host_name(name)) {
        count += 1;
        if count > NAMES_MAX {
            continue;
        }
        if count > 1 {
            told.push_str(", ");
        }
        told.push_str(&printable(&name, NAME_MAX));
    }
    match count {
        0 => "no host (none in its subjectAltName)".to_owned(),
        1..=NAMES_MAX => told,
        _ => format!("{told} and {} more", count - NAMES_MAX),
    }
}

/// The library hands names over as `DnsName("a.example")` and `IpAddress(0::1)`. Other kinds do not
/// name hosts.
fn host_name(presented: &str) -> Option<String> {
    if let Some(name) = presented.strip_prefix("DnsName(\"") {
        return name.strip_suffix("\")").map(str::to_owned);
    }
    let address = presented.strip_prefix("IpAddress(")?.strip_suffix(')')?;
    Some(address.parse().map_or_else(|_| address.to_owned(), |address: IpAddr| address.to_string()))
}

/// A time as HTTP writes it. Dates beyond the year 9999, which nobody can write, are its last second.
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

/// An alert by the name that RFC 8446 section 6 and its registry give it.
fn alert_name(alert: AlertDescription) -> String {
    let name = match alert {
        AlertDescription::CloseNotify => "close_notify",
        AlertDescription::UnexpectedMessage => "unexpected_message",
        AlertDescription::BadRecordMac => "bad_record_mac",
        AlertDescription::RecordOverflow => "record_overflow",
        AlertDescription::HandshakeFailure => "handshake_failure",
        AlertDescription::IllegalParameter => "illegal_parameter",
        AlertDescription::AccessDenied => "access_denied",
        AlertDescription::DecodeError => "decode_error",
        AlertDescription::DecryptError => "decrypt_error",
        AlertDescription::InsufficientSecurity => "insufficient_security",
        AlertDescription::InternalError => "internal_error",
        AlertDescription::UserCanceled => "user_canceled",
        AlertDescription::MissingExtension => "missing_extension",
        AlertDescription::UnsupportedExtension => "unsupported_extension",
        AlertDescription::UnrecognisedName => "unrecognized_name",
        AlertDescription::CertificateRequired => "certificate_required (it wants a client's certificate)",
        AlertDescription::NoApplicationProtocol => "no_application_protocol",
        other => return format!("alert {}", u8::from(other)),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn names_are_capped_in_number_and_length() {
        let presented: Vec<String> =
            (0..12).map(|n| format!("DnsName(\"{n}.{}\")", "x".repeat(99))).collect();
        let told = names(&presented);
        assert!(told.ends_with(" and 7 more"), "{told}");
        assert!(told.chars().count() <= NAMES_MAX * (NAME_MAX + 2) + 20, "{told}");
        let told = |len| names(&[format!("DnsName(\"{}\")", "x".repeat(len))]);
        assert_eq!((told(NAME_MAX), told(NAME_MAX + 1)), ("x".repeat(40), printable(&"x".repeat(41), 40)));
        let mixed = ["DnsName(\"*.b.example\")", "DirectoryName", "IpAddress(0::1)", "Unsupported(0x86)"];
        assert_eq!(names(&mixed.map(String::from)), "*.b.example, ::1");
        assert_eq!(names(&["DnsName(\"\u{1b}[2J\")".to_owned()]), "\\u{1b}[2J");
        assert_eq!(names(&[]), "no host (none in its subjectAltName)");
    }

    #[test]
    fn the_host_that_was_asked_for_is_capped() {
        use rustls::pki_types::ServerName;
        for len in [80, 81] {
            let host = format!("{}.{}", "a".repeat(40), "b".repeat(len - 41));
            let error = CertificateError::NotValidForNameContext {
                expected: ServerName::try_from(host.clone()).unwrap(),
                presented: vec!["DnsName(\"c\")".to_owned()],
            };
            let shown = printable(&host, 80);
            let detail = certificate("certificate", &error).detail;
            assert_eq!(detail, format!("TLS: certificate is for c; not for {shown}"));
        }
    }

    #[test]
    fn a_peer_that_has_greeted_does_speak_tls() {
        let error = Error::InvalidMessage(InvalidMessage::InvalidContentType);
        assert_eq!(explain(&error, false).detail, "TLS: peer does not speak TLS");
        assert_ne!(explain(&error, true).detail, "TLS: peer does not speak TLS");
    }

    #[test]
    fn a_signature_of_an_odd_kind_is_told_as_such() {
        let error = CertificateError::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: Vec::new(),
            supported_algorithms: Vec::new(),
        };
        let told = "TLS: certificate has a kind of signature that is not supported";
        assert_eq!(certificate("certificate", &error).detail, told);
    }

    #[test]
    fn dates_at_both_ends_of_time_can_be_told() {
        assert_eq!(date(at(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(date(at(LAST_SECOND)), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(date(at(u64::MAX)), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(ago(at(86_399), at(0)), "less than a day ago");
        assert_eq!(ago(at(86_400), at(0)), "1 day ago");
        assert_eq!(ago(at(172_800), at(0)), "2 days ago");
        assert_eq!(ago(at(0), at(172_800)), "less than a day ago");
    }

    #[test]
    fn alerts_are_told_by_their_names_in_the_rfcs_or_by_number() {
        for (code, name) in [
            (0, "close_notify"),
            (10, "unexpected_message"),
            (20, "bad_record_mac"),
            (22, "record_overflow"),
            (40, "handshake_failure"),
            (47, "illegal_parameter"),
            (49, "access_denied"),
            (50, "decode_error"),
            (51, "decrypt_error"),
            (71, "insufficient_security"),
            (80, "internal_error"),
            (90, "user_canceled"),
            (109, "missing_extension"),
            (110, "unsupported_extension"),
            (112, "unrecognized_name"),
            (116, "certificate_required (it wants a client's certificate)"),
            (120, "no_application_protocol"),
        ] {
            assert_eq!(alert_name(AlertDescription::from(code)), name);
        }
        assert_eq!(alert_name(AlertDescription::from(200)), "alert 200");
        let failure = explain(&Error::AlertReceived(AlertDescription::UnrecognisedName), false);
        assert_eq!(failure.detail, "TLS: the peer refused: unrecognized_name");
    }
}
