//! URLs of targets and redirects (RFC 3986).
//!
//! Supported are hosts that can be resolved or connected to, and bytes that a request line may contain. The
//! caller passes the schemes that it accepts.

mod host;
mod join;
#[cfg(test)]
mod tests;

use std::fmt;

pub(crate) use host::{AUTHORIZATION_HINT, NAME_MAX, read_host_and_port};

use crate::text::{self, quote};

/// The longest accepted URL, in bytes: several times the default limits of web servers.
pub(crate) const URL_MAX: usize = 64 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    /// In lower case.
    pub(crate) name: &'static str,
    /// Another name that is accepted.
    pub(crate) alias: Option<&'static str>,
    pub(crate) form: Form,
}

/// What follows the name of the scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `://HOST[:PORT][/PATH][?QUERY]`
    Server {
        /// `None` if a URL must state the port.
        default_port: Option<u16>,
        has_path: bool,
    },
    /// `://HOST`
    Host,
    /// `:TEXT`, which the caller parses.
    Text,
}

impl Scheme {
    pub(crate) const fn new(name: &'static str, form: Form) -> Scheme {
        Scheme { name, alias: None, form }
    }

    pub(crate) fn default_port(&self) -> Option<u16> {
        match self.form {
            Form::Server { default_port, .. } => default_port,
            Form::Host | Form::Text => None,
        }
    }

    pub(crate) fn has_path(&self) -> bool {
        matches!(self.form, Form::Server { has_path: true, .. })
    }

    pub(crate) fn has_port(&self) -> bool {
        matches!(self.form, Form::Server { .. })
    }

    /// `a tcp target`
    fn target(&self) -> String {
        let article = if self.name.starts_with(['e', 'i']) { "an" } else { "a" };
        format!("{article} {} target", self.name)
    }

    /// The characters between the name and the rest of a URL.
    pub(crate) fn separator(&self) -> &'static str {
        if self.form == Form::Text { ":" } else { "://" }
    }
}

pub(crate) static HTTP: Scheme = Scheme::new("http", Form::Server { default_port: Some(80), has_path: true });
pub(crate) static HTTPS: Scheme =
    Scheme::new("https", Form::Server { default_port: Some(443), has_path: true });

pub(crate) type Schemes<'a> = &'a [&'static Scheme];

pub(crate) fn scheme_of(name: &str, schemes: Schemes<'_>) -> Result<&'static Scheme, String> {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    let found = schemes.iter().find(|scheme| is(scheme.name) || scheme.alias.is_some_and(is));
    found.copied().ok_or_else(|| format!("{} is not {}", quote(name), listed(schemes, |_| "")))
}

/// The names of schemes, each with its suffix: `tcp, http or https`.
fn listed(schemes: Schemes<'_>, suffix: fn(&Scheme) -> &'static str) -> String {
    text::listed(schemes.iter().map(|scheme| scheme.name.to_owned() + suffix(scheme)), " or ")
}

/// Without [`Form::Server`] the port is 0; with [`Form::Text`] the host is empty and the path is the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: &'static Scheme,
    /// A lower-case name or an IP address without brackets.
    pub(crate) host: String,
    /// The zone of a link-local address (RFC 4007), which is not part of requests.
    pub(crate) zone: Option<String>,
    pub(crate) port: u16,
    /// Path and query without fragment; starts with `/`, or is empty for tcp.
    pub(crate) path: String,
}

impl Url {
    /// Parses `SCHEME://HOST[:PORT][/PATH][?QUERY]`. The error is one line for the user.
    pub(crate) fn parse(text: &str, schemes: Schemes<'_>) -> Result<Url, String> {
        check_length(text)?;
        refuse_control_characters(text)?;
        if let Some((name, rest)) = text.split_once(':') {
            match scheme_of(name, schemes) {
                Ok(scheme) if scheme.form == Form::Text => return Ok(Url::from_text(scheme, rest)),
                _ => {}
            }
        }
        let parts = text.split_once("://").filter(|(scheme, _)| !scheme.contains('@'));
        let Some((scheme, rest)) = parts else {
            return Err(if text.contains('@') {
                // The text is not quoted: it may contain a password.
                format!("a URL begins with {}", listed(schemes, Scheme::separator))
            } else {
                let beginnings = listed(schemes, Scheme::separator);
                format!("{} is not a URL: it must begin with {beginnings}", quote(text))
            });
        };
        let scheme = scheme_of(scheme, schemes)?;
        let (authority, path) = split_authority(without_fragment(rest));
        let (authority, zone) = host::split_zone(authority)?;
        let (host, port) = match scheme.form {
            Form::Host => (read_portless(scheme, &authority)?, 0),
            _ => host::read_authority(scheme, &authority)?,
        };
        Ok(Url { scheme, host, zone, port, path: read_path(scheme, path)? })
    }

    fn from_text(scheme: &'static Scheme, text: &str) -> Url {
        Url { scheme, host: String::new(), zone: None, port: 0, path: text.to_owned() }
    }

    /// The host may be an IPv6 address with or without brackets; a missing leading `/` of the path is added.
    /// Without a port it is 0; with [`Form::Text`] the host is the text.
    pub(crate) fn new(scheme: &'static Scheme, host: &str, port: u16, path: &str) -> Result<Url, String> {
        check_length(path)?;
        if port == 0 && scheme.has_port() {
            return Err("port 0 is not between 1 and 65535".to_owned());
        }
        if scheme.form == Form::Text {
            check_length(host)?;
            refuse_control_characters(host)?;
            return Ok(Url::from_text(scheme, host));
        }
        let (host, zone) = host::split_zone(host)?;
        let host = host::read_bare(&host)?;
        Ok(Url { scheme, host, zone, port, path: read_path(scheme, without_fragment(path))? })
    }

    /// `HOST:PORT`, with an IPv6 address and its zone in brackets, or `HOST`.
    pub(crate) fn authority(&self) -> String {
        let host = match &self.zone {
            Some(zone) => ["[", &self.host, "%", zone, "]"].concat(),
            None => self.bracketed_host(),
        };
        match self.scheme.form {
            Form::Server { .. } => format!("{host}:{}", self.port),
            Form::Host | Form::Text => host,
        }
    }

    /// The value of the `Host` field: without the port if it is the scheme's default.
    pub(crate) fn host_field(&self) -> String {
        match self.scheme.default_port() == Some(self.port) {
            true => self.bracketed_host(),
            false => format!("{}:{}", self.bracketed_host(), self.port),
        }
    }

    fn bracketed_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

/// The full URL, with its port.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [self.scheme.name, self.scheme.separator(), &self.authority(), &self.path] {
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
pub(crate) fn without_fragment(text: &str) -> &str {
    text.split_once('#').map_or(text, |(before, _)| before)
}

fn read_portless(scheme: &Scheme, authority: &str) -> Result<String, String> {
    host::read_bare(authority).map_err(|error| match authority.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => {
            format!("{} has no port: {}", scheme.target(), quote(authority))
        }
        _ => error,
    })
}

/// Path and query are sent unchanged, with a leading `/`.
fn read_path(scheme: &Scheme, path: &str) -> Result<String, String> {
    if !scheme.has_path() {
        return match path {
            "" | "/" => Ok(String::new()),
            _ => Err(format!("{} has no path: {}", scheme.target(), quote(path))),
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
