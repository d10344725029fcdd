//! Pings of hosts behind a router, in a network namespace of its own, that reports errors.

use std::fs;

use pingstate::{Monitor, Reason, ResolverConfig, check_all};

use crate::common::net::{Namespace, must, run_in_namespace};
use crate::common::*;
use crate::icmp::{RANGE, RANGES, check, loopback, metric, probe, set};

const SILENT: &str = "host unreachable: it, or the router to it, does not answer on the local network";

#[test]
fn errors_of_routers_are_the_reason() {
    if !run_in_namespace("icmp_routers::errors_of_routers_are_the_reason") || !has("nsenter", &["--version"])
    {
        return;
    }
    let has_v6 = loopback().len() > 1;
    let (router, host) = (Namespace::new(), Namespace::new());
    let (r, h) = (router.pid(), host.pid());
    must(&format!("ip link add v1 type veth peer name v2 netns {r}"));
    router.must(&format!("ip link add v3 type veth peer name v4 netns {h}"));
    must("ip addr add 10.1.0.1/24 dev v1");
    must("ip link set v1 up");
    router.must("ip addr add 10.1.0.2/24 dev v2");
    router.must("ip addr add 10.2.0.2/24 dev v3");
    router.must("ip link set v2 up");
    router.must("ip link set v3 up");
    router.must("ip link set lo up");
    host.must("ip addr add 10.2.0.1/24 dev v4");
    host.must("ip link set v4 up");
    must("ip route add default via 10.1.0.2");
    host.must("ip route add default via 10.2.0.2");
    router.must("ip route add unreachable 10.3.0.0/24");
    router.must("ip route add prohibit 10.4.0.0/24");
    must("ip route add unreachable 10.5.0.0/24");
    router.must("sysctl -qw net.ipv4.ip_forward=1");
    // The limit of ICMP errors per destination.
    router.must("sysctl -qw net.ipv4.icmp_ratelimit=0");
    must("sysctl -qw net.ipv4.neigh.v1.retrans_time_ms=20");
    let mut expected = vec![
        ("icmp://10.2.0.1", 64, None, "reply in "),
        ("icmp://10.2.0.1", 2, None, "reply in "),
        ("icmp://10.2.0.1", 1, Some(Reason::TtlExceeded), "time to live exceeded, reported by 10.1.0.2"),
        ("icmp://10.3.0.1", 64, Some(Reason::Unreachable), "host unreachable, reported by 10.1.0.2"),
        (
            "icmp://10.4.0.1",
            64,
            Some(Reason::Unreachable),
            "administratively prohibited, reported by 10.1.0.2",
        ),
        ("icmp://10.5.0.1", 64, Some(Reason::Unreachable), "cannot reach 10.5.0.1: no route to host"),
        // No answer to ARP.
        ("icmp://10.1.0.9", 64, Some(Reason::Unreachable), SILENT),
    ];
    if has_v6 {
        must("sysctl -qw net.ipv6.neigh.v1.retrans_time_ms=20");
        must("ip addr add fd01::1/64 dev v1 nodad");
        router.must("ip addr add fd01::2/64 dev v2 nodad");
        router.must("ip addr add fd02::2/64 dev v3 nodad");
        host.must("ip addr add fd02::1/64 dev v4 nodad");
        must("ip -6 route add default via fd01::2");
        host.must("ip -6 route add default via fd02::2");
        router.must("ip -6 route add unreachable fd03::/64");
        router.must("ip -6 route add prohibit fd04::/64");
        must("ip -6 route add unreachable fd05::/64");
        router.must("sysctl -qw net.ipv6.conf.all.forwarding=1");
        router.must("sysctl -qw net.ipv6.icmp.ratelimit=0");
        expected.extend([
            ("icmp://[fd02::1]", 64, None, "reply in "),
            ("icmp://[fd02::1]", 1, Some(Reason::TtlExceeded), "hop limit exceeded, reported by fd01::2"),
            ("icmp://[fd03::1]", 64, Some(Reason::Unreachable), "no route to host, reported by fd01::2"),
            (
                "icmp://[fd04::1]",
                64,
                Some(Reason::Unreachable),
                "administratively prohibited, reported by fd01::2",
            ),
            ("icmp://[fd01::9]", 64, Some(Reason::Unreachable), SILENT),
            ("icmp://[fd05::1]", 64, Some(Reason::Unreachable), "cannot reach fd05::1: no route to host"),
        ]);
    }
    for range in RANGES {
        set(RANGE, range);
        for (url, ttl, reason, detail) in &expected {
            // The first packets to a neighbour may be lost while it is resolved.
            let result = eventually("the expected detail", || {
                let result = check(vec![probe(url).ping_ttl(*ttl)]).remove(0);
                result.detail.starts_with(detail).then_some(result)
            });
            assert_eq!(result.reason, *reason, "{url}: {result:?}");
            let hops = result.ping.as_ref().and_then(|ping| ping.hop_limit);
            assert_eq!(hops, reason.is_none().then_some(63), "{url}: {result:?}");
        }
        // Errors about the requests of another process to the same host are not about these.
        let other = Daemon::start(&["--interval", "0.01", "--ping-ttl", "1", "icmp://10.2.0.1"]);
        other.wait_for_state("down");
        let args =
            ["--interval", "0.02", "--ping-count", "3", "--ping-required", "3", "--ping-interval", "5ms"];
        let daemon = Daemon::start(&[&args[..], &["icmp://10.2.0.1"]].concat());
        let checks = |result: &str| {
            metric(&daemon, &format!("pingstate_checks_total{{target=\"10.2.0.1\",result=\"{result}\"}}"))
        };
        eventually("100 checks", || checks("ok").filter(|count| *count > 100.0));
        assert_eq!(checks("fail"), Some(0.0), "{}", daemon.get("/status").1);
        assert!(other.get("/status").1.contains("\"error\": \"ttl_exceeded\""));
        if range == RANGES[0] && has_v6 {
            // Without a route over IPv6, a name is pinged over IPv4.
            let hosts = std::env::temp_dir().join(format!("pingstate-{}-hosts", std::process::id()));
            fs::write(&hosts, "fd05::1 both.example\n10.2.0.1 both.example\n").expect("written");
            let both = Monitor::new(probe("icmp://both.example").build().expect("a probe"));
            let mut address = None;
            let record = |checked: &pingstate::CheckEvent<'_>| {
                address = checked.result.address.filter(|_| checked.result.ok);
            };
            check_all([both], ResolverConfig::default().hosts(&hosts), record).expect("runs");
            let _ = fs::remove_file(&hosts);
            assert_eq!(address, "10.2.0.1:0".parse().ok());
        }
    }
}
