//! Addresses that are held while a name cannot be resolved.

use super::*;
use std::cell::Cell;
use std::rc::Rc;

const ONE: &str = "nameserver 10.0.0.1\n";

/// A server whose answers expire after 2 s. It is silent, or answers with a code, while it fails.
#[derive(Clone, Copy)]
enum Mode {
    Address(u8),
    Silent,
    Code(u8),
}

fn hold(hold_s: u64) -> (World, Rc<Cell<Mode>>) {
    let mode = Rc::new(Cell::new(Mode::Address(1)));
    let script = mode.clone();
    let mut world = World::new(ONE, move |ask| match script.get() {
        Mode::Address(last) => send(ask.with_ttl(2, &[&format!("192.0.2.{last}")])),
        Mode::Silent => silence(),
        Mode::Code(code) => send(ask.code(code)),
    });
    world.resolver.set_hold(Duration::from_secs(hold_s));
    (world, mode)
}

/// What lookups say that start now, each without the time.
fn said(world: &mut World) -> Vec<String> {
    world.said.clear();
    let lookup = world.lookup("a.example");
    world.run(900);
    world.cancel(lookup);
    world.said.iter().map(|line| line.splitn(3, ' ').last().unwrap().to_owned()).collect()
}

#[test]
fn while_the_server_fails_the_last_addresses_are_used() {
    for failure in [Mode::Silent, Mode::Code(SERVFAIL)] {
        let (mut world, mode) = hold(30);
        assert_eq!(said(&mut world), ["found 192.0.2.1"]);
        world.run(1500);
        mode.set(failure);
        for _ in 0..30 {
            assert_eq!(said(&mut world), ["found 192.0.2.1 held"]);
        }
        mode.set(Mode::Address(2));
        // A search that is in progress gets the answer to its next query.
        let late = said(&mut world);
        assert!(late == ["found 192.0.2.1 held"] || late == ["found 192.0.2.2"], "{late:?}");
        world.run(4000);
        assert_eq!(said(&mut world), ["found 192.0.2.2"], "a moved service is followed");
    }
}

#[test]
fn held_addresses_are_used_after_half_a_second() {
    let (mut world, mode) = hold(30);
    said(&mut world);
    world.run(2000);
    mode.set(Mode::Silent);
    let start = world.now;
    world.said.clear();
    world.lookup("a.example");
    world.run(499);
    assert!(world.said.is_empty());
    world.run(1);
    assert_eq!(world.said.len(), 1);
    assert_eq!(world.now - start, Duration::from_millis(500));
    world.lookup("a.example");
    assert_eq!(world.said.len(), 2, "the next lookup does not wait");
    world.run(20_000);
    world.assert_quiet();
}

#[test]
fn a_hold_ends() {
    let (mut world, mut mode) = hold(5);
    said(&mut world);
    mode.set(Mode::Code(SERVFAIL));
    world.run(6500);
    assert_eq!(said(&mut world), ["dns_failed: name server 10.0.0.1 answered SERVFAIL for a.example"]);
    (world, mode) = hold(0);
    said(&mut world);
    world.run(2000);
    mode.set(Mode::Silent);
    assert_eq!(said(&mut world), [""; 0], "the hold is off");
}

#[test]
fn a_name_that_no_longer_exists_is_not_held() {
    let (mut world, mode) = hold(30);
    said(&mut world);
    world.run(2000);
    mode.set(Mode::Code(NXDOMAIN));
    assert_eq!(said(&mut world), ["dns_not_found: name does not exist: a.example (asked 10.0.0.1)"]);
    mode.set(Mode::Silent);
    assert_eq!(said(&mut world), [""; 0], "the addresses were forgotten");
}

/// A check each second, with 0.9 s for the lookup: at whatever moment of the time to live, which is 2 s, an outage begins.
#[test]
fn an_outage_of_ten_seconds_is_not_noticed() {
    for failure in [Mode::Silent, Mode::Code(SERVFAIL)] {
        for begin_ms in (0..3000).step_by(50) {
            let (mut world, mode) = hold(30);
            assert_eq!(said(&mut world), ["found 192.0.2.1"]);
            world.run(begin_ms);
            mode.set(failure);
            for check in 0..10 {
                assert_eq!(said(&mut world).len(), 1, "begun at {begin_ms} ms, check {check}");
                assert!(
                    world.said[0].contains(" found 192.0.2.1"),
                    "begun at {begin_ms} ms: {:?}",
                    world.said
                );
                world.run(100);
            }
            mode.set(Mode::Address(2));
            world.run(4000);
            assert_eq!(said(&mut world), ["found 192.0.2.2"], "begun at {begin_ms} ms");
        }
    }
}
