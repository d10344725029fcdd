//! Names, strings and addresses as dig prints them.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::wire::dns::Name;

impl Name {
    /// The name with its final dot, as [`Name::parse_escaped`] reads it.
    pub(crate) fn escaped(&self) -> String {
        let mut text = String::new();
        push_name(&mut text, self.wire());
        text
    }
}

/// Appends a name in wire format, with its final dot.
pub(super) fn push_name(out: &mut String, wire: &[u8]) {
    let mut rest = wire;
    let start = out.len();
    while let Some((length @ 1.., after)) = rest.split_first() {
        let Some((label, next)) = after.split_at_checked(usize::from(*length)) else { break };
        for byte in label {
            match byte {
                b'"' | b'(' | b')' | b'.' | b';' | b'\\' | b'@' | b'$' => {
                    out.extend(['\\', char::from(*byte)])
                }
                b'!'..=b'~' => out.push(char::from(*byte)),
                byte => push_decimal(out, *byte),
            }
        }
        out.push('.');
        rest = next;
    }
    if out.len() == start {
        out.push('.');
    }
}

/// Appends a string in quotes.
pub(crate) fn push_quoted(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => out.push(char::from(*byte)),
            byte => push_decimal(out, *byte),
        }
    }
    out.push('"');
}

fn push_decimal(out: &mut String, byte: u8) {
    out.push('\\');
    out.extend([byte / 100, byte / 10 % 10, byte % 10].map(|digit| char::from(b'0' + digit)));
}

/// As `inet_ntop`, which dig uses: an IPv4-compatible address (RFC 4291 section 2.5.5.1) ends with an IPv4 address.
pub(crate) fn ipv6(address: Ipv6Addr) -> String {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
            format!("::{}", Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
        }
        _ => address.to_string(),
    }
}
