//! The cookies that redirects set, kept for the rest of one check (RFC 6265).
//!
//! A cookie goes back to the host that set it and to no other, whatever its `Domain` says: a health check
//! is not logged in elsewhere.

use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use crate::wire::http::response::Head;
use crate::wire::url::{Scheme, Url};

/// The most cookies that are kept; further ones are ignored.
const COOKIES_MAX: usize = 64;
/// The longest cookie, in bytes of its name, value and path. Browsers keep no longer ones either.
const COOKIE_MAX: usize = 4096;
/// The longest `Cookie` field, in bytes: curl's limit, and all that many servers accept.
pub(super) const FIELD_MAX: usize = 8190;

/// White space, as RFC 6265 knows it.
const BLANK: [char; 2] = [' ', '\t'];

#[derive(Default)]
pub(super) struct Cookies {
    /// Those with longer paths first, as section 5.4 wants them sent.
    kept: Vec<Cookie>,
    /// Whether a limit has been reached.
    pub(super) overflowed: bool,
}

struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
    secure: bool,
}

impl Cookies {
    /// Takes what an answer of `url` sets and deletes.
    pub(super) fn store(&mut self, head: &Head, url: &Url, unix: Duration) {
        for field in head.headers.get_all("set-cookie") {
            let Some((cookie, expired)) = parse(field, url, unix) else { continue };
            self.kept.retain(|kept| {
                (&kept.host, &kept.path, &kept.name) != (&cookie.host, &cookie.path, &cookie.name)
            });
            if expired {
                continue;
            }
            if self.kept.len() == COOKIES_MAX
                || cookie.path.len() + cookie.name.len() + cookie.value.len() > COOKIE_MAX
            {
                self.overflowed = true;
                continue;
            }
            let shorter = |kept: &Cookie| kept.path.len() < cookie.path.len();
            let at = self.kept.iter().position(shorter).unwrap_or(self.kept.len());
            self.kept.insert(at, cookie);
        }
    }

    /// The value of the `Cookie` field for a request of `url`; empty if there is none.
    pub(super) fn field(&mut self, url: &Url) -> String {
        let mut field = String::new();
        let is_for = |cookie: &&Cookie| {
            cookie.host == url.host
                && (!cookie.secure || is_secure(url))
                && is_below(directory_and_page(url).1, &cookie.path)
        };
        for cookie in self.kept.iter().filter(is_for) {
            if field.len() + cookie.name.len() + cookie.value.len() + "; =".len() > FIELD_MAX {
                self.overflowed = true;
                continue;
            }
            let separator = if field.is_empty() { "" } else { "; " };
            field.extend([separator, &cookie.name, "=", &cookie.value]);
        }
        field
    }
}

/// Reads a `Set-Cookie` field (section 5.2); whether the cookie is to be deleted. `None` if it is ignored.
fn parse(field: &str, url: &Url, unix: Duration) -> Option<(Cookie, bool)> {
    let mut parts = field.split(';');
    let (name, value) = pair(parts.next()?)?;
    let (mut path, mut secure) = (directory_and_page(url).0, false);
    // Whether it is to be kept, as either attribute has it. Max-Age counts more.
    let (mut max_age, mut expires) = (None, None);
    for attribute in parts {
        let (key, value) = pair(attribute).unwrap_or((attribute.trim_matches(BLANK), ""));
        match &*key.to_ascii_lowercase() {
            "path" if value.starts_with('/') => path = value,
            "domain" if !is_domain_of(value, &url.host) => return None,
            "secure" => secure = true,
            // What cannot be read as a number is ignored, but one of any size counts.
            "max-age" if value.starts_with(['-', '0']) => max_age = Some(false),
            "max-age" if value.starts_with(|c: char| c.is_ascii_digit()) => max_age = Some(true),
            "expires" => expires = is_in_the_future(value, unix),
            _ => {}
        }
    }
    let expired = !max_age.or(expires).unwrap_or(true);
    let (name, value) = (name.to_owned(), value.to_owned());
    Some((Cookie { host: url.host.clone(), path: path.to_owned(), name, value, secure }, expired))
}

fn pair(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let (name, value) = (name.trim_matches(BLANK), value.trim_matches(BLANK));
    (!name.is_empty()).then_some((name, value))
}

/// Whether a page of `host` may name this domain (section 5.3). A browser would refuse the cookie otherwise.
fn is_domain_of(domain: &str, host: &str) -> bool {
    let domain = domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase();
    domain.is_empty()
        || host.strip_suffix(&*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The date with blanks, as RFC 9110 section 5.6.7 has it, or with the hyphens of older servers.
fn is_in_the_future(date: &str, unix: Duration) -> Option<bool> {
    let date =
        httpdate::parse_http_date(date).or_else(|_| httpdate::parse_http_date(&date.replace('-', " ")));
    Some(date.ok()?.duration_since(UNIX_EPOCH).is_ok_and(|date| date > unix))
}

/// The path of a cookie that names none (section 5.1.4), and the path without the query.
fn directory_and_page(url: &Url) -> (&str, &str) {
    let page = url.path.split('?').next().unwrap_or_default();
    let directory = page.rsplit_once('/').map_or("", |(directory, _)| directory);
    (if directory.is_empty() { "/" } else { directory }, page)
}

/// As curl and browsers: what stays on this machine needs no encryption.
fn is_secure(url: &Url) -> bool {
    url.scheme == Scheme::Https
        || url.host == "localhost"
        || url.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a cookie of `path` is for this page (section 5.1.4).
fn is_below(page: &str, path: &str) -> bool {
    let rest = page.strip_prefix(path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || path.ends_with('/'))
}
