//! Incremental parser of response heads: skips interim responses and detects other protocols.

use super::body::extend_up_to;
use super::headers::Headers;
use super::response::HttpError;

/// The longest head, in bytes, including empty lines before it.
pub(super) const HEAD_MAX: usize = 256 * 1024;
pub(super) const FIELDS_MAX: usize = 1024;
pub(super) const INTERIM_MAX: u8 = 64;
/// How much of a response in another protocol is read and shown, in bytes.
const EXCERPT_MAX: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) http10: bool,
    pub(crate) headers: Headers,
}

/// httparse starts at the first byte in each call, so it is called twice per head: after the status line, to
/// report errors early, and after the empty line. This keeps the cost linear if a head arrives byte by byte.
#[derive(Default)]
pub(super) struct HeadReader {
    pub(super) buffer: Vec<u8>,
    /// The bytes received for this head, with the empty lines before it.
    taken: usize,
    interims: u8,
    status_line_read: bool,
}

impl HeadReader {
    /// Receives the next bytes. Returns the final head, once it is complete, and the bytes after it.
    pub(super) fn receive<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(Head, &'a [u8])>, HttpError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            // Byte by byte while it may be another protocol, then line by line.
            let len = match self.buffer.len() < EXCERPT_MAX {
                true => 1,
                false => memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1),
            };
            let room = HEAD_MAX.saturating_sub(self.taken);
            if room == 0 {
                return Err(HttpError::new("header fields are over 256 KiB"));
            }
            let (piece, after) = rest.split_at(len.min(room));
            rest = after;
            if let Some(head) = self.take(piece)? {
                return Ok(Some((head, rest)));
            }
        }
        Ok(None)
    }

    /// The error if the connection closes within the head.
    pub(super) fn cut_short(&self) -> HttpError {
        if self.is_foreign() {
            return self.foreign("");
        }
        if self.buffer.is_empty() && self.interims == 0 {
            return HttpError::new("connection closed without a response");
        }
        HttpError::new("connection closed before the end of the header fields")
    }

    fn take(&mut self, piece: &[u8]) -> Result<Option<Head>, HttpError> {
        self.taken += piece.len();
        // RFC 9112 section 2.2 allows empty lines before requests; some servers send them before responses.
        if self.buffer.is_empty() && matches!(piece, b"\r" | b"\n") {
            return Ok(None);
        }
        extend_up_to(HEAD_MAX, &mut self.buffer, piece);
        if self.is_foreign() {
            // The excerpt ends at a line end or a binary byte, so that it does not depend on how the bytes are
            // split into reads.
            return match self.buffer.last() {
                Some(b'\r' | b'\t' | b' '..=b'~') if self.buffer.len() < EXCERPT_MAX => Ok(None),
                Some(b'\r' | b'\t' | b' '..=b'~') => Err(self.foreign("…")),
                _ => Err(self.foreign("")),
            };
        }
        if !piece.ends_with(b"\n") {
            return Ok(None);
        }
        let complete = self.buffer.ends_with(b"\n\n") || self.buffer.ends_with(b"\n\r\n");
        if self.status_line_read && !complete {
            return Ok(None);
        }
        self.status_line_read = true;
        self.normalize_version();
        let Some(head) = parse(&self.buffer)? else { return Ok(None) };
        match head.status {
            200.. => return Ok(Some(head)),
            101 => return Err(HttpError::new("HTTP 101 to a request that asks for no upgrade")),
            // RFC 9110 section 15.2 allows any number; the limit is far above real use.
            _ if self.interims == INTERIM_MAX => {
                return Err(HttpError::new("more than 64 interim responses"));
            }
            _ => {}
        }
        self.interims += 1;
        self.taken = 0;
        self.buffer.clear();
        self.status_line_read = false;
        Ok(None)
    }

    /// Whether the bytes cannot be the start of an HTTP/1 status line. Lower-case `http` is accepted, as in
    /// curl, because some devices send it.
    fn is_foreign(&self) -> bool {
        let start =
            b"HTTP/1.".iter().zip(&self.buffer).all(|(expected, byte)| expected.eq_ignore_ascii_case(byte));
        let minor = self.buffer.get(7).is_none_or(u8::is_ascii_digit);
        let space = self.buffer.get(8).is_none_or(|byte| *byte == b' ');
        !(start && minor && space)
    }

    /// A later minor version is treated as HTTP/1.1 (RFC 9110 section 2.5); httparse rejects it.
    fn normalize_version(&mut self) {
        if let Some(name) = self.buffer.get_mut(..4) {
            name.make_ascii_uppercase();
        }
        if let Some(minor @ b'2'..=b'9') = self.buffer.get_mut(7) {
            *minor = b'1';
        }
    }

    fn foreign(&self, ellipsis: &str) -> HttpError {
        // A TLS alert or handshake record (RFC 8446 section 5.1).
        if matches!(self.buffer.first(), Some(0x15 | 0x16)) {
            return HttpError::new("not an HTTP response but TLS: this seems to be an https port");
        }
        let excerpt = self.buffer.trim_ascii_end().escape_ascii();
        HttpError::new(format!("not an HTTP response: {excerpt}{ellipsis}"))
    }
}

/// `None` if the head is incomplete.
fn parse(buffer: &[u8]) -> Result<Option<Head>, HttpError> {
    check_lines(buffer)?;
    let mut config = httparse::ParserConfig::default();
    // Old devices send these; browsers and curl accept them.
    config
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .ignore_invalid_headers_in_responses(true);
    // A head has at most as many fields as lines.
    let lines = buffer.iter().filter(|byte| **byte == b'\n').count();
    let mut fields = vec![httparse::EMPTY_HEADER; lines.min(FIELDS_MAX)];
    let mut response = httparse::Response::new(&mut fields);
    let status = config.parse_response(&mut response, buffer).map_err(|error| parse_error(error, buffer))?;
    // RFC 9110 section 15 ends at 599, but some servers send higher codes, such as 999.
    let Some(code @ 100..) = response.code else {
        return Err(parse_error(httparse::Error::Status, buffer));
    };
    Ok(status.is_complete().then(|| Head {
        status: code,
        http10: response.version == Some(0),
        headers: Headers::from_parsed(response.headers.iter()),
    }))
}

/// Rejects a line that has no colon and continues no field, as curl does. httparse would skip it like a field
/// with an invalid name.
fn check_lines(buffer: &[u8]) -> Result<(), HttpError> {
    let mut continues = false;
    for line in buffer.split(|byte| *byte == b'\n').skip(1).map(<[u8]>::trim_ascii_end) {
        let is_field = line.contains(&b':') || (continues && matches!(line.first(), Some(b' ' | b'\t')));
        if !is_field && !line.is_empty() {
            return Err(malformed("header field", line));
        }
        continues = true;
    }
    Ok(())
}

fn parse_error(error: httparse::Error, buffer: &[u8]) -> HttpError {
    match error {
        httparse::Error::TooManyHeaders => HttpError::new("more than 1024 header fields"),
        httparse::Error::Status | httparse::Error::Version => {
            malformed("status line", buffer.split(|byte| *byte == b'\n').next().unwrap_or_default())
        }
        _ => {
            // The remaining errors are NUL, and CR that does not end a line.
            let is_bad = |line: &&[u8]| {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                line.contains(&b'\0') || line.contains(&b'\r')
            };
            malformed("header field", buffer.split(|byte| *byte == b'\n').find(is_bad).unwrap_or_default())
        }
    }
}

fn malformed(what: &str, line: &[u8]) -> HttpError {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (shown, ellipsis) = match line.get(..2 * EXCERPT_MAX) {
        Some(start) if line.len() > start.len() => (start, "…"),
        _ => (line, ""),
    };
    HttpError::new(format!("malformed {what}: {}{ellipsis}", shown.escape_ascii()))
}
