//! The daemon from outside: the binary, its log lines, exit codes and API.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;

use crate::common::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn run(args: &[&str]) -> Output {
    pingstate().args(args).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn outage_and_recovery_are_reported() {
    let server = Server::answering(OK);
    let (url, address) = (server.url("http"), server.address);
    let daemon = Daemon::start(&["--interval", "0.1", "--timeout", "1", &url]);
    assert_eq!(
        daemon.first_line,
        format!("pingstate: probing {url} every 0.1 s, serving on http://{}", daemon.api)
    );
    daemon.wait_for_state("up");
    assert_eq!(daemon.get("/healthz"), (200, "ok\n".into()));
    let line = daemon.next_line();
    assert!(line.starts_with(&format!("pingstate: {url} is up: HTTP 200, ")), "{line}");
    drop(server);
    daemon.wait_for_state("down");
    assert_eq!(daemon.get("/healthz"), (503, "down\n".into()));
    assert_eq!(daemon.get("/livez"), (200, "ok\n".into()));
    // As the health check of a container.
    let livez = format!("http://{}/livez", daemon.api);
    assert!(pingstate().args(["--once", &livez]).output().expect("runs").status.success());
    let refused = format!("{url} is degraded: connection refused by {address}");
    assert!(daemon.next_line().contains(&refused));
    assert!(daemon.next_line().contains(" is down: connection refused"));
    let (status, body) = daemon.get("/status");
    let snapshot: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(status, 200);
    assert_eq!(snapshot["state"], "down");
    assert_eq!(snapshot["last_event"], "fail");
    assert_eq!(snapshot["last_latency_ms"], serde_json::Value::Null);
    assert_eq!(snapshot["transitions"], 3);
    assert_eq!(snapshot["probe"], url);
    let _server = Server::start_at(address, |stream| {
        read_head(&stream);
        let _ = (&stream).write_all(OK.as_bytes());
    });
    daemon.wait_for_state("up");
    let line = daemon.next_line();
    assert!(line.contains(" is up: HTTP 200") && line.contains("(was down for "), "{line}");
    assert!(daemon.no_line(), "nothing is logged of ordinary checks");
}

#[test]
fn the_snapshot_has_the_documented_shape() {
    let server = Server::answering(OK);
    let daemon = Daemon::start(&["--interval", "0.02", &server.url("http")]);
    let full = || daemon.get("/").1.matches("\"event\"").count() == 20;
    eventually("a full history", || full().then_some(()));
    let (_, head, body) = get(daemon.api, "/?pretty=no");
    assert!(head.contains("\r\nContent-Type: application/json\r\n"), "{head}");
    assert!(head.contains("\r\nDate: "), "{head}");
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
    let keys: Vec<_> = body
        .lines()
        .filter_map(|line| line.strip_prefix("  \"")?.split_once('"').map(|(key, _)| key))
        .collect();
    let documented = [
        "state",
        "last_event",
        "last_detail",
        "last_latency_ms",
        "uptime_in_state_s",
        "last_check_ts",
        "last_check_age_s",
        "transitions",
        "recent",
        "probe",
        "name",
        "error",
        "phases_ms",
        "address",
        "http_status",
        "tls_not_after_ts",
        "warnings",
        "group",
        "since_ts",
        "paused_until_ts",
        "held_by",
        "bound",
        "uptime",
    ];
    assert_eq!(keys, documented);
    let snapshot: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(snapshot["recent"].as_array().map(Vec::len), Some(20));
    assert_eq!(snapshot["recent"][0]["detail"], "HTTP 200");
}

#[test]
fn every_endpoint_answers_as_documented() {
    let server = Server::answering(OK);
    let daemon = Daemon::start(&["--name", "web", &server.url("http")]);
    daemon.wait_for_state("up");
    for path in ["/state", "/state?x=1", "/targets/web/state"] {
        assert_eq!(daemon.get(path), (200, "up\n".into()), "{path}");
    }
    assert_eq!(daemon.get("/targets/web/healthz"), (200, "ok\n".into()));
    assert!(daemon.get("/targets/web").1.contains("\"name\": \"web\""));
    for path in ["/nothing", "/targets/other", "/state/", "/metricsx"] {
        assert_eq!(daemon.get(path), (404, "not found\n".into()), "{path}");
    }
    let answer = |request: &str| text(&talk(daemon.api, request.as_bytes()));
    let close = "Host: localhost\r\nConnection: close\r\n\r\n";
    let put = answer(&format!("PUT /state HTTP/1.1\r\n{close}"));
    assert!(put.starts_with("HTTP/1.1 405 ") && put.contains("\r\nAllow: GET, HEAD\r\n"), "{put}");
    let head = answer(&format!("HEAD /state HTTP/1.1\r\n{close}"));
    assert!(head.contains("\r\nContent-Length: 3\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let old = answer("GET /state HTTP/1.0\r\n\r\n");
    assert!(old.starts_with("HTTP/1.1 200 ") && old.ends_with("up\n"), "{old}");
    let foreign = answer("GET /state HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert!(foreign.starts_with("HTTP/1.1 421 "), "{foreign}");
    let body = answer("POST /state HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
    assert!(body.starts_with("HTTP/1.1 405 "), "{body}");
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(9000));
    assert!(answer(&long).starts_with("HTTP/1.1 431 "));
    let pipelined =
        answer(&format!("GET /state HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\n{close}"));
    assert_eq!(pipelined.matches("HTTP/1.1 200 OK").count(), 2, "{pipelined}");
    for answer in [put, head, old, foreign, body, pipelined] {
        assert!(!answer.to_lowercase().contains("access-control"), "{answer}");
    }
}

#[test]
fn only_allowed_hosts_are_served_on_loopback_and_all_elsewhere() {
    let request = b"GET /state HTTP/1.1\r\nHost: Pi.Example:8787\r\nConnection: close\r\n\r\n";
    let target = Server::answering(OK);
    let allowed = Daemon::start(&["--api-allow-host", "pi.example", &target.url("http")]);
    assert!(text(&talk(allowed.api, request)).starts_with("HTTP/1.1 200 "));
    let open = Daemon::start(&["--api-host", "0.0.0.0", &target.url("http")]);
    let port = open.api.port();
    let answer = talk(([127, 0, 0, 1], port).into(), request);
    assert!(text(&answer).starts_with("HTTP/1.1 200 "));
}

#[test]
fn several_targets_are_listed_together_and_separately() {
    let (good, bad) = (Server::answering(OK), Server::answering("HTTP/1.1 500 Oops\r\n\r\n"));
    let daemon = Daemon::start(&["--interval", "0.1", &good.url("http"), &bad.url("http")]);
    daemon.wait_for_state("down");
    eventually("both checked", || (daemon.get("/").1.contains("\"unknown\": 0")).then_some(()));
    let all: serde_json::Value = serde_json::from_str(&daemon.get("/status").1).expect("JSON");
    assert_eq!(all["state"], "down");
    assert_eq!(all["counts"]["up"], 1);
    assert_eq!(all["counts"]["down"], 1);
    assert_eq!(all["targets"][0]["name"], good.address.to_string());
    assert_eq!(all["targets"][1]["last_detail"], "HTTP 500");
    assert_eq!(daemon.get(&format!("/targets/{}/state", good.address)), (200, "up\n".into()));
    assert_eq!(daemon.get(&format!("/targets/{}/healthz", bad.address)), (503, "down\n".into()));
}

#[test]
fn long_urls_of_one_host_have_names_too() {
    let server = Server::answering(OK);
    let long = "x".repeat(200);
    let (one, two) = (format!("{}{long}1", server.url("http")), format!("{}{long}2", server.url("http")));
    let daemon = Daemon::start(&[&one, &two]);
    eventually("both", || (daemon.get("/").1.contains("\"up\": 2")).then_some(()));
    for place in [1, 2] {
        let (status, body) = daemon.get(&format!("/targets/{}-{place}", server.address));
        assert_eq!(status, 200, "{body}");
        assert!(body.contains(&format!("{long}{place}\"")), "{body}");
    }
}

#[test]
fn localhost_is_up_whichever_family_the_service_listens_on() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(address) else {
            missing("ipv6");
            continue;
        };
        let port = listener.local_addr().expect("bound").port().to_string();
        let daemon = Daemon::start(&["--address", "localhost", "--port", &port]);
        daemon.wait_for_state("up");
        let snapshot = daemon.get("/").1;
        assert!(snapshot.contains("\"last_detail\": \"connect ok\""), "{snapshot}");
        assert!(snapshot.contains(&format!("\"probe\": \"tcp://localhost:{port}\"")), "{snapshot}");
    }
}

#[test]
fn a_banner_is_found_however_it_is_cut() {
    let server = Server::start(|mut stream| {
        let _ = stream.set_nodelay(true);
        for byte in b"SSH-2.0-test\r\n" {
            let _ = stream.write_all(&[*byte]);
        }
        let _ = stream.read(&mut [0]);
    });
    let url = format!("tcp://{}", server.address);
    let found = run(&["--once", "--check", "banner_contains:2.0-te", &url]);
    assert!(found.status.success(), "{}", text(&found.stdout));
    let missing = run(&["--once", "--timeout", "0.3", "--check", "banner_contains:SMTP", &url]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stdout).contains("SSH-2.0-test"), "{}", text(&missing.stdout));
}

#[test]
fn once_prints_a_line_per_target_and_sets_the_exit_code() {
    let good = Server::answering(OK);
    let gone = closed_port();
    let good_url = good.url("http");
    let up = run(&["--once", &good_url]);
    assert_eq!(up.status.code(), Some(0));
    let line = text(&up.stdout);
    assert!(line.starts_with("up  ") && line.ends_with(&format!("{good_url}  HTTP 200\n")), "{line}");
    let failed = run(&["--once", &good_url, &format!("tcp://{gone}")]);
    assert_eq!((failed.status.code(), text(&failed.stdout).lines().count()), (Some(1), 2));
    let slow = run(&["--once", "--slow", "0.001", &good_url]);
    assert_eq!((slow.status.code(), text(&slow.stdout).starts_with("degraded ")), (Some(1), true));
    let mut full = pingstate();
    let full = full.args(["--once", &good_url]).stdout(std::fs::File::create("/dev/full").expect("linux"));
    assert_eq!(full.status().expect("runs").code(), Some(4), "the output was not written");
    let unresolved = run(&["--once", &good_url, "http://nowhere.invalid/"]);
    assert_eq!(unresolved.status.code(), Some(3));
    assert!(text(&unresolved.stdout).contains("does not exist"), "{}", text(&unresolved.stdout));
}

#[test]
fn help_and_version_go_to_stdout() {
    let help = run(&["--help"]);
    assert!(help.status.success() && help.stderr.is_empty());
    for flag in ["--protocol", "--api-allow-host", "--once", "--dns", "--rise"] {
        assert!(text(&help.stdout).contains(flag), "{flag}");
    }
    let version = run(&["-V"]);
    assert_eq!(text(&version.stdout), format!("pingstate {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_input_gets_one_line_and_exit_2_and_starts_nothing() {
    let cases: &[(&[&str], &str)] = &[
        (&["--frobnicate"], "--frobnicate"),
        (&["--port", "70000"], "--port"),
        (&["--port", "0"], "--port"),
        (&["--interval", "0"], "--interval"),
        (&["--interval", "-1"], "--interval"),
        (&["--interval=NaN"], "--interval"),
        (&["--interval", "inf"], "--interval"),
        (&["--timeout", "1e400"], "--timeout"),
        (&["--timeout", "0"], "--timeout"),
        (&["--protocol", "udp"], "--protocol"),
        (&["--check", "body_contains:x"], "--check"),
        (&["--protocol", "http", "--check", "banner_contains:x"], "--check"),
        (&["--protocol", "http", "--check", "status:"], "--check"),
        (&["--protocol", "http", "--check", "status:abc"], "--check"),
        (&["--protocol", "http", "--check", "nonsense"], "--check"),
        (&["--protocol", "http", "--path", "/a\r\nX: y"], "--path"),
        (&["--protocol", "http", "--header", "A: b\nc"], "--header"),
        (&["--protocol", "http", "--header", "no colon"], "--header"),
        (&["--protocol", "http", "--method", "GET /"], "--method"),
        (&["--protocol", "http", "--max-body", "0"], "--max-body"),
        (&["--api-port", "65536"], "--api-port"),
        (&["--api-host", "not an address"], "--api-host"),
        (&["--address", "a b"], "--address"),
        (&["--dns", "name.example"], "--dns"),
        (&["--fall", "0"], "--fall"),
        (&["--rise", "x"], "--rise"),
        (&["--protocol", "https", "--ca-file", "/nonexistent.pem"], "--ca-file"),
        (&["ftp://example.com/"], "ftp://example.com/"),
        (&[&format!("ftp://example.com/{}", "x".repeat(9000))], "TARGET ftp://example.com/xxx"),
        (&["http://user:secret@example.com/"], "TARGET …@example.com/: "),
        (&["--port", "80", "http://127.0.0.1/"], "--port"),
        (&["--name", "x", "http://127.0.0.1/a", "http://127.0.0.1/b"], "--name"),
        (&["http://127.0.0.1/a", "http://127.0.0.1/a"], "duplicate TARGET"),
        (&["--interval"], "--interval"),
    ];
    for (args, named) in cases {
        let output = run(args);
        let line = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {line}");
        assert!(line.starts_with("pingstate: ") && line.lines().count() == 1, "{args:?}: {line}");
        assert!(line.contains(named), "{args:?}: {line}");
        assert!(!line.contains("secret") && line.len() < 300, "{args:?}: {line}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn port_in_use_is_one_line_and_exit_1() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = taken.local_addr().expect("bound").port().to_string();
    let output = run(&["--api-port", &port]);
    let line = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    let expected = "Address already in use (is pingstate already running? --api-port selects another port)\n";
    assert!(line.contains(&port) && line.ends_with(expected), "{line}");
    let elsewhere = run(&["--api-host", "192.0.2.1", "--api-port", "0"]);
    let line = text(&elsewhere.stderr);
    assert_eq!((elsewhere.status.code(), line.lines().count()), (Some(1), 1));
    assert!(line.ends_with(" (--api-host must be an address of this machine)\n"), "{line}");
}

#[test]
fn signals_stop_the_daemon_at_once_with_work_in_flight() {
    let silent = Server::start(|stream| {
        let _ = (&stream).read(&mut [0; 1]);
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let _ = (&stream).read_to_end(&mut Vec::new());
    });
    for signal in ["-INT", "-TERM"] {
        let daemon =
            Daemon::start(&["--timeout", "60", &silent.url("http"), &format!("{}x", silent.url("http"))]);
        let mut half = TcpStream::connect(daemon.api).expect("connects");
        half.write_all(b"GET /sta").expect("sent");
        let _idle = TcpStream::connect(daemon.api).expect("connects");
        assert_eq!(daemon.state(), "unknown");
        // Not after the checks in flight, which take a minute: `end` waits less.
        let (status, _) = daemon.end(signal);
        assert_eq!(status.code(), Some(0), "{signal}");
    }
}

#[test]
fn log_lines_have_priorities_when_stderr_is_the_systemd_journal() {
    use std::os::unix::fs::MetadataExt;
    let path = std::env::temp_dir().join(format!("pingstate-journal-{}", std::process::id()));
    let file = std::fs::File::create(&path).expect("a file");
    let meta = file.metadata().expect("its metadata");
    let stream = format!("{}:{}", meta.dev(), meta.ino());
    let status = pingstate().arg("--nonsense").env("JOURNAL_STREAM", stream).stderr(file).status();
    assert_eq!(status.expect("runs").code(), Some(2));
    let line = std::fs::read_to_string(&path).expect("the line");
    let _ = std::fs::remove_file(&path);
    assert!(line.starts_with("<3>unknown option"), "{line}");
}
