//! Connectors with inputs of the tests.

use super::*;
use crate::clock::test_now;

fn addresses(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|a| a.parse().expect("an address")).collect()
}

/// A connector with these addresses; the request to resolve is already taken.
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
            Output::Open(id, address) => list.push(format!("{id} {address}")),
            other => list.push(format!("{other:?}")),
        }
    }
    list
}

fn refused() -> Failure {
    Failure::new(Reason::Refused, "refused")
}

#[test]
fn families_alternate_every_250_ms() {
    let now = test_now().instant;
    let mut connector = connector(&["10.0.0.1", "10.0.0.2", "::1", "::2"], true, now);
    assert_eq!(opened(&mut connector), ["0 [::1]:80"]);
    let mut at = now;
    for expected in ["1 10.0.0.1:80", "2 [::2]:80", "3 10.0.0.2:80"] {
        let next = connector.poll_timeout().expect("another address");
        assert_eq!(next - at, CONNECTION_ATTEMPT_DELAY);
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
fn after_a_failure_the_next_address_is_tried_at_once() {
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
fn late_addresses_are_tried() {
    let now = test_now().instant;
    let mut connector = connector(&["::1"], false, now);
    assert_eq!(opened(&mut connector), ["0 [::1]:80"]);
    connector.handle_failed(0, refused(), now);
    assert!(opened(&mut connector).is_empty(), "failed while more addresses may follow");
    connector.handle_addresses(&addresses(&["10.0.0.1", "::1"]), true, now);
    assert_eq!(opened(&mut connector), ["1 10.0.0.1:80"]);
    connector.handle_connected(1);
    assert_eq!(opened(&mut connector), ["Connected(1, 10.0.0.1:80)"]);
}

#[test]
fn a_late_address_waits_for_the_attempt_delay() {
    let now = test_now().instant;
    let mut connector = connector(&["::1"], false, now);
    opened(&mut connector);
    connector.handle_addresses(&addresses(&["10.0.0.1"]), true, now);
    connector.handle_timeout(now + CONNECTION_ATTEMPT_DELAY - Duration::from_millis(1));
    assert!(opened(&mut connector).is_empty());
    assert_eq!(
        connector.timed_out(None).detail,
        "no answer to connecting to [::1]:80",
        "the other is not tried yet"
    );
    connector.handle_timeout(now + CONNECTION_ATTEMPT_DELAY);
    assert_eq!(opened(&mut connector), ["1 10.0.0.1:80"]);
    assert_eq!(connector.timed_out(None).detail, "no answer to connecting to [::1]:80 (2 addresses tried)");
}

#[test]
fn late_addresses_do_not_delay_the_next_attempt() {
    let now = test_now().instant;
    let mut one = connector(&["::1", "::2"], false, now);
    one.handle_addresses(&addresses(&["10.0.0.1"]), true, now + CONNECTION_ATTEMPT_DELAY / 2);
    assert_eq!(one.poll_timeout(), Some(now + CONNECTION_ATTEMPT_DELAY));
    let mut other = connector(&["::1"], false, now);
    other.handle_addresses(&[], true, now);
    assert_eq!(other.poll_timeout(), None, "there is no next address");
}

#[test]
fn a_finished_connector_ignores_addresses() {
    let now = test_now().instant;
    let mut connector = connector(&["::1"], true, now);
    connector.handle_failed(0, refused(), now);
    opened(&mut connector);
    connector.handle_addresses(&addresses(&["10.0.0.1"]), true, now);
    assert!(opened(&mut connector).is_empty());
}

#[test]
fn the_most_significant_failure_is_reported_the_first_of_equal_ones() {
    use Reason::{ConnectTimeout, DnsFailed, Local, Refused, Reset, Unreachable};
    let reported = |first, second| {
        let mut connector = Connector::new("host".into(), 80, test_now().instant);
        connector.record_failure(Failure::new(first, "first"));
        connector.record_failure(Failure::new(second, "second"));
        connector.failure.map(|failure| failure.reason)
    };
    let ranks = [&[Refused][..], &[Reset, ConnectTimeout], &[Unreachable, DnsFailed], &[Local]];
    for (rank, reasons) in ranks.iter().enumerate() {
        for better in *reasons {
            for other in ranks[rank..].concat() {
                assert_eq!(reported(*better, other), Some(*better), "{other}");
                if !reasons.contains(&other) {
                    assert_eq!(reported(other, *better), Some(*better), "{other}");
                }
            }
        }
    }
}

#[test]
fn local_failures_are_retried() {
    let now = test_now().instant;
    let mut connector = connector(&["10.0.0.1"], true, now);
    opened(&mut connector);
    connector.handle_failed(0, Failure::exhausted("too many open files"), now);
    assert!(opened(&mut connector).is_empty());
    assert_eq!(connector.timed_out(None).reason, Reason::Local);
    connector.handle_timeout(now + LOCAL_RETRY - Duration::from_millis(1));
    assert!(opened(&mut connector).is_empty());
    connector.handle_timeout(now + LOCAL_RETRY);
    assert_eq!(opened(&mut connector), ["1 10.0.0.1:80"]);
    connector.handle_connected(0);
    assert!(opened(&mut connector).is_empty(), "an event of a failed attempt has an effect");
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
fn the_number_of_addresses_is_limited() {
    let now = test_now().instant;
    let many: Vec<IpAddr> = (0..=255).map(|i| IpAddr::from([10, 0, 0, i])).collect();
    let mut connector = Connector::new("host".into(), 80, now);
    connector.poll_output();
    connector.handle_addresses(&many, true, now);
    for id in 0..1000 {
        connector.handle_failed(id, refused(), now);
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
    assert_eq!(connector.spent(t0 + CONNECTION_ATTEMPT_DELAY), (None, Some(CONNECTION_ATTEMPT_DELAY)));
}
