//! Checks of responses that the tests make.

use super::*;

const LATENCY: Duration = Duration::from_millis(3);

fn records(texts: &[&str]) -> Records {
    let mut texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    texts.sort();
    Records { texts, ..Records::default() }
}

/// The result of a check as `ok` or the reason, and the detail.
fn outcome(spec: &str, kind: RecordType, records: &Records) -> String {
    let check = DnsCheck::parse(&[spec], kind).expect(spec);
    let result = check.evaluate(records, kind, LATENCY);
    assert_eq!((result.ok, result.latency), (result.reason.is_none(), Some(LATENCY)));
    format!("{} {}", result.reason.map_or("ok", Reason::as_str), result.detail)
}

#[test]
fn a_record_of_the_type_is_required_by_default() {
    for spec in ["", "default", "answer_contains:"] {
        let check = |records: &Records| outcome(spec, RecordType::A, records);
        assert_eq!(check(&records(&["192.0.2.2", "192.0.2.1"])), "ok 192.0.2.1, 192.0.2.2");
        assert_eq!(check(&records(&[])), "dns_answer no A record");
        let alias_of = Some("web.example.".to_owned());
        let alias = Records { alias_of, ..Records::default() };
        let detail = "dns_answer no A record: the name is an alias of web.example.";
        assert_eq!(check(&alias), detail);
        let detail = "dns_rcode NXDOMAIN: the name does not exist";
        assert_eq!(check(&Records { rcode: 3, ..Records::default() }), detail);
        assert_eq!(check(&Records { rcode: 11, ..Records::default() }), "dns_rcode RCODE11");
    }
}

#[test]
fn a_response_code_can_be_required() {
    let code = |rcode| Records { rcode, ..Records::default() };
    let check = |spec, records: &Records| outcome(spec, RecordType::A, records);
    assert_eq!(check("rcode:nxdomain,REFUSED", &code(3)), "ok NXDOMAIN");
    assert_eq!(check("rcode:NXDOMAIN, RCODE11", &code(11)), "ok RCODE11");
    assert_eq!(check("rcode:NOERROR", &code(0)), "ok NOERROR");
    assert_eq!(check("rcode:NOERROR", &records(&["192.0.2.1"])), "ok 192.0.2.1");
    assert_eq!(check("rcode:NXDOMAIN", &records(&["192.0.2.1"])), "dns_rcode NOERROR");
    assert_eq!(check("rcode:NXDOMAIN", &code(2)), "dns_rcode SERVFAIL: the server cannot resolve the name");
}

#[test]
fn the_complete_set_of_records_can_be_required() {
    use RecordType::*;
    let soa = "ns.example. admin.example. 1 2 3 4 5";
    let cases: &[(RecordType, &str, &[&str], &str)] = &[
        (A, "192.0.2.2, 192.0.2.1", &["192.0.2.1", "192.0.2.2"], ""),
        (A, "192.0.2.2", &["192.0.2.1", "192.0.2.2"], "the answer also has 192.0.2.1"),
        (A, "192.0.2.1,192.0.2.2,192.0.2.1", &["192.0.2.1"], "the answer lacks 192.0.2.2"),
        (A, "192.0.2.2", &["192.0.2.1"], "the answer lacks 192.0.2.2; instead it has 192.0.2.1"),
        (Aaaa, "2001:DB8:0::1", &["2001:db8::1"], ""),
        (Mx, "10  Mail.example,20 b.example.", &["10 mail.Example.", "20 b.example."], ""),
        (Srv, "0 5 5060 sip.example", &["0 5 5060 sip.example."], ""),
        (Ns, "ns.example.", &["ns.example."], ""),
        (Soa, "ns.example admin.example 1 2 3 4 5", &[soa], ""),
        (Txt, "v=spf1 -all", &["\"v=spf1 -all\""], ""),
        (Txt, "\"a, b\",c", &["\"a, b\"", "\"c\""], ""),
        (Txt, "\"a\\\",b\"", &["\"a\\\",b\""], ""),
        (Txt, "a\\", &["\"a\\\\\""], ""),
        (Txt, "one two", &["\"one\" \" two\""], ""),
        (Txt, "\"one\" \"two\"", &["\"onetwo\""], ""),
        (Txt, "A", &["\"a\""], "the answer lacks \"A\"; instead it has \"a\""),
        (Caa, "0 issue letsencrypt.org", &["0 issue \"letsencrypt.org\""], ""),
        (Caa, "0 issue \"letsencrypt.org\"", &["0 issue \"letsencrypt.org\""], ""),
    ];
    for (kind, list, texts, failure) in cases {
        let records = records(texts);
        let expected = match *failure {
            "" => format!("ok {}", records.texts.join(", ")),
            failure => format!("dns_answer {failure}"),
        };
        assert_eq!(outcome(&format!("answer:{list}"), *kind, &records), expected, "{list}");
    }
    assert_eq!(outcome("answer:192.0.2.1", A, &records(&[])), "dns_answer no A record");
}

#[test]
fn a_text_can_be_required() {
    let texts = records(&["\"v=spf1 \" \"-all\"", "\"x\""]);
    let check = |spec| outcome(spec, RecordType::Txt, &texts);
    assert_eq!(check("answer_contains:spf1 -all"), "ok \"v=spf1 \" \"-all\", \"x\"");
    assert_eq!(
        check("answer_contains:b:c"),
        "dns_answer no record contains `b:c`: \"v=spf1 \" \"-all\", \"x\""
    );
    let many: Vec<String> = (10..30).map(|i| format!("10.0.0.{i}")).collect();
    let many = records(&many.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(outcome("", RecordType::A, &many).ends_with(" 10.0.0.25, …"));
}

#[test]
fn a_condition_can_be_negated() {
    let check = |spec, records: &Records| outcome(spec, RecordType::A, records);
    let (one, nxdomain) = (records(&["192.0.2.1"]), Records { rcode: 3, ..Records::default() });
    assert_eq!(check("not:answer_contains:192.0.2.9", &one), "ok 192.0.2.1");
    let detail = "dns_answer a record contains `192.0.2.1`: 192.0.2.1";
    assert_eq!(check("not:answer_contains:192.0.2.1", &one), detail);
    assert_eq!(check("not:answer:192.0.2.1,192.0.2.2", &one), "ok 192.0.2.1");
    assert_eq!(check("not:answer:192.0.2.1", &one), "dns_answer records: 192.0.2.1");
    assert_eq!(check("not:rcode:SERVFAIL", &nxdomain), "ok NXDOMAIN");
    assert_eq!(check("not:rcode:NXDOMAIN", &nxdomain), "dns_rcode NXDOMAIN: the name does not exist");
    // Without a check of the response code, it must be NOERROR.
    let detail = "dns_rcode NXDOMAIN: the name does not exist";
    assert_eq!(check("not:answer_contains:x", &nxdomain), detail);
    for spec in ["not:", "not:default", "not:answer_contains:", "not:not:rcode:NXDOMAIN"] {
        assert!(DnsCheck::parse(&[spec], RecordType::A).is_err(), "{spec}");
    }
}

#[test]
fn all_checks_must_pass() {
    let several = |specs: &[&str], records: &Records| {
        let check = DnsCheck::parse(specs, RecordType::A).expect("valid");
        let result = check.evaluate(records, RecordType::A, LATENCY);
        format!("{} {}", result.reason.map_or("ok", Reason::as_str), result.detail)
    };
    let texts = records(&["192.0.2.1", "198.51.100.1"]);
    assert_eq!(
        several(&["answer_contains:192.", "default", "answer_contains:198."], &texts),
        "ok 192.0.2.1, 198.51.100.1"
    );
    assert_eq!(
        several(&["answer_contains:192.", "answer:192.0.2.1", "answer_contains:7"], &texts),
        "dns_answer the answer also has 198.51.100.1"
    );
    // The response code is not required to be NOERROR, but the conditions must hold.
    let nothing = Records { rcode: 3, ..Records::default() };
    assert_eq!(
        several(&["answer_contains:x", "rcode:NXDOMAIN"], &nothing),
        "dns_answer no record contains `x`"
    );
    assert_eq!(
        several(&["rcode:NOERROR", "answer:192.0.2.1"], &nothing),
        "dns_rcode NXDOMAIN: the name does not exist"
    );
    assert_eq!(
        several(&["rcode:NXDOMAIN", "rcode:NOERROR"], &nothing),
        "dns_rcode NXDOMAIN: the name does not exist"
    );
}

fn refusal(spec: &str, kind: RecordType) -> String {
    DnsCheck::parse(&[spec], kind).err().expect(spec)
}

#[test]
fn invalid_specs_are_rejected_in_one_line() {
    for (kind, spec, error) in [
        (RecordType::A, "answer", "`` is not the data of a record of type A, as 192.0.2.1"),
        (RecordType::A, "answer:x", "`x` is not the data of a record of type A, as 192.0.2.1"),
        (RecordType::A, "answer:::1", "`::1` is not the data of a record of type A, as 192.0.2.1"),
        (RecordType::A, "rcode", "`` is not a response code, as NXDOMAIN"),
        (RecordType::A, "rcode:NXDOMAIN,", "`` is not a response code, as NXDOMAIN"),
        (RecordType::A, "answer_contains", "answer_contains needs a text, as in answer_contains:v=spf1"),
        (RecordType::A, "status:200", "status belongs to http, not dns"),
        (
            RecordType::A,
            "up",
            "unknown check `up`; there are: rcode:NXDOMAIN,NOERROR, answer:RECORD,RECORD, answer_contains:TEXT",
        ),
    ] {
        assert_eq!(refusal(spec, kind), error);
    }
    for (kind, record) in [
        (RecordType::Aaaa, "192.0.2.1"),
        (RecordType::Mx, "mail.example"),
        (RecordType::Mx, "x mail.example"),
        (RecordType::Srv, "1 2 sip"),
        (RecordType::Soa, "a b 1 2 3 4"),
        (RecordType::Ns, "a b"),
        (RecordType::Cname, ""),
        (RecordType::Ptr, " "),
        (RecordType::Txt, ""),
        (RecordType::Caa, "0 issue"),
    ] {
        let error = refusal(&format!("answer:{record}"), kind);
        assert!(error.contains(&format!("of a record of type {}, as ", kind.name())), "{error}");
        // The example is one.
        let (_, example) = error.split_once(", as ").expect("an example");
        assert!(DnsCheck::parse(&[format!("answer:{example}")], kind).is_ok(), "{example}");
    }
}
