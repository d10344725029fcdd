//! Datagrams that are no answers: forged, unmatched, broken.

use super::*;
use crate::wire::dns::server_messages::{CNAME, raw_record, wire};

const ONE: &str = "nameserver 10.0.0.1\n";
const TWO: &str = "nameserver 10.0.0.1\nnameserver 10.0.0.2\n";

/// A server that sends something wrong at once and the right answer a little later.
fn first_wrong(wrong: impl Fn(&Ask) -> Event + 'static) -> Vec<String> {
    let mut world = World::new(ONE, move |ask| vec![(1, wrong(ask)), (5, Event::Bytes(ask.with(&BOTH)))]);
    let said = world.resolve("db.example");
    assert_eq!(world.asked.len(), 2, "{:?}", world.asked);
    said
}

const RIGHT: [&str; 1] = ["5 found 2001:db8::1 192.0.2.1"];
const FORGED: [&str; 2] = ["6.6.6.6", "2001:db8::666"];

#[test]
fn datagrams_that_do_not_match_are_ignored() {
    let changed = |position: usize, byte: u8| {
        first_wrong(move |ask| {
            let mut message = ask.with(&FORGED);
            message[position] ^= byte;
            Event::Bytes(message)
        })
    };
    assert_eq!(changed(0, 1), RIGHT, "id");
    assert_eq!(changed(1, 0x80), RIGHT, "id");
    assert_eq!(changed(2, 0x80), RIGHT, "a query");
    assert_eq!(changed(13, 1), RIGHT, "name");
    assert_eq!(changed(25, 29), RIGHT, "type");
    assert_eq!(changed(27, 2), RIGHT, "class");
    assert_eq!(first_wrong(|_| Event::Bytes(Vec::new())), RIGHT, "nothing");
    assert_eq!(first_wrong(|_| Event::Bytes(vec![0xff; 600])), RIGHT, "noise");
    assert_eq!(first_wrong(|ask| Event::Bytes(ask.message.clone())), RIGHT, "the query itself");
}

#[test]
fn datagrams_from_elsewhere_are_ignored() {
    for from in ["10.0.0.2:53", "10.0.0.1:54", "[::1]:53"] {
        let said = first_wrong(move |ask| Event::BytesFrom(from.parse().unwrap(), ask.with(&FORGED)));
        assert_eq!(said, RIGHT, "{from}");
    }
}

#[test]
fn the_right_answer_is_found_among_any_number_of_wrong_ones() {
    for count in [33, 5_000] {
        let mut world = World::new(ONE, move |ask| {
            let mut wrong = ask.with(&FORGED);
            wrong[0] ^= 0x55;
            let mut acts = vec![(1, Event::Bytes(wrong)); count];
            acts.push((900, Event::Bytes(ask.with(&BOTH))));
            acts
        });
        assert_eq!(world.resolve("db.example"), ["900 found 2001:db8::1 192.0.2.1"], "{count}");
        assert_eq!(world.asked.len(), 2);
    }
}

#[test]
fn a_flood_of_wrong_answers_does_not_hold_up_the_next_server() {
    let mut world = World::new(TWO, |ask| match ask.host() {
        1 => (0..100).map(|i| (1 + i, Event::Bytes(vec![0xff; 40]))).collect(),
        _ => send(ask.with(&BOTH)),
    });
    assert_eq!(world.resolve("db.example"), ["402 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn broken_answers_lead_to_the_next_server() {
    let broken: [fn(&Ask) -> Vec<u8>; 4] = [
        // A pointer to itself, in a name and in an alias.
        |ask| answer(&ask.message, ANSWER, 0, &[raw_record(b"\xc0\x1c", ask.kind, 1, 9, &[0; 4])]),
        |ask| answer(&ask.message, ANSWER, 0, &[record("db.example", CNAME, 9, b"\xc0\x32")]),
        // Aliases in a circle.
        |ask| {
            let there = record("db.example", CNAME, 9, &wire("a.example"));
            let back = record("a.example", CNAME, 9, &wire("db.example"));
            answer(&ask.message, ANSWER, 0, &[there, back])
        },
        // Cut short without saying so.
        |ask| {
            let whole = ask.with(&BOTH);
            whole[..whole.len() - 1].to_vec()
        },
    ];
    for broken in broken {
        let mut world =
            World::new(TWO, move |ask| send(if ask.host() == 1 { broken(ask) } else { ask.with(&BOTH) }));
        assert_eq!(world.resolve("db.example"), ["4 found 2001:db8::1 192.0.2.1"]);
        let mut world = World::new(ONE, move |ask| send(broken(ask)));
        let said = world.resolve("db.example");
        assert_eq!(said, ["4 dns_failed: name server 10.0.0.1 sent a broken answer for db.example"]);
    }
}

#[test]
fn an_answer_with_broken_later_sections_is_good() {
    let mut world = World::new(ONE, |ask| {
        let mut message = ask.with(&BOTH);
        message[9] = 9;
        message[11] = 9;
        message.extend([0xc0, 0xff, 0xff]);
        send(message)
    });
    assert_eq!(world.resolve("db.example"), ["2 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn an_answer_after_the_query_is_over_is_ignored() {
    let mut world = World::new(ONE, |ask| {
        let message = ask.with(&BOTH);
        vec![
            (2, Event::Bytes(message.clone())),
            (3, Event::Bytes(message)),
            (4, Event::Failed),
            (5, Event::Closed),
        ]
    });
    assert_eq!(world.resolve("db.example"), ["2 found 2001:db8::1 192.0.2.1"]);
    world.run(100);
    let stale = QueryId(0);
    world.resolver.handle_input(stale, QueryInput::Failed, world.now);
    world.resolver.handle_input(
        stale,
        QueryInput::Received { from: MDNS.parse().unwrap(), bytes: b"x" },
        world.now,
    );
    assert_eq!(world.resolver.poll_output(), None);
}
