//! Private targets: no response of the API says where they are or what a check found.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use crate::common::dns::NameServer;
use crate::common::*;
use crate::control::{authorized, directory, token_file};

const TOKEN: &str = "0123456789abcdef";
const NAMES: [&str; 4] = ["web", "gone", "zone", "plugin"];
/// Every path whose response is about targets.
const PATHS: [&str; 18] = [
    "/",
    "/status",
    "/status?recent=0",
    "/state",
    "/healthz",
    "/metrics",
    "/wait?state=up&timeout=0",
    "/wait?state=down&timeout=0",
    "/groups/lab",
    "/groups/lab/state",
    "/groups/lab/healthz",
    "/targets",
    "/badge.svg",
    "/badge.json",
    "/groups/lab/badge.svg?uptime=24h",
    "/api/v1/endpoints/statuses",
    "/livez",
    "/page",
];
const TARGET_PATHS: [&str; 9] = [
    "/targets/NAME",
    "/targets/NAME?recent=0",
    "/targets/NAME/state",
    "/targets/NAME/healthz",
    "/targets/NAME/badge.svg",
    "/targets/NAME/badge.json",
    "/targets/NAME/history",
    "/api/v1/endpoints/lab_NAME/statuses",
    "/probe?target=NAME",
];

/// Everything that the API says about a daemon with four targets, and what it must not say.
fn said(flags: &str) -> (String, Vec<String>) {
    let web = Server::answering("HTTP/1.1 404 Secret Reason\r\nContent-Length: 2\r\n\r\nok");
    let (zone, gone) = (NameServer::with(&["192.0.2.77"], 60), closed_port());
    let dir = directory(if flags.is_empty() { "public" } else { "private" });
    let (token, config) = (token_file(&dir, TOKEN), dir.join("config"));
    let text = format!(
        "--api-token-file {token} --interval 0.2 --group lab {flags}\nweb {}secret-path\ngone tcp://{gone}\n\
         zone dns://{}/secret.example\nplugin \"exec:printf secret-detail\"\n",
        web.url("http"),
        zone.address
    );
    std::fs::write(&config, text).expect("written");
    let daemon = Daemon::start(&["--config", &config.display().to_string()]);
    eventually("a check of each", || daemon.get("/status").1.contains("\"unknown\": 0").then_some(()));
    let hosts = [web.address, gone, zone.address].map(|address| address.to_string());
    let mut secrets: Vec<String> =
        ["192.0.2.77", "secret", "printf", "127.0.0.1", "refused by"].map(str::to_owned).into();
    secrets.extend(hosts.iter().cloned());

    let named = |path: &&str| NAMES.map(|name| path.replace("NAME", name));
    let paths = PATHS.iter().map(|path| (*path).to_owned()).chain(TARGET_PATHS.iter().flat_map(named));
    let mut all: String = paths.map(|path| format!("{path}: {}\n", daemon.get(&path).1)).collect();
    for path in [
        "/check",
        "/groups/lab/pause?for=1s",
        "/targets/web/resume",
        "/groups/lab/resume",
        "/pause?for=200ms",
    ] {
        let (status, body) = authorized(&daemon, path, TOKEN);
        assert!([200, 202].contains(&status), "{path}: {status}");
        all.push_str(&body);
    }
    all.push_str(&events(&daemon));
    for host in &hosts {
        for url in [
            host.clone(),
            format!("tcp://{host}"),
            format!("http://{host}/secret-path"),
            format!("dns://{host}/secret.example"),
        ] {
            let (status, body) = daemon.get(&format!("/probe?target={url}"));
            all.push_str(&format!("found {}: {body}\n", status == 200));
        }
    }
    (all, secrets)
}

/// Events from the start of the daemon on, until each target had one of each kind.
fn events(daemon: &Daemon) -> String {
    let mut stream = TcpStream::connect(daemon.api).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let head = "GET /events?checks=1 HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 1-1\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("sent");
    let mut text = String::new();
    let mut lines = BufReader::new(stream).lines();
    let is_complete = |text: &str| {
        NAMES.iter().all(|name| {
            let events = text.split("\n\n").filter(|event| event.contains(&format!("\"target\":\"{name}\"")));
            let kinds: Vec<_> = events.map(|event| event.contains("event: check")).collect();
            kinds.contains(&true) && kinds.contains(&false)
        })
    };
    while !is_complete(&text) {
        text.push_str(&lines.next().expect("a line").expect("a line"));
        text.push('\n');
    }
    text
}

#[test]
fn nothing_shows_where_a_private_target_is() {
    if !has("curl", &["--version"]) {
        return;
    }
    let (all, secrets) = said("--private");
    for secret in &secrets {
        let at = all.find(secret.as_str()).map(|at| all[..at].rsplit('\n').take(30).collect::<Vec<_>>());
        assert_eq!(at, None, "{secret}");
    }
    assert!(!all.contains("found true"));
    let hashes = all.lines().filter(|line| line.starts_with("probe_ip_addr_hash "));
    assert!(hashes.clone().count() > 0 && hashes.clone().all(|line| line.ends_with(" 0")));
    // The search is able to find them.
    let (all, secrets) = said("");
    for secret in &secrets {
        assert!(all.contains(secret.as_str()), "{secret}");
    }
    assert!(all.contains("found true"));
    let hashes = all.lines().filter(|line| line.starts_with("probe_ip_addr_hash "));
    assert!(hashes.clone().any(|line| !line.ends_with(" 0")));
}

#[test]
fn a_private_target_needs_a_name_and_is_named_in_the_log() {
    let run = |args: &[&str]| {
        let output = pingstate().args(["--once"]).args(args).output().expect("runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let error = "pingstate: --private: needs --name, since the default is the address\n";
    assert_eq!(run(&["--private", "tcp://127.0.0.1:1"]), (Some(2), String::new(), error.to_owned()));
    let url = format!("tcp://{}", closed_port());
    let (_, line, _) = run(&["--private", "--name", "db", &url]);
    assert!(line.contains(&url) && line.contains("refused"), "{line}");
    let (_, line, _) = run(&["--private", "--name", "db", "--json", &url]);
    assert!(line.contains("\"probe\": null") && !line.contains("127.0.0.1"), "{line}");
}
