//! The state file of the running daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::common::*;

/// An empty directory, which is removed again.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("state-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("created");
        Directory(path)
    }

    fn file(&self) -> String {
        self.0.join("state").display().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn start(file: &str, more: &[&str], server: &Server) -> Daemon {
    let url = server.url("http");
    let args = ["--state-file", file, "--state-interval", "1", "--interval", "0.05", "--name", "web"];
    Daemon::start(&[&args[..], more, &[&url]].concat())
}

/// Ends the daemon; returns what it has logged.
fn finish(mut daemon: Daemon, signal: &str) -> String {
    let mut log = std::mem::take(&mut daemon.warnings);
    let lines = daemon.stderr();
    daemon.end(signal);
    log.extend(lines.iter());
    log.join("\n")
}

fn target(daemon: &Daemon) -> serde_json::Value {
    serde_json::from_str(&daemon.get("/targets/web").1).expect("JSON")
}

#[test]
fn the_state_continues_after_a_restart() {
    let directory = Directory::new("restart");
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let file = directory.file();
    let daemon = start(&file, &[], &server);
    daemon.wait_for_state("up");
    eventually("a second of history", || target(&daemon)["uptime"]["24h"].as_f64());
    let before = target(&daemon);
    finish(daemon, "-TERM");
    let mode = fs::metadata(&file).expect("written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!Path::new(&format!("{file}.tmp")).exists());
    let daemon = start(&file, &[], &server);
    daemon.wait_for_state("up");
    let after = target(&daemon);
    assert_eq!((&after["transitions"], &after["uptime"]["24h"]), (&before["transitions"], &1.0.into()));
    let age = |target: &serde_json::Value| target["uptime_in_state_s"].as_f64().expect("seconds");
    assert!(age(&after) >= age(&before), "{before} {after}");
    let (before, after) = (before["since_ts"].as_f64(), after["since_ts"].as_f64());
    assert!((before.expect("a time") - after.expect("a time")).abs() < 0.1);
}

#[test]
fn damaged_files_are_set_aside_or_read_in_part() {
    let directory = Directory::new("damaged");
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let file = directory.file();
    for (text, error) in [
        ("not a state file\n".to_owned(), "is damaged; it was renamed to"),
        (String::new(), "is damaged; it was renamed to"),
        ("0\n".repeat(100_000), "is damaged; it was renamed to"),
    ] {
        fs::write(&file, &text).expect("written");
        let daemon = start(&file, &[], &server);
        daemon.wait_for_state("up");
        let log = finish(daemon, "-TERM");
        assert_eq!(log.matches("state file").count(), 1, "{log}");
        assert!(log.contains(error), "{log}");
        assert_eq!(fs::read_to_string(format!("{file}.bad")).expect("set aside"), text);
    }
    let good = fs::read_to_string(&file).expect("written at stop");
    // One bit of the line of the target.
    let mut bytes = good.clone().into_bytes();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    fs::write(&file, &bytes).expect("written");
    let daemon = start(&file, &[], &server);
    daemon.wait_for_state("up");
    let log = finish(daemon, "-TERM");
    assert!(log.contains("1 of 1 lines are damaged or missing: these targets start anew"), "{log}");
    // A newer version.
    fs::write(&file, "ecd1f1b5 pingstate-state 2 whatever\n").expect("written");
    let daemon = start(&file, &[], &server);
    let log = finish(daemon, "-TERM");
    assert_eq!(log.matches("state file").count(), 1, "{log}");
}

/// At every moment the file is a complete one.
#[test]
fn a_killed_daemon_leaves_a_complete_file() {
    let rounds: u32 =
        std::env::var("STATE_FILE_KILLS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(30);
    let directory = Directory::new("killed");
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let file = directory.file();
    let conf = directory.0.join("conf");
    let lines: String = (0..300).map(|i| format!("t{i} {}\n", server.url("http"))).collect();
    fs::write(&conf, lines).expect("written");
    let conf = conf.display().to_string();
    let mut seed = 7_u64;
    let mut checks = 0;
    for round in 0..rounds {
        let args = ["--config", &conf, "--state-file", &file, "--state-interval", "1", "--interval", "60"];
        let mut daemon = Daemon::start(&args);
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // Around the write after one second.
        let moment = now() + Duration::from_micros(960_000 + (seed >> 33) % 60_000);
        let lines = daemon.stderr();
        let mut log = Vec::new();
        while let Ok(line) = lines.recv_timeout(moment.saturating_duration_since(now())) {
            log.push(line);
        }
        daemon.end("-KILL");
        log.extend(lines.iter());
        assert!(!log.iter().any(|line| line.contains("state file")), "round {round}: {log:?}");
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let lines: Vec<_> = text.lines().skip(1).collect();
        let sum: u64 = lines.iter().map(|line| checks_in(line)).sum();
        assert!(text.ends_with('\n') && lines.len() == 300, "round {round}: {}", lines.len());
        assert!(sum >= checks, "round {round}: {sum} checks after {checks}");
        checks = sum;
    }
    assert!(checks > 0);
}

/// The successful checks of the target of a line.
fn checks_in(line: &str) -> u64 {
    let field = line.split(' ').nth(8).expect("the checks");
    field.split(',').next().and_then(|count| count.parse().ok()).expect("a number")
}

#[test]
fn a_directory_that_cannot_be_written_is_reported() {
    let directory = Directory::new("unusable");
    let conf = directory.0.join("conf");
    fs::write(&conf, "web tcp://127.0.0.1:1\n").expect("written");
    let missing = directory.0.join("missing/state").display().to_string();
    let check = |file: &str| {
        let mut command = Command::new(binary());
        command.args(["--check-config", "--config"]).arg(&conf).args(["--state-file", file]);
        let output = command.output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, errors) = check(&missing);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("--state-file: cannot be written: ") && errors.lines().count() == 1, "{errors}");
    assert_eq!(check(&directory.0.display().to_string()).0, Some(2), "a directory");
    assert_eq!(check(&directory.file()), (Some(0), String::new()));
    assert!(!Path::new(&directory.file()).exists());
    // The daemon runs, and logs the first failure only.
    let daemon = Daemon::start(&["--state-file", &missing, "--state-interval", "1", "tcp://127.0.0.1:1"]);
    daemon.wait_for_state("down");
    eventually("two failures", || {
        let metrics = daemon.get("/metrics").1;
        metrics.contains("pingstate_state_file_writes_total{result=\"failed\"} 2\n").then_some(())
    });
    let log = finish(daemon, "-TERM");
    assert_eq!(log.matches("will be tried again").count(), 1, "{log}");
}

/// A file system of 64 KB.
#[test]
fn a_full_disk_leaves_the_old_file() {
    let directory = Directory::new("full");
    let script = r#"
        set -e
        mount -t tmpfs -o size=64k none "$1"
        head -c 8000 /dev/zero | tr '\0' x >"$1/state"
        head -c 40000 /dev/zero >"$1/filler"
        cp "$1/state" /dev/null
        "$2" --config "$3" --state-file "$1/state" --state-interval 1 --api-port 0 2>"$4" &
        for _ in $(seq 100); do
            grep -q "no space left" "$4" && break
            sleep 0.1
        done
        kill $!
        wait $! || true
        ls "$1"
    "#;
    let conf = directory.0.join("conf");
    let lines: String = (0..1000).map(|i| format!("t{i} tcp://127.0.0.1:1\n")).collect();
    fs::write(&conf, lines).expect("written");
    let (mount, log) = (directory.0.join("mount"), directory.0.join("log"));
    fs::create_dir(&mount).expect("created");
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script, "sh"]).arg(&mount).arg(binary()).arg(&conf).arg(&log);
    let output = command.output().expect("unshare");
    if !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("unshare") {
        return missing("unshare");
    }
    let log = fs::read_to_string(&log).unwrap_or_default();
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(log.matches("no space left on device, will be tried again").count(), 1, "{log}");
    assert_eq!(
        listed.split_whitespace().collect::<Vec<_>>(),
        ["filler", "state.bad"],
        "no part of a file: {listed}"
    );
}

#[test]
fn a_stop_writes_the_file_at_once() {
    let directory = Directory::new("stop");
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let daemon = start(&directory.file(), &["--state-interval", "1h"], &server);
    daemon.wait_for_state("up");
    assert!(!Path::new(&directory.file()).exists());
    let start = now();
    finish(daemon, "-TERM");
    assert!(now() - start < Duration::from_secs(3) && Path::new(&directory.file()).exists());
}
