//! Protocol codecs: HTTP/1.1, TLS, DNS and URLs, without sockets or clocks.

pub(crate) mod dns;
pub(crate) mod http;
pub(crate) mod tls;
pub(crate) mod url;
