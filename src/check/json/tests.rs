//! JSON checks: specs, values and details.

use super::*;

fn evaluate(spec: &str, body: &[u8], is_negated: bool) -> Result<(), String> {
    let test = JsonTest::parse(spec).expect(spec);
    test.evaluate(body, is_negated).map_err(|failure| match failure {
        Failure::NotJson(detail) | Failure::Fails(detail) => detail,
    })
}

const BODY: &str = r#"{
  "status": "ok", "temp": 83, "load": 0.5, "ready": true, "error": null, "": "empty",
  "a/b": {"m~n": 1, "~1": 2},
  "disks": [{"name": "sda", "used": 12}, {"name": "sdb", "used": 97}],
  "tags": ["web", 5, null, [1, 2], {"x": 1.0}],
  "big": 18446744073709551617, "huge": 1e400,
  "dup": {"old": 1}, "dup": {"new": 2},
  "esc\u0061ped": "gr\u00fcn \"x\""
}"#;

#[test]
fn conditions_hold_or_not() {
    for (spec, holds) in [
        ("", true),
        ("/status", true),
        ("/none", false),
        ("/error", true),
        ("/error = null", true),
        ("/", true),
        ("/ = empty", true),
        ("/status = ok", true),
        ("/status = \"ok\"", true),
        ("/status != ok", false),
        ("/status != bad", true),
        ("/status ~ o", true),
        ("/status ~ \"k\"", true),
        ("/status ~ \"\"", true),
        ("/status ~ x", false),
        ("/none = 5", false),
        ("/temp < 84", true),
        ("/temp < 83", false),
        ("/temp <= 83.0", true),
        ("/temp > 8.2e1", true),
        ("/temp >= 84", false),
        ("/temp = 83.000", true),
        ("/temp = \"83\"", false),
        ("/status = 83", false),
        ("/load  =   0.50 ", true),
        ("/ready = true", true),
        ("/ready = \"true\"", false),
        ("/a~1b/m~0n = 1", true),
        ("/a~1b/~01 = 2", true),
        ("/a/b", false),
        ("/disks/1/name = sdb", true),
        ("/disks/01/name", false),
        ("/disks/+1/name", false),
        ("/disks/-", false),
        ("/disks/2", false),
        ("/disks/18446744073709551616", false),
        ("/disks/0 = {\"used\": 12.0, \"name\": \"s\\u0064a\"}", true),
        ("/disks/0 = {\"used\": 12}", false),
        ("/disks/0 = {\"used\": 12, \"name\": \"sda\", \"x\": null}", false),
        ("/dup = {\"new\": 2}", true),
        ("/dup/new", true),
        ("/dup/old", false),
        ("/tags ~ web", true),
        ("/tags ~ we", false),
        ("/tags ~ 5.0", true),
        ("/tags ~ null", true),
        ("/tags ~ [1, 2]", true),
        ("/tags ~ [1]", false),
        ("/tags ~ [1, 2, 3]", false),
        ("/tags ~ {\"x\": 1}", true),
        ("/tags = [\"web\", 5, null, [1, 2], {\"x\": 1}]", true),
        ("/tags = []", false),
        ("/tags/3/1 = 2", true),
        ("/big = 18446744073709551617", true),
        ("/big = 18446744073709551616", false),
        ("/big > 18446744073709551616", true),
        ("/huge > 1e399", true),
        ("/huge < 1e401", true),
        ("/escaped ~ ün \"x", true),
        ("/temp/x", false),
        ("/status/0", false),
        ("/load/0", false),
        ("/error/x", false),
        ("/ready/x", false),
    ] {
        assert_eq!(evaluate(spec, BODY.as_bytes(), false).is_ok(), holds, "{spec}");
        assert_eq!(evaluate(spec, BODY.as_bytes(), true).is_ok(), !holds, "not:{spec}");
        let mut marked = BOM.to_vec();
        marked.extend(BODY.bytes());
        assert_eq!(evaluate(spec, &marked, false).is_ok(), holds, "{spec}");
    }
}

#[test]
fn details_show_the_value() {
    for (spec, is_negated, detail) in [
        ("/temp < 80", false, "/temp is 83, not < 80"),
        ("/temp <= 80", false, "/temp is 83, not <= 80"),
        ("/temp >= 90", false, "/temp is 83, not >= 90"),
        ("/temp > 80", true, "/temp is 83, which is > 80"),
        ("/queue/len", false, "/queue/len is missing"),
        ("/queue/len != 5", false, "/queue/len is missing"),
        ("/queue/len > 5", false, "/queue/len is missing"),
        ("/queue/len > 5", true, "/queue/len is missing"),
        ("/status = down", false, "/status is \"ok\", not \"down\""),
        ("/status = 5", false, "/status is \"ok\", not 5"),
        ("/status = ok", true, "/status is \"ok\""),
        ("/status != ok", false, "/status is \"ok\""),
        ("/status != x", true, "/status is \"ok\", not \"x\""),
        ("/status ~ x", false, "/status is \"ok\", without \"x\""),
        ("/status ~ o", true, "/status is \"ok\", with \"o\""),
        ("/status < 5", false, "/status is \"ok\", not a number"),
        ("/status < 5", true, "/status is \"ok\", not a number"),
        ("/ready ~ true", false, "/ready is true, not a string or an array"),
        ("/ready ~ true", true, "/ready is true, not a string or an array"),
        ("/error", true, "/error is null, not missing"),
        ("/dup = 5", false, "/dup is {\"new\": 2}, not 5"),
        ("/a~1b/m~0n = 2", false, "/a~1b/m~0n is 1, not 2"),
    ] {
        assert_eq!(evaluate(spec, BODY.as_bytes(), is_negated), Err(detail.to_owned()), "{spec}");
    }
    let text = "{\n  \"a\": [\n    1,\n    2\n  ]\n}";
    assert_eq!(evaluate(" = 1", text.as_bytes(), false).unwrap_err(), "body is { \"a\": [ 1, 2 ] }, not 1");
    let long = format!("\"{}\"", "x".repeat(9999));
    let detail = format!("body is \"{}…, not 1", "x".repeat(62));
    assert_eq!(evaluate(" = 1", long.as_bytes(), false), Err(detail));
}

#[test]
fn a_body_that_is_not_json_fails_with_and_without_negation() {
    let page = "<html><body>502 Bad Gateway</body></html>";
    let shown = "body is not JSON (line 1, column 1): '<html><body>502 Bad Gateway</body></htm…'";
    for (body, detail) in [
        (&b""[..], "body is empty, where JSON is expected"),
        (b" \r\n", "body is empty, where JSON is expected"),
        (b"\xef\xbb\xbf", "body is empty, where JSON is expected"),
        (page.as_bytes(), shown),
        (b"{\"a\": 1,}", "body is not JSON (line 1, column 9): '{\"a\": 1,}'"),
        (b"{\"a\": 1}\n{\"a\": 2}", "body is not JSON (line 2, column 1): '{\"a\": 1}\\n{\"a\": 2}'"),
        (b"{\"a\": \"\xff\"}", "body is not JSON: it is not UTF-8"),
        (b"{'a': 1}", "body is not JSON (line 1, column 2): '{'a': 1}'"),
        (b"NaN", "body is not JSON (line 1, column 1): 'NaN'"),
    ] {
        for is_negated in [false, true] {
            for spec in ["/a", "/a = 1", "/b > 1"] {
                assert_eq!(evaluate(spec, body, is_negated), Err(detail.to_owned()), "{spec} {body:?}");
            }
            assert!(evaluate("", body, is_negated).is_err());
        }
    }
}

#[test]
fn every_prefix_of_an_object_is_refused() {
    for end in 0..BODY.len() {
        assert!(evaluate("/status", &BODY.as_bytes()[..end], false).is_err(), "{end}");
        assert!(evaluate("/none", &BODY.as_bytes()[..end], true).is_err(), "{end}");
    }
}

#[test]
fn deep_and_large_documents_are_read() {
    let depth = 100_000;
    let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let nested = format!("{{\"x\": {deep}, \"a\": {{\"b\": 7, \"c\": {deep}}}}}");
    assert_eq!(evaluate("/a/b = 7", nested.as_bytes(), false), Ok(()));
    assert_eq!(evaluate("/a/c != 7", nested.as_bytes(), false), Ok(()));
    assert_eq!(evaluate("/a/c = [[1]]", nested.as_bytes(), true), Ok(()));
    assert_eq!(evaluate("/x/0/0/0", nested.as_bytes(), false), Ok(()));
    let path = "/0".repeat(64);
    assert_eq!(evaluate(&path, deep.as_bytes(), false), Ok(()));
    assert!(evaluate("", &deep.as_bytes()[..depth * 2], false).is_err());
    let long = format!("[{}{{\"n\": 5}}]", "0,".repeat(500_000));
    assert_eq!(evaluate("/500000/n = 5", long.as_bytes(), false), Ok(()));
    assert_eq!(evaluate(" ~ {\"n\": 5}", long.as_bytes(), false), Ok(()));
}

#[test]
fn half_of_a_surrogate_pair_equals_nothing() {
    let body = br#"{"s": "\ud800", "o": {"\udc00": 1}, "n": 5}"#;
    assert_eq!(evaluate("/n = 5", body, false), Ok(()));
    assert!(evaluate("/s = x", body, false).is_err() && evaluate("/s ~ x", body, false).is_err());
    assert!(evaluate("/o = {\"x\": 1}", body, false).is_err());
}

#[test]
fn invalid_specs_are_refused_in_one_line() {
    let many = "/a".repeat(65);
    let deep = format!("/a = {}{}", "[".repeat(40), "]".repeat(40));
    for (spec, error) in [
        ("temp", "`temp` does not begin with / (write json:/key or json:/key/0)"),
        ("temp < 5", "`temp` does not begin with / (write json:/key or json:/key/0)"),
        ("/a~b", "a ~ in `/a~b` must be written ~0, and a / in a key ~1"),
        ("/a~", "a ~ in `/a~` must be written ~0, and a / in a key ~1"),
        (&many, "the JSON pointer has more than 64 parts"),
        ("/a == 5", "`==` is not an operator (= != < <= > >= ~) that a space follows"),
        ("/a <5", "`<5` is not an operator (= != < <= > >= ~) that a space follows"),
        ("/a =", "a value is missing after = (write \"\" for an empty text)"),
        ("/a <  ", "a value is missing after < (write \"\" for an empty text)"),
        ("/a < high", "< compares numbers, and `high` is none"),
        ("/a >= \"5\"", ">= compares numbers, and `5` is none"),
        ("/a = \"\\ud800\"", "`\"\\ud800\"` is nested too deeply, or has an invalid escape"),
    ] {
        assert_eq!(JsonTest::parse(spec).expect_err(spec), error);
    }
    let error = JsonTest::parse(&deep).expect_err("deep");
    assert!(error.ends_with("is nested too deeply, or has an invalid escape"), "{error}");
    for spec in ["/a = \"", "/a = {", "/a = 05", "/a = x y", "/a = ~", "/a = \"\""] {
        assert!(JsonTest::parse(spec).is_ok(), "{spec}");
    }
}
