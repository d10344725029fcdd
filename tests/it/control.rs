//! Control of the daemon with curl: pauses, requested checks, and the file of the token.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::*;

const TOKEN: &str = "0123456789abcdef/+==";

pub(crate) fn directory(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("control-{name}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a directory");
    dir
}

pub(crate) fn token_file(dir: &Path, token: &str) -> String {
    let file = dir.join("token");
    fs::write(&file, format!("{token}\n")).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("set");
    file.display().to_string()
}

/// A server that is up, and the number of requests to it.
fn counting() -> (Server, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    let server = Server::start(move |stream| {
        read_head(&stream);
        counter.fetch_add(1, Ordering::SeqCst);
        let _ = std::io::Write::write_all(&mut &stream, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    (server, requests)
}

/// The status and body of the response to a POST with these arguments of curl.
fn post(daemon: &Daemon, path: &str, args: &[&str]) -> (u16, String) {
    let url = format!("http://{}{path}", daemon.api);
    let args = ["-sS", "-m", "10", "-X", "POST", "-w", "\n%{http_code}", &url]
        .into_iter()
        .chain(args.iter().copied());
    let output = Command::new("curl").args(args).output().expect("curl");
    let text = String::from_utf8(output.stdout).expect("text");
    let (body, status) = text.rsplit_once('\n').expect("a status");
    (status.parse().expect("a number"), body.to_owned())
}

pub(crate) fn authorized(daemon: &Daemon, path: &str, token: &str) -> (u16, String) {
    post(daemon, path, &["-H", &format!("Authorization: Bearer {token}")])
}

pub(crate) fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_paused_target_gets_no_request_until_it_is_resumed() {
    if !has("curl", &["--version"]) {
        return;
    }
    let (server, requests) = counting();
    let file = token_file(&directory("pause"), TOKEN);
    let daemon = Daemon::start(&[
        "--interval",
        "50ms",
        "--name",
        "web",
        "--api-token-file",
        &file,
        &server.url("http"),
    ]);
    daemon.wait_for_state("up");
    let (status, body) = authorized(&daemon, "/targets/web/pause?for=10m", TOKEN);
    assert_eq!((status, &json(&body)["state"]), (200, &"unknown".into()), "{body}");
    assert_eq!(daemon.state(), "unknown");
    assert!(daemon.get("/metrics").1.contains("\npingstate_paused{target=\"web\"} 1\n"));
    let before = requests.load(Ordering::SeqCst);
    // A time in which 20 checks would start. Another deadline of the daemon ends it.
    assert_eq!(daemon.get("/wait?state=up&timeout=1s"), (503, "unknown\n".to_owned()));
    assert_eq!(authorized(&daemon, "/check", TOKEN), (202, "checking: 0\nskipped: paused: 1\n".to_owned()));
    assert!(requests.load(Ordering::SeqCst) <= before + 1, "one can have been in flight");
    assert_eq!(authorized(&daemon, "/resume", TOKEN).0, 200);
    daemon.wait_for_state("up");
    let (_, body) = authorized(&daemon, "/pause?for=200ms", TOKEN);
    assert!(json(&body)["paused_until_ts"].is_f64(), "{body}");
    daemon.wait_for_state("up");
}

#[test]
fn control_needs_the_token() {
    if !has("curl", &["--version"]) {
        return;
    }
    let (server, _requests) = counting();
    let daemon = Daemon::start(&[&server.url("http")]);
    for path in ["/pause", "/resume", "/check"] {
        let hint = (403, "this needs a token (see --api-token-file)\n".to_owned());
        assert_eq!(authorized(&daemon, path, TOKEN), hint, "{path}");
        assert_eq!(post(&daemon, path, &["-d", "for=1h"]), hint, "{path}");
    }
    let file = token_file(&directory("token"), TOKEN);
    let daemon = Daemon::start(&["--api-token-file", &file, "--api-token-reads", &server.url("http")]);
    let url = format!("http://{}/state", daemon.api);
    let head = Command::new("curl").args(["-sSi", "-m", "10", &url]).output().expect("curl");
    let head = String::from_utf8(head.stdout).expect("text");
    assert!(head.starts_with("HTTP/1.1 401 ") && head.contains("\r\nWWW-Authenticate: Bearer\r\n"), "{head}");
    let header = format!("Authorization: Bearer {TOKEN}");
    let state = Command::new("curl").args(["-sS", "-m", "10", "-H", &header, &url]).output().expect("curl");
    assert!(["up\n", "unknown\n"].contains(&&*String::from_utf8_lossy(&state.stdout)), "{state:?}");
    assert_eq!(post(&daemon, "/check", &[]).0, 401);
    assert_eq!(authorized(&daemon, "/check", "0123456789abcdef/+=").0, 401);
    assert_eq!(authorized(&daemon, "/check", TOKEN).0, 202);
    let foreign = ["-H", &header, "-H", "Origin: http://evil.example"];
    assert_eq!(post(&daemon, "/pause", &foreign).0, 403);
}

#[test]
fn a_reload_reads_the_token_again_and_keeps_pauses() {
    if !has("curl", &["--version"]) {
        return;
    }
    let (server, _requests) = counting();
    let dir = directory("reload");
    let (file, config) = (token_file(&dir, TOKEN), dir.join("config"));
    let write = |flags: &str| {
        let text = format!(
            "--api-token-file {file} {flags}\nweb {}\nnas {} --paused\n",
            server.url("http"),
            server.url("http")
        );
        fs::write(&config, text).expect("written");
    };
    write("--interval 1");
    let daemon = Daemon::start(&["--config", &config.display().to_string()]);
    assert_eq!(json(&daemon.get("/status").1)["counts"]["paused"], 1);
    assert_eq!(authorized(&daemon, "/targets/web/pause", TOKEN).0, 200);
    let paused = || Some(daemon.next_line()).filter(|line| line.contains("paused"));
    assert_eq!(eventually("the pause", paused), "pingstate: web: paused for 1 h");
    let reload = |expected: &str| {
        daemon.signal("-HUP");
        let line =
            eventually("the reload", || Some(daemon.next_line()).filter(|line| line.contains("reload")));
        assert!(line.contains(expected), "{line}");
    };
    token_file(&dir, "another-token-of-20c");
    write("--interval 1 --api-token-reads");
    reload("reloaded: 2 targets kept");
    assert_eq!(authorized(&daemon, "/check", TOKEN).0, 401);
    assert_eq!(authorized(&daemon, "/check", "another-token-of-20c").1, "checking: 0\nskipped: paused: 2\n");
    assert_eq!(daemon.get("/state").0, 401);
    token_file(&dir, "short");
    reload("the token must have 16 to 128 characters");
    assert_eq!(authorized(&daemon, "/check", "another-token-of-20c").0, 202);
    // Another interval is another target, whose pause continues.
    token_file(&dir, TOKEN);
    write("--interval 2");
    reload("reloaded: 0 targets kept");
    let status = json(&daemon.get("/status").1);
    assert_eq!(status["counts"]["paused"], 2, "{status}");
    assert!(status["targets"][0]["paused_until_ts"].as_f64() < Some(253_402_300_799.0));
    assert_eq!(status["targets"][1]["paused_until_ts"], 253_402_300_799.0);
}

#[test]
fn errors_of_the_token_are_reported_at_start() {
    let dir = directory("errors");
    let file = token_file(&dir, TOKEN);
    let errors = |args: &[&str]| {
        let output = pingstate().args(args).arg("tcp://127.0.0.1:1").output().expect("runs");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).expect("text")
    };
    let lacks = errors(&["--api-token-reads"]);
    assert!(lacks.contains("--api-token-reads: needs --api-token-file\n"), "{lacks}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("set");
    let open = errors(&["--api-token-file", &file]);
    assert!(open.contains("--api-token-file: /") && open.contains("(run chmod 600)\n"), "{open}");
    let file = token_file(&dir, "0123456789abcde!");
    let invalid = errors(&["--api-token-file", &file]);
    assert!(invalid.contains("the token may contain only letters, digits and -._~+/=\n"), "{invalid}");
    assert!(!invalid.contains("0123456789"), "{invalid}");
    // A single check needs no token and ignores pauses.
    let (server, _requests) = counting();
    let url = server.url("http");
    let once =
        pingstate().args(["--once", "--paused", "--api-token-file", &file, &url]).output().expect("runs");
    assert_eq!(once.status.code(), Some(0), "{once:?}");
}
