//! Names that users, scripts and dashboards depend on: flags, JSON keys, metrics, error words, endpoints,
//! variables of hooks, exit codes and directives of the unit. The binary is run and its output is compared
//! with tests/data/external-names.txt. A change of that file is a change of the interface.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::mpsc::channel;

use crate::common::dns::{NameServer, record, wire};
use crate::common::*;

const LISTED: &str = include_str!("../data/external-names.txt");

/// Paths of the API; `TARGET` is the name of a target.
const PATHS: &[&str] = &[
    "/",
    "/status",
    "/page",
    "/state",
    "/healthz",
    "/livez",
    "/metrics",
    "/events",
    "/wait?state=down",
    "/probe?target=TARGET",
    "/badge.svg",
    "/badge.json",
    "/api/v1/endpoints/statuses",
    "/pause",
    "/resume",
    "/check",
    "/targets/TARGET",
    "/targets/TARGET/state",
    "/targets/TARGET/healthz",
    "/targets/TARGET/history",
    "/targets/TARGET/badge.svg",
    "/targets/TARGET/badge.json?uptime=30d",
    "/targets/TARGET/pause",
    "/targets/TARGET/resume",
    "/targets/TARGET/check",
    "/groups/nas",
    "/groups/nas/state",
    "/groups/nas/healthz",
    "/groups/nas/badge.svg",
    "/groups/nas/badge.json",
    "/groups/nas/pause",
    "/groups/nas/resume",
    "/groups/nas/check",
    "/targets",
    "/none",
];

#[test]
fn external_names_are_those_of_the_list() {
    let mut names = flags();
    names.extend(daemon());
    names.extend(exit_codes());
    names.extend(unit());
    let errors: Vec<&str> = LISTED.lines().filter(|line| line.starts_with("error ")).collect();
    for line in &errors {
        let word = line.trim_start_matches("error ");
        let reason: pingstate::Reason = word.parse().expect("a reason of failures");
        assert_eq!(reason.to_string(), word);
    }
    let listed: Vec<&str> =
        LISTED.lines().filter(|line| !line.starts_with('#') && !line.starts_with("error ")).collect();
    println!("{}", names.join("\n"));
    let missing: Vec<&&str> = listed.iter().filter(|line| !names.iter().any(|name| name == **line)).collect();
    assert!(missing.is_empty(), "not in the output: {missing:#?}");
    let added: Vec<&String> = names.iter().filter(|name| !listed.contains(&name.as_str())).collect();
    assert!(added.is_empty(), "not in tests/data/external-names.txt: {added:#?}");
    assert_eq!(names, listed, "the order differs");
}

/// The flags in `--help` with the names of their values.
fn flags() -> Vec<String> {
    let help = pingstate().arg("--help").output().expect("runs");
    let help = String::from_utf8(help.stdout).expect("text");
    let (flags, _) = help.split_once("\nExit codes:").expect("a section");
    // Continuation lines have more indentation.
    let is_first = |line: &&str| line.starts_with("      --") || line.starts_with("  -");
    let lines = flags.lines().filter(is_first).map(str::trim_start);
    // Two spaces separate the flag from its description.
    lines.map(|line| format!("flag {}", line.split("  ").next().unwrap_or(line))).collect()
}

/// The names in the output of a daemon with a target that is up and one that is down.
fn daemon() -> Vec<String> {
    let up = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let (sender, posts) = channel();
    let webhook = Server::start(move |stream| {
        let head = read_head(&stream);
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        (&stream).read_exact(&mut body).expect("a body");
        let _ = (&stream).write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
        let _ = sender.send(String::from_utf8(body).expect("text"));
    });
    let variables = std::env::temp_dir().join(format!("pingstate-names-{}", std::process::id()));
    let hook = format!("sh -c 'env > {0}.new && mv {0}.new {0}'", variables.display());
    let closed = format!("tcp://{}", closed_port());
    let soa = [wire("ns.example"), wire("admin.example"), vec![0; 20]].concat();
    let server =
        NameServer::start(move |question| vec![question.raw(0x8180, 1, &record(&[0xc0, 12], 6, 60, &soa))]);
    let zone = format!("dns://{}/example?type=SOA", server.address);
    let daemon = Daemon::start(&[
        "--interval",
        "0.2",
        "--fall",
        "1",
        "--group",
        "nas",
        "--webhook",
        &webhook.url("http"),
        "--on-change",
        &hook,
        &up.url("http"),
        &closed,
        &zone,
    ]);
    let name = up.address.to_string();
    eventually("both states", || {
        let text = daemon.get("/status").1;
        let is_missing = ["\"last_event\": null", "\"24h\": null"].iter().any(|key| text.contains(key));
        (!is_missing).then_some(())
    });
    let mut names = Vec::new();
    for path in PATHS {
        for method in ["GET", "HEAD", "OPTIONS", "POST"] {
            names.push(format!(
                "endpoint {method} {path} {}",
                head(daemon.api, method, &path.replace("TARGET", &name))
            ));
        }
    }
    for path in
        ["/badge.json", "/api/v1/endpoints/statuses", "/status", "/targets/TARGET", "/targets/TARGET/history"]
    {
        let text = daemon.get(&path.replace("TARGET", &name)).1;
        names.extend(keys(&text).into_iter().map(|key| format!("json {path} {key}")));
    }
    for path in ["/metrics", "/probe?target=TARGET"] {
        names.extend(metrics(&daemon.get(&path.replace("TARGET", &name)).1));
    }
    let body = posts.recv_timeout(PATIENCE).expect("a webhook");
    names.extend(keys(&body).into_iter().map(|key| format!("json webhook {key}")));
    let text = eventually("a hook", || std::fs::read_to_string(&variables).ok());
    let _ = std::fs::remove_file(&variables);
    let mut hook: Vec<&str> = text.lines().filter(|line| line.starts_with("PINGSTATE_")).collect();
    hook.retain(|line| !line.starts_with("PINGSTATE_REQUIRE") && !line.starts_with("PINGSTATE_BINARY"));
    hook.sort_unstable();
    names.extend(hook.iter().map(|line| format!("hook {}", line.split('=').next().unwrap_or(line))));
    names.extend(events(&daemon, up));
    names
}

/// Status and content type of a response.
fn head(api: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(api).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let head = read_head(&stream);
    let status = head.split(' ').nth(1).expect("a status").to_owned();
    let fields =
        head.lines().filter(|line| line.starts_with("Content-Type: ") || line.starts_with("Allow: "));
    fields.fold(status, |text, line| format!("{text} {line}"))
}

/// The paths of the keys in JSON, in order.
fn keys(json: &str) -> Vec<String> {
    let (mut found, mut open, mut key) = (Vec::new(), Vec::new(), String::new());
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    text.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
                }
                if chars.peek() == Some(&':') {
                    let path = open.concat() + text.as_str();
                    if !found.contains(&path) {
                        found.push(path);
                    }
                    key = text;
                }
            }
            '{' if key.is_empty() => open.push(String::new()),
            '{' => open.push(std::mem::take(&mut key) + "."),
            '[' => open.push(std::mem::take(&mut key) + "[]."),
            '}' | ']' => drop(open.pop()),
            ',' => key.clear(),
            _ => {}
        }
    }
    found
}

/// The types and labels of metrics; only the name of a target and the version differ.
fn metrics(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let name = match line.strip_prefix("# TYPE ") {
            Some(kind) => format!("metric {kind}"),
            None if line.starts_with('#') => continue,
            None => {
                let sample = line.rsplit_once(' ').expect("a value").0;
                let parts: Vec<&str> = sample.split_inclusive("=\"").collect();
                let is_masked = |before: &str| {
                    ["target=\"", "version=\"", "probe=\""].iter().any(|label| before.ends_with(label))
                };
                let mut text = String::from("sample ");
                for (at, part) in parts.iter().enumerate() {
                    let is_value = at > 0 && is_masked(parts[at - 1]);
                    text.push_str(if is_value { &part[part.find('"').unwrap_or(0)..] } else { part });
                }
                text
            }
        };
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// The names of events and the keys of their data. The target goes down.
fn events(daemon: &Daemon, up: Server) -> Vec<String> {
    let mut stream = TcpStream::connect(daemon.api).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.write_all(b"GET /events?checks=1 HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    assert!(read_head(&stream).starts_with("HTTP/1.1 200 "));
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("a line"));
    drop(up);
    let (mut check, mut transition) = (None, None);
    while check.is_none() || transition.is_none() {
        let line = lines.next().expect("a line");
        let Some(kind) = line.strip_prefix("event: ") else { continue };
        let data = lines.next().expect("data");
        match kind {
            "check" => check = check.or(Some(data)),
            _ => transition = Some((kind.to_owned(), data)),
        }
    }
    let (kind, data) = transition.expect("received");
    let named = |kind: &str, data: &str| {
        keys(data).into_iter().map(|key| format!("json event {kind} {key}")).collect()
    };
    let names: [Vec<String>; 2] = [named(&kind, &data), named("check", &check.expect("received"))];
    names.concat()
}

/// The exit status of each situation, and the words that `--once` prints.
fn exit_codes() -> Vec<String> {
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let (up, down) = (server.url("tcp"), format!("tcp://{}", closed_port()));
    let situations: [(&str, &[&str]); 6] = [
        ("version", &["--version"]),
        ("up", &["--once", &up]),
        ("down", &["--once", &down]),
        ("slow", &["--once", "--slow", "0.001", &up]),
        ("invalid flag", &["--no-such-flag"]),
        ("unresolved name", &["--once", "tcp://name.invalid:1"]),
    ];
    let situation = |(name, args): (&str, &[&str])| {
        let output = pingstate().args(args).output().expect("runs");
        let text = String::from_utf8(output.stdout).expect("text");
        let word = text.split_whitespace().next().unwrap_or("-");
        format!("exit {} {name}: {word}", output.status.code().expect("a code"))
    };
    let mut full = pingstate();
    full.arg("--version").stdout(std::fs::File::create("/dev/full").expect("linux"));
    let full = full.output().expect("runs").status.code().expect("a code");
    situations.into_iter().map(situation).chain([format!("exit {full} full output: -")]).collect()
}

/// The directives of the service unit.
fn unit() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pingstate.service");
    let text = std::fs::read_to_string(path).expect("the unit");
    let (mut found, mut section) = (Vec::new(), "");
    for line in text.lines() {
        match line.split_once('=') {
            _ if line.starts_with('#') => {}
            Some((directive, _)) => found.push(format!("unit {section} {directive}")),
            None if line.starts_with('[') => section = line,
            None => {}
        }
    }
    found
}
