//! Dials, told and asked by hand.

use super::*;
use crate::clock::test_now;

fn addresses(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|a| a.parse().expect("an address")).collect()
}

/// A dial of these addresses, the request to resolve already taken.
fn connector(list: &[&str], last: bool, now: Instant) -> Connector {
    let mut connector = Connector::new("host".into(), 80, now);
    assert_eq!(connector.poll_output(), Some(Output::Resolve));
    connector.handle_addresses(&addresses(list), last, now);
    connector
}

fn opened(connector: &mut Connector) -> Vec<String> {
    let mut list = Vec::new();
    while let Some(output) = connector.poll_output() {
        match output {
            Output::Open(slot, address) => list.push(format!("{slot} {address}")),
            other => list.push(format!("{other:?}")),
        }
    }
    list
}

fn refused() -> Failure {
    Failure::new(Reason::Refused, "refused")
}

#[test]
fn families_take_turns_a_quarter_of_a_second_apart() {
    let now = test_now().instant;
    let mut connector = connector(&["10.0.0.1", "10.0.0.2", "::1", "::2"], true, now);
    assert_eq!(opened(&mut connector), ["0 [::1]:80"]);
    let mut at = now;
    for expected in ["1 10.0.0.1:80", "2 [::2]:80", "3 10.0.0.2:80"] {
        let next = connector.poll_timeout().expect("another address waits");
        assert_eq!(next - at, NEXT_ADDRESS);
        connector.handle_timeout(next - Duration::from_millis(1));
        assert!(opened(&mut connector).is_empty());
        connector.handle_timeout(next);
        assert_eq!(opened(&mut connector), [expected]);
        at = next;
    }
    assert_eq!(connector.poll_timeout(), None);
    connector.handle_connected(3);
    assert_eq!(opened(&mut connector), ["Close(1)", "Close(0)", "Close(2)", "Connected(3, 10.0.0.2:80)"]);
}

#[test]
fn a_refusal_tries_the_next_at_once_and_the_last_one_ends_it() {
    let now = test_now().instant;
    let mut connector = connector(&["::1", "127.0.0.1"], true, now);
    assert_eq!(opened(&mut connector), ["0 [::1]:80"]);
    connector.handle_failed(0, Failure::new(Reason::Unreachable, "no route"), now);
    assert_eq!(opened(&mut connector), ["1 127.0.0.1:80"]);
    connector.handle_failed(1, refused(), now);
    let Some(Output::Failed(failure)) = connector.poll_output() else { panic!("not failed") };
    assert_eq!((failure.reason, &*failure.detail), (Reason::Refused, "refused (2 addresses tried)"));
    assert_eq!((connector.poll_output(), connector.poll_timeout()), (None, None));
}

#[test]
fn addresses_that_come_later_are_tried_too() {
    let now = test_now().instant;
    let mut connector = connector(&["::1"], false, now);
    assert_eq!(opened(&mut connector), ["0 [::1]:80"]);
    connector.handle_failed(0, refused(), now);
    assert!(opened(&mut connector).is_empty(), "not over while more may come");
    connector.handle_addresses(&addresses(&["10.0.0.1", "::1"]), true, now);
    assert_eq!(opened(&mut connector), ["1 10.0.0.1:80"]);
    connector.handle_connected(1);
    assert_eq!(opened(&mut connector), ["Connected(1, 10.0.0.1:80)"]);
}

#[test]
fn a_late_address_waits_its_turn_beside_a_silent_one() {
    let now = test_now().instant;
    let mut connector = connector(&["::1"], false, now);
    opened(&mut connector);
    connector.handle_addresses(&addresses(&["10.0.0.1"]), true, now);
    connector.handle_timeout(now + NEXT_ADDRESS - Duration::from_millis(1));
    assert!(opened(&mut connector).is_empty());
    assert_eq!(
        connector.timed_out(None).detail,
        "no answer to connecting to [::1]:80",
        "the other is not tried yet"
    );
    connector.handle_timeout(now + NEXT_ADDRESS);
    assert_eq!(opened(&mut connector), ["1 10.0.0.1:80"]);
    assert_eq!(connector.timed_out(None).detail, "no answer to connecting to [::1]:80 (2 addresses tried)");
}

#[test]
fn news_of_the_name_does_not_put_the_next_address_off() {
    let now = test_now().instant;
    let mut one = connector(&["::1", "::2"], false, now);
    one.handle_addresses(&addresses(&["10.0.0.1"]), true, now + NEXT_ADDRESS / 2);
    assert_eq!(one.poll_timeout(), Some(now + NEXT_ADDRESS));
    let mut other = connector(&["::1"], false, now);
    other.handle_addresses(&[], true, now);
    assert_eq!(other.poll_timeout(), None, "there is no next address");
}

#[test]
fn a_dial_that_is_over_stays_over() {
    let now = test_now().instant;
    let mut connector = connector(&["::1"], true, now);
    connector.handle_failed(0, refused(), now);
    opened(&mut connector);
    connector.handle_addresses(&addresses(&["10.0.0.1"]), true, now);
    assert!(opened(&mut connector).is_empty());
}

#[test]
fn the_most_telling_failure_is_told_and_the_first_of_its_kind() {
    use Reason::{ConnectTimeout, DnsFailed, Local, Refused, Reset, Unreachable};
    let told = |first, second| {
        let mut connector = Connector::new("host".into(), 80, test_now().instant);
        connector.note(Failure::new(first, "first"));
        connector.note(Failure::new(second, "second"));
        connector.failure.map(|failure| failure.reason)
    };
    let ranks = [&[Refused][..], &[Reset, ConnectTimeout], &[Unreachable, DnsFailed], &[Local]];
    for (rank, reasons) in ranks.iter().enumerate() {
        for better in *reasons {
            for other in ranks[rank..].concat() {
                assert_eq!(told(*better, other), Some(*better), "{other}");
                if !reasons.contains(&other) {
                    assert_eq!(told(other, *better), Some(*better), "{other}");
                }
            }
        }
    }
}

#[test]
fn trouble_of_this_machine_is_tried_again_and_is_no_verdict() {
    let now = test_now().instant;
    let mut connector = connector(&["10.0.0.1"], true, now);
    opened(&mut connector);
    connector.handle_failed(0, Failure::new(Reason::Local, "too many open files"), now);
    assert!(opened(&mut connector).is_empty());
    assert_eq!(connector.timed_out(None).reason, Reason::Local);
    connector.handle_timeout(now + LOCAL_RETRY - Duration::from_millis(1));
    assert!(opened(&mut connector).is_empty());
    connector.handle_timeout(now + LOCAL_RETRY);
    assert_eq!(opened(&mut connector), ["1 10.0.0.1:80"]);
    connector.handle_connected(0);
    assert!(opened(&mut connector).is_empty(), "late news of a dead attempt is no news");
    assert_eq!(connector.timed_out(None).reason, Reason::ConnectTimeout);
}

#[test]
fn an_unresolved_name_fails_with_its_reason() {
    let now = test_now().instant;
    let mut connector = Connector::new("nowhere".into(), 80, now);
    connector.poll_output();
    assert_eq!(connector.timed_out(None).reason, Reason::DnsTimeout);
    connector.handle_unresolved(Failure::new(Reason::DnsFailed, "SERVFAIL"), now);
    assert_eq!(connector.poll_output(), Some(Output::Failed(Failure::new(Reason::DnsFailed, "SERVFAIL"))));
}

#[test]
fn the_number_of_addresses_is_capped() {
    let now = test_now().instant;
    let many: Vec<IpAddr> = (0..=255).map(|i| IpAddr::from([10, 0, 0, i])).collect();
    let mut connector = Connector::new("host".into(), 80, now);
    connector.poll_output();
    connector.handle_addresses(&many, true, now);
    for slot in 0..1000 {
        connector.handle_failed(slot, refused(), now);
    }
    let opens = opened(&mut connector).iter().filter(|o| o.ends_with(":80")).count();
    assert_eq!(opens, ADDRESSES_MAX);
}

#[test]
fn resolving_lasts_until_the_first_address_and_connecting_from_there() {
    let t0 = test_now().instant;
    let ms = Duration::from_millis;
    let mut connector = Connector::new("host".into(), 80, t0);
    assert_eq!((connector.spent(t0 + ms(3)), connector.tried()), ((Some(ms(3)), None), None));
    connector.handle_addresses(&addresses(&["::1"]), false, t0 + ms(5));
    connector.handle_addresses(&addresses(&["10.0.0.1"]), true, t0 + ms(9));
    assert_eq!(connector.spent(t0 + ms(11)), (Some(ms(5)), Some(ms(6))));
    assert_eq!(connector.tried(), "[::1]:80".parse().ok());
    connector.handle_failed(0, refused(), t0 + ms(12));
    assert_eq!(connector.spent(t0 + ms(20)), (Some(ms(5)), Some(ms(15))));
    assert_eq!(connector.tried(), "10.0.0.1:80".parse().ok());
}

#[test]
fn a_literal_address_is_not_resolved() {
    let t0 = test_now().instant;
    let mut connector = Connector::new("::1".into(), 80, t0);
    connector.handle_literal(addresses(&["::1"])[0], t0);
    assert_eq!(connector.spent(t0 + NEXT_ADDRESS), (None, Some(NEXT_ADDRESS)));
}
