//! The head of an answer, read byte by byte: interim answers skipped, other protocols recognised.

use super::body::extend_up_to;
use super::headers::Headers;
use super::response::HttpError;

/// The longest head, in bytes, with empty lines before it.
pub(super) const HEAD_MAX: usize = 256 * 1024;
/// The most header fields that one head may have.
pub(super) const FIELDS_MAX: usize = 1024;
/// The most interim (1xx) answers before the final one.
pub(super) const INTERIM_MAX: u8 = 64;
/// How much of something that is not an HTTP answer is waited for and shown, in bytes.
const EXCERPT_MAX: usize = 20;

/// The status line and the header fields of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// HTTP/1.0 rather than 1.1.
    pub(crate) http10: bool,
    pub(crate) headers: Headers,
}

/// Collects bytes until the final head is whole.
///
/// httparse begins anew with each call, so it is asked only twice per head: when the status line
/// has ended, to complain early, and when the empty line has come. That keeps the cost of a head
/// that trickles in linear.
#[derive(Default)]
pub(super) struct HeadReader {
    buffer: Vec<u8>,
    /// Bytes taken so far for this head.
    taken: usize,
    interims: u8,
    status_line_read: bool,
}

impl HeadReader {
    /// Takes the next bytes: the final head, once it is whole, and the bytes after it.
    pub(super) fn receive<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(Head, &'a [u8])>, HttpError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            // Byte by byte as long as it may be another protocol, then line by line.
            let len = match self.buffer.len() < EXCERPT_MAX {
                true => 1,
                false => memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1),
            };
            let room = HEAD_MAX.saturating_sub(self.taken);
            if room == 0 {
                return Err(HttpError::new("head is over 256 KiB"));
            }
            let (piece, after) = rest.split_at(len.min(room));
            rest = after;
            if let Some(head) = self.take(piece)? {
                return Ok(Some((head, rest)));
            }
        }
        Ok(None)
    }

    /// Why the close of the connection comes too early.
    pub(super) fn cut_short(&self) -> HttpError {
        if self.is_foreign() {
            return self.foreign("");
        }
        if self.buffer.is_empty() && self.interims == 0 {
            return HttpError::new("closed without an answer");
        }
        HttpError::new("connection closed before the whole head had come")
    }

    /// The memory held, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(super) fn held(&self) -> usize {
        self.buffer.capacity()
    }

    /// Takes a byte, or a line as far as it is here.
    fn take(&mut self, piece: &[u8]) -> Result<Option<Head>, HttpError> {
        self.taken += piece.len();
        // RFC 9112 section 2.2 has servers skip empty lines before a message; sloppy ones send them.
        if self.buffer.is_empty() && matches!(piece, b"\r" | b"\n") {
            return Ok(None);
        }
        extend_up_to(HEAD_MAX, &mut self.buffer, piece);
        if self.is_foreign() {
            return self.take_foreign();
        }
        if !piece.ends_with(b"\n") {
            return Ok(None);
        }
        let whole = self.buffer.ends_with(b"\n\n") || self.buffer.ends_with(b"\n\r\n");
        if self.status_line_read && !whole {
            return Ok(None);
        }
        self.status_line_read = true;
        self.normalize_version();
        let Some(head) = parse(&self.buffer)? else {
            return Ok(None);
        };
        if head.status >= 200 {
            return Ok(Some(head));
        }
        self.skip_interim(head.status)?;
        Ok(None)
    }

    /// RFC 9110 section 15.2: a client must be able to read any number of interim answers; here that
    /// number ends where no honest server goes.
    fn skip_interim(&mut self, status: u16) -> Result<(), HttpError> {
        if status == 101 {
            return Err(HttpError::new("answer 101 to a request that asks for no upgrade"));
        }
        if self.interims == INTERIM_MAX {
            return Err(HttpError::new("more than 64 interim answers"));
        }
        self.interims += 1;
        self.taken = 0;
        self.buffer.clear();
        self.status_line_read = false;
        Ok(())
    }

    /// Whether what has come cannot be the start of an HTTP/1 status line. The protocol's name may be in
    /// lower case, as some devices send it and curl reads it.
    fn is_foreign(&self) -> bool {
        let start =
            b"HTTP/1.".iter().zip(&self.buffer).all(|(expected, byte)| expected.eq_ignore_ascii_case(byte));
        let minor = self.buffer.get(7).is_none_or(u8::is_ascii_digit);
        let space = self.buffer.get(8).is_none_or(|byte| *byte == b' ');
        !(start && minor && space)
    }

    /// A later minor version is read as HTTP/1.1 (RFC 9110 section 2.5); httparse knows none.
    fn normalize_version(&mut self) {
        if let Some(name) = self.buffer.get_mut(..4) {
            name.make_ascii_uppercase();
        }
        if let Some(minor @ b'2'..=b'9') = self.buffer.get_mut(7) {
            *minor = b'1';
        }
    }

    /// Waits for enough of a foreign protocol to show it: a line, [`EXCERPT_MAX`] bytes, or anything
    /// binary. The moment depends on the bytes alone, not on how they are cut.
    fn take_foreign(&self) -> Result<Option<Head>, HttpError> {
        if !matches!(self.buffer.last(), Some(b'\r' | b'\t' | b' '..=b'~')) {
            return Err(self.foreign(""));
        }
        if self.buffer.len() >= EXCERPT_MAX {
            return Err(self.foreign("…"));
        }
        Ok(None)
    }

    fn foreign(&self, ellipsis: &str) -> HttpError {
        // A TLS alert or handshake record (RFC 8446 section 5.1).
        if matches!(self.buffer.first(), Some(0x15 | 0x16)) {
            return HttpError::new("not an HTTP answer but TLS: this seems to be an https port");
        }
        let excerpt = self.buffer.trim_ascii_end().escape_ascii();
        HttpError::new(format!("not an HTTP answer: {excerpt}{ellipsis}"))
    }
}

/// Reads a head; `None` if `buffer` ends before it does.
fn parse(buffer: &[u8]) -> Result<Option<Head>, HttpError> {
    check_lines(buffer)?;
    let mut config = httparse::ParserConfig::default();
    // What old devices send, and browsers and curl read.
    config
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .ignore_invalid_headers_in_responses(true);
    // There are at most as many fields as lines.
    let lines = buffer.iter().filter(|byte| **byte == b'\n').count();
    let mut fields = vec![httparse::EMPTY_HEADER; lines.min(FIELDS_MAX)];
    let mut answer = httparse::Response::new(&mut fields);
    let whole = config.parse_response(&mut answer, buffer).map_err(|error| complaint(error, buffer))?;
    // RFC 9110 section 15 ends at 599, but some servers use what lies beyond, 999 for one.
    let Some(status @ 100..) = answer.code else {
        return Err(complaint(httparse::Error::Status, buffer));
    };
    if whole.is_partial() {
        return Ok(None);
    }
    Ok(Some(Head {
        status,
        http10: answer.version == Some(0),
        headers: Headers::from_parsed(answer.headers.iter()),
    }))
}

/// Refuses a line without a colon that continues no field, as curl does. httparse would skip it like a
/// field with a name that no field can have.
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

fn complaint(error: httparse::Error, buffer: &[u8]) -> HttpError {
    match error {
        httparse::Error::TooManyHeaders => HttpError::new("more than 1024 header fields"),
        httparse::Error::Status | httparse::Error::Version => {
            malformed("status line", buffer.split(|byte| *byte == b'\n').next().unwrap_or_default())
        }
        _ => {
            // What remains is NUL, or CR that does not end a line.
            let is_bad = |line: &&[u8]| {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                line.contains(&b'\0') || line.contains(&b'\r')
            };
            malformed("header field", buffer.split(|byte| *byte == b'\n').find(is_bad).unwrap_or_default())
        }
    }
}

/// Shows the start of a line.
fn malformed(what: &str, line: &[u8]) -> HttpError {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (shown, ellipsis) = match line.get(..2 * EXCERPT_MAX) {
        Some(start) if line.len() > start.len() => (start, "…"),
        _ => (line, ""),
    };
    HttpError::new(format!("malformed {what}: {}{ellipsis}", shown.escape_ascii()))
}
