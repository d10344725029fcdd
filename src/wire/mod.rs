//! Protocol codecs: HTTP/1.1, TLS, DNS, ICMP, URLs and base64, without sockets or clocks.

pub(crate) mod base64;
pub(crate) mod dns;
pub(crate) mod http;
pub(crate) mod icmp;
pub(crate) mod tls;
pub(crate) mod url;
