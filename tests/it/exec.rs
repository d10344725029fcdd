//! Targets that run programs, with real scripts and plugins: what they print, how they end, and that none of them
//! delays another target or survives its check.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use crate::common::*;

const PLUGINS: &str = "/usr/lib/nagios/plugins";

fn directory(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("exec-{name}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a directory");
    dir
}

fn script(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, format!("#!/bin/sh\ncd '{}'\n{text}\n", dir.display())).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
    path.display().to_string()
}

fn once(args: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = pingstate().arg("--once").args(args).output().expect("runs");
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code().expect("a status"), text)
}

/// Whether a process has ended or is a zombie.
fn is_dead(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.map_or(true, |stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

fn detail(daemon: &Daemon, target: &str) -> String {
    let (_, body) = daemon.get(&format!("/targets/{target}"));
    let json: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    json["last_detail"].as_str().unwrap_or_default().to_owned()
}

/// A daemon with these targets: name and rest of the line.
fn daemon(dir: &Path, targets: &[(&str, String)]) -> Daemon {
    let lines: String = targets.iter().map(|(name, rest)| format!("{name} {rest}\n")).collect();
    let file = dir.join("conf");
    fs::write(&file, lines).expect("written");
    Daemon::start(&["--config", file.to_str().expect("text")])
}

#[test]
fn a_command_of_the_command_line_is_checked_once() {
    for (command, status, word, text) in [
        ("exec:sh -c 'echo all is fine \"|\" x=1; echo more'", 0, "up", "all is fine\n"),
        ("exec:sh -c 'echo noise >&2; echo nearly full; exit 1'", 1, "degraded", "nearly full\n"),
        ("exec:sh -c 'echo broken; exit 2'", 1, "down", "broken\n"),
        ("exec:sh -c 'echo no result >&2; exit 3'", 1, "down", "no result\n"),
        ("exec:sh -c 'kill -9 $$'", 1, "down", "ended by signal 9\n"),
        ("exec:sh -c 'printf %s \"$PINGSTATE_TARGET\"; cat'", 0, "up", "it\n"),
        ("exec:true s3cret", 0, "up", "exit status 0\n"),
    ] {
        let (code, output) = once(&["--name", "it", command]);
        assert!(output.starts_with(word) && output.ends_with(text), "{command}: {output}");
        assert!(!output.contains("s3cret"), "{output}");
        assert_eq!(code, status, "{output}");
    }
    let (code, output) = once(&["--name", "it", "exec:pingstate-no-such-program x"]);
    let error = "pingstate: exec:`pingstate-no-such-program` is not in PATH (write its full path)\n";
    assert_eq!((code, output.as_str()), (2, error));
    let (code, output) = once(&["exec:true"]);
    assert_eq!(code, 2);
    assert_eq!(output, "pingstate: --name: is required for a target of the kind exec\n");
    let (_, output) = once(&["--name", "it", "--check", "status:200", "exec:true"]);
    assert!(output.contains("but the target is exec"), "{output}");
}

#[test]
fn the_environment_is_that_of_a_hook_without_credentials() {
    let dir = directory("env");
    let program = script(&dir, "env", "env > env.txt; echo ok");
    let mut command = pingstate();
    command.env("CREDENTIALS_DIRECTORY", "/x").env("NOTIFY_SOCKET", "/x").env("KEPT", "yes");
    let output =
        command.args(["--once", "--name", "disk /", &format!("exec:{program}")]).output().expect("runs");
    assert!(output.status.success(), "{output:?}");
    let env = fs::read_to_string(dir.join("env.txt")).expect("written");
    assert!(env.contains("KEPT=yes\n") && env.contains("PINGSTATE_TARGET=disk /\n"), "{env}");
    assert!(!env.contains("CREDENTIALS_DIRECTORY") && !env.contains("NOTIFY_SOCKET"), "{env}");
}

/// Programs that hang, ignore SIGTERM, close their output, fork, print without end or cannot be started.
#[test]
fn hostile_programs_fail_their_checks_and_delay_no_other_target() {
    let dir = directory("hostile");
    let server = Server::start(|_| {});
    let scripts = [
        ("hang", "echo $$ >> pids; echo half; exec sleep 600"),
        ("stubborn", "echo $$ >> pids; trap '' TERM INT HUP; while :; do sleep 0.1; done"),
        ("silent", "echo $$ >> pids; exec >&- 2>&-; exec sleep 600"),
        ("flood", "echo $$ >> pids; while :; do cat /dev/zero; done"),
        ("shout", "echo $$ >> pids; while :; do cat /dev/zero >&2; done"),
        ("children", "sleep 600 & echo $! >> pids; sleep 600 & echo $! >> pids; echo forked; exit 0"),
        ("session", "setsid sleep 3 & echo detached; exit 0"),
        ("big", "head -c 1000000 /dev/zero | tr '\\0' x; echo; exit 2"),
        ("stopped", "echo $$ >> pids; kill -STOP $$"),
    ];
    let mut targets: Vec<(&str, String)> = Vec::new();
    for (name, text) in scripts {
        let program = script(&dir, name, text);
        targets.push((name, format!("exec:{program} --interval 0.5 --timeout 0.4 --fall 1")));
    }
    targets.push(("quick", format!("{} --interval 0.02", server.url("tcp"))));
    let mut daemon = daemon(&dir, &targets);
    let late = || -> u64 {
        let (_, text) = daemon.get("/metrics");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("pingstate_checks_total{target=\"quick\",result=\"ok\"} "));
        line.map_or(0, |count| count.parse().expect("a number"))
    };
    eventually("checks of the other target", || (late() >= 150).then_some(()));
    for (name, expected) in [
        ("hang", "timed out after 0.4 s: the program was killed"),
        ("stubborn", "timed out after 0.4 s: the program was killed"),
        ("silent", "timed out after 0.4 s: the program was killed"),
        ("flood", "timed out after 0.4 s: the program was killed"),
        ("shout", "timed out after 0.4 s: the program was killed"),
        ("stopped", "timed out after 0.4 s: the program was killed"),
        ("children", "forked"),
        ("session", "detached"),
    ] {
        assert_eq!(detail(&daemon, name), expected, "{name}");
    }
    assert!(detail(&daemon, "big").starts_with("xxxx"));
    assert!(daemon.descriptors() < 80, "{}", daemon.descriptors());
    // A program whose start fails later.
    fs::remove_file(dir.join("children")).expect("removed");
    eventually("an error", || detail(&daemon, "children").contains("could not be started").then_some(()));
    let stderr = daemon.stderr();
    let (status, took) = daemon.end("-TERM");
    assert!(status.success() && took < Duration::from_secs(2), "programs are killed at stop: {took:?}");
    let lines: Vec<String> = stderr.iter().collect();
    assert!(!lines.iter().any(|line| line.contains("signal 9")), "no result of the stop: {lines:?}");
    let pids = fs::read_to_string(dir.join("pids")).expect("written");
    assert!(pids.lines().count() > 10);
    for pid in pids.lines() {
        eventually("the end of every process", || is_dead(pid).then_some(()));
    }
}

#[test]
fn a_configuration_that_every_user_can_write_to_is_refused_if_it_runs_commands() {
    let dir = directory("writable");
    let file = dir.join("conf");
    let path = file.to_str().expect("text");
    for (text, mode, what) in [
        ("a exec:true\n", 0o666, Some("exec: targets")),
        ("a tcp://127.0.0.1:1 --on-change true\n", 0o602, Some("--on-change")),
        ("a exec:true\n", 0o664, None),
        ("a tcp://127.0.0.1:1\n", 0o666, None),
    ] {
        fs::write(&file, text).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("set");
        let output = pingstate().args(["--check-config", "--config", path]).output().expect("runs");
        let stderr = String::from_utf8(output.stderr).expect("text");
        let expected = what.map_or(String::new(), |what| {
            format!("pingstate: {path}: every user can write to the file, and its {what} run commands (run chmod o-w on it)\n")
        });
        assert_eq!(stderr, expected);
        assert_eq!(output.status.code(), Some(if what.is_some() { 2 } else { 0 }));
    }
}

#[test]
fn arguments_are_shown_nowhere() {
    let dir = directory("secret");
    let variables = dir.join("variables");
    let hook = format!("sh -c 'env > {0}.new && mv {0}.new {0}'", variables.display());
    let target = ("web", format!("'exec:sh -c \"exit 2\" s3cret' --interval 0.05 --on-change \"{hook}\""));
    let daemon = daemon(&dir, &[target]);
    daemon.wait_for_state("down");
    for path in ["/status", "/metrics", "/targets/web", "/probe?target=web"] {
        let (_, body) = daemon.get(path);
        assert!(!body.contains("s3cret"), "{body}");
    }
    let (_, body) = daemon.get("/status");
    assert!(body.contains("\"probe\": \"exec:sh\"") && body.contains("\"error\": \"exec\""), "{body}");
    assert!(!daemon.next_line().contains("s3cret"));
    let variables = eventually("the hook", || fs::read_to_string(&variables).ok());
    assert!(variables.contains("PINGSTATE_PROBE=exec:sh\n") && !variables.contains("s3cret"), "{variables}");
}

/// The plugins of Debian's package monitoring-plugins-basic, each with a result that is known.
#[test]
fn plugins_of_nagios_work_unchanged() {
    if !Path::new(PLUGINS).join("check_dummy").exists() {
        return missing("monitoring-plugins");
    }
    let dir = directory("plugins");
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let ssh = Server::start(|stream| {
        let _ = std::io::Write::write_all(&mut &stream, b"SSH-2.0-OpenSSH_9.9\r\n");
        let _ = std::io::Read::read(&mut &stream, &mut [0; 100]);
    });
    fs::write(dir.join("log"), "one\nERROR two\n").expect("written");
    let (http, banner) = (server.address.port(), ssh.address.port());
    let log = dir.join("log").display().to_string();
    let old = dir.join("old.log").display().to_string();
    for (command, word, text) in [
        ("check_dummy 0 fine".to_owned(), "up", "OK: fine"),
        ("check_dummy 1 soon".to_owned(), "degraded", "WARNING: soon"),
        ("check_dummy 2 bad".to_owned(), "down", "CRITICAL: bad"),
        ("check_dummy 3".to_owned(), "down", "UNKNOWN"),
        (format!("check_tcp -H 127.0.0.1 -p {http}"), "up", "TCP OK"),
        (format!("check_http -H 127.0.0.1 -p {http}"), "up", "HTTP OK"),
        (format!("check_ssh -H 127.0.0.1 -p {banner}"), "up", "SSH OK"),
        ("check_load -w 1000 -c 1000".to_owned(), "up", "OK"),
        ("check_procs -c 1:".to_owned(), "up", "PROCS OK"),
        ("check_disk -w 0 -c 0 -p /".to_owned(), "up", "DISK OK"),
        (format!("check_file_age -w 3600 -c 7200 -f {log}"), "up", "FILE_AGE OK"),
        (format!("check_log -F {log} -O {old} -q ERROR"), "up", "Log check data initialized"),
        ("negate -s check_dummy 2 inverted".to_owned(), "up", "inverted"),
        ("check_users -w 1000 -c 2000".to_owned(), "up", "USERS OK"),
    ] {
        let command = command.replace("-s check_dummy", &format!("{PLUGINS}/check_dummy"));
        let (_, output) = once(&["--name", "plugin", &format!("exec:{PLUGINS}/{command}")]);
        assert!(output.starts_with(word) && output.contains(text), "{command}: {output}");
        assert!(!output.contains('|'), "{output}");
    }
}
