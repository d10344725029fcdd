//! Parser of API requests.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use memchr::{memchr, memchr_iter};

use super::accept::prefers_html;
use super::headers::Headers;
use crate::wire::url::without_fragment;

/// The longest request head, in bytes: the default of nginx (`large_client_header_buffers 4 8k`), and more
/// than that of HAProxy (`tune.bufsize`).
pub(crate) const HEAD_MAX: usize = 32 * 1024;
/// The longest line of a head, in bytes: nginx and Apache allow 8 KiB.
const LINE_MAX: usize = 8 * 1024 + 512;
const FIELDS_MAX: usize = 256;
const FIELDS_READ: [&str; 10] = [
    "Accept",
    "Host",
    "Connection",
    "Content-Length",
    "Transfer-Encoding",
    "Last-Event-ID",
    "Expect",
    "Authorization",
    "Origin",
    "Sec-Fetch-Site",
];
/// The longest `Last-Event-ID` that is used, in bytes: the API sends none that is longer.
const EVENT_ID_MAX: usize = 64;
/// The longest values of `Authorization` and `Origin` that are used, in bytes: more than a valid one has.
const VALUE_MAX: usize = 320;
/// The most empty lines that are skipped before a request (RFC 9112 section 2.2 requires one).
const EMPTY_LINES_MAX: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Options,
    Post,
    Other,
}

/// The body that follows a request head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) framing: Framing,
    /// The client waits for an interim response (RFC 9110 section 10.1.1).
    pub(crate) expects_continue: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// More than 0 bytes.
    Length(u64),
    Chunked,
}

/// The parts of a request head that the API uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// As sent, without query and fragment.
    pub(crate) path: String,
    /// As sent, without `?`; empty if there is none.
    pub(crate) query: String,
    pub(crate) http11: bool,
    /// The host as sent, with its port if any. The authority of an absolute-form target overrides the `Host`
    /// field (RFC 9112 section 3.2).
    pub(crate) host: Option<String>,
    /// Whether the connection stays open after the response: the client requests it and sends no body.
    pub(crate) keep_alive: bool,
    pub(crate) last_event_id: Option<String>,
    /// The token of an `Authorization` field of the scheme Bearer (RFC 6750 section 2.1).
    pub(crate) bearer: Option<String>,
    /// The value of `Origin`; empty if it is not valid.
    pub(crate) origin: Option<String>,
    /// A browser states that a page of another origin has caused the request (Fetch Metadata).
    pub(crate) is_cross_site: bool,
    /// The client prefers HTML to JSON.
    pub(crate) prefers_html: bool,
    pub(crate) content: Option<Content>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Partial,
    /// A request and its length in bytes.
    Request(Request, usize),
    /// An invalid request: the status of the response (400, 431, 505). The connection must be closed.
    Refused(u16),
}

/// Parses one request head at the start of `inbox`. Only the first [`HEAD_MAX`] bytes are parsed; a longer
/// head is refused. Until a head is complete, only its first line is parsed: slow clients cost little, and
/// other protocols are refused early.
pub(crate) fn read(inbox: &[u8]) -> Read {
    let window = inbox.get(..HEAD_MAX).unwrap_or(inbox);
    let Some(head) = skip_empty_lines(window) else { return Read::Refused(400) };
    let end = match end_of_head(head) {
        Ok(end) => end,
        Err(status) => return Read::Refused(check_first_line(head).err().unwrap_or(status)),
    };
    let read = end.map(|end| (end, parse(&as_http11(head.get(..end).unwrap_or(head)))));
    if let Some((end, Ok(request))) = read {
        return Read::Request(request, window.len() - head.len() + end);
    }
    if let Err(status) = check_first_line(head) {
        return Read::Refused(status);
    }
    match read {
        Some((_, Err(status))) => Read::Refused(status),
        _ if window.len() == HEAD_MAX => Read::Refused(431),
        _ => Read::Partial,
    }
}

/// Skips empty lines at the start; `None` if there are too many.
fn skip_empty_lines(window: &[u8]) -> Option<&[u8]> {
    let mut rest = window;
    for _ in 0..=EMPTY_LINES_MAX {
        match rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")) {
            Some(after) => rest = after,
            None => return Some(rest),
        }
    }
    None
}

/// `Err` is the status to refuse the request line with, even if it is incomplete.
fn check_first_line(head: &[u8]) -> Result<(), u16> {
    let end = memchr(b'\n', head).map_or(head.len(), |newline| newline + 1).min(LINE_MAX);
    let line = as_http11(head.get(..end).unwrap_or(head));
    let mut request = httparse::Request::new(&mut []);
    let Err(error) = request.parse(&line) else { return Ok(()) };
    // httparse reports a version error for any third word other than HTTP/1.0 or 1.1.
    let mut words = line.splitn(3, |byte| *byte == b' ').skip(2);
    let is_http = matches!(words.next(), Some([b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', ..]));
    Err(if error == httparse::Error::Version && is_http { 505 } else { 400 })
}

/// A later version 1.x is treated as HTTP/1.1 (RFC 9110 section 2.5); httparse rejects it.
fn as_http11(head: &[u8]) -> Cow<'_, [u8]> {
    let line = head.get(..memchr(b'\n', head).unwrap_or(head.len())).unwrap_or(head);
    if let [before @ .., b'2'..=b'9'] = line.strip_suffix(b"\r").unwrap_or(line) {
        if before.ends_with(b" HTTP/1.") {
            let end = head.get(before.len() + 1..).unwrap_or_default();
            return Cow::Owned([before, b"1", end].concat());
        }
    }
    Cow::Borrowed(head)
}

/// The length of the head including its final empty line. The limits on lines bound the cost of a head that
/// arrives byte by byte, which is scanned for each byte.
fn end_of_head(head: &[u8]) -> Result<Option<usize>, u16> {
    let mut start = 0;
    for (line, end) in memchr_iter(b'\n', head).enumerate() {
        if end - start > LINE_MAX || line > FIELDS_MAX {
            return Err(431);
        }
        match head.get(end + 1..) {
            Some([b'\n', ..]) => return Ok(Some(end + 2)),
            Some([b'\r', b'\n', ..]) => return Ok(Some(end + 3)),
            _ => start = end + 1,
        }
    }
    if head.len().saturating_sub(start) > LINE_MAX { Err(431) } else { Ok(None) }
}

/// Parses a complete head. `Err` is the status to refuse it with.
fn parse(head: &[u8]) -> Result<Request, u16> {
    // Not initialized: that takes longer than parsing the usual head.
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut []);
    if let Err(error) = request.parse_with_uninit_headers(head, &mut fields) {
        return Err(if error == httparse::Error::TooManyHeaders { 431 } else { 400 });
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(400);
    };
    let http11 = minor == 1;
    let is_read = |name: &str| FIELDS_READ.iter().any(|read| read.eq_ignore_ascii_case(name));
    let headers = Headers::from_parsed(request.headers.iter().filter(|field| is_read(field.name)));
    // RFC 9112 section 9.3.
    let wants_keep_alive = !headers.has_element("connection", "close")
        && (http11 || headers.has_element("connection", "keep-alive"));
    let framing = framing(&headers)?;
    let expects_continue = http11 && headers.has_element("expect", "100-continue");
    let host_field = host_field(&headers, http11)?;
    let target = without_fragment(target);
    let (target, query) = target.split_once('?').unwrap_or((target, ""));
    let (authority, path) = split_target(target);
    if authority.is_some_and(|authority| !is_authority(authority)) {
        return Err(400);
    }
    Ok(Request {
        method: match method {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "OPTIONS" => Method::Options,
            "POST" => Method::Post,
            _ => Method::Other,
        },
        path: path.to_owned(),
        query: query.to_owned(),
        http11,
        host: authority.or(host_field).map(str::to_owned),
        // The body would be parsed as the next request.
        keep_alive: framing.is_none() && wants_keep_alive,
        last_event_id: headers
            .get("last-event-id")
            .filter(|id| !id.is_empty() && id.len() <= EVENT_ID_MAX)
            .map(str::to_owned),
        bearer: single(&headers, "authorization").and_then(bearer).map(str::to_owned),
        origin: single(&headers, "origin").map(str::to_owned),
        is_cross_site: headers.get_all("sec-fetch-site").any(|site| !matches!(site, "same-origin" | "none")),
        prefers_html: prefers_html(&headers),
        content: framing.map(|framing| Content { framing, expects_continue }),
    })
}

/// The value of a field; empty if it is too long, or one of several.
fn single<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let value = values.next()?;
    Some(if values.next().is_some() || value.len() > VALUE_MAX { "" } else { value })
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start_matches(' '))
}

/// The body that follows the head. Only heartbeats read it; others respond without waiting for it, which RFC 9110
/// section 10.1.1 also allows for `Expect: 100-continue`. A body whose end is unknown is refused (RFC 9112
/// section 6.3).
fn framing(headers: &Headers) -> Result<Option<Framing>, u16> {
    let length = headers.content_length().map_err(|_| 400u16)?;
    match headers.elements("transfer-encoding").last() {
        Some(coding) if coding.eq_ignore_ascii_case("chunked") => Ok(Some(Framing::Chunked)),
        Some(_) => Err(400),
        None => Ok(length.filter(|length| *length > 0).map(Framing::Length)),
    }
}

/// RFC 9112 section 3.2: exactly one valid `Host` field; HTTP/1.0 may omit it.
fn host_field(headers: &Headers, http11: bool) -> Result<Option<&str>, u16> {
    let mut hosts = headers.get_all("host");
    match (hosts.next(), hosts.next()) {
        (None, _) if !http11 => Ok(None),
        (Some(host), None) if is_authority(host) => Ok(Some(host)),
        _ => Err(400),
    }
}

/// Whether `text` is a host with an optional port and without userinfo (RFC 9110 section 4.2.4). It may be
/// empty, as in `Host` (RFC 9112 section 3.2).
fn is_authority(text: &str) -> bool {
    let (host_is_valid, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(None) => return false,
        Some(Some((address, after))) => (!address.is_empty() && address.bytes().all(is_in_address), after),
        None => {
            let (name, after) = text.split_at(memchr(b':', text.as_bytes()).unwrap_or(text.len()));
            (name.bytes().all(is_in_name), after)
        }
    };
    let port_is_valid = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    host_is_valid && port_is_valid
}

fn is_in_address(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'.' | b'%' | b'-' | b'_' | b'~')
}

/// RFC 3986 section 3.2.2: unreserved characters, sub-delimiters and percent-encodings.
fn is_in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&'..=b',' | b';' | b'=')
}

/// Authority and path of a request target without query, in any form (RFC 9112 section 3.2).
fn split_target(target: &str) -> (Option<&str>, &str) {
    match target.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (Some(authority), if path.is_empty() { "/" } else { path })
        }
        _ => (None, target),
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests;
