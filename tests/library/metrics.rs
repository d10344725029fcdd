//! Metrics, parsed by a strict reader of Prometheus' text format and checked by promtool where it is
//! installed.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use crate::common::*;
use pingstate::{Monitor, probe};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// All samples by name and labels, in the order of the labels.
type Samples = BTreeMap<String, f64>;

fn is_name(text: &str) -> bool {
    let starts = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(starts) && text.chars().all(|c| starts(c) || c.is_ascii_digit())
}

/// Parses an exposition; panics at any deviation from the format.
fn read(text: &str) -> Samples {
    assert!(text.ends_with('\n') && !text.contains('\r'), "lines");
    let mut samples = Samples::new();
    let mut families = BTreeMap::new();
    let mut lines = text[..text.len() - 1].split('\n').peekable();
    while let Some(line) = lines.next() {
        let (name, help) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')).expect(line);
        assert!(is_name(name) && help.ends_with('.') && !help.contains('\\'), "{line}");
        let line = lines.next().expect("a type");
        let (typed, kind) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')).expect(line);
        assert_eq!(typed, name);
        assert!(["counter", "gauge", "summary"].contains(&kind), "{line}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        assert!(families.insert(name.to_owned(), kind).is_none(), "{name} twice");
        let before = samples.len();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let value: f64 = value.parse().expect("a number");
            assert!(value.is_finite() && value >= 0.0, "{line}");
            let (sample, labels) = series.split_once('{').map_or((series, None), |(s, l)| (s, Some(l)));
            let suffix = sample.strip_prefix(name).expect(line);
            assert!(if kind == "summary" { ["_sum", "_count"].contains(&suffix) } else { suffix.is_empty() });
            if let Some(labels) = labels {
                read_labels(labels.strip_suffix('}').expect(line));
            }
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} twice");
        }
        assert!(samples.len() > before, "{name} has no samples");
    }
    samples
}

/// `a="x",b="y"`, where a value has only the escapes of the format.
fn read_labels(mut rest: &str) {
    let mut names = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").expect("a label");
        assert!(is_name(name) && !names.contains(&name), "{rest}");
        names.push(name);
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().expect("an end") {
                (at, '"') => break at,
                (_, '\\') => {
                    let (_, escaped) = chars.next().expect("something escaped");
                    assert!(['\\', '"', 'n'].contains(&escaped), "{rest}");
                }
                _ => {}
            }
        };
        match &after[end + 1..] {
            "" => return,
            more => rest = more.strip_prefix(',').expect("another label"),
        }
    }
}

/// promtool's errors; empty if it accepts the exposition.
fn check_with_promtool(text: &str) {
    let tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut tool) = tool else { return println!("promtool is not installed") };
    tool.stdin.take().expect("piped").write_all(text.as_bytes()).expect("written");
    let output = tool.wait_with_output().expect("runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_daemon_is_scraped() {
    let server = Server::answering(OK);
    let free = closed_port();
    let [up, refused] = [server.url("http"), format!("tcp://{free}")];
    let daemon = Daemon::start(&["--interval", "0.05", &up, &refused]);
    daemon.wait_for_state("down");
    let series = |name: &str, labels: &str| format!("{name}{{target=\"{}\"{labels}}}", server.address);
    let checked = || {
        let (status, head, body) = get(daemon.api, "/metrics");
        assert_eq!(status, 200);
        assert!(head.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
        let samples = read(&body);
        (samples[&series("pingstate_checks_total", ",result=\"ok\"")] >= 3.0).then_some((samples, body))
    };
    let (samples, text) = eventually("three checks", checked);
    check_with_promtool(&text);
    let of = |name: &str, labels: &str| samples.get(&series(name, labels)).copied();
    assert_eq!((of("pingstate_up", ""), of("pingstate_http_status_code", "")), (Some(1.0), Some(200.0)));
    assert_eq!(of("pingstate_transitions_total", ",to=\"up\""), Some(1.0));
    assert!(of("pingstate_state_seconds_total", ",state=\"up\"") > Some(0.0));
    assert!(
        of("pingstate_probe_duration_seconds", "")
            >= of("pingstate_probe_phase_seconds", ",phase=\"connect\"")
    );
    assert_eq!(of("pingstate_probe_phase_seconds", ",phase=\"tls\""), None);
    let failed = &samples[&format!("pingstate_failures_total{{target=\"{free}\",reason=\"refused\"}}")];
    assert!(*failed >= 1.0);
    assert_eq!(samples[&format!("pingstate_state{{target=\"{free}\",state=\"down\"}}")], 1.0);
    assert_eq!(samples["pingstate_connections{kind=\"client\"}"], 1.0);
    assert!(samples["pingstate_check_lag_seconds_count"] >= 4.0);
    assert!(samples.keys().any(|key| key.starts_with("pingstate_build_info{version=\"")));
    for name in ["hook_runs_total{result=\"not_started\"}", "webhook_deliveries_total{result=\"dropped\"}"] {
        assert_eq!(samples[&format!("pingstate_{name}")], 0.0);
    }
    if cfg!(target_os = "linux") {
        assert!(samples["process_resident_memory_bytes"] > 500_000.0);
        assert!(samples["process_virtual_memory_bytes"] >= samples["process_resident_memory_bytes"]);
        assert!(
            samples["process_open_fds"] >= 5.0 && samples["process_max_fds"] > samples["process_open_fds"]
        );
        assert!(samples["process_cpu_seconds_total"] < 60.0);
    }
    assert!(samples["process_start_time_seconds"] > 1.7e9);
}

#[test]
fn probe_metrics_match_the_blackbox_exporter() {
    let server = Server::answering(OK);
    let daemon = Daemon::start(&["--interval", "0.05", &server.url("http")]);
    daemon.wait_for_state("up");
    let by_name = format!("/probe?module=http_2xx&target={}", server.address);
    let by_url = format!("/probe?target=http%3A%2F%2F{}%2f", server.address);
    for path in [by_name, by_url] {
        let (status, text) = daemon.get(&path);
        assert_eq!(status, 200, "{path}: {text}");
        check_with_promtool(&text);
        let samples = read(&text);
        let wanted = [
            ("probe_success", 1.0),
            ("probe_http_status_code", 200.0),
            ("probe_http_version", 1.1),
            ("probe_ip_protocol", 4.0),
        ];
        assert!(wanted.iter().all(|(name, value)| samples[*name] == *value), "{text}");
        let parts = samples.iter().filter(|(name, _)| name.starts_with("probe_http_duration_seconds{"));
        let sum: f64 = parts.map(|(_, value)| value).sum();
        assert!(sum > 0.0 && sum <= samples["probe_duration_seconds"] + 1e-6, "{text}");
    }
    let old = Server::answering("HTTP/1.0 200 OK\r\n\r\nok");
    let url = format!("http://localhost:{}/Healthz?a=b", old.address.port());
    let daemon = Daemon::start(&["--interval", "0.05", &url]);
    daemon.wait_for_state("up");
    for target in [&url, &url.replace("http://local", "HTTP://LOCAL")] {
        let (status, text) = daemon.get(&format!("/probe?target={target}"));
        assert_eq!((status, read(&text)["probe_http_version"]), (200, 1.0), "{text}");
    }
    assert_eq!(daemon.get("/probe").0, 400);
    assert_eq!(daemon.get("/probe?target=example.com").0, 404, "no relay");
}

#[test]
fn any_name_is_a_valid_label() {
    let names = ["a\"b", "back\\slash", "{x=\"y\"} 1", "gr\u{fc}n, 50 %", "\u{1f600}"];
    let monitor =
        |name: &str| Monitor::new(probe("tcp", "127.0.0.1", 1).name(name).build().expect("a probe"));
    let server = pingstate::Server::builder(names.map(monitor)).bind(([127, 0, 0, 1], 0));
    let mut server = server.expect("bound");
    let (api, shutdown_handle) = (server.address(), server.shutdown_handle().expect("a stopper"));
    let running = thread::spawn(move || server.run());
    // A target has this sample after its first check.
    let scrape = || {
        Some(get(api, "/metrics")).filter(|(_, _, text)| text.matches("pingstate_up{").count() == names.len())
    };
    let (status, _, text) = eventually("a result of each target", scrape);
    shutdown_handle.stop();
    running.join().expect("no panic").expect("an ordinary end");
    assert_eq!(status, 200);
    check_with_promtool(&text);
    let samples = read(&text);
    assert_eq!(samples.keys().filter(|key| key.starts_with("pingstate_up{")).count(), names.len());
    let escaped = "pingstate_up{target=\"{x=\\\"y\\\"} 1\"}";
    assert!(samples.contains_key(escaped), "{text}");
}
