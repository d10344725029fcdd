//! Multicast DNS: names that end in `.local`.

use super::*;
use crate::wire::dns::server_messages::raw_record;

const CONF: &str = "nameserver 10.0.0.1\nsearch lan\n";

fn from_device(ms: u64, message: Vec<u8>) -> (u64, Event) {
    (ms, Event::BytesFrom("10.0.0.9:5353".parse().unwrap(), message))
}

#[test]
fn local_names_are_asked_of_everybody() {
    let mut world = World::new(CONF, |ask| vec![from_device(20, ask.with(&["10.0.0.9", "fd00::9"]))]);
    assert_eq!(world.resolve("NAS.local"), ["70 found fd00::9 10.0.0.9"]);
    let expected = ["0 Multicast 224.0.0.251 A nas.local", "0 Multicast 224.0.0.251 AAAA nas.local"];
    assert_eq!(world.asked, expected);
    assert_eq!(world.resolve("nas.local"), ["0 found fd00::9 10.0.0.9"]);
    world.resolver.set_resolv_conf(b"nameserver 10.0.0.2\n");
    assert_eq!(world.resolve("nas.local."), ["70 found fd00::9 10.0.0.9"]);
}

#[test]
fn servers_of_ones_own_are_not_asked_either() {
    let mut world = World::new(CONF, |ask| vec![from_device(20, ask.with(&["10.0.0.9"]))]);
    let own = vec!["10.7.7.7:53".parse().unwrap()];
    world.resolver = Resolver::new(own, MDNS.parse().unwrap(), Box::new(|| 7));
    assert_eq!(world.resolve("nas.local")[0], "120 found 10.0.0.9 and more");
    assert!(world.asked.iter().all(|line| line.contains("Multicast")), "{:?}", world.asked);
}

#[test]
fn silence_is_how_the_local_network_says_no() {
    let mut world = World::new(CONF, |_| silence());
    let lookup = world.lookup("nas.local");
    let text = world.resolver.describe(lookup);
    assert_eq!(text.as_deref(), Some("waiting for a host on the local network to answer to nas.local"));
    world.cancel(lookup);
    let said = world.resolve("nas.local");
    let expected =
        "4000 dns_not_found: name does not exist: nas.local (no host on the local network answers to it)";
    assert_eq!(said, [expected]);
    let times: Vec<&str> = world.asked.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(times, ["0", "0", "1000", "1000", "3000", "3000"]);
    assert!(world.asked.iter().all(|line| line.contains("Multicast")), "{:?}", world.asked);
}

#[test]
fn a_lost_question_is_repeated() {
    let mut count = 0;
    let mut world = World::new(CONF, move |ask| {
        count += 1;
        if count <= 2 { silence() } else { vec![from_device(5, ask.with(&["10.0.0.9", "fd00::9"]))] }
    });
    assert_eq!(world.resolve("nas.local"), ["1055 found fd00::9 10.0.0.9"]);
}

#[test]
fn answers_are_gathered_for_a_moment() {
    let mut world = World::new(CONF, |ask| {
        vec![
            from_device(10, ask.with(&["10.0.0.9", "fe80::9"])),
            from_device(20, ask.with(&["10.0.1.9", "10.0.0.9", "fd00::9"])),
            from_device(200, ask.with(&["10.0.2.9"])),
        ]
    });
    assert_eq!(world.resolve("nas.local"), ["70 found fd00::9 10.0.0.9 10.0.1.9"]);
}

#[test]
fn what_is_gathered_is_capped_and_serves_for_the_least_time() {
    let mut world = World::new(CONF, |ask| {
        let answers = (0..4u8).map(|net| {
            let addresses: Vec<String> = (0..10).map(|host| format!("10.0.{net}.{host}")).collect();
            let addresses: Vec<&str> = addresses.iter().map(String::as_str).chain(["fd00::9"]).collect();
            from_device(10, ask.with_ttl(if net == 1 { 5 } else { 60 }, &addresses))
        });
        answers.collect()
    });
    let said = world.resolve("nas.local");
    assert_eq!(said[0].matches(" 10.0.").count(), 32);
    world.run(4_900);
    assert!(world.resolve("nas.local")[0].starts_with("0 found"));
    world.run(200);
    assert!(world.resolve("nas.local")[0].starts_with("60 found"));
}

#[test]
fn what_does_not_answer_the_question_is_ignored() {
    let mut world = World::new(CONF, |ask| {
        let mut other = ask.with(&["10.6.6.6", "fd00::666"]);
        other[13] ^= 1;
        let mut id = ask.with(&["10.6.6.6", "fd00::666"]);
        id[0] ^= 1;
        vec![
            from_device(1, other),
            from_device(1, id),
            from_device(1, ask.with(&[])),
            from_device(1, ask.code(NXDOMAIN)),
            (1, Event::BytesFrom("10.0.0.9:40000".parse().unwrap(), ask.with(&["10.6.6.6", "fd00::666"]))),
            from_device(9, ask.with(&["10.0.0.9", "fd00::9"])),
        ]
    });
    assert_eq!(world.resolve("nas.local"), ["59 found fd00::9 10.0.0.9"]);
}

#[test]
fn answers_in_the_style_of_multicast_are_read() {
    let mut world = World::new(CONF, |ask| {
        let data: &[u8] = if ask.kind == A { &[10, 0, 0, 9] } else { &[0xfd; 16] };
        let mut message = ask.message[..2].to_vec();
        message.extend(b"\x84\0\0\0\0\x01\0\0\0\0");
        message.extend(raw_record(b"\x03nas\x05local\0", ask.kind, 0x8001, 120, data));
        vec![from_device(1, message)]
    });
    let said = world.resolve("nas.local");
    assert_eq!(said, ["51 found fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd 10.0.0.9"]);
}

#[test]
fn no_network_no_multicast() {
    let mut world = World::new(CONF, |_| vec![(0, Event::Failed)]);
    let said = world.resolve("nas.local");
    assert_eq!(said, ["0 dns_failed: the local network cannot be asked for nas.local by multicast DNS"]);
}

#[test]
fn names_of_a_site_that_uses_local_as_its_domain_go_to_the_name_servers() {
    let conf = "nameserver 10.0.0.1\nsearch corp.local local\n";
    let mut world = World::new(conf, |ask| match ask.transport {
        Transport::Multicast => vec![(0, Event::Failed)],
        _ if ask.name == "db.corp.local" || ask.name == "nas.local" => send(ask.with(&BOTH)),
        _ => send(ask.code(NXDOMAIN)),
    });
    for (name, found) in [("db", 2), ("db.corp.local", 2), ("DB.Corp.Local.", 2), ("nas", 4)] {
        assert_eq!(world.resolve(name), [format!("{found} found 2001:db8::1 192.0.2.1")], "{name}");
        assert!(world.asked.iter().all(|line| line.contains("Udp")), "{:?}", world.asked);
    }
}
