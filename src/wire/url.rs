//! URLs as people type them and as redirects give them.

use std::fmt;

/// What is spoken to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A bare TCP connection.
    Tcp,
    /// HTTP/1.1 in the clear.
    Http,
    /// HTTP/1.1 over TLS.
    Https,
}

/// A target: scheme, host, port and, for http and https, path and query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: Scheme,
    /// A lower-case name or an IP address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Begins with `/`, holds the query, never a fragment; empty for tcp.
    pub(crate) path: String,
}

impl Url {
    /// Reads `SCHEME://HOST[:PORT][/PATH][?QUERY]`. The error is one line for a person.
    pub(crate) fn parse(text: &str) -> Result<Url, String> {
        todo!("{text}")
    }

    /// Where a redirect from here to `location` leads (RFC 3986 section 5): absolute, `//host/…`,
    /// `/…`, `?…` or relative. Only http and https.
    pub(crate) fn join(&self, location: &str) -> Result<Url, String> {
        todo!("{location}")
    }

    /// `HOST:PORT`, an IPv6 address in brackets.
    pub(crate) fn authority(&self) -> String {
        todo!()
    }

    /// The value of the `Host` field: the port only when it is not the scheme's default.
    pub(crate) fn host_field(&self) -> String {
        todo!()
    }
}

/// `tcp://HOST:PORT` or the full URL with its port.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        todo!()
    }
}
