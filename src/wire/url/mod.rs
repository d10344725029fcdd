//! URLs of targets and redirects (RFC 3986).
//!
//! Supported are the schemes `tcp`, `http` and `https`, hosts that can be resolved or connected to, and bytes
//! that a request line may contain.

mod host;
mod join;
#[cfg(test)]
mod tests;

use std::fmt;

pub(crate) use host::AUTHORIZATION_HINT;

use crate::result::printable;

/// The longest accepted URL, in bytes: several times the default limits of web servers.
pub(crate) const URL_MAX: usize = 64 * 1024;

/// How much of the input an error message repeats, in characters.
const QUOTE_MAX: usize = 64;

/// The protocol of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// A bare TCP connection.
    Tcp,
    /// HTTP/1.1 without TLS.
    Http,
    /// HTTP/1.1 over TLS.
    Https,
}

impl Scheme {
    /// Parses a scheme's name, in any case (RFC 3986 section 3.1).
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

    /// The default port; TCP has none.
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
    /// Path and query without fragment; starts with `/`, or is empty for tcp.
    pub(crate) path: String,
}

impl Url {
    /// Parses `SCHEME://HOST[:PORT][/PATH][?QUERY]`. The error is one line for the user.
    pub(crate) fn parse(text: &str) -> Result<Url, String> {
        check_length(text)?;
        refuse_control_characters(text)?;
        let parts = text.split_once("://").filter(|(scheme, _)| !scheme.contains('@'));
        let Some((scheme, rest)) = parts else {
            return Err(if text.contains('@') {
                // The text is not quoted: it may contain a password.
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

    /// Resolves the `location` of a redirect against this URL (RFC 3986 section 5). Only http and https are
    /// accepted. User and password are dropped.
    ///
    /// Spaces and non-ASCII characters, which servers send, are percent-encoded, as in browsers.
    pub(crate) fn join(&self, location: &str) -> Result<Url, String> {
        join::join(self, location)
    }

    /// `HOST:PORT`, with an IPv6 address in brackets.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.bracketed_host(), self.port)
    }

    /// The value of the `Host` field: without the port if it is the scheme's default.
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

/// Splits the authority from path and query (RFC 3986 section 3.2).
fn split_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

/// Clients do not send fragments (RFC 3986 section 3.5).
fn without_fragment(text: &str) -> &str {
    text.split_once('#').map_or(text, |(before, _)| before)
}

/// Path and query are sent unchanged, with a leading `/`.
fn read_path(scheme: Scheme, path: &str) -> Result<String, String> {
    if scheme == Scheme::Tcp {
        return match path {
            "" | "/" => Ok(String::new()),
            _ => Err(format!("a tcp target has no path: {}", quote(path))),
        };
    }
    refuse_control_characters(path)?;
    if path.contains(' ') {
        return Err(format!("a path cannot hold a space (write %20): {}", quote(path)));
    }
    if !path.is_ascii() {
        return Err(format!("a path can only hold ASCII (percent-encode the rest): {}", quote(path)));
    }
    Ok(if path.starts_with('/') { path.to_owned() } else { format!("/{path}") })
}

/// Control characters could end a request line and start another request (RFC 9112 section 11.1).
fn refuse_control_characters(text: &str) -> Result<(), String> {
    match text.chars().any(char::is_control) {
        // The text is not quoted: it may contain a password.
        true if text.contains('@') => Err("a URL cannot hold a control character".to_owned()),
        true => Err(format!("a URL cannot hold a control character: {}", quote(text))),
        false => Ok(()),
    }
}

fn check_length(text: &str) -> Result<(), String> {
    if text.len() > URL_MAX {
        return Err(format!("a URL of {} bytes is too long (at most {URL_MAX})", text.len()));
    }
    Ok(())
}

/// Quotes input in an error message: printable and limited to [`QUOTE_MAX`].
fn quote(text: &str) -> String {
    format!("`{}`", printable(text, QUOTE_MAX))
}

/// Percent-encodes the bytes that a request line cannot contain; existing escapes are unchanged.
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
