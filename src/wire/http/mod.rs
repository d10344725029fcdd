//! HTTP/1.1 messages: parsing and writing.
//!
//! Responses of targets are parsed leniently: deviations of real devices are accepted as long as they are
//! unambiguous. Requests of API clients are parsed strictly.

mod accept;
mod body;
mod chunked;
mod head;
mod headers;
#[cfg(test)]
mod mutation;
pub(crate) mod query;
pub(crate) mod request;
pub(crate) mod request_body;
pub(crate) mod response;
pub(crate) mod write;

/// `tchar`, the bytes of methods and field names (RFC 9110 section 5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
