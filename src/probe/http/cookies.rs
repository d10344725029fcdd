//! The cookies that redirects set, kept for the rest of one check (RFC 6265).
//!
//! A cookie is only sent to the host that set it; its `Domain` is ignored.

use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use crate::wire::http::response::Head;
use crate::wire::url::{HTTPS, Url};

/// The limit of cookies; further ones are ignored.
const COOKIES_MAX: usize = 64;
/// The longest cookie, in bytes of its name, value and path: the limit of browsers.
const COOKIE_MAX: usize = 4096;
/// The longest `Cookie` field, in bytes: the limit of curl and of many servers.
const FIELD_MAX: usize = 8190;

/// The end of the year 9999, the last that an HTTP date can express.
const CLOCK_MAX: Duration = Duration::from_secs(253_402_300_799);
/// White space in RFC 6265.
const BLANK: [char; 2] = [' ', '\t'];

#[derive(Default)]
pub(super) struct Cookies {
    /// Longer paths first: the order in which section 5.4 sends them.
    kept: Vec<Cookie>,
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

    /// The value of the `Cookie` field; empty if there is none.
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

pub(super) fn append(field: &mut String, pair: &str) {
    if !field.is_empty() {
        field.push_str("; ");
    }
    field.push_str(pair);
}

pub(super) fn name(pair: &str) -> &str {
    split(pair).0
}

/// The cookie and whether it has expired (RFC 6265 section 5.2).
fn parse(field: &str, url: &Url, unix: Duration) -> Option<(Cookie, bool)> {
    let mut parts = field.split(';');
    let (name, value) = split(parts.next()?);
    if name.is_empty() || !field.contains('=') {
        return None;
    }
    let pair = format!("{name}={value}");
    let (mut path, mut secure) = (directory(url), false);
    // Max-Age has precedence over Expires.
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
            // Only the first byte matters: a number may have any size, other values are ignored.
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

fn split(text: &str) -> (&str, &str) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.trim_matches(BLANK), value.trim_matches(BLANK))
}

/// RFC 6265 section 5.3.
fn is_domain_of(domain: &str, host: &str) -> bool {
    let domain = domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase();
    domain.is_empty()
        || host.strip_suffix(&*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn now(unix: Duration) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + unix.min(CLOCK_MAX))
}

/// Year, month, day, hour, minute and second of a date like `Thu, 01 Jan 1970 00:00:00 GMT`, with spaces or
/// hyphens, and a year of two or four digits (RFC 6265 section 5.1.1).
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

fn page(url: &Url) -> &str {
    url.path.split('?').next().unwrap_or_default()
}

/// RFC 6265 section 5.1.4.
fn directory(url: &Url) -> &str {
    match page(url).rsplit_once('/') {
        Some((directory, _)) if !directory.is_empty() => directory,
        _ => "/",
    }
}

/// Whether `Secure` cookies may be sent: over https, or to this machine, as in curl and browsers.
fn is_secure(url: &Url) -> bool {
    *url.scheme == HTTPS
        || url.host == "localhost"
        || url.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// RFC 6265 section 5.1.4.
fn is_below(page: &str, path: &str) -> bool {
    let rest = page.strip_prefix(path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || path.ends_with('/'))
}
