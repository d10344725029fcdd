//! Attempts with scripted name servers.

use super::*;
use crate::probe::Probe;
use crate::probe::build::NetProbe;
use crate::probe::harness::{Harness, NAME_SERVER, RANDOM, segmentations};
use crate::wire::dns::server_messages::*;

const MS: Duration = Duration::from_millis(1);
const URL: &str = "dns://192.0.2.53/db.example";
const FORMERR: u8 = 1;
const NOTIMP: u8 = 4;

fn build(url: &str, configure: impl FnOnce(ProbeBuilder) -> ProbeBuilder) -> NetProbe {
    configure(ProbeBuilder::from_url(url).timeout(MS * 3000)).build().expect("a probe")
}

/// The server of [`URL`], queried over UDP 5 ms ago, and the query.
fn queried() -> (Harness, Vec<u8>) {
    over_udp(&build(URL, |probe| probe))
}

fn over_udp(probe: &NetProbe) -> (Harness, Vec<u8>) {
    let mut harness = Harness::begin(probe);
    assert_eq!(harness.connect_udp(), ("192.0.2.53".to_owned(), 53));
    harness.connected();
    harness.wait(MS * 5);
    let query = harness.sent();
    (harness, query)
}

/// The server of [`URL`], queried over TCP, and the query without its length.
fn over_tcp() -> (Harness, Vec<u8>) {
    let (mut harness, query) = queried();
    harness.receive(&answer(&query, TRUNCATED, 0, &[]));
    // The server has another address than its name.
    assert_eq!(harness.connect(), ("127.0.0.1".to_owned(), 1));
    harness.connected();
    let query = unframed(&harness.sent());
    (harness, query)
}

fn unframed(sent: &[u8]) -> Vec<u8> {
    let message = sent[2..].to_vec();
    assert_eq!(framed(&message), sent);
    message
}

fn id(query: &[u8]) -> u16 {
    u16::from_be_bytes([query[0], query[1]])
}

fn address(last: u8) -> Vec<u8> {
    record("db.example", A, 60, &[192, 0, 2, last])
}

/// The answer with an address.
fn right(query: &[u8]) -> Vec<u8> {
    answer(query, ANSWER, 0, &[address(1)])
}

/// The reply to a query.
type Reply = fn(&[u8]) -> Vec<u8>;

fn with_badvers(query: &[u8]) -> Vec<u8> {
    let mut message = answer(query, ANSWER, 0, &[]);
    message[11] = 1;
    message.extend(raw_record(b"\0", 41, 1232, 0x0100_0000, b""));
    message
}

/// The result as `ok` or the reason, and the detail.
fn outcome(harness: &Harness) -> String {
    let result = harness.full_result();
    assert_eq!(result.ok, result.reason.is_none());
    format!("{} {}", result.reason.map_or("ok", Reason::as_str), result.detail)
}

#[test]
fn an_answer_is_evaluated() {
    let (mut harness, query) = queried();
    harness.receive(&answer(&query, ANSWER, 0, &[address(2), address(1)]));
    let result = harness.full_result();
    assert_eq!((result.ok, &*result.detail, result.latency), (true, "192.0.2.1, 192.0.2.2", Some(MS * 5)));
    assert_eq!(result.phases.first_byte, Some(MS * 5));
    let dns = result.dns.expect("a response");
    assert_eq!((&*dns.rcode, dns.answers.len(), dns.soa_serial), ("NOERROR", 2, None));

    let (mut harness, query) = queried();
    harness.receive(&answer(&query, ANSWER, 3, &[]));
    let result = harness.full_result();
    assert_eq!(outcome(&harness), "dns_rcode NXDOMAIN: the name does not exist");
    assert_eq!(result.latency, Some(MS * 5));
    let dns = result.dns.expect("a response");
    assert_eq!((&*dns.rcode, dns.answers.len()), ("NXDOMAIN", 0));

    let probe = build(URL, |probe| probe.check("rcode:NXDOMAIN"));
    let (mut harness, query) = over_udp(&probe);
    harness.receive(&answer(&query, ANSWER, 3, &[]));
    assert_eq!(outcome(&harness), "ok NXDOMAIN");
}

#[test]
fn the_response_is_stored_within_limits() {
    let probe = build("dns://192.0.2.53/db.example?type=TXT", |probe| probe.check("answer_contains:z"));
    let (mut harness, query) = over_udp(&probe);
    let texts: Vec<Vec<u8>> = (0..12)
        .map(|i| [vec![255, b'a' + i], vec![7; 254], vec![255], vec![b'y' + i % 2; 255]].concat())
        .map(|data| record("db.example", 16, 60, &data))
        .collect();
    harness.receive(&answer(&query, ANSWER, 0, &texts));
    let dns = harness.full_result().dns.expect("a response");
    assert_eq!(
        (dns.answers.len(), dns.answers[0].len()),
        (DnsResponse::ANSWERS_MAX, DnsResponse::ANSWER_MAX)
    );
    assert!(dns.answers[9].starts_with("\"j\\007") && harness.full_result().ok);

    let probe = build("dns://192.0.2.53/db.example?type=SOA", |probe| probe);
    let (mut harness, query) = over_udp(&probe);
    let soa = [wire("ns"), wire("admin"), 2024_u32.to_be_bytes().to_vec(), vec![0; 16]].concat();
    harness.receive(&answer(&query, ANSWER, 0, &[record("db.example", SOA, 60, &soa)]));
    assert_eq!(outcome(&harness), "ok ns. admin. 2024 0 0 0 0");
    assert_eq!(harness.full_result().dns.expect("a response").soa_serial, Some(2024));
}

#[test]
fn the_name_server_is_queried_if_the_url_has_none() {
    for url in ["dns:db.example", "dns:///db.example", "DNS:db.example?TYPE=A"] {
        let probe = build(url, |probe| probe);
        assert_eq!((probe.name(), probe.url()), ("db.example", "dns:db.example?type=A"));
        let mut harness = Harness::begin(&probe);
        assert_eq!(harness.connect_udp(), (NAME_SERVER.to_owned(), 53));
        harness.connected();
        let query = harness.sent();
        harness.receive(&answer(&query, TRUNCATED, 0, &[]));
        assert_eq!(harness.connect(), (NAME_SERVER.to_owned(), 53));
        harness.connected();
        let query = unframed(&harness.sent());
        harness.receive(&framed(&right(&query)));
        assert_eq!(outcome(&harness), "ok 192.0.2.1");
    }
}

#[test]
fn datagrams_that_do_not_match_are_ignored() {
    fn changed(query: &[u8], position: usize, byte: u8) -> Vec<u8> {
        let mut message = answer(query, ANSWER, 0, &[address(66)]);
        message[position] ^= byte;
        message
    }
    let wrong: [Reply; 13] = [
        |query| changed(query, 0, 1),
        |query| changed(query, 1, 0x80),
        |query| changed(query, 2, 0x80),
        |query| changed(query, 13, 1),
        |query| changed(query, 25, 29),
        |query| changed(query, 27, 2),
        |query| changed(query, 5, 1),
        |_| vec![0xff; 600],
        |_| vec![0],
        |query| query.to_vec(),
        |query| answer(query, ANSWER, 0, &[])[..20].to_vec(),
        |query| [&query[..2], b"\x81\x83\0\0\0\0\0\0\0\0"].concat(),
        |query| [&query[..2], b"\x81\x80\0\0\0\0\0\0\0\0"].concat(),
    ];
    for wrong in wrong {
        let (mut harness, query) = queried();
        harness.receive(&wrong(&query));
        harness.wait(MS * 900);
        harness.receive(&right(&query));
        assert_eq!(outcome(&harness), "ok 192.0.2.1", "{query:?}");
    }
    let (mut harness, query) = queried();
    harness.input(Input::Received(&[]));
    for wrong in wrong.iter().cycle().take(5000) {
        harness.receive(&wrong(&query));
    }
    harness.receive(&right(&query));
    assert_eq!(outcome(&harness), "ok 192.0.2.1");
}

#[test]
fn without_an_answer_the_check_fails() {
    let (mut harness, _) = queried();
    harness.input(Input::TimedOut);
    assert_eq!(outcome(&harness), "dns_no_answer timed out after 3 s waiting for the answer of 127.0.0.1:1");
    for (count, text) in
        [(1, "1 message that does not match the query was ignored"), (3, "3 messages that do not")]
    {
        let (mut harness, _) = queried();
        (0..count).for_each(|_| harness.receive(b"noise"));
        harness.input(Input::TimedOut);
        assert!(outcome(&harness).contains(&format!("127.0.0.1:1; {text}")), "{}", outcome(&harness));
    }
}

#[test]
fn a_failure_of_the_connection_is_reported() {
    let mut harness = Harness::begin(&build(URL, |probe| probe));
    harness.connect_udp();
    harness.failed(Failure::new(Reason::DnsNotFound, "name does not exist: ns"));
    assert_eq!(outcome(&harness), "dns_not_found name does not exist: ns");
    let (mut harness, _) = queried();
    harness.failed(Failure::new(Reason::Refused, "connection refused by 192.0.2.53:53"));
    assert_eq!(outcome(&harness), "refused connection refused by 192.0.2.53:53");
    let (mut harness, _) = over_tcp();
    harness.failed(Failure::new(Reason::Reset, "connection reset"));
    assert_eq!(outcome(&harness), "reset connection reset (its answer over UDP was truncated)");
}

#[test]
fn the_query_is_sent_again_once() {
    let (mut harness, query) = queried();
    assert_eq!(harness.timer(), Some(MS * 995));
    harness.expire_timer();
    assert_eq!((harness.sent(), harness.timer()), (query.clone(), None));
    harness.input(Input::TimerExpired);
    assert_eq!(harness.sent(), b"");
    harness.receive(&right(&query));
    assert_eq!(
        (outcome(&harness), harness.full_result().latency),
        ("ok 192.0.2.1".to_owned(), Some(MS * 1000))
    );
    // Not after the change to TCP, neither before nor after the connection is established.
    let (mut harness, query) = queried();
    harness.receive(&answer(&query, TRUNCATED, 0, &[]));
    harness.input(Input::TimerExpired);
    assert_eq!(harness.sent(), b"");
    harness.connect();
    harness.connected();
    harness.sent();
    harness.input(Input::TimerExpired);
    assert_eq!(harness.sent(), b"");
}

#[test]
fn a_server_without_edns_is_asked_again_without_it() {
    let replies: [Reply; 4] = [
        |query| answer(query, ANSWER, FORMERR, &[]),
        |query| answer(query, ANSWER, NOTIMP, &[]),
        |query| [&query[..2], b"\x81\x81\0\0\0\0\0\0\0\0"].concat(),
        with_badvers,
    ];
    for reply in replies {
        let (mut harness, edns) = queried();
        assert_eq!((id(&edns), edns[11]), (RANDOM as u16, 1));
        harness.receive(&reply(&edns));
        let plain = harness.sent();
        assert_eq!((id(&plain), plain[11], &plain[12..]), ((RANDOM >> 16) as u16, 0, &question(&edns)[12..]));
        // The error for the retransmission of the first query.
        harness.receive(&reply(&edns));
        assert_eq!(harness.sent(), b"");
        harness.expire_timer();
        assert_eq!(harness.sent(), plain);
        harness.receive(&right(&plain));
        assert_eq!(outcome(&harness), "ok 192.0.2.1");

        let (mut harness, edns) = queried();
        harness.receive(&reply(&edns));
        let plain = harness.sent();
        harness.receive(&answer(&plain, ANSWER, FORMERR, &[]));
        assert_eq!(outcome(&harness), "dns_rcode FORMERR");
    }
    for code in [2, 5, 9] {
        let (mut harness, query) = queried();
        harness.receive(&answer(&query, ANSWER, code, &[]));
        assert!(outcome(&harness).starts_with("dns_rcode "), "{code}");
    }
}

#[test]
fn over_tcp_the_answer_is_found_in_every_segmentation() {
    let (_, query) = over_tcp();
    assert_eq!((id(&query), query[11]), ((RANDOM >> 32) as u16, 1));
    let mut other = answer(&query, ANSWER, 0, &[address(66)]);
    other[0] ^= 1;
    let stream =
        [framed(&other), framed(b""), framed(&query), framed(&right(&query)), b"rest".to_vec()].concat();
    for pieces in segmentations(&stream) {
        let (mut harness, _) = over_tcp();
        harness.receive_all(pieces);
        assert_eq!(outcome(&harness), "ok 192.0.2.1");
    }
    for cut in 0..framed(&right(&query)).len() {
        let (mut harness, _) = over_tcp();
        harness.receive_all([&framed(&right(&query))[..cut]].into_iter().filter(|piece| !piece.is_empty()));
        harness.input(Input::Closed);
        assert_eq!(outcome(&harness), "dns_no_answer the server closed the connection before its answer");
    }
}

#[test]
fn an_answer_over_tcp_can_be_long() {
    let (mut harness, query) = over_tcp();
    let mut records: Vec<_> = (0..4000u16)
        .map(|i| raw_record(b"\xc0\x0c", A, 1, 60, &[10, 0, i.to_be_bytes()[0], i.to_be_bytes()[1]]))
        .collect();
    records.push(address(1));
    let mut message = answer(&query, ANSWER, 0, &records);
    message.resize(u16::MAX.into(), 0);
    harness.receive_all(framed(&message).chunks(16 * 1024));
    assert_eq!(harness.full_result().dns.expect("a response").answers[0], "10.0.0.0");

    let (mut harness, query) = over_tcp();
    harness.receive(&framed(&answer(&query, TRUNCATED, 0, &[])));
    assert_eq!(outcome(&harness), "dns_answer the answer is longer than 64 KiB");
}

#[test]
fn tcp_can_be_required() {
    let probe = build(URL, |probe| probe.dns_tcp(true));
    let mut harness = Harness::begin(&probe);
    assert_eq!(harness.connect(), ("192.0.2.53".to_owned(), 53));
    harness.connected();
    let edns = unframed(&harness.sent());
    assert_eq!(harness.timer(), None);
    // A part of the next message must not survive the connection.
    harness.receive(&[framed(&answer(&edns, ANSWER, NOTIMP, &[])), vec![9]].concat());
    assert_eq!(harness.connect(), ("127.0.0.1".to_owned(), 1));
    harness.connected();
    let plain = unframed(&harness.sent());
    assert_eq!((id(&plain), plain[11]), ((RANDOM >> 48) as u16, 0));
    harness.receive(&framed(&right(&plain)));
    assert_eq!(outcome(&harness), "ok 192.0.2.1");
}

#[test]
fn a_malformed_answer_fails_the_check() {
    let broken: [Reply; 4] = [
        |query| answer(query, ANSWER, 0, &[raw_record(b"\xc0\x1c", A, 1, 9, &[0; 4])]),
        |query| answer(query, ANSWER, 0, &[record("db.example", CNAME, 9, b"\xc0\x32")]),
        |query| answer(query, ANSWER, 0, &[record("db.example", CNAME, 9, &wire("db.example"))]),
        |query| right(query)[..right(query).len() - 1].to_vec(),
    ];
    for broken in broken {
        let (mut harness, query) = queried();
        harness.receive(&broken(&query));
        assert_eq!(outcome(&harness), "dns_answer the server sent a malformed answer");
    }
}

#[test]
fn no_prefix_and_no_flipped_bit_of_an_answer_does_harm() {
    let (_, query) = queried();
    let alias = record("db.example", CNAME, 9, b"\x01a\xc0\x0c");
    let message = answer(&query, ANSWER, 0, &[alias, record("a.db.example", A, 60, &[192, 0, 2, 1])]);
    let flipped = (0..message.len() * 8).map(|bit| {
        let mut message = message.clone();
        message[bit / 8] ^= 1 << (bit % 8);
        message
    });
    let prefixes = (0..message.len()).map(|cut| message[..cut].to_vec());
    for wrong in flipped.chain(prefixes) {
        let (mut harness, query) = queried();
        harness.input(Input::Received(&wrong));
        if harness.is_done() || harness.take_connect().is_some() {
            continue;
        }
        let query = Some(harness.sent()).filter(|plain| !plain.is_empty()).unwrap_or(query);
        harness.receive(&right(&query));
        assert_eq!(outcome(&harness), "ok 192.0.2.1");
    }
}

#[test]
fn settings_are_validated() {
    let error = |url: &str, configure: fn(ProbeBuilder) -> ProbeBuilder| {
        configure(ProbeBuilder::from_url(url)).build().expect_err(url).to_string()
    };
    assert_eq!(error("dns:db.example?type=A", |probe| probe.path("/x")), "path: does not apply to dns");
    assert_eq!(error(URL, |probe| probe.method("GET")), "method: does not apply to dns");
    assert_eq!(error("tcp://h:1", |probe| probe.dns_tcp(false)), "dns-tcp: does not apply to tcp");
    assert_eq!(error(URL, |probe| probe.check("status:200")), "check: status belongs to http, not dns");
    assert_eq!(error("dns:a..b", |probe| probe), "url: `a..b` is not a domain name");
    assert!(error("dns:", |probe| probe).starts_with("url: there is no name to query"));
    let probe = build("dns://[2001:db8::53]:5353/Db.Example.?type=mx", |probe| probe.name("mail"));
    assert_eq!((probe.name(), probe.url()), ("mail", "dns://[2001:db8::53]:5353/db.example?type=MX"));
    assert_eq!(ProbeBuilder::from_url(URL).build().expect("a probe").timeout(), ProbeBuilder::DNS_TIMEOUT);
}
