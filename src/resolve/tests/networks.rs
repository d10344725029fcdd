//! Lookups of targets with network settings of their own.

use super::*;
use crate::network::AddressFamily;

const ONE: &str = "nameserver 10.0.0.1\n";

fn network(interface: &str, servers: &[&str]) -> Arc<Network> {
    let servers = servers.iter().map(|server| server.parse().unwrap()).collect();
    Arc::new(Network { interface: Some(interface.to_owned()), servers, ..Network::default() })
}

/// Each server answers with an address that ends with the last number of its own.
fn world() -> World {
    World::new(ONE, |ask| send(ask.with(&[&format!("192.0.2.{}", ask.host())])))
}

#[test]
fn each_network_has_its_own_servers_and_answers() {
    let mut world = world();
    let [one, two] = [network("wan1", &["10.0.0.11:53"]), network("wan2", &["10.0.0.12:53"])];
    for network in [&one, &two, &one] {
        world.lookup_on(network, "a.example");
        world.run(100);
    }
    world.lookup("a.example");
    world.run(100);
    let said =
        ["0 2 found 192.0.2.11", "1 102 found 192.0.2.12", "2 200 found 192.0.2.11", "3 302 found 192.0.2.1"];
    assert_eq!(world.said, said, "the third is cached");
    let queried: Vec<_> =
        world.networks.iter().map(|network| network.as_ref().map(|n| n.interface.clone())).collect();
    let [wan1, wan2] = ["wan1", "wan2"].map(|name| Some(Some(name.to_owned())));
    assert_eq!(queried, [wan1.clone(), wan1, wan2.clone(), wan2, None, None]);
    world.assert_quiet();
}

#[test]
fn equal_settings_share_queries_and_answers() {
    let mut world = world();
    for _ in 0..2 {
        world.lookup_on(&network("wan1", &[]), "a.example");
    }
    world.run(100);
    world.lookup_on(&network("wan1", &[]), "a.example");
    assert_eq!(world.asked.len(), 2);
    let zone = Network { zone: Some("eth0".to_owned()), ..Network::default() };
    world.lookup("b.example");
    world.lookup_on(&Arc::new(zone), "b.example");
    world.run(100);
    assert_eq!(world.asked.len(), 4, "a zone does not change lookups");
}

#[test]
fn a_name_server_on_this_machine_is_queried_without_a_binding() {
    let mut world = world();
    let local = network("wan1", &["127.0.0.53:53", "10.0.0.2:53"]);
    world.lookup_on(&local, "a.example");
    let note = world.resolver.take_note().expect("a note");
    assert!(note.starts_with("the name server 127.0.0.53 is on this machine: --interface, "), "{note}");
    world.run(100);
    assert_eq!(world.networks, [None, None]);
    world.lookup_on(&local, "b.example");
    assert_eq!(world.resolver.take_note(), None, "once");
    world.run(100);
    let (server, network) = world.resolver.name_server(Some(&local));
    assert_eq!((server.to_string(), network), ("127.0.0.53:53".to_owned(), None));
}

#[test]
fn only_addresses_of_the_family_are_asked_for() {
    for (family, kind, address) in [(AddressFamily::V4, "A", BOTH[0]), (AddressFamily::V6, "AAAA", BOTH[1])] {
        let mut world = World::new(ONE, |ask| send(ask.with(&BOTH)));
        world.lookup_on(&Arc::new(Network { family, ..Network::default() }), "a.example");
        world.run(100);
        assert_eq!(world.asked, [format!("0 Udp 10.0.0.1 {kind} a.example")]);
        assert_eq!(world.said, [format!("0 2 found {address}")]);
        let mut world = World::new(ONE, |ask| send(ask.code(NXDOMAIN)));
        world.lookup_on(&Arc::new(Network { family, ..Network::default() }), "a.example");
        world.run(2000);
        let said = "0 2 dns_not_found: name does not exist: a.example (asked 10.0.0.1)";
        assert_eq!(world.said, [said]);
    }
}

#[test]
fn settings_without_targets_are_replaced() {
    let mut world = world();
    for place in 0..100 {
        world.lookup_on(&network(&format!("wan{place}"), &[]), "a.example");
        world.run(100);
        world.networks.clear();
    }
    assert_eq!(world.resolver.scopes(), 2);
    let kept: Vec<_> = (0..3).map(|place| network(&format!("lan{place}"), &[])).collect();
    for network in &kept {
        world.lookup_on(network, "a.example");
    }
    world.run(100);
    assert_eq!(world.resolver.scopes(), 4);
}

#[test]
fn a_missing_interface_is_the_reason_if_no_query_can_be_sent() {
    let mut world = World::new(ONE, |ask| match ask.host() {
        1 => vec![(0, Event::FailedLocally)],
        _ => vec![(0, Event::Failed)],
    });
    world.lookup_on(&network("wan2", &[]), "a.example");
    world.run(100);
    assert_eq!(world.said, ["0 0 local: no interface wan2"]);
    world.lookup_on(&network("wan2", &["10.0.0.2:53"]), "a.example");
    world.run(100);
    assert_eq!(world.said[1], "1 100 dns_failed: no name server reachable for a.example (tried 10.0.0.2)");
    world.assert_quiet();
}
