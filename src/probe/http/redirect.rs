//! Redirects (RFC 9110 section 15.4).

use std::borrow::Cow;

use super::Follow;
use super::cookies::Cookies;
use crate::text::printable;
use crate::wire::http::response::Head;
use crate::wire::url::{HTTPS, Url};

pub(super) const REDIRECTS_MAX: usize = 10;

/// Characters of a Location or URL in a detail.
const SHOWN_MAX: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) url: Url,
    pub(super) method: Cow<'static, str>,
    /// Whether the body of the plan, if any, is sent.
    pub(super) has_content: bool,
    /// The value of the `Cookie` field; empty if there is none.
    pub(super) cookies: String,
}

pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Returns the request after `here`, to which `head` is the response.
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
    if *url.scheme == HTTPS && !tls {
        return Err(format!("HTTP {status} to {}, and this build has no TLS", shown(&url)));
    }
    let becomes_get = becomes_get(status, &here.method);
    let method = if becomes_get { Cow::Borrowed("GET") } else { here.method.clone() };
    let has_content = here.has_content && !becomes_get && status != 303;
    let cookies_sent = cookies.field(&url);
    let next = Hop { url, method, has_content, cookies: cookies_sent };
    let place = shown(&next.url);
    // Only an equal request is a loop: a page may set a cookie and redirect to itself.
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

/// Whether the next request keeps the method and the body (RFC 9110 sections 15.4.8 and 15.4.9).
fn keeps_method(status: u16) -> bool {
    matches!(status, 307 | 308)
}

/// Whether the next request is a GET instead: 303 requires it, and all common clients change a POST to a GET
/// after 301 and 302 (RFC 9110 sections 15.4.2 to 15.4.4). HEAD stays HEAD.
fn becomes_get(status: u16, method: &str) -> bool {
    match status {
        303 => method != "HEAD",
        301 | 302 => method == "POST",
        _ => false,
    }
}

pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    (a.scheme, &a.host, a.port) == (b.scheme, &b.host, b.port)
}

pub(super) fn shown(url: &Url) -> String {
    printable(&url.to_string(), SHOWN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::url::HTTP;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let home = Url::parse("http://home:443/a", &[&HTTP, &HTTPS]).expect("a URL");
        for (url, same) in [
            ("http://HOME:443/b?c", true),
            ("https://home:443/a", false),
            ("http://home:80/a", false),
            ("http://home2:443/a", false),
        ] {
            assert_eq!(same_origin(&Url::parse(url, &[&HTTP, &HTTPS]).expect(url), &home), same, "{url}");
        }
    }
}
