//! Attempts with a peer and routers that the test plays.

use super::*;
use crate::clock::test_now;
use crate::probe::Probe;
use crate::probe::build::NetProbe;
use crate::probe::harness::Harness;
use crate::result::ProbeWarnings;
use crate::wire::icmp::with_checksum;

const MS: Duration = Duration::from_millis(1);
const V4: &str = "192.0.2.1:0";
const V6: &str = "[2001:db8::1]:0";

fn build(configure: impl FnOnce(ProbeBuilder) -> ProbeBuilder) -> NetProbe {
    configure(ProbeBuilder::from_url("icmp://router.lan")).build().expect("a probe")
}

fn burst(count: u32, required: u32) -> NetProbe {
    build(|probe| probe.ping_count(count).ping_required(required))
}

/// An attempt that has sent its first request, 3 ms after its start.
fn connected(probe: &NetProbe, to: &str) -> Harness {
    let mut harness = Harness::begin(probe);
    assert_eq!(harness.connect_icmp(), "router.lan");
    harness.wait(MS * 3);
    harness.connected_to(to.parse().expect("an address"));
    harness
}

/// The reply of the peer to `request`.
fn reply(request: &[u8]) -> Vec<u8> {
    let mut reply = request.to_vec();
    reply[0] = if request[0] == 8 { 0 } else { 129 };
    with_checksum(&reply)
}

fn receive(harness: &mut Harness, message: &[u8]) {
    harness.input(Input::IcmpMessage { bytes: message, hop_limit: Some(57) });
}

fn error(harness: &mut Harness, reason: Reason, quoted: &[u8]) {
    let failure = Failure::new(reason, "host unreachable, reported by 10.0.0.1");
    harness.input(Input::IcmpError { failure, quoted });
}

/// Sent, received and the three round-trip times in milliseconds.
fn stats(harness: &Harness) -> (u32, u32, Option<[u128; 3]>) {
    let ping = harness.full_result().ping.expect("requests were sent");
    assert_eq!(ping.hop_limit, (ping.received > 0).then_some(57));
    (ping.sent, ping.received, ping.rtt.map(|rtt| rtt.each().map(|(_, span)| span.as_millis())))
}

fn summary(harness: &Harness) -> (Option<Reason>, String) {
    let result = harness.full_result();
    assert_eq!(result.ok, result.reason.is_none());
    (result.reason, result.detail)
}

/// The first request of another attempt.
fn other_request() -> Vec<u8> {
    let mut attempt = burst(1, 1).begin(test_now());
    attempt.handle_input(Input::Random(7), test_now());
    attempt.handle_input(Input::Connected(V4.parse().expect("an address")), test_now());
    let Some(Output::Send(request)) = attempt.poll_output() else { panic!("no request") };
    request
}

#[test]
fn one_reply_is_up() {
    for (to, size) in [(V4, 16), (V6, 16), (V4, 1400)] {
        let probe = build(|probe| probe.ping_size(size));
        assert_eq!((probe.name(), probe.url()), ("router.lan", "icmp://router.lan"));
        let mut harness = connected(&probe, to);
        let request = harness.sent();
        assert_eq!(request.len(), 8 + size);
        assert!(harness.timer().is_none());
        harness.wait(Duration::from_micros(1234));
        receive(&mut harness, &reply(&request));
        let result = harness.full_result();
        assert_eq!((result.ok, result.detail.as_str()), (true, "reply in 1.2 ms"));
        assert_eq!(result.latency, Some(Duration::from_micros(1234)));
        assert_eq!(stats(&harness), (1, 1, Some([1; 3])));
    }
}

#[test]
fn other_messages_and_late_replies_are_ignored() {
    let probe = burst(2, 2);
    let mut harness = connected(&probe, V4);
    let request = harness.sent();
    let good = reply(&request);
    let mut messages =
        vec![reply(&other_request()), request.clone(), Vec::new(), vec![0; 8], vec![0; 65_535]];
    messages.extend((0..16).map(|end| good[..end].to_vec()));
    messages.extend((0..good.len() * 8).map(|bit| {
        let mut changed = good.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    }));
    // A request that was not sent yet.
    let mut next = request.clone();
    let sequence = u16::from_be_bytes([request[6], request[7]]).wrapping_add(1);
    next[6..8].copy_from_slice(&sequence.to_be_bytes());
    messages.push(reply(&next));
    for message in &messages {
        receive(&mut harness, message);
        assert!(!harness.is_done(), "{message:?}");
    }
    harness.wait(MS * 7);
    receive(&mut harness, &good);
    receive(&mut harness, &good); // A duplicate is no second reply.
    harness.expire_timer();
    let second = harness.sent();
    assert_eq!(second, next);
    receive(&mut harness, &good);
    assert!(!harness.is_done());
    harness.wait(MS * 9);
    receive(&mut harness, &reply(&second));
    assert_eq!(summary(&harness), (None, "2 of 2 replies, 7.0/8.0/9.0 ms".to_owned()));
}

#[test]
fn replies_in_any_order_are_counted_for_their_requests() {
    let probe = build(|probe| probe.ping_count(3).ping_required(3).ping_interval(MS * 10));
    let mut harness = connected(&probe, V6);
    let mut requests = vec![harness.sent()];
    for _ in 0..2 {
        harness.expire_timer();
        requests.push(harness.sent());
    }
    assert!(harness.timer().is_none(), "nothing else is sent");
    for request in requests.iter().rev() {
        harness.wait(MS);
        receive(&mut harness, &reply(request));
    }
    assert_eq!(stats(&harness), (3, 3, Some([1, 12, 23])));
}

#[test]
fn the_attempt_is_up_as_soon_as_enough_replies_arrived() {
    let mut harness = connected(&burst(5, 2), V4);
    let first = harness.sent();
    harness.expire_timer();
    let second = harness.sent();
    harness.expire_timer();
    harness.wait(MS);
    receive(&mut harness, &reply(&second));
    assert!(!harness.is_done());
    receive(&mut harness, &reply(&first));
    // The third request is not lost: its reply was not waited for.
    assert_eq!(stats(&harness), (2, 2, Some([201, 301, 401])));
    assert_eq!(summary(&harness), (None, "2 of 2 replies, 201/301/401 ms".to_owned()));

    // A request before an answered one is lost.
    let mut harness = connected(&burst(5, 1), V4);
    harness.expire_timer();
    harness.expire_timer();
    let requests = harness.sent();
    receive(&mut harness, &reply(&requests[24..48]));
    assert_eq!(stats(&harness), (2, 1, Some([200; 3])));
    assert_eq!(summary(&harness).1, "1 of 2 replies, 200/200/200 ms");
}

#[test]
fn silence_is_no_reply() {
    let mut harness = connected(&burst(1, 1), V6);
    harness.input(Input::TimedOut);
    let detail = "timed out after 2 s waiting for a reply from 2001:db8::1".to_owned();
    assert_eq!(summary(&harness), (Some(Reason::NoReply), detail));
    assert_eq!((harness.full_result().latency, stats(&harness)), (None, (1, 0, None)));

    let mut harness = connected(&burst(3, 2), V4);
    let first = harness.sent();
    harness.wait(MS * 4);
    receive(&mut harness, &reply(&first));
    harness.expire_timer();
    harness.expire_timer();
    harness.input(Input::TimedOut);
    let detail = "1 of 3 replies, 4.0/4.0/4.0 ms, 2 required".to_owned();
    assert_eq!(summary(&harness), (Some(Reason::NoReply), detail));
    assert_eq!(harness.full_result().latency, Some(MS * 4));
}

#[test]
fn an_error_about_a_request_loses_it() {
    for reason in [Reason::Unreachable, Reason::TtlExceeded] {
        // Old routers quote eight bytes.
        for quoted in [8, 12, 16, 24] {
            let mut harness = connected(&burst(1, 1), V4);
            let request = harness.sent();
            error(&mut harness, reason, &request[..quoted]);
            let detail = "host unreachable, reported by 10.0.0.1".to_owned();
            assert_eq!(summary(&harness), (Some(reason), detail));
            assert_eq!(stats(&harness), (1, 0, None));
        }
    }
    let mut harness = connected(&burst(1, 1), V4);
    let request = harness.sent();
    let others = other_request();
    for quoted in [&[][..], &request[..7], &reply(&request), &others, &others[..8]] {
        error(&mut harness, Reason::Unreachable, quoted);
        assert!(!harness.is_done(), "not about this request: {quoted:?}");
    }
    receive(&mut harness, &reply(&request));
    assert!(harness.full_result().ok);
}

#[test]
fn the_attempt_fails_as_soon_as_too_few_replies_are_possible() {
    let mut harness = connected(&burst(3, 2), V4);
    let first = harness.sent();
    harness.wait(MS);
    receive(&mut harness, &reply(&first));
    harness.expire_timer();
    let second = harness.sent();
    error(&mut harness, Reason::TtlExceeded, &second);
    error(&mut harness, Reason::TtlExceeded, &second); // Not a second one.
    error(&mut harness, Reason::Unreachable, &first); // It was answered.
    assert!(!harness.is_done());
    harness.expire_timer();
    let third = harness.sent();
    error(&mut harness, Reason::Unreachable, &third);
    let detail =
        "1 of 3 replies, 1.0/1.0/1.0 ms, 2 required; host unreachable, reported by 10.0.0.1".to_owned();
    assert_eq!(summary(&harness), (Some(Reason::Unreachable), detail));
}

#[test]
fn a_reply_after_an_error_counts() {
    let mut harness = connected(&burst(2, 1), V4);
    let request = harness.sent();
    error(&mut harness, Reason::Unreachable, &request);
    receive(&mut harness, &reply(&request));
    assert_eq!(summary(&harness), (None, "reply in 0.00 ms".to_owned()));
}

#[test]
fn loss_is_measured_over_the_whole_burst() {
    let probe = |percent| build(|probe| probe.ping_count(4).ping_loss(percent));
    for (percent, answered, warns) in
        [(25, 3, false), (24, 3, true), (0, 4, false), (75, 1, false), (74, 1, true)]
    {
        let mut harness = connected(&probe(percent), V4);
        for index in 0..4 {
            let request = harness.sent();
            if index < answered {
                harness.wait(MS);
                receive(&mut harness, &reply(&request));
            }
            if index < 3 {
                assert!(!harness.is_done(), "the rest must be sent");
                harness.expire_timer();
            }
        }
        if answered < 4 {
            assert!(!harness.is_done(), "a reply can follow");
            harness.input(Input::TimedOut);
        }
        let result = harness.full_result();
        assert_eq!((result.ok, result.warnings != ProbeWarnings::default()), (true, warns), "{result:?}");
        assert_eq!(result.warnings.contains(ProbeWarning::Loss), warns);
        assert_eq!(stats(&harness), (4, answered, Some([1; 3])));
        assert_eq!(result.detail, format!("{answered} of 4 replies, 1.0/1.0/1.0 ms"));
    }
    // Without a reply it is down, not degraded, and the loss is measured, too.
    let mut harness = connected(&probe(99), V4);
    for index in 0..4 {
        let request = harness.sent();
        error(&mut harness, Reason::Unreachable, &request);
        assert_eq!(harness.is_done(), index == 3);
        if index < 3 {
            harness.expire_timer();
        }
    }
    assert_eq!((summary(&harness).0, stats(&harness)), (Some(Reason::Unreachable), (4, 0, None)));
}

#[test]
fn a_failed_socket_is_the_reason() {
    let failure = || Failure::new(Reason::Local, "no socket");
    let mut harness = Harness::begin(&burst(1, 1));
    harness.connect_icmp();
    harness.failed(failure());
    assert_eq!(summary(&harness), (Some(Reason::Local), "no socket".to_owned()));
    assert_eq!(harness.full_result().ping, None, "nothing was sent");

    let mut harness = connected(&burst(2, 2), V4);
    let request = harness.sent();
    receive(&mut harness, &reply(&request));
    harness.failed(failure());
    let detail = "1 of 1 replies, 0.00/0.00/0.00 ms, 2 required; no socket".to_owned();
    assert_eq!(summary(&harness), (Some(Reason::Local), detail));
}

#[test]
fn invalid_settings_are_refused() {
    let error = |configure: fn(ProbeBuilder) -> ProbeBuilder| {
        configure(ProbeBuilder::from_url("ping://192.0.2.1")).build().expect_err("refused").to_string()
    };
    for (configure, expected) in [
        (
            (|probe| probe.ping_count(0)) as fn(ProbeBuilder) -> ProbeBuilder,
            "ping-count: 0 is not between 1 and 20",
        ),
        (|probe| probe.ping_count(21), "ping-count: 21 is not between 1 and 20"),
        (|probe| probe.ping_required(2), "ping-required: 2 is not between 1 and the number of requests, 1"),
        (
            |probe| probe.ping_count(2).ping_required(0),
            "ping-required: 0 is not between 1 and the number of requests, 2",
        ),
        (
            |probe| probe.ping_count(11),
            "ping-interval: 11 requests, one each 0.2 s, do not fit into the timeout of 2 s",
        ),
        (
            |probe| probe.ping_count(2).ping_interval(Duration::ZERO),
            "ping-interval: 2 requests, one each 0 s, do not fit into the timeout of 2 s",
        ),
        (|probe| probe.ping_loss(10), "ping-loss: needs at least 2 requests (--ping-count)"),
        (|probe| probe.ping_count(2).ping_loss(100), "ping-loss: 100 is not between 0 and 99 percent"),
        (|probe| probe.ping_ttl(0), "ping-ttl: 0 is not between 1 and 255"),
        (|probe| probe.ping_size(15), "ping-size: 15 is not between 16 and 1400 bytes"),
        (|probe| probe.ping_size(1401), "ping-size: 1401 is not between 16 and 1400 bytes"),
        (|probe| probe.check("port_open"), "check: does not apply to icmp"),
        (|probe| probe.path("/x"), "path: an icmp target has no path: `/x`"),
    ] {
        assert_eq!(error(configure), expected);
    }
    let tcp = ProbeBuilder::from_url("tcp://h:1").ping_ttl(3).build().expect_err("refused");
    assert_eq!(tcp.to_string(), "ping-ttl: does not apply to tcp");
    for (url, message) in [
        ("icmp://h:80", "an icmp target has no port: `h:80`"),
        ("icmp://h/x", "an icmp target has no path: `/x`"),
    ] {
        let error = ProbeBuilder::from_url(url).build().expect_err("refused");
        assert_eq!(error.message(), message);
    }
    let most = build(|probe| probe.ping_count(20).ping_interval(MS * 100).ping_ttl(255));
    assert_eq!(most.timeout(), ProbeBuilder::ICMP_TIMEOUT);
}
