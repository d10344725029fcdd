//! Truncated answers, and TCP.

use super::*;
use crate::wire::dns::server_messages::TRUNCATED;

const ONE: &str = "nameserver 10.0.0.1\n";
const TWO: &str = "nameserver 10.0.0.1\nnameserver 10.0.0.2\n";

/// Truncated over UDP; over TCP the first server does this, and the second answers.
fn truncated(mut tcp: impl FnMut(&Ask) -> Acts + 'static) -> impl FnMut(&Ask) -> Acts {
    move |ask| match (ask.transport, ask.host()) {
        (Transport::Tcp, 1) => tcp(ask),
        (Transport::Tcp, _) => send(Ask::framed(&ask.with(&BOTH))),
        _ => send(answer(&ask.message, TRUNCATED, 0, &[])),
    }
}

fn pieces(bytes: &[u8], cuts: &[usize]) -> Acts {
    let mut acts = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        acts.push((1, Event::Bytes(bytes[start..end].to_vec())));
        start = end;
    }
    acts
}

#[test]
fn a_truncated_answer_is_asked_for_over_tcp() {
    let mut world = World::new(ONE, truncated(|ask| send(Ask::framed(&ask.with(&BOTH)))));
    assert_eq!(world.resolve("a.example"), ["4 found 2001:db8::1 192.0.2.1"]);
    let asked = ["0 Udp 10.0.0.1 A a.example", "0 Udp 10.0.0.1 AAAA a.example"];
    assert_eq!(world.asked[..2], asked);
    assert_eq!(world.asked[2..], ["2 Tcp 10.0.0.1 A a.example", "2 Tcp 10.0.0.1 AAAA a.example"]);
}

#[test]
fn the_stream_may_be_cut_anywhere() {
    let length = 2 + 12 + 11 + 4 + 11 + 10 + 4;
    for cut in 1..length {
        let mut world = World::new(
            ONE,
            truncated(move |ask| {
                let bytes = Ask::framed(&ask.with(&BOTH));
                pieces(&bytes, &[cut])
            }),
        );
        assert_eq!(world.resolve("a.example"), ["3 found 2001:db8::1 192.0.2.1"], "{cut}");
    }
    let mut world = World::new(
        ONE,
        truncated(|ask| {
            let bytes = Ask::framed(&ask.with(&BOTH));
            let cuts: Vec<usize> = (1..bytes.len()).collect();
            pieces(&bytes, &cuts)
        }),
    );
    assert_eq!(world.resolve("a.example"), ["3 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn a_stream_that_ends_too_early_leads_to_the_next_server() {
    let length = 2 + 12 + 11 + 4 + 11 + 10 + 4;
    for cut in 0..length {
        let mut world = World::new(
            TWO,
            truncated(move |ask| {
                let bytes = Ask::framed(&ask.with(&BOTH));
                vec![(1, Event::Bytes(bytes[..cut].to_vec())), (2, Event::Closed)]
            }),
        );
        assert_eq!(world.resolve("a.example"), ["8 found 2001:db8::1 192.0.2.1"], "{cut}");
    }
}

#[test]
fn bytes_after_the_answer_do_not_matter() {
    let mut world = World::new(
        ONE,
        truncated(|ask| {
            let bytes = Ask::framed(&ask.with(&BOTH));
            send([bytes.as_slice(), b"\xff\xff rest"].concat())
        }),
    );
    assert_eq!(world.resolve("a.example"), ["4 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn a_dead_stream_leads_to_the_next_server() {
    let deaths: [fn(&Ask) -> Acts; 3] = [
        |_| vec![(2, Event::Failed)],
        |_| vec![(2, Event::Closed)],
        |ask| send(Ask::framed(&answer(&ask.message, TRUNCATED, 0, &[]))),
    ];
    for death in deaths {
        let mut world = World::new(TWO, truncated(death));
        assert_eq!(world.resolve("a.example"), ["8 found 2001:db8::1 192.0.2.1"]);
    }
    let useless: [fn(&Ask) -> Acts; 4] = [
        |_| silence(),
        |_| send(vec![0, 0]),
        |_| send(vec![0xff, 0xff]),
        |ask| send(Ask::framed(&ask.message)),
    ];
    for useless in useless {
        let mut world = World::new(TWO, truncated(useless));
        assert_eq!(world.resolve("a.example"), ["404 found 2001:db8::1 192.0.2.1"]);
    }
    let mut world = World::new(ONE, truncated(|_| silence()));
    let said = world.resolve("a.example");
    assert_eq!(said, ["9000 waiting for 10.0.0.1 to resolve a.example"]);
    let mut world = World::new(ONE, truncated(|_| vec![(2, Event::Failed)]));
    let said = world.resolve("a.example");
    assert!(
        said[0].ends_with("dns_failed: name server 10.0.0.1 cannot be asked for a.example over TCP"),
        "{said:?}"
    );
    let mut world = World::new(ONE, truncated(|_| vec![(2, Event::Closed)]));
    let said = world.resolve("a.example");
    assert_eq!(said, ["8 dns_failed: name server 10.0.0.1 sent a broken answer for a.example"]);
}

#[test]
fn a_stream_has_time_of_its_own() {
    let mut world = World::new(&format!("{ONE}options timeout:1 attempts:1\n"), |ask| match ask.transport {
        Transport::Tcp => vec![(500, Event::Bytes(Ask::framed(&ask.with(&BOTH))))],
        _ => vec![(900, Event::Bytes(answer(&ask.message, TRUNCATED, 0, &[])))],
    });
    assert_eq!(world.resolve("a.example"), ["1400 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn an_answer_over_tcp_may_be_as_long_as_its_length_can_say() {
    let mut world = World::new(
        ONE,
        truncated(|ask| {
            let mut message = ask.with(&BOTH);
            message.resize(u16::MAX.into(), 0);
            send(Ask::framed(&message))
        }),
    );
    assert_eq!(world.resolve("a.example"), ["4 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn messages_that_do_not_match_are_passed_over() {
    let mut world = World::new(
        ONE,
        truncated(|ask| {
            let mut other = ask.with(&["6.6.6.6", "2001:db8::666"]);
            other[0] ^= 1;
            let wrong = [Ask::framed(&other), vec![0, 0], Ask::framed(&ask.message)].concat();
            send([wrong, Ask::framed(&ask.with(&BOTH))].concat())
        }),
    );
    assert_eq!(world.resolve("a.example"), ["4 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn use_vc_asks_over_tcp_from_the_start() {
    let mut world = World::new(&format!("{TWO}options use-vc\n"), |ask| match ask.host() {
        1 => vec![(2, Event::Failed)],
        _ => send(Ask::framed(&ask.with(&BOTH))),
    });
    assert_eq!(world.resolve("a.example"), ["4 found 2001:db8::1 192.0.2.1"]);
    assert!(world.asked.iter().all(|line| line.contains("Tcp")), "{:?}", world.asked);
}

#[test]
fn a_long_answer_is_read() {
    let mut world = World::new(
        ONE,
        truncated(|ask| {
            let records: Vec<_> = (0..250u8).map(|i| record(&ask.name, A, 9, &[10, 0, 0, i])).collect();
            send(Ask::framed(&answer(&ask.message, ANSWER, 0, if ask.kind == A { &records } else { &[] })))
        }),
    );
    assert!(world.resolve("a.example")[0].starts_with("4 found 10.0.0.0 10.0.0.1 "));
}
