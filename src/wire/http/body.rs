//! The body of an answer: where it ends, and what of it is kept.

use super::chunked::Chunked;
use super::head::Head;
use super::response::HttpError;

/// How the end of a body is told.
pub(super) enum Body {
    /// After so many bytes more; at once if there is no body.
    Length(u64),
    Chunked(Chunked),
    /// By the close of the connection.
    UntilClose,
}

impl Body {
    /// The body that follows `head`, by RFC 9112 section 6.3; `to_head` if it answers a HEAD request.
    pub(super) fn after(head: &Head, to_head: bool) -> Result<Body, HttpError> {
        if to_head || matches!(head.status, 204 | 304) {
            return Ok(Body::Length(0));
        }
        // `identity`, struck from the RFCs since, stands for no coding at all.
        let codings = head.headers.elements("transfer-encoding");
        let codings = codings.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"));
        match (codings.last(), head.headers.content_length()) {
            (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Ok(Body::Chunked(Chunked::new())),
            (Some(_), _) => Ok(Body::UntilClose),
            (None, length) => Ok(length.map_err(HttpError::new)?.map_or(Body::UntilClose, Body::Length)),
        }
    }

    /// Takes the next bytes; whether the body has ended or `kept` is full.
    pub(super) fn receive(&mut self, bytes: &[u8], kept: &mut BodyBuffer) -> Result<bool, HttpError> {
        match self {
            Body::Length(left) => {
                kept.push(split_data(bytes, left).0);
                Ok(*left == 0 || kept.is_full())
            }
            Body::Chunked(chunked) => chunked.receive(bytes, kept),
            Body::UntilClose => {
                kept.push(bytes);
                Ok(kept.is_full())
            }
        }
    }

    /// The connection was closed: an error unless that is how this body ends.
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

/// Splits off what belongs to a run of `left` bytes, and counts it.
pub(super) fn split_data<'a>(bytes: &'a [u8], left: &mut u64) -> (&'a [u8], &'a [u8]) {
    let run = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left = left.saturating_sub(run as u64);
    bytes.split_at(run)
}

/// Appends `bytes` as far as `limit` allows. Memory doubles as the buffer grows, but not past the limit.
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

/// The first bytes of a body, as many as were asked for.
pub(super) struct BodyBuffer {
    bytes: Vec<u8>,
    limit: usize,
}

impl BodyBuffer {
    pub(super) fn new(limit: usize) -> Self {
        BodyBuffer { bytes: Vec::new(), limit }
    }

    /// Keeps `bytes` as far as there is room.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        extend_up_to(self.limit, &mut self.bytes, bytes);
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= self.limit
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The memory held, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(super) fn held(&self) -> usize {
        self.bytes.capacity()
    }
}
