//! The fields that decide what a request may do.

use super::*;

#[test]
fn the_token_is_that_of_the_only_authorization_of_the_scheme_bearer() {
    let long = "x".repeat(400);
    for (fields, token) in [
        ("", None),
        ("Authorization: Bearer abc\r\n", Some("abc")),
        ("authorization:  bearer   abc= \r\n", Some("abc=")),
        ("Authorization: BEARER a b\r\n", Some("a b")),
        ("Authorization: Bearer \r\n", None),
        ("Authorization: Bearer\tabc\r\n", None),
        ("Authorization: Bearerabc\r\n", None),
        ("Authorization: Basic YWJj\r\n", None),
        ("Authorization: abc\r\n", None),
        ("Authorization: Bearer abc\r\nAuthorization: Bearer abc\r\n", None),
        ("Proxy-Authorization: Bearer abc\r\n", None),
        (&format!("Authorization: Bearer {long}\r\n"), None),
    ] {
        let read = request(&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        assert_eq!(read.bearer.as_deref(), token, "{fields}");
    }
}

#[test]
fn the_origin_of_a_page_is_read() {
    let long = "x".repeat(400);
    for (fields, origin, is_cross_site) in [
        ("", None, false),
        ("Origin: http://a\r\nSec-Fetch-Site: same-origin\r\n", Some("http://a"), false),
        ("origin: null\r\nsec-fetch-site: none\r\n", Some("null"), false),
        ("Origin:\r\n", Some(""), false),
        ("Origin: http://a\r\nOrigin: http://a\r\n", Some(""), false),
        (&format!("Origin: http://{long}\r\n"), Some(""), false),
        ("Sec-Fetch-Site: same-site\r\n", None, true),
        ("Sec-Fetch-Site: cross-site\r\n", None, true),
        ("Sec-Fetch-Site: Same-Origin\r\n", None, true),
        ("Sec-Fetch-Site: none, cross-site\r\n", None, true),
        ("Sec-Fetch-Site:\r\n", None, true),
        ("Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n", None, true),
    ] {
        let read = request(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        assert_eq!((read.origin.as_deref(), read.is_cross_site), (origin, is_cross_site), "{fields}");
    }
}

#[test]
fn a_browser_prefers_html() {
    for (fields, prefers_html) in [
        ("", false),
        ("Accept: */*\r\n", false),
        ("Accept: application/json\r\naccept: text/html\r\n", true),
        ("Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n", true),
        ("Accept: text/html;q=0.5, application/json\r\n", false),
    ] {
        let read = request(&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        assert_eq!(read.prefers_html, prefers_html, "{fields}");
    }
}
