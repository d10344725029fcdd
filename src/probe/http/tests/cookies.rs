//! Cookies that redirects set: sent back within the check, and to their host only.

use super::redirects::{play, to};
use super::*;

fn setting(status: u16, location: &str, cookies: &[&str]) -> String {
    let fields: String = cookies.iter().map(|cookie| format!("Set-Cookie: {cookie}\r\n")).collect();
    to(status, location).replace("\r\nLocation", &format!("\r\n{fields}Location"))
}

/// The `Cookie` fields of the requests that are made for these responses.
fn sent(probe: &NetProbe, responses: &[String]) -> Vec<String> {
    let responses: Vec<&str> = responses.iter().map(String::as_str).collect();
    let (requests, harness) = play(probe, &responses);
    assert!(harness.result().ok, "{:?}", harness.result());
    let fields = |head: &str| {
        let values = head.lines().filter_map(|line| line.split_once(": "));
        let values: Vec<_> = values.filter(|(name, _)| name.eq_ignore_ascii_case("cookie")).collect();
        assert!(values.len() < 2, "RFC 6265 section 5.4 requires one field: {head}");
        values.first().map_or(String::new(), |(_, value)| value.to_string())
    };
    requests.iter().map(|(_, head)| fields(head)).collect()
}

/// What is sent to `location` of the second request, once the first response has set these cookies.
fn sent_to(location: &str, cookies: &[&str]) -> String {
    let probe = build("http://h.example/a/b?c/d", |p| p);
    sent(&probe, &[setting(302, location, cookies)]).remove(1)
}

#[test]
fn a_page_that_sets_a_cookie_and_redirects_to_itself_is_no_loop() {
    let again = setting(302, "/healthz", &["a=1"]);
    assert_eq!(sent(&checking(""), std::slice::from_ref(&again)), ["", "a=1"]);
    let (requests, harness) = play(&checking(""), &[&again, &again]);
    assert_eq!((requests.len(), harness.result().reason), (2, Some(Reason::Redirect)));
    let detail = "after redirect to http://example.com:80/healthz: redirect loop: HTTP 302 back to \
                  http://example.com:80/healthz";
    assert_eq!(harness.result().detail, detail);
    // One that counts ends at the limit of redirects.
    let responses: Vec<_> = (0..11).map(|n| setting(302, "/healthz", &[&format!("n={n}")])).collect();
    let responses: Vec<_> = responses.iter().map(String::as_str).collect();
    let detail = play(&checking(""), &responses).1.result().detail;
    assert!(detail.contains("more than 10 redirects"), "{detail}");
}

#[test]
fn cookies_are_stored_replaced_and_deleted() {
    let probe = checking("");
    let responses = [
        setting(302, "/1", &["a=1", "b=2; Path=/; HttpOnly; SameSite=Lax"]),
        setting(302, "/2", &["a=3", "c = \"x y\" "]),
        setting(302, "/3", &["b=; Max-Age=0", "c=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]),
        setting(302, "/4", &["a=4; Max-Age=-1", "d=e=f"]),
        setting(
            302,
            "/5",
            &["=x", "no pair", "", ";", "d=g; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"],
        ),
    ];
    assert_eq!(sent(&probe, &responses), ["", "a=1; b=2", "b=2; a=3; c=\"x y\"", "a=3", "d=e=f", "d=g"]);
}

#[test]
fn cookies_with_a_date_in_the_past_are_deleted() {
    for (attributes, kept) in [
        ("Expires=Wed, 01 Jan 2098 00:00:00 GMT", true),
        ("Expires=Wed, 01-Jan-2098 00:00:00 GMT", true),
        ("Expires=Thu, 01-Jan-1970 00:00:01 GMT", false),
        ("expires=Sunday, 06-Nov-94 08:49:37 GMT", false),
        ("Expires=Thu, 30 Jan 2025 01:20:01 GMT", true),
        ("Expires=Thu, 30 Jan 2025 01:20:00 GMT", false),
        ("Expires=Wed, 29-Jan-2025 23:59:59 GMT", false),
        ("Expires=Thu, 29 Feb 2024 00:00:00 GMT", false),
        ("Expires=Sat, 01 Mar 2025 00:00:00 GMT", true),
        ("Expires=Friday, 31-dec-99 23:59:59 GMT", false),
        ("Expires=Fri, 31 December 9999 23:59:60 GMT", true),
        ("Expires=Mon, 01 Jan 0001 00:00:00 GMT", false),
        ("Expires=Mon, x Jan 1970 00:00:00 GMT", true),
        ("Expires=Mon, 01 Jan", true),
        ("Expires=Mon, 01 Ja 1970 00:00:00 GMT", true),
        ("Expires=soon", true),
        ("Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=5", true),
        ("Max-Age=0; Expires=Wed, 01 Jan 2098 00:00:00 GMT", false),
        ("Max-Age=99999999999999999999999", true),
        ("Max-Age=x", true),
    ] {
        assert_eq!(sent_to("/x", &[&format!("a=1; {attributes}; Path=/")]) == "a=1", kept, "{attributes}");
    }
}

#[test]
fn cookies_are_for_their_path() {
    for (path, location, fits) in [
        ("", "/a/x", true),
        ("", "/a", true),
        ("", "/a?x", true),
        ("", "/ab", false),
        ("", "/", false),
        ("Path=/", "/x", true),
        ("Path=", "/a/x", true),
        ("Path=x", "/x", false),
        ("Path=/x", "/x/y?z", true),
        ("Path=/x/", "/x", false),
        ("path=/x; PATH=/y", "/y", true),
    ] {
        let field = sent_to(location, &[&format!("a=1; {path}")]);
        assert_eq!(field == "a=1", fits, "{path} {location}: {field}");
    }
    let field = sent_to("/a/b/c", &["x=1; Path=/", "y=2; Path=/a/b", "z=3; Path=/a"]);
    assert_eq!(field, "y=2; z=3; x=1", "longer paths first");
}

#[test]
fn cookies_are_for_their_host_only() {
    for (attributes, location, fits) in [
        ("", "http://h.example/", true),
        ("", "http://H.Example:8080/", true),
        ("", "http://other.example/", false),
        ("", "http://x.h.example/", false),
        ("", "http://example/", false),
        ("Domain=h.example", "http://h.example/", true),
        ("domain=.H.example", "/", true),
        ("Domain=example", "/", true),
        ("Domain=", "/", true),
        ("Domain=example", "http://x.example/", false),
        ("Domain=h.example", "http://x.h.example/", false),
        ("Domain=other.example", "/", false),
        ("Domain=.example.other", "/", false),
        ("Domain=ample", "/", false),
        ("Secure", "http://h.example/", false),
    ] {
        let field = sent_to(location, &[&format!("a=1; Path=/; {attributes}")]);
        assert_eq!(field == "a=1", fits, "{attributes} {location}: {field}");
    }
    let probe = build("http://h.example/", |p| p);
    let there = [setting(302, "http://other/", &["a=1"]), setting(302, "http://h.example/2", &["b=2"])];
    assert_eq!(sent(&probe, &there), ["", "", "a=1"], "and are there on the way back");
}

#[test]
fn secure_cookies_are_sent_over_tls_or_to_this_machine() {
    use crate::probe::http::cookies::Cookies;
    use crate::wire::http::response::ResponseReader;
    use crate::wire::url::{HTTP, HTTPS, Url};

    let mut reader = ResponseReader::new(false, 0);
    reader.receive(setting(302, "/", &["a=1; Secure", "b=2"]).as_bytes()).expect("a response");
    let mut cookies = Cookies::default();
    let url = |text: &str| Url::parse(text, &[&HTTP, &HTTPS]).expect(text);
    cookies.store(reader.head().expect("a head"), &url("https://h/"), Duration::ZERO);
    assert_eq!(cookies.field(&url("https://h/")), "a=1; b=2");
    assert_eq!(cookies.field(&url("http://h/")), "b=2");
    for (home, sent) in
        [("127.1.2.3", "a=1; b=2"), ("[::1]", "a=1; b=2"), ("localhost", "a=1; b=2"), ("[::2]", "b=2")]
    {
        let mut cookies = Cookies::default();
        cookies.store(reader.head().expect("a head"), &url(&format!("http://{home}/")), Duration::ZERO);
        assert_eq!(cookies.field(&url(&format!("http://{home}:8080/"))), sent, "{home}");
    }
}

#[test]
fn cookies_of_the_user_and_of_the_target_are_in_one_field() {
    let probe = build("http://home/", |p| p.header("Cookie", "a=0; s=secret").header("cookie", "t=1;"));
    let (requests, _) = play(&probe, &[]);
    assert!(requests[0].1.contains("\r\nCookie: a=0; s=secret\r\ncookie: t=1;\r\n"), "as they were written");
    let (requests, _) = play(&probe, &[&setting(302, "/x", &["a=1", "b=2"]), &to(302, "http://other/")]);
    assert!(requests[1].1.contains("\r\nCookie: s=secret; t=1; a=1; b=2\r\n"), "{requests:?}");
    assert!(!requests[2].1.to_ascii_lowercase().contains("cookie"), "{requests:?}");
    // Another port is the same host to cookies, but not where the user's secrets belong.
    let (requests, _) = play(&probe, &[&setting(302, "http://home:81/", &["a=1"])]);
    assert!(
        requests[1].1.contains("\r\nCookie: a=1\r\n") && !requests[1].1.contains("secret"),
        "{requests:?}"
    );
    let probe = build("http://home/", |p| p.header("Cookie", "b=0; c=0"));
    let (requests, _) = play(&probe, &[&setting(302, "/x", &["a=1", "b=2"])]);
    assert!(requests[1].1.contains("\r\nCookie: c=0; a=1; b=2\r\n"), "{requests:?}");
}

#[test]
fn the_size_of_cookies_is_limited_and_the_limit_is_reported() {
    let many: Vec<_> = (0..100).map(|n| format!("n{n}={n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(sent_to("/a/x", &many).split("; ").count(), 64);
    let long = format!("a={}", "x".repeat(5000));
    assert_eq!(sent_to("/a/x", &[&long, "b=1"]), "b=1");
    let big: Vec<_> = (0..65).map(|n| format!("n{n}={}", "x".repeat(1000))).collect();
    let big: Vec<_> = big.iter().map(String::as_str).collect();
    let field = sent_to("/a/x", &big);
    assert!((7000..=8190).contains(&field.len()), "{}", field.len());
    let again = setting(302, "/healthz", &big);
    let (_, harness) = play(&checking(""), &[&again, &again]);
    let limit = " (some cookies were not sent back: the limit is 8 KiB)";
    assert!(harness.result().detail.ends_with(limit), "{}", harness.result().detail);
}

#[test]
fn a_cookie_cannot_add_to_the_request() {
    let field = sent_to("/a/x", &["a=1\r\n X: y", "b=\u{85}\tz"]);
    assert_eq!(field, "a=1 X: y; b=\u{85}\tz", "on one line");
}
