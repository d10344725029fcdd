//! DNS responses made of arbitrary bytes: mostly well-formed, so that parsing gets past the header, and then corrupted.

use super::Source;

/// A response to the query, made from the bytes of `source`.
pub(super) fn answer(query: &[u8], source: &mut Source<'_>) -> Vec<u8> {
    let mut message = query.to_vec();
    let flags = *source.choose(&[0x81, 0x85, 0x80, 0x83, 0x84, 0x01, 0x89]);
    let rcode = *source.choose(&[0, 0, 0, 0, 3, 2, 5, 1]);
    let count = source.byte() % 24;
    message[2..4].copy_from_slice(&[flags, 0x80 | rcode]);
    message[6..8].copy_from_slice(&[0, count]);
    let mut last_data = 12;
    let authority = source.byte() % 4;
    if authority < count {
        // The last records form the authority section.
        (message[7], message[9]) = (count - authority, authority);
    }
    for _ in 0..count {
        if source.is_empty() {
            break;
        }
        match source.byte() % 5 {
            0 | 1 => message.extend([0xc0, 12]),
            2 => message.extend(name(source)),
            3 => message.extend(pointer(last_data)),
            _ => message.extend(pointer(source.number())),
        }
        let kind: u16 = *source.choose(&[1, 28, 5, 5, 16, 6, 28]);
        let class: u16 = *source.choose(&[1, 1, 1, 0x8001, 3]);
        let ttl_s: u32 = *source.choose(&[60, 0, 5, 0x7fff_ffff, 0x8000_0000, 86_400]);
        let data = match kind {
            1 => vec![192, 0, 2, source.byte()],
            28 => [&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[source.byte()][..]].concat(),
            5 => match source.byte() % 4 {
                0 => pointer(last_data).to_vec(),
                1 => pointer(source.number()).to_vec(),
                _ => name(source),
            },
            _ => source.piece().to_vec(),
        };
        message.extend(kind.to_be_bytes());
        message.extend(class.to_be_bytes());
        message.extend(ttl_s.to_be_bytes());
        message.extend((data.len() as u16).to_be_bytes());
        last_data = message.len();
        message.extend(data);
    }
    for _ in 0..source.byte() % 4 {
        let at = source.number() % message.len();
        message[at] = source.byte();
    }
    if source.byte() % 8 == 1 {
        message.truncate(source.number());
    }
    message
}

/// One of a few names, so that owners and targets match.
fn name(source: &mut Source<'_>) -> Vec<u8> {
    match source.byte() % 6 {
        0 => b"\x02db\x07EXAMPLE\0".to_vec(),
        1 => b"\x03cdn\x07example\0".to_vec(),
        2 => b"\x01a\0".to_vec(),
        3 => b"\x03nas\x05local\0".to_vec(),
        4 => b"\x01b\xc0\x0c".to_vec(),
        _ => [source.piece(), &[0]].concat(),
    }
}

fn pointer(to: usize) -> [u8; 2] {
    (0xc000 | (to & 0x3fff) as u16).to_be_bytes()
}
