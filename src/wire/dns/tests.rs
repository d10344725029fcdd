//! Messages as servers write them, and what is read out of them.

use super::server_messages::*;
use super::*;

const NS: u16 = 2;
const DNAME: u16 = 39;
const RRSIG: u16 = 46;
const TXT: u16 = 16;

fn question() -> Question {
    Question { id: 0x1234, name: Name::parse("db.example").unwrap(), kind: Kind::A, multicast: false }
}

fn multicast() -> Question {
    Question { name: Name::parse("nas.local").unwrap(), multicast: true, ..question() }
}

fn found(addresses: &[&str], ttl_s: u32) -> Reply {
    Reply::Addresses { addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(), ttl_s }
}

/// What the answer with these records says to `question()`.
fn reading(records: &[Vec<u8>]) -> Reply {
    question().read(&answer(&question().write(), ANSWER, 0, records))
}

#[test]
fn a_query_is_one_plain_question() {
    assert_eq!(question().write(), b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x02db\x07example\0\0\x01\0\x01",);
    let aaaa = Question { kind: Kind::Aaaa, ..multicast() };
    assert_eq!(aaaa.write(), b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x03nas\x05local\0\0\x1c\0\x01");
}

#[test]
fn addresses_are_read() {
    let records =
        [record("db.example", A, 60, &[192, 0, 2, 1]), record("DB.Example", A, 30, &[192, 0, 2, 2])];
    assert_eq!(reading(&records), found(&["192.0.2.1", "192.0.2.2"], 30));
    let aaaa = Question { kind: Kind::Aaaa, ..question() };
    let mut address = [0; 16];
    address[15] = 1;
    let message = answer(&aaaa.write(), ANSWER, 0, &[record("db.example", AAAA, 9, &address)]);
    assert_eq!(aaaa.read(&message), found(&["::1"], 9));
    assert_eq!(reading(&[]), found(&[], u32::MAX));
}

#[test]
fn every_prefix_of_an_answer_is_no_answer() {
    let message = answer(&question().write(), ANSWER, 0, &[record("db.example", A, 60, &[192, 0, 2, 1])]);
    for cut in 0..message.len() {
        assert!(matches!(question().read(&message[..cut]), Reply::Foreign | Reply::Broken), "{cut}");
    }
}

#[test]
fn an_answer_must_match_the_question() {
    let query = question().write();
    let good = answer(&query, ANSWER, 0, &[record("db.example", A, 60, &[192, 0, 2, 1])]);
    assert!(matches!(question().read(&good), Reply::Addresses { .. }));
    let foreign = |message: &[u8]| assert_eq!(question().read(message), Reply::Foreign, "{message:?}");
    for (position, byte) in
        [(0, 0x13), (1, 0x35), (2, 0x01), (2, 0x89), (4, 1), (5, 0), (5, 2), (13, b'x'), (25, 28), (27, 3)]
    {
        let mut message = good.clone();
        message[position] = byte;
        foreign(&message);
    }
    foreign(&query);
    foreign(b"");
    let mut shouted = good;
    shouted[13..15].copy_from_slice(b"DB");
    assert!(matches!(question().read(&shouted), Reply::Addresses { .. }));
}

#[test]
fn what_servers_say_instead_of_an_answer() {
    let query = question().write();
    assert_eq!(question().read(&answer(&query, TRUNCATED, 0, &[])), Reply::Truncated);
    assert_eq!(question().read(&answer(&query, TRUNCATED, 3, &[])), Reply::Truncated);
    assert_eq!(question().read(&answer(&query, ANSWER, 3, &[])), Reply::NoName);
    assert_eq!(question().read(&answer(&query, ANSWER, 2, &[])), Reply::Refused(2));
    // An error may come without the question, but not a negative answer.
    assert_eq!(question().read(b"\x12\x34\x81\x05\0\0\0\0\0\0\0\0"), Reply::Refused(5));
    assert_eq!(question().read(b"\x12\x34\x81\x03\0\0\0\0\0\0\0\0"), Reply::Foreign);
    assert_eq!(question().read(b"\x12\x34\x81\x00\0\0\0\0\0\0\0\0"), Reply::Foreign);
    for len in 0..HEADER {
        assert_eq!(question().read(&b"\x12\x34\x81\x05\0\0\0\0\0\0\0\0"[..len]), Reply::Foreign);
    }
    let names = [1, 2, 3, 4, 5, 9].map(|code| rcode_name(code).unwrap());
    assert_eq!(names, ["FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "NOTAUTH"]);
    assert_eq!(rcode_name(15), None);
}

#[test]
fn aliases_are_followed_in_any_order() {
    let records = [
        record("db.example", CNAME, 300, &wire("a.example")),
        record("A.example", CNAME, 20, &wire("b.example")),
        record("b.example", A, 60, &[192, 0, 2, 7]),
        record("unrelated.example", A, 1, &[192, 0, 2, 66]),
        record("db.example", TXT, 1, b"\x01x"),
    ];
    for turn in 0..records.len() {
        let mut records = records.clone();
        records.rotate_left(turn);
        assert_eq!(reading(&records), found(&["192.0.2.7"], 20), "{turn}");
        records.reverse();
        assert_eq!(reading(&records), found(&["192.0.2.7"], 20), "{turn}");
    }
    let alias = Reply::Alias { target: Name::parse("b.example").unwrap(), ttl_s: 20 };
    assert_eq!(reading(&records[..2]), alias);
}

#[test]
fn an_alias_without_addresses_is_distinguished_from_a_target_that_has_none() {
    let alias = record("db.example", CNAME, 20, &wire("a.example"));
    let soa = record("example", SOA, 5, b"\0\0....................");
    let ns = record("example", NS, 5, &wire("ns.example"));
    let with_authority = |records: &[&[u8]]| {
        let mut message = answer(&question().write(), ANSWER, 0, std::slice::from_ref(&alias));
        message[9] = u8::try_from(records.len()).unwrap();
        message.extend(records.concat());
        question().read(&message)
    };
    let target = Name::parse("a.example").unwrap();
    let follow = Reply::Alias { target, ttl_s: 20 };
    assert_eq!(with_authority(&[&soa]), found(&[], 20));
    assert_eq!(with_authority(&[&ns, &soa]), found(&[], 20));
    assert_eq!(with_authority(&[]), follow);
    assert_eq!(with_authority(&[&ns]), follow, "a referral");
    assert_eq!(with_authority(&[b"\xc0\xff", &soa]), follow, "broken");
}

#[test]
fn records_of_other_types_do_not_matter() {
    let records = [
        record("db.example", CNAME, 300, &wire("a.example")),
        record("db.example", RRSIG, 5, b"signature"),
        record("example", DNAME, 5, &wire("elsewhere.example")),
        record("a.example", A, 60, &[192, 0, 2, 7]),
        record("a.example", RRSIG, 5, b"signature"),
        record("a.example", 65_280, 5, b""),
    ];
    assert_eq!(reading(&records), found(&["192.0.2.7"], 60));
}

#[test]
fn chains_are_finite() {
    assert_eq!(reading(&chain(17)), found(&["192.0.2.1"], 9));
    assert_eq!(reading(&chain(64)), found(&["192.0.2.1"], 9));
    assert_eq!(reading(&chain(65)), Reply::Broken);
    assert_eq!(reading(&[record("db.example", CNAME, 9, &wire("db.example"))]), Reply::Broken);
    let circle = [
        record("db.example", CNAME, 9, &wire("a.example")),
        record("a.example", CNAME, 9, &wire("db.example")),
    ];
    assert_eq!(reading(&circle), Reply::Broken);
}

#[test]
fn broken_sections_after_the_answer_do_not_matter() {
    let mut message = answer(&question().write(), ANSWER, 0, &[record("db.example", A, 60, &[192, 0, 2, 1])]);
    message[9] = 200;
    message[11] = 200;
    message.extend(b"\xc0\xff\xc0\xff\xff");
    assert_eq!(question().read(&message), found(&["192.0.2.1"], 60));
}

#[test]
fn a_broken_answer_section_is_noticed() {
    let good = record("db.example", A, 60, &[192, 0, 2, 1]);
    for bad in [
        record("db.example", A, 60, &[192, 0, 2]),
        record("db.example", CNAME, 60, &[wire("a.example"), vec![0]].concat()),
        record("db.example", CNAME, 60, b"\xc0\xff"),
        raw_record(b"\xc0\xff", A, 1, 60, &[192, 0, 2, 1]),
        raw_record(b"\x01a\xc0\x36", A, 1, 60, &[192, 0, 2, 1]),
        good[..good.len() - 1].to_vec(),
    ] {
        assert_eq!(reading(&[good.clone(), bad.clone()]), Reply::Broken, "{bad:?}");
    }
}

#[test]
fn other_classes_and_high_ttls() {
    let chaos = raw_record(&wire("db.example"), A, 3, 60, &[192, 0, 2, 1]);
    assert_eq!(reading(&[chaos]), found(&[], u32::MAX));
    assert_eq!(reading(&[record("db.example", A, 0x8000_0001, &[192, 0, 2, 1])]), found(&["192.0.2.1"], 0));
    assert_eq!(
        reading(&[record("db.example", A, 0x7fff_ffff, &[192, 0, 2, 1])]),
        found(&["192.0.2.1"], 0x7fff_ffff)
    );
}

#[test]
fn ten_thousand_records_cost_no_more_than_a_few() {
    let records: Vec<_> = (0..10_000u16)
        .map(|i| {
            let [high, low] = i.to_be_bytes();
            raw_record(b"\xc0\x0c", A, 1, 60, &[10, 0, high, low])
        })
        .collect();
    let Reply::Addresses { addresses, .. } = reading(&records) else { panic!("no addresses") };
    assert_eq!(addresses.len(), read::ADDRESSES_MAX);
    let mut few = vec![raw_record(b"\xc0\x0c", A, 1, 60, &[10, 0, 0, 1]); 4097];
    few[4095] = raw_record(b"\xc0\x0c", A, 1, 60, &[10, 0, 0, 2]);
    few[4096] = vec![0xff];
    assert_eq!(reading(&few), found(&["10.0.0.1", "10.0.0.2"], 60));
    let twice = vec![raw_record(b"\xc0\x0c", A, 1, 60, &[10, 0, 0, 1]); 50];
    assert_eq!(reading(&twice), found(&["10.0.0.1"], 60));
}

#[test]
fn multicast_answers_have_their_own_rules() {
    let nas = raw_record(&wire("nas.local"), A, 0x8001, 120, &[10, 0, 0, 9]);
    let message = answer(&multicast().write(), TRUNCATED, 3, std::slice::from_ref(&nas));
    assert_eq!(multicast().read(&message), found(&["10.0.0.9"], 120));
    let without_question = [b"\x12\x34\x84\0\0\0\0\x01\0\0\0\0".as_slice(), &nas].concat();
    assert_eq!(multicast().read(&without_question), found(&["10.0.0.9"], 120));
    // A name server's answers keep to the plain class.
    assert_eq!(
        reading(&[raw_record(&wire("db.example"), A, 0x8001, 9, &[10, 0, 0, 9])]),
        found(&[], u32::MAX)
    );
}

#[test]
fn random_bytes_do_no_harm() {
    let mut seed = 0x9e37_79b9_u32;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed
    };
    let good = answer(
        &question().write(),
        ANSWER,
        0,
        &[
            record("db.example", CNAME, 60, b"\x01a\xc0\x0c"),
            raw_record(b"\xc0\x32", A, 1, 60, &[10, 0, 0, 1]),
        ],
    );
    assert_eq!(question().read(&good), found(&["10.0.0.1"], 60));
    for _ in 0..50_000 {
        let mut message = good.clone();
        for _ in 0..1 + random() % 6 {
            let position = random() as usize % message.len();
            message[position] = random().to_le_bytes()[0];
        }
        message.truncate(random() as usize % (message.len() + 1));
        let _ = question().read(&message);
        let _ = multicast().read(&message);
    }
}
