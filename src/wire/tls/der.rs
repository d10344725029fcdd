//! As much of a certificate's encoding as it takes to see whether it names itself as its issuer.

/// The tag of a `[0] EXPLICIT` element, the version field of a certificate.
const VERSION: u8 = 0xa0;

/// Whether the certificate's issuer and subject are the same name, as those of self-signed ones
/// are. For telling people only: nothing is verified. `false` for anything that cannot be read.
pub(super) fn is_self_issued(certificate: &[u8]) -> bool {
    issuer_and_subject(certificate).is_some_and(|(issuer, subject)| issuer == subject)
}

/// RFC 5280 section 4.1: `SEQUENCE { tbs SEQUENCE { [0] version, serial, algorithm, issuer,
/// validity, subject, … }, … }`.
fn issuer_and_subject(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, certificate, _) = element(certificate)?;
    let (_, tbs, _) = element(certificate)?;
    let (tag, _, after) = element(tbs)?;
    let rest = if tag == VERSION { element(after)?.2 } else { after };
    let (_, _, rest) = element(rest)?;
    let (_, issuer, rest) = element(rest)?;
    let (_, _, rest) = element(rest)?;
    let (_, subject, _) = element(rest)?;
    Some((issuer, subject))
}

/// The tag and content of the first element of `der`, and what follows it. A certificate travels in
/// less than 64 KiB, so lengths have two bytes at most.
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

    #[test]
    fn certificates_of_the_first_version_do_not_tell_their_version() {
        // Serial number, algorithm, issuer, dates and subject.
        let mut der = vec![0x30, 17, 0x30, 15, 2, 1, 5, 0x30, 0, 0x30, 1, 7, 0x30, 2, 8, 8, 0x30, 1, 7];
        assert!(is_self_issued(&der));
        *der.last_mut().unwrap() = 6;
        assert!(!is_self_issued(&der));
    }

    #[test]
    fn tells_self_issued_from_issued_and_survives_every_prefix() {
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
