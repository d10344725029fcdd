//! Pings over ping sockets and raw ones: permissions, loss, other processes, routers that report errors.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use pingstate::{Monitor, ProbeBuilder, ProbeResult, ProbeWarning, Reason, ResolverConfig, check_all};
use socket2::{Domain, Protocol, Socket, Type};

use crate::common::net::{must, run, run_in_namespace};
use crate::common::*;

pub(crate) const RANGE: &str = "/proc/sys/net/ipv4/ping_group_range";

/// Values of the sysctl: the first permits ping sockets to all groups, the second to none, so that raw ones are used.
pub(crate) const RANGES: [&str; 2] = ["0 2147483647", "1 0"];

pub(crate) fn probe(url: &str) -> ProbeBuilder {
    ProbeBuilder::from_url(url).name(url)
}

/// Checks all of these at once; returns the results in order.
pub(crate) fn check(probes: Vec<ProbeBuilder>) -> Vec<ProbeResult> {
    let probes: Vec<_> = probes.into_iter().map(|probe| probe.build().expect("a probe")).collect();
    let names = probes.iter().map(|probe| pingstate::Probe::name(probe).to_owned()).collect::<Vec<_>>();
    let mut results = vec![None; names.len()];
    check_all(probes.into_iter().map(Monitor::new), ResolverConfig::default(), |checked| {
        println!("{}: {}", checked.name, checked.result.detail);
        let index = names.iter().position(|name| name == checked.name).expect("a target");
        results[index] = Some(checked.result.clone());
    })
    .expect("runs");
    results.into_iter().map(|result| result.expect("a result")).collect()
}

pub(crate) fn set(path: &str, value: &str) {
    fs::write(path, value).expect(path);
}

/// The value of the metric with these labels.
pub(crate) fn metric(daemon: &Daemon, name: &str) -> Option<f64> {
    let (_, metrics) = daemon.get("/metrics");
    metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// Both address families, if there are two.
pub(crate) fn loopback() -> Vec<&'static str> {
    must("ip link set lo up");
    match run("ip -6 addr show dev lo to ::1") && fs::metadata("/proc/sys/net/ipv6").is_ok() {
        true => vec!["icmp://127.0.0.1", "icmp://[::1]"],
        false => {
            missing("ipv6");
            vec!["icmp://127.0.0.1"]
        }
    }
}

#[test]
fn replies_arrive_over_both_kinds_of_sockets() {
    if !run_in_namespace("icmp::replies_arrive_over_both_kinds_of_sockets") {
        return;
    }
    let urls = loopback();
    for range in RANGES {
        set(RANGE, range);
        let probe = |url: &&str| {
            probe(url).ping_count(5).ping_required(5).ping_interval(Duration::from_millis(5)).ping_size(1400)
        };
        for result in check(urls.iter().map(probe).collect()) {
            assert!(result.ok && result.detail.starts_with("5 of 5 replies, "), "{result:?}");
            let ping = result.ping.expect("measured");
            assert_eq!((ping.sent, ping.received, ping.hop_limit), (5, 5, Some(64)));
            assert!(ping.rtt.is_some_and(|rtt| rtt.min <= rtt.median && rtt.median <= rtt.max));
            assert_eq!(result.latency, ping.rtt.map(|rtt| rtt.median));
        }
        // A raw socket over loopback receives its requests, too.
        let hops = check(vec![probe(&"icmp://127.0.0.1").ping_ttl(7)]);
        assert_eq!(hops[0].ping.as_ref().and_then(|ping| ping.hop_limit), Some(64), "{hops:?}");
    }
}

#[test]
fn missing_permission_is_an_error_at_the_start() {
    if !run_in_namespace("icmp::missing_permission_is_an_error_at_the_start")
        || !has("setpriv", &["--bounding-set=-net_raw", "true"])
    {
        return;
    }
    loopback();
    let file = std::env::temp_dir().join(format!("pingstate-{}-icmp.conf", std::process::id()));
    fs::write(&file, "web tcp://127.0.0.1:1\nrouter ping://127.0.0.1\nnas icmp://127.0.0.2\n")
        .expect("written");
    let path = file.to_str().expect("text");
    let unprivileged = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        command.arg("--bounding-set=-net_raw").arg(binary()).args(args);
        command
    };
    let end = |args: &[&str]| {
        let output = unprivileged(args).output().expect("runs");
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        (output.status.code(), text)
    };
    let once: &[&str] = &["--once", "icmp://127.0.0.1"];
    let check_config: &[&str] = &["--config", path, "--check-config"];
    set(RANGE, "1 0");
    for (args, place) in [
        (once, String::new()),
        (&["icmp://127.0.0.1", "--api-port", "0"], String::new()),
        (check_config, format!("{path}:2: ")),
        (&["--config", path, "--api-port", "0"], format!("{path}:2: ")),
    ] {
        let expected = format!(
            "pingstate: {place}no permission for ICMP sockets: set the sysctl net.ipv4.ping_group_range to \
             \"0 2147483647\", grant the capability CAP_NET_RAW, or run as root\n"
        );
        assert_eq!(end(args), (Some(2), expected), "{args:?}");
    }
    assert_eq!(end(&["--once", "tcp://127.0.0.1:1"]).0, Some(1), "other targets need no permission");
    set(RANGE, "0 2147483647");
    assert_eq!(end(once).0, Some(0));
    assert_eq!(end(check_config), (Some(0), format!("{path}: 3 targets, ok\n")));

    // A reload is refused as well, and the targets stay.
    fs::write(&file, "web tcp://127.0.0.1:1\n").expect("written");
    let daemon = Daemon::spawn(unprivileged(&["--config", path, "--api-port", "0"]));
    set(RANGE, "1 0");
    fs::write(&file, "web tcp://127.0.0.1:1\nrouter icmp://127.0.0.1\n").expect("written");
    daemon.signal("-HUP");
    eventually("a refused reload", || {
        daemon.next_line().contains(":2: no permission for ICMP").then_some(())
    });
    assert_eq!(daemon.get("/targets/router").0, 404);
    let _ = fs::remove_file(&file);
}

#[test]
fn lost_requests_are_counted() {
    if !run_in_namespace("icmp::lost_requests_are_counted") {
        return;
    }
    let urls = loopback();
    let has_nft = run("nft add table inet t")
        && run("nft add chain inet t in { type filter hook input priority 0 ; }")
        && run("nft add rule inet t in icmp type echo-reply numgen inc mod 4 0 drop")
        && run("nft add rule inet t in icmpv6 type echo-reply numgen inc mod 4 0 drop");
    if !has_nft {
        missing("nft");
        return;
    }
    for range in RANGES {
        set(RANGE, range);
        for url in &urls {
            let burst = |required, loss| {
                let interval = Duration::from_millis(10);
                let timeout = Duration::from_millis(300);
                let probe = probe(url).ping_count(4).ping_required(required).ping_interval(interval);
                check(vec![probe.ping_loss(loss).timeout(timeout)]).remove(0)
            };
            for (required, loss, ok, warns) in
                [(1, 24, true, true), (1, 25, true, false), (4, 25, false, false)]
            {
                let result = burst(required, loss);
                assert_eq!(result.ok, ok, "{result:?}");
                assert_eq!(result.warnings.contains(ProbeWarning::Loss), warns, "{result:?}");
                assert!(result.detail.starts_with("3 of 4 replies, "), "{result:?}");
                assert_eq!(result.reason, (!ok).then_some(Reason::NoReply));
                let ping = result.ping.expect("measured");
                assert_eq!((ping.sent, ping.received), (4, 3));
            }
        }
        let args = ["--interval", "0.5", "--timeout", "0.3", "--ping-count", "4", "--ping-interval", "10ms"];
        let daemon = Daemon::start(&[&args[..], &["--ping-loss", "20", urls[0]]].concat());
        daemon.wait_for_state("degraded");
        let status = daemon.get("/status").1;
        for part in ["\"warnings\": [\n    \"loss\"\n  ],\n", "\n  \"ping\": {\n    \"sent\": 4,"] {
            assert!(status.contains(part), "{status}");
        }
        assert_eq!(metric(&daemon, "pingstate_ping_loss_ratio{target=\"127.0.0.1\"}"), Some(0.25));
        assert_eq!(metric(&daemon, "pingstate_ping_reply_hop_limit{target=\"127.0.0.1\"}"), Some(64.0));
        assert_eq!(metric(&daemon, "probe_icmp_reply_hop_limit"), None, "that is a series of /probe");
        assert!(daemon.get("/probe?target=127.0.0.1").1.contains("\nprobe_icmp_reply_hop_limit 64\n"));
    }
}

/// The replies to each of them reach the raw sockets of all.
#[test]
fn several_processes_ping_the_same_host() {
    if !run_in_namespace("icmp::several_processes_ping_the_same_host") {
        return;
    }
    let urls = loopback();
    for range in RANGES {
        set(RANGE, range);
        let args =
            ["--interval", "0.02", "--ping-count", "2", "--ping-required", "2", "--ping-interval", "2ms"];
        let daemons = [(); 3].map(|()| Daemon::start(&[&args[..], &urls].concat()));
        for url in &urls {
            let name = url.trim_start_matches("icmp://");
            let count = |daemon, result: &str| {
                let labels = format!("target=\"{name}\",result=\"{result}\"");
                metric(daemon, &format!("pingstate_checks_total{{{labels}}}")).unwrap_or_default()
            };
            for daemon in &daemons {
                eventually("200 checks", || (count(daemon, "ok") > 200.0).then_some(()));
                assert_eq!(count(daemon, "fail"), 0.0, "{}", daemon.get("/status").1);
            }
        }
    }
}

/// A host that answers each request with several replies, also forged and late ones.
#[test]
fn duplicate_late_and_forged_replies_are_not_counted() {
    if !run_in_namespace("icmp::duplicate_late_and_forged_replies_are_not_counted") {
        return;
    }
    loopback();
    set("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1");
    let host = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).expect("a raw socket");
    host.bind(&SocketAddr::from(([127, 0, 0, 7], 0)).into()).expect("bound");
    thread::spawn(move || {
        let mut packet = [0; 2048];
        // Socket implements Read by reference.
        while let Ok(len) = std::io::Read::read(&mut &host, &mut packet) {
            let message = packet[20..len].to_vec();
            if message[0] != 8 {
                continue;
            }
            let to = SocketAddr::from(([127, 0, 0, 1], 0)).into();
            let replies: &[(u64, usize)] = match message.len() {
                // A forged cookie, a forged sequence number, then the reply twice.
                // The time in milliseconds, and the byte that is forged (or none).
                24 => &[(0, 8), (0, 7), (0, 2000), (0, 2000)],
                _ => &[(300, 2000)],
            };
            for (delay, forged) in replies {
                let mut reply = message.clone();
                reply[0] = 0;
                if let Some(byte) = reply.get_mut(*forged) {
                    *byte ^= 1;
                }
                reply[2..4].fill(0);
                let sum: u32 = reply.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
                let folded = (sum & 0xffff) + (sum >> 16);
                reply[2..4].copy_from_slice(&(!(folded as u16)).to_be_bytes());
                #[allow(clippy::disallowed_methods)] // The reply is late.
                thread::sleep(Duration::from_millis(*delay));
                host.send_to(&reply, &to).expect("sent");
            }
        }
    });
    for range in RANGES {
        set(RANGE, range);
        let three = probe("icmp://127.0.0.7").ping_count(3).ping_required(3);
        let result = check(vec![three.ping_interval(Duration::from_millis(20))]).remove(0);
        assert!(result.detail.starts_with("3 of 3 replies, "), "{result:?}");
        // The replies to each check arrive during the next one.
        let args = ["--interval", "0.25", "--timeout", "0.2", "--ping-size", "18", "icmp://127.0.0.7"];
        let daemon = Daemon::start(&args);
        let failures = "pingstate_failures_total{target=\"127.0.0.7\",reason=\"no_reply\"}";
        eventually("late replies", || metric(&daemon, failures).filter(|count| *count >= 5.0));
        assert_eq!(metric(&daemon, "pingstate_checks_total{target=\"127.0.0.7\",result=\"ok\"}"), Some(0.0));
        let status = daemon.get("/status").1;
        let detail = "\"last_detail\": \"timed out after 0.2 s waiting for a reply from 127.0.0.7\"";
        assert!(status.contains(detail), "{status}");
    }
}
