//! The URL of a dns target: `dns://[SERVER[:PORT]]/NAME[?type=T]`, or `dns:NAME[?TYPE=T]` (RFC 4501).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::text::quote;
use crate::wire::dns::Name;
use crate::wire::dns::records::{RecordType, reverse_name};
use crate::wire::http::query::decoded;
use crate::wire::url::{Form, Scheme, Url};

const PORT: u16 = 53;

/// For the form with `//`.
static WITH_SERVER: Scheme = Scheme::new("dns", Form::Server { default_port: Some(PORT), has_path: true });

const FORMS: &str = "expected dns:NAME, dns://SERVER/NAME or dns:NAME?type=MX";

#[derive(Debug, PartialEq, Eq)]
pub(super) struct DnsUrl {
    /// Without it, the configured name server is queried.
    pub(super) server: Option<Url>,
    pub(super) name: Name,
    pub(super) kind: RecordType,
}

impl DnsUrl {
    /// Parses what follows `dns:`. The error is a message of one line.
    pub(super) fn parse(text: &str) -> Result<DnsUrl, String> {
        let (server, rest) = match text.strip_prefix("//") {
            None => (None, text),
            Some(rest) if rest.starts_with('/') => (None, &rest[1..]),
            Some(_) => {
                let url = Url::parse(&format!("dns:{text}"), &[&WITH_SERVER])?;
                let start = text[2..].find(['/', '?', '#']).map_or(text.len(), |at| at + 2);
                let rest = &text[start..];
                (Some(Url { path: String::new(), ..url }), rest.strip_prefix('/').unwrap_or(rest))
            }
        };
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
        let kind = parse_query(query)?;
        Ok(DnsUrl { server, name: parse_name(name, kind)?, kind })
    }

    pub(super) fn shown_name(&self) -> String {
        shown(&self.name)
    }
}

/// The name without its final dot.
fn shown(name: &Name) -> String {
    let mut text = name.escaped();
    if text.len() > 1 {
        text.pop();
    }
    text
}

/// The full URL, which is parsed to the same target.
impl fmt::Display for DnsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            Some(server) => write!(f, "dns://{}/", server.authority())?,
            None => f.write_str("dns:")?,
        }
        for byte in self.shown_name().bytes() {
            match is_plain(byte) {
                true => write!(f, "{}", char::from(byte))?,
                false => write!(f, "%{byte:02X}")?,
            }
        }
        write!(f, "?type={}", self.kind.name())
    }
}

/// Whether a URL contains the byte as it is: others are rare in names, and often mistakes.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'*')
}

fn parse_query(query: &str) -> Result<RecordType, String> {
    let (mut kind, mut class) = (None, None);
    for element in query.split([';', '&']).filter(|element| !element.is_empty()) {
        let (key, value) = element.split_once('=').unwrap_or((element, ""));
        let field = match key.to_ascii_lowercase().as_str() {
            "type" => &mut kind,
            "class" => &mut class,
            _ => return Err(format!("{} is neither type=TYPE nor class=IN", quote(element))),
        };
        if field.replace(value).is_some() {
            return Err(format!("{} is given twice", quote(key)));
        }
    }
    match class {
        Some(class) if !class.eq_ignore_ascii_case("IN") => Err(format!("class {} is not IN", quote(class))),
        _ => kind.map_or(Ok(RecordType::A), |kind| {
            RecordType::parse(kind).map_err(|error| format!("type {error}"))
        }),
    }
}

fn parse_name(encoded: &str, kind: RecordType) -> Result<Name, String> {
    if encoded.is_empty() {
        return Err(format!("there is no name to query: {FORMS}"));
    }
    let is_address =
        |address: &dyn fmt::Display| format!("{address} is an address; for its name use ?type=PTR");
    if let Ok(address) = encoded.strip_suffix('.').unwrap_or(encoded).parse::<IpAddr>() {
        return match kind {
            RecordType::Ptr => Name::parse_escaped(&reverse_name(address)).ok_or_else(String::new),
            _ => Err(is_address(&address)),
        };
    }
    let is_allowed =
        |c: char| u8::try_from(c).is_ok_and(|byte| is_plain(byte) || matches!(byte, b'%' | b'\\'));
    if !encoded.is_ascii() {
        return Err(format!("name {} is not ASCII: write it in punycode (xn--…)", quote(encoded)));
    }
    if let Some(other) = encoded.chars().find(|c| !is_allowed(*c)) {
        let code = other as u32;
        return Err(format!("name {} cannot hold `{other}` (write %{code:02X}): {FORMS}", quote(encoded)));
    }
    let text = decoded(encoded).filter(|text| text.is_ascii());
    let name = text
        .and_then(|text| Name::parse_escaped(&text))
        .ok_or_else(|| format!("{} is not a domain name", quote(encoded)))?;
    // Written with escapes.
    match shown(&name).parse::<Ipv4Addr>() {
        Ok(address) => Err(is_address(&address)),
        Err(_) => Ok(name),
    }
}

#[cfg(test)]
mod tests;
