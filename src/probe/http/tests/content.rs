//! Bodies of requests, and names and passwords.

use super::redirects::{play, to};
use super::*;

fn posting(method: Option<&str>) -> NetProbe {
    build("http://h/a", |probe| {
        let probe = probe.body(b"{\"q\": 1}").header("Content-Type", "application/json").header("X", "y");
        match method {
            Some(method) => probe.method(method),
            None => probe,
        }
    })
}

#[test]
fn a_body_is_sent_with_its_length_after_the_head() {
    for (method, line) in [(None, "POST"), (Some("PUT"), "PUT"), (Some("GET"), "GET")] {
        let sent = text(requested(&posting(method)).sent());
        assert!(sent.starts_with(&format!("{line} /a HTTP/1.1\r\n")), "{sent}");
        assert!(
            sent.ends_with("\r\n\r\n{\"q\": 1}") && sent.matches("\r\nContent-Length: 8\r\n").count() == 1
        );
        assert!(sent.contains("\r\nContent-Type: application/json\r\n"));
    }
    let empty = text(requested(&build("http://h/", |probe| probe.body(b""))).sent());
    assert!(empty.starts_with("POST / ") && empty.ends_with("\r\nContent-Length: 0\r\n\r\n"), "{empty}");
    let none = text(requested(&checking("")).sent());
    assert!(none.starts_with("GET /") && !none.contains("Content-"), "{none}");
    let large = vec![b'x'; ProbeBuilder::REQUEST_BODY_MAX];
    let sent = requested(&build("http://h/", |probe| probe.body(&large))).sent();
    assert!(sent.ends_with(&large));
}

#[test]
fn a_redirect_keeps_or_drops_the_body_with_the_method() {
    for (method, status, then, is_kept) in [
        (None, 301, "GET", false),
        (None, 302, "GET", false),
        (None, 303, "GET", false),
        (None, 307, "POST", true),
        (None, 308, "POST", true),
        (Some("PUT"), 301, "PUT", true),
        (Some("PUT"), 303, "GET", false),
        (Some("PUT"), 308, "PUT", true),
        (Some("GET"), 303, "GET", false),
        (Some("HEAD"), 303, "HEAD", false),
    ] {
        let (requests, _) = play(&posting(method), &[&to(status, "/b"), &to(307, "http://other/c")]);
        for (place, (_, request)) in requests.iter().enumerate().skip(1) {
            let path = ["/a", "/b", "/c"][place];
            assert!(request.starts_with(&format!("{then} {path} ")), "{method:?} {status}: {request}");
            assert_eq!(request.ends_with("{\"q\": 1}"), is_kept, "{method:?} {status}");
            assert_eq!(request.contains("Content-"), is_kept, "{method:?} {status}: {request}");
            assert!(request.contains("\r\nX: y\r\n"));
        }
        assert_eq!(requests.len(), 3);
    }
}

#[test]
fn a_redirect_to_the_same_url_without_the_body_is_no_loop() {
    let (requests, harness) = play(&posting(None), &[&to(303, "/a")]);
    assert_eq!((requests.len(), harness.result().ok), (2, true));
    let (_, harness) = play(&posting(None), &[&to(307, "/a")]);
    assert_eq!(harness.result().reason, Some(Reason::Redirect));
}

#[test]
fn a_name_and_a_password_are_sent_to_the_origin_only() {
    let probe = build("http://h/a", |probe| probe.basic_auth("Aladdin", "open sesame"));
    let field = "\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n";
    let (requests, _) = play(&probe, &[&to(302, "/b"), &to(302, "http://other/c")]);
    let has_field: Vec<bool> = requests.iter().map(|(_, request)| request.contains(field)).collect();
    assert_eq!(has_field, [true, true, false]);
    assert!(!requests[2].1.contains("Authorization"));
}

#[test]
fn invalid_requests_are_refused() {
    let error = |probe: ProbeBuilder| {
        let error = probe.build().expect_err("an error");
        (error.field(), error.message().to_owned())
    };
    let http = || ProbeBuilder::from_url("http://h/");
    let large = vec![b'x'; ProbeBuilder::REQUEST_BODY_MAX + 1];
    assert_eq!(error(http().body(&large)), ("body", "is larger than 64 KiB".to_owned()));
    for (name, password, message) in [
        ("a:b", "c", "the name contains a colon"),
        ("a", "b\n", "the name or the password contains a control character"),
        ("a\r\nX: y", "b", "the name or the password contains a control character"),
    ] {
        let message = message.to_owned();
        if name.contains("X: y") {
            assert_eq!(error(http().basic_auth(name, password)).0, "basic-auth-file");
            continue;
        }
        assert_eq!(error(http().basic_auth(name, password)), ("basic-auth-file", message));
    }
    let twice = http().basic_auth("a", "b").header("authorization", "c");
    let message = "a header field already sets Authorization".to_owned();
    assert_eq!(error(twice), ("basic-auth-file", message));
    let tcp = || ProbeBuilder::from_url("tcp://h:1");
    assert_eq!(error(tcp().body(b"x")).1, "does not apply to tcp");
    assert_eq!(error(tcp().basic_auth("a", "b")).1, "does not apply to tcp");
    for (name, password) in [("", ""), ("grün", "a:b"), ("a b", " ")] {
        assert!(http().basic_auth(name, password).build().is_ok());
    }
}
