//! HTTP checks: specs and the responses that closures receive.

use super::*;
use crate::wire::http::response::ResponseReader;

fn parse(spec: &str) -> Result<HttpCheck, String> {
    HttpCheck::parse(&[spec])
}

fn valid(spec: &str) -> HttpCheck {
    parse(spec).unwrap_or_else(|error| panic!("{spec:?}: {error}"))
}

/// The single condition of a spec.
fn condition(spec: &str) -> Condition {
    let check = valid(spec);
    assert_eq!(check.conditions().len(), 1, "{spec}");
    check.conditions()[0].clone()
}

fn ranges(spec: &str) -> Vec<(u16, u16)> {
    match condition(spec) {
        Condition::Status(ranges) => ranges,
        Condition::Contains(_) => panic!("{spec:?} has no ranges"),
    }
}

#[test]
fn specs_of_the_python_version_are_parsed() {
    for spec in ["", "default", "body_contains:"] {
        let check = valid(spec);
        assert!(
            matches!(check, HttpCheck::Specs { needs_success: true, .. }) && check.conditions().is_empty()
        );
    }
    for spec in ["body_contains:pong", "body_contains: ", "body_contains:a:b", "body_contains:status:200"] {
        assert!(matches!(condition(spec), Condition::Contains(_)), "{spec}");
    }
    assert_eq!(ranges("status:200,204"), [(200, 200), (204, 204)]);
    assert_eq!(ranges("status_2xx"), [(200, 299)]);
}

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
fn status_lists_may_contain_ranges_spaces_and_empty_items() {
    for (spec, expected) in [
        ("status:200-299,401", &[(200, 299), (401, 401)][..]),
        ("status: 200 ,\t200 - 299 , ", &[(200, 200), (200, 299)]),
        ("status:,,200,", &[(200, 200)]),
        ("status:0200", &[(200, 200)]),
        ("status:100-999", &[(100, 999)]),
    ] {
        assert_eq!(ranges(spec), expected, "{spec:?}");
    }
    assert_eq!(ranges(&format!("status:{}", "200,".repeat(64))).len(), 64);
}

#[test]
fn invalid_specs_are_rejected_in_one_line() {
    let empty = "the list of statuses is empty (write it as in status:200,204)";
    let many = format!("status:{}", "200,".repeat(65));
    let long = format!("body_contains:{}", "x".repeat(super::super::SPEC_MAX));
    for (spec, error) in [
        ("status:", empty),
        ("status: , ", empty),
        ("status", empty),
        ("status:299-200", "the range 299-200 is empty (write 200-299)"),
        ("status:99", "`99` is not a status (100 to 999)"),
        ("status:1000", "`1000` is not a status (100 to 999)"),
        ("status:+200", "`+200` is not a status (100 to 999)"),
        ("status:-200", "`` is not a status (100 to 999)"),
        ("status:200-", "`` is not a status (100 to 999)"),
        ("status:200-204-206", "`204-206` is not a status (100 to 999)"),
        ("status:2xx\n", "`2xx` is not a status (100 to 999)"),
        ("status:99999999999999999999", "`99999999999999999999` is not a status (100 to 999)"),
        (&many, "more than 64 statuses listed (use ranges)"),
        ("body_contains", "body_contains needs a text, as in body_contains:ok"),
        ("banner_contains:SSH-", "banner_contains belongs to tcp, not http"),
        ("port_open", "port_open belongs to tcp, not http"),
        ("ok\r\n", "unknown check `ok\\r\\n`; there are: status_2xx, status:200,204, body_contains:TEXT"),
        (&long, "longer than 4096 bytes"),
    ] {
        assert_eq!(parse(spec).err().as_deref(), Some(error));
    }
}

#[test]
fn only_a_status_check_lists_a_status() {
    for (spec, is_listed) in
        [("status:301", true), ("status:300-399", true), ("status:302", false), ("", false)]
    {
        let check = valid(spec);
        assert_eq!(check.lists(301), is_listed, "{spec}");
        assert!(!check.needs_body() && check.body_min() == 0);
    }
    let check = valid("body_contains:pong");
    assert_eq!((check.lists(301), check.needs_body(), check.body_min()), (false, true, 4));
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

#[test]
fn the_length_of_specs_is_limited() {
    let text = "x".repeat(super::super::SPEC_MAX - "body_contains:".len());
    assert!(parse(&format!("body_contains:{text}")).is_ok());
    assert!(parse(&format!("body_contains:{text}x")).is_err());
}
