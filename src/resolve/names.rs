//! Rules for names that apply before any server is queried: literals, special names, search lists.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::dns::Name;

use super::conf::Conf;

pub(super) fn literal(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(text).parse().ok()
}

/// The loopback addresses, if the name (in lower case, without its final dot) is `localhost` or below it;
/// hosts file and servers are not consulted (RFC 6761 section 6.3).
pub(super) fn loopback(name: &str) -> Option<Vec<IpAddr>> {
    is_within(name, "localhost").then(|| vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()])
}

pub(super) fn is_invalid(name: &str) -> bool {
    is_within(name, "invalid")
}

fn is_within(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The full names to query, in reverse order: `name` itself and `name` within each search domain. `ndots`
/// decides whether `name` itself is first. Absolute names (with a final dot) and names of multicast DNS are
/// not searched for: the latter must not be sent to name servers (RFC 6762 section 3).
pub(super) fn candidates(name: &str, conf: &Conf) -> Vec<Name> {
    if let Some(absolute) = name.strip_suffix('.') {
        return Name::parse(absolute).into_iter().collect();
    }
    let plain = Name::parse(name);
    if plain.as_ref().is_none_or(Name::is_local) {
        return plain.into_iter().collect();
    }
    let searched = conf
        .search
        .iter()
        .map(|domain| format!("{name}.{domain}"))
        .filter(|full| !is_invalid(full))
        .filter_map(|full| Name::parse(&full));
    let mut all: Vec<Name> = searched.collect();
    let dots = name.bytes().filter(|b| *b == b'.').count();
    let place = if dots >= conf.ndots { 0 } else { all.len() };
    all.splice(place..place, plain);
    all.reverse();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_with_and_without_brackets() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::1", "::1"),
            ("[192.0.2.1]", "192.0.2.1"),
            ("[::1]", "::1"),
            ("[2001:DB8::1]", "2001:db8::1"),
        ] {
            assert_eq!(literal(text), Some(address.parse().unwrap()), "{text}");
        }
        for text in ["", "[]", "[[::1]]", "[::1", "::1]", "192.0.2", "192.0.2.256", "fe80::1%eth0", "example"]
        {
            assert_eq!(literal(text), None, "{text}");
        }
    }

    #[test]
    fn special_names() {
        for (name, is_loopback) in
            [("localhost", true), ("a.localhost", true), ("xlocalhost", false), ("localhost.lan", false)]
        {
            assert_eq!(loopback(name).is_some(), is_loopback, "{name}");
        }
        assert!(is_invalid("invalid") && is_invalid("a.b.invalid") && !is_invalid("notinvalid"));
    }

    fn order(name: &str, conf: &str) -> Vec<String> {
        candidates(name, &Conf::parse(conf.as_bytes(), &[]).0).iter().rev().map(Name::to_string).collect()
    }

    #[test]
    fn search_lists_follow_the_number_of_dots() {
        let conf = "search a.example lan\n";
        assert_eq!(order("db", conf), ["db.a.example", "db.lan", "db"]);
        assert_eq!(order("db.x", conf), ["db.x", "db.x.a.example", "db.x.lan"]);
        assert_eq!(order("db.", conf), ["db"]);
        assert_eq!(order("db.x.", conf), ["db.x"]);
        assert_eq!(order("db.x", "search lan\noptions ndots:2\n"), ["db.x.lan", "db.x"]);
        assert_eq!(order("db", "search lan\noptions ndots:0\n"), ["db", "db.lan"]);
        assert_eq!(order("db", ""), ["db"]);
        assert_eq!(order("nas.local", conf), ["nas.local"]);
        assert_eq!(order("nas.local.", conf), ["nas.local"]);
        assert_eq!(
            order("db.corp.local", "search corp.local\n"),
            ["db.corp.local", "db.corp.local.corp.local"]
        );
        assert_eq!(order("db", "search corp.local local\n"), ["db.corp.local", "db.local", "db"]);
    }

    #[test]
    fn invalid_candidates_are_omitted() {
        let long = vec!["x".repeat(60); 4].join(".");
        assert_eq!(order(&long, "search a-domain-of-some-length.example\n"), std::slice::from_ref(&long));
        assert_eq!(order("db", "search invalid lan\n"), ["db.lan", "db"]);
        assert_eq!(order("a b", "search lan\n"), [""; 0]);
    }
}
