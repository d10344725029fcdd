//! Paths in every spelling, and what is not there.

use super::*;

const NAMES: [&str; 8] = ["web", "tcp://[::1]:443", "a/b c", "100%", "grün", "état?#x", "state", "%41"];

#[test]
fn names_may_hold_anything_once_encoded() {
    let scripts: Vec<_> = NAMES.iter().map(|name| (*name, "+")).collect();
    let targets = targets(&scripts, test_now());
    for name in NAMES {
        let every: String = name.bytes().map(|b| format!("%{b:02x}")).collect();
        for encoded in [every.clone(), every.to_ascii_uppercase()] {
            let (status, body) = said(&targets, &format!("/targets/{encoded}"));
            let value: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!((status, &value["name"]), (200, &name.into()));
            assert_eq!(said(&targets, &format!("/targets/{encoded}/state")), text(200, "up\n"));
            assert_eq!(said(&targets, &format!("/targets/{encoded}/healthz")), text(200, "ok\n"));
        }
    }
    // Raw is whatever is not `/` or `%`; an encoded `/state` belongs to the name.
    for path in ["tcp:%2f%2F[::1]:443", "a%2fb c", "grün", "%77eb", "state", "%2541"] {
        assert_eq!(said(&targets, &format!("/targets/{path}/state")), text(200, "up\n"), "{path}");
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let scripts: Vec<_> = NAMES.iter().map(|name| (*name, "+")).collect();
    let targets = targets(&scripts, test_now());
    for path in [
        "",
        "*",
        "/x",
        "/Status",
        "/status/",
        "/state/.",
        "/state/x",
        "/healthz/",
        "/state/./x",
        "/stat%",
        "/%2fstate",
        "/state%2f",
        "/.../state",
        "/targets",
        "/targets/",
        "/targets//",
        "/targets//state/state/",
        "/targets/unknown",
        "/targets/web/",
        "/targets/web/status",
        "/targets/web/state/",
        "/targets/web/state/web",
        "/targets/web/x",
        "/targets/web%2Fstate",
        "/targets/state/healthz/state",
        "/targets/WEB",
        "/targets/web%",
        "/targets/web%7",
        "/targets/%zz",
        "/targets/%+7web",
        "/targets/100%",
        "/targets/%ff",
        "/targets/%c3",
        "/targets/web%00",
        "/targets/%41",
        "/targets/tcp://[::1]:443",
        "/metric",
        "/../status",
        "state",
    ] {
        for method in [Method::Get, Method::Head, Method::Options, Method::Other] {
            if method == Method::Options && path == "*" {
                continue;
            }
            let response = answer(&request(method, path), &targets, &access(), test_now());
            assert_eq!(response, Response::new(404, TEXT, "not found\n"), "{path}");
        }
    }
}

#[test]
fn options_says_which_methods_a_path_knows() {
    let targets = targets(&[("web", "-")], test_now());
    for path in ["*", "/", "/state", "/healthz", "/events", "/wait", "/metrics", "/probe", "/targets/web"] {
        let response = answer(&request(Method::Options, path), &targets, &access(), test_now());
        let expected = Response { field: "Allow: GET, HEAD\r\n", ..Response::new(200, TEXT, "") };
        assert_eq!(response, expected, "{path}");
    }
}

/// As nginx reads them before it selects a location.
#[test]
fn empty_segments_dots_and_encoded_letters_change_no_path() {
    let targets = targets(&[("web", "+"), ("a/b", "-")], test_now());
    for path in ["/state", "//state", "/./state", "/%73tate", "///.//stat%65"] {
        assert_eq!(said(&targets, path), text(200, "down\n"), "{path}");
    }
    for path in ["/targets/web/state", "//targets//web//state", "/targets/%77eb/%73tate"] {
        assert_eq!(said(&targets, path), text(200, "up\n"), "{path}");
    }
    for path in ["/", "//", "/.", "/status", "//status", "/targets/./web", "/targets/a%2Fb"] {
        assert_eq!(get(&targets, path, test_now()).content_type, JSON, "{path}");
    }
    assert_eq!(said(&targets, "/targets/a/b/state"), text(404, "not found\n"));
}
