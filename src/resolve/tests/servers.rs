//! Several servers: which is asked when, and whose word counts.

use super::*;

const ONE: &str = "nameserver 10.0.0.1\n";
const TWO: &str = "nameserver 10.0.0.1\nnameserver 10.0.0.2\n";
const THREE: &str = "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n";

/// Servers whose number is in `dead` are silent, the others answer.
fn dead(dead: &'static [u8]) -> impl FnMut(&Ask) -> Acts {
    move |ask| if dead.contains(&ask.host()) { silence() } else { send(ask.with(&BOTH)) }
}

fn ms(line: &str) -> u64 {
    line.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_dead_first_server_costs_its_timeout_once() {
    let mut world = World::new(TWO, dead(&[1]));
    assert_eq!(world.resolve("a.example"), ["402 found 2001:db8::1 192.0.2.1"]);
    // From then on the second is asked at the same time.
    assert_eq!(world.resolve("b.example"), ["2 found 2001:db8::1 192.0.2.1"]);
    assert_eq!(world.asked.len(), 4);
    // After a while the first gets another chance.
    world.run(31_000);
    assert_eq!(world.resolve("c.example"), ["402 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn two_dead_servers_still_leave_time() {
    let mut world = World::new(THREE, dead(&[1, 2]));
    assert_eq!(world.resolve("a.example"), ["802 found 2001:db8::1 192.0.2.1"]);
    assert_eq!(world.resolve("b.example"), ["2 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn a_healthy_first_server_is_the_only_one_asked() {
    let mut world = World::new(THREE, dead(&[]));
    world.resolve("a.example");
    assert_eq!(world.asked, ["0 Udp 10.0.0.1 A a.example", "0 Udp 10.0.0.1 AAAA a.example"]);
}

#[test]
fn a_slow_server_is_still_listened_to() {
    let mut world = World::new(TWO, |ask| match ask.host() {
        1 => vec![(700, Event::Bytes(ask.with(&["192.0.2.1"])))],
        _ => silence(),
    });
    assert_eq!(world.resolve("a.example"), ["700 found 192.0.2.1"]);
    // It has answered, so it does not count as slow any more.
    assert_eq!(world.resolve("b.example"), ["700 found 192.0.2.1"]);
    assert_eq!(ms(&world.asked[2]), 400);
}

#[test]
fn the_negative_answer_of_a_later_server_waits_for_the_earlier_one() {
    let mut world = World::new(TWO, |ask| match ask.host() {
        1 => vec![(600, Event::Bytes(ask.with(&["192.0.2.1"])))],
        _ => send(ask.code(NXDOMAIN)),
    });
    assert_eq!(world.resolve("local-name.example"), ["600 found 192.0.2.1"]);
    let mut world = World::new(TWO, |ask| match ask.host() {
        1 => silence(),
        _ => send(ask.code(NXDOMAIN)),
    });
    let denied = |ms| format!("{ms} dns_not_found: name does not exist: a.example (asked 10.0.0.2)");
    assert_eq!(world.resolve("a.example"), [denied(1000)]);
    assert_eq!(world.resolve("a.example"), [denied(200)]);
}

#[test]
fn while_a_negative_answer_waits_no_other_server_is_queried() {
    let mut world = World::new(THREE, |ask| match ask.host() {
        1 => silence(),
        _ => send(ask.code(NXDOMAIN)),
    });
    let said = world.resolve("a.example");
    assert_eq!(said, ["1000 dns_not_found: name does not exist: a.example (asked 10.0.0.2)"]);
    assert_eq!(world.asked.len(), 4, "two servers for two families: {:?}", world.asked);
}

#[test]
fn the_negative_answer_of_a_later_server_counts_when_the_earlier_one_fails() {
    let mut world = World::new(TWO, |ask| match ask.host() {
        1 => vec![(450, Event::Bytes(ask.code(SERVFAIL)))],
        _ => send(ask.with(&[])),
    });
    let said = world.resolve("a.example");
    assert_eq!(said, ["450 dns_not_found: name has no address: a.example (asked 10.0.0.2)"]);
}

#[test]
fn a_lost_datagram_is_sent_again() {
    let mut lost = 0;
    let mut world = World::new(ONE, move |ask| {
        lost += 1;
        if lost <= 2 { silence() } else { send(ask.with(&BOTH)) }
    });
    assert_eq!(world.resolve("a.example"), ["1002 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn servers_are_asked_again_for_as_long_as_there_is_time() {
    let times = |world: &World| -> Vec<u64> {
        world.asked.iter().filter(|line| line.contains(" A ")).map(|line| ms(line)).collect()
    };
    let mut world = World::new(&format!("{TWO}options attempts:3 timeout:2\n"), dead(&[1, 2]));
    assert_eq!(world.resolve("a.example"), ["9000 waiting for 10.0.0.1, 10.0.0.2 to resolve a.example"]);
    assert_eq!(times(&world), [0, 400, 1400, 1400, 2400, 2400, 4400, 4400, 6400, 6400, 8400, 8400]);
    for (options, expected) in [
        ("", &[0, 1000, 3000, 7000][..]),
        ("options attempts:1 timeout:1", &[0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000]),
        ("options attempts:5", &[0, 1000, 2000, 3000, 4000, 6000]),
    ] {
        let mut world = World::new(&format!("{ONE}{options}\n"), dead(&[1]));
        assert_eq!(world.resolve("a.example"), ["9000 waiting for 10.0.0.1 to resolve a.example"]);
        assert_eq!(times(&world), expected, "{options}");
    }
}

#[test]
fn a_lookup_that_joins_late_does_not_wait_for_a_long_pause() {
    let mut world = World::new(ONE, |_| silence());
    world.lookup("a.example");
    world.run(3_500);
    assert_eq!(world.asked.len(), 6, "{:?}", world.asked);
    world.lookup("a.example");
    world.run(499);
    assert_eq!(world.asked.len(), 6, "the last question is not a second old");
    world.run(1);
    assert_eq!(world.asked.len(), 8, "{:?}", world.asked);
}

#[test]
fn while_there_is_time_some_server_is_always_asked() {
    // The second is not there, and what the first was asked is given up after a second.
    let mut world = World::new(&format!("{TWO}options timeout:1\n"), |ask| match ask.host() {
        1 => silence(),
        _ => vec![(1, Event::Failed)],
    });
    world.lookup("a.example");
    for _ in 0..100 {
        world.run(100);
        assert!(!world.is_quiet());
    }
}

#[test]
fn two_lost_datagrams_do_not_cost_the_lookup() {
    for (conf, ms) in [(ONE, 3002), ("nameserver 10.0.0.1\noptions timeout:1 attempts:1\n", 2002)] {
        let mut sent = [0, 0];
        let mut world = World::new(conf, move |ask| {
            let sent = &mut sent[usize::from(ask.kind == AAAA)];
            *sent += 1;
            if *sent <= 2 { silence() } else { send(ask.with(&BOTH)) }
        });
        assert_eq!(world.resolve("a.example"), [format!("{ms} found 2001:db8::1 192.0.2.1")], "{conf}");
    }
}

#[test]
fn errors_end_the_lookup_once_every_server_has_had_its_attempts() {
    // The first answers with an error late, when the second has long done so.
    let mut world = World::new(&format!("{TWO}options attempts:1\n"), |ask| match ask.host() {
        1 => vec![(700, Event::Bytes(ask.code(5)))],
        _ => send(ask.code(SERVFAIL)),
    });
    let said = world.resolve("a.example");
    assert_eq!(said, ["700 dns_failed: name server 10.0.0.2 answered SERVFAIL for a.example"]);
    assert_eq!(world.asked.len(), 4, "{:?}", world.asked);
}

#[test]
fn errors_lead_to_the_next_server_at_once() {
    for error in [1, 2, 4, 5, 9, 15] {
        let mut world =
            World::new(TWO, move |ask| send(if ask.host() == 1 { ask.code(error) } else { ask.with(&BOTH) }));
        assert_eq!(world.resolve("a.example"), ["4 found 2001:db8::1 192.0.2.1"]);
    }
    let mut world = World::new(TWO, |ask| match ask.host() {
        1 => vec![(0, Event::Failed)],
        _ => send(ask.with(&BOTH)),
    });
    assert_eq!(world.resolve("a.example"), ["2 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn the_error_of_an_earlier_server_hurries_no_other_query() {
    let mut world = World::new(THREE, |ask| match ask.host() {
        1 => vec![(450, Event::Bytes(ask.code(SERVFAIL)))],
        2 => vec![(200, Event::Bytes(ask.with(&BOTH)))],
        _ => silence(),
    });
    assert_eq!(world.resolve("a.example"), ["600 found 2001:db8::1 192.0.2.1"]);
    assert_eq!(world.asked.len(), 4, "{:?}", world.asked);
}

#[test]
fn few_queries_of_one_question_are_in_flight() {
    let mut world = World::new(&format!("{THREE}options attempts:5 timeout:30\n"), |_| silence());
    world.resolve("a.example");
    assert_eq!(world.most_open, 16);
}

#[test]
fn when_all_servers_fail_the_detail_says_how() {
    let mut world = World::new(TWO, |ask| send(ask.code(SERVFAIL)));
    let said = world.resolve("a.example");
    assert_eq!(said, ["8 dns_failed: name server 10.0.0.2 answered SERVFAIL for a.example"]);
    let mut world = World::new(TWO, |_| vec![(0, Event::Failed)]);
    let said = world.resolve("a.example");
    assert_eq!(said, ["0 dns_failed: no name server reachable for a.example (tried 10.0.0.1, 10.0.0.2)"]);
    assert_eq!(world.asked.len(), 8);
    // An error says more than silence, and silence more than a closed port.
    let mut world = World::new(TWO, |ask| if ask.host() == 1 { send(ask.code(5)) } else { silence() });
    let expected = "9000 waiting for 10.0.0.2 to resolve a.example; \
        name server 10.0.0.1 answered REFUSED for a.example";
    assert_eq!(world.resolve("a.example"), [expected]);
    let mut world = World::new(TWO, |ask| if ask.host() == 1 { silence() } else { vec![(0, Event::Failed)] });
    assert_eq!(world.resolve("a.example"), ["9000 waiting for 10.0.0.1 to resolve a.example"]);
}

#[test]
fn the_silence_of_one_family_does_not_hold_up_the_other() {
    let mut world =
        World::new(TWO, |ask| if ask.kind == AAAA { silence() } else { send(ask.with(&["192.0.2.1"])) });
    assert_eq!(world.resolve("a.example"), ["52 found 192.0.2.1 and more", "1052 found"]);
    // What was found serves the next lookup at once, but not for long.
    assert_eq!(world.resolve("a.example"), ["0 found 192.0.2.1"]);
    world.run(30_000);
    assert_eq!(world.resolve("a.example").len(), 2);
}

#[test]
fn late_addresses_of_the_other_family_follow() {
    let mut world = World::new(ONE, |ask| match ask.kind {
        A => vec![(300, Event::Bytes(ask.with(&BOTH)))],
        _ => send(ask.with(&BOTH)),
    });
    assert_eq!(world.resolve("a.example"), ["52 found 2001:db8::1 and more", "300 found 192.0.2.1"]);
    let mut world = World::new(ONE, |ask| match ask.kind {
        A => vec![(300, Event::Bytes(ask.with(&[])))],
        _ => send(ask.with(&BOTH)),
    });
    assert_eq!(world.resolve("a.example"), ["52 found 2001:db8::1 and more", "300 found"]);
}

#[test]
fn a_family_without_addresses_waits_for_the_other() {
    let mut world = World::new(ONE, |ask| match ask.kind {
        A => vec![(1500, Event::Bytes(ask.with(&BOTH)))],
        _ => send(ask.with(&[])),
    });
    assert_eq!(world.resolve("a.example"), ["1500 found 192.0.2.1"]);
    // Some servers deny a name because it has no AAAA record.
    let mut world = World::new(ONE, |ask| match ask.kind {
        A => vec![(1500, Event::Bytes(ask.with(&BOTH)))],
        _ => send(ask.code(NXDOMAIN)),
    });
    assert_eq!(world.resolve("a.example"), ["1500 found 192.0.2.1"]);
}

#[test]
fn a_name_that_does_not_exist_has_no_other_family() {
    let mut world =
        World::new(ONE, |ask| if ask.kind == AAAA { silence() } else { send(ask.code(NXDOMAIN)) });
    assert_eq!(
        world.resolve("a.example"),
        ["52 dns_not_found: name does not exist: a.example (asked 10.0.0.1)"]
    );
}

#[test]
fn servers_of_ones_own_replace_those_of_the_file() {
    let mut world = World::new(ONE, |ask| send(ask.with(&BOTH)));
    let own = "10.7.7.7:5300".parse().unwrap();
    world.resolver = Resolver::new(vec![own], MDNS.parse().unwrap(), Box::new(|| 7));
    world.resolver.set_resolv_conf(b"nameserver 10.0.0.1\nsearch lan\n");
    assert_eq!(world.resolve("nas"), ["2 found 2001:db8::1 192.0.2.1"]);
    assert_eq!(world.asked, ["0 Udp 10.7.7.7 A nas.lan", "0 Udp 10.7.7.7 AAAA nas.lan"]);
}

#[test]
fn a_dead_server_gets_another_chance_however_many_names_are_asked_for_meanwhile() {
    let mut world = World::new(TWO, dead(&[1]));
    assert_eq!(world.resolve("a.example"), ["402 found 2001:db8::1 192.0.2.1"]);
    for name in ["b.example", "c.example", "d.example"] {
        world.run(9000);
        assert_eq!(world.resolve(name), ["2 found 2001:db8::1 192.0.2.1"]);
    }
    world.run(4000);
    assert_eq!(world.resolve("e.example"), ["402 found 2001:db8::1 192.0.2.1"]);
}

#[test]
fn a_server_counts_as_slow_from_when_it_was_last_given_up() {
    let mut world = World::new(TWO, dead(&[1, 2]));
    assert_eq!(ms(&world.resolve("a.example")[0]), BUDGET_MS);
    world.run(27_000);
    world.resolve("b.example");
    assert_eq!(world.asked[..4].iter().map(|line| ms(line)).collect::<Vec<_>>(), [0; 4]);
}

/// Lets the loop lose ten seconds.
fn lose_time(world: &mut World) {
    let gap = Duration::from_secs(10);
    world.resolver.extend(gap);
    world.now += gap;
    world.resolver.handle_timeout(world.now);
    world.run(0);
}

#[test]
fn time_that_the_loop_lost_makes_no_server_late() {
    let mut world = World::new(TWO, dead(&[1]));
    world.lookup("a.example");
    world.run(300);
    lose_time(&mut world);
    assert_eq!(world.asked.len(), 2, "{:?}", world.asked);
    world.run(100);
    assert_eq!((world.asked.len(), ms(&world.asked[2])), (4, 10_400));
}

#[test]
fn time_that_the_loop_lost_is_given_back_to_a_negative_answer_that_waits() {
    for denied_after in [2, 10_200] {
        let mut world = World::new(TWO, move |ask| match ask.host() {
            1 => vec![(10_800, Event::Bytes(ask.with(&["192.0.2.1"])))],
            _ => vec![(denied_after, Event::Bytes(ask.code(NXDOMAIN)))],
        });
        world.lookup("a.example");
        world.run(500);
        lose_time(&mut world);
        world.run(1000);
        assert_eq!(world.said, ["0 10800 found 192.0.2.1"], "denied after {denied_after} ms");
    }
}

#[test]
fn time_that_the_loop_lost_is_given_back_to_the_late_family() {
    let mut world = World::new(ONE, |ask| match ask.kind {
        A => send(ask.with(&["192.0.2.1"])),
        _ => vec![(10_100, Event::Bytes(ask.with(&["2001:db8::1"])))],
    });
    world.lookup("a.example");
    world.run(60);
    lose_time(&mut world);
    world.run(1000);
    assert_eq!(world.said.last().unwrap(), "0 10100 found 2001:db8::1", "{:?}", world.said);
}
