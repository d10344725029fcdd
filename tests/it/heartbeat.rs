//! Heartbeats of jobs: requests with real clients, the token's file, and what is shown of it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::common::*;

const TOKEN: &str = "0123-4567-89ab-cdef";

fn directory(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("heartbeat-{name}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a directory");
    let file = dir.join("token");
    fs::write(&file, format!("{TOKEN}\n")).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("set");
    dir
}

fn curl(daemon: &Daemon, path: &str, args: &[&str], input: &[u8]) -> String {
    let url = format!("http://{}/heartbeat/{path}", daemon.api);
    let mut curl = Command::new("curl")
        .args(["-sS", "-m", "10", &url])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("curl");
    let _ = curl.stdin.take().expect("a pipe").write_all(input);
    let output = curl.wait_with_output().expect("curl ends");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

fn detail(daemon: &Daemon) -> String {
    let (_, body) = daemon.get("/targets/backup");
    let json: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    json["last_detail"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_job_reports_with_curl() {
    if !has("curl", &["--version"]) {
        return;
    }
    let dir = directory("curl");
    let file = dir.join("token").display().to_string();
    let mut daemon = Daemon::start(&[
        "--name",
        "backup",
        "--interval",
        "1d",
        "--grace",
        "1h",
        "--fall",
        "1",
        "--token-file",
        &file,
        "heartbeat:",
    ]);
    assert_eq!(daemon.state(), "unknown");
    assert_eq!(curl(&daemon, TOKEN, &[], b""), "ok\n");
    daemon.wait_for_state("up");
    assert_eq!(curl(&daemon, &format!("{TOKEN}/1?msg=disk%20full"), &[], b""), "ok\n");
    daemon.wait_for_state("down");
    assert_eq!(detail(&daemon), "exit status 1: disk full");
    let line = ["first line\n".as_bytes(), &[b'x'; 3_000_000]].concat();
    for (args, size) in [
        (&["--data-binary", "@-"][..], 11),
        (&["--data-binary", "@-"], 60_000),
        (&["--data-binary", "@-"], 70_000),
        (&["--data-binary", "@-", "-H", "Expect: 100-continue"], 60_000),
        (&["--data-binary", "@-", "-H", "Expect: 100-continue"], 3_000_000),
        (&["-X", "POST", "-T", "-"], 60_000),
        (&["--http1.0", "--data-binary", "@-"], 11),
    ] {
        assert_eq!(curl(&daemon, &format!("{TOKEN}/fail"), &[], b""), "ok\n");
        assert_eq!(curl(&daemon, TOKEN, args, &line[..size]), "ok\n", "{args:?} {size}");
        assert_eq!(detail(&daemon), "first line", "{args:?} {size}");
    }
    assert_eq!(curl(&daemon, TOKEN, &["-I", "-o", "/dev/null", "-w", "%{http_code}"], b""), "200");
    assert_eq!(curl(&daemon, "0123-4567-89ab-cdee", &[], b""), "not found\n");
    for path in ["/status", "/metrics", "/probe?target=backup", "/targets/backup"] {
        let (status, body) = daemon.get(path);
        assert!(
            status == 200
                && !body.contains(TOKEN)
                && body.contains("heartbeat:") | body.contains("backup") | body.contains("probe"),
            "{body}"
        );
    }
    let stderr = daemon.stderr();
    daemon.end("-TERM");
    let lines: Vec<String> = stderr.iter().collect();
    assert!(lines.len() > 5 && !lines.concat().contains(TOKEN), "{lines:?}");
}

#[test]
fn a_missing_heartbeat_is_reported_and_a_reload_keeps_the_state() {
    let dir = directory("missing");
    let conf = dir.join("conf");
    let file = dir.join("token").display().to_string();
    fs::write(&conf, format!("backup heartbeat: --interval 0.2 --grace 100ms --token-file {file}\n"))
        .expect("written");
    let daemon = Daemon::start(&["--config", conf.to_str().expect("text")]);
    daemon.wait_for_state("down");
    assert!(detail(&daemon).starts_with("no heartbeat for "));
    fs::write(
        &conf,
        format!("b2 tcp://127.0.0.1:1\nbackup heartbeat: --interval 0.2 --grace 100ms --token-file {file}\n"),
    )
    .expect("written");
    daemon.signal("-HUP");
    let line = eventually("a log line about the reload", || {
        Some(daemon.next_line()).filter(|l| l.contains("reload"))
    });
    assert_eq!(line, "pingstate: reloaded: 1 target kept, 1 started, 0 dropped");
    // Another token makes it a new target.
    fs::write(dir.join("token"), "another-token-0123").expect("written");
    daemon.signal("-HUP");
    let line = eventually("a log line about the reload", || {
        Some(daemon.next_line()).filter(|l| l.contains("reload"))
    });
    assert_eq!(line, "pingstate: reloaded: 1 target kept, 1 started, 1 dropped");
}

#[test]
fn invalid_settings_are_refused_and_a_single_run_skips_them() {
    let dir = directory("invalid");
    let file = dir.join("token").display().to_string();
    let run = |args: &[&str]| {
        let output = pingstate().args(args).env_remove("CREDENTIALS_DIRECTORY").output().expect("runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code().expect("a status"), text)
    };
    let heartbeat = ["--name", "b", "--interval", "1d", "--token-file", &file, "heartbeat:"];
    assert_eq!(
        run(&[&["--once"], &heartbeat[..]].concat()),
        (0, "-               -  b  skipped: heartbeat\n".to_owned())
    );
    for (args, message) in [
        (&heartbeat[2..], "--name: is required for a target of the kind heartbeat"),
        (
            &["--name", "b", "--interval", "1d", "heartbeat:"],
            "--token-file: is required for a target of the kind",
        ),
        (
            &["--name", "b", "--token-file", &file, "heartbeat:"],
            "--interval: is required for a heartbeat target",
        ),
        (&[&heartbeat[..], &["--timeout", "5"]].concat(), "--timeout: is for tcp"),
        (&[&heartbeat[..], &["--retries", "1"]].concat(), "--retries: is for tcp"),
        (&[&heartbeat[..], &["--slow", "1"]].concat(), "--slow: is for tcp"),
        (&[&heartbeat[..], &["--interval-down", "1"]].concat(), "--interval-down: is for tcp"),
        (&["--grace", "5", "tcp://h:1"], "--grace: is for heartbeat, but the target is tcp"),
        (&[&heartbeat[..], &["--grace", "5 w"]].concat(), "--grace: `5 w` is not a time"),
        (
            &["--name", "b", "--interval", "1d", "--token-file", "${CREDENTIALS_DIRECTORY}/t", "heartbeat:"],
            "--token-file: ${CREDENTIALS_DIRECTORY}/t: CREDENTIALS_DIRECTORY is not set",
        ),
    ] {
        let (code, text) = run(args);
        assert!(code == 2 && text.contains(message), "{args:?}: {text}");
    }
    let conf = dir.join("conf");
    let check = |text: String| {
        fs::write(&conf, text).expect("written");
        run(&["--check-config", "--config", conf.to_str().expect("text")]).1
    };
    let line = |name: &str| format!("{name} heartbeat: --interval 1d --token-file {file}\n");
    assert!(
        check(format!("--interval 1d\na heartbeat: --token-file {file}\n"))
            .contains(":2: --interval: is required on the line")
    );
    assert!(check(line("a") + &line("b")).contains(":2: --token-file: the target \"a\" has the same token"));
    assert!(check(format!("--timeout 9 --retries 2 --slow 5\n{}", line("a"))).ends_with("1 target, ok\n"));
    fs::set_permissions(dir.join("token"), fs::Permissions::from_mode(0o640)).expect("set");
    let text = check(line("a"));
    assert!(
        text.contains("others can read it: it has mode 640 (run chmod 600)") && !text.contains(TOKEN),
        "{text}"
    );
    fs::set_permissions(dir.join("token"), fs::Permissions::from_mode(0o600)).expect("set");
    fs::write(dir.join("token"), "short\n").expect("written");
    assert!(check(line("a")).contains("--token-file: the token must have 16 to 128 characters"));
}
