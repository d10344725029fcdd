//! DNS records as text, dns URLs and the checks of dns targets.

use super::{Source, message};
use crate::probe::Probe;
use crate::probe::build::ProbeBuilder;
use crate::wire::dns::Name;
use crate::wire::dns::records::{RecordQuery, RecordType, Records, Response};

/// One byte chooses the property, one the type of the records.
pub fn records(data: &[u8]) {
    let mut source = Source::new(data);
    let property = source.byte() % 4;
    let kind = *source.choose(&RecordType::ALL);
    let text: &&str = source.choose(&["db.example", ".", "a", "B\\.c.d"]);
    let name = Name::parse_escaped(text).expect("a name");
    let query = RecordQuery { id: 0x1234, name: &name, kind, edns: property == 0 };
    match property {
        0 => drop(read(&query, &with_header(&query, source.rest()))),
        1 => drop(read(&query, &message::answer(&query.write(), &mut source))),
        2 => one_record(&query, source.rest()),
        _ => target(&String::from_utf8_lossy(source.rest())),
    }
}

/// A response with these bytes after the question.
fn with_header(query: &RecordQuery<'_>, rest: &[u8]) -> Vec<u8> {
    let mut message = question(query);
    let (counts, records) = rest.split_at(rest.len().min(3));
    for (at, count) in [7, 9, 11].into_iter().zip(counts) {
        message[at] = *count;
    }
    message.extend(records);
    message
}

fn question(query: &RecordQuery<'_>) -> Vec<u8> {
    let mut message = RecordQuery { edns: false, ..*query }.write();
    message[2..4].copy_from_slice(&[0x81, 0x80]);
    message
}

/// The content, if it is an answer: printable and limited.
fn read(query: &RecordQuery<'_>, message: &[u8]) -> Option<Records> {
    let Response::Records(found) = query.read(message) else { return None };
    assert!(found.rcode == 0 || found.texts.is_empty() && found.soa_serial.is_none());
    assert!(found.texts.iter().map(String::len).sum::<usize>() <= 512 * 1024);
    assert!(found.texts.windows(2).all(|pair| pair[0] < pair[1]));
    for text in found.texts.iter().chain(&found.alias_of) {
        assert!(!text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{text}");
    }
    assert!(found.soa_serial.is_none() || query.kind == RecordType::Soa);
    Some(found)
}

/// The text of a record contains all of its data: encoded again, it gives the same text.
fn one_record(query: &RecordQuery<'_>, data: &[u8]) {
    let record = |data: &[u8]| {
        let mut message = question(query);
        message[7] = 1;
        message.extend(b"\xc0\x0c");
        for word in [query.kind as u16, 1, 0, 60, data.len() as u16] {
            message.extend(word.to_be_bytes());
        }
        message.extend(data);
        read(query, &message)
    };
    let Some(found) = record(data) else { return };
    let [text] = &found.texts[..] else { panic!("{found:?}") };
    let encoded = encoded(query.kind, text);
    // Names may be compressed.
    if !data.iter().any(|byte| *byte >= 0xc0) {
        assert_eq!(encoded, data, "{text}");
    }
    assert_eq!(record(&encoded), Some(found));
}

/// The data of a record with this text.
fn encoded(kind: RecordType, text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    match kind {
        RecordType::A => out.extend(text.parse::<std::net::Ipv4Addr>().expect(text).octets()),
        RecordType::Aaaa => out.extend(text.parse::<std::net::Ipv6Addr>().expect(text).octets()),
        RecordType::Txt => {
            let mut rest = text;
            while !rest.is_empty() {
                let (string, after) = quoted(rest);
                out.push(string.len().try_into().expect(text));
                out.extend(string);
                rest = after.trim_start();
            }
        }
        RecordType::Caa => {
            let [flags, tag, value] = text.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
            out.push(flags.parse().expect(text));
            out.push(tag.len().try_into().expect(text));
            out.extend(tag.as_bytes());
            out.extend(quoted(value).0);
        }
        _ => {
            let size = if kind == RecordType::Soa { 4 } else { 2 };
            for word in text.split(' ') {
                match word.parse::<u32>() {
                    Ok(number) => out.extend(&number.to_be_bytes()[4 - size..]),
                    Err(_) => out.extend(name(word)),
                }
            }
        }
    }
    out
}

/// A name in wire format, with the case of its letters.
fn name(text: &str) -> Vec<u8> {
    let (mut out, mut label) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some((bytes, after)) = character(rest, '.') {
        label.extend(bytes);
        if bytes_end(rest, after) && !label.is_empty() {
            out.push(label.len().try_into().expect(text));
            out.append(&mut label);
        }
        rest = after;
    }
    out.push(0);
    out
}

/// Whether the character between these two positions was the terminator.
fn bytes_end(rest: &str, after: &str) -> bool {
    rest.len() - after.len() == 1 && rest.starts_with('.')
}

/// The byte at the start of the text, without its escape; no byte for the terminator.
fn character(text: &str, terminator: char) -> Option<(Option<u8>, &str)> {
    let mut chars = text.chars();
    Some(match chars.next()? {
        '\\' if chars.as_str().starts_with(|c: char| c.is_ascii_digit()) => {
            let (digits, rest) = chars.as_str().split_at(3);
            (Some(digits.parse().expect("a byte")), rest)
        }
        '\\' => (Some(chars.next()?.try_into().expect("ASCII")), chars.as_str()),
        c if c == terminator => (None, chars.as_str()),
        c => (Some(c.try_into().expect("ASCII")), chars.as_str()),
    })
}

/// The content of the string in quotes at the start of the text, and the rest.
fn quoted(text: &str) -> (Vec<u8>, &str) {
    let mut rest = text.strip_prefix('"').expect("a quote");
    let mut out = Vec::new();
    while let Some((byte, after)) = character(rest, '"') {
        rest = after;
        match byte {
            Some(byte) => out.push(byte),
            None => break,
        }
    }
    (out, rest)
}

/// A target that is valid has a URL and a name that make the same target; an error is one printable line.
fn target(text: &str) {
    let (url, spec) = text.split_once('\0').unwrap_or((text, ""));
    let build = |url: &str| ProbeBuilder::from_url(url).check(spec).build();
    match build(&format!("dns:{url}")) {
        Ok(probe) => {
            assert!(probe.url().bytes().all(|byte| byte.is_ascii_graphic()) && !probe.name().is_empty());
            assert!(!probe.url().contains('@'), "a password");
            let again = build(probe.url()).expect("a valid URL");
            assert_eq!((again.url(), again.name()), (probe.url(), probe.name()));
        }
        Err(error) => {
            let error = error.to_string();
            assert!(!error.contains(char::is_control) && error.chars().count() < 500, "{error:?}");
        }
    }
}
