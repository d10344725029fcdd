//! The chunked transfer coding (RFC 9112 section 7.1), decoded.

use super::body::{Kept, split_data};
use super::response::HttpError;

/// The longest line that gives a chunk's size, in bytes, extensions included.
const SIZE_LINE_MAX: u16 = 256;
/// The most hexadecimal digits of a chunk's size: what a `u64` holds.
const DIGITS_MAX: u8 = 16;
/// The most bytes of chunk extensions in one body, so that they cannot dwarf the data.
const EXTENSIONS_MAX: u16 = 16 * 1024;
/// The most bytes of trailers after the last chunk.
const TRAILERS_MAX: u16 = 8 * 1024;

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
    /// In the trailers, which are not kept; at the start of a line or not.
    Trailers { line_is_empty: bool },
}

/// Decodes one chunked body. Line ends may be bare LFs, as in heads.
pub(super) struct Chunked {
    place: Place,
    size: u64,
    digits: u8,
    line: u16,
    extensions: u16,
    trailers: u16,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Chunked { place: Place::Size, size: 0, digits: 0, line: 0, extensions: 0, trailers: 0 }
    }

    /// Takes the next bytes; whether the body has ended or `kept` is full.
    pub(super) fn receive(&mut self, bytes: &[u8], kept: &mut Kept) -> Result<bool, HttpError> {
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
            Place::Trailers { line_is_empty } => {
                if self.trailers == TRAILERS_MAX {
                    return Err(HttpError::new("trailers are over 8 KiB"));
                }
                self.trailers += 1;
                if byte == b'\n' && line_is_empty {
                    return Ok(true);
                }
                let line_is_empty = byte == b'\n' || (byte == b'\r' && line_is_empty);
                self.place = Place::Trailers { line_is_empty };
            }
        }
        Ok(false)
    }

    fn begin_line(&mut self) {
        self.place = Place::Size;
        self.size = 0;
        self.digits = 0;
        self.line = 0;
    }

    /// Takes a byte of the line that gives a chunk's size.
    fn take_size(&mut self, byte: u8) -> Result<(), HttpError> {
        if self.line == SIZE_LINE_MAX {
            return Err(HttpError::new("malformed chunk: the line of its size is over 256 bytes"));
        }
        self.line += 1;
        match (self.place, byte) {
            (Place::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.take_digit(byte)?,
            // An empty line would read as the last chunk if no digit were asked for.
            (Place::Size, _) if self.digits == 0 => {
                return Err(HttpError::new("malformed chunk: no size"));
            }
            (_, b'\n') if self.size == 0 => self.place = Place::Trailers { line_is_empty: true },
            (_, b'\n') => self.place = Place::Data(self.size),
            (Place::Size | Place::Padding | Place::Extension, b'\r') => self.place = Place::SizeEnd,
            (Place::Size | Place::Padding, b' ' | b'\t') => self.place = Place::Padding,
            (Place::Size | Place::Padding, b';') => self.place = Place::Extension,
            (Place::Extension, b'\t' | b' '..=b'~' | 0x80..) => {
                if self.extensions == EXTENSIONS_MAX {
                    return Err(HttpError::new("chunk extensions are over 16 KiB"));
                }
                self.extensions += 1;
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
