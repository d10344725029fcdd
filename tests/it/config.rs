//! Targets from a configuration file, and reloads of that file.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Output;
use std::sync::mpsc::{Receiver, channel};

use crate::common::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A configuration file, removed when dropped.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> File {
        let path = std::env::temp_dir().join(format!("pingstate-config-{name}-{}.conf", std::process::id()));
        let file = File(path);
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).expect("written");
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("text")
    }

    fn watch(&self) -> Daemon {
        Daemon::start(&["--config", self.path()])
    }

    /// Reloads the daemon; returns its log line.
    fn reload(&self, daemon: &Daemon, text: &str) -> String {
        self.write(text);
        daemon.signal("-HUP");
        eventually("a log line about the reload", || {
            Some(daemon.next_line()).filter(|line| line.contains("reload"))
        })
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn run(args: &[&str]) -> Output {
    pingstate().args(args).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn snapshot(daemon: &Daemon, name: &str) -> serde_json::Value {
    let (status, body) = daemon.get(&format!("/targets/{name}"));
    assert_eq!(status, 200, "{name}: {body}");
    serde_json::from_str(&body).expect("JSON")
}

fn wait_for(daemon: &Daemon, name: &str, state: &str) {
    eventually(state, || (snapshot(daemon, name)["state"] == state).then_some(()));
}

fn checks(snapshot: &serde_json::Value) -> Vec<serde_json::Value> {
    snapshot["recent"].as_array().expect("a list").clone()
}

/// A server that hands over each connection after its request has arrived, and answers nothing by itself.
fn patient() -> (Server, Receiver<TcpStream>) {
    let (sender, asked) = channel();
    let server = Server::start(move |stream| {
        read_head(&stream);
        let _ = sender.send(stream);
    });
    (server, asked)
}

#[test]
fn reload_adds_a_target_and_keeps_the_others() {
    let (quick, slow, (held, asked)) = (Server::answering(OK), Server::answering(OK), patient());
    let three = format!(
        "--timeout 60\nquick {} --interval 0.05\nslow {} --interval 3600\nheld {} --interval 1\n",
        quick.url("http"),
        slow.url("http"),
        held.url("http")
    );
    let file = File::new("fourth", &three);
    let daemon = file.watch();
    let start = "pingstate: probing 3 targets every 0.05 to 3600 s, serving on http://";
    assert!(daemon.first_line.starts_with(start), "{}", daemon.first_line);
    wait_for(&daemon, "quick", "up");
    wait_for(&daemon, "slow", "up");
    let mut in_flight = asked.recv_timeout(PATIENCE).expect("a check in flight");
    let before = snapshot(&daemon, "quick");

    let four = format!("{three}# one more\nfourth {}\n", quick.url("http"));
    let said = file.reload(&daemon, &four);
    assert_eq!(said, "pingstate: reloaded: 3 targets kept, 1 started, 0 dropped");
    wait_for(&daemon, "fourth", "up");
    let after = snapshot(&daemon, "quick");
    assert_eq!((&after["state"], &after["transitions"]), (&"up".into(), &before["transitions"]));
    assert!(after["uptime_in_state_s"].as_f64() >= before["uptime_in_state_s"].as_f64());
    let last = checks(&before).pop().expect("a check");
    eventually("checks to go on", || {
        let checks = checks(&snapshot(&daemon, "quick"));
        checks.iter().position(|check| *check == last).filter(|place| place + 1 < checks.len())
    });
    assert_eq!(checks(&snapshot(&daemon, "slow")).len(), 1, "the next check stays on schedule");
    in_flight.write_all(OK.as_bytes()).expect("the check in flight continues");
    wait_for(&daemon, "held", "up");
    assert_eq!(checks(&snapshot(&daemon, "held")).len(), 1);

    let said = file.reload(&daemon, &four);
    assert_eq!(said, "pingstate: reloaded: 4 targets kept, 0 started, 0 dropped");
    let (status, _) = daemon.end("-TERM");
    assert!(status.success());
}

#[test]
fn reload_changes_dependencies_and_keeps_the_state() {
    let (router, nas) = (Server::answering(OK), closed_port());
    let router = format!("--interval 0.05 --fall 1\nrouter tcp://{}\n", closed_port())
        + &format!("web {}\n", router.url("http"));
    let file = File::new("depends", &format!("{router}--depends router\nnas tcp://{nas}\n"));
    let daemon = file.watch();
    eventually("the nas is held", || (snapshot(&daemon, "nas")["held_by"] == "router").then_some(()));
    assert_eq!((&snapshot(&daemon, "nas")["state"], daemon.state()), (&"unknown".into(), "down".to_owned()));
    for (line, error) in [
        ("nas --depends nas", "\"nas\" depends on itself"),
        ("nas --depends gone", "\"nas\" depends on \"gone\", which is not the name of a target"),
    ] {
        let line = line.replacen(' ', &format!(" tcp://{nas} "), 1);
        let said = file.reload(&daemon, &format!("{router}{line}\n"));
        assert!(said.ends_with(&format!("{}:4: --depends: {error}", file.path())), "{said}");
        let output = run(&["--check-config", "--config", file.path()]);
        assert!(!output.status.success() && text(&output.stderr).contains(error));
        // A single check ignores them.
        let once = run(&["--once", "--config", file.path()]);
        assert!(text(&once.stdout).contains("nas") && once.stderr.is_empty(), "{once:?}");
    }
    let before = snapshot(&daemon, "nas")["since_ts"].as_f64();
    let said = file.reload(&daemon, &format!("{router}nas tcp://{nas} --depends web\n"));
    assert!(said.ends_with("3 targets kept, 0 started, 0 dropped"), "{said}");
    wait_for(&daemon, "nas", "down");
    let after = snapshot(&daemon, "nas");
    assert!(after["held_by"].is_null() && after["since_ts"].as_f64() > before, "{after}");
    assert_eq!(after["transitions"], 1, "from unknown to down");
}

#[test]
fn reload_drops_removed_targets_and_restarts_changed_ones() {
    let (server, (held, asked)) = (Server::answering(OK), patient());
    let url = server.url("http");
    let text = |changed: &str, held: &str| format!("same {url}\nchanged {url} {changed}\n{held}\n");
    let file = File::new("changed", &text("", &format!("held {} --timeout 60", held.url("http"))));
    let daemon = file.watch();
    wait_for(&daemon, "same", "up");
    let mut in_flight = asked.recv_timeout(PATIENCE).expect("a check in flight");
    let said = file.reload(&daemon, &text("--check status:404", ""));
    assert_eq!(said, "pingstate: reloaded: 1 target kept, 1 started, 2 dropped");
    assert_eq!(in_flight.read(&mut [0]).expect("closed"), 0);
    assert_eq!(daemon.get("/targets/held").0, 404);
    wait_for(&daemon, "changed", "down");
    assert_eq!(snapshot(&daemon, "changed")["transitions"], 1);
    let all: serde_json::Value = serde_json::from_str(&daemon.get("/").1).expect("JSON");
    assert_eq!((&all["counts"]["up"], &all["counts"]["down"]), (&1.into(), &1.into()));
    let names: Vec<_> = all["targets"].as_array().expect("a list").iter().map(|t| &t["name"]).collect();
    assert_eq!(names, ["same", "changed"]);

    // The order may change as well, and a single target may remain.
    let said = file.reload(&daemon, &format!("changed {url} --check status:404\nsame {url}\n"));
    assert_eq!(said, "pingstate: reloaded: 2 targets kept, 0 started, 0 dropped");
    let said = file.reload(&daemon, &format!("--fall 2\nsame {url}\n"));
    assert_eq!(said, "pingstate: reloaded: 1 target kept, 0 started, 1 dropped");
    assert_eq!(daemon.state(), "up");
    let all: serde_json::Value = serde_json::from_str(&daemon.get("/status").1).expect("JSON");
    assert_eq!((&all["state"], &all["counts"]["up"]), (&"up".into(), &1.into()));
    assert_eq!(all["targets"][0]["name"], "same", "a file is always listed");
}

#[test]
fn invalid_file_is_refused_in_one_line_and_changes_nothing() {
    let server = Server::answering(OK);
    let good = format!("a {}\n", server.url("http"));
    let file = File::new("bad", &good);
    let daemon = file.watch();
    wait_for(&daemon, "a", "up");
    let name = file.path();
    for (text, said) in [
        (format!("{good}b tcp://h:1 --port 2\n"), ":2: --port: cannot be used in a file: NAME URL states it"),
        (format!("{good}a tcp://h:1\n"), ":2: duplicate name \"a\" (first used on line 1)"),
        (
            format!("{good}b tcp://h:0\nc ftp://h\nd\n"),
            ":2: URL tcp://h:0: port `0` is not between 1 and 65535 (and 2 more)",
        ),
        (String::new(), ": no targets: expected lines of the form NAME URL [--FLAG VALUE…]"),
    ] {
        let line = file.reload(&daemon, &text);
        assert_eq!(line, format!("pingstate: reload failed, the configuration is unchanged: {name}{said}"));
    }
    std::fs::remove_file(name).expect("removed");
    daemon.signal("-HUP");
    assert!(daemon.next_line().ends_with(&format!("{name}: No such file or directory")));
    std::fs::create_dir(name).expect("made");
    daemon.signal("-HUP");
    assert!(daemon.next_line().ends_with(&format!("{name}: is not a regular file")));
    std::fs::remove_dir(name).expect("removed");
    assert_eq!(daemon.state(), "up");
    assert!(file.reload(&daemon, &good).ends_with("1 target kept, 0 started, 0 dropped"));
    assert!(daemon.no_line());
}

#[test]
fn settings_that_need_a_restart_are_reported() {
    let server = Server::answering(OK);
    let target = format!("a {}\n", server.url("http"));
    let file = File::new("daemon", &target);
    let daemon = file.watch();
    wait_for(&daemon, "a", "up");
    daemon.next_line();
    file.write(&format!("--dns ::1 --api-port 1\n--api-allow-host x\n--alive-url http://h\n{target}"));
    daemon.signal("-HUP");
    assert_eq!(daemon.next_line(), "pingstate: --api-allow-host: takes effect after a restart");
    assert_eq!(daemon.next_line(), "pingstate: --dns (for webhooks): takes effect after a restart");
    assert_eq!(daemon.next_line(), "pingstate: --alive-url: takes effect after a restart");
    // The name server is one of the target's settings.
    assert!(
        daemon.next_line().ends_with("0 targets kept, 1 started, 1 dropped"),
        "the API's port was given twice"
    );
    wait_for(&daemon, "a", "up");
}

#[test]
fn all_errors_are_reported_with_their_line_and_nothing_starts() {
    let wrong = "# one\n--interval 0\na tcp://h:1\na tcp://h:2 --api-port 1\nb http://h/ --check nonsense\n\
        c https://me:secret@h/ --fall x\nd https://h/ --ca-file /nonexistent.pem\n";
    let file = File::new("wrong", wrong);
    let name = file.path();
    let lines = [
        "2: --interval: 0 is not between 0.001 and 315360000 seconds",
        "4: --api-port: does not apply to a single target: move it to a line of flags",
        "4: duplicate name \"a\" (first used on line 3)",
        "5: --check: unknown check `nonsense`",
        "6: --fall: `x` is not a whole number",
        "7: --ca-file: /nonexistent.pem: No such file or directory",
    ];
    for args in
        [&["--config", name][..], &["--config", name, "--check-config"], &["--once", "--config", name]]
    {
        let output = run(args);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), lines.len()), "{said}");
        for (said, line) in said.lines().zip(lines) {
            assert!(said.starts_with(&format!("pingstate: {name}:{line}")), "{said}");
        }
        assert!(output.stdout.is_empty());
    }
    let gone = run(&["--config", "/nonexistent.conf"]);
    assert_eq!(gone.status.code(), Some(2));
    assert_eq!(text(&gone.stderr), "pingstate: /nonexistent.conf: No such file or directory\n");
}

#[test]
#[cfg(feature = "tls")]
fn the_file_that_comes_with_it_is_right() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/pingstate.conf");
    let output = run(&["--check-config", "--config", path]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), format!("{path}: 5 targets, ok\n"));
    assert!(output.stderr.is_empty());
}

#[test]
fn flags_after_a_target_apply_to_it() {
    let server = Server::answering(OK);
    let (hooked, posts) = patient();
    let path = std::env::temp_dir().join(format!("pingstate-hook-{}", std::process::id()));
    let gone = closed_port();
    let text = [
        "--interval 0.1 --retry-interval 0.001".to_owned(),
        format!("slow {} --slow 0.001", server.url("http")),
        format!("gone tcp://{gone} --retries 3"),
        format!("--webhook {}", hooked.url("http")),
        format!(
            "hooked tcp://{gone} --on-change \"/bin/sh -c 'echo $PINGSTATE_TARGET $PINGSTATE_FROM $PINGSTATE_TO >>{}'\"",
            path.display()
        ),
    ]
    .join("\n");
    let file = File::new("asked", &text);
    let daemon = file.watch();
    wait_for(&daemon, "slow", "degraded");
    let detail = snapshot(&daemon, "slow")["last_detail"].clone();
    assert_eq!(detail, "HTTP 200, slow (over 0.001 ms)");
    wait_for(&daemon, "gone", "down");
    let mut post = posts.recv_timeout(PATIENCE).expect("a webhook");
    post.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("answered");
    let written = eventually("the hook", || {
        std::fs::read_to_string(&path).ok().filter(|written| written.ends_with('\n'))
    });
    let _ = std::fs::remove_file(&path);
    assert_eq!(written, "hooked unknown down\n");
}

#[test]
fn once_checks_the_targets_of_the_file() {
    let server = Server::answering(OK);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("bound");
    let file = File::new("once", &format!("'my web' {}\ngone tcp://{gone}\n", server.url("http")));
    let output = run(&["--once", "--config", file.path()]);
    let said = text(&output.stdout);
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 2), "{said}");
    assert!(said.contains("my web (http://") && said.contains("gone (tcp://"), "{said}");
}

#[test]
fn sighup_without_a_file_terminates() {
    let own = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = own.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0").trim();
    if u64::from_str_radix(ignored, 16).is_ok_and(|mask| mask & 1 == 1) {
        // As under nohup; child processes inherit it.
        return missing("SIGHUP");
    }
    let server = Server::answering(OK);
    let daemon = Daemon::start(&[&server.url("http")]);
    daemon.wait_for_state("up");
    let (status, _) = daemon.end("-HUP");
    assert_eq!(status.signal(), Some(1));
}

#[test]
fn reload_changes_one_of_thousands_of_targets() {
    let text = |last: &str| {
        let lines =
            (0..9_999).map(|i| format!("target-{i} tcp://127.4.{}.{}:9 --fall 3\n", i / 250, i % 250 + 1));
        format!("--interval 36000\n{}last tcp://127.0.0.1:{last}\n", lines.collect::<String>())
    };
    let file = File::new("thousands", &text("9"));
    let daemon = file.watch();
    assert!(daemon.first_line.contains("probing 10000 targets every 36000 s"), "{}", daemon.first_line);
    wait_for(&daemon, "target-0", "down");
    let said = file.reload(&daemon, &text("7"));
    assert_eq!(said, "pingstate: reloaded: 9999 targets kept, 1 started, 1 dropped");
    wait_for(&daemon, "last", "down");
    assert_eq!(snapshot(&daemon, "target-0")["transitions"], 1);
    let (status, _) = daemon.end("-TERM");
    assert!(status.success());
}
