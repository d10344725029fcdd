//! Which representation a client gets.

use super::*;

fn reply(path: &str, prefers_html: bool, access: &Access) -> Reply {
    let request = Request { prefers_html, ..request(Method::Get, path) };
    super::super::reply(&request, &targets(&[("web", "+")], test_now()), access, test_now())
}

#[test]
fn the_root_is_html_for_clients_that_prefer_it() {
    let access = access();
    let status = || ListingPage::Status(Default::default());
    let vary = "Vary: Accept\r\n";
    for (path, prefers_html, page, field) in [
        ("/", false, status(), vary),
        ("/", true, ListingPage::Page, vary),
        ("//", true, ListingPage::Page, vary),
        ("/?x=1", true, ListingPage::Page, vary),
        ("/status", false, status(), ""),
        ("/status", true, status(), ""),
        ("/page", false, ListingPage::Page, ""),
        ("/page", true, ListingPage::Page, ""),
    ] {
        assert_eq!(reply(path, prefers_html, &access), Reply::Listing(page, field), "{path} {prefers_html}");
    }
    for method in [Method::Post, Method::Other] {
        let response = answer(&request(method, "/page"), &targets(&[], test_now()), &access, test_now());
        assert_eq!((response.status, response.field), (405, "Allow: GET, HEAD\r\n"));
    }
}

#[test]
fn without_a_page_the_root_is_json() {
    let mut access = access();
    access.set_page(false, "");
    let status = ListingPage::Status(Default::default());
    assert_eq!(reply("/", true, &access), Reply::Listing(status, ""));
    assert_eq!(reply("/page", true, &access), Reply::Now(Response::error(404)));
}

#[test]
fn with_protected_reads_the_page_needs_the_token() {
    let mut access = access();
    access.set_token(Some(crate::text::token::Token::parse("0123456789abcdef", "").expect("valid")), true);
    for path in ["/", "/page"] {
        let Reply::Now(response) = reply(path, true, &access) else { panic!("{path}") };
        assert_eq!(response.status, 401);
    }
}

#[test]
fn frame_ancestors_are_origins() {
    use crate::api::page::is_frame_ancestor;
    for text in
        ["*", "https://home.example", "http://nas:8123", "https://[::1]:8123", "https://*.home.example"]
    {
        assert!(is_frame_ancestor(text), "{text}");
    }
    for text in
        ["", "home.example", "https://", "https://a b", "https://a;x", "https://a,b", "ftp://a", "'none'"]
    {
        assert!(!is_frame_ancestor(text), "{text}");
    }
    assert!(!is_frame_ancestor("https://a/path") && !is_frame_ancestor("https://a\r\nX: y"));
}
