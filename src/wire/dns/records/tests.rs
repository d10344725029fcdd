//! Queries for records, and the answers of servers.

use super::*;
use crate::wire::dns::server_messages::*;

const QUERIES: [bool; 2] = [false, true];

fn name() -> Name {
    Name::parse("db.example").unwrap()
}

fn query(name: &Name, kind: RecordType, edns: bool) -> RecordQuery<'_> {
    RecordQuery { id: 0x1234, name, kind, edns }
}

/// The reading of an answer with these records.
fn reading(kind: RecordType, records: &[Vec<u8>]) -> Response {
    let name = name();
    let query = query(&name, kind, true);
    query.read(&answer(&query.write(), ANSWER, 0, records))
}

fn found(kind: RecordType, records: &[Vec<u8>]) -> Records {
    match reading(kind, records) {
        Response::Records(records) => records,
        other => panic!("{other:?}"),
    }
}

/// A record of `db.example`.
fn own(kind: RecordType, data: &[u8]) -> Vec<u8> {
    record("db.example", kind as u16, 60, data)
}

fn texts(kind: RecordType, data: &[&[u8]]) -> Vec<String> {
    found(kind, &data.iter().map(|data| own(kind, data)).collect::<Vec<_>>()).texts
}

#[test]
fn a_query_has_one_question_and_offers_large_datagrams() {
    let name = name();
    let plain = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x02db\x07example\0\x01\x01\0\x01";
    assert_eq!(query(&name, RecordType::Caa, false).write(), plain);
    let edns = query(&name, RecordType::Caa, true).write();
    assert_eq!(edns[..12], *b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01");
    assert_eq!(edns[12..plain.len()], plain[12..]);
    assert_eq!(edns[plain.len()..], *b"\0\0\x29\x04\xd0\0\0\0\0\0\0");
}

#[test]
fn types_and_codes_have_names() {
    for kind in RecordType::ALL {
        assert_eq!(RecordType::parse(&kind.name().to_ascii_lowercase()), Ok(kind));
    }
    let error = "`ANY` is not one of A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TXT, CAA";
    assert_eq!(RecordType::parse("ANY"), Err(error.to_owned()));
    for (code, text) in
        [(0, "NOERROR"), (3, "NXDOMAIN"), (11, "RCODE11"), (16, "BADVERS"), (4095, "RCODE4095")]
    {
        assert_eq!((&*rcode_text(code), parse_rcode(&text.to_ascii_lowercase())), (text, Some(code)));
    }
    for text in ["", "NX", "RCODE", "RCODE-1", "RCODE65536", "3"] {
        assert_eq!(parse_rcode(text), None, "{text}");
    }
}

#[test]
fn every_type_is_printed_as_dig_does() {
    let soa = [wire("ns.example"), wire("admin.example"), vec![0x78, 0xa4, 0x8c, 0x65]].concat();
    let soa = [soa, [7200_u32, 3600, 1_209_600, u32::MAX].map(u32::to_be_bytes).concat()].concat();
    let mut mapped = [0; 16];
    mapped[10..].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 1]);
    let mut compatible = [0; 16];
    compatible[12..].copy_from_slice(&[192, 0, 2, 1]);
    let v6 = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
    let cases: &[(RecordType, &[u8], &str)] = &[
        (RecordType::A, &[192, 0, 2, 1], "192.0.2.1"),
        (RecordType::Aaaa, &v6, "2001:db8:0:1::1"),
        (RecordType::Aaaa, &[0; 16], "::"),
        (RecordType::Aaaa, &mapped, "::ffff:192.0.2.1"),
        (RecordType::Aaaa, &compatible, "::192.0.2.1"),
        (RecordType::Ns, &wire("Ns1.Example"), "Ns1.Example."),
        (RecordType::Ptr, b"\0", "."),
        (RecordType::Cname, b"\x05a.b c\x02\x00\xff\0", "a\\.b\\032c.\\000\\255."),
        (RecordType::Cname, b"\x08\"();@$\\~\xc0\x0f", "\\\"\\(\\)\\;\\@\\$\\\\~.example."),
        (RecordType::Mx, b"\0\x0a\x04mail\xc0\x0c", "10 mail.db.example."),
        (RecordType::Mx, b"\0\0\0", "0 ."),
        (RecordType::Srv, b"\0\x01\x00\x02\xff\xff\x03sip\0", "1 2 65535 sip."),
        (RecordType::Soa, &soa, "ns.example. admin.example. 2024049765 7200 3600 1209600 4294967295"),
        (RecordType::Txt, b"\0", "\"\""),
        (RecordType::Txt, b"\x0bv=spf1 -all\x03a;@", "\"v=spf1 -all\" \"a;@\""),
        (RecordType::Txt, b"\x06\"\\\t\x7f\xc3~", "\"\\\"\\\\\\009\\127\\195~\""),
        (RecordType::Caa, b"\0\x05issueletsencrypt.org", "0 issue \"letsencrypt.org\""),
        (RecordType::Caa, b"\x80\x05iodefa\"b", "128 iodef \"a\\\"b\""),
        (RecordType::Caa, b"\0\x09issuewild", "0 issuewild \"\""),
    ];
    for (kind, data, text) in cases {
        assert_eq!(texts(*kind, &[data]), [*text]);
    }
}

#[test]
fn malformed_data_is_noticed() {
    let soa = [wire("a"), wire("b"), vec![0; 20]].concat();
    let cases: &[(RecordType, &[u8])] = &[
        (RecordType::A, &[1, 2, 3]),
        (RecordType::A, &[1, 2, 3, 4, 5]),
        (RecordType::Aaaa, &[0; 4]),
        (RecordType::Aaaa, &[0; 17]),
        (RecordType::Ns, b""),
        (RecordType::Ns, b"\x01a"),
        (RecordType::Ns, b"\x01a\0\0"),
        (RecordType::Ns, b"\xc0"),
        (RecordType::Ns, b"\xc0\xff"),
        (RecordType::Cname, b"\x01a\0\0"),
        (RecordType::Mx, b"\0"),
        (RecordType::Mx, b"\0\x01"),
        (RecordType::Mx, b"\0\x01\0\0"),
        (RecordType::Srv, b"\0\0\0\0\0"),
        (RecordType::Srv, b"\0\0\0\0\0\0"),
        (RecordType::Soa, &soa[..soa.len() - 1]),
        (RecordType::Soa, &[soa.as_slice(), b"\0"].concat()),
        (RecordType::Txt, b""),
        (RecordType::Txt, b"\x02a"),
        (RecordType::Txt, b"\x01a\x01"),
        (RecordType::Caa, b""),
        (RecordType::Caa, b"\0"),
        (RecordType::Caa, b"\0\0x"),
        (RecordType::Caa, b"\0\x05issu"),
        (RecordType::Caa, b"\0\x03a b"),
    ];
    for (kind, data) in cases {
        let bad = own(*kind, data);
        assert_eq!(reading(*kind, std::slice::from_ref(&bad)), Response::Broken, "{kind:?} {data:?}");
        // The same data of another name does not matter.
        let other = record("other.example", *kind as u16, 60, data);
        assert!(matches!(reading(*kind, &[other]), Response::Records(_)), "{kind:?} {data:?}");
    }
    let long = [own(RecordType::A, &[1, 2, 3, 4]), own(RecordType::A, &[1, 2, 3, 4])[..25].to_vec()];
    assert_eq!(reading(RecordType::A, &long), Response::Broken, "cut short");
}

#[test]
fn records_are_sorted_without_duplicates_and_complete() {
    let data: Vec<[u8; 4]> =
        (0..4000u16).rev().map(|i| [10, 0, i.to_be_bytes()[0], i.to_be_bytes()[1]]).collect();
    let records: Vec<_> = data.iter().map(|data| raw_record(b"\xc0\x0c", 1, 1, 60, data)).collect();
    let all = found(RecordType::A, &records).texts;
    assert_eq!((all.len(), &*all[0], &*all[3999]), (4000, "10.0.0.0", "10.0.9.99"));
    assert_eq!(
        texts(RecordType::Mx, &[b"\0\x14\x01b\0", b"\0\x0a\x01a\0", b"\0\x14\x01b\0"]),
        ["10 a.", "20 b."]
    );
}

#[test]
fn aliases_are_followed_in_any_order() {
    let records = [
        record("DB.example", CNAME, 300, &wire("a.example")),
        record("A.example", CNAME, 20, &wire("b.Example")),
        record("b.example", A, 60, &[192, 0, 2, 7]),
        record("other.example", A, 1, &[192, 0, 2, 66]),
        raw_record(&wire("b.example"), A, 3, 1, &[192, 0, 2, 67]),
        record("a.example", 46, 1, b"signature"),
    ];
    for turn in 0..records.len() {
        let mut records = records.clone();
        records.rotate_left(turn);
        let found = found(RecordType::A, &records);
        assert_eq!(
            (&*found.texts, found.alias_of.as_deref()),
            (&["192.0.2.7".to_owned()][..], Some("b.example."))
        );
    }
    let end = found(RecordType::A, &records[..2]);
    assert_eq!((end.texts.len(), end.alias_of.as_deref()), (0, Some("b.example.")));
    let none = found(RecordType::A, &[]);
    assert_eq!(none, Records::default());
    // The alias itself is queried.
    let alias = found(RecordType::Cname, &records);
    assert_eq!((&*alias.texts, alias.alias_of), (&["a.example.".to_owned()][..], None));
}

#[test]
fn chains_of_aliases_are_finite() {
    assert_eq!(found(RecordType::A, &chain(64)).texts, ["192.0.2.1"]);
    assert_eq!(reading(RecordType::A, &chain(65)), Response::Broken);
    let circle = record("db.example", CNAME, 9, &wire("db.example"));
    assert_eq!(reading(RecordType::A, &[circle]), Response::Broken);
}

#[test]
fn the_text_of_an_answer_is_limited() {
    // A name of 255 bytes that is written with four characters for each.
    let label = [vec![63], vec![0; 63]].concat();
    let name = [label.repeat(3), vec![61], vec![0; 61], vec![0]].concat();
    let mut records = vec![record("x", 2, 9, &name)];
    let target = u16::try_from(12 + 12 + 4 + 3 + 10).unwrap() | 0xc000;
    records.extend((0..500).map(|_| raw_record(b"\xc0\x0c", 2, 1, 60, &target.to_be_bytes())));
    let texts = found(RecordType::Ns, &records).texts;
    assert_eq!((texts.len(), texts[0].len()), (1, 250 * 4 + 4));
    records.extend((0..30).map(|_| raw_record(b"\xc0\x0c", 2, 1, 60, &target.to_be_bytes())));
    assert_eq!(reading(RecordType::Ns, &records), Response::Broken);
}

#[test]
fn a_response_must_match_the_query() {
    let name = name();
    for edns in QUERIES {
        let query = query(&name, RecordType::A, edns);
        let good = answer(&query.write(), ANSWER, 0, &[own(RecordType::A, &[192, 0, 2, 1])]);
        assert!(matches!(query.read(&good), Response::Records(_)));
        for (position, byte) in [
            (0, 0x13),
            (1, 0x35),
            (2, 0x01),
            (2, 0x89),
            (4, 1),
            (5, 0),
            (5, 2),
            (13, b'x'),
            (25, 28),
            (27, 3),
        ] {
            let mut message = good.clone();
            message[position] = byte;
            assert_eq!(query.read(&message), Response::Foreign, "{position} {byte}");
        }
        assert_eq!(query.read(&query.write()), Response::Foreign);
        assert_eq!(query.read(b""), Response::Foreign);
    }
}

#[test]
fn responses_other_than_an_answer() {
    let name = name();
    let query = query(&name, RecordType::A, true);
    let write = query.write();
    let rcode = |message: &[u8]| match query.read(message) {
        Response::Records(Records { rcode, texts, .. }) if texts.is_empty() => Ok(rcode),
        other => Err(other),
    };
    assert_eq!(rcode(&answer(&write, TRUNCATED, 0, &[])), Err(Response::Truncated));
    assert_eq!(rcode(&answer(&write, TRUNCATED, 3, &[])), Err(Response::Truncated));
    assert_eq!(rcode(&answer(&write, TRUNCATED, 2, &[])), Ok(2));
    assert_eq!(rcode(&answer(&write, ANSWER, 3, &[])), Ok(3));
    assert_eq!(rcode(&answer(&write, ANSWER, 0, &[])), Ok(0));
    // An error may come without the question, but not a negative answer.
    assert_eq!(rcode(b"\x12\x34\x81\x01\0\0\0\0\0\0\0\0"), Ok(1));
    assert_eq!(rcode(b"\x12\x34\x81\x03\0\0\0\0\0\0\0\0"), Err(Response::Foreign));
    assert_eq!(rcode(b"\x12\x34\x81\x00\0\0\0\0\0\0\0\0"), Err(Response::Foreign));
}

#[test]
fn the_opt_record_extends_the_response_code() {
    let name = name();
    let query = query(&name, RecordType::A, true);
    let with_opt = |rcode: u8, ttl_s: u32, before: &[u8]| {
        let mut message = answer(&query.write(), ANSWER, rcode, &[own(RecordType::A, &[192, 0, 2, 1])]);
        message[11] = 1 + u8::from(!before.is_empty());
        message.extend(before);
        message.extend(raw_record(b"\0", TYPE_OPT, 1232, ttl_s, b""));
        match query.read(&message) {
            Response::Records(records) => (records.rcode, records.texts.len()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with_opt(0, 0, b""), (0, 1));
    assert_eq!(with_opt(0, 0x0100_0000, b""), (16, 0));
    assert_eq!(with_opt(7, 0x0100_0000, b""), (23, 0));
    assert_eq!(with_opt(15, 0xff00_0000, b""), (4095, 0));
    assert_eq!(with_opt(0, 0x0100_8000, &own(RecordType::A, &[1, 2, 3, 4])), (16, 0));
    assert_eq!(with_opt(0, 0x0100_0000, b"\xc0\xff"), (0, 1), "the section is malformed");
    assert_eq!(with_opt(3, 0x0100_0000, b"\xc0\xff"), (3, 0));
}

#[test]
fn sections_after_the_answer_do_not_matter() {
    let name = name();
    let query = query(&name, RecordType::A, false);
    let mut message = answer(&query.write(), ANSWER, 0, &[own(RecordType::A, &[192, 0, 2, 1])]);
    (message[9], message[11]) = (200, 200);
    message.extend(b"\xc0\xff\xc0\xff\xff");
    assert!(matches!(query.read(&message), Response::Records(found) if found.texts == ["192.0.2.1"]));
}

#[test]
fn the_serial_number_is_that_of_the_soa_record() {
    let soa = [wire("a b"), wire("b"), 7_u32.to_be_bytes().to_vec(), vec![0; 16]].concat();
    assert_eq!(found(RecordType::Soa, &[own(RecordType::Soa, &soa)]).soa_serial, Some(7));
    assert_eq!(found(RecordType::Soa, &[]).soa_serial, None);
    assert_eq!(found(RecordType::Txt, &[own(RecordType::Txt, b"\x051 2 3")]).soa_serial, None);
}

#[test]
fn addresses_have_reverse_names() {
    assert_eq!(reverse_name([192, 0, 2, 1].into()), "1.2.0.192.in-addr.arpa");
    let v6 = "2001:db8::567:89ab".parse().unwrap();
    let expected = "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
    assert_eq!(reverse_name(v6), expected);
}

/// One answer of each type, with compressed names.
fn samples() -> Vec<(RecordType, Vec<u8>)> {
    let name = name();
    let data: [(RecordType, &[u8]); 10] = [
        (RecordType::A, &[192, 0, 2, 1]),
        (RecordType::Aaaa, &[1; 16]),
        (RecordType::Ns, b"\x02ns\xc0\x0c"),
        (RecordType::Cname, b"\x01c\xc0\x0f"),
        (RecordType::Ptr, b"\x01p\0"),
        (RecordType::Mx, b"\0\x0a\x01m\xc0\x0c"),
        (RecordType::Soa, b"\x01a\xc0\x0c\x01b\xc0\x0c\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05"),
        (RecordType::Srv, b"\0\x01\0\x02\0\x03\x01s\xc0\x0c"),
        (RecordType::Txt, b"\x03one\x03two"),
        (RecordType::Caa, b"\0\x05issuex.org"),
    ];
    let sample = |(kind, data): (RecordType, &[u8])| {
        let query = query(&name, kind, true).write();
        let alias = raw_record(b"\xc0\x0c", CNAME, 1, 9, b"\x01z\xc0\x0f");
        let owner: &[u8] = if kind == RecordType::Cname { b"\xc0\x0c" } else { b"\x01z\xc0\x0f" };
        let mut message = answer(&query, ANSWER, 0, &[alias, raw_record(owner, kind as u16, 1, 60, data)]);
        message[11] = 1;
        message.extend(raw_record(b"\0", TYPE_OPT, 1232, 0, b""));
        (kind, message)
    };
    data.map(sample).to_vec()
}

#[test]
fn every_prefix_of_an_answer_is_no_answer() {
    let name = name();
    for (kind, message) in samples() {
        let query = query(&name, kind, true);
        assert!(
            matches!(query.read(&message), Response::Records(found) if !found.texts.is_empty()),
            "{kind:?}"
        );
        // Without its last record, OPT, it is complete.
        for cut in 0..message.len() - 11 {
            let reading = query.read(&message[..cut]);
            assert!(matches!(reading, Response::Foreign | Response::Broken), "{kind:?} {cut} {reading:?}");
        }
    }
}

#[test]
fn a_flipped_bit_does_no_harm() {
    let name = name();
    for (kind, message) in samples() {
        let query = query(&name, kind, true);
        for bit in 0..message.len() * 8 {
            let mut message = message.clone();
            message[bit / 8] ^= 1 << (bit % 8);
            let Response::Records(found) = query.read(&message) else { continue };
            for text in found.texts.iter().chain(&found.alias_of) {
                assert!(text.len() < 1100 && text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{text}");
            }
        }
        // The id, and the question apart from the case of its letters.
        for bit in (0..16).chain(12 * 8..28 * 8).filter(|bit| bit % 8 != 5) {
            let mut message = message.clone();
            message[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(query.read(&message), Response::Foreign, "{kind:?} {bit}");
        }
    }
}
