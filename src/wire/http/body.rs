//! Response bodies: framing and buffering.

use super::chunked::Chunked;
use super::head::Head;
use super::response::HttpError;

pub(super) enum Body {
    /// The bytes that remain; 0 without a body.
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

impl Body {
    /// RFC 9112 section 6.3. `to_head`: the request was HEAD.
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

    /// Returns whether the body has ended or `buffer` is full.
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

    /// The connection is closed: an error unless that ends this body.
    pub(super) fn close(&self) -> Result<(), HttpError> {
        match self {
            Body::Length(left) => {
                Err(HttpError::new(format!("connection closed {left} bytes before the end of the body")))
            }
            Body::Chunked(_) => Err(HttpError::new("connection closed before the end of the body")),
            Body::UntilClose => Ok(()),
        }
    }
}

pub(super) fn split_data<'a>(bytes: &'a [u8], left: &mut u64) -> (&'a [u8], &'a [u8]) {
    let run = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left = left.saturating_sub(run as u64);
    bytes.split_at(run)
}

/// Appends `bytes` up to `limit`. The capacity doubles up to the limit.
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

pub(super) struct BodyBuffer {
    pub(super) bytes: Vec<u8>,
    limit: usize,
}

impl BodyBuffer {
    pub(super) fn new(limit: usize) -> Self {
        BodyBuffer { bytes: Vec::new(), limit }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        extend_up_to(self.limit, &mut self.bytes, bytes);
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_body_doubles_but_not_past_the_limit() {
        let mut buffer = BodyBuffer::new(10_000);
        let mut sizes = std::collections::BTreeSet::new();
        for _ in 0..10_000 {
            buffer.push(b"x");
            sizes.insert(buffer.bytes.capacity());
        }
        assert!(sizes.len() < 20 && sizes.last() == Some(&10_000), "{sizes:?}");
    }
}
