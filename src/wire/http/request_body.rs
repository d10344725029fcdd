//! Bodies of API requests: the first line is kept, the rest is discarded.

use super::body::{BodyBuffer, split_data};
use super::chunked::Chunked;
use super::request::{Content, Framing};

/// The longest first line, in bytes.
const LINE_MAX: usize = 1024;

/// The longest body that is read, in bytes including the framing. The rest of a longer one is not waited for.
pub(crate) const BODY_MAX: usize = 64 * 1024;

pub(crate) struct RequestBody {
    state: State,
    line: Vec<u8>,
    read: usize,
}

enum State {
    /// The number of bytes that remain.
    Length(u64),
    Chunked(Chunked),
}

/// The framing of a body is invalid.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvalidBody;

impl RequestBody {
    pub(crate) fn new(content: &Content) -> RequestBody {
        let state = match content.framing {
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(Chunked::new()),
        };
        RequestBody { state, line: Vec::new(), read: 0 }
    }

    /// Returns whether the body has ended, or is longer than [`BODY_MAX`].
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<bool, InvalidBody> {
        let bytes = bytes.get(..BODY_MAX - self.read).unwrap_or(bytes);
        self.read += bytes.len();
        let has_ended = match &mut self.state {
            State::Length(left) => {
                let data = split_data(bytes, left).0;
                self.line.extend_from_slice(data.get(..LINE_MAX - self.line.len()).unwrap_or(data));
                *left == 0
            }
            State::Chunked(chunked) => {
                let mut has_ended = false;
                for byte in bytes {
                    // One byte of data does not fill it: the result is whether the body has ended.
                    let mut data = BodyBuffer::new(2);
                    has_ended = chunked.receive(&[*byte], &mut data).map_err(|_| InvalidBody)?;
                    if self.line.len() < LINE_MAX {
                        self.line.extend_from_slice(&data.bytes);
                    }
                    if has_ended {
                        break;
                    }
                }
                has_ended
            }
        };
        Ok(has_ended || self.read == BODY_MAX)
    }

    /// The first line with text.
    pub(crate) fn first_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.line);
        text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(framing: Framing) -> RequestBody {
        RequestBody::new(&Content { framing, expects_continue: false })
    }

    /// The first line, with the bytes split at every place and into single bytes.
    fn read(framing: Framing, bytes: &[u8]) -> Result<Option<String>, InvalidBody> {
        let whole = pieces(framing, [bytes]);
        for at in 1..bytes.len().min(2000) {
            assert_eq!(pieces(framing, [&bytes[..at], &bytes[at..]]), whole, "{at}");
        }
        assert_eq!(pieces(framing, bytes.chunks(1)), whole);
        whole
    }

    fn pieces<'a>(
        framing: Framing,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<String>, InvalidBody> {
        let mut body = body(framing);
        for piece in pieces {
            if body.receive(piece)? {
                return Ok(Some(body.first_line()));
            }
        }
        Ok(None)
    }

    #[test]
    fn the_first_line_is_kept() {
        for (bytes, line) in [
            (&b"backup of 3 GB\nmore"[..], "backup of 3 GB"),
            (b"\r\n\n  fine \r\n", "fine"),
            (b" ", ""),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(read(Framing::Length(bytes.len() as u64), bytes), Ok(Some(line.to_owned())));
            let mut chunks = Vec::new();
            for part in bytes.chunks(3) {
                chunks.extend(format!("{:x};x=y\r\n", part.len()).into_bytes());
                chunks.extend([part, b"\r\n"].concat());
            }
            assert_eq!(read(Framing::Chunked, &chunks), Ok(None), "no last chunk");
            chunks.extend(b"0\r\nTrailer: x\r\n\r\nGET / HTTP/1.1\r\n");
            assert_eq!(read(Framing::Chunked, &chunks), Ok(Some(line.to_owned())));
        }
        assert_eq!(read(Framing::Length(3), b"ab"), Ok(None));
        assert_eq!(read(Framing::Chunked, b"x\r\n"), Err(InvalidBody));
    }

    #[test]
    fn a_long_body_is_cut() {
        let text = vec![b'x'; 200_000];
        for size in [1, 4096, BODY_MAX - 1, BODY_MAX, BODY_MAX + 1, 200_000] {
            for framing in [Framing::Length(size as u64), Framing::Length(u64::MAX)] {
                let mut body = body(framing);
                let has_ended = body.receive(&text[..size]).expect("valid");
                assert_eq!(has_ended, framing == Framing::Length(size as u64) || size >= BODY_MAX, "{size}");
                assert_eq!(body.first_line().len(), size.min(LINE_MAX));
            }
        }
        let mut body = body(Framing::Chunked);
        assert_eq!(body.receive(b"fffffff\r\n"), Ok(false));
        assert_eq!(body.receive(&text), Ok(true));
    }
}
