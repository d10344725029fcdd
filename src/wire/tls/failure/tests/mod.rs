//! What is said of errors of the TLS library.

mod errors;

use std::fmt::Debug;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, Error as LibraryError, InvalidMessage, OtherError};

use super::*;
use crate::result::ProbeResult;
use errors::{Verbatim, declared, errors, source};

/// All that can be known of a connection that fails.
fn situations() -> Vec<Known> {
    let mut situations = Vec::new();
    for greeted in [false, true] {
        for nameless in [false, true] {
            for client_auth in [ClientAuth::NotRequested, ClientAuth::Missing, ClientAuth::Sent] {
                let known = Known { greeted, nameless, verified: false, client_auth };
                situations.extend([known, Known { verified: true, ..known }]);
            }
        }
    }
    situations
}

/// Fails for anything that is not plain words, or that contradicts the reason it comes with.
fn check(failure: &Failure, of: &dyn Debug) {
    let detail = failure.detail.strip_prefix("TLS: ").unwrap();
    assert!(detail.len() > 10 && failure.detail.len() <= ProbeResult::DETAIL_MAX, "{of:?}: {detail}");
    for mark in ["::", "{", "}", "[", "\"", "_", "Error", "Some(", "  ", ": :", "; ;", "variant"] {
        assert!(!detail.contains(mark), "{of:?}: {detail}");
    }
    assert!(!detail.ends_with([' ', ':', ';', ',']), "{of:?}: {detail}");
    for word in detail.split(|c: char| !c.is_ascii_alphanumeric()) {
        let joined = word
            .chars()
            .zip(word.chars().skip(1))
            .any(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase());
        let known = ["ChaCha20", "KiB"].contains(&word);
        assert!(!joined || known, "{of:?}: {word} in {detail}");
    }
    let says = |text: &str| detail.contains(text);
    assert_eq!(
        failure.reason == Reason::TlsExpired,
        says("expired") && !says("revocation list"),
        "{of:?}: {detail}"
    );
    assert_eq!(failure.reason == Reason::TlsNotYetValid, says("not valid"), "{of:?}: {detail}");
    assert_eq!(failure.reason == Reason::TlsName, says("not for "), "{of:?}: {detail}");
    let of_certificate = detail.starts_with("certificate ") || detail.starts_with("issuer's certificate ");
    let reasons =
        [Reason::TlsUntrusted, Reason::TlsExpired, Reason::TlsNotYetValid, Reason::TlsName, Reason::TlsPin];
    assert_eq!(of_certificate, reasons.contains(&failure.reason), "{of:?}: {detail}");
}

fn check_all(error: &LibraryError) {
    for known in situations() {
        check(&explain(error, known), error);
    }
}

#[test]
fn every_error_of_the_library_is_reported_in_words() {
    errors().iter().for_each(check_all);
}

#[test]
fn every_error_of_a_certificate_is_reported_in_words() {
    let file = source("rustls-webpki").join("error.rs");
    let declared = declared(&file, "Error");
    for spelled in ["CaUsedAsEndEntity", "UnsupportedCertVersion"] {
        assert!(declared.contains(spelled), "{spelled} has another name now");
    }
    for variant in &declared {
        // The library's own errors about dates and names come with words of their own.
        if ["CertExpired", "CrlExpired", "CertNotValidYet", "CertNotValidForName"].contains(&&**variant) {
            continue;
        }
        let detail_of = |debug: String| {
            let error = CertificateError::Other(OtherError(Arc::new(Verbatim(debug.leak()))));
            let error = LibraryError::InvalidCertificate(error);
            check_all(&error);
            explain(&error, Known::default()).detail
        };
        let detail = detail_of(variant.clone());
        assert_eq!(detail_of(format!("{variant}(Context {{ id: [1, 2] }})")), detail);
    }
}

#[test]
fn names_of_errors_become_words() {
    for (name, text) in [
        ("UnsupportedCriticalExtension", "unsupported critical extension"),
        ("UnknownCA", "unknown ca"),
        ("UnknownPSKIdentity", "unknown psk identity"),
        ("Tls12NotOffered", "tls12 not offered"),
        ("MissingData(\"ServerHello\")", "missing data"),
        ("Context { id: [1] }", "context"),
        ("peer misbehaved: InvalidKeyShare", "peer misbehaved: invalid key share"),
        ("the supplied max_fragment_size was", "the supplied max fragment size was"),
        ("", ""),
    ] {
        assert_eq!(words(&Verbatim(name)), text);
    }
}

fn detail(error: LibraryError, known: Known) -> String {
    explain(&error, known).detail
}

#[test]
fn a_peer_that_has_greeted_does_speak_tls() {
    let error = LibraryError::InvalidMessage(InvalidMessage::InvalidContentType);
    let known = Known::default();
    assert!(detail(error.clone(), known).contains("does not speak TLS on this port"));
    assert!(!detail(error, Known { greeted: true, ..known }).contains("does not speak TLS"));
}

const NO_COMMON: &str = "TLS: the server refuses the handshake; it may support only cipher suites or curves that \
    pingstate does not (TLS 1.2 with ECDHE and AES-GCM or ChaCha20, or TLS 1.3, is required)";

#[test]
fn a_refusal_is_explained_by_what_was_offered() {
    let alert = |alert, known| detail(LibraryError::AlertReceived(alert), known);
    let failure = |known| alert(AlertDescription::HandshakeFailure, known);
    let known = Known::default();
    assert_eq!(failure(known), NO_COMMON);
    let verified = failure(Known { verified: true, ..known });
    let keys = "; P-521, Ed448 and RSA-PSS keys and SHA-512 with P-256 need --no-verify-tls";
    assert_eq!(verified, format!("{NO_COMMON}{keys}"));
    // After its hello it cannot be the algorithms.
    let greeted = Known { greeted: true, ..known };
    assert_eq!(failure(greeted), "TLS: received fatal alert: handshake failure");
    for (code, text) in [(112, "certificate for this host name"), (80, "certificate for this host name")] {
        assert!(alert(AlertDescription::from(code), known).contains(text));
    }
    for code in [40, 71, 80, 112, 47] {
        let text = alert(AlertDescription::from(code), Known { nameless: true, ..known });
        assert!(text.contains("it may need a host name, which --tls-name sets"), "{text}");
        assert!(!text.contains("for this host name"), "{text}");
    }
    assert_eq!(alert(AlertDescription::from(200), known), "TLS: received fatal alert 200");
}

#[test]
fn a_refusal_of_the_client_certificate_is_explained_by_the_alert() {
    let known = Known { greeted: true, ..Known::default() };
    let refused = |code, client_auth| {
        let alert = LibraryError::AlertReceived(AlertDescription::from(code));
        let failure = explain(&alert, Known { client_auth, ..known });
        (failure.reason == Reason::TlsClientCert).then_some(failure.detail)
    };
    let missing = "TLS: the server requires a client certificate; pass one with --cert and --key";
    let sent = "TLS: the server refuses the client certificate of --cert";
    for (code, why) in [
        (40, ""),
        (41, ""),
        (42, ""),
        (43, ""),
        (44, ": it is revoked"),
        (45, ": its validity has ended, or not begun"),
        (46, ""),
        (48, ": it does not trust the issuer"),
        (49, ""),
        (116, ""),
    ] {
        assert_eq!(refused(code, ClientAuth::Sent), Some(format!("{sent}{why}")), "{code}");
        assert_eq!(refused(code, ClientAuth::Missing).as_deref(), Some(missing), "{code}");
        let unasked = [41, 116].contains(&code).then_some(missing);
        assert_eq!(refused(code, ClientAuth::NotRequested).as_deref(), unasked, "{code}");
    }
    assert_eq!(refused(51, ClientAuth::Sent).as_deref(), Some(sent));
    assert_eq!(refused(51, ClientAuth::Missing), None);
    for code in [0, 10, 20, 47, 50, 70, 80, 90, 112] {
        assert_eq!(refused(code, ClientAuth::Sent), None, "{code}");
    }
}

#[test]
fn algorithms_that_are_not_supported_are_named() {
    // DER of the identifiers, without tag and length of the first element.
    for (id, text) in [
        (&b"\x2a\x86\x48\xce\x3d\x04\x03\x04"[..], "ECDSA with SHA-512"),
        (b"\x2a\x86\x48\xce\x3d\x04\x01", "ECDSA with SHA-1"),
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00", "SHA-1"),
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04\x05\x00", "MD5"),
        (b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23", "P-521"),
        (b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x0a", "secp256k1"),
        (b"\x06\x03\x2b\x65\x71", "Ed448"),
        // Supported, but not together: ECDSA with SHA-256, an RSA key, a P-256 key.
        (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", "an algorithm"),
        (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", "an algorithm"),
        (b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", "an algorithm"),
        (b"", "an algorithm"),
    ] {
        let of_key = CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: Vec::new(),
            public_key_algorithm_id: id.to_vec(),
        };
        let of_signature = CertificateError::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: id.to_vec(),
            supported_algorithms: Vec::new(),
        };
        for error in [of_key, of_signature] {
            let (reason, detail) = certificate("certificate", &error);
            assert_eq!(reason, Reason::TlsUntrusted);
            let text =
                format!("certificate chain uses {text}, which pingstate cannot verify; reissue it with ");
            assert!(detail.starts_with(&text), "{detail}");
        }
    }
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

#[test]
fn names_are_capped_in_number_and_length() {
    let presented: Vec<String> = (0..12).map(|n| format!("DnsName(\"{n}.{}\")", "x".repeat(99))).collect();
    let text = names(&presented);
    assert!(text.ends_with(" and 7 more"), "{text}");
    assert!(text.chars().count() <= NAMES_MAX * (NAME_MAX + 2) + 20, "{text}");
    let text = |len| names(&[format!("DnsName(\"{}\")", "x".repeat(len))]);
    assert_eq!((text(NAME_MAX), text(NAME_MAX + 1)), ("x".repeat(40), printable(&"x".repeat(41), 40)));
    let mixed = ["DnsName(\"*.b.example\")", "DirectoryName", "IpAddress(0::1)", "Unsupported(0x86)"];
    assert_eq!(names(&mixed.map(String::from)), "*.b.example, ::1");
    assert_eq!(names(&["DnsName(\"\u{1b}[2J\")".to_owned()]), "\\u{1b}[2J");
    assert_eq!(names(&[]), "no host (it has no subject alternative name)");
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
        let (reason, detail) = certificate("certificate", &error);
        assert_eq!((reason, detail), (Reason::TlsName, format!("certificate is for c; not for {shown}")));
    }
}

#[test]
fn the_earliest_and_latest_dates_can_be_formatted() {
    assert_eq!(date(at(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(date(at(LAST_SECOND)), "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_eq!(date(at(u64::MAX)), "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_eq!(ago(at(86_399), at(0)), "less than a day ago");
    assert_eq!(ago(at(86_400), at(0)), "1 day ago");
    assert_eq!(ago(at(172_800), at(0)), "2 days ago");
    assert_eq!(ago(at(0), at(172_800)), "less than a day ago");
}
