//! HTTP/1.1 messages, read and written in both directions.
//!
//! Answers of targets are read leniently, as far as real devices stray from the RFCs and no further
//! than what still has one meaning; requests of API clients are read strictly.

mod body;
mod chunked;
mod head;
mod headers;
#[cfg(test)]
mod mutation;
pub(crate) mod query;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod write;

/// Whether `byte` may stand in a method or a field name (RFC 9110 section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
