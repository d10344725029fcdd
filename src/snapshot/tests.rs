//! The JSON of a snapshot, which is byte for byte that of the Python version up to `probe`.

use super::*;
use crate::clock::{system_time, test_now};
use crate::fsm::Policy;
use crate::monitor::mute::Mute;
use crate::monitor::{Monitor, Targets};
use crate::result::{PingStats, ProbeResult, Reason};

const NAME: &str = "api";
const TARGET: &str = "https://api.example.com:443/healthz";

fn fsm(now: Now) -> Fsm {
    Fsm::new(State::Unknown, Policy::default(), Fsm::HISTORY, now)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A result with a detail that is not printable, which a program can make.
fn raw(detail: &str) -> ProbeResult {
    let mut result = ProbeResult::down(Reason::Custom, "");
    result.detail = detail.into();
    result
}

fn json(fsm: &Fsm, now: Now) -> String {
    View::of(NAME, TARGET, fsm, now).to_snapshot().to_json()
}

/// Printed by the Python version with `json.dumps(monitor.snapshot(), indent=2)`, up to `probe`.
const UNCHECKED: &str = r#"{
  "state": "unknown",
  "last_event": null,
  "last_detail": null,
  "last_latency_ms": null,
  "uptime_in_state_s": 0.0,
  "last_check_ts": null,
  "last_check_age_s": null,
  "transitions": 0,
  "recent": [],
  "probe": "https://api.example.com:443/healthz",
  "name": "api",
  "error": null,
  "phases_ms": null,
  "address": null,
  "http_status": null,
  "tls_not_after_ts": null,
  "warnings": [],
  "group": null,
  "since_ts": 1738200000.0,
  "paused_until_ts": null,
  "held_by": null,
  "bound": null
}
"#;

/// Printed by the Python version, like [`UNCHECKED`].
const CHECKED: &str = r#"{
  "state": "degraded",
  "last_event": "fail",
  "last_detail": "say \"no\"\\n\\\\u{1b}",
  "last_latency_ms": null,
  "uptime_in_state_s": 312.0,
  "last_check_ts": 1738200005.5,
  "last_check_age_s": 312.0,
  "transitions": 2,
  "recent": [
    {
      "ts": 1738200000.25,
      "event": "ok",
      "state": "up",
      "detail": "HTTP 200"
    },
    {
      "ts": 1738200005.5,
      "event": "fail",
      "state": "degraded",
      "detail": "say \"no\"\\n\\\\u{1b}"
    }
  ],
  "probe": "https://api.example.com:443/healthz",
  "name": "api",
  "error": "custom",
  "phases_ms": {
    "resolve": null,
    "connect": null,
    "tls": null,
    "first_byte": null,
    "transfer": null
  },
  "address": null,
  "http_status": null,
  "tls_not_after_ts": null,
  "warnings": [],
  "group": null,
  "since_ts": 1738200005.5,
  "paused_until_ts": null,
  "held_by": null,
  "bound": null
}
"#;

#[test]
fn a_target_without_a_check_is_written_as_by_the_python_version() {
    let now = test_now();
    assert_eq!(json(&fsm(now), now), UNCHECKED);
    assert!(json(&fsm(now), now.after(ms(1250))).contains("\"uptime_in_state_s\": 1.3,"));
}

#[test]
fn a_checked_target_is_written_as_by_the_python_version() {
    let t0 = test_now();
    let mut fsm = fsm(t0);
    fsm.fire(&ProbeResult::up(ms(42), "HTTP 200"), t0.after(ms(250)));
    fsm.fire(&raw("say \"no\"\\n\\\x1b"), t0.after(ms(5500)));
    assert_eq!(json(&fsm, t0.after(ms(317_500))), CHECKED);
}

#[test]
fn the_view_and_the_snapshot_are_written_alike() {
    let t0 = test_now();
    let mut fsm = fsm(t0);
    fsm.fire(&ProbeResult::up(Duration::from_micros(42_504), "HTTP 200"), t0.after(ms(1)));
    let now = t0.after(ms(1300));
    let snapshot = View::of(NAME, TARGET, &fsm, now).to_snapshot();
    assert_eq!(pretty(&View::of(NAME, TARGET, &fsm, now)), snapshot.to_json().into_bytes());
    assert!(snapshot.to_json().contains("\"last_latency_ms\": 42.5,"));
    assert!(snapshot.to_json().contains("\"last_check_ts\": 1738200000.001,"));
    assert_eq!(snapshot.clone().recent, snapshot.recent);
    assert!(format!("{snapshot:?}").contains(TARGET));
}

/// The keys after `probe`.
const FURTHER_KEYS: &str = r#"
  "name": "n\"",
  "error": "tls_expired",
  "phases_ms": {
    "resolve": 1.23,
    "connect": 0.0,
    "tls": 2000.0,
    "first_byte": null,
    "transfer": null
  },
  "address": "[::1]:443",
  "http_status": 302,
  "tls_not_after_ts": 1735689599,
  "warnings": [],
  "group": null,
  "since_ts": 1738200000.0,
  "paused_until_ts": null,
  "held_by": null
}
"#;

#[test]
fn further_keys_follow_the_probe() {
    let now = test_now();
    let mut fsm = fsm(now);
    let mut result = ProbeResult::down(Reason::TlsExpired, "expired");
    result.phases.resolve = Some(Duration::from_nanos(1_234_999));
    result.phases.connect = Some(Duration::ZERO);
    result.phases.tls = Some(ms(2000));
    result.address = "[::1]:443".parse().ok();
    result.http_status = Some(302);
    result.tls_not_after = Some(system_time(Duration::from_secs(1_735_689_599)));
    fsm.fire(&result, now);
    let snapshot = View::of("n\"", "t", &fsm, now).to_snapshot();
    assert_eq!((snapshot.error, snapshot.phases), (result.reason, Some(result.phases)));
    let json = snapshot.to_json();
    let (_, after) = json.split_once("\"probe\": \"t\",").expect("a probe");
    assert_eq!(after, FURTHER_KEYS);
    fsm.fire(&ProbeResult::up(ms(1), "fine"), now);
    let fine = View::of("n", "t", &fsm, now).to_snapshot();
    assert_eq!((fine.error, fine.address, fine.http_status, fine.tls_not_after), (None, None, None, None));
}

#[test]
fn setting_the_wall_clock_changes_neither_age_nor_uptime() {
    let t0 = test_now();
    let mut fsm = fsm(t0);
    fsm.fire(&ProbeResult::up(ms(1), "fine"), t0);
    for unix in [Duration::ZERO, Duration::from_secs(4_000_000_000)] {
        let now = Now { instant: t0.instant + ms(2000), unix };
        let json = json(&fsm, now);
        assert!(json.contains("\"uptime_in_state_s\": 2.0,"), "{json}");
        assert!(json.contains("\"last_check_age_s\": 2.0,"), "{json}");
        assert!(json.contains("\"last_check_ts\": 1738200000.0,"), "{json}");
    }
    // A time before the check does not give a negative age.
    let mut later = self::fsm(t0);
    later.fire(&ProbeResult::up(ms(1), "fine"), t0.after(ms(9000)));
    assert!(json(&later, t0).contains("\"last_check_age_s\": 0.0,"));
}

#[test]
fn the_history_is_bounded_and_written_oldest_first() {
    let t0 = test_now();
    let mut fsm = fsm(t0);
    for i in 0..50 {
        fsm.fire(&ProbeResult::up(ms(1), &format!("check {i}")), t0.after(ms(i * 1000)));
    }
    let snapshot = View::of(NAME, TARGET, &fsm, t0.after(ms(60_000))).to_snapshot();
    let details: Vec<_> = snapshot.recent.iter().map(|check| check.detail.to_string()).collect();
    let expected: Vec<_> = (30..50).map(|i| format!("check {i}")).collect();
    assert_eq!(details, expected);
}

#[test]
fn a_detail_with_json_syntax_is_one_string() {
    let t0 = test_now();
    let syntax = "\",\n\"state\": \"up\"}\r\n\0\u{7f}\u{2028}</script>é\u{10ffff}";
    let mut fsm = fsm(t0);
    fsm.fire(&raw(syntax), t0);
    let json = json(&fsm, t0);
    let value: serde_json::Value = serde_json::from_str(&json).expect("valid JSON");
    assert_eq!(value["last_detail"], crate::text::printable(syntax, 256));
    assert_eq!(value["state"], "down");
    assert_eq!(json.lines().count(), 37, "{json}");
}

#[test]
fn the_size_of_a_snapshot_is_bounded() {
    let t0 = test_now();
    for text in ["\u{10ffff}", "\u{1f600}", "\"", "\0", "\u{202e}", "x"] {
        let mut fsm = fsm(t0);
        for i in 0..100 {
            // Details differ, so that none is shared.
            let detail = format!("{i}{}", text.repeat(10_000));
            fsm.fire(&ProbeResult::down(Reason::Banner, &detail), t0.after(ms(i)));
        }
        let len = json(&fsm, t0).len();
        assert!(len < (Fsm::HISTORY + 1) * (4 * ProbeResult::DETAIL_MAX + 200), "{text:?} {len}");
    }
}

#[test]
fn numbers_are_rounded_finite_and_have_a_decimal_point() {
    let shown = |value: f64| serde_json::to_string(&value).expect("finite");
    let nanos = Duration::from_nanos;
    assert_eq!(shown(age_s(nanos(49_999_999))), "0.0");
    assert_eq!(shown(age_s(nanos(50_000_000))), "0.1");
    assert_eq!(shown(age_s(nanos(999_999_999))), "1.0");
    assert_eq!(shown(latency_ms(nanos(4_999))), "0.0");
    assert_eq!(shown(latency_ms(nanos(5_000))), "0.01");
    assert_eq!(shown(latency_ms(nanos(42_504_999))), "42.5");
    assert_eq!(shown(latency_ms(nanos(1_999_999_999))), "2000.0");
    assert_eq!(shown(timestamp_s(nanos(500_000))), "0.001");
    assert_eq!(shown(timestamp_s(Duration::new(1_738_200_000, 123_456_789))), "1738200000.123");
    assert_eq!(shown(timestamp_s(Duration::MAX)), "253402300800.0");
    assert_eq!(shown(age_s(Duration::MAX)), "253402300800.0");
    assert_eq!(shown(latency_ms(Duration::MAX)), "253402300800000.0");
}

#[test]
fn every_hundredth_is_printed_exactly() {
    for hundredths in 0..100_000u64 {
        let shown = serde_json::to_string(&latency_ms(Duration::from_micros(hundredths * 10)));
        let decimal = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        let mut short = decimal.trim_end_matches('0').to_owned();
        if short.ends_with('.') {
            short.push('0');
        }
        assert_eq!(shown.expect("finite"), short);
    }
}

#[test]
fn a_snapshot_is_displayed_as_one_line() {
    let t0 = test_now();
    let mut fsm = fsm(t0);
    let shown = |name, fsm: &Fsm| View::of(name, TARGET, fsm, t0).to_snapshot().to_string();
    assert_eq!(shown("api", &fsm), "api is unknown");
    fsm.fire(&ProbeResult::up(Duration::from_micros(42_504), "HTTP 200"), t0);
    assert_eq!(shown("api", &fsm), "api is up: HTTP 200, 42.50 ms");
    fsm.fire(&raw("connection\nrefused"), t0);
    assert_eq!(shown("a\nb", &fsm), "a\\nb is degraded: connection\\nrefused");
    assert_eq!(shown("", &fsm), "degraded: connection\\nrefused");
}

#[test]
fn snapshots_are_equal_if_all_their_fields_are() {
    let t0 = test_now();
    let mut fsm = fsm(t0);
    let snapshot = |fsm: &Fsm, now| View::of(NAME, TARGET, fsm, now).to_snapshot();
    let before = snapshot(&fsm, t0);
    assert_eq!(before, snapshot(&fsm, t0));
    assert_ne!(before, snapshot(&fsm, t0.after(ms(1))));
    fsm.fire(&ProbeResult::up(ms(1), "HTTP 200"), t0);
    assert_ne!(before, snapshot(&fsm, t0));
}

#[test]
fn a_ping_is_shown_for_icmp_targets_only() {
    let now = test_now();
    let mut fsm = fsm(now);
    let json = |url: &str, fsm: &Fsm| {
        let json = View::of("r", url, fsm, now).to_snapshot().to_json();
        json.split_once("\"address\"").expect("a key").1.split_whitespace().collect::<String>()
    };
    let others = "\"http_status\":null,\"tls_not_after_ts\":null,\"warnings\":[],\"group\":null,\"since_ts\":1738200000.0,\"paused_until_ts\":null,\"held_by\":null,\"bound\":null";
    assert_eq!(json("tcp://h:1", &fsm), format!(":null,{others}}}"));
    assert_eq!(json("icmp://h", &fsm), format!(":null,{others},\"ping\":null}}"));
    let mut result = ProbeResult::up(ms(2), "3 of 4 replies");
    result.address = "[::1]:0".parse().ok();
    result.ping = Some(Box::new(PingStats::new(4, &mut [ms(1), ms(2), ms(9)], Some(57))));
    fsm.fire(&result, now);
    let ping =
        "{\"sent\":4,\"received\":3,\"rtt_ms\":{\"min\":1.0,\"median\":2.0,\"max\":9.0},\"hop_limit\":57}";
    assert_eq!(json("icmp://h", &fsm), format!(":\"::1\",{others},\"ping\":{ping}}}"));
    result.ping = Some(Box::new(PingStats::new(1, &mut [], None)));
    fsm.fire(&result, now);
    let ping = "{\"sent\":1,\"received\":0,\"rtt_ms\":null,\"hop_limit\":null}";
    assert_eq!(json("icmp://h", &fsm), format!(":\"::1\",{others},\"ping\":{ping}}}"));
}

#[test]
fn the_end_of_a_pause_is_shown_by_the_wall_clock() {
    let now = test_now();
    let monitors = ["a", "b"].map(|name| Monitor::new(Mute(name)).interval(ms(1)));
    let mut targets = Targets::new(monitors.into(), now);
    targets.fire(targets.id(0), &ProbeResult::up(ms(1), "fine"), now);
    targets.pause(&[targets.id(0)], Some(now.instant + ms(3_600_500)), now);
    targets.pause(&[targets.id(1)], None, now);
    let shown = |position: usize, now: Now| {
        let json = View::of_target(&targets.list()[position], now).to_snapshot().to_json();
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((&value["state"], &value["warnings"]), (&"unknown".into(), &serde_json::json!([])));
        value["paused_until_ts"].as_f64()
    };
    assert_eq!(shown(0, now), Some(1_738_203_600.5));
    assert_eq!(shown(0, now.after(ms(1_000_250))), Some(1_738_203_600.5));
    // The wall clock was set.
    let set = Now { unix: Duration::from_secs(60), ..now.after(ms(600_500)) };
    assert_eq!(shown(0, set), Some(3060.0));
    assert_eq!(shown(1, now), Some(253_402_300_799.0), "without an end");
}

#[test]
fn a_held_target_shows_its_own_reason_and_the_first_parent() {
    let now = test_now();
    let child = Monitor::new(Mute("c")).depends_on("b").depends_on("a");
    let monitors = vec![Monitor::new(Mute("a")), Monitor::new(Mute("b")), child];
    let mut targets = Targets::new(monitors, now);
    targets.hold(targets.id(2), &ProbeResult::down(Reason::Refused, "refused"), now);
    let shown = |targets: &Targets| {
        let json = View::of_target(&targets.list()[2], now).to_snapshot().to_json();
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        ["state", "error", "last_detail", "held_by"].map(|key| value[key].as_str().map(str::to_owned))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(shown(&targets), [some("unknown"), some("refused"), some("refused"), some("b")]);
    targets.pause(&[targets.id(2)], None, now);
    assert_eq!(shown(&targets)[3], None);
    targets.fire(targets.id(2), &ProbeResult::up(ms(1), "fine"), now);
    assert_eq!(shown(&targets), [some("up"), None, some("fine"), None]);
}
