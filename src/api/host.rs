//! Checks the `Host` field of API requests.
//!
//! DNS rebinding: a web page can make its own name resolve to 127.0.0.1 after it was loaded and then read
//! local services, because the browser still treats them as the page's origin. `Host` carries the page's
//! name in these requests, so an API bound to loopback accepts loopback names only. An API bound to another
//! address is open to the network on purpose and accepts any name.

use std::net::{IpAddr, Ipv6Addr};

use memchr::memchr;

use crate::text::integer;
use crate::wire::http::request::Request;
use crate::wire::url::NAME_MAX;

#[derive(Clone, Debug)]
pub(crate) struct HostGuard {
    guarded: bool,
    allowed: Vec<String>,
}

impl HostGuard {
    /// `bound` is the API's listen address. `allowed` are additional accepted names; case and port are
    /// ignored.
    pub(crate) fn new(bound: IpAddr, allowed: Vec<String>) -> Self {
        let allowed = allowed.iter().map(|name| normalize(name).to_owned()).collect();
        HostGuard { guarded: bound.to_canonical().is_loopback(), allowed }
    }

    /// Whether the request is accepted. A request without a host is accepted in HTTP/1.0 only: that version
    /// does not require the field, and browsers do not use it.
    pub(crate) fn admits(&self, request: &Request) -> bool {
        if !self.guarded {
            return true;
        }
        let Some(host) = &request.host else {
            return !request.http11;
        };
        let Some(name) = without_port(host) else {
            return false;
        };
        is_loopback(name) || self.is_allowed(name)
    }

    /// Whether the value of an `Origin` field (RFC 6454) is the origin of the API: it has the host and port of the
    /// request, or an additional accepted name. A proxy may change scheme and port.
    pub(super) fn is_own_origin(&self, origin: &str, host: Option<&str>) -> bool {
        let (authority, port) = match origin.split_once("://") {
            Some(("http", authority)) => (authority, 80),
            Some(("https", authority)) => (authority, 443),
            _ => return false,
        };
        let Some(origin) = host_and_port(authority, port) else { return false };
        let is_same = |host: (&str, u64)| origin.0.eq_ignore_ascii_case(host.0) && origin.1 == host.1;
        self.is_allowed(origin.0) || host.and_then(|host| host_and_port(host, port)).is_some_and(is_same)
    }

    fn is_allowed(&self, name: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
    }
}

/// Whether a `Host` field can contain this name or address.
pub(crate) fn is_host(given: &str) -> bool {
    let name = normalize(given);
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    name.parse::<IpAddr>().is_ok()
        || (!name.is_empty() && !name.starts_with('.') && name.len() <= NAME_MAX && name.bytes().all(known))
}

/// Strips port, brackets and final dot from a configured name. A bare IPv6 address is unchanged.
fn normalize(given: &str) -> &str {
    without_port(given).unwrap_or(given)
}

fn without_port(host: &str) -> Option<&str> {
    host_and_port(host, 0).map(|(name, _)| name)
}

/// The name or address of a `Host` value (RFC 3986 section 3.2.2) without brackets and final dot, and its port.
/// `None` if the name is empty or followed by an invalid port.
fn host_and_port(host: &str, default: u64) -> Option<(&str, u64)> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(inner) => inner.split_once(']').filter(|(inner, _)| inner.parse::<Ipv6Addr>().is_ok())?,
        None => host.split_at(memchr(b':', host.as_bytes()).unwrap_or(host.len())),
    };
    let port = match rest.strip_prefix(':') {
        Some(port) => port,
        None if rest.is_empty() => "",
        None => return None,
    };
    let port = if port.is_empty() { default } else { integer(port)? };
    let name = name.strip_suffix('.').unwrap_or(name);
    (port <= u16::MAX.into() && !name.is_empty()).then_some((name, port))
}

/// Whether a `Host` value is a loopback name or address.
pub(super) fn is_loopback_host(host: &str) -> bool {
    without_port(host).is_some_and(is_loopback)
}

/// Whether the name always refers to the local host (RFC 6761 section 6.3, RFC 1122 section 3.2.1.3).
fn is_loopback(name: &str) -> bool {
    if let Ok(address) = name.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let mut labels = name.rsplit('.');
    labels.next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
        && labels.all(|label| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::http::request::Method;

    fn request(host: Option<&str>, http11: bool) -> Request {
        let host = host.map(str::to_owned);
        Request {
            method: Method::Get,
            path: "/".into(),
            query: String::new(),
            http11,
            host,
            keep_alive: http11,
            last_event_id: None,
            bearer: None,
            origin: None,
            is_cross_site: false,
            prefers_html: false,
            content: None,
        }
    }

    fn guard(bound: &str, allowed: &[&str]) -> HostGuard {
        let allowed = allowed.iter().map(|name| (*name).to_owned()).collect();
        HostGuard::new(bound.parse().expect("an address"), allowed)
    }

    fn admits(guard: &HostGuard, host: &str) -> bool {
        let both = [true, false].map(|http11| guard.admits(&request(Some(host), http11)));
        assert_eq!(both[0], both[1], "the version does not matter if a host is sent");
        both[0]
    }

    const LOOPBACK: [&str; 17] = [
        "localhost",
        "localhost:8787",
        "LocalHost:1",
        "localhost.",
        "localhost.:80",
        "localhost:",
        "pingstate.localhost",
        "A.b-c_1.LOCALHOST:65535",
        "127.0.0.1",
        "127.0.0.1:8787",
        "127.255.1.2:0",
        "127.0.0.1.:80",
        "[::1]",
        "[::1]:8787",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]:80",
        "[::1]:",
    ];

    const FOREIGN: [&str; 38] = [
        "",
        ":",
        ":8787",
        ".",
        "..",
        "example.com",
        "example.com:8787",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "localhostx",
        "xlocalhost",
        "evil-localhost",
        ".localhost",
        "a..localhost",
        "localhost..",
        "evil.com/.localhost",
        "evil.com#.localhost",
        "é.localhost",
        "user@localhost",
        "localhost@evil.com",
        "localhost:80:80",
        "localhost:x",
        "localhost:+80",
        "localhost:65536",
        "localhost: 80",
        " localhost",
        "localhost,evil.com",
        "::1",
        "::1:8787",
        "[::1",
        "[::1]x",
        "[::1]8787",
        "[localhost]",
        "[::1%lo]",
        "[::2]",
        "0.0.0.0",
        "128.0.0.1",
        "192.168.1.1:8787",
    ];

    #[test]
    fn on_loopback_only_loopback_names_are_answered() {
        for bound in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            let guard = guard(bound, &[]);
            for host in LOOPBACK {
                assert!(admits(&guard, host), "{bound} {host:?}");
            }
            for host in FOREIGN {
                assert!(!admits(&guard, host), "{bound} {host:?}");
            }
        }
    }

    #[test]
    fn the_own_origin_has_the_host_and_port_of_the_request_or_an_allowed_name() {
        let guard = guard("127.0.0.1", &["nas.lan"]);
        for (origin, host) in [
            ("http://localhost:8787", "localhost:8787"),
            ("http://localhost", "localhost"),
            ("http://localhost", "localhost:80"),
            ("https://status.example", "Status.Example"),
            ("https://status.example", "status.example:443"),
            ("http://status.example:80", "status.example"),
            ("http://[::1]:8787", "[::1]:8787"),
            ("http://nas.lan", "127.0.0.1:8787"),
            ("https://NAS.lan:8443", "127.0.0.1:8787"),
        ] {
            assert!(guard.is_own_origin(origin, Some(host)), "{origin} {host}");
        }
        for (origin, host) in [
            ("null", "localhost:8787"),
            ("", "localhost:8787"),
            ("localhost:8787", "localhost:8787"),
            ("http://", "localhost:8787"),
            ("http://localhost:8787/", "localhost:8787"),
            ("http://user@localhost:8787", "localhost:8787"),
            ("ftp://localhost:8787", "localhost:8787"),
            ("file://localhost:8787", "localhost:8787"),
            ("http://localhost:8788", "localhost:8787"),
            ("http://localhost", "localhost:8787"),
            ("https://localhost", "localhost:80"),
            ("http://127.0.0.1:8787", "localhost:8787"),
            ("http://evil.example", "localhost:8787"),
            ("http://localhost.evil.example:8787", "localhost:8787"),
            ("http://nas.lan.evil.example", "localhost:8787"),
            ("http://localhost:8787, http://localhost:8787", "localhost:8787"),
            ("http://nas.lan evil.example", "localhost:8787"),
            ("http://localhost:65616", "localhost:80"),
            ("http://localhost:8787", "localhost:8787:8787"),
            ("http://localhost:8787", ""),
        ] {
            assert!(!guard.is_own_origin(origin, Some(host)), "{origin} {host}");
        }
        assert!(!guard.is_own_origin("http://localhost", None));
    }

    #[test]
    fn only_http10_may_leave_the_host_out() {
        let guard = guard("127.0.0.1", &[]);
        assert!(guard.admits(&request(None, false)));
        assert!(!guard.admits(&request(None, true)));
    }

    #[test]
    fn bound_elsewhere_everything_is_answered() {
        for bound in ["0.0.0.0", "::", "192.168.1.1", "fe80::1", "::ffff:10.0.0.1"] {
            let guard = guard(bound, &[]);
            for host in LOOPBACK.iter().chain(&FOREIGN) {
                assert!(admits(&guard, host), "{bound} {host:?}");
            }
            assert!(guard.admits(&request(None, true)));
        }
    }

    #[test]
    fn names_that_no_host_field_contains_are_recognized() {
        for name in ["nas.lan", "NAS_1.lan.:80", "fd00::1", "[fd00::2]:80", &"x".repeat(253)] {
            assert!(is_host(name), "{name}");
        }
        for name in
            ["", ".", ":80", "http://nas.lan", "nas.lan/", "a b", "é.lan", "fd00::x", &"x".repeat(254)]
        {
            assert!(!is_host(name), "{name}");
        }
    }

    #[test]
    fn allowed_names_are_compared_without_case_and_port() {
        let guard = guard(
            "::1",
            &["Router.LAN", "nas.lan:8787", "dot.lan.", "192.168.1.1", "fd00::1", "[fd00::2]:80"],
        );
        for host in [
            "router.lan",
            "ROUTER.lan:8787",
            "router.lan.",
            "nas.lan",
            "nas.lan:1",
            "dot.lan",
            "192.168.1.1:8787",
            "[fd00::1]:8787",
            "[FD00::2]",
            "localhost",
        ] {
            assert!(admits(&guard, host), "{host:?}");
        }
        for host in ["", "lan", "a.router.lan", "router.lan.evil.com", "router.lan:x", "fd00::1", "[fd00::3]"]
        {
            assert!(!admits(&guard, host), "{host:?}");
        }
    }
}
