//! URLs as people type them and as redirects give them.
//!
//! The rules are those of RFC 3986, narrowed to what can be probed: `tcp`, `http` and `https`, a
//! host that can be looked up or dialled, and bytes that may stand in a request line.

mod host;
mod join;
#[cfg(test)]
mod tests;

use std::fmt;

pub(crate) use host::AUTHORIZATION_HINT;

use crate::result::printable;

/// The longest URL that is read, in bytes: several times what web servers accept by default.
pub(crate) const URL_MAX: usize = 64 * 1024;

/// How much of a person's text an error message repeats, in characters.
const QUOTE_MAX: usize = 64;

/// What is spoken to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// A bare TCP connection.
    Tcp,
    /// HTTP/1.1 in the clear.
    Http,
    /// HTTP/1.1 over TLS.
    Https,
}

impl Scheme {
    /// The scheme of this name, in any case (RFC 3986 section 3.1).
    pub(crate) fn parse(name: &str) -> Result<Scheme, String> {
        [Scheme::Tcp, Scheme::Http, Scheme::Https]
            .into_iter()
            .find(|scheme| name.eq_ignore_ascii_case(scheme.as_str()))
            .ok_or_else(|| format!("{} is not tcp, http or https", quote(name)))
    }

    /// The scheme's name in lower case.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Scheme::Tcp => "tcp",
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port that need not be written; a bare TCP connection has none.
    pub(crate) fn default_port(self) -> Option<u16> {
        match self {
            Scheme::Tcp => None,
            Scheme::Http => Some(80),
            Scheme::Https => Some(443),
        }
    }
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
        check_length(text)?;
        refuse_control_characters(text)?;
        let parts = text.split_once("://").filter(|(scheme, _)| !scheme.contains('@'));
        let Some((scheme, rest)) = parts else {
            return Err(if text.contains('@') {
                // Not repeated: it may hold a password.
                "a URL begins with tcp://, http:// or https://".to_owned()
            } else {
                format!("{} is not a URL: it must begin with tcp://, http:// or https://", quote(text))
            });
        };
        let scheme = Scheme::parse(scheme)?;
        let (authority, path) = split_authority(without_fragment(rest));
        let (host, port) = host::read_authority(scheme, authority)?;
        Ok(Url { scheme, host, port, path: read_path(scheme, path)? })
    }

    /// A URL from its parts. The host may be an IPv6 address with or without brackets; a missing
    /// leading `/` of the path is added.
    pub(crate) fn new(scheme: Scheme, host: &str, port: u16, path: &str) -> Result<Url, String> {
        check_length(path)?;
        if port == 0 {
            return Err("port 0 is not between 1 and 65535".to_owned());
        }
        let host = host::read_bare(host)?;
        Ok(Url { scheme, host, port, path: read_path(scheme, without_fragment(path))? })
    }

    /// Where a redirect from here to `location` leads (RFC 3986 section 5): absolute, `//host/…`,
    /// `/…`, `?…` or relative. Only http and https. User and password are dropped.
    ///
    /// Spaces and non-ASCII characters are percent-encoded, as browsers do: servers send them.
    pub(crate) fn join(&self, location: &str) -> Result<Url, String> {
        join::join(self, location)
    }

    /// `HOST:PORT`, an IPv6 address in brackets.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.bracketed_host(), self.port)
    }

    /// The value of the `Host` field: the port only when it is not the scheme's default.
    pub(crate) fn host_field(&self) -> String {
        if self.scheme.default_port() == Some(self.port) { self.bracketed_host() } else { self.authority() }
    }

    fn bracketed_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

/// `tcp://HOST:PORT` or the full URL with its port.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [self.scheme.as_str(), "://", &self.authority(), &self.path] {
            f.write_str(part)?;
        }
        Ok(())
    }
}

/// The authority, and the path and query after it (RFC 3986 section 3.2).
fn split_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

/// A fragment is for the one who reads the answer, and is never sent (RFC 3986 section 3.5).
fn without_fragment(text: &str) -> &str {
    text.split_once('#').map_or(text, |(before, _)| before)
}

/// The path and query as they are sent: byte for byte as written, behind a `/`.
fn read_path(scheme: Scheme, path: &str) -> Result<String, String> {
    if scheme == Scheme::Tcp {
        return match path {
            "" | "/" => Ok(String::new()),
            _ => Err(format!("a tcp target has no path: {}", quote(path))),
        };
    }
    refuse_control_characters(path)?;
    if path.contains(' ') {
        return Err(format!("a path can not hold a space (write %20): {}", quote(path)));
    }
    if !path.is_ascii() {
        return Err(format!("a path can only hold ASCII (percent-encode the rest): {}", quote(path)));
    }
    Ok(if path.starts_with('/') { path.to_owned() } else { format!("/{path}") })
}

/// Nothing that could end a request line early and begin another (RFC 9112 section 11.1).
fn refuse_control_characters(text: &str) -> Result<(), String> {
    match text.chars().any(char::is_control) {
        // Not repeated: it may hold a password.
        true if text.contains('@') => Err("a URL can not hold a control character".to_owned()),
        true => Err(format!("a URL can not hold a control character: {}", quote(text))),
        false => Ok(()),
    }
}

fn check_length(text: &str) -> Result<(), String> {
    if text.len() > URL_MAX {
        return Err(format!("a URL of {} bytes is too long (at most {URL_MAX})", text.len()));
    }
    Ok(())
}

/// A person's own text, fit to stand in an error message.
fn quote(text: &str) -> String {
    format!("`{}`", printable(text, QUOTE_MAX))
}

/// `text` with everything encoded that cannot stand in a request line; existing escapes stay.
pub(crate) fn percent_encoded(text: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text {
        if byte.is_ascii_graphic() {
            out.push(char::from(*byte));
        } else {
            out.push('%');
            out.extend([byte >> 4, byte & 15].map(|nibble| char::from(HEX[usize::from(nibble)])));
        }
    }
    out
}
