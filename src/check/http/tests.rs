//! HTTP checks: specs and the responses that closures receive.

use super::*;
use crate::wire::http::response::ResponseReader;

#[test]
fn a_2xx_status_is_needed_unless_a_check_decides_the_status() {
    for (specs, needed) in [
        (&["body_contains:a", "body_contains:b"][..], true),
        (&["default", "body_contains:b"], true),
        (&["body_contains:b", "status:500"], false),
        (&["status_2xx"], false),
    ] {
        let check = HttpCheck::parse(specs).unwrap_or_else(|error| panic!("{error}"));
        assert!(
            matches!(check, HttpCheck::Specs { needs_success, .. } if needs_success == needed),
            "{specs:?}"
        );
    }
    assert!(HttpCheck::parse(&["status:200"; 16]).is_ok());
    assert_eq!(HttpCheck::parse(&["status:200"; 17]).err().as_deref(), Some("at most 16 are allowed"));
}

#[test]
fn a_body_is_text_by_its_charset() {
    for (media_type, text) in [
        ("text/html", "gr\u{fffd}n\u{fffd}"),
        ("text/html; charset=utf-8", "gr\u{fffd}n\u{fffd}"),
        ("text/html; charset=ISO-8859-1", "grün\u{80}"),
        ("text/html;x=y ; Charset = \"iso-8859-1\" ", "grün\u{80}"),
        ("text/plain; charset=us-ascii", "grün\u{80}"),
        ("charset=iso-8859-1", "gr\u{fffd}n\u{fffd}"),
        ("", "gr\u{fffd}n\u{fffd}"),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\n\r\n");
        let mut reader = ResponseReader::new(false, 99);
        reader.receive(head.as_bytes()).expect("a head");
        let headers = reader.head().expect("a head").headers.clone();
        let body = b"gr\xfcn\x80".to_vec();
        let response = HttpResponse { status: 200, headers, body, elapsed: Duration::ZERO };
        assert_eq!(response.text(), text, "{media_type}");
    }
    let none = Headers::default();
    let response = HttpResponse { status: 200, headers: none, body: "grün".into(), elapsed: Duration::ZERO };
    assert_eq!(response.text(), "grün");
}

#[test]
fn verdicts_are_made_of_bool_and_of_pairs() {
    assert_eq!(CheckVerdict::from(true), CheckVerdict { ok: true, detail: None });
    assert_eq!(
        CheckVerdict::from((false, "why")),
        CheckVerdict { ok: false, detail: Some("why".to_owned()) }
    );
    assert_eq!(CheckVerdict::from((true, String::from("x"))).detail.as_deref(), Some("x"));
}
