//! URLs of targets and redirects (RFC 3986).
//!
//! Supported are hosts that can be resolved or connected to, and bytes that a request line may contain. The
//! caller passes the schemes that it accepts.

mod host;
mod join;
#[cfg(test)]
mod tests;

use std::fmt;

pub(crate) use host::AUTHORIZATION_HINT;

use crate::result::printable;

/// The longest accepted URL, in bytes: several times the default limits of web servers.
pub(crate) const URL_MAX: usize = 64 * 1024;

const QUOTE_MAX: usize = 64;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    /// In lower case.
    pub(crate) name: &'static str,
    /// `None` if a URL must state the port.
    pub(crate) default_port: Option<u16>,
    pub(crate) has_path: bool,
}

pub(crate) static HTTP: Scheme = Scheme { name: "http", default_port: Some(80), has_path: true };
pub(crate) static HTTPS: Scheme = Scheme { name: "https", default_port: Some(443), has_path: true };

pub(crate) type Schemes<'a> = &'a [&'static Scheme];

pub(crate) fn scheme_of(name: &str, schemes: Schemes<'_>) -> Result<&'static Scheme, String> {
    let found = schemes.iter().find(|scheme| name.eq_ignore_ascii_case(scheme.name));
    found.copied().ok_or_else(|| format!("{} is not {}", quote(name), listed(schemes, "")))
}

/// The names of schemes, each with `suffix`: `tcp, http or https`.
fn listed(schemes: Schemes<'_>, suffix: &str) -> String {
    let mut text = String::new();
    for (index, scheme) in schemes.iter().enumerate() {
        text.push_str(match schemes.len() - index {
            _ if index == 0 => "",
            1 => " or ",
            _ => ", ",
        });
        text.push_str(scheme.name);
        text.push_str(suffix);
    }
    text
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: &'static Scheme,
    /// A lower-case name or an IP address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path and query without fragment; starts with `/`, or is empty for tcp.
    pub(crate) path: String,
}

impl Url {
    /// Parses `SCHEME://HOST[:PORT][/PATH][?QUERY]`. The error is one line for the user.
    pub(crate) fn parse(text: &str, schemes: Schemes<'_>) -> Result<Url, String> {
        check_length(text)?;
        refuse_control_characters(text)?;
        let parts = text.split_once("://").filter(|(scheme, _)| !scheme.contains('@'));
        let Some((scheme, rest)) = parts else {
            return Err(if text.contains('@') {
                // The text is not quoted: it may contain a password.
                format!("a URL begins with {}", listed(schemes, "://"))
            } else {
                format!("{} is not a URL: it must begin with {}", quote(text), listed(schemes, "://"))
            });
        };
        let scheme = scheme_of(scheme, schemes)?;
        let (authority, path) = split_authority(without_fragment(rest));
        let (host, port) = host::read_authority(scheme, authority)?;
        Ok(Url { scheme, host, port, path: read_path(scheme, path)? })
    }

    /// The host may be an IPv6 address with or without brackets; a missing leading `/` of the path is added.
    pub(crate) fn new(scheme: &'static Scheme, host: &str, port: u16, path: &str) -> Result<Url, String> {
        check_length(path)?;
        if port == 0 {
            return Err("port 0 is not between 1 and 65535".to_owned());
        }
        let host = host::read_bare(host)?;
        Ok(Url { scheme, host, port, path: read_path(scheme, without_fragment(path))? })
    }

    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.bracketed_host(), self.port)
    }

    /// The value of the `Host` field: without the port if it is the scheme's default.
    pub(crate) fn host_field(&self) -> String {
        if self.scheme.default_port == Some(self.port) { self.bracketed_host() } else { self.authority() }
    }

    fn bracketed_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name, self.authority(), self.path)
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
fn read_path(scheme: &Scheme, path: &str) -> Result<String, String> {
    if !scheme.has_path {
        return match path {
            "" | "/" => Ok(String::new()),
            _ => Err(format!("a {} target has no path: {}", scheme.name, quote(path))),
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
