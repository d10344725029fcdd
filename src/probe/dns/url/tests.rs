//! The forms of a dns URL.

use super::*;

/// The URL that is shown for `dns:` and this text.
fn shown(text: &str) -> String {
    let url = DnsUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let shown = url.to_string();
    let again = DnsUrl::parse(shown.strip_prefix("dns:").expect("the scheme"));
    assert_eq!(again, Ok(url), "{shown}");
    shown
}

#[test]
fn the_forms_of_a_url() {
    for (text, url) in [
        ("example.com", "dns:example.com?type=A"),
        ("Example.COM.", "dns:example.com?type=A"),
        ("example.com?type=MX", "dns:example.com?type=MX"),
        ("example.com?CLASS=IN;TYPE=aaaa", "dns:example.com?type=AAAA"),
        ("example.com?Type=txt;class=in;", "dns:example.com?type=TXT"),
        ("example.com?type=NS&class=IN", "dns:example.com?type=NS"),
        ("example.com?#x", "dns:example.com?type=A"),
        (".?type=NS", "dns:.?type=NS"),
        ("///example.com?type=SOA", "dns:example.com?type=SOA"),
        ("//192.0.2.1/example.com", "dns://192.0.2.1:53/example.com?type=A"),
        ("//192.0.2.1:5353/example.com?type=caa", "dns://192.0.2.1:5353/example.com?type=CAA"),
        ("//[2001:db8::1]/example.com", "dns://[2001:db8::1]:53/example.com?type=A"),
        ("//[::1]:5353/example.com", "dns://[::1]:5353/example.com?type=A"),
        (
            "//NS1.example/_sip._tcp.example.com?type=SRV",
            "dns://ns1.example:53/_sip._tcp.example.com?type=SRV",
        ),
        ("*.example.com", "dns:*.example.com?type=A"),
        (
            "world%20wide%20web%5c.domain.example?TYPE=TXT",
            "dns:world%5C032wide%5C032web%5C.domain.example?type=TXT",
        ),
        ("0%2F25.2.0.192.in-addr.arpa?type=PTR", "dns:0%2F25.2.0.192.in-addr.arpa?type=PTR"),
        ("a%5C255", "dns:a%5C255?type=A"),
        ("192.0.2.1.?type=PTR", "dns:1.2.0.192.in-addr.arpa?type=PTR"),
        ("192.0.2.1?type=PTR", "dns:1.2.0.192.in-addr.arpa?type=PTR"),
        (
            "//9.9.9.9/2001:db8::1?type=PTR",
            "dns://9.9.9.9:53/1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa?type=PTR",
        ),
    ] {
        assert_eq!(shown(text), url);
    }
}

#[test]
fn invalid_urls_are_rejected_in_one_line() {
    const FORMS: &str = "expected dns:NAME, dns://SERVER/NAME or dns:NAME?type=MX";
    for (text, error) in [
        ("", format!("there is no name to query: {FORMS}")),
        ("?type=A", format!("there is no name to query: {FORMS}")),
        ("//192.0.2.1", format!("there is no name to query: {FORMS}")),
        ("//192.0.2.1/", format!("there is no name to query: {FORMS}")),
        ("//192.0.2.1?type=A", format!("there is no name to query: {FORMS}")),
        ("///", format!("there is no name to query: {FORMS}")),
        ("/a", format!("name `/a` cannot hold `/` (write %2F): {FORMS}")),
        ("192.0.2.1/a", format!("name `192.0.2.1/a` cannot hold `/` (write %2F): {FORMS}")),
        ("192.0.2.1:53", format!("name `192.0.2.1:53` cannot hold `:` (write %3A): {FORMS}")),
        ("a b", format!("name `a b` cannot hold ` ` (write %20): {FORMS}")),
        ("gr\u{fc}n", "name `gr\u{fc}n` is not ASCII: write it in punycode (xn--\u{2026})".to_owned()),
        ("gr%C3%BCn", "`gr%C3%BCn` is not a domain name".to_owned()),
        ("a..b", "`a..b` is not a domain name".to_owned()),
        ("a%", "`a%` is not a domain name".to_owned()),
        ("192.0.2.1", "192.0.2.1 is an address; for its name use ?type=PTR".to_owned()),
        ("192.0.2.1.", "192.0.2.1 is an address; for its name use ?type=PTR".to_owned()),
        ("192.0.2%2E1?type=PTR", "192.0.2.1 is an address; for its name use ?type=PTR".to_owned()),
        ("192.0.2.%5C049", "192.0.2.1 is an address; for its name use ?type=PTR".to_owned()),
        ("//9.9.9.9/::1?type=A", "::1 is an address; for its name use ?type=PTR".to_owned()),
        ("a?type=ANY", "type `ANY` is not one of A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TXT, CAA".to_owned()),
        ("a?type", "type `` is not one of A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TXT, CAA".to_owned()),
        ("a?class=CH", "class `CH` is not IN".to_owned()),
        ("a?x=y", "`x=y` is neither type=TYPE nor class=IN".to_owned()),
        ("a?type=A;type=MX", "`type` is given twice".to_owned()),
        ("//[::1/a", "a bracket is not closed in `[::1`".to_owned()),
        ("//192.0.2.1:0/a", "port `0` is not between 1 and 65535".to_owned()),
        (
            "//u:secret@192.0.2.1/a",
            format!("a URL cannot hold a user or password{}", crate::wire::url::AUTHORIZATION_HINT),
        ),
    ] {
        assert_eq!(DnsUrl::parse(text), Err(error));
    }
}
