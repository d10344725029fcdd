//! Targets that have not been checked yet: the first checks run soon after the start and after a reload,
//! and until then nothing reports the target as down.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::common::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The states of all targets and the number of their checks.
fn checks(daemon: &Daemon) -> Vec<(String, usize)> {
    let status: serde_json::Value = serde_json::from_str(&daemon.get("/status").1).expect("JSON");
    let targets = status["targets"].as_array().expect("several targets").iter();
    targets
        .map(|target| {
            let checks = target["recent"].as_array().expect("a list").len();
            (target["state"].as_str().expect("a word").to_owned(), checks)
        })
        .collect()
}

#[test]
fn every_target_is_checked_soon_after_the_start_and_after_a_reload() {
    let server = Server::answering(OK);
    let path = std::env::temp_dir().join(format!("pingstate-soon-{}.conf", std::process::id()));
    let write = |count: usize| {
        let lines = (0..count).map(|n| format!("t{n} {}\n", server.url("http")));
        std::fs::write(&path, "--interval 600\n".to_owned() + &lines.collect::<String>()).expect("written");
    };
    write(5);
    // The interval is ten minutes: `eventually` waits for less.
    let daemon = Daemon::start(&["--config", path.to_str().expect("text")]);
    let wait = |count: usize| {
        eventually("a check of each target", || {
            let checks = checks(&daemon);
            (checks.len() == count && checks.iter().all(|(state, _)| state == "up")).then_some(checks)
        })
    };
    wait(5);
    write(9);
    daemon.signal("-HUP");
    let checks = wait(9);
    assert_eq!(checks, vec![("up".to_owned(), 1); 9], "the second checks come minutes later");
    let _ = std::fs::remove_file(&path);
}

#[test]
fn no_output_reports_an_unchecked_target_as_down() {
    // It accepts and never answers.
    let server =
        Server::start(|mut stream| drop(stream.read(&mut [0; 1024]).and_then(|_| stream.read(&mut [0]))));
    let (first, second) = (server.url("http"), server.url("http") + "two");
    let hook = format!("sh -c 'kill -9 $PPID; echo {first}'");
    let daemon =
        Daemon::start(&["--timeout", "600", "--notify", "all", "--on-change", &hook, &first, &second]);
    eventually("both checks in flight", || {
        let (_, text) = daemon.get("/metrics");
        text.contains("pingstate_connections{kind=\"probe\"} 2\n").then_some(())
    });
    assert_eq!(daemon.get("/state"), (200, "unknown\n".to_owned()));
    assert_eq!(daemon.get("/healthz"), (503, "unknown\n".to_owned()));
    assert_eq!(daemon.get("/wait?state=down&timeout=0.05"), (503, "unknown\n".to_owned()));
    assert_eq!(daemon.get("/wait?state=up&timeout=0.05"), (503, "unknown\n".to_owned()));
    assert_eq!(checks(&daemon), vec![("unknown".to_owned(), 0); 2]);
    let status: serde_json::Value = serde_json::from_str(&daemon.get("/status").1).expect("JSON");
    assert_eq!(
        status["counts"],
        serde_json::json!({"unknown": 2, "up": 0, "degraded": 0, "down": 0, "paused": 0})
    );
    for target in status["targets"].as_array().expect("a list") {
        for (key, value) in target.as_object().expect("an object") {
            let has_value = [
                "state",
                "uptime_in_state_s",
                "transitions",
                "recent",
                "probe",
                "name",
                "warnings",
                "uptime",
                "since_ts",
            ];
            assert_eq!(value.is_null(), !has_value.contains(&key.as_str()), "{key}: {value}");
            if key == "uptime" {
                assert!(
                    value.as_object().expect("windows").values().all(serde_json::Value::is_null),
                    "{value}"
                );
            }
        }
        assert_eq!((&target["state"], &target["transitions"]), (&"unknown".into(), &0.into()));
        let name = target["name"].as_str().expect("a name");
        // The name is a URL if two targets share an authority.
        let escaped: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert_eq!(daemon.get(&format!("/targets/{escaped}/state")), (200, "unknown\n".to_owned()));
        assert_eq!(daemon.get(&format!("/targets/{escaped}/healthz")), (503, "unknown\n".to_owned()));
        let (status, text) = daemon.get(&format!("/probe?target={escaped}"));
        assert_eq!(status, 503, "the scrape fails, instead of a probe_success of 0: {text}");
    }
    let (_, metrics) = daemon.get("/metrics");
    assert!(!metrics.contains("pingstate_up"), "0 would raise alerts");
    for line in metrics
        .lines()
        .filter(|line| line.contains("target=") && line.ends_with(" 1") && !line.contains("_info"))
    {
        assert!(line.contains("state=\"unknown\""), "{line}");
    }
    assert!(!metrics.contains("pingstate_last_check") && !metrics.contains("pingstate_probe_duration"));
    let mut events = TcpStream::connect(daemon.api).expect("connects");
    events.write_all(b"GET /events?checks=1 HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let mut text = String::new();
    events.set_read_timeout(Some(Duration::from_millis(300))).expect("set");
    let _ = events.read_to_string(&mut text);
    assert!(text.contains("retry:") && !text.contains("data:"), "{text}");
    assert!(daemon.no_line(), "neither a log line nor a hook");
    assert_eq!(daemon.state(), "unknown");
}
