//! HTTP/1.1 messages, read and written in both directions.

pub(crate) mod request;
pub(crate) mod response;
