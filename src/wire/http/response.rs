//! The answers that targets give, read.

use super::body::{Body, BodyBuffer};
use super::head::HeadReader;

pub(crate) use super::head::Head;
pub use super::headers::Headers;

/// Why an answer cannot be read: one line for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpError(pub(crate) String);

impl HttpError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        HttpError(text.into())
    }
}

/// Reads one final answer (after any interim ones), however its bytes are cut.
///
/// It holds at most the head, up to 256 KiB, and then `max_body` bytes of the body.
pub(crate) struct ResponseReader {
    to_head: bool,
    stage: Stage,
    head: Option<Head>,
    kept: BodyBuffer,
}

enum Stage {
    Head(HeadReader),
    Body(Body),
    Done,
    Failed,
}

impl ResponseReader {
    /// For the answer to a request; `to_head` if that was a HEAD request; at most `max_body` bytes
    /// of the body are kept, and none after them is waited for.
    pub(crate) fn new(to_head: bool, max_body: usize) -> Self {
        let stage = Stage::Head(HeadReader::default());
        ResponseReader { to_head, stage, head: None, kept: BodyBuffer::new(max_body) }
    }

    /// Takes the next bytes. After an error or the end, further bytes are ignored.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<(), HttpError> {
        let outcome = self.advance(bytes);
        if outcome.is_err() {
            self.stage = Stage::Failed;
        }
        outcome
    }

    /// The peer ended its side. An error if that cuts the answer short; the body so far stays.
    pub(crate) fn close(&mut self) -> Result<(), HttpError> {
        let outcome = match &self.stage {
            Stage::Head(reader) => Err(reader.cut_short()),
            Stage::Body(body) => body.close(),
            Stage::Done | Stage::Failed => return Ok(()),
        };
        self.stage = if outcome.is_ok() { Stage::Done } else { Stage::Failed };
        outcome
    }

    /// The head of the final answer, once it is whole and tells where the body ends.
    pub(crate) fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The body decoded so far, at most `max_body` bytes.
    pub(crate) fn body(&self) -> &[u8] {
        self.kept.bytes()
    }

    /// Whether nothing more is needed: the answer has ended, or `max_body` bytes of it are here.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    fn advance(&mut self, bytes: &[u8]) -> Result<(), HttpError> {
        let mut rest = bytes;
        if let Stage::Head(reader) = &mut self.stage {
            let Some((head, after)) = reader.receive(rest)? else {
                return Ok(());
            };
            self.stage = Stage::Body(Body::after(&head, self.to_head)?);
            self.head = Some(head);
            rest = after;
        }
        if let Stage::Body(body) = &mut self.stage {
            if self.kept.is_full() || body.receive(rest, &mut self.kept)? {
                self.stage = Stage::Done;
            }
        }
        Ok(())
    }

    /// The memory held beside the head's fields, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> usize {
        match &self.stage {
            Stage::Head(reader) => reader.held() + self.kept.held(),
            _ => self.kept.held(),
        }
    }
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
