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
const FIELD_MAX: usize = 8190;

/// The end of the last year that can be written as a date.
const CLOCK_MAX: Duration = Duration::from_secs(253_402_300_799);
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
    /// `NAME=VALUE`.
    pair: String,
    secure: bool,
}

impl Cookies {
    /// Takes what an answer of `url` sets and deletes.
    pub(super) fn store(&mut self, head: &Head, url: &Url, unix: Duration) {
        for field in head.headers.get_all("set-cookie") {
            let Some((cookie, expired)) = parse(field, url, unix) else { continue };
            self.kept.retain(|kept| {
                (&kept.host, &kept.path, name(&kept.pair)) != (&cookie.host, &cookie.path, name(&cookie.pair))
            });
            if expired {
                continue;
            }
            if self.kept.len() == COOKIES_MAX || cookie.path.len() + cookie.pair.len() > COOKIE_MAX {
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
        for cookie in &self.kept {
            if cookie.host != url.host
                || !((is_secure(url) || !cookie.secure) && is_below(page(url), &cookie.path))
            {
                continue;
            }
            if field.len() + cookie.pair.len() + "; ".len() > FIELD_MAX {
                self.overflowed = true;
                continue;
            }
            append(&mut field, &cookie.pair);
        }
        field
    }
}

/// Adds a `NAME=VALUE` to a `Cookie` field.
pub(super) fn append(field: &mut String, pair: &str) {
    if !field.is_empty() {
        field.push_str("; ");
    }
    field.push_str(pair);
}

/// The name in `NAME=VALUE`.
pub(super) fn name(pair: &str) -> &str {
    split(pair).0
}

/// Reads a `Set-Cookie` field (section 5.2); whether the cookie is to be deleted. `None` if it is ignored.
fn parse(field: &str, url: &Url, unix: Duration) -> Option<(Cookie, bool)> {
    let mut parts = field.split(';');
    let (name, value) = split(parts.next()?);
    if name.is_empty() || !field.contains('=') {
        return None;
    }
    let pair = format!("{name}={value}");
    let (mut path, mut secure) = (directory(url), false);
    // Whether it has expired, as either attribute has it. Max-Age counts more.
    let (mut by_age, mut by_date) = (None, None);
    for attribute in parts {
        let (key, value) = split(attribute);
        let is = |name: &str| key.eq_ignore_ascii_case(name);
        if is("path") && value.starts_with('/') {
            path = value;
        } else if is("domain") && !is_domain_of(value, &url.host) {
            return None;
        } else if is("secure") {
            secure = true;
        } else if is("max-age") {
            // What is no number is ignored, but one of any size counts.
            by_age = match value.bytes().next() {
                Some(b'-' | b'0') => Some(true),
                Some(b'1'..=b'9') => Some(false),
                _ => by_age,
            };
        } else if is("expires") {
            by_date = time(value).map(|date| Some(date) <= time(&now(unix)));
        }
    }
    let expired = by_age.or(by_date).unwrap_or(false);
    Some((Cookie { host: url.host.clone(), path: path.to_owned(), pair, secure }, expired))
}

/// The text before and after the first `=`, without blanks around them.
fn split(text: &str) -> (&str, &str) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.trim_matches(BLANK), value.trim_matches(BLANK))
}

/// Whether a page of `host` may name this domain (section 5.3). A browser would refuse the cookie otherwise.
fn is_domain_of(domain: &str, host: &str) -> bool {
    let domain = domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase();
    domain.is_empty()
        || host.strip_suffix(&*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn now(unix: Duration) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + unix.min(CLOCK_MAX))
}

/// Year, month, day, hour, minute and second of a date like `Thu, 01 Jan 1970 00:00:00 GMT`, with blanks or
/// the hyphens of older servers, and with two or four digits of the year (RFC 6265 section 5.1.1).
fn time(date: &str) -> Option<[usize; 6]> {
    let mut words = date.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).skip(1);
    let [day, month, year, hour, minute, second] = std::array::from_fn(|_| words.next().unwrap_or_default());
    let is_month =
        |known: &[u8]| month.as_bytes().get(..3).is_some_and(|month| month.eq_ignore_ascii_case(known));
    let month = b"janfebmaraprmayjunjulaugsepoctnovdec".chunks(3).position(is_month)?;
    let number = |word: &str| word.parse::<usize>().ok();
    let year = match number(year)? {
        year @ ..70 => year + 2000,
        year @ 70..100 => year + 1900,
        year => year,
    };
    Some([year, month, number(day)?, number(hour)?, number(minute)?, number(second)?])
}

/// The path without the query.
fn page(url: &Url) -> &str {
    url.path.split('?').next().unwrap_or_default()
}

/// The path of a cookie that names none (section 5.1.4).
fn directory(url: &Url) -> &str {
    match page(url).rsplit_once('/') {
        Some((directory, _)) if !directory.is_empty() => directory,
        _ => "/",
    }
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
