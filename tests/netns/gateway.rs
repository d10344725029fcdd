//! Thirty hosts behind a gateway whose link fails: only the gateway is reported, once for each failure.
//!
//! `ROUNDS=10 cargo test --test netns gateway` repeats the failure ten times.

use std::fs;

use crate::common::net::{Namespace, must, run_in_namespace};
use crate::common::*;

const HOSTS: usize = 30;

#[test]
fn a_gateway_that_fails_is_reported_alone() {
    if !run_in_namespace("gateway::a_gateway_that_fails_is_reported_alone") || !has("nsenter", &["--version"])
    {
        return;
    }
    let rounds = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let (gateway, hosts) = (Namespace::new(), Namespace::new());
    let (g, h) = (gateway.pid(), hosts.pid());
    must("ip link set lo up");
    // Without another address, this machine would be the cause.
    must("ip link add wire type bridge");
    must("ip addr add 10.99.0.1/24 dev wire");
    must("ip link set wire up");
    must(&format!("ip link add v1 type veth peer name v2 netns {g}"));
    gateway.must(&format!("ip link add v3 type veth peer name v4 netns {h}"));
    must("ip addr add 10.1.0.1/24 dev v1");
    must("ip link set v1 up");
    gateway.must("ip addr add 10.1.0.2/24 dev v2");
    gateway.must("ip addr add 10.2.0.2/24 dev v3");
    gateway.must("ip link set v2 up");
    gateway.must("ip link set v3 up");
    gateway.must("sysctl -qw net.ipv4.ip_forward=1");
    hosts.must("ip link set v4 up");
    must("ip route add 10.2.0.0/24 via 10.1.0.2");
    let mut config = "--interval 0.3 --timeout 0.2\n".to_owned();
    let log = std::env::temp_dir().join(format!("pingstate-{}-gateway", std::process::id()));
    let file = log.with_extension("conf");
    fs::write(&log, "").expect("written");
    config += &format!(
        "--on-change \"sh -c 'echo $PINGSTATE_TARGET $PINGSTATE_TO $PINGSTATE_HELD >> {}'\" --depends gateway\n",
        log.display()
    );
    for number in 0..HOSTS {
        hosts.must(&format!("ip addr add 10.2.0.{}/24 dev v4", 100 + number));
        config += &format!("host{number} icmp://10.2.0.{}\n", 100 + number);
    }
    hosts.must("ip route add default via 10.2.0.2");
    config += "gateway icmp://10.1.0.2\n";
    fs::write(&file, config).expect("written");
    let daemon = Daemon::start(&["--config", file.to_str().expect("text")]);
    daemon.wait_for_state("up");
    for round in 0..rounds {
        gateway.must("ip link set v2 down");
        let held = "\"held_by\": \"gateway\"";
        eventually("all hosts are held", || {
            let status = daemon.get("/status").1;
            (status.matches(held).count() == HOSTS && status.contains("\"down\": 1,")).then_some(())
        });
        assert_eq!(daemon.state(), "down", "round {round}");
        gateway.must("ip link set v2 up");
        daemon.wait_for_state("up");
    }
    let reported = |to: &str| {
        let text = fs::read_to_string(&log).expect("a file");
        text.lines().filter(|line| line.starts_with(&format!("gateway {to}"))).count()
    };
    eventually("the last report", || (reported("up") == rounds).then_some(()));
    let text = fs::read_to_string(&log).expect("a file");
    println!("{text}");
    assert_eq!((reported("down"), text.lines().count()), (rounds, 2 * rounds), "{text}");
    let (_, metrics) = daemon.get("/metrics");
    assert_eq!(metrics.matches("pingstate_held{").count(), HOSTS + 1);
    drop(daemon);
    let _ = (fs::remove_file(&log), fs::remove_file(&file));
}
