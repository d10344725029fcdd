//! Parses the fields of a certificate that the library does not expose.

use std::time::Duration;

use super::Validity;

/// The tag of a `[0] EXPLICIT` element, the version field of a certificate.
const VERSION: u8 = 0xa0;
/// The tag of a `[3] EXPLICIT` element, the extensions of a certificate.
const EXTENSIONS: u8 = 0xa3;
const BOOLEAN: u8 = 1;
const UTC_TIME: u8 = 23;
const GENERALIZED_TIME: u8 = 24;
/// The last byte of 2.5.29.15 and 2.5.29.19, extensions of RFC 5280 section 4.2.1.
const KEY_USAGE: u8 = 15;
const BASIC_CONSTRAINTS: u8 = 19;
/// keyCertSign in the first byte of a KeyUsage.
const KEY_CERT_SIGN: u8 = 0x04;
/// rsaEncryption (RFC 8017 appendix A.1), as an element.
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";

/// Fields of a certificate, without tag and length. Nothing is verified.
pub(super) struct Fields<'a> {
    pub(super) issuer: &'a [u8],
    validity: &'a [u8],
    pub(super) subject: &'a [u8],
    /// subjectPublicKeyInfo.
    pub(super) key: &'a [u8],
    /// The same with tag and length.
    pub(super) key_info: &'a [u8],
    /// Everything after the key; `None` in a certificate of version 1.
    rest: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// RFC 5280 section 4.1: `SEQUENCE { tbs SEQUENCE { [0] version, serial, algorithm, issuer,
    /// validity, subject, key, …, [3] extensions }, … }`. `None` if it cannot be parsed.
    pub(super) fn of(certificate: &'a [u8]) -> Option<Fields<'a>> {
        let (_, certificate, _) = element(certificate)?;
        let (_, tbs, _) = element(certificate)?;
        let (tag, _, after) = element(tbs)?;
        let versioned = tag == VERSION;
        let rest = if versioned { element(after)?.2 } else { after };
        let (_, _, rest) = element(rest)?;
        let (_, issuer, rest) = element(rest)?;
        let (_, validity, rest) = element(rest)?;
        let (_, subject, rest) = element(rest)?;
        let (_, key, after) = element(rest)?;
        let key_info = &rest[..rest.len() - after.len()];
        Some(Fields { issuer, validity, subject, key, key_info, rest: versioned.then_some(after) })
    }

    /// As self-signed certificates are.
    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// `None` if it cannot be parsed, begins before 1970 or ends before it begins.
    pub(super) fn validity(&self) -> Option<Validity> {
        let (not_before, rest) = time(self.validity)?;
        let (not_after, rest) = time(rest)?;
        let validity = Validity { not_before, not_after };
        (rest.is_empty() && validity.not_before <= validity.not_after).then_some(validity)
    }

    /// Whether it may sign certificates, by the rules of OpenSSL: basic constraints if present, else key
    /// usage; always in version 1, which has neither.
    pub(super) fn is_ca(&self) -> bool {
        let Some(mut rest) = self.rest else { return true };
        let mut signs = false;
        while let Some((tag, content, after)) = element(rest) {
            if tag == EXTENSIONS {
                rest = element(content).map_or(&[], |(_, list, _)| list);
                continue;
            }
            rest = after;
            match extension(content) {
                Some((BASIC_CONSTRAINTS, value)) => return value.starts_with(&[BOOLEAN, 1, 0xff]),
                Some((KEY_USAGE, &[_, usage, ..])) => signs = usage & KEY_CERT_SIGN != 0,
                _ => {}
            }
        }
        signs
    }
}

/// Reads a time and returns the rest after it. RFC 5280 section 4.1.2.5 allows one form of UTCTime,
/// `YYMMDDHHMMSSZ` from 1950 to 2049, and one of GeneralizedTime, `YYYYMMDDHHMMSSZ`.
fn time(der: &[u8]) -> Option<(Duration, &[u8])> {
    let (tag, text, rest) = element(der)?;
    let digits = text.strip_suffix(b"Z").filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let [second, minute, hour, day, month, short_year] =
        [0, 1, 2, 3, 4, 5].map(|pair| number / 100_u64.pow(pair) % 100);
    let year = match (tag, digits.len()) {
        (UTC_TIME, 12) if short_year < 50 => 2000 + short_year,
        (UTC_TIME, 12) => 1900 + short_year,
        (GENERALIZED_TIME, 14) => number / 10_000_000_000,
        _ => return None,
    };
    let is_leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of_month = match month {
        2 => 28 + u64::from(is_leap_year),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1970 || !(1..=days_of_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Counted from March, so that the leap day is the last day of a year.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = years / 4 - years / 100 + years / 400;
    let days = years * 365 + leap_days + (months * 153 + 2) / 5 + day - 719_469;
    Some((Duration::from_secs(((days * 24 + hour) * 60 + minute) * 60 + second), rest))
}

/// The last byte of the identifier and the value, without tag and length, of `SEQUENCE { id,
/// critical BOOLEAN DEFAULT FALSE, value OCTET STRING }`; `None` for extensions outside RFC 5280.
fn extension(der: &[u8]) -> Option<(u8, &[u8])> {
    let (_, &[0x55, 0x1d, id], rest) = element(der)? else { return None };
    let (tag, value, after) = element(rest)?;
    let value = if tag == BOOLEAN { element(after)?.1 } else { value };
    Some((id, element(value)?.1))
}

/// `None` for another kind of key.
pub(super) fn rsa_bits(key: &[u8]) -> Option<usize> {
    let (_, algorithm, rest) = element(key)?;
    if !algorithm.starts_with(RSA) {
        return None;
    }
    let (_, bits, _) = element(rest)?;
    let (_, numbers, _) = element(bits.get(1..)?)?;
    let (_, modulus, _) = element(numbers)?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let first = modulus.get(zeros)?;
    Some((modulus.len() - zeros) * 8 - first.leading_zeros() as usize)
}

/// The tag and content of the first element of `der`, and the rest. TLS limits a certificate to
/// less than 64 KiB here, so lengths have two bytes at most.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (len, content_at) = match *der.get(1..)? {
        [len @ 0..=0x7f, ..] => (usize::from(len), 2),
        [0x81, len, ..] => (usize::from(len), 3),
        [0x82, high, low, ..] => (usize::from(u16::from_be_bytes([high, low])), 4),
        _ => return None,
    };
    let (content, rest) = der.get(content_at..)?.split_at_checked(len)?;
    Some((*der.first()?, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_elements_of_every_length_form() {
        assert_eq!(element(&[4, 2, 7, 8, 9]), Some((4, &[7, 8][..], &[9][..])));
        assert_eq!(element(&[4, 0]), Some((4, &[][..], &[][..])));
        assert_eq!(element(&[4, 0x81, 1, 7]), Some((4, &[7][..], &[][..])));
        assert_eq!(element(&[4, 0x82, 0, 1, 7, 5]), Some((4, &[7][..], &[5][..])));
        let refused: [&[u8]; 8] = [
            &[],
            &[4],
            &[4, 1],
            &[4, 0x81],
            &[4, 0x82, 0],
            &[4, 0x82, 0, 1],
            &[4, 0x83, 0, 0, 0],
            &[4, 0x80, 0, 0],
        ];
        for der in refused {
            assert_eq!(element(der), None, "{der:?}");
        }
    }

    fn is_self_issued(certificate: &[u8]) -> bool {
        Fields::of(certificate).is_some_and(|fields| fields.is_self_issued())
    }

    #[test]
    fn certificates_of_version_1_have_no_version_field() {
        // Serial number, algorithm, issuer, dates, subject and key.
        let mut der =
            vec![0x30, 19, 0x30, 17, 2, 1, 5, 0x30, 0, 0x30, 1, 7, 0x30, 2, 8, 8, 0x30, 1, 7, 0x30, 0];
        assert!(is_self_issued(&der));
        assert!(Fields::of(&der).unwrap().is_ca());
        der[18] = 6;
        assert!(!is_self_issued(&der));
    }

    fn utc(text: &str) -> Vec<u8> {
        [&[UTC_TIME, text.len() as u8], text.as_bytes()].concat()
    }

    fn generalized(text: &str) -> Vec<u8> {
        [&[GENERALIZED_TIME, text.len() as u8], text.as_bytes()].concat()
    }

    #[test]
    fn times_of_both_forms_are_read() {
        for (der, seconds) in [
            (utc("700101000000Z"), 0),
            (utc("991231235959Z"), 946_684_799),
            (utc("000101000000Z"), 946_684_800),
            (utc("000229123456Z"), 951_827_696),
            (utc("250130012000Z"), 1_738_200_000),
            (utc("491231235959Z"), 2_524_607_999),
            (generalized("20491231235959Z"), 2_524_607_999),
            (generalized("20500101000000Z"), 2_524_608_000),
            (generalized("19700101000000Z"), 0),
            (generalized("20000229000000Z"), 951_782_400),
            (generalized("21000228235959Z"), 4_107_542_399),
            (generalized("21000301000000Z"), 4_107_542_400),
            (generalized("99991231235959Z"), 253_402_300_799),
        ] {
            let text = String::from_utf8_lossy(&der[2..]).into_owned();
            assert_eq!(time(&der), Some((Duration::from_secs(seconds), &[][..])), "{text}");
            for cut in 0..der.len() {
                assert_eq!(time(&der[..cut]), None, "{text} {cut}");
            }
        }
    }

    #[test]
    fn malformed_times_and_those_before_1970_are_refused() {
        for der in [
            utc("500101000000Z"),
            utc("691231235959Z"),
            generalized("19691231235959Z"),
            generalized("00000101000000Z"),
            utc("20250130012000Z"),
            generalized("250130012000Z"),
            utc("2501300120Z"),
            utc("250130012000"),
            utc("250130012000+0000"),
            utc("+50130012000Z"),
            utc("25013001200\u{b2}Z"),
            generalized("20250130012000.5Z"),
            utc("250030012000Z"),
            utc("251330012000Z"),
            utc("250100012000Z"),
            utc("250132012000Z"),
            utc("250431012000Z"),
            utc("250229012000Z"),
            generalized("21000229000000Z"),
            utc("250130240000Z"),
            utc("250130016000Z"),
            utc("250130012060Z"),
            utc("Z"),
            utc(""),
            [&[4, 13], &b"250130012000Z"[..]].concat(),
        ] {
            assert_eq!(time(&der), None, "{:?}", String::from_utf8_lossy(&der));
        }
    }

    #[test]
    fn the_validity_is_that_of_the_library_and_of_no_prefix() {
        use rustls::client::verify_server_cert_signed_by_trust_anchor;
        use rustls::pki_types::UnixTime;
        use rustls::{CertificateError, Error, RootCertStore, server::ParsedCertificate};
        let date = |(year, month, day)| rcgen::date_time_ymd(year, month, day);
        for (not_before, not_after) in [
            ((1970, 1, 1), (1999, 12, 31)),
            ((2000, 2, 29), (2049, 12, 31)),
            ((2024, 3, 1), (2050, 1, 1)),
            ((2049, 12, 31), (2100, 3, 1)),
            ((2050, 1, 1), (9999, 12, 31)),
        ] {
            let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            (params.not_before, params.not_after) = (date(not_before), date(not_after));
            let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            let parsed = ParsedCertificate::try_from(certificate.der()).unwrap();
            // It verifies the dates before the issuer, which is unknown here.
            let verify = |seconds| {
                let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
                let roots = RootCertStore::empty();
                match verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &[], now, &[]) {
                    Err(Error::InvalidCertificate(error)) => error,
                    other => panic!("{other:?}"),
                }
            };
            let Validity { not_before, not_after } =
                Fields::of(certificate.der()).unwrap().validity().unwrap();
            let (first, last) = (not_before.as_secs(), not_after.as_secs());
            assert_eq!(verify(first), CertificateError::UnknownIssuer);
            assert_eq!(verify(last), CertificateError::UnknownIssuer);
            assert!(matches!(verify(last + 1), CertificateError::ExpiredContext { .. }));
            assert!(first == 0 || matches!(verify(first - 1), CertificateError::NotValidYetContext { .. }));
            for cut in 0..certificate.der().len() {
                let prefix = Fields::of(&certificate.der()[..cut]).and_then(|fields| fields.validity());
                assert_eq!(prefix, None, "{cut}");
            }
        }
    }

    #[test]
    fn a_validity_is_two_times_in_order() {
        let validity = |der: &[u8]| {
            Fields { issuer: &[], validity: der, subject: &[], key: &[], key_info: &[], rest: None }
                .validity()
        };
        let [first, last] = ["240101000000Z", "260101000000Z"].map(utc);
        let period = |not_before, not_after| {
            let [not_before, not_after] = [not_before, not_after].map(Duration::from_secs);
            Some(Validity { not_before, not_after })
        };
        assert_eq!(validity(&[&first[..], &last].concat()), period(1_704_067_200, 1_767_225_600));
        assert_eq!(validity(&[&first[..], &first].concat()), period(1_704_067_200, 1_704_067_200));
        assert_eq!(validity(&[&last[..], &first].concat()), None);
        assert_eq!(validity(&[&first[..], &last, &last].concat()), None);
        assert_eq!(validity(&first), None);
        assert_eq!(validity(&[]), None);
    }

    #[test]
    fn basic_constraints_or_else_key_usage_make_a_ca() {
        use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose};
        let constrained = |len| IsCa::Ca(BasicConstraints::Constrained(len));
        for (is_ca, usages, expected) in [
            (IsCa::Ca(BasicConstraints::Unconstrained), &[][..], true),
            (constrained(0), &[], true),
            (constrained(0), &[KeyUsagePurpose::DigitalSignature], true),
            (IsCa::ExplicitNoCa, &[], false),
            (IsCa::ExplicitNoCa, &[KeyUsagePurpose::KeyCertSign], false),
            (IsCa::NoCa, &[], false),
            (IsCa::NoCa, &[KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign], false),
            (IsCa::NoCa, &[KeyUsagePurpose::KeyCertSign], true),
            (IsCa::NoCa, &[KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign], true),
        ] {
            let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            (params.is_ca, params.key_usages) = (is_ca.clone(), usages.to_vec());
            let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            let actual = Fields::of(certificate.der()).unwrap().is_ca();
            assert_eq!(actual, expected, "{is_ca:?} {usages:?}");
        }
    }

    #[test]
    fn the_bits_of_an_rsa_key_are_counted() {
        let key = |oid: &[u8], modulus: &[u8]| {
            let wrap = |tag, content: &[u8]| [&[tag, content.len() as u8], content].concat();
            let numbers = wrap(0x30, &[wrap(2, modulus), vec![2, 1, 3]].concat());
            [wrap(0x30, &[oid, &[5, 0]].concat()), wrap(3, &[&[0], &numbers[..]].concat())].concat()
        };
        for (modulus, bits) in [(&[1][..], 1), (&[0, 0x80, 0], 16), (&[0x7f, 0], 15), (&[0, 0, 1, 0], 9)] {
            assert_eq!(rsa_bits(&key(RSA, modulus)), Some(bits));
        }
        assert_eq!(rsa_bits(&key(RSA, &[0])), None);
        assert_eq!(rsa_bits(&key(b"\x06\x01\x2a", &[1])), None);
        for cut in 0..20 {
            assert_eq!(rsa_bits(&key(RSA, &[1])[..cut]), None);
        }
    }

    #[test]
    fn distinguishes_self_issued_from_issued_and_survives_every_prefix() {
        let key = rcgen::KeyPair::generate().unwrap();
        let ca = rcgen::CertificateParams::new(vec![]).unwrap().self_signed(&key).unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "another name");
        let leaf = params.signed_by(&key, &ca, &key).unwrap();
        assert!(is_self_issued(ca.der()));
        assert!(!is_self_issued(leaf.der()));
        for cut in 0..ca.der().len() {
            assert!(!is_self_issued(&ca.der()[..cut]));
        }
    }
}
