//! Redirects: followed, refused, and the fields that other origins receive.

use super::*;

/// A request that was made: where to, and its head.
pub(super) type Request = ((String, u16), String);

/// Plays a chain of responses, each to one request. Once they are used up the last is `HTTP 200`.
pub(super) fn play(probe: &NetProbe, responses: &[&str]) -> (Vec<Request>, Harness) {
    let mut harness = Harness::begin(probe);
    let mut requests = Vec::new();
    let mut responses = responses.iter();
    while !harness.is_done() {
        let address = harness.connect();
        harness.wait(MS);
        harness.connected();
        requests.push((address, text(harness.sent())));
        let response = responses.next().copied().unwrap_or("HTTP/1.1 200 OK\r\n\r\n");
        harness.receive_all(response.as_bytes().chunks(11));
    }
    (requests, harness)
}

pub(super) fn to(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 50\r\n\r\n<html>")
}

#[test]
fn redirects_are_followed() {
    for status in [301, 302, 303, 307, 308] {
        let response = to(status, "//other:81/a/b?c#d");
        let (requests, harness) = play(&checking(""), &[&response]);
        assert_eq!(harness.result(), ProbeResult::up(MS * 2, "HTTP 200"));
        assert_eq!(requests[1].0, ("other".to_owned(), 81));
        assert!(requests[1].1.starts_with("GET /a/b?c HTTP/1.1\r\nHost: other:81\r\n"), "{requests:?}");
    }
    for status in [300, 304, 305] {
        let (requests, harness) = play(&checking(""), &[&to(status, "/")]);
        assert_eq!((requests.len(), harness.result().reason), (1, Some(Reason::Status)));
    }
}

#[test]
fn a_redirect_is_followed_in_every_segmentation() {
    let response = to(302, "/next");
    for pieces in segmentations(response.as_bytes()) {
        let mut harness = Harness::begin(&checking("body_contains:x"));
        harness.connect();
        harness.connected();
        harness.receive_all(pieces);
        assert_eq!(harness.connect(), ("example.com".to_owned(), 80));
        // What the connection that was left still says is not received.
        harness.receive(b"HTTP/1.1 500 Late\r\n\r\n");
        harness.input(Input::Closed);
        assert!(!harness.is_done());
    }
}

#[test]
fn methods_change_as_in_browsers() {
    for (method, status, then) in [
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("POST", 303, "GET"),
        ("POST", 307, "POST"),
        ("POST", 308, "POST"),
        ("PUT", 302, "PUT"),
        ("PUT", 303, "GET"),
        ("HEAD", 303, "HEAD"),
        ("HEAD", 301, "HEAD"),
    ] {
        let probe = build("http://h/", |p| p.method(method));
        let (requests, _) = play(&probe, &[&to(status, "/x")]);
        assert!(requests[1].1.starts_with(&format!("{then} /x ")), "{method} {status}");
    }
}

#[test]
fn a_redirect_that_the_check_lists_is_evaluated() {
    for (check, status, ok) in [
        ("status:301", 301, true),
        ("status:200-399", 302, true),
        ("status:301", 302, true),
        ("status:200", 301, true),
    ] {
        let (requests, harness) = play(&checking(check), &[&to(status, "/x"), "HTTP/1.1 301 X\r\n\r\n"]);
        let named = matches!((check, status), ("status:301", 301) | ("status:200-399", 302));
        assert_eq!(requests.len(), if named { 1 } else { 2 }, "{check} {status}");
        assert_eq!(harness.result().ok && named, ok && named);
    }
    let probe = build("http://h/", |p| p.follow_redirects(false));
    let (requests, harness) = play(&probe, &[&to(301, "/x")]);
    assert_eq!(requests.len(), 1);
    assert_eq!(harness.result(), ProbeResult::down(Reason::Status, "HTTP 301").with_latency(MS));
}

#[test]
fn at_most_ten_redirects_are_followed() {
    let responses: Vec<_> = (1..=11).map(|n| to(302, &format!("/{n}"))).collect();
    let responses: Vec<_> = responses.iter().map(String::as_str).collect();
    let (requests, harness) = play(&checking(""), &responses[..10]);
    assert_eq!((requests.len(), harness.result().ok), (11, true));
    let (requests, harness) = play(&checking(""), &responses);
    assert_eq!((requests.len(), harness.result().reason), (11, Some(Reason::Redirect)));
    let detail = "after redirect to http://example.com:80/10: more than 10 redirects, the last to \
                  http://example.com:80/11";
    assert_eq!(harness.result().detail, detail);
}

#[test]
fn details_show_the_start_of_long_urls_and_stay_within_the_cap() {
    let long = format!("/{}", "a".repeat(200));
    let (_, harness) = play(&checking(""), &[&to(302, &long), &to(302, &long)]);
    let address = &format!("http://example.com:80{long}")[..99];
    let detail = format!("after redirect to {address}…: redirect loop: HTTP 302 back to {address}…");
    assert_eq!(harness.result().detail, detail);
    let nowhere = format!("ftp://{}", "b".repeat(200));
    let (_, harness) = play(&checking(""), &[&to(302, &long), &to(302, &format!("{}:x", "b".repeat(99)))]);
    assert_eq!(
        harness.result().detail.chars().count(),
        ProbeResult::DETAIL_MAX,
        "{}",
        harness.result().detail
    );
    let (_, harness) = play(&checking(""), &[&to(302, &nowhere)]);
    assert!(harness.result().detail.contains(&format!("'{}…'", &nowhere[..99])));
}

#[test]
fn loops_are_detected() {
    for (responses, detail) in [
        (vec![to(301, "/healthz")], "redirect loop: HTTP 301 back to http://example.com:80/healthz"),
        (vec![to(301, "healthz#x")], "redirect loop: HTTP 301 back to http://example.com:80/healthz"),
        (
            vec![to(302, "/a"), to(307, "/b"), to(308, "/a")],
            "after redirect to http://example.com:80/b: redirect loop: HTTP 308 back to http://example.com:80/a",
        ),
    ] {
        let responses: Vec<_> = responses.iter().map(String::as_str).collect();
        let (requests, harness) = play(&checking(""), &responses);
        assert_eq!((requests.len(), harness.result().reason), (responses.len(), Some(Reason::Redirect)));
        assert_eq!(harness.result().detail, detail);
        assert!(harness.result().latency.is_some());
    }
    // The same address with another method is another request.
    let probe = build("http://h/", |p| p.method("POST"));
    assert!(play(&probe, &[&to(303, "/")]).1.result().ok);
}

#[test]
fn an_invalid_location_is_reported() {
    let long = format!("http://h/{}", "x".repeat(70_000));
    for (response, detail) in [
        ("HTTP/1.1 301 X\r\n\r\n", "HTTP 301 without a Location"),
        ("HTTP/1.1 301 X\r\nLocation: \r\n\r\n", "HTTP 301 without a Location"),
        (&to(302, "ftp://x/"), "HTTP 302 with a bad Location 'ftp://x/': `ftp` is neither http nor https"),
        (&to(302, "http://a b/"), "HTTP 302 with a bad Location 'http://a b/': "),
        (&to(302, "http://h:0/"), "HTTP 302 with a bad Location 'http://h:0/': "),
        (&to(302, &long), "HTTP 302 with a bad Location 'http://h/xxx"),
        (
            &to(302, "http://u:secret@h:0/"),
            "HTTP 302 with a bad Location: port `0` is not between 1 and 65535",
        ),
        (&to(302, "http://h/\u{202e}x y"), ""),
    ] {
        let (_, harness) = play(&checking(""), &[response]);
        let result = harness.result();
        if !detail.is_empty() {
            assert_eq!(result.reason, Some(Reason::Redirect), "{result:?}");
        }
        assert!(detail.is_empty() || result.detail.starts_with(detail), "{result:?}");
        assert!(result.detail.chars().count() <= 256);
    }
}

#[test]
fn the_first_non_empty_location_is_followed() {
    let response = "HTTP/1.1 302 X\r\nLocation:\r\nLocation: /a\r\nLocation: /b\r\n\r\n";
    let (requests, _) = play(&checking(""), &[response]);
    assert!(requests[1].1.starts_with("GET /a HTTP/1.1\r\n"), "{requests:?}");
}

#[test]
fn a_location_cannot_add_to_the_request() {
    let (requests, _) = play(&checking(""), &[&to(302, "/a b\u{a0}c\u{2028}")]);
    assert!(requests[1].1.starts_with("GET /a%20b%C2%A0c%E2%80%A8 HTTP/1.1\r\n"), "{requests:?}");
}

#[test]
fn secrets_are_sent_to_the_target_only() {
    let probe = build("http://home/", |p| {
        p.header("Authorization", "Basic s3cret")
            .header("cookie", "s3cret")
            .header("HOST", "s3cret")
            .header("Proxy-Authorization", "s3cret")
            .header("X-Other", "kept")
    });
    for (location, is_sent) in [
        ("/other", true),
        ("http://HOME:80/other", true),
        ("http://home:81/", false),
        ("http://other/", false),
        ("http://home.other/", false),
    ] {
        let (requests, _) = play(&probe, &[&to(302, location)]);
        assert_eq!(requests[0].1.matches("s3cret").count(), 4);
        assert_eq!(requests[1].1.matches("s3cret").count(), if is_sent { 4 } else { 0 }, "{location}");
        assert!(requests[1].1.contains("\r\nX-Other: kept\r\n"));
        assert_eq!(requests[1].1.to_ascii_lowercase().matches("\r\nhost: ").count(), 1);
    }
    let (requests, _) = play(&probe, &[&to(302, "http://other/"), &to(302, "/again")]);
    assert!(!requests[2].1.contains("s3cret"));
}

#[test]
fn a_failure_after_a_redirect_names_its_url() {
    let address = "after redirect to http://other:80/: ";
    let far = to(301, "http://other/");
    let (_, harness) = play(&checking(""), &[&far, "HTTP/1.1 503 No\r\n\r\n"]);
    assert_eq!(harness.result().detail, format!("{address}HTTP 503"));
    for (input, connected, detail) in [
        (Input::TimedOut, true, "timed out after 5 s waiting for the response"),
        (Input::TimedOut, false, "timed out after 5 s waiting for the connection"),
        (reset(), false, "connection reset"),
        (Input::Closed, true, "connection closed without a response"),
    ] {
        let mut harness = requested(&checking(""));
        harness.receive(far.as_bytes());
        harness.connect();
        if connected {
            harness.connected();
        }
        harness.input(input);
        assert_eq!(harness.result().detail, format!("{address}{detail}"));
    }
    let long = to(301, &format!("http://other/{}", "x".repeat(5000)));
    let (_, harness) = play(&checking(""), &[&long, "HTTP/1.1 503 No\r\n\r\n"]);
    assert!(harness.result().detail.ends_with("x…: HTTP 503"), "the URL leaves no room for the failure");
}

#[cfg(not(feature = "tls"))]
#[test]
fn https_is_not_followed_without_tls() {
    let (_, harness) = play(&checking(""), &[&to(301, "https://h/")]);
    let result = harness.result();
    assert_eq!(result.detail, "HTTP 301 to https://h:443/, and this build has no TLS");
    assert_eq!(result.reason, Some(Reason::Redirect));
}
