//! A straightforward decoder of bodies: all bytes at once, one rule after the other.

use crate::wire::http::response::Head;

pub(super) struct Body {
    pub(super) kept: Vec<u8>,
    pub(super) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is complete, or the limit is reached.
    Done,
    /// More bytes must follow; `closes` says whether the close of the connection ends the body.
    Open { closes: bool },
    /// It is malformed.
    Broken,
}

/// Decodes the body in `rest` up to `limit` bytes (RFC 9112 section 6.3).
pub(super) fn read(head: &Head, to_head: bool, rest: &[u8], limit: usize) -> Body {
    let codings: Vec<String> = list(head, "transfer-encoding")
        .into_iter()
        .filter(|coding| !coding.is_empty() && coding != "identity")
        .collect();
    if to_head || head.status == 204 || head.status == 304 {
        return truncate(&[], limit, End::Done);
    }
    if let Some(last) = codings.last() {
        return match &**last {
            "chunked" => chunked(rest, limit),
            _ => truncate(rest, limit, End::Open { closes: true }),
        };
    }
    let length = list(head, "content-length").first().map(|text| text.parse().unwrap_or(u64::MAX));
    match length {
        // The length consists of digits: if it cannot be parsed, it is too large.
        Some(length) if length <= rest.len() as u64 => truncate(&rest[..length as usize], limit, End::Done),
        Some(_) => truncate(rest, limit, End::Open { closes: false }),
        None => truncate(rest, limit, End::Open { closes: true }),
    }
}

/// The elements of a list in lower case.
fn list(head: &Head, name: &str) -> Vec<String> {
    let values: Vec<&str> = head.headers.get_all(name).collect();
    let element = |text: &str| text.trim_matches([' ', '\t']).to_ascii_lowercase();
    values.iter().flat_map(|value| value.split(',')).map(element).collect()
}

/// Truncates a body to the limit; later bytes do not matter then.
fn truncate(bytes: &[u8], limit: usize, end: End) -> Body {
    match bytes.get(..limit) {
        Some(enough) => Body { kept: enough.to_vec(), end: End::Done },
        None => Body { kept: bytes.to_vec(), end },
    }
}

/// The chunked coding (RFC 9112 section 7.1), line by line.
fn chunked(mut rest: &[u8], limit: usize) -> Body {
    let mut data = Vec::new();
    let mut overhead = 0;
    loop {
        let size = match size_line(&mut rest, &mut overhead) {
            Ok(size) => size,
            Err(end) => return truncate(&data, limit, end),
        };
        if size == 0 {
            return truncate(&data, limit, trailers(rest, overhead));
        }
        let here = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        data.extend_from_slice(&rest[..here]);
        rest = &rest[here..];
        rest = match rest {
            [b'\n', after @ ..] | [b'\r', b'\n', after @ ..] if here as u64 == size => after,
            [] | [b'\r'] => return truncate(&data, limit, MORE),
            _ => return truncate(&data, limit, End::Broken),
        };
    }
}

const MORE: End = End::Open { closes: false };

/// The limit of padding, extensions and trailers, in bytes.
const OVERHEAD_MAX: usize = 256 * 1024;

/// `HEX{1,16} BLANK* (";" TEXT*)? CR? LF`.
fn size_line(rest: &mut &[u8], overhead: &mut usize) -> Result<u64, End> {
    let line = *rest;
    let count = |from: usize, is: fn(u8) -> bool| line[from..].iter().take_while(|byte| is(**byte)).count();
    let digits = count(0, |byte| byte.is_ascii_hexdigit());
    let mut at = digits + count(digits, |byte| byte == b' ' || byte == b'\t');
    if digits == 0 {
        return Err(if line.is_empty() { MORE } else { End::Broken });
    }
    if digits > 16 {
        return Err(End::Broken);
    }
    *overhead += at - digits;
    if line.get(at) == Some(&b';') {
        let text = count(at + 1, |byte| byte == b'\t' || (b' '..=b'~').contains(&byte) || byte >= 0x80);
        *overhead += text;
        at += 1 + text;
    }
    if *overhead > OVERHEAD_MAX {
        return Err(End::Broken);
    }
    if line.get(at) == Some(&b'\r') {
        at += 1;
    }
    match line.get(at) {
        Some(b'\n') => {
            *rest = &rest[at + 1..];
            let text = std::str::from_utf8(&line[..digits]).expect("digits");
            Ok(u64::from_str_radix(text, 16).expect("a size"))
        }
        None => Err(MORE),
        _ => Err(End::Broken),
    }
}

/// Trailer fields, each with a colon and possibly continuation lines that begin with a blank, up to an empty line.
fn trailers(rest: &[u8], mut overhead: usize) -> End {
    for (number, line) in rest.split_inclusive(|byte| *byte == b'\n').enumerate() {
        overhead += line.len();
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let has_end = text.len() < line.len();
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let has_end_or_cr = text.len() < line.len();
        if overhead > OVERHEAD_MAX || text.contains(&0) || text.contains(&b'\r') {
            return End::Broken;
        }
        if text.is_empty() && has_end {
            return End::Done;
        }
        let continues = number > 0 && matches!(text.first(), Some(b' ' | b'\t'));
        if has_end_or_cr && !text.is_empty() && !continues && !text.contains(&b':') {
            return End::Broken;
        }
    }
    MORE
}
