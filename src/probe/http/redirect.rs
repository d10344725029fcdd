//! Where redirects lead, and where they end (RFC 9110 section 15.4).

use std::borrow::Cow;

use super::Follow;
use super::cookies::Cookies;
use crate::result::printable;
use crate::wire::http::response::Head;
use crate::wire::url::{Scheme, Url};

/// The most redirects that are followed in one try.
pub(super) const REDIRECTS_MAX: usize = 10;

/// How much of a Location or URL a detail shows, in characters.
const SHOWN_MAX: usize = 100;

/// One request of a chain of redirects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) url: Url,
    pub(super) method: Cow<'static, str>,
    /// What earlier answers want sent back; empty if there is nothing.
    pub(super) cookies: String,
}

/// Whether this is a status that says where else to ask.
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The next request, given those made so far, of which `here` was the last and got this answer. The
/// error says why there is none. `tls` tells whether an https URL can be followed.
///
/// Only a request that is the same in all its parts makes a loop: with another cookie, a page that sets
/// one and redirects to itself answers.
pub(super) fn follow(
    before: &[Hop],
    here: &Hop,
    head: &Head,
    follow: Follow,
    tls: bool,
    cookies: &mut Cookies,
) -> Result<Hop, String> {
    let status = head.status;
    let Some(location) = head.headers.get_all("location").find(|text| !text.is_empty()) else {
        return Err(format!("HTTP {status} without a Location"));
    };
    let url = here.url.join(location).map_err(|error| match location.contains('@') {
        // Not repeated: it may hold a password.
        true => format!("HTTP {status} with a bad Location: {error}"),
        false => format!("HTTP {status} with a bad Location '{}': {error}", printable(location, SHOWN_MAX)),
    })?;
    if follow == Follow::SameMethod && !keeps_method(status) {
        return Err(format!("HTTP {status} to {}, where it would become a GET", shown(&url)));
    }
    if url.scheme == Scheme::Https && !tls {
        return Err(format!("HTTP {status} to {}, and this build has no TLS", shown(&url)));
    }
    let method = if becomes_get(status, &here.method) { Cow::Borrowed("GET") } else { here.method.clone() };
    let cookies_sent = cookies.field(&url);
    let next = Hop { url, method, cookies: cookies_sent };
    let place = shown(&next.url);
    let mut error = if next == *here || before.contains(&next) {
        format!("redirect loop: HTTP {status} back to {place}")
    } else if before.len() >= REDIRECTS_MAX {
        format!("more than {REDIRECTS_MAX} redirects, the last to {place}")
    } else {
        return Ok(next);
    };
    if cookies.overflowed {
        error.push_str(" (some cookies were not sent back: the limit is 8 KiB)");
    }
    Err(error)
}

/// Whether the next request has to be the same, body included (RFC 9110 sections 15.4.8 and 15.4.9).
fn keeps_method(status: u16) -> bool {
    matches!(status, 307 | 308)
}

/// Whether the next request is a GET instead: 303 asks for that; 301 and 302 make one of a POST, as
/// everybody does (RFC 9110 sections 15.4.2 to 15.4.4). HEAD stays: it is a GET whose body is not
/// wanted.
fn becomes_get(status: u16, method: &str) -> bool {
    match status {
        303 => method != "HEAD",
        301 | 302 => method == "POST",
        _ => false,
    }
}

/// Whether both are parts of one site, to which the same secrets may be told (RFC 6454 section 5).
pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    (a.scheme, &a.host, a.port) == (b.scheme, &b.host, b.port)
}

/// A URL, short enough to leave room for what is said about it.
pub(super) fn shown(url: &Url) -> String {
    printable(&url.to_string(), SHOWN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let home = Url::parse("http://home:443/a").expect("a URL");
        for (url, same) in [
            ("http://HOME:443/b?c", true),
            ("https://home:443/a", false),
            ("http://home:80/a", false),
            ("http://home2:443/a", false),
        ] {
            assert_eq!(same_origin(&Url::parse(url).expect(url), &home), same, "{url}");
        }
    }
}
