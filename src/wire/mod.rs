//! Protocol codecs: HTTP/1.1, TLS, DNS, ICMP, URLs, base64 and CRC-32, without sockets or clocks.

pub(crate) mod base64;
pub(crate) mod crc32;
pub(crate) mod dns;
pub(crate) mod http;
pub(crate) mod icmp;
pub(crate) mod tls;
pub(crate) mod url;
