//! Unreachable routes, firewalls and unassigned addresses, in network namespaces: every check ends in time
//! with a reason, and a good address behind bad ones is found.
#![allow(clippy::expect_used, clippy::panic)] // Tests fail by panicking.
#![allow(clippy::disallowed_types)] // Tests may block.

mod common;
#[path = "netns/gateway.rs"]
mod gateway;
#[path = "netns/half_open.rs"]
mod half_open;
#[path = "netns/icmp.rs"]
mod icmp;
#[path = "netns/icmp_routers.rs"]
mod icmp_routers;
#[path = "netns/uplinks.rs"]
mod uplinks;

use std::time::Duration;

use common::dns::NameServer;
use common::net::{must, run, run_in_namespace};
use common::*;
use pingstate::{Monitor, ProbeBuilder, ProbeResult, ResolverConfig, check_all};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const TIMEOUT: Duration = Duration::from_millis(1500);

/// A network with 10.99.0.1/24 and fd99::1/64, where 10.99.0.9 and fd99::9 are silent, 10.99.0.8 is
/// unassigned, and a few routes are unreachable.
fn network() {
    must("ip link set lo up");
    must("ip link add wire type bridge");
    must("ip addr add 10.99.0.1/24 dev wire");
    must("ip link set wire up");
    for last in 1..10 {
        run(&format!(
            "ip neigh add 10.99.0.{}9 lladdr 02:00:00:00:00:0{last} dev wire",
            if last == 9 { String::new() } else { last.to_string() }
        ));
    }
    must("ip route add unreachable 10.98.0.1");
    must("ip route add prohibit 10.98.0.2");
    must("ip route add blackhole 10.98.0.3");
    must("ip route add throw 10.98.0.4");
}

fn has_v6() -> bool {
    let works = run("ip -6 addr add fd99::1/64 dev wire nodad")
        && run("ip -6 neigh add fd99::9 lladdr 02:00:00:00:00:09 dev wire")
        && run("ip -6 route add unreachable fd98::/64");
    if !works {
        common::missing("ipv6");
    }
    works
}

/// Checks all of these at once; returns the results and their times in order.
fn check(urls: &[String], names: ResolverConfig) -> Vec<(ProbeResult, Duration)> {
    let monitors = urls.iter().map(|url| {
        Monitor::new(ProbeBuilder::from_url(url).name(url).timeout(TIMEOUT).build().expect("a target"))
    });
    let monitors: Vec<_> = monitors.collect();
    let mut ends = Vec::new();
    let start = now();
    let record = |checked: &pingstate::CheckEvent<'_>| {
        ends.push((checked.name.to_owned(), checked.result.clone(), now() - start));
    };
    check_all(monitors, names, record).expect("runs");
    ends.sort_by_key(|end| urls.iter().position(|url| *url == end.0));
    for (url, result, took) in &ends {
        println!("{url}: {took:.1?} {}", result.detail);
    }
    ends.into_iter().map(|(_, result, took)| (result, took)).collect()
}

#[test]
fn unreachable_addresses_are_reported_with_a_reason() {
    if !run_in_namespace("unreachable_addresses_are_reported_with_a_reason") {
        return;
    }
    network();
    let mut wanted = vec![
        ("tcp://10.98.0.1:80", "cannot connect to 10.98.0.1:80: no route to host"),
        ("tcp://10.98.0.2:80", "cannot connect to 10.98.0.2:80: administratively prohibited"),
        ("tcp://10.98.0.3:80", "cannot connect to 10.98.0.3:80: no route to host (blackhole)"),
        ("tcp://10.98.0.4:80", "cannot connect to 10.98.0.4:80: network is unreachable"),
        ("tcp://10.97.0.1:80", "cannot connect to 10.97.0.1:80: network is unreachable"),
        ("tcp://10.99.0.1:1", "connection refused by 10.99.0.1:1"),
        ("tcp://10.99.0.9:80", "timed out after 1.5 s: no answer to connecting to 10.99.0.9:80"),
        ("tcp://10.99.0.8:80", "timed out after 1.5 s: no answer to connecting to 10.99.0.8:80"),
        ("http://10.99.0.9/", "timed out after 1.5 s: no answer to connecting to 10.99.0.9:80"),
    ];
    if has_v6() {
        must("ip -6 route add blackhole fd98:1::/64");
        must("ip -6 route add prohibit fd98:2::/64");
        wanted.push(("tcp://[fd98::1]:80", "cannot connect to [fd98::1]:80: no route to host"));
        wanted
            .push(("tcp://[fd98:1::1]:80", "cannot connect to [fd98:1::1]:80: no route to host (blackhole)"));
        wanted
            .push(("tcp://[fd98:2::1]:80", "cannot connect to [fd98:2::1]:80: administratively prohibited"));
        wanted.push(("tcp://[fd97::1]:80", "cannot connect to [fd97::1]:80: network is unreachable"));
        wanted.push(("tcp://[fd99::9]:80", "timed out after 1.5 s: no answer to connecting to [fd99::9]:80"));
    }
    let urls: Vec<_> = wanted.iter().map(|(url, _)| (*url).to_owned()).collect();
    for ((url, says), (result, _)) in wanted.iter().zip(check(&urls, ResolverConfig::default())) {
        assert!(!result.ok && result.detail.starts_with(says), "{url}: {result:?}");
    }
}

#[test]
fn firewall_drops_and_rejects_are_reported_with_a_reason() {
    if !run_in_namespace("firewall_drops_and_rejects_are_reported_with_a_reason") {
        return;
    }
    network();
    let rules = [
        (8001, "drop"),
        (8002, "reject with tcp reset"),
        (8003, "reject"),
        (8004, "reject with icmp type admin-prohibited"),
        (8005, "reject with icmp type host-unreachable"),
    ];
    let has_nft = run("nft add table ip t")
        && run("nft add chain ip t in { type filter hook input priority 0 ; }")
        && rules.iter().all(|(port, rule)| run(&format!("nft add rule ip t in tcp dport {port} {rule}")))
        && run("nft add chain ip t out { type filter hook output priority 0 ; }")
        && run("nft add rule ip t out tcp dport 8006 drop")
        && run("nft add rule ip t out tcp dport 8007 reject with tcp reset");
    if !has_nft {
        common::missing("nft");
        return;
    }
    let says = [
        (8001, "timed out after 1.5 s: no answer to connecting"),
        (8002, "connection refused by"),
        (8003, "connection refused by"),
        (8004, "cannot connect to 10.99.0.1:8004: no route to host"),
        (8005, "cannot connect to 10.99.0.1:8005: no route to host"),
        (8006, "timed out after 1.5 s: no answer to connecting"),
        (8007, "connection refused by"),
    ];
    let urls: Vec<_> = says.iter().map(|(port, _)| format!("tcp://10.99.0.1:{port}")).collect();
    for ((port, says), (result, _)) in says.iter().zip(check(&urls, ResolverConfig::default())) {
        assert!(!result.ok && result.detail.starts_with(says), "{port}: {result:?}");
    }
    // A daemon with a target that is blocked by a firewall from time to time.
    let server = Server::start_at("10.99.0.1:0".parse().expect("an address"), |mut stream| {
        read_head(&stream);
        let _ = std::io::Write::write_all(&mut stream, OK.as_bytes());
    });
    let daemon = Daemon::start(&["--interval", "0.2", "--timeout", "0.5", &server.url("http")]);
    daemon.wait_for_state("up");
    must(&format!("nft insert rule ip t in tcp dport {} drop", server.address.port()));
    daemon.wait_for_state("down");
    must("nft flush chain ip t in");
    daemon.wait_for_state("up");
}

#[test]
fn a_good_address_behind_bad_ones_is_found() {
    if !run_in_namespace("a_good_address_behind_bad_ones_is_found") {
        return;
    }
    network();
    let v6 = has_v6();
    let server = Server::start_at("10.99.0.1:0".parse().expect("an address"), |mut stream| {
        read_head(&stream);
        let _ = std::io::Write::write_all(&mut stream, OK.as_bytes());
    });
    let names = NameServer::start(|question| {
        let addresses: &[&str] = match &*question.name {
            "holes.example" => &["10.99.0.9", "10.99.0.19", "10.99.0.29", "10.99.0.1"],
            "routes.example" => &["10.98.0.1", "10.98.0.2", "10.98.0.3", "10.97.0.1", "10.99.0.1"],
            "six.example" => &["fd98::1", "fd97::1", "10.99.0.1"],
            "silent6.example" => &["fd99::9", "10.99.0.1"],
            _ => &[],
        };
        vec![question.addresses(addresses, 0)]
    });
    let names = || ResolverConfig::default().servers([names.address]);
    let url = |name: &str| format!("http://{name}.example:{}/", server.address.port());
    // Each silent address delays the next one by 250 ms. A check that is later than `TIMEOUT` is not up.
    let mut wanted = vec![("holes", 740), ("routes", 0)];
    if v6 {
        wanted.extend([("six", 0), ("silent6", 240)]);
    }
    for (name, least) in wanted {
        let (result, took) = check(&[url(name)], names()).pop().expect("a result");
        assert!(result.ok, "{name}: {result:?}");
        assert!(took.as_millis() >= least, "{name}: {took:?}");
    }
    // The same from the hosts file.
    let hosts = std::env::temp_dir().join(format!("pingstate-{}-holes", std::process::id()));
    let text = "10.99.0.9 h.example\n10.99.0.19 h.example\n10.99.0.29 h.example\n10.99.0.1 h.example\n";
    std::fs::write(&hosts, text).expect("written");
    let (result, took) = check(&[url("h")], names().hosts(&hosts)).pop().expect("a result");
    let _ = std::fs::remove_file(&hosts);
    assert!(result.ok && took.as_millis() >= 740, "{took:?} {result:?}");
}

/// The network goes down and comes back while a daemon runs.
#[test]
fn target_recovers_with_the_network() {
    if !run_in_namespace("target_recovers_with_the_network") {
        return;
    }
    network();
    let server = Server::start_at("10.99.0.1:0".parse().expect("an address"), |mut stream| {
        read_head(&stream);
        let _ = std::io::Write::write_all(&mut stream, OK.as_bytes());
    });
    let names = NameServer::start_at("10.99.0.1:0", |q| vec![q.addresses(&["10.99.0.1"], 0)]);
    let url = format!("http://db.example:{}/", server.address.port());
    let dns = names.address.to_string();
    let daemon = Daemon::start(&["--interval", "0.2", "--timeout", "0.5", "--dns", &dns, &url]);
    daemon.wait_for_state("up");
    // Another network still works.
    must("ip link add lan type bridge");
    must("ip addr add 10.97.0.1/24 dev lan");
    must("ip link set lan up");
    must("ip addr del 10.99.0.1/24 dev wire");
    daemon.wait_for_state("down");
    println!("{}", daemon.get("/status").1);
    must("ip addr add 10.99.0.1/24 dev wire");
    daemon.wait_for_state("up");
}

/// Without an address of this machine, failures are its own: the state stays.
#[test]
fn a_machine_without_an_address_reports_no_failures() {
    if !run_in_namespace("a_machine_without_an_address_reports_no_failures") {
        return;
    }
    network();
    let server = Server::start_at("10.99.0.1:0".parse().expect("an address"), |_| {});
    let (target, name) = (format!("tcp://{}", server.address), "tcp://db.example:1");
    let args = ["--interval", "0.2", "--timeout", "0.5", "--fall", "1", "--dns", "10.99.0.1", &target, name];
    let daemon = Daemon::start(&args);
    daemon.wait_for_state("down");
    assert!(daemon.get(&format!("/targets/{}/state", server.address)).1.ends_with("up\n"));
    let none = || -> u64 {
        let metrics = daemon.get("/metrics").1;
        let lines = metrics.lines().filter(|line| line.contains("result=\"none\""));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    };
    assert_eq!(none(), 0);
    must("ip addr del 10.99.0.1/24 dev wire");
    eventually("checks without a result", || (none() > 20).then_some(()));
    assert!(daemon.get(&format!("/targets/{}/state", server.address)).1.ends_with("up\n"));
    let lines: Vec<_> = std::iter::from_fn(|| Some(daemon.next_line()))
        .take_while(|line| !line.contains("no result"))
        .collect();
    assert!(lines.len() <= 2, "two targets were checked: {lines:?}");
    assert!(daemon.no_line(), "one line per minute");
    // The server ends with a connection to itself.
    must("ip addr add 10.99.0.1/24 dev wire");
}

/// With 64 local ports, one in a few dozen connections to a port without a listener connects to itself.
#[test]
fn self_connection_is_refused_and_the_port_stays_free() {
    if !run_in_namespace("self_connection_is_refused_and_the_port_stays_free") {
        return;
    }
    must("ip link set lo up");
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40063").expect("set");
    let mut targets = vec!["tcp://127.0.0.1:40010", "tcp://0.0.0.0:40012", "http://127.0.0.1:40014/"];
    if run("ip addr add fd99::1/128 dev lo nodad") {
        targets.extend(["tcp://[::1]:40016", "tcp://[fd99::1]:40018"]);
    }
    must("ip addr add 10.99.0.1/32 dev lo");
    targets.push("tcp://10.99.0.1:40020");
    let mut args = vec!["--interval", "0.01", "--fall", "1", "--api-port", "8787"];
    args.extend(&targets);
    let mut command = pingstate();
    command.args(&args);
    let daemon = Daemon::spawn(command);
    let checks = || -> usize {
        let (_, metrics) = daemon.get("/metrics");
        let counts = metrics.lines().filter(|line| line.starts_with("pingstate_checks_total{"));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
    };
    eventually("checks", || (checks() > 1000 * targets.len()).then_some(()));
    let (_, metrics) = daemon.get("/metrics");
    let good = metrics.lines().filter(|line| line.contains("result=\"ok\"") && !line.ends_with(" 0"));
    assert_eq!(good.collect::<Vec<_>>(), Vec::<&str>::new(), "a check that nothing has answered");
    for _ in &targets {
        let line = daemon.next_line();
        assert!(line.contains("connection refused"), "{line}");
    }
    assert!(daemon.no_line(), "no target was ever up");
    for target in targets {
        let address = target.rsplit_once("//").expect("a URL").1.trim_end_matches('/');
        // The port would be in use if the daemon's connections had left it in TIME_WAIT.
        std::net::TcpListener::bind(address).expect(address);
    }
}

/// A query to a port without a name server is refused, also if it is sent from that port.
#[test]
fn query_sent_to_itself_is_refused() {
    if !run_in_namespace("query_sent_to_itself_is_refused") {
        return;
    }
    network();
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40015").expect("set");
    let args = ["--interval", "0.01", "--timeout", "0.5", "--dns", "127.0.0.1:40010"];
    let mut command = pingstate();
    command.args(args).args(["--api-port", "8787", "tcp://db.example:1"]);
    let daemon = Daemon::spawn(command);
    let failures = |reason: &str| -> usize {
        let (_, metrics) = daemon.get("/metrics");
        let start = "pingstate_failures_total{";
        let mut lines = metrics.lines().filter(|line| line.starts_with(start));
        let line = lines.find(|line| line.contains(&format!("\"{reason}\"")));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
    };
    eventually("failures", || (failures("dns_failed") > 200).then_some(()));
    assert_eq!(failures("dns_timeout"), 0);
}

/// Lack of a free local port is no failure of the target: the check retries within its timeout.
#[test]
fn local_port_exhaustion_is_a_local_failure_and_retried() {
    if !run_in_namespace("local_port_exhaustion_is_a_local_failure_and_retried") {
        return;
    }
    network();
    let v6 = has_v6();
    let listen = |address: &str| std::net::TcpListener::bind(address).expect(address);
    let mut listeners = vec![listen("10.99.0.1:80")];
    if v6 {
        listeners.push(listen("[::1]:80"));
        // Reachable, but no local address can be used as the source.
        must("ip link add bare type bridge");
        must("ip link set bare addrgenmode none");
        must("ip link set bare up");
        must("ip -6 route add fd50::/64 dev bare");
        must("ip -6 addr del ::1/128 dev lo");
        must("ip -6 addr flush dev wire");
        let (result, _) = check(&["tcp://[fd50::1]:80".to_owned()], ResolverConfig::default()).remove(0);
        assert_eq!(result.reason.map(|reason| reason.as_str()), Some("unreachable"), "{result:?}");
        must("ip -6 addr add ::1/128 dev lo");
        // The kernel makes a new address usable in the background.
        eventually("the address ::1", || std::net::UdpSocket::bind("[::1]:0").ok());
    }
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40003").expect("set");
    // Listening on all addresses: none of the ports can be reused for any destination.
    let held: Vec<_> = (40000..40004).map(|port| listen(&format!("[::]:{port}"))).collect();
    let targets = listeners.iter().map(|listener| listener.local_addr().expect("bound"));
    let targets: Vec<_> = targets.map(|address| format!("tcp://{address}")).collect();
    for (result, took) in check(&targets, ResolverConfig::default()) {
        assert_eq!(result.reason.map(|reason| reason.as_str()), Some("local"), "{result:?}");
        assert!(result.detail.contains("no local port is free"), "{result:?}");
        assert!(took >= TIMEOUT, "tried again until its time is up: {took:?}");
    }
    let names = ResolverConfig::default().servers(["10.99.0.1:53".parse().expect("an address")]);
    let monitors = targets
        .iter()
        .map(|url| Monitor::new(ProbeBuilder::from_url(url).timeout(PATIENCE).build().expect("a target")));
    let monitors: Vec<_> = monitors.collect();
    let late = std::thread::spawn(move || {
        #[allow(clippy::disallowed_methods)] // The checks must fail for a while.
        std::thread::sleep(Duration::from_millis(300));
        drop(held);
    });
    check_all(monitors, names, |checked| assert!(checked.result.ok, "{:?}", checked.result)).expect("runs");
    late.join().expect("ends");
}
