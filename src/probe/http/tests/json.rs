//! JSON checks of http probes.

use super::*;

fn response(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_value_is_compared_when_the_body_is_complete() {
    let body = r#"{"status": "ok", "temp": 83}"#;
    for (spec, expected) in [
        ("json:/status = ok", up("HTTP 200")),
        ("json:/temp < 80", bad(Reason::Json, "/temp is 83, not < 80")),
        ("json:/queue/len", bad(Reason::Json, "/queue/len is missing")),
        ("not:json:/queue", up("HTTP 200")),
        ("not:json:/status = ok", bad(Reason::Json, "/status is \"ok\"")),
    ] {
        assert_eq!(result(&checking(spec), &response(body)), Some(expected), "{spec}");
    }
    let (start, end) = body.split_at(9);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{start}\r\n{:x}\r\n{end}\r\n",
        end.len()
    );
    let probe = checking("json:/temp > 80");
    assert_eq!(result(&probe, &chunked), None);
    assert_eq!(result(&probe, &format!("{chunked}0\r\n\r\n")), Some(up("HTTP 200")));
    assert_eq!(result_closed(&probe, &format!("HTTP/1.1 200 OK\r\n\r\n{body}")), up("HTTP 200"));
    let truncated = response(body).replace("Content-Length: 2", "Content-Length: 9");
    for spec in ["json:/temp > 80", "not:json:/temp > 80"] {
        assert_eq!(result_closed(&checking(spec), &truncated).reason, Some(Reason::HttpProtocol));
    }
}

#[test]
fn a_status_of_2xx_is_needed_first() {
    let error = response(r#"{"status": "error"}"#).replace("200 OK", "503 Busy");
    assert_eq!(result(&checking("json:/status = ok"), &error), Some(bad(Reason::Status, "HTTP 503")));
    let probe = build("http://h/", |probe| probe.check("status:503").check("json:/status = error"));
    assert_eq!(result(&probe, &error), Some(up("HTTP 503")));
}

#[test]
fn a_body_above_the_limit_fails() {
    for spec in ["json:/a = 1", "not:json:/b"] {
        let probe = build("http://h/", |probe| probe.check(spec).max_body(8));
        assert_eq!(result(&probe, &response(r#"{"a": 1}"#)), Some(up("HTTP 200")));
        let expected = bad(Reason::Json, "body is larger than --max-body");
        assert_eq!(result(&probe, &response(r#"{"a": 1} "#)), Some(expected));
    }
}

#[test]
fn a_compressed_body_is_named() {
    let response = |coding: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    for spec in ["json:/a", "not:json:/a"] {
        let expected = bad(Reason::Json, "body is gzip-compressed");
        assert_eq!(result(&checking(spec), &response("gzip", "\u{1f}\u{8b}")), Some(expected));
    }
    // Some servers name a coding that they did not apply.
    for coding in ["identity", "gzip"] {
        assert_eq!(result(&checking("json:/a"), &response(coding, "{\"a\": 1}")), Some(up("HTTP 200")));
    }
}

#[test]
fn a_response_to_head_has_no_json() {
    let probe = ProbeBuilder::from_url("http://h/").method("HEAD").check("json:/a");
    let error = probe.build().expect_err("an error");
    assert_eq!(error.message(), "json needs a body, and a response to HEAD has none");
}
