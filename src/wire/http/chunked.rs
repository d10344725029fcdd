//! The chunked transfer coding (RFC 9112 section 7.1), decoded.

use super::body::{BodyBuffer, split_data};
use super::response::HttpError;

/// The most hexadecimal digits of a chunk's size: what a `u64` holds.
const DIGITS_MAX: u8 = 16;
/// The most bytes of padding, chunk extensions and trailers in one body, so that they cannot dwarf the
/// data. RFC 9112 section 7.1.1 asks for such a limit.
pub(super) const OVERHEAD_MAX: u32 = 256 * 1024;

/// Where in the coding the next byte stands.
#[derive(Clone, Copy)]
enum Place {
    /// In the digits of a chunk's size.
    Size,
    /// After them, where some servers pad the line with spaces.
    Padding,
    /// In an extension, which means nothing to anyone.
    Extension,
    /// Before the LF that ends the line of the size.
    SizeEnd,
    /// In the chunk's data, of which so many bytes are still to come.
    Data(u64),
    /// After the data, before the CR.
    DataEnd,
    /// After the data, between CR and LF.
    DataLf,
    /// In the trailers, which are not kept.
    Trailers(TrailerLine),
}

/// What a line of the trailers has shown so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TrailerLine {
    Start,
    /// An empty line's CR: the end, if LF follows.
    End,
    /// A field's name.
    Name,
    /// What follows its colon, or the continuation of an earlier line (RFC 9112 section 5.2).
    Value,
    /// A CR at the end of a field's line.
    ValueEnd,
}

/// Decodes one chunked body. Line ends may be bare LFs, as in heads.
pub(super) struct Chunked {
    place: Place,
    size: u64,
    digits: u8,
    overhead: u32,
    /// Whether a trailer field has come, which the next line can continue.
    has_trailer: bool,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Chunked { place: Place::Size, size: 0, digits: 0, overhead: 0, has_trailer: false }
    }

    /// Takes the next bytes; whether the body has ended or `kept` is full.
    pub(super) fn receive(&mut self, bytes: &[u8], kept: &mut BodyBuffer) -> Result<bool, HttpError> {
        let mut rest = bytes;
        while !kept.is_full() {
            let Some((&byte, after)) = rest.split_first() else {
                return Ok(false);
            };
            if let Place::Data(left) = &mut self.place {
                let (data, after) = split_data(rest, left);
                kept.push(data);
                if *left == 0 {
                    self.place = Place::DataEnd;
                }
                rest = after;
                continue;
            }
            rest = after;
            if self.take(byte)? {
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// Takes a byte that is not data; whether it ends the body.
    fn take(&mut self, byte: u8) -> Result<bool, HttpError> {
        match self.place {
            Place::Size | Place::Padding | Place::Extension | Place::SizeEnd => self.take_size(byte)?,
            Place::Data(_) => {}
            Place::DataEnd | Place::DataLf => match (self.place, byte) {
                (_, b'\n') => self.begin_line(),
                (Place::DataEnd, b'\r') => self.place = Place::DataLf,
                _ => return Err(HttpError::new("malformed chunk: its data goes on past its size")),
            },
            Place::Trailers(line) => {
                self.count_overhead()?;
                match self.take_trailer(line, byte) {
                    Some(TrailerLine::End) if byte == b'\n' => return Ok(true),
                    Some(line) => self.place = Place::Trailers(line),
                    None => return Err(HttpError::new("malformed trailer field")),
                }
            }
        }
        Ok(false)
    }

    /// Takes a byte of the trailers, by the rules for heads; `None` if it cannot stand there.
    fn take_trailer(&mut self, line: TrailerLine, byte: u8) -> Option<TrailerLine> {
        match (line, byte) {
            (TrailerLine::Start | TrailerLine::End, b'\n') | (TrailerLine::Start, b'\r') => {
                Some(TrailerLine::End)
            }
            (TrailerLine::Value | TrailerLine::ValueEnd, b'\n') => {
                self.has_trailer = true;
                Some(TrailerLine::Start)
            }
            (_, b'\n' | 0) | (TrailerLine::End | TrailerLine::ValueEnd, _) => None,
            (TrailerLine::Value, b'\r') => Some(TrailerLine::ValueEnd),
            (_, b'\r') => None,
            (TrailerLine::Start, b' ' | b'\t') if self.has_trailer => Some(TrailerLine::Value),
            (TrailerLine::Start | TrailerLine::Name, b':') => Some(TrailerLine::Value),
            (TrailerLine::Value, _) => Some(TrailerLine::Value),
            (TrailerLine::Start | TrailerLine::Name, _) => Some(TrailerLine::Name),
        }
    }

    fn count_overhead(&mut self) -> Result<(), HttpError> {
        if self.overhead == OVERHEAD_MAX {
            return Err(HttpError::new("chunk extensions and trailers are over 256 KiB"));
        }
        self.overhead += 1;
        Ok(())
    }

    fn begin_line(&mut self) {
        self.place = Place::Size;
        self.size = 0;
        self.digits = 0;
    }

    /// Takes a byte of the line that gives a chunk's size.
    fn take_size(&mut self, byte: u8) -> Result<(), HttpError> {
        match (self.place, byte) {
            (Place::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.take_digit(byte)?,
            // An empty line would read as the last chunk if no digit were asked for.
            (Place::Size, _) if self.digits == 0 => {
                return Err(HttpError::new("malformed chunk: no size"));
            }
            (_, b'\n') if self.size == 0 => self.place = Place::Trailers(TrailerLine::Start),
            (_, b'\n') => self.place = Place::Data(self.size),
            (Place::Size | Place::Padding | Place::Extension, b'\r') => self.place = Place::SizeEnd,
            (Place::Size | Place::Padding, b' ' | b'\t') => {
                self.count_overhead()?;
                self.place = Place::Padding;
            }
            (Place::Size | Place::Padding, b';') => self.place = Place::Extension,
            (Place::Extension, b'\t' | b' '..=b'~' | 0x80..) => self.count_overhead()?,
            (Place::Extension, _) => {
                return Err(HttpError::new("malformed chunk: its extension holds a control character"));
            }
            _ => return Err(HttpError::new("malformed chunk: its size is not a number")),
        }
        Ok(())
    }

    fn take_digit(&mut self, byte: u8) -> Result<(), HttpError> {
        if self.digits == DIGITS_MAX {
            return Err(HttpError::new("malformed chunk: its size has more than 16 digits"));
        }
        self.digits += 1;
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            _ => (byte | 0x20) - b'a' + 10,
        };
        self.size = (self.size << 4) | u64::from(digit);
        Ok(())
    }
}
