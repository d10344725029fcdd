//! Every route and status, byte for byte.

mod control;
mod groups;
mod history;
mod page;
mod paths;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::*;
use crate::api::client::{Client, Next};
use crate::api::host::HostGuard;
use crate::api::response::Date;
use crate::clock::test_now;
use crate::monitor::Monitor;
use crate::monitor::mute::Mute;
use crate::result::{ProbeResult, Reason};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn targets(scripts: &[(&'static str, &str)], t0: Now) -> Targets {
    let scripts: Vec<_> = scripts.iter().map(|(name, script)| (*name, *script, "")).collect();
    grouped(&scripts, t0)
}

/// Targets with the results that the scripts of `+` and `-` say, one a second, and their groups.
fn grouped(scripts: &[(&'static str, &str, &str)], t0: Now) -> Targets {
    let monitor = |(name, _, group): &(&'static str, &str, &str)| {
        let monitor = Monitor::new(Mute(name));
        if group.is_empty() { monitor } else { monitor.group(*group) }
    };
    let mut targets = Targets::new(scripts.iter().map(monitor).collect(), t0);
    for (index, (_, script, _)) in scripts.iter().enumerate() {
        for (second, sign) in (0..).zip(script.chars()) {
            let result = match sign {
                '+' => ProbeResult::up(ms(12), "fine"),
                _ => ProbeResult::down(Reason::Refused, "refused"),
            };
            targets.fire(targets.id(index), &result, t0.after(ms(second * 1000)));
        }
    }
    targets
}

fn request(method: Method, path: &str) -> Request {
    let host = Some("localhost:8787".to_owned());
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (path, query) = (path.into(), query.into());
    Request {
        method,
        path,
        query,
        http11: true,
        host,
        keep_alive: true,
        last_event_id: None,
        bearer: None,
        origin: None,
        is_cross_site: false,
        prefers_html: false,
        content: None,
    }
}

fn access() -> Access {
    HostGuard::new(IpAddr::V4(Ipv4Addr::LOCALHOST), Vec::new()).into()
}

/// An answer that is given at once.
fn answer(request: &Request, targets: &Targets, access: &Access, now: Now) -> Response {
    match super::reply(request, targets, access, now) {
        Reply::Now(response) => response,
        Reply::Listing(page, _) if page != ListingPage::Metrics => {
            Response::new(200, page.content_type(), render(&page, targets, now).expect("not the metrics"))
        }
        other => panic!("{other:?} to {request:?}"),
    }
}

fn get(targets: &Targets, path: &str, now: Now) -> Response {
    answer(&request(Method::Get, path), targets, &access(), now)
}

/// Status and body.
fn said(targets: &Targets, path: &str) -> (u16, String) {
    let response = get(targets, path, test_now());
    let status = response.status;
    assert_eq!(response.content_type, if response.body.starts_with(b"{") { JSON } else { TEXT });
    (status, String::from_utf8(response.body).expect("UTF-8"))
}

fn text(status: u16, body: &str) -> (u16, String) {
    (status, body.to_owned())
}

#[test]
fn the_words_of_each_state() {
    let t0 = test_now();
    for (script, state, health) in [
        ("", "unknown", (503, "unknown\n")),
        ("+", "up", (200, "ok\n")),
        ("+-", "degraded", (503, "degraded\n")),
        ("+--", "down", (503, "down\n")),
        ("-", "down", (503, "down\n")),
    ] {
        let targets = targets(&[("web", script)], t0);
        for base in ["", "/targets/web"] {
            assert_eq!(said(&targets, &format!("{base}/state")), text(200, &format!("{state}\n")));
            assert_eq!(said(&targets, &format!("{base}/healthz")), text(health.0, health.1));
        }
    }
}

#[test]
fn one_target_is_the_snapshot_itself() {
    let t0 = test_now();
    let targets = targets(&[("web", "+")], t0);
    let now = t0.after(ms(1200));
    let expected = r#"{
  "state": "up",
  "last_event": "ok",
  "last_detail": "fine",
  "last_latency_ms": 12.0,
  "uptime_in_state_s": 1.2,
  "last_check_ts": 1738200000.0,
  "last_check_age_s": 1.2,
  "transitions": 1,
  "recent": [
    {
      "ts": 1738200000.0,
      "event": "ok",
      "state": "up",
      "detail": "fine"
    }
  ],
  "probe": "web",
  "name": "web",
  "error": null,
  "phases_ms": {
    "resolve": null,
    "connect": null,
    "tls": null,
    "first_byte": null,
    "transfer": null
  },
  "address": null,
  "http_status": null,
  "tls_not_after_ts": null,
  "warnings": [],
  "group": null,
  "since_ts": 1738200000.0,
  "paused_until_ts": null,
  "held_by": null
}
"#;
    let wanted = Response::new(200, JSON, expected);
    assert_eq!(get(&targets, "/", now), wanted);
    assert_eq!(get(&targets, "/status", now), wanted);
    assert_eq!(get(&targets, "/targets/web", now), wanted);
}

#[test]
fn several_targets_are_counted_and_listed() {
    let t0 = test_now();
    let targets = targets(&[("a", "+"), ("b", "")], t0);
    let expected = r#"{
  "state": "unknown",
  "counts": {
    "unknown": 1,
    "up": 1,
    "degraded": 0,
    "down": 0,
    "paused": 0
  },
  "targets": [
    {
      "state": "up",
      "last_event": "ok",
      "last_detail": "fine",
      "last_latency_ms": 12.0,
      "uptime_in_state_s": 0.5,
      "last_check_ts": 1738200000.0,
      "last_check_age_s": 0.5,
      "transitions": 1,
      "recent": [
        {
          "ts": 1738200000.0,
          "event": "ok",
          "state": "up",
          "detail": "fine"
        }
      ],
      "probe": "a",
      "name": "a",
      "error": null,
      "phases_ms": {
        "resolve": null,
        "connect": null,
        "tls": null,
        "first_byte": null,
        "transfer": null
      },
      "address": null,
      "http_status": null,
      "tls_not_after_ts": null,
      "warnings": [],
      "group": null,
      "since_ts": 1738200000.0,
      "paused_until_ts": null,
      "held_by": null
    },
    {
      "state": "unknown",
      "last_event": null,
      "last_detail": null,
      "last_latency_ms": null,
      "uptime_in_state_s": 0.5,
      "last_check_ts": null,
      "last_check_age_s": null,
      "transitions": 0,
      "recent": [],
      "probe": "b",
      "name": "b",
      "error": null,
      "phases_ms": null,
      "address": null,
      "http_status": null,
      "tls_not_after_ts": null,
      "warnings": [],
      "group": null,
      "since_ts": 1738200000.0,
      "paused_until_ts": null,
      "held_by": null
    }
  ]
}
"#;
    let now = t0.after(ms(500));
    assert_eq!(get(&targets, "/status", now), Response::new(200, JSON, expected));
    assert_eq!(get(&targets, "/", now), Response::new(200, JSON, expected));
}

#[test]
fn the_whole_speaks_of_the_worst_and_a_target_of_itself() {
    let t0 = test_now();
    for (scripts, worst) in [
        (["+", "+", "+"], "up"),
        (["+", "", "+"], "unknown"),
        (["+", "", "+-"], "degraded"),
        (["-", "", "+-"], "down"),
    ] {
        let targets = targets(&[("a", scripts[0]), ("b", scripts[1]), ("c", scripts[2])], t0);
        assert_eq!(said(&targets, "/state"), text(200, &format!("{worst}\n")));
        let health = if worst == "up" { text(200, "ok\n") } else { text(503, &format!("{worst}\n")) };
        assert_eq!(said(&targets, "/healthz"), health);
    }
    let targets = targets(&[("a", "-"), ("b", "+")], t0);
    assert_eq!(said(&targets, "/targets/b/state"), text(200, "up\n"));
    assert_eq!(said(&targets, "/targets/b/healthz"), text(200, "ok\n"));
    assert_eq!(said(&targets, "/targets/a/healthz"), text(503, "down\n"));
}

#[test]
fn no_targets_are_unknown() {
    let targets = targets(&[], test_now());
    assert_eq!(said(&targets, "/state"), text(200, "unknown\n"));
    assert_eq!(said(&targets, "/healthz"), text(503, "unknown\n"));
    let (status, body) = said(&targets, "/status");
    let value: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, value["targets"].as_array().map(Vec::len)), (200, Some(0)));
    assert_eq!(value["counts"]["unknown"], 0);
    assert_eq!(said(&targets, "/targets/"), text(404, "not found\n"));
}

#[test]
fn a_known_path_with_another_method_says_which_it_knows() {
    let targets = targets(&[("web", "+")], test_now());
    for path in
        ["/", "/status", "/state", "/healthz", "/targets/web", "/targets/web/state", "/targets/web/healthz"]
    {
        let response = answer(&request(Method::Other, path), &targets, &access(), test_now());
        assert_eq!((response.status, response.field), (405, "Allow: GET, HEAD\r\n"), "{path}");
        assert_eq!(response.body, b"method not allowed\n");
        let head = answer(&request(Method::Head, path), &targets, &access(), test_now());
        assert_eq!((head.status, head.field), (200, ""), "{path}");
    }
}

#[test]
fn a_foreign_host_learns_nothing_not_even_which_paths_there_are() {
    let targets = targets(&[("web", "+")], test_now());
    for method in [Method::Get, Method::Head, Method::Other] {
        for path in ["/", "/state", "/nowhere", "/targets/web"] {
            let mut request = request(method, path);
            request.host = Some("evil.example".to_owned());
            let response = answer(&request, &targets, &access(), test_now());
            let body = "not a name of this API (see --api-allow-host)\n";
            assert_eq!(response, Response::new(421, TEXT, body), "{path}");
        }
    }
}

#[test]
fn no_answer_ever_allows_other_origins() {
    let targets = targets(&[("web", "+")], test_now());
    for path in ["/", "/state", "/healthz", "/nowhere"] {
        for method in [Method::Get, Method::Other] {
            let response = answer(&request(method, path), &targets, &access(), test_now());
            let bytes = response.write(false, true, true, Date::default().at(test_now().unix));
            assert!(!String::from_utf8_lossy(&bytes).to_ascii_lowercase().contains("access-control"));
        }
    }
}

#[test]
fn head_tells_the_length_that_get_would_have() {
    let t0 = test_now();
    let targets = targets(&[("web", "+-"), ("nas", "")], t0);
    for path in ["/", "/status", "/state", "/healthz", "/nowhere", "/targets/web"] {
        let get = get(&targets, path, t0).write(false, true, true, Date::default().at(t0.unix));
        let head = answer(&request(Method::Head, path), &targets, &access(), t0).write(
            true,
            true,
            true,
            Date::default().at(t0.unix),
        );
        assert!(get.starts_with(&head) && get.len() > head.len(), "{path}");
        assert!(head.ends_with(b"\r\n\r\n"));
        let length = format!("Content-Length: {}\r\n", get.len() - head.len());
        assert!(String::from_utf8_lossy(&head).contains(&length), "{path}");
    }
}

#[test]
fn a_conversation_byte_for_byte() {
    let t0 = test_now();
    let targets = targets(&[("web", "+-")], t0);
    let mut client = Client::new();
    client.receive(
        b"GET /state?now HTTP/1.1\r\nHost: localhost\r\n\r\nHEAD /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\
        DELETE /status HTTP/1.1\r\nHost: [::1]:8787\r\n\r\nGET /x HTTP/1.0\r\n\r\n",
    );
    let mut sent = Vec::new();
    while let Next::Request(request) = client.next() {
        let head_only = request.method == Method::Head;
        let response = answer(&request, &targets, &access(), t0);
        sent.extend(response.write(
            head_only,
            request.keep_alive,
            request.http11,
            Date::default().at(t0.unix),
        ));
    }
    let fixed = "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
    let head = |status: &str, length: usize, rest: &str| {
        format!(
            "HTTP/1.1 {status}\r\nDate: Thu, 30 Jan 2025 01:20:00 GMT\r\nContent-Type: text/plain\r\n\
            Content-Length: {length}\r\n{rest}\r\n"
        )
    };
    let expected = [
        head("200 OK", 9, fixed) + "degraded\n",
        head("503 Service Unavailable", 9, &format!("{fixed}Connection: keep-alive\r\n")),
        head("405 Method Not Allowed", 19, &format!("Allow: GET, HEAD\r\n{fixed}")) + "method not allowed\n",
        head("404 Not Found", 10, &format!("{fixed}Connection: close\r\n")) + "not found\n",
    ];
    assert_eq!(String::from_utf8_lossy(&sent), expected.concat());
}
