//! The metrics of two targets, line by line.

use std::time::Duration;

use super::*;
use crate::api::counters::{Connections, Counters, Hooks, ProcessStats, StateFile, Webhooks};
use crate::clock::{system_time, test_now};
use crate::monitor::Monitor;
use crate::monitor::mute::Mute;
use crate::result::{PingStats, ProbeResult, Reason};

fn exposition(targets: &Targets, figures: &Figures<'_>, now: Now) -> String {
    String::from_utf8(metrics(targets, figures, now)).expect("text")
}

fn figures(counters: &Counters) -> Figures<'_> {
    let started = Duration::from_secs(1_738_200_000);
    Figures { counters, connections: Connections::default(), process_stats: ProcessStats::default(), started }
}

/// The samples of a family, without its name.
fn family<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.strip_prefix(name)).collect()
}

#[test]
fn every_target_has_all_its_metrics() {
    let t0 = test_now();
    let at = |s| t0.after(Duration::from_secs(s));
    let mut targets = Targets::new(["a\"b", "new"].map(|name| Monitor::new(Mute(name))).into(), t0);
    let mut up = ProbeResult::up(Duration::from_micros(1500), "HTTP 200");
    up.phases.connect = Some(Duration::from_micros(500));
    up.phases.first_byte = Some(Duration::from_millis(1));
    (up.http_status, up.tls_not_after) = (Some(200), Some(system_time(Duration::from_secs(1_800_000_000))));
    targets.fire(targets.id(0), &ProbeResult::down(Reason::Refused, "refused"), at(1));
    targets.fire(targets.id(0), &ProbeResult::down(Reason::Status, "HTTP 500"), at(2));
    targets.fire(targets.id(0), &ProbeResult::down(Reason::Refused, "refused"), at(3));
    targets.fire(targets.id(0), &up, at(5));
    targets.begin(targets.id(1), t0.after(Duration::from_millis(1751)));
    targets.get_mut(targets.id(1)).expect("it is present").advance(at(8).instant);
    let text = exposition(&targets, &figures(&Counters::default()), at(9));
    let family = |name| family(&text, name);
    assert_eq!(family("pingstate_check_lag_seconds"), ["_sum 0.75", "_count 1"]);
    assert_eq!(family("pingstate_beats_skipped_total"), [" 1"]);
    assert_eq!(family("pingstate_up"), ["{target=\"a\\\"b\"} 1"]);
    assert_eq!(family("pingstate_paused"), ["{target=\"a\\\"b\"} 0", "{target=\"new\"} 0"]);
    assert_eq!(
        family("pingstate_state"),
        [
            "{target=\"a\\\"b\",state=\"unknown\"} 0",
            "{target=\"a\\\"b\",state=\"up\"} 1",
            "{target=\"a\\\"b\",state=\"degraded\"} 0",
            "{target=\"a\\\"b\",state=\"down\"} 0",
            "{target=\"new\",state=\"unknown\"} 1",
            "{target=\"new\",state=\"up\"} 0",
            "{target=\"new\",state=\"degraded\"} 0",
            "{target=\"new\",state=\"down\"} 0",
            "_seconds_total{target=\"a\\\"b\",state=\"unknown\"} 1",
            "_seconds_total{target=\"a\\\"b\",state=\"up\"} 4",
            "_seconds_total{target=\"a\\\"b\",state=\"degraded\"} 0",
            "_seconds_total{target=\"a\\\"b\",state=\"down\"} 4",
            "_seconds_total{target=\"new\",state=\"unknown\"} 9",
            "_seconds_total{target=\"new\",state=\"up\"} 0",
            "_seconds_total{target=\"new\",state=\"degraded\"} 0",
            "_seconds_total{target=\"new\",state=\"down\"} 0",
            "_file_writes_total{result=\"ok\"} 0",
            "_file_writes_total{result=\"failed\"} 0",
        ]
    );
    assert_eq!(
        family("pingstate_transitions_total{target=\"a\\\"b\","),
        ["to=\"unknown\"} 0", "to=\"up\"} 1", "to=\"degraded\"} 0", "to=\"down\"} 1"]
    );
    assert_eq!(
        family("pingstate_checks_total"),
        [
            "{target=\"a\\\"b\",result=\"ok\"} 1",
            "{target=\"a\\\"b\",result=\"fail\"} 3",
            "{target=\"a\\\"b\",result=\"none\"} 0",
            "{target=\"new\",result=\"ok\"} 0",
            "{target=\"new\",result=\"fail\"} 0",
            "{target=\"new\",result=\"none\"} 0",
        ]
    );
    assert_eq!(
        family("pingstate_failures_total"),
        ["{target=\"a\\\"b\",reason=\"refused\"} 2", "{target=\"a\\\"b\",reason=\"status\"} 1"]
    );
    assert_eq!(
        family("pingstate_check_latency_seconds"),
        [
            "_sum{target=\"a\\\"b\"} 0.0015",
            "_count{target=\"a\\\"b\"} 1",
            "_sum{target=\"new\"} 0",
            "_count{target=\"new\"} 0",
        ]
    );
    for (name, value) in [
        ("pingstate_last_check_timestamp_seconds", "1738200005"),
        ("pingstate_probe_duration_seconds", "0.0015"),
        ("pingstate_http_status_code", "200"),
        ("pingstate_tls_not_after_timestamp_seconds", "1800000000"),
    ] {
        assert_eq!(family(name), [format!("{{target=\"a\\\"b\"}} {value}")]);
    }
    assert_eq!(
        family("pingstate_probe_phase_seconds"),
        ["{target=\"a\\\"b\",phase=\"connect\"} 0.0005", "{target=\"a\\\"b\",phase=\"first_byte\"} 0.001"]
    );
}

#[test]
fn the_url_of_a_private_target_is_not_a_label() {
    let monitor = |name| Monitor::new(Mute(name));
    let monitors = vec![monitor("http://a/").group("web \"1\""), monitor("b").private(true)];
    let targets = Targets::new(monitors, test_now());
    let text = exposition(&targets, &figures(&Counters::default()), test_now());
    assert_eq!(
        family(&text, "pingstate_target_info"),
        [
            r#"{target="http://a/",group="web \"1\"",probe="http://a/"} 1"#,
            r#"{target="b",group="",probe=""} 1"#,
        ]
    );
}

#[test]
fn a_paused_target_is_neither_up_nor_down() {
    let now = test_now();
    let mut targets = Targets::new(["a", "b"].map(|name| Monitor::new(Mute(name))).into(), now);
    for position in 0..2 {
        targets.fire(targets.id(position), &ProbeResult::down(Reason::Refused, "refused"), now);
    }
    targets.pause(&[targets.id(1)], None, now);
    let text = exposition(&targets, &figures(&Counters::default()), now);
    assert_eq!(family(&text, "pingstate_up"), ["{target=\"a\"} 0"]);
    assert_eq!(family(&text, "pingstate_paused"), ["{target=\"a\"} 0", "{target=\"b\"} 1"]);
    assert!(text.contains("\npingstate_state{target=\"b\",state=\"unknown\"} 1\n"));
}

#[test]
fn a_held_target_is_neither_up_nor_down() {
    let now = test_now();
    let child = Monitor::new(Mute("b")).depends_on("a");
    let mut targets = Targets::new(vec![Monitor::new(Mute("a")), child], now);
    let refused = ProbeResult::down(Reason::Refused, "refused");
    targets.fire(targets.id(0), &refused, now);
    targets.hold(targets.id(1), &refused, now);
    let text = exposition(&targets, &figures(&Counters::default()), now);
    assert_eq!(family(&text, "pingstate_up"), ["{target=\"a\"} 0"]);
    assert_eq!(family(&text, "pingstate_held"), ["{target=\"a\"} 0", "{target=\"b\"} 1"]);
}

#[test]
fn the_daemon_tells_of_itself() {
    let counters = Counters {
        hooks: Hooks { ok: 1, failed: 2, timeout: 3, not_started: 4 },
        webhooks: Webhooks { ok: 5, failed: 6 },
        state_file: StateFile { ok: 7, failed: 8 },
        held_lookups: 7,
    };
    let mut figures = figures(&counters);
    let text = exposition(&Targets::new(Vec::new(), test_now()), &figures, test_now());
    for line in [
        "pingstate_connections{kind=\"dns\"} 0",
        "pingstate_hook_runs_total{result=\"ok\"} 1",
        "pingstate_resolves_held_total 7",
        "pingstate_hook_runs_total{result=\"failed\"} 2",
        "pingstate_hook_runs_total{result=\"timeout\"} 3",
        "pingstate_hook_runs_total{result=\"not_started\"} 4",
        "pingstate_webhook_deliveries_total{result=\"ok\"} 5",
        "pingstate_webhook_deliveries_total{result=\"failed\"} 6",
        "pingstate_webhook_deliveries_total{result=\"dropped\"} 0",
        "pingstate_state_file_writes_total{result=\"ok\"} 7",
        "pingstate_state_file_writes_total{result=\"failed\"} 8",
        concat!("pingstate_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "process_start_time_seconds 1738200000",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line} in {text}");
    }
    assert!(!text.contains("target=") && !text.contains("pingstate_up"));
    assert!(!text.contains("process_cpu"), "what the system does not tell");
    figures.connections = Connections { probe: 1, client: 2, stream: 3, dns: 4 };
    figures.process_stats = ProcessStats {
        cpu: Some(Duration::from_millis(10)),
        resident_bytes: Some(1_048_576),
        virtual_bytes: Some(2_097_152),
        open_fds: Some(9),
        max_fds: Some(1024),
    };
    let text = exposition(&Targets::new(Vec::new(), test_now()), &figures, test_now());
    assert_eq!(
        family(&text, "pingstate_connections"),
        ["{kind=\"probe\"} 1", "{kind=\"client\"} 2", "{kind=\"stream\"} 3", "{kind=\"dns\"} 4"]
    );
    assert_eq!(
        family(&text, "process_"),
        [
            "cpu_seconds_total 0.01",
            "resident_memory_bytes 1048576",
            "virtual_memory_bytes 2097152",
            "open_fds 9",
            "max_fds 1024",
            "start_time_seconds 1738200000",
        ]
    );
}

#[test]
fn replies_to_pings_are_measured() {
    let now = test_now();
    let mut targets = Targets::new(["a", "b", "c"].map(|name| Monitor::new(Mute(name))).into(), now);
    let ms = Duration::from_millis;
    let mut up = ProbeResult::up(ms(2), "3 of 4 replies");
    up.ping = Some(Box::new(PingStats::new(4, &mut [ms(1), ms(2), ms(9)], Some(57))));
    targets.fire(targets.id(0), &up, now);
    let mut down = ProbeResult::down(Reason::NoReply, "no reply");
    down.ping = Some(Box::new(PingStats::new(1, &mut [], None)));
    targets.fire(targets.id(1), &down, now);
    let text = exposition(&targets, &figures(&Counters::default()), now);
    let family = |name| family(&text, name);
    assert_eq!(family("pingstate_ping_loss_ratio"), ["{target=\"a\"} 0.25", "{target=\"b\"} 1"]);
    assert_eq!(family("pingstate_ping_reply_hop_limit"), ["{target=\"a\"} 57"]);
    assert_eq!(
        family("pingstate_ping_rtt_seconds"),
        [
            "{target=\"a\",stat=\"min\"} 0.001",
            "{target=\"a\",stat=\"median\"} 0.002",
            "{target=\"a\",stat=\"max\"} 0.009",
        ]
    );
}

#[test]
fn pieces_are_the_same_text() {
    let t0 = test_now();
    let names: Vec<String> = (0..400).map(|n| format!("{n}{}", "x".repeat(n % 100))).collect();
    let monitors = names.iter().map(|name| Monitor::new(Mute(Box::leak(name.clone().into_boxed_str()))));
    let mut targets = Targets::new(monitors.collect(), t0);
    for position in [3, 399] {
        targets.fire(targets.id(position), &ProbeResult::down(Reason::Refused, "refused"), t0);
    }
    let counters = Counters::default();
    let figures = figures(&counters);
    let (mut position, mut pieces) = (Position::default(), Vec::new());
    loop {
        match position.next_piece(&targets, &figures, t0) {
            piece if piece.is_empty() => break,
            piece => pieces.push(piece),
        }
    }
    let whole = exposition(&targets, &figures, t0);
    assert!(
        pieces.len() > 5 && pieces.iter().all(|piece| piece.len() < PIECE + DAEMON_CAPACITY),
        "{pieces:?}"
    );
    assert_eq!(String::from_utf8(pieces.concat()).expect("text"), whole);
    assert!(position.next_piece(&targets, &figures, t0).is_empty(), "it stays at the end");
}

#[test]
fn the_uptime_is_that_of_the_known_time() {
    let t0 = test_now();
    let at = |s| t0.after(Duration::from_secs(s));
    let mut targets = Targets::new(["a", "new"].map(|name| Monitor::new(Mute(name))).into(), t0);
    let counters = Counters::default();
    let uptimes = |targets: &Targets, now| {
        let text = exposition(targets, &figures(&counters), now);
        family(&text, "pingstate_uptime_ratio").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(!exposition(&targets, &figures(&counters), at(9)).contains("pingstate_uptime_ratio"));
    targets.record_history(90, t0);
    targets.fire(targets.id(0), &ProbeResult::up(Duration::from_millis(1), "fine"), at(1));
    targets.fire(targets.id(0), &ProbeResult::down(Reason::Refused, "refused"), at(2));
    targets.fire(targets.id(0), &ProbeResult::down(Reason::Refused, "refused"), at(3));
    let expected =
        ["24h", "7d", "30d", "90d"].map(|window| format!("{{target=\"a\",window=\"{window}\"}} 0.6666"));
    assert_eq!(uptimes(&targets, at(4)), expected);
}
