//! ICMP and ICMPv6: echo requests, their replies, and errors about them (RFC 792, RFC 4443).

use std::net::IpAddr;

use crate::result::{Failure, Reason};

/// Type, code, checksum, identifier and sequence number.
const HEADER: usize = 8;
const COOKIE: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V4,
    V6,
}

impl Version {
    pub(crate) fn of(address: IpAddr) -> Version {
        if address.is_ipv4() { Version::V4 } else { Version::V6 }
    }

    fn echo_request(self) -> u8 {
        if self == Version::V4 { 8 } else { 128 }
    }

    fn echo_reply(self) -> u8 {
        if self == Version::V4 { 0 } else { 129 }
    }
}

/// What identifies an echo request and its reply. The identifier of the message does not: on a ping socket the kernel
/// replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Echo {
    pub(crate) sequence: u16,
    /// The first bytes of the payload. A random number distinguishes the replies to this attempt from those to other
    /// processes and to earlier attempts.
    pub(crate) cookie: u64,
}

impl Echo {
    /// The request with this many bytes of payload, at least those of the cookie. The checksum is zero.
    pub(crate) fn request(self, version: Version, size: usize) -> Vec<u8> {
        let mut message = Vec::with_capacity(HEADER + size.max(COOKIE));
        let cookie = self.cookie.to_be_bytes();
        message.extend([version.echo_request(), 0, 0, 0, cookie[0], cookie[1]]);
        message.extend(self.sequence.to_be_bytes());
        message.extend(cookie);
        message.extend((COOKIE..size).map(|at| at as u8));
        message
    }

    /// The echo that `message` is the reply to.
    pub(crate) fn of_reply(version: Version, message: &[u8]) -> Option<Echo> {
        let is_intact = || version == Version::V6 || checksum(message) == 0; // The kernel checks that of ICMPv6.
        match message {
            [kind, 0, ..] if *kind == version.echo_reply() && is_intact() => {
                Some(Echo { sequence: sequence(message)?, cookie: cookie(message)? })
            }
            _ => None,
        }
    }

    /// Whether `message`, the beginning of a message that an ICMP error quotes, is a request of these. Old routers
    /// quote eight bytes only, without the cookie.
    pub(crate) fn is_quoted(self, version: Version, message: &[u8]) -> bool {
        message.starts_with(&[version.echo_request(), 0])
            && sequence(message) == Some(self.sequence)
            && cookie(message).is_none_or(|cookie| cookie == self.cookie)
    }
}

fn sequence(message: &[u8]) -> Option<u16> {
    message.get(6..HEADER)?.try_into().ok().map(u16::from_be_bytes)
}

fn cookie(message: &[u8]) -> Option<u64> {
    message.get(HEADER..HEADER + COOKIE)?.try_into().ok().map(u64::from_be_bytes)
}

/// The Internet checksum (RFC 1071); zero for a message that contains its correct checksum.
fn checksum(message: &[u8]) -> u16 {
    let words = message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    // At most 32 Ki words: the sum does not overflow.
    let sum = words.sum::<u32>();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

/// A copy of an ICMP message for IPv4 with its checksum.
pub(crate) fn with_checksum(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    if let Some(field) = message.get_mut(2..4) {
        field.fill(0);
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    message
}

/// The length of the IPv4 header of an ICMP packet, and its time to live.
pub(crate) fn ipv4_header(packet: &[u8]) -> Option<(usize, u8)> {
    const ICMP: u8 = 1;
    let header = packet.first_chunk::<20>()?;
    let length = usize::from(header[0] & 15) * 4;
    (header[0] >> 4 == 4 && (20..=packet.len()).contains(&length) && header[9] == ICMP)
        .then_some((length, header[8]))
}

/// The failure that an ICMP error about a request means; `None` if a reply can still follow. `from` is its sender,
/// `own` the address from which the request was sent.
pub(crate) fn failure(
    version: Version,
    kind: u8,
    code: u8,
    from: Option<IpAddr>,
    own: Option<IpAddr>,
) -> Option<Failure> {
    let is_local = from.is_some() && from == own;
    let by = match from {
        Some(_) if is_local => ", reported by this machine".to_owned(),
        Some(from) => format!(", reported by {from}"),
        None => String::new(),
    };
    let (reason, what) = match (version, kind, code) {
        (Version::V4, 11, 0) => (Reason::TtlExceeded, "time to live exceeded"),
        (Version::V6, 3, 0) => (Reason::TtlExceeded, "hop limit exceeded"),
        // ARP or neighbour discovery has failed.
        (Version::V4, 3, 1) | (Version::V6, 1, 3) if is_local => {
            let detail = "host unreachable: it, or the router to it, does not answer on the local network";
            return Some(Failure::new(Reason::Unreachable, detail));
        }
        _ => (Reason::Unreachable, unreachable(version, kind, code)?),
    };
    Some(Failure::new(reason, format!("{what}{by}")))
}

fn unreachable(version: Version, kind: u8, code: u8) -> Option<&'static str> {
    Some(match (version, kind, code) {
        (Version::V4, 3, 0 | 6) => "network unreachable",
        (Version::V4, 3, 1 | 7) => "host unreachable",
        (Version::V4, 3, 2) => "protocol unreachable",
        (Version::V4, 3, 3) | (Version::V6, 1, 4) => "port unreachable",
        (Version::V4, 3, 4) | (Version::V6, 2, _) => "packet too big",
        (Version::V4, 3, 9 | 10 | 13) | (Version::V6, 1, 1 | 5) => "administratively prohibited",
        (Version::V6, 1, 0) => "no route to host",
        (Version::V6, 1, 3) => "host unreachable",
        (Version::V6, 1, 6) => "route rejected",
        (Version::V4, 3, _) | (Version::V6, 1, _) => "destination unreachable",
        (Version::V4, 11, _) | (Version::V6, 3, _) => "fragment reassembly time exceeded",
        (Version::V4, 12, _) | (Version::V6, 4, _) => "parameter problem",
        // Redirects and source quench: the request is on its way.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO: Echo = Echo { sequence: 0x0102, cookie: 0x1112_1314_1516_1718 };

    /// The message that a host returns.
    fn reply(version: Version, size: usize) -> Vec<u8> {
        let mut message = ECHO.request(version, size);
        message[0] = version.echo_reply();
        with_checksum(&message)
    }

    #[test]
    fn a_request_has_the_form_of_the_rfcs() {
        assert_eq!(
            with_checksum(&ECHO.request(Version::V4, 17)),
            b"\x08\0\x59\x67\x11\x12\x01\x02\x11\x12\x13\x14\x15\x16\x17\x18\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
        );
        assert_eq!(
            ECHO.request(Version::V6, 0),
            b"\x80\0\0\0\x11\x12\x01\x02\x11\x12\x13\x14\x15\x16\x17\x18"
        );
        assert_eq!(ECHO.request(Version::V4, 1400).len(), 1408);
    }

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        assert_eq!(checksum(b"\0\x01\xf2\x03\xf4\xf5\xf6\xf7"), !0xddf2);
        assert_eq!(checksum(b"\xff\xff\xff\xff\x01"), !0x0100);
        assert_eq!((checksum(b""), checksum(&[0xff; 65536])), (0xffff, 0));
        assert_eq!(with_checksum(b"abc"), b"abc", "too short for a checksum");
    }

    #[test]
    fn only_the_complete_reply_is_accepted() {
        for version in [Version::V4, Version::V6] {
            let message = reply(version, 16);
            assert_eq!(Echo::of_reply(version, &message), Some(ECHO));
            for end in 0..HEADER + COOKIE {
                assert_eq!(Echo::of_reply(version, &message[..end]), None, "{end} bytes");
            }
            for bit in 0..message.len() * 8 {
                let mut changed = message.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let echo = Echo::of_reply(version, &changed);
                // Identifier, checksum (IPv6) and the payload after the cookie do not matter.
                let is_free = version == Version::V6 && matches!(bit / 8, 2..6 | 16..);
                assert_eq!(echo == Some(ECHO), is_free, "{version:?} bit {bit}");
            }
            let request = with_checksum(&ECHO.request(version, 16));
            assert_eq!(Echo::of_reply(version, &request), None, "its own request, over loopback");
        }
    }

    #[test]
    fn a_quoted_request_is_recognised_by_sequence_and_cookie() {
        for version in [Version::V4, Version::V6] {
            let quoted = ECHO.request(version, 40);
            for end in 0..quoted.len() {
                assert_eq!(ECHO.is_quoted(version, &quoted[..end]), end >= HEADER, "{end}");
            }
            assert!(!Echo { cookie: 1, ..ECHO }.is_quoted(version, &quoted));
            assert!(!Echo { sequence: 1, ..ECHO }.is_quoted(version, &quoted));
            assert!(!ECHO.is_quoted(version, &reply(version, 40)));
        }
    }

    #[test]
    fn the_header_of_a_raw_packet_is_measured() {
        let mut packet = [0; 60];
        (packet[0], packet[8], packet[9]) = (0x45, 57, 1);
        assert_eq!(ipv4_header(&packet), Some((20, 57)));
        assert_eq!(ipv4_header(&packet[..20]), Some((20, 57)));
        assert_eq!(ipv4_header(&packet[..19]), None);
        packet[0] = 0x4f;
        assert_eq!((ipv4_header(&packet), ipv4_header(&packet[..59])), (Some((60, 57)), None));
        for first in [0x44, 0x65, 0] {
            packet[0] = first;
            assert_eq!(ipv4_header(&packet), None);
        }
        (packet[0], packet[9]) = (0x45, 17);
        assert_eq!(ipv4_header(&packet), None, "UDP");
    }

    #[test]
    fn errors_are_failures_unless_a_reply_can_follow() {
        let router = Some(IpAddr::from([10, 0, 0, 1]));
        let own = IpAddr::from([10, 0, 0, 2]);
        let text = |version, kind, code, from| {
            failure(version, kind, code, from, Some(own)).map(|failure| (failure.reason, failure.detail))
        };
        let unreachable = |text: &str| Some((Reason::Unreachable, text.to_owned()));
        assert_eq!(
            text(Version::V4, 11, 0, router),
            Some((Reason::TtlExceeded, "time to live exceeded, reported by 10.0.0.1".to_owned()))
        );
        assert_eq!(
            text(Version::V6, 3, 0, None),
            Some((Reason::TtlExceeded, "hop limit exceeded".to_owned()))
        );
        assert_eq!(text(Version::V4, 3, 1, router), unreachable("host unreachable, reported by 10.0.0.1"));
        assert_eq!(text(Version::V6, 1, 3, None), unreachable("host unreachable"));
        let silent = "host unreachable: it, or the router to it, does not answer on the local network";
        for (version, kind, code) in [(Version::V4, 3, 1), (Version::V6, 1, 3)] {
            assert_eq!(text(version, kind, code, Some(own)), unreachable(silent));
        }
        let rejected = unreachable("port unreachable, reported by this machine");
        assert_eq!(text(Version::V4, 3, 3, Some(own)), rejected);
        assert_eq!(text(Version::V4, 3, 99, None), unreachable("destination unreachable"));
        // Redirect, source quench, echo; in ICMPv6, neighbour discovery and echo.
        for kind in [0, 4, 5, 8, 9] {
            assert_eq!(text(Version::V4, kind, 0, router), None);
        }
        for kind in [0, 128, 129, 134, 137] {
            assert_eq!(text(Version::V6, kind, 0, router), None);
        }
    }
}
