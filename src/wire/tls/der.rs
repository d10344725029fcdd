//! Parses the fields of a certificate that the library does not expose.

/// The tag of a `[0] EXPLICIT` element, the version field of a certificate.
const VERSION: u8 = 0xa0;
/// The tag of a `[3] EXPLICIT` element, the extensions of a certificate.
const EXTENSIONS: u8 = 0xa3;
const BOOLEAN: u8 = 1;
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
    pub(super) subject: &'a [u8],
    /// subjectPublicKeyInfo.
    pub(super) key: &'a [u8],
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
        let (_, _, rest) = element(rest)?;
        let (_, subject, rest) = element(rest)?;
        let (_, key, rest) = element(rest)?;
        Some(Fields { issuer, subject, key, rest: versioned.then_some(rest) })
    }

    /// Whether issuer and subject are the same name, as in self-signed certificates.
    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
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

/// The last byte of the identifier and the value, without tag and length, of `SEQUENCE { id,
/// critical BOOLEAN DEFAULT FALSE, value OCTET STRING }`; `None` for extensions outside RFC 5280.
fn extension(der: &[u8]) -> Option<(u8, &[u8])> {
    let (_, &[0x55, 0x1d, id], rest) = element(der)? else { return None };
    let (tag, value, after) = element(rest)?;
    let value = if tag == BOOLEAN { element(after)?.1 } else { value };
    Some((id, element(value)?.1))
}

/// The size of an RSA key in bits; `None` for another kind of key.
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
