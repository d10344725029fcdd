//! The answers that targets give, read.

/// Why an answer cannot be read: one line for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpError(pub(crate) String);

/// The header fields of an answer in the order received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

/// The status line and the header fields of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
}

/// Reads one final answer (after any interim ones), however its bytes are cut.
pub(crate) struct ResponseReader {}

impl ResponseReader {
    /// For the answer to a request; `to_head` if that was a HEAD request; at most `max_body` bytes
    /// of the body are kept, and none after them is waited for.
    pub(crate) fn new(to_head: bool, max_body: usize) -> Self {
        todo!("{to_head} {max_body}")
    }

    /// Takes the next bytes. After an error or the end, further bytes are ignored.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<(), HttpError> {
        todo!("{bytes:?}")
    }

    /// The peer ended its side. An error if that cuts the answer short; the body so far stays.
    pub(crate) fn close(&mut self) -> Result<(), HttpError> {
        todo!()
    }

    /// The head of the final answer, once it is whole.
    pub(crate) fn head(&self) -> Option<&Head> {
        todo!()
    }

    /// The body decoded so far, at most `max_body` bytes.
    pub(crate) fn body(&self) -> &[u8] {
        todo!()
    }

    /// Whether nothing more is needed: the answer has ended, or `max_body` bytes of it are here.
    pub(crate) fn is_done(&self) -> bool {
        todo!()
    }
}
