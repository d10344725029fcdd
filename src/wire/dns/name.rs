//! Domain names: as text and in messages.

use std::fmt;

/// The longest label, in bytes (RFC 1035 section 2.3.4).
const LABEL_MAX: usize = 63;
/// The longest name on the wire, length bytes included (RFC 1035 section 2.3.4).
const NAME_MAX: usize = 255;
/// Limit of compression pointers per name (RFC 9267 section 2).
const JUMPS_MAX: usize = 32;

/// A domain name in lower case: length-prefixed labels and the root's zero byte, uncompressed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(Vec<u8>);

impl Name {
    /// Parses a name without its final dot. Labels may have ASCII alphanumerics, hyphens and underscores, the
    /// latter because they are in use; every other character is an error.
    pub(crate) fn parse(text: &str) -> Option<Name> {
        if text.len() > NAME_MAX - 2 {
            return None;
        }
        let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let mut wire = Vec::with_capacity(text.len() + 2);
        for label in text.split('.') {
            if label.is_empty() || label.len() > LABEL_MAX || !label.bytes().all(is_valid) {
                return None;
            }
            wire.push(u8::try_from(label.len()).ok()?);
            wire.extend(label.bytes().map(|b| b.to_ascii_lowercase()));
        }
        wire.push(0);
        Some(Name(wire))
    }

    /// Parses a name in the format of zone files (RFC 1035 section 5.1): `\.` and `\DDD` are escapes, the final dot is
    /// optional, `.` is the root.
    pub(crate) fn parse_escaped(text: &str) -> Option<Name> {
        if text == "." {
            return Some(Name(vec![0]));
        }
        let (mut wire, mut label) = (Vec::with_capacity(text.len() + 2), Vec::new());
        let mut rest = text.as_bytes();
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            match (byte, after) {
                (b'.', _) => push_label(&mut wire, &mut label)?,
                (b'\\', [b'0'..=b'9', ..]) => {
                    let (digits, after) = after.split_at_checked(3)?;
                    label.push(std::str::from_utf8(digits).ok()?.parse().ok()?);
                    rest = after;
                }
                (b'\\', after) => {
                    let (byte, after) = after.split_first()?;
                    label.push(*byte);
                    rest = after;
                }
                (byte, _) => label.push(*byte),
            }
        }
        if !label.is_empty() {
            push_label(&mut wire, &mut label)?;
        }
        if wire.is_empty() || wire.len() >= NAME_MAX {
            return None;
        }
        wire.push(0);
        wire.make_ascii_lowercase();
        Some(Name(wire))
    }

    /// Decodes the name at `start` of a message, like [`read_exact`].
    pub(crate) fn read(message: &[u8], start: usize) -> Option<(Name, usize)> {
        let (mut wire, end) = read_exact(message, start)?;
        // No length is as great as the code of a letter.
        wire.make_ascii_lowercase();
        Some((Name(wire), end))
    }

    pub(super) fn wire(&self) -> &[u8] {
        &self.0
    }

    /// `None` at the root.
    fn label(&self, at: usize) -> Option<&[u8]> {
        let length = usize::from(*self.0.get(at)?);
        if length == 0 { None } else { self.0.get(at + 1..at + 1 + length) }
    }

    /// Whether the name belongs to multicast DNS: a single label below `local` (RFC 6762 section 3). Longer
    /// names belong to sites that use `local` as a private domain.
    pub(crate) fn is_local(&self) -> bool {
        let domain = b"\x05local\0";
        self.label(0).is_some_and(|host| self.0.len() == 1 + host.len() + domain.len())
            && self.0.ends_with(domain)
    }
}

/// Decodes the name at `start` of a message with the case that it has there. Returns it in wire format, and the
/// position after it. A pointer must point before the part of the name that it ends (RFC 9267 section 2), so that
/// every jump goes backwards and loops are impossible.
pub(super) fn read_exact(message: &[u8], start: usize) -> Option<(Vec<u8>, usize)> {
    let mut wire = Vec::with_capacity(32);
    let mut at = start;
    let mut piece = start;
    let mut end = None;
    for _ in 0..=JUMPS_MAX {
        loop {
            let length = usize::from(*message.get(at)?);
            if length > LABEL_MAX {
                break;
            }
            let label = message.get(at + 1..at + 1 + length)?;
            if wire.len() + 1 + length > NAME_MAX {
                return None;
            }
            wire.push(u8::try_from(length).ok()?);
            wire.extend_from_slice(label);
            at += 1 + length;
            if length == 0 {
                return Some((wire, end.unwrap_or(at)));
            }
        }
        let [high, low] = *message.get(at..at + 2)? else { return None };
        if high < 0xc0 {
            return None;
        }
        let target = usize::from(high & 0x3f) << 8 | usize::from(low);
        if target >= piece {
            return None;
        }
        end = end.or(Some(at + 2));
        (at, piece) = (target, target);
    }
    None
}

fn push_label(wire: &mut Vec<u8>, label: &mut Vec<u8>) -> Option<()> {
    let length =
        u8::try_from(label.len()).ok().filter(|length| (1..=LABEL_MAX).contains(&usize::from(*length)))?;
    wire.push(length);
    wire.append(label);
    Some(())
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut at = 0;
        while let Some(label) = self.label(at) {
            if at > 0 {
                f.write_str(".")?;
            }
            f.write_str(&String::from_utf8_lossy(label))?;
            at += 1 + label.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &[u8], start: usize) -> Option<(String, usize)> {
        Name::read(message, start).map(|(name, end)| (name.to_string(), end))
    }

    #[test]
    fn names_are_written_in_lower_case() {
        assert_eq!(Name::parse("Db_1.Ex-ample").unwrap().wire(), b"\x04db_1\x08ex-ample\0");
        assert_eq!(Name::parse("Db.Example").unwrap().to_string(), "db.example");
    }

    #[test]
    fn invalid_names_are_refused() {
        for text in ["", ".", "a..b", ".a", "a.", "a b", "a\n", "grün.example", "a:b", "[::1]", "a/b", "a%b"]
        {
            assert_eq!(Name::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_length_of_labels_and_names_is_limited() {
        let label = "x".repeat(63);
        assert!(Name::parse(&label).is_some());
        assert!(Name::parse(&"x".repeat(64)).is_none());
        let longest = format!("{label}.{label}.{label}.{}", "y".repeat(61));
        assert_eq!(Name::parse(&longest).unwrap().wire().len(), NAME_MAX);
        assert!(Name::parse(&format!("{longest}y")).is_none());
        let dots = "a.".repeat(126) + "a";
        assert_eq!(Name::parse(&dots).unwrap().wire().len(), NAME_MAX);
    }

    #[test]
    fn names_of_zone_files_are_read_and_written() {
        let longest = "a.".repeat(127);
        for (text, wire, written) in [
            (".", b"\0".as_slice(), "."),
            ("Db.Example", b"\x02db\x07example\0", "db.example."),
            ("db.example.", b"\x02db\x07example\0", "db.example."),
            ("a\\.b.c", b"\x03a.b\x01c\0", "a\\.b.c."),
            ("a b.*.\\000\\255\\065", b"\x03a b\x01*\x03\0\xffa\0", "a\\032b.*.\\000\\255a."),
            ("\\\\.\\\"", b"\x01\\\x01\"\0", "\\\\.\\\"."),
            ("@.$.;.(.)", b"\x01@\x01$\x01;\x01(\x01)\0", "\\@.\\$.\\;.\\(.\\)."),
            (&longest, &[b"\x01a".repeat(127).as_slice(), b"\0"].concat(), &longest),
        ] {
            let name = Name::parse_escaped(text).expect(text);
            assert_eq!((name.wire(), &*name.escaped()), (wire, written), "{text}");
            assert_eq!(Name::parse_escaped(written), Some(name));
        }
        let (label, long) = ("x".repeat(64), "a.".repeat(128));
        for text in ["", "..", ".a", "a..b", "a\\", "a\\2", "a\\25", "a\\256", "a\\1b2", &label, &long] {
            assert_eq!(Name::parse_escaped(text), None, "{text}");
        }
    }

    #[test]
    fn only_single_labels_below_local_are_multicast() {
        for (text, local) in [
            ("nas.local", true),
            ("NAS.LOCAL", true),
            ("local.local", true),
            ("a.b.local", false),
            ("db.corp.local", false),
            ("local", false),
            ("nas.xlocal", false),
            ("local.lan", false),
        ] {
            assert_eq!(Name::parse(text).unwrap().is_local(), local, "{text}");
        }
    }

    #[test]
    fn pointers_are_followed_backwards() {
        let message = b"\x07EXAMPLE\0\x02db\xc0\x00\x03www\xc0\x09\xff";
        assert_eq!(read(message, 0), Some(("example".into(), 9)));
        assert_eq!(read(message, 9), Some(("db.example".into(), 14)));
        assert_eq!(read(message, 14), Some(("www.db.example".into(), 20)));
        assert_eq!(read(message, 20), None);
        for cut in 15..20 {
            assert_eq!(read(&message[..cut], 14), None);
        }
    }

    #[test]
    fn forward_pointers_and_loops_are_refused() {
        assert_eq!(read(b"\xc0\x00", 0), None);
        assert_eq!(read(b"\xc0\x02\0", 0), None);
        assert_eq!(read(b"\x01a\xc0\x00", 0), None);
        assert_eq!(read(b"\x01a\xc0\x04\x01b\xc0\x00", 4), None);
        assert_eq!(read(b"\x40aaaa\0", 0), None);
        assert_eq!(read(b"\x80\x00", 0), None);
    }

    #[test]
    fn jumps_and_length_are_limited() {
        let mut message = vec![0];
        for jump in 0..40u8 {
            message.extend([0xc0, (jump * 2).saturating_sub(1)]);
        }
        assert_eq!(read(&message, 1 + 2 * 31), Some((String::new(), 1 + 2 * 32)));
        assert_eq!(read(&message, 1 + 2 * 32), None);
        let long: Vec<u8> = b"\x01a".repeat(127).into_iter().chain([0]).collect();
        assert_eq!(read(&long, 0).unwrap().1, 255);
        let longer: Vec<u8> = b"\x01a".repeat(128).into_iter().chain([0]).collect();
        assert_eq!(read(&longer, 0), None);
    }

    #[test]
    fn the_length_of_labels_and_names_on_the_wire_is_limited() {
        let label = |len: u8| [vec![len], vec![b'x'; len.into()]].concat();
        assert!(read(&[label(63), vec![0]].concat(), 0).is_some());
        assert!(read(&[label(64), vec![0]].concat(), 0).is_none());
        let name = |last: u8| [label(63), label(63), label(63), label(last), vec![0]].concat();
        assert_eq!(read(&name(61), 0).unwrap().1, NAME_MAX);
        assert!(read(&name(62), 0).is_none());
    }

    #[test]
    fn pointers_have_fourteen_bits_after_the_two_flag_bits() {
        for target in [0x0000, 0x0001, 0x00ff, 0x0100, 0x1234, 0x3ffc] {
            let mut message = vec![0xff; 0x4000];
            message[target..target + 3].copy_from_slice(b"\x01a\0");
            let [high, low] = u16::try_from(target).unwrap().to_be_bytes();
            message.extend([0xc0 | high, low]);
            assert_eq!(read(&message, 0x4000), Some(("a".into(), 0x4002)), "{target:x}");
            for other in [0x40, 0x80] {
                message[0x4000] = other | high;
                assert_eq!(read(&message, 0x4000), None, "{other:x} {target:x}");
            }
        }
    }
}
