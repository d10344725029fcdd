//! What needs no server, and the plain questions that do.

use super::*;
use crate::wire::dns::server_messages::{CNAME, raw_record, wire};

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
        send(answer(&ask.message, ANSWER, 0, &[host, alias][usize::from(ask.kind == AAAA) * 2..]))
    });
    assert_eq!(world.resolve("www.example"), ["2 found 192.0.2.7"]);
}

/// An answer that holds one alias and nothing else, as servers without recursion send it.
fn alias(ask: &Ask, target: &str) -> Vec<u8> {
    answer(&ask.message, ANSWER, 0, &[record(&ask.name, CNAME, 60, &wire(target))])
}

#[test]
fn a_lone_alias_leads_to_a_question_for_its_target() {
    let mut world = World::new("nameserver 10.0.0.1\nsearch lan\n", |ask| {
        send(match &*ask.name {
            "www.example" => alias(ask, "cdn.example"),
            "cdn.example" => alias(ask, "Host.local"),
            "host.local" => ask.with(&BOTH),
            _ => ask.code(NXDOMAIN),
        })
    });
    assert_eq!(world.resolve("www.example"), ["6 found 2001:db8::1 192.0.2.1"]);
    let questions: Vec<&str> =
        world.asked.iter().filter_map(|line| line.split_once(" A ")).map(|q| q.1).collect();
    assert_eq!(questions, ["www.example", "cdn.example", "host.local"]);
    assert!(world.asked.iter().all(|line| line.contains("Udp")), "{:?}", world.asked);
}

#[test]
fn chains_of_lone_aliases_are_followed_as_far_as_those_in_one_answer() {
    let chain = |links: usize| {
        move |ask: &Ask| {
            let place: usize = ask.name.trim_start_matches('n').parse().unwrap();
            send(if place == links { ask.with(&BOTH) } else { alias(ask, &format!("n{}", place + 1)) })
        }
    };
    let mut world = World::new("nameserver 10.0.0.1\noptions ndots:0\n", chain(64));
    assert_eq!(world.resolve("n0"), ["130 found 2001:db8::1 192.0.2.1"]);
    let mut world = World::new("nameserver 10.0.0.1\noptions ndots:0\n", chain(65));
    let said = world.resolve("n0");
    assert!(said[0].contains("dns_failed: name server 10.0.0.1 sent a broken answer for n0"), "{said:?}");
}

#[test]
fn a_circle_of_lone_aliases_is_broken() {
    for targets in [["b.example", "a.example"], ["a.example", "a.example"]] {
        let mut world =
            World::new(ONE, move |ask| send(alias(ask, targets[usize::from(ask.name == "b.example")])));
        let said = world.resolve("a.example");
        assert!(said[0].contains("dns_failed: name server 10.0.0.1 sent a broken answer"), "{said:?}");
        assert!(world.asked.len() <= 6, "{:?}", world.asked);
    }
}

#[test]
fn the_least_time_to_live_of_a_followed_chain_counts() {
    let mut world = World::new(ONE, |ask| {
        let alias = record(&ask.name, CNAME, 5, &wire("host.example"));
        send(if ask.name == "host.example" {
            ask.with(&BOTH)
        } else {
            answer(&ask.message, ANSWER, 0, &[alias])
        })
    });
    world.resolve("a.example");
    world.run(4_900);
    assert_eq!(world.resolve("a.example"), ["0 found 2001:db8::1 192.0.2.1"]);
    world.run(200);
    assert_eq!(world.resolve("a.example"), ["4 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn the_second_server_knows_the_target_of_an_alias_if_the_first_does_not() {
    let mut world = World::new("nameserver 10.0.0.1\nnameserver 10.0.0.2\n", |ask| {
        send(match (ask.host(), &*ask.name) {
            (1, "a.example") => alias(ask, "b.example"),
            (1, _) => ask.code(5),
            _ => ask.with(&BOTH),
        })
    });
    assert_eq!(world.resolve("a.example"), ["6 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn international_names_must_be_written_in_ascii() {
    let mut world = World::new(ONE, |ask| send(ask.with(&BOTH)));
    let expected = "0 dns_not_found: not a valid name: grün.example (write it in its ASCII form, xn--…)";
    assert_eq!(world.resolve("grün.example"), [expected]);
    assert_eq!(world.resolve("xn--grn-hoa.example"), ["2 found 2001:db8::1 192.0.2.1"]);
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
    assert_eq!(said[0].matches("10.1.").count(), 32);
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
    world.cancel(lookup);
    assert_eq!(text(&world), None);
}

#[test]
fn no_aaaa_asks_for_ipv4_addresses_only() {
    let mut world = World::new(&format!("{ONE}options no-aaaa\n"), |ask| {
        send(if ask.name == "no.example" { ask.code(NXDOMAIN) } else { ask.with(&BOTH) })
    });
    assert_eq!(world.resolve("db.example"), ["2 found 192.0.2.1"]);
    assert_eq!(world.asked, ["0 Udp 10.0.0.1 A db.example"]);
    assert_eq!(world.resolve("db.example"), ["0 found 192.0.2.1"]);
    let expected = "2 dns_not_found: name does not exist: no.example (asked 10.0.0.1)";
    assert_eq!(world.resolve("no.example"), [expected]);
    world.resolver.set_hosts(b"fd00::9 six.example\n");
    assert_eq!(world.resolve("six.example"), ["0 found fd00::9"]);
}
