//! Groups of targets in a file: their states, listings and control.

use std::fs;
use std::path::PathBuf;

use crate::common::*;
use crate::control::{authorized, directory, json, token_file};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const TOKEN: &str = "0123456789abcdef";

fn write(file: &PathBuf, text: &str) {
    fs::write(file, text).expect("written");
}

#[test]
fn groups_are_listed_controlled_and_changed_without_a_restart() {
    let (server, dir) = (Server::answering(OK), directory("groups"));
    let (token, config) = (token_file(&dir, TOKEN), dir.join("config"));
    let (up, down) = (server.url("http"), format!("tcp://{}", closed_port()));
    let text = |group: &str| {
        format!(
            "--api-token-file {token} --interval 1\nalone {up}\n--group 'home lab'\nweb {up}\nnas {down} {group}\n"
        )
    };
    write(&config, &text(""));
    let daemon = Daemon::start(&["--config", &config.display().to_string()]);
    let state = |path: &str| daemon.get(path).1.trim_end().to_owned();
    eventually("the group is down", || (state("/groups/home%20lab/state") == "down").then_some(()));
    eventually("a target is up", || (state("/targets/web/state") == "up").then_some(()));
    assert_eq!(daemon.get("/groups/home%20lab/healthz"), (503, "down\n".to_owned()));
    let group = json(&daemon.get("/groups/home%20lab?recent=0").1);
    assert_eq!((&group["counts"]["up"], &group["counts"]["down"]), (&1.into(), &1.into()));
    assert_eq!(
        (&group["targets"][0]["group"], &group["targets"][0]["recent"]),
        (&"home lab".into(), &().into())
    );
    assert_eq!(daemon.get("/groups/lab").0, 404);

    let before = json(&daemon.get("/targets/nas").1);
    write(&config, &text("--group nas"));
    daemon.signal("-HUP");
    let line = eventually("the reload", || Some(daemon.next_line()).filter(|line| line.contains("reload")));
    assert_eq!(line, "pingstate: reloaded: 3 targets kept, 0 started, 0 dropped");
    let after = json(&daemon.get("/targets/nas").1);
    assert_eq!((&after["group"], &after["transitions"]), (&"nas".into(), &before["transitions"]));
    assert_eq!(daemon.get("/groups/home%20lab/healthz"), (200, "ok\n".to_owned()));

    if has("curl", &["--version"]) {
        let (status, body) = authorized(&daemon, "/groups/nas/pause", TOKEN);
        assert_eq!((status, &json(&body)["counts"]["paused"]), (200, &1.into()), "{body}");
        assert_eq!(daemon.get("/healthz"), (200, "ok\n".to_owned()));
        let said =
            eventually("the pause", || Some(daemon.next_line()).filter(|line| line.contains("paused")));
        assert_eq!(said, "pingstate: group nas: paused for 1 h");
    }
}

#[test]
fn invalid_names_of_groups_are_errors() {
    let long = "x".repeat(129);
    for (name, error) in [
        ("", "--group: is empty\n"),
        (" ", "--group: is empty\n"),
        ("a\tb", "--group: must be printable and at most 128 characters long\n"),
        (&long, "--group: must be printable and at most 128 characters long\n"),
    ] {
        let output =
            pingstate().args(["--once", "--group", name, "tcp://127.0.0.1:1"]).output().expect("runs");
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(String::from_utf8_lossy(&output.stderr), format!("pingstate: {error}"), "{name:?}");
    }
}
