//! What needs no server, and the plain questions that do.

use super::*;
use crate::wire::dns::tests::{CNAME, raw_record, wire};

const ONE: &str = "nameserver 10.0.0.1\n";

#[test]
fn literals_are_found_at_once() {
    let mut world = World::new(ONE, |_| silence());
    assert_eq!(world.resolve("192.0.2.7"), ["0 found 192.0.2.7"]);
    assert_eq!(world.resolve("2001:DB8::7"), ["0 found 2001:db8::7"]);
    assert_eq!(world.resolve("[::1]"), ["0 found ::1"]);
    assert_eq!(world.asked, [""; 0]);
}

#[test]
fn special_names_do_not_depend_on_files_or_servers() {
    let mut world = World::new(ONE, |ask| send(ask.with(&BOTH)));
    world.resolver.set_hosts(b"10.9.9.9 localhost a.localhost x.invalid\n");
    for name in ["localhost", "LocalHost.", "a.localhost", "a.b.localhost."] {
        assert_eq!(world.resolve(name), ["0 found ::1 127.0.0.1"], "{name}");
    }
    for name in ["x.invalid", "X.Invalid.", "invalid"] {
        let said = world.resolve(name);
        assert!(said[0].starts_with("0 dns_not_found: name does not exist: "), "{said:?}");
    }
    assert_eq!(world.asked, [""; 0]);
}

#[test]
fn what_is_no_name_is_not_asked_for() {
    let mut world = World::new(ONE, |ask| send(ask.with(&BOTH)));
    let long = "x".repeat(64);
    for name in ["", ".", "a b", "a..b", "grün.example", &long, "a\nb", "fe80::1%eth0", "example..", "[x]"] {
        let said = world.resolve(name);
        assert!(said[0].starts_with("0 dns_not_found: not a valid name: "), "{said:?}");
    }
    assert_eq!(world.asked, [""; 0]);
}

#[test]
fn the_hosts_file_comes_before_the_servers() {
    let mut world = World::new(ONE, |ask| send(ask.with(&BOTH)));
    world.resolver.set_hosts(b"10.9.9.9 nas nas.local\nfd00::9 nas\n");
    assert_eq!(world.resolve("NAS"), ["0 found 10.9.9.9 fd00::9"]);
    assert_eq!(world.resolve("nas."), ["0 found 10.9.9.9 fd00::9"]);
    assert_eq!(world.resolve("nas.local"), ["0 found 10.9.9.9"]);
    assert_eq!(world.asked, [""; 0]);
    world.resolver.set_hosts(b"");
    assert_eq!(world.resolve("nas"), ["2 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn both_families_are_asked_side_by_side() {
    let mut world = World::new(ONE, |ask| send(ask.with(&BOTH)));
    assert_eq!(world.resolve("Db.Example"), ["2 found 2001:db8::1 192.0.2.1"]);
    assert_eq!(world.asked, ["0 Udp 10.0.0.1 A db.example", "0 Udp 10.0.0.1 AAAA db.example"]);
}

#[test]
fn ids_are_those_handed_in() {
    let ids = std::cell::RefCell::new(Vec::new());
    let ids = std::rc::Rc::new(ids);
    let seen = ids.clone();
    let mut world = World::new(ONE, move |ask| {
        seen.borrow_mut().push([ask.message[0], ask.message[1]]);
        send(ask.with(&BOTH))
    });
    world.resolve("a.example");
    world.resolve("b.example");
    let ids = ids.borrow();
    assert_eq!(ids.len(), 4);
    assert!(ids.iter().collect::<BTreeSet<_>>().len() == 4, "{ids:?}");
}

#[test]
fn one_family_is_enough() {
    let mut world = World::new(ONE, |ask| send(ask.with(&["192.0.2.1"])));
    assert_eq!(world.resolve("db.example"), ["2 found 192.0.2.1"]);
    let mut world = World::new(ONE, |ask| send(ask.with(&["2001:db8::1"])));
    assert_eq!(world.resolve("db.example"), ["2 found 2001:db8::1"]);
}

#[test]
fn what_does_not_exist_or_has_no_address() {
    let mut world = World::new(ONE, |ask| send(ask.code(NXDOMAIN)));
    assert_eq!(
        world.resolve("db.example"),
        ["2 dns_not_found: name does not exist: db.example (asked 10.0.0.1)"]
    );
    let mut world = World::new(ONE, |ask| send(ask.with(&[])));
    assert_eq!(
        world.resolve("db.example."),
        ["2 dns_not_found: name has no address: db.example (asked 10.0.0.1)"]
    );
}

#[test]
fn aliases_are_followed_within_the_answer() {
    let mut world = World::new(ONE, |ask| {
        let alias = record(&ask.name, CNAME, 60, &wire("host.example"));
        let host = record("host.example", A, 60, &[192, 0, 2, 7]);
        send(answer(&ask.message, ANSWER, 0, &if ask.kind == A { vec![host, alias] } else { vec![alias] }))
    });
    assert_eq!(world.resolve("www.example"), ["2 found 192.0.2.7"]);
}

#[test]
fn answers_are_capped() {
    let mut world = World::new(ONE, |ask| {
        let records: Vec<_> = (0..3000u16)
            .map(|i| raw_record(b"\xc0\x0c", A, 1, 60, &[10, 1, i.to_be_bytes()[0], i.to_be_bytes()[1]]))
            .collect();
        send(answer(&ask.message, ANSWER, 0, if ask.kind == A { &records } else { &[] }))
    });
    let said = world.resolve("many.example");
    assert_eq!(said[0].matches("10.1.").count(), 16);
}

#[test]
fn link_local_addresses_are_of_no_use() {
    let mut world = World::new(ONE, |ask| send(ask.with(&["192.0.2.1", "fe80::1", "febf::1", "fec0::1"])));
    assert_eq!(world.resolve("a.example"), ["2 found fec0::1 192.0.2.1"]);
    let mut world = World::new(ONE, |ask| send(ask.with(&["fe80::1"])));
    assert_eq!(
        world.resolve("a.example"),
        ["2 dns_not_found: name has no address: a.example (asked 10.0.0.1)"]
    );
}

#[test]
fn a_lookup_says_what_it_waits_for() {
    let mut world = World::new("nameserver 10.0.0.1\nnameserver 10.0.0.2\n", |_| silence());
    let lookup = world.lookup("db.example.");
    let text = |world: &World| world.resolver.describe(lookup);
    assert_eq!(text(&world).as_deref(), Some("waiting for 10.0.0.1 to resolve db.example"));
    world.run(500);
    assert_eq!(text(&world).as_deref(), Some("waiting for 10.0.0.1, 10.0.0.2 to resolve db.example"));
    world.run(60_000);
    assert_eq!(text(&world), None);
}
