//! Decoder of the chunked transfer coding (RFC 9112 section 7.1).

use super::body::{BodyBuffer, split_data};
use super::response::HttpError;

/// The hexadecimal digits of a `u64`.
const DIGITS_MAX: u8 = 16;
/// Limit of padding, chunk extensions and trailers of one body, in bytes (RFC 9112 section 7.1.1).
pub(super) const OVERHEAD_MAX: u32 = 256 * 1024;

#[derive(Clone, Copy)]
enum ChunkState {
    Size,
    /// Spaces that some servers add after the size.
    Padding,
    Extension,
    /// The LF at the end of the size line.
    SizeEnd,
    /// The number of bytes that remain.
    Data(u64),
    DataEnd,
    /// The LF after the data and CR.
    DataLf,
    Trailers(TrailerLine),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TrailerLine {
    Start,
    /// The CR of an empty line; LF ends the body.
    End,
    Name,
    /// A field value, or the continuation of the previous line (RFC 9112 section 5.2).
    Value,
    ValueEnd,
}

/// Decodes one chunked body. Lines may end with a bare LF, as in heads.
pub(super) struct Chunked {
    state: ChunkState,
    size: u64,
    digits: u8,
    overhead: u32,
    /// Whether a trailer field was read, which the next line may continue.
    has_trailer: bool,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Chunked { state: ChunkState::Size, size: 0, digits: 0, overhead: 0, has_trailer: false }
    }

    /// Returns whether the body has ended or `buffer` is full.
    pub(super) fn receive(&mut self, bytes: &[u8], buffer: &mut BodyBuffer) -> Result<bool, HttpError> {
        let mut rest = bytes;
        while !buffer.is_full() {
            let Some((&byte, after)) = rest.split_first() else { return Ok(false) };
            if let ChunkState::Data(left) = &mut self.state {
                let (data, after) = split_data(rest, left);
                buffer.push(data);
                if *left == 0 {
                    self.state = ChunkState::DataEnd;
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

    /// Returns whether the byte, which is not data, ends the body.
    fn take(&mut self, byte: u8) -> Result<bool, HttpError> {
        match self.state {
            ChunkState::Size | ChunkState::Padding | ChunkState::Extension | ChunkState::SizeEnd => {
                self.take_size(byte)?
            }
            ChunkState::Data(_) => {}
            ChunkState::DataEnd | ChunkState::DataLf => match (self.state, byte) {
                (_, b'\n') => (self.state, self.size, self.digits) = (ChunkState::Size, 0, 0),
                (ChunkState::DataEnd, b'\r') => self.state = ChunkState::DataLf,
                _ => return Err(HttpError::new("malformed chunk: its data goes on past its size")),
            },
            ChunkState::Trailers(line) => {
                self.count_overhead()?;
                match self.take_trailer(line, byte) {
                    Some(TrailerLine::End) if byte == b'\n' => return Ok(true),
                    Some(line) => self.state = ChunkState::Trailers(line),
                    None => return Err(HttpError::new("malformed trailer field")),
                }
            }
        }
        Ok(false)
    }

    /// The rules are those for heads; `None` if the byte is invalid.
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

    fn take_size(&mut self, byte: u8) -> Result<(), HttpError> {
        match (self.state, char::from(byte).to_digit(16)) {
            (ChunkState::Size, Some(_)) if self.digits == DIGITS_MAX => {
                return Err(HttpError::new("malformed chunk: its size has more than 16 digits"));
            }
            (ChunkState::Size, Some(digit)) => {
                self.digits += 1;
                self.size = self.size << 4 | u64::from(digit);
                return Ok(());
            }
            _ => {}
        }
        match (self.state, byte) {
            // Without this check, an empty line would be the last chunk.
            (ChunkState::Size, _) if self.digits == 0 => {
                return Err(HttpError::new("malformed chunk: no size"));
            }
            (_, b'\n') if self.size == 0 => self.state = ChunkState::Trailers(TrailerLine::Start),
            (_, b'\n') => self.state = ChunkState::Data(self.size),
            (ChunkState::Size | ChunkState::Padding | ChunkState::Extension, b'\r') => {
                self.state = ChunkState::SizeEnd
            }
            (ChunkState::Size | ChunkState::Padding, b' ' | b'\t') => {
                self.count_overhead()?;
                self.state = ChunkState::Padding;
            }
            (ChunkState::Size | ChunkState::Padding, b';') => self.state = ChunkState::Extension,
            (ChunkState::Extension, b'\t' | b' '..=b'~' | 0x80..) => self.count_overhead()?,
            (ChunkState::Extension, _) => {
                return Err(HttpError::new("malformed chunk: its extension holds a control character"));
            }
            _ => return Err(HttpError::new("malformed chunk: its size is not a number")),
        }
        Ok(())
    }
}
