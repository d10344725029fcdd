//! Several lookups at once, answers remembered, lookups given up, and files that change.

use super::*;
use crate::resolve::cache::CACHE_MAX;
use crate::resolve::resolver::LOOKUPS_MAX;
use crate::wire::dns::server_messages::{CNAME, wire};

const ONE: &str = "nameserver 10.0.0.1\n";

#[test]
fn lookups_of_one_name_share_its_queries() {
    let mut world = World::new(ONE, |ask| send(ask.with(&BOTH)));
    world.lookup("a.example");
    world.lookup("A.Example");
    world.lookup("b.example");
    world.run(100);
    assert_eq!(world.asked.len(), 4);
    assert_eq!(
        world.said,
        [
            "0 2 found 2001:db8::1 192.0.2.1",
            "1 2 found 2001:db8::1 192.0.2.1",
            "2 2 found 2001:db8::1 192.0.2.1"
        ]
    );
    world.assert_quiet();
}

#[test]
fn a_late_lookup_gets_what_was_handed_over() {
    let mut world = World::new(ONE, |ask| match ask.kind {
        AAAA => vec![(500, Event::Bytes(ask.with(&BOTH)))],
        _ => send(ask.with_ttl(0, &BOTH)),
    });
    world.lookup("a.example");
    world.run(100);
    world.lookup("a.example");
    world.run(1000);
    assert_eq!(
        world.said,
        [
            "0 52 found 192.0.2.1 and more",
            "1 100 found 192.0.2.1 and more",
            "0 500 found 2001:db8::1",
            "1 500 found 2001:db8::1"
        ]
    );
    assert_eq!(world.asked.len(), 2);
}

#[test]
fn half_an_answer_does_not_pass_for_the_whole() {
    let mut world = World::new(ONE, |ask| match ask.kind {
        AAAA => vec![(500, Event::Bytes(ask.with(&BOTH)))],
        _ => send(ask.with(&BOTH)),
    });
    let first = world.lookup("a.example");
    world.run(100);
    world.lookup("a.example");
    world.cancel(first);
    world.run(1000);
    assert_eq!(
        world.said,
        ["0 52 found 192.0.2.1 and more", "1 100 found 192.0.2.1 and more", "1 500 found 2001:db8::1"]
    );
    let mut world = World::new(ONE, |ask| match ask.kind {
        AAAA => vec![(500, Event::Bytes(ask.with(&BOTH)))],
        _ => send(ask.with(&BOTH)),
    });
    let first = world.lookup("a.example");
    world.run(100);
    world.cancel(first);
    world.lookup("a.example");
    world.run(1000);
    assert_eq!(world.said.last().map(String::as_str), Some("1 500 found 2001:db8::1"));
}

#[test]
fn a_check_that_connects_at_once_does_not_make_the_next_one_ask_again() {
    let mut world =
        World::new(ONE, |ask| if ask.kind == AAAA { silence() } else { send(ask.with_ttl(300, &BOTH)) });
    let first = world.lookup("a.example");
    world.run(60);
    world.cancel(first);
    world.run(4_940);
    world.lookup("a.example");
    assert_eq!(world.said, ["0 52 found 192.0.2.1 and more", "1 5000 found 192.0.2.1"]);
    assert_eq!(world.asked.len(), 3, "one for A, and two for AAAA within the second that it is given");
    world.assert_quiet();
}

#[test]
fn answers_serve_for_their_time() {
    let mut world = World::new(ONE, |ask| send(ask.with_ttl(10, &BOTH)));
    world.lookup("a.example");
    world.run(9_000);
    world.lookup("a.example");
    assert_eq!((world.said.len(), world.asked.len()), (2, 2));
    world.run(1_002);
    world.lookup("a.example");
    assert_eq!((world.said.len(), world.asked.len()), (2, 4));
}

#[test]
fn answers_serve_for_five_minutes_at_most_or_not_at_all() {
    let mut world = World::new(ONE, |ask| send(ask.with_ttl(86_400, &BOTH)));
    world.lookup("a.example");
    world.run(299_000);
    world.lookup("a.example");
    assert_eq!(world.asked.len(), 2);
    world.run(1_002);
    world.lookup("a.example");
    assert_eq!(world.asked.len(), 4);
    for ttl_s in [0, 0x8000_0000] {
        let mut world = World::new(ONE, move |ask| send(ask.with_ttl(ttl_s, &BOTH)));
        world.resolve("a.example");
        assert_eq!(world.resolve("a.example"), ["2 found 2001:db8::1 192.0.2.1"]);
    }
}

#[test]
fn the_least_time_of_a_chain_counts() {
    let mut world = World::new(ONE, |ask| {
        let alias = record(&ask.name, CNAME, 5, &wire("host.example"));
        let host = record("host.example", A, 60, &[192, 0, 2, 7]);
        send(answer(&ask.message, ANSWER, 0, &[host, alias][usize::from(ask.kind == AAAA) * 2..]))
    });
    world.lookup("a.example");
    world.run(6_000);
    world.lookup("a.example");
    assert_eq!(world.asked.len(), 4);
}

#[test]
fn a_partial_answer_serves_for_half_a_minute() {
    let mut world =
        World::new(ONE, |ask| if ask.kind == AAAA { silence() } else { send(ask.with_ttl(300, &BOTH)) });
    world.lookup("a.example");
    world.run(29_000);
    world.lookup("a.example");
    assert_eq!(world.said.last().unwrap(), "1 29000 found 192.0.2.1");
    world.run(3_000);
    world.lookup("a.example");
    world.run(60);
    assert_eq!(world.said.last().unwrap(), "2 32052 found 192.0.2.1 and more");
}

#[test]
fn failures_are_not_remembered() {
    let mut count = 0;
    let mut world = World::new(ONE, move |ask| {
        count += 1;
        send(if count <= 2 { ask.code(NXDOMAIN) } else { ask.with(&BOTH) })
    });
    assert!(world.resolve("a.example")[0].contains("does not exist"));
    assert_eq!(world.resolve("a.example"), ["2 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn random_names_do_not_add_up() {
    let mut world = World::new(ONE, |ask| send(ask.with(&BOTH)));
    for i in 0..CACHE_MAX + 100 {
        world.lookup(&format!("n{i}.example"));
        world.run(3);
        world.said.clear();
        world.asked.clear();
    }
    world.assert_quiet();
}

#[test]
fn a_change_of_servers_makes_old_answers_void() {
    let mut world = World::new(ONE, |ask| send(ask.with(&BOTH)));
    world.resolve("a.example");
    world.resolver.set_resolv_conf(ONE.as_bytes());
    assert_eq!(world.resolve("a.example"), ["0 found 2001:db8::1 192.0.2.1"]);
    world.resolver.set_resolv_conf(b"nameserver 10.0.0.2\n");
    assert_eq!(world.resolve("a.example"), ["2 found 2001:db8::1 192.0.2.1"]);
    assert_eq!(world.asked[0], "0 Udp 10.0.0.2 A a.example");
}

#[test]
fn running_queries_outlive_a_change_of_servers() {
    let mut world = World::new(ONE, |ask| match ask.host() {
        1 => vec![(300, Event::Bytes(ask.with(&BOTH)))],
        _ => silence(),
    });
    world.lookup("a.example");
    world.run(100);
    world.resolver.set_resolv_conf(b"nameserver 10.0.0.2\nnameserver 10.0.0.3\n");
    world.resolver.set_hosts(b"10.9.9.9 a.example\n");
    world.run(1000);
    assert_eq!(world.said, ["0 300 found 2001:db8::1 192.0.2.1"]);
    world.assert_quiet();
    assert_eq!(world.resolve("a.example"), ["0 found 10.9.9.9"]);
}

#[test]
fn cancelling_closes_what_no_other_lookup_waits_for() {
    let mut world = World::new("nameserver 10.0.0.1\nnameserver 10.0.0.2\n", |_| silence());
    let first = world.lookup("a.example");
    let second = world.lookup("a.example");
    world.run(500);
    world.cancel(first);
    assert!(!world.is_quiet());
    world.cancel(first);
    world.cancel(second);
    world.assert_quiet();
    world.run(20_000);
    assert_eq!(world.said, [""; 0]);
    assert_eq!(world.resolver.describe(second), None);
}

#[test]
fn lookups_wait_for_their_turn() {
    let mut world = World::new(ONE, |ask| vec![(10, Event::Bytes(ask.with(&BOTH)))]);
    let lookups: Vec<LookupId> = (0..1000).map(|i| world.lookup(&format!("n{i}.example"))).collect();
    assert_eq!(world.most_open, QUERIES_MAX);
    let waits = "waiting for other names to be resolved before n999.example";
    assert_eq!(world.resolver.describe(lookups[999]).as_deref(), Some(waits));
    world.run(10_000);
    assert_eq!(world.said.len(), 1000);
    assert_eq!(world.said[999].split(' ').take(2).collect::<Vec<_>>(), ["999", "160"]);
    assert_eq!(world.most_open, QUERIES_MAX);
    world.assert_quiet();
}

#[test]
fn cancelled_lookups_make_room_for_waiting_ones() {
    let mut world =
        World::new(ONE, |ask| if ask.name == "last.example" { send(ask.with(&BOTH)) } else { silence() });
    let lookups: Vec<LookupId> = (0..100).map(|i| world.lookup(&format!("n{i}.example"))).collect();
    world.lookup("last.example");
    for lookup in lookups {
        world.cancel(lookup);
    }
    world.run(10);
    assert_eq!(world.said, ["100 2 found 2001:db8::1 192.0.2.1"]);
    world.assert_quiet();
}

#[test]
fn cancelled_lookups_lose_their_turn() {
    let mut world = World::new(ONE, |_| silence());
    let lookups: Vec<LookupId> = (0..100).map(|i| world.lookup(&format!("n{i}.example"))).collect();
    for lookup in lookups.into_iter().rev() {
        world.cancel(lookup);
    }
    world.assert_quiet();
}

#[test]
fn hedged_queries_keep_to_the_limit() {
    let conf = "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n";
    let mut world = World::new(conf, |ask| if ask.host() == 3 { send(ask.with(&BOTH)) } else { silence() });
    for i in 0..200 {
        world.lookup(&format!("n{i}.example"));
    }
    world.run(60_000);
    assert_eq!(world.said.len(), 200);
    assert!(world.said.iter().all(|line| line.contains(" found ")), "{:?}", world.said);
    assert_eq!(world.most_open, QUERIES_MAX);
    world.assert_quiet();
}

#[test]
fn the_last_free_place_is_taken_once() {
    // Every other name has one family answered already, so that an odd number of places is free. The
    // place of the answered family stays reserved for the next name of the search list.
    let mut world = World::new("nameserver 10.0.0.1\nnameserver 10.0.0.2\n", |ask| {
        let is_odd = ask.name.starts_with('o');
        if is_odd && ask.kind == AAAA { send(ask.with(&[])) } else { silence() }
    });
    let lookups: Vec<LookupId> = (0..50)
        .map(|i| world.lookup(&format!("{}{i}.example", if i % 2 == 0 { "e" } else { "o" })))
        .collect();
    world.run(60_000);
    assert_eq!(world.most_open, QUERIES_MAX - 25);
    lookups.into_iter().for_each(|lookup| world.cancel(lookup));
    world.assert_quiet();
}

#[test]
fn there_is_a_limit_to_lookups() {
    let mut world = World::new(ONE, |ask| vec![(10, Event::Bytes(ask.with_ttl(0, &BOTH)))]);
    for _ in 0..LOOKUPS_MAX {
        world.lookup("a.example");
    }
    world.lookup("b.example");
    assert!(world.said[0].contains("dns_failed: too many names are being resolved"), "{:?}", world.said);
    world.lookup("10.0.0.1");
    assert_eq!(world.said.len(), 2);
    world.run(20);
    assert_eq!(world.said.len(), 2 + LOOKUPS_MAX);
    assert_eq!(world.resolve("b.example"), ["10 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn the_room_of_a_cancelled_lookup_is_used_at_once() {
    let mut world = World::new("nameserver 10.0.0.1\n", |_| silence());
    let lookups: Vec<_> = (0..=QUERIES_MAX / 2).map(|i| world.lookup(&format!("n{i}.example"))).collect();
    assert_eq!(world.asked.len(), QUERIES_MAX);
    world.cancel(lookups[0]);
    world.run(0);
    assert_eq!(world.asked.len(), QUERIES_MAX + 2);
}

#[test]
fn servers_of_its_own_need_no_resolv_conf() {
    let own: SocketAddr = "10.0.0.9:5300".parse().unwrap();
    let mut resolver = Resolver::new(vec![own], MDNS.parse().unwrap(), Box::new(|| 7));
    resolver.lookup("a.example", None, test_now().instant);
    let asked: Vec<_> = std::iter::from_fn(|| resolver.poll_output()).collect();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|output| matches!(output, Output::Open { server, .. } if *server == own)));
}

#[test]
fn answers_serve_for_five_minutes_at_most_and_half_of_one_for_half_a_minute() {
    for (silent, minutes_ms) in [(false, 300_000), (true, 30_000)] {
        let mut world = World::new("nameserver 10.0.0.1\n", move |ask| {
            if silent && ask.kind == AAAA { silence() } else { send(ask.with_ttl(9999, &BOTH)) }
        });
        world.resolve("a.example");
        world.run(minutes_ms - 1);
        world.resolve("a.example");
        assert!(world.asked.is_empty(), "{:?}", world.asked);
        world.run(1);
        world.resolve("a.example");
        assert!(!world.asked.is_empty());
    }
}
