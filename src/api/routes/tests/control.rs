//! Requests that control, and the token.

use super::*;
use crate::text::token::Token;

const TOKEN: &str = "0123456789abcdef";
const CONTROLS: [&str; 9] = [
    "/pause",
    "/resume",
    "/check",
    "/targets/web/pause",
    "/targets/web/resume",
    "/targets/web/check",
    "/groups/a%20b/pause",
    "/groups/a%20b/resume",
    "/groups/a%20b/check",
];

fn with_token(allowed: &[&str], protects_reads: bool) -> Access {
    let allowed = allowed.iter().map(|name| (*name).to_owned()).collect();
    let mut access = Access::from(HostGuard::new(IpAddr::V4(Ipv4Addr::LOCALHOST), allowed));
    access.set_token(Some(Token::parse(TOKEN, "").expect("valid")), protects_reads);
    access
}

fn post(path: &str) -> Request {
    Request { bearer: Some(TOKEN.to_owned()), ..request(Method::Post, path) }
}

fn web() -> Targets {
    grouped(&[("web", "+", "a b"), ("nas", "-", "")], test_now())
}

fn control(request: &Request, targets: &Targets) -> Result<(Action, Option<String>), (u16, String)> {
    match super::super::reply(request, targets, &with_token(&[], false), test_now()) {
        Reply::Control(Control { action, scope }) => {
            let name = match scope {
                ControlScope::All => None,
                ControlScope::Group(group) => Some(["group ", &group].concat()),
                ControlScope::Target(target) => targets.get(target).map(|target| target.name().to_owned()),
            };
            Ok((action, name))
        }
        Reply::Now(response) => Err((response.status, String::from_utf8(response.body).expect("text"))),
        other => panic!("{other:?}"),
    }
}

/// The status of the response; 0 if the request is accepted.
fn status(request: &Request, access: &Access) -> u16 {
    match super::super::reply(request, &web(), access, test_now()) {
        Reply::Control(_) => 0,
        Reply::Now(response) => response.status,
        other => panic!("{other:?}"),
    }
}

#[test]
fn paths_name_the_action_and_the_target() {
    let targets = web();
    let hours = |hours: u64| Action::Pause(Duration::from_secs(3600 * hours));
    for (path, action, target) in [
        ("/pause", hours(1), None),
        ("/pause?for=2h", hours(2), None),
        ("/targets/web/pause?for=7200", hours(2), Some("web")),
        ("/targets/nas/pause?for=30d", hours(720), Some("nas")),
        ("/targets/web/pause?for=0.001&for=2h", Action::Pause(ms(1)), Some("web")),
        ("/targets/w%65b/pause?for=15+m", Action::Pause(ms(900_000)), Some("web")),
        ("//resume", Action::Resume, None),
        ("/targets/web/resume", Action::Resume, Some("web")),
        ("/check?x", Action::Check, None),
        ("/targets/nas/check", Action::Check, Some("nas")),
        ("/groups/a%20b/pause?for=2h", hours(2), Some("group a b")),
        ("/groups/a%20b/resume", Action::Resume, Some("group a b")),
        ("/groups/a%20b//check", Action::Check, Some("group a b")),
    ] {
        assert_eq!(control(&post(path), &targets), Ok((action, target.map(str::to_owned))), "{path}");
    }
    for span in ["", "0", "0s", "-1h", "721h", "30.001d", "1w", "forever", "1h30m", "99999999999999999999d"] {
        let no = (400, "for must be a time of at most 30d, like 45m or 2h\n".to_owned());
        assert_eq!(control(&post(&format!("/pause?for={span}")), &targets), Err(no), "{span}");
    }
    assert_eq!(control(&post("/pause?for=%"), &targets), Err((400, "for is not well encoded\n".to_owned())));
    for path in [
        "/pause/",
        "/pause/web",
        "/targets/none/pause",
        "/targets/web/Pause",
        "/targets/pause",
        "/groups/web/pause",
    ] {
        assert_eq!(control(&post(path), &targets), Err((404, "not found\n".to_owned())), "{path}");
    }
}

#[test]
fn only_post_controls() {
    for path in CONTROLS {
        for method in [Method::Get, Method::Head, Method::Other] {
            for access in [access(), with_token(&[], false)] {
                let request = Request { method, ..post(path) };
                let response = answer(&request, &web(), &access, test_now());
                assert_eq!((response.status, response.field), (405, "Allow: POST\r\n"), "{path}");
            }
        }
        let options = answer(&request(Method::Options, path), &web(), &access(), test_now());
        assert_eq!(options, Response { field: "Allow: POST\r\n", ..Response::new(200, TEXT, "") });
    }
    for path in ["/", "/status", "/state", "/healthz", "/metrics", "/targets/web"] {
        assert_eq!(status(&post(path), &with_token(&[], false)), 405, "{path}");
    }
}

#[test]
fn without_a_token_nothing_can_be_controlled() {
    for path in CONTROLS {
        for request in
            [post(path), request(Method::Post, path), Request { host: None, http11: false, ..post(path) }]
        {
            let response = answer(&request, &web(), &access(), test_now());
            assert_eq!(
                response,
                Response::new(403, TEXT, "this needs a token (see --api-token-file)\n"),
                "{path}"
            );
        }
    }
    // A listening address other than loopback changes nothing.
    let anywhere = HostGuard::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), Vec::new()).into();
    assert_eq!(status(&post("/pause"), &anywhere), 403);
}

#[test]
fn a_wrong_token_is_unauthorized() {
    for path in CONTROLS {
        assert_eq!(status(&post(path), &with_token(&[], false)), 0, "{path}");
        for bearer in
            [None, Some(""), Some("0123456789abcde"), Some("0123456789abcdef0"), Some("0123456789ABCDEF")]
        {
            let request = Request { bearer: bearer.map(str::to_owned), ..post(path) };
            let response = answer(&request, &web(), &with_token(&[], false), test_now());
            assert_eq!((response.status, response.field), (401, "WWW-Authenticate: Bearer\r\n"), "{path}");
            assert_eq!(response.body, b"unauthorized\n");
        }
    }
}

#[test]
fn pages_of_other_origins_cannot_control_even_with_the_token() {
    let access = with_token(&["status.example"], false);
    for (origin, is_cross_site, expected) in [
        (None, false, 0),
        (Some("http://localhost:8787"), false, 0),
        (Some("https://status.example"), false, 0),
        (Some("https://status.example:8443"), false, 0),
        (None, true, 403),
        (Some("http://localhost:8787"), true, 403),
        (Some("https://status.example"), true, 403),
        (Some("null"), false, 403),
        (Some(""), false, 403),
        (Some("http://evil.example"), false, 403),
        (Some("http://localhost"), false, 403),
        (Some("http://localhost:8000"), false, 403),
        (Some("http://127.0.0.1:8787"), false, 403),
        (Some("https://localhost:8787.evil.example"), false, 403),
        (Some("chrome-extension://abcdef"), false, 403),
    ] {
        for path in CONTROLS {
            for bearer in [Some(TOKEN.to_owned()), None] {
                let has_token = bearer.is_some();
                let request =
                    Request { origin: origin.map(str::to_owned), is_cross_site, bearer, ..post(path) };
                let expected = if has_token || expected > 0 { expected } else { 401 };
                assert_eq!(status(&request, &access), expected, "{path} {origin:?} {is_cross_site}");
            }
        }
        // Reading is not affected: the browser does not show the response to the page.
        let origin = origin.map(str::to_owned);
        let read = Request { origin, is_cross_site, ..request(Method::Get, "/state") };
        assert_eq!(status(&read, &access), 200);
    }
    let foreign = Request {
        host: Some("evil.example".to_owned()),
        origin: Some("http://evil.example".to_owned()),
        ..post("/pause")
    };
    assert_eq!(status(&foreign, &access), 421);
}

#[test]
fn liveness_needs_no_token_but_the_host_of_the_api() {
    for access in [access(), with_token(&[], true)] {
        let live = |method, path| super::super::reply(&request(method, path), &web(), &access, test_now());
        for path in ["/livez", "//livez?x=1", "/liv%65z"] {
            for method in [Method::Get, Method::Head] {
                assert_eq!(live(method, path), Reply::Liveness, "{path}");
            }
        }
        assert_eq!(answer(&request(Method::Options, "/livez"), &web(), &access, test_now()).status, 200);
        assert_eq!(status(&post("/livez"), &access), 405);
        let foreign = Request { host: Some("evil.example".to_owned()), ..request(Method::Get, "/livez") };
        assert_eq!(status(&foreign, &access), 421);
    }
    let access = with_token(&[], true);
    assert_eq!(status(&request(Method::Get, "/livez/state"), &access), 401);
    assert_eq!(liveness_response(true), Response::new(200, TEXT, "ok\n"));
    assert_eq!(liveness_response(false), Response::new(503, TEXT, "checks are late\n"));
}

#[test]
fn reading_can_need_the_token_too() {
    let access = with_token(&[], true);
    for path in [
        "/",
        "/status",
        "/state",
        "/healthz",
        "/metrics",
        "/probe?target=web",
        "/events",
        "/wait?state=up",
        "/targets/web",
        "/targets/none",
        "/none",
        "/%",
        "*",
        "",
    ] {
        for method in [Method::Get, Method::Head, Method::Options, Method::Other, Method::Post] {
            let denied = answer(&request(method, path), &web(), &access, test_now());
            assert_eq!((denied.status, denied.field), (401, "WWW-Authenticate: Bearer\r\n"), "{path}");
        }
    }
    let read = |path: &str| Request { method: Method::Get, ..post(path) };
    assert_eq!(status(&read("/state"), &access), 200);
    assert_eq!(status(&read("/none"), &access), 404);
    assert_eq!(status(&post("/check"), &access), 0);
    // The token in its path authorises a heartbeat.
    assert_eq!(status(&request(Method::Get, "/heartbeat/0123456789abcdef"), &access), 404);
}
