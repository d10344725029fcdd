//! Evaluation of responses: status, body, and failures.

use super::*;

#[test]
fn one_request_is_sent_once_connected() {
    let probe = build("http://[::1]:8080/healthz?x=1", |probe| probe);
    let mut harness = Harness::begin(&probe);
    assert_eq!(harness.connect(), ("::1".to_owned(), 8080));
    assert_eq!(harness.sent(), b"");
    harness.connected();
    let request = text(harness.sent());
    assert!(request.starts_with("GET /healthz?x=1 HTTP/1.1\r\nHost: [::1]:8080\r\n"), "{request}");
    for field in [concat!("User-Agent: pingstate/", env!("CARGO_PKG_VERSION")), "Accept-Encoding: identity"] {
        assert!(request.contains(&format!("\r\n{field}\r\n")), "{request}");
    }
    assert!(request.contains("\r\nConnection: close\r\n") && request.ends_with("\r\n\r\n"));
    harness.receive(b"HTTP/1.1 200 OK\r\n");
    assert_eq!(harness.sent(), b"");
}

#[test]
fn method_and_headers_of_the_user_are_sent() {
    let probe = build("http://h/", |p| p.method("POST").header("X-Key", "k").header("host", "inner"));
    let request = text(requested(&probe).sent());
    assert!(request.starts_with("POST / HTTP/1.1\r\nhost: inner\r\n"), "{request}");
    assert!(request.contains("\r\nX-Key: k\r\n") && !request.contains("Host:"), "{request}");
}

#[test]
fn a_status_is_evaluated_when_the_head_is_complete() {
    for (check, status, ok) in [
        ("", 200, true),
        ("", 299, true),
        ("", 300, false),
        ("", 304, false),
        ("", 404, false),
        ("", 500, false),
        ("status:200,404", 404, true),
        ("status:200-299,401", 401, true),
        ("status:200-299,401", 402, false),
        ("status:503", 200, false),
        ("body_contains:x", 404, false),
    ] {
        let head = format!("HTTP/1.1 {status} Whatever\r\nServer: x\r\nContent-Length: 99\r\n\r\n");
        let detail = format!("HTTP {status}");
        let expected = if ok { up(&detail) } else { bad(Reason::Status, &detail) };
        let probe = checking(check);
        assert_eq!(result(&probe, &head), Some(expected.clone()), "{check}");
        assert_eq!(result(&probe, &(head.clone() + "body\0\r\n")), Some(expected), "{check}");
        for end in 0..head.len() {
            let mut harness = requested(&probe);
            harness.receive_all(head.as_bytes()[..end].chunks(64));
            assert!(!harness.is_done(), "evaluated {:?}", &head[..end]);
        }
    }
}

#[test]
fn a_text_is_found_in_every_kind_of_body() {
    let probe = checking("body_contains:pong");
    for response in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nping, pong",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n po\r\n2;x=y\r\nng\r\n0\r\nT: x\r\n\r\n",
        "HTTP/1.1 201 OK\r\n\r\npipopong and so on",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.0 200 OK\r\n\r\npong",
        // The rest is not read: it may be missing or invalid.
        "HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\npong",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npong nonsense",
    ] {
        let result = result(&probe, response).expect(response);
        assert!(result.ok && result.detail.starts_with("HTTP 20"), "{result:?}");
        assert_eq!(result.latency, Some(MS * 7));
    }
}

#[test]
fn a_body_without_the_text_is_a_failure_once_it_has_ended() {
    let probe = checking("body_contains:pong");
    let miss = |read| bad(Reason::Body, &format!("HTTP 200: text not in the body ({read} bytes read)"));
    for (response, read) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nponponpong", 5),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\npon\r\n0\r\n\r\n", 3),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\npong", 0),
    ] {
        assert_eq!(result(&probe, response), Some(miss(read)), "{response}");
    }
    assert_eq!(result_closed(&probe, "HTTP/1.1 200 OK\r\n\r\nponpon"), miss(6));
    let empty = bad(Reason::Body, "HTTP 204: text not in the body (0 bytes read)");
    assert_eq!(result(&probe, "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\npong"), Some(empty));
}

#[test]
fn a_missing_text_in_a_compressed_body_has_an_explanation() {
    let probe = checking("body_contains:pong");
    for (field, name) in [
        ("Content-Encoding: gzip", Some("gzip")),
        ("content-encoding: GZIP", Some("gzip")),
        ("Content-Encoding: identity, x-gzip", Some("x-gzip")),
        ("Content-Encoding: deflate", Some("deflate")),
        ("Content-Encoding: br", Some("br")),
        ("Content-Encoding: zstd", Some("zstd")),
        ("Content-Encoding: compress", Some("compress")),
        ("Content-Encoding: utf-8", None),
        ("Content-Encoding: identity", None),
        ("Content-Encoding:", None),
        ("Vary: gzip", None),
    ] {
        let response = format!("HTTP/1.1 200 OK\r\n{field}\r\nContent-Length: 4\r\n\r\n");
        let reason = name.map(|name| format!("; body is {name}-compressed")).unwrap_or_default();
        let miss = format!("HTTP 200: text not in the body (4 bytes read){reason}");
        assert_eq!(
            result(&probe, &(response.clone() + "\x1f...")),
            Some(bad(Reason::Body, &miss)),
            "{field}"
        );
        assert_eq!(result(&probe, &(response + "pong")), Some(up("HTTP 200")), "{field}");
    }
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    let result = result(&probe, chunked).expect("a result");
    assert!(result.detail.ends_with("; body is gzip-compressed"), "{result:?}");
}

#[test]
fn the_first_check_that_fails_gives_the_detail() {
    let probe = |specs: &[&str]| {
        build("http://h/", |probe| specs.iter().fold(probe, |probe, spec| probe.check(spec)))
    };
    let head = "HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\n";
    let response = format!("{head}ping pong");
    let miss = |text| Some(bad(Reason::Body, text));
    for (specs, expected) in [
        (&["status:503", "body_contains:pong", "body_contains:ping"][..], Some(up("HTTP 503"))),
        (&["body_contains:ping", "status:200", "body_contains:x"], miss_status()),
        (
            &["status:503", "body_contains:x", "status:200"],
            miss("HTTP 503: text not in the body (9 bytes read)"),
        ),
        (&["body_contains:ping", "body_contains:pong"], miss_status()),
    ] {
        assert_eq!(result(&probe(specs), &response), expected, "{specs:?}");
    }
    // An earlier check that is not determined yet delays the later ones.
    assert_eq!(result(&probe(&["body_contains:pong", "status:200"]), head), None);
    assert_eq!(result(&probe(&["status:200", "body_contains:pong"]), head), miss_status());
}

fn miss_status() -> Option<ProbeResult> {
    Some(bad(Reason::Status, "HTTP 503"))
}

#[test]
fn a_negated_check_needs_the_whole_body() {
    let head = |length| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    let probe = |spec: &str| build("http://h/", |probe| probe.check(spec).max_body(8));
    let without = probe("not:body_contains:error");
    assert_eq!(result(&without, &(head(8) + "all well")), Some(up("HTTP 200")));
    assert_eq!(
        result(&without, &(head(8) + "an error")),
        Some(bad(Reason::Body, "HTTP 200: text in the body"))
    );
    let larger = Some(bad(Reason::Body, "HTTP 200: body is larger than --max-body"));
    assert_eq!(result(&without, &(head(9) + "all well.")), larger);
    assert_eq!(result(&without, &(head(9) + "all well")), None);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nall well\r\n";
    assert_eq!(result(&without, chunked), None);
    assert_eq!(result(&without, &format!("{chunked}0\r\n\r\n")), Some(up("HTTP 200")));
    assert_eq!(result(&without, &format!("{chunked}1\r\n!\r\n")), larger);
    assert_eq!(result_closed(&without, &(head(9) + "all well")).reason, Some(Reason::HttpProtocol));
    let compressed = "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n\x01\x02";
    let detail = "HTTP 200: body is br-compressed";
    assert_eq!(result(&without, compressed), Some(bad(Reason::Body, detail)));
    // The text may be at the limit; without it, the rest of the body does not matter.
    let limit = "HTTP 200: text not in the body (8 bytes read, the limit of --max-body)";
    let both = build("http://h/", |probe| {
        probe.check("body_contains:well").check("not:body_contains:error").max_body(8)
    });
    assert_eq!(result(&both, &(head(8) + "all well")), Some(up("HTTP 200")));
    assert_eq!(result(&both, &(head(9) + "....all w")), Some(bad(Reason::Body, limit)));
    assert_eq!(result(&both, &(head(9) + "all well.")), larger);
}

#[test]
fn a_negated_status_decides_the_status() {
    let probe = checking("not:status:500-599,301");
    for (status, ok) in [(200, true), (404, true), (500, false), (301, false)] {
        let response = format!("HTTP/1.1 {status} X\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n");
        let expected = match ok {
            true => up(&format!("HTTP {status}")),
            false => bad(Reason::Status, &format!("HTTP {status}")),
        };
        assert_eq!(result(&probe, &response), Some(expected));
    }
}

#[test]
fn header_checks_do_not_wait_for_the_body() {
    let response = "HTTP/1.1 200 OK\r\nX-Cache: HIT\r\nContent-Length: 9\r\n\r\n";
    assert_eq!(result(&checking("header:x-cache~H"), response), Some(up("HTTP 200")));
    let detail = "header x-cache is \"HIT\", not \"MISS\"";
    assert_eq!(result(&checking("header:x-cache=MISS"), response), Some(bad(Reason::Header, detail)));
    assert_eq!(result(&checking("not:header:x-cache=MISS"), response), Some(up("HTTP 200")));
    let detail = "header Age is missing";
    assert_eq!(result(&checking("header:Age"), response), Some(bad(Reason::Header, detail)));
    assert!(ProbeBuilder::from_url("http://h/").method("HEAD").check("header:Age").build().is_ok());
}

#[test]
fn an_empty_text_is_in_every_body_of_a_2xx() {
    let probe = checking("body_contains:");
    for (response, ok) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nany", true),
        ("HTTP/1.1 204 No Content\r\n\r\n", true),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false),
    ] {
        assert_eq!(result(&probe, response).map(|result| result.ok), Some(ok), "{response}");
    }
    assert!(ProbeBuilder::from_url("http://h/").method("HEAD").check("body_contains:").build().is_ok());
}

#[test]
fn a_status_check_ignores_the_length_of_the_body() {
    for length in ["18446744073709551616", "99999999999999999999999999999", "5, 5"] {
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(result(&checking(""), &response), Some(up("HTTP 200")), "{length}");
    }
}

#[test]
fn a_body_is_read_up_to_its_limit() {
    let probe = build("http://h/", |p| p.check("body_contains:pong").max_body(8));
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
    assert_eq!(result(&probe, &format!("{head}....pong")), Some(up("HTTP 200")));
    let miss = bad(Reason::Body, "HTTP 200: text not in the body (8 bytes read, the limit of --max-body)");
    assert_eq!(result(&probe, &format!("{head}.....pong")), Some(miss));
    assert_eq!(result(&probe, &format!("{head}....pon")), None);
}

#[test]
fn a_truncated_body_fails_only_without_the_text() {
    let probe = checking("body_contains:pong");
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n";
    for head in [length, chunked] {
        assert_eq!(result_closed(&probe, &format!("{head}...pong")), up("HTTP 200"));
        let result = result_closed(&probe, &format!("{head}...pon"));
        assert_eq!((result.reason, result.latency), (Some(Reason::HttpProtocol), None));
        assert!(result.detail.starts_with("connection closed"), "{result:?}");
    }
}

#[test]
fn a_response_to_head_has_no_body() {
    let probe = build("http://h/", |p| p.method("HEAD").check_response(|response| response.body.is_empty()));
    assert!(text(requested(&probe).sent()).starts_with("HEAD / "));
    assert_eq!(result(&probe, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"), Some(up("HTTP 200")));
}

#[test]
fn a_closure_receives_the_complete_response() {
    let probe = build("http://h/", |p| {
        p.max_body(6).check_response(|response| {
            let seen = format!("{} {} {:?}", response.text(), response.status, response.elapsed);
            (response.headers.get("x-ok") == Some("yes"), seen)
        })
    });
    let response = |ok| format!("HTTP/1.1 500 Oops\r\nX-Ok: {ok}\r\nContent-Length: 8\r\n\r\nabcdefgh");
    assert_eq!(result(&probe, &response("yes")), Some(up("abcdef 500 7ms")));
    assert_eq!(result(&probe, &response("no")), Some(bad(Reason::Custom, "abcdef 500 7ms")));
    let cut = result_closed(&probe, "HTTP/1.1 200 OK\r\nX-Ok: yes\r\nContent-Length: 8\r\n\r\nabcd");
    assert_eq!(cut.reason, Some(Reason::HttpProtocol));
}

#[test]
fn invalid_responses_are_failures() {
    for (response, detail) in [
        ("", "connection closed without a response"),
        ("\r\n", "connection closed without a response"),
        ("HTTP/1.1 200 OK\r\nServer: x\r\n", "connection closed before the end of the header fields"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nabcde", "differing Content-Length values"),
    ] {
        assert_eq!(result_closed(&checking(""), response), down(Reason::HttpProtocol, detail), "{response}");
    }
    let result = result_closed(&checking(""), "SSH-2.0-OpenSSH_9.2p1\r\n");
    assert_eq!(result.reason, Some(Reason::HttpProtocol));
}

#[test]
fn a_failure_names_what_was_awaited() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    for (received, what) in [("", "the response"), (&head[..30], "the response"), (head, "the body")] {
        let started = || {
            let mut harness = requested(&checking("body_contains:pong"));
            harness.receive_all(received.as_bytes().chunks(64));
            harness
        };
        let mut harness = started();
        harness.input(Input::TimedOut);
        let late = format!("timed out after 5 s waiting for {what}");
        assert_eq!(harness.result(), down(Reason::HttpTimeout, &late));

        let mut harness = started();
        harness.input(reset());
        let broken = format!("connection reset while waiting for {what}");
        assert_eq!(harness.result(), down(Reason::Reset, &broken));
    }
}

#[test]
fn a_failure_to_connect_is_reported_unchanged() {
    let mut harness = Harness::begin(&checking(""));
    harness.input(reset());
    assert_eq!(harness.result(), down(Reason::Reset, "connection reset"));
    let mut harness = Harness::begin(&checking(""));
    harness.input(Input::TimedOut);
    let late = "timed out after 5 s waiting for the connection";
    assert_eq!(harness.result(), down(Reason::ConnectTimeout, late));
}

#[test]
fn the_result_of_an_invalid_response_does_not_depend_on_segmentation() {
    let chunked = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3;a=b\r\n po\r\n2\r\nng\r\n0\r\nT: x\r\n\r\n";
    let redirect = "HTTP/1.1 302 Found\r\nLocation: //h:81/\r\n\r\n";
    let probe = checking("body_contains:pong");
    // A fixed series of numbers: Knuth's linear congruential generator.
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for round in 0..2000 {
        let mut response = if round % 4 == 0 { redirect } else { chunked }.as_bytes().to_vec();
        for _ in 0..=random(3) {
            let at = random(response.len());
            match random(3) {
                0 => response[at] = random(256) as u8,
                1 => drop(response.remove(at)),
                _ => response.insert(at, b"\r\n0:; /\xff"[random(8)]),
            }
        }
        let run = |size: usize| {
            let mut harness = requested(&probe);
            harness.receive_all(response.chunks(size));
            if let Some(address) = harness.take_connect() {
                return (Some(address), None);
            }
            if !harness.is_done() {
                harness.input(Input::Closed);
            }
            (None, Some(harness.result()))
        };
        let unsplit = run(response.len());
        for size in [1, 2, 7] {
            assert_eq!(run(size), unsplit, "{} by {size}", response.escape_ascii());
        }
    }
}

#[test]
fn the_default_limit_of_a_body_is_64_kib() {
    let mut harness = requested(&checking("body_contains:needle"));
    harness.receive(format!("HTTP/1.1 200 OK\r\n\r\n{}needle", "x".repeat(64 * 1024)).as_bytes());
    let detail = "HTTP 200: text not in the body (65536 bytes read, the limit of --max-body)";
    assert_eq!(harness.result(), bad(Reason::Body, detail));
}
