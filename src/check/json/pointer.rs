//! JSON pointers (RFC 6901).

use std::fmt;

use super::scan::{Malformed, Scanner, text_of};
use crate::text::{quote, shown};

/// The most parts of a pointer, which limits recursion.
const PARTS_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer(Box<[String]>);

impl Pointer {
    /// The empty pointer refers to the whole document.
    pub(crate) fn parse(text: &str) -> Result<Pointer, String> {
        if text.is_empty() {
            return Ok(Pointer(Box::default()));
        }
        let Some(parts) = text.strip_prefix('/') else {
            return Err(format!("{} does not begin with / (write json:/key or json:/key/0)", quote(text)));
        };
        let parts: Option<Vec<String>> = parts.split('/').map(unescape).collect();
        match parts {
            None => Err(format!("a ~ in {} must be written ~0, and a / in a key ~1", quote(text))),
            Some(parts) if parts.len() > PARTS_MAX => {
                Err(format!("the JSON pointer has more than {PARTS_MAX} parts"))
            }
            Some(parts) => Ok(Pointer(parts.into())),
        }
    }

    /// For a detail.
    pub(super) fn shown(&self) -> String {
        if self.0.is_empty() { "body".to_owned() } else { shown(&self.to_string()) }
    }

    /// The value in a JSON text. Of members with the same name, the last one counts.
    pub(super) fn find<'a>(&self, text: &'a str) -> Result<Option<&'a str>, Malformed> {
        let mut scanner = Scanner::new(text);
        let found = follow(&self.0, &mut scanner)?;
        scanner.end()?;
        Ok(found)
    }
}

/// Reads a value and returns the one in it at these parts.
fn follow<'a>(parts: &[String], scanner: &mut Scanner<'a>) -> Result<Option<&'a str>, Malformed> {
    let Some((part, rest)) = parts.split_first() else { return scanner.value().map(Some) };
    let is_object = match scanner.peek() {
        Some(b'{') => true,
        Some(b'[') => false,
        _ => return scanner.value().map(|_| None),
    };
    let (mut found, mut at, place) = (None, 0, index(part));
    scanner.members(&mut |scanner, name| {
        let is_part = if is_object { is_text(name, part) } else { place == Some(at) };
        at += 1;
        match is_part {
            true => found = follow(rest, scanner)?,
            false => drop(scanner.value()?),
        }
        Ok(())
    })?;
    Ok(found)
}

/// Whether a JSON string has this content.
fn is_text(json: &str, text: &str) -> bool {
    match json.contains('\\') {
        true => text_of(json).is_some_and(|content| content == text),
        false => json.get(1..json.len() - 1) == Some(text),
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| write!(f, "/{}", part.replace('~', "~0").replace('/', "~1")))
    }
}

fn unescape(part: &str) -> Option<String> {
    let mut pieces = part.split('~');
    let mut text = pieces.next()?.to_owned();
    for piece in pieces {
        let rest = match piece.strip_prefix('0') {
            Some(rest) => ('~', rest),
            None => ('/', piece.strip_prefix('1')?),
        };
        text.push(rest.0);
        text.push_str(rest.1);
    }
    Some(text)
}

/// The position of an element: digits without leading zeros (RFC 6901 section 4).
fn index(part: &str) -> Option<u64> {
    let is_index = part == "0" || !part.starts_with(['0', '+']);
    part.parse().ok().filter(|_| is_index)
}
