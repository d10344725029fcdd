//! Specs of conditions.

use super::*;

/// The single condition of a spec.
fn condition(spec: &str) -> Condition {
    Condition::parse(spec).expect(spec).expect("not the default")
}

fn ranges(spec: &str) -> Vec<(u16, u16)> {
    match condition(spec).test {
        Test::Status(ranges) => ranges,
        other => panic!("{spec:?}: {other:?}"),
    }
}

#[test]
fn specs_of_the_python_version_are_parsed() {
    for spec in ["", "default", "body_contains:"] {
        assert!(Condition::parse(spec).is_ok_and(|condition| condition.is_none()), "{spec}");
    }
    for spec in ["body_contains:pong", "body_contains: ", "body_contains:a:b", "body_contains:status:200"] {
        assert!(matches!(condition(spec).test, Test::Contains(_)), "{spec}");
    }
    assert_eq!(ranges("status:200,204"), [(200, 200), (204, 204)]);
    assert_eq!(ranges("status_2xx"), [(200, 299)]);
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
        ("not:", "not: needs a check, as in not:body_contains:error"),
        (
            "not:default",
            "unknown check `default`; there are: status_2xx, status:200,204, body_contains:TEXT, header:NAME=TEXT, json:/pointer OPERATOR VALUE",
        ),
        ("not:body_contains:", "not:body_contains: every body contains an empty text"),
        ("not:port_open", "port_open belongs to tcp, not http"),
        ("header", "`` is not the name of a header (write header:NAME=TEXT or header:NAME~TEXT)"),
        (
            "ok\r\n",
            "unknown check `ok\\r\\n`; there are: status_2xx, status:200,204, body_contains:TEXT, header:NAME=TEXT, json:/pointer OPERATOR VALUE",
        ),
        (&long, "longer than 4096 bytes"),
    ] {
        assert_eq!(Condition::parse(spec).expect_err(spec), error);
    }
}

#[test]
fn only_a_status_check_lists_a_status() {
    for (spec, is_listed) in [
        ("status:301", true),
        ("status:300-399", true),
        ("not:status:301", true),
        ("status:302", false),
        ("header:Location", false),
        ("body_contains:301", false),
    ] {
        assert_eq!(condition(spec).lists(301), is_listed, "{spec}");
    }
}

#[test]
fn a_body_is_read_as_far_as_needed() {
    for (spec, name, is_whole, min) in [
        ("status:301", None, false, 0),
        ("header:x", None, false, 0),
        ("body_contains:pong", Some("body_contains"), false, 4),
        ("not:body_contains:pong", Some("body_contains"), true, 0),
        ("json:/a", Some("json"), true, 0),
        ("not:json:/a", Some("json"), true, 0),
    ] {
        let condition = condition(spec);
        assert_eq!(
            (condition.body_check(), condition.needs_whole_body(), condition.body_min()),
            (name, is_whole, min),
            "{spec}"
        );
    }
}

#[test]
fn the_length_of_specs_is_limited() {
    let text = "x".repeat(super::super::SPEC_MAX - "body_contains:".len());
    assert!(Condition::parse(&format!("body_contains:{text}")).is_ok());
    assert!(Condition::parse(&format!("body_contains:{text}x")).is_err());
}
