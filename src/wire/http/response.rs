//! Parser of target responses.

use super::body::{Body, BodyBuffer};
use super::head::HeadReader;

pub(crate) use super::head::Head;
pub use super::headers::Headers;

/// A parse error: one line for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpError(pub(crate) String);

impl HttpError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        HttpError(text.into())
    }
}

/// Incremental parser of one final response, after any interim ones. It buffers up to 256 KiB of the head and
/// `max_body` bytes of the body.
pub(crate) struct ResponseReader {
    to_head: bool,
    stage: Stage,
    head: Option<Head>,
    buffer: BodyBuffer,
}

enum Stage {
    Head(HeadReader),
    Body(Body),
    Done,
    Failed,
}

impl ResponseReader {
    /// `to_head`: the request was HEAD. The response is done once `max_body` bytes of the body are buffered.
    pub(crate) fn new(to_head: bool, max_body: usize) -> Self {
        let stage = Stage::Head(HeadReader::default());
        ResponseReader { to_head, stage, head: None, buffer: BodyBuffer::new(max_body) }
    }

    /// After an error or the end, `bytes` are ignored.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<(), HttpError> {
        let result = self.advance(bytes);
        if result.is_err() {
            self.stage = Stage::Failed;
        }
        result
    }

    /// Handles the end of the stream: an error if the response is incomplete. The body read so far is kept.
    pub(crate) fn close(&mut self) -> Result<(), HttpError> {
        let result = match &self.stage {
            Stage::Head(reader) => Err(reader.cut_short()),
            Stage::Body(body) => body.close(),
            Stage::Done | Stage::Failed => return Ok(()),
        };
        self.stage = if result.is_ok() { Stage::Done } else { Stage::Failed };
        result
    }

    /// `None` until the head is complete and the framing of the body is known to be valid.
    pub(crate) fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The body decoded so far, at most `max_body` bytes.
    pub(crate) fn body(&self) -> &[u8] {
        &self.buffer.bytes
    }

    /// Whether the response has ended or `max_body` bytes of its body are buffered.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    fn advance(&mut self, bytes: &[u8]) -> Result<(), HttpError> {
        let mut rest = bytes;
        if let Stage::Head(reader) = &mut self.stage {
            let Some((head, after)) = reader.receive(rest)? else { return Ok(()) };
            self.stage = Stage::Body(Body::after(&head, self.to_head)?);
            self.head = Some(head);
            rest = after;
        }
        if let Stage::Body(body) = &mut self.stage {
            if self.buffer.is_full() || body.receive(rest, &mut self.buffer)? {
                self.stage = Stage::Done;
            }
        }
        Ok(())
    }

    /// The allocated memory without [`Self::head`], in bytes.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> usize {
        let head = if let Stage::Head(reader) = &self.stage { reader.buffer.capacity() } else { 0 };
        head + self.buffer.bytes.capacity()
    }
}

#[cfg(test)]
mod tests;
