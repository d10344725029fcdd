//! Response bodies: framing and buffering.

use super::chunked::Chunked;
use super::head::Head;
use super::response::HttpError;

/// How a body is framed.
pub(super) enum Body {
    /// The number of bytes that remain; 0 without a body.
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

impl Body {
    /// The framing of the body after `head` (RFC 9112 section 6.3); `to_head` if the request was HEAD.
    pub(super) fn after(head: &Head, to_head: bool) -> Result<Body, HttpError> {
        if to_head || matches!(head.status, 204 | 304) {
            return Ok(Body::Length(0));
        }
        // `identity`, which RFC 7230 removed, means no coding.
        let codings = head.headers.elements("transfer-encoding");
        let codings = codings.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"));
        match (codings.last(), head.headers.content_length()) {
            (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Ok(Body::Chunked(Chunked::new())),
            (Some(_), _) => Ok(Body::UntilClose),
            (None, length) => Ok(length.map_err(HttpError::new)?.map_or(Body::UntilClose, Body::Length)),
        }
    }

    /// Receives the next bytes. Returns whether the body has ended or `buffer` is full.
    pub(super) fn receive(&mut self, bytes: &[u8], buffer: &mut BodyBuffer) -> Result<bool, HttpError> {
        match self {
            Body::Length(left) => {
                buffer.push(split_data(bytes, left).0);
                Ok(*left == 0 || buffer.is_full())
            }
            Body::Chunked(chunked) => chunked.receive(bytes, buffer),
            Body::UntilClose => {
                buffer.push(bytes);
                Ok(buffer.is_full())
            }
        }
    }

    /// Handles the close of the connection: an error unless it ends this body.
    pub(super) fn close(&self) -> Result<(), HttpError> {
        match self {
            Body::Length(left) => {
                Err(HttpError::new(format!("connection closed {left} bytes before the end of the body")))
            }
            Body::Chunked(_) => Err(HttpError::new("connection closed before the last chunk had come")),
            Body::UntilClose => Ok(()),
        }
    }
}

/// Splits off at most `left` bytes and subtracts their number.
pub(super) fn split_data<'a>(bytes: &'a [u8], left: &mut u64) -> (&'a [u8], &'a [u8]) {
    let run = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left = left.saturating_sub(run as u64);
    bytes.split_at(run)
}

/// Appends `bytes` up to `limit`. The capacity doubles, but does not exceed the limit.
pub(super) fn extend_up_to(limit: usize, buffer: &mut Vec<u8>, bytes: &[u8]) {
    let held = buffer.len();
    let bytes = bytes.get(..limit.saturating_sub(held)).unwrap_or(bytes);
    let needed = held.saturating_add(bytes.len());
    if needed > buffer.capacity() {
        let capacity = needed.max(held.saturating_mul(2)).min(limit);
        buffer.reserve_exact(capacity.saturating_sub(held));
    }
    buffer.extend_from_slice(bytes);
}

/// The first `limit` bytes of a body.
pub(super) struct BodyBuffer {
    bytes: Vec<u8>,
    limit: usize,
}

impl BodyBuffer {
    pub(super) fn new(limit: usize) -> Self {
        BodyBuffer { bytes: Vec::new(), limit }
    }

    /// Appends `bytes` up to the limit.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        extend_up_to(self.limit, &mut self.bytes, bytes);
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= self.limit
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The allocated memory, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(super) fn held(&self) -> usize {
        self.bytes.capacity()
    }
}
