//! Error messages for names without addresses.

use std::net::SocketAddr;

use crate::result::{Failure, Reason};
use crate::text::printable;
use crate::wire::dns::rcode_name;

use super::conf::PORT;

const NAME_SHOWN_MAX: usize = 80;
const SERVERS_SHOWN_MAX: usize = 3;

/// An answer that the name has no address. A greater value is more specific.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NegativeAnswer {
    /// No host on the local network answered; multicast DNS has no negative answers.
    Unanswered,
    NoName(SocketAddr),
    NoData(SocketAddr),
}

/// Why no answer was received. A greater value is more specific.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LookupError {
    NoMulticast,
    /// A socket cannot be used because of this machine.
    Local,
    /// No socket to a server could be opened, or connections were refused.
    Unreachable,
    Timeout,
    /// The server must be queried over TCP, and the TCP connection failed.
    NoStream(SocketAddr),
    Broken(SocketAddr),
    Refused(SocketAddr, u8),
}

impl NegativeAnswer {
    pub(super) fn failure(self, name: &str) -> Failure {
        let detail = match self {
            Self::Unanswered => {
                format!("name does not exist: {name} (no host on the local network answers to it)")
            }
            Self::NoName(server) => format!("name does not exist: {name} (asked {})", shown(server)),
            Self::NoData(server) => format!("name has no address: {name} (asked {})", shown(server)),
        };
        Failure::new(Reason::DnsNotFound, detail)
    }
}

impl LookupError {
    pub(super) fn failure(self, name: &str, servers: &[SocketAddr]) -> Failure {
        let detail = match self {
            Self::NoMulticast => format!("the local network cannot be asked for {name} by multicast DNS"),
            Self::Local | Self::Unreachable => {
                format!("no name server reachable for {name} (tried {})", list(servers))
            }
            Self::Timeout => format!("no name server answered for {name} (asked {})", list(servers)),
            Self::NoStream(server) => {
                format!("name server {} cannot be asked for {name} over TCP", shown(server))
            }
            Self::Broken(server) => format!("name server {} sent a broken answer for {name}", shown(server)),
            Self::Refused(server, code) => {
                format!("name server {} answered {} for {name}", shown(server), shown_code(code))
            }
        };
        let is_timeout = self == Self::Timeout;
        Failure::new(if is_timeout { Reason::DnsTimeout } else { Reason::DnsFailed }, detail)
    }
}

pub(super) fn not_a_name(text: &str) -> Failure {
    let shown = printable(text, NAME_SHOWN_MAX);
    let remedy = if text.is_ascii() { "" } else { " (write it in its ASCII form, xn--…)" };
    Failure::new(Reason::DnsNotFound, format!("not a valid name: {shown}{remedy}"))
}

pub(super) fn invalid(name: &str) -> Failure {
    Failure::new(Reason::DnsNotFound, format!("name does not exist: {name} (.invalid never does)"))
}

pub(super) fn too_many(name: &str) -> Failure {
    Failure::new(Reason::DnsFailed, format!("too many names are being resolved to resolve {name}"))
}

pub(super) fn list(servers: &[SocketAddr]) -> String {
    let shown: Vec<String> = servers.iter().take(SERVERS_SHOWN_MAX).map(|server| shown(*server)).collect();
    shown.join(", ")
}

fn shown_code(code: u8) -> &'static str {
    rcode_name(code.into()).unwrap_or("an error")
}

/// A server's address, with its port unless that is the default.
fn shown(server: SocketAddr) -> String {
    if server.port() == PORT { server.ip().to_string() } else { server.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_name_the_server() {
        let server: SocketAddr = "192.0.2.53:53".parse().unwrap();
        let other: SocketAddr = "[2001:db8::53]:5353".parse().unwrap();
        let text = |failure: Failure| failure.detail;
        assert_eq!(list(&[server; 4]), "192.0.2.53, 192.0.2.53, 192.0.2.53");
        assert_eq!(
            text(NegativeAnswer::NoName(server).failure("db.example")),
            "name does not exist: db.example (asked 192.0.2.53)"
        );
        assert_eq!(
            text(NegativeAnswer::NoData(other).failure("db")),
            "name has no address: db (asked [2001:db8::53]:5353)"
        );
        assert_eq!(
            text(LookupError::Timeout.failure("db", &[server, other])),
            "no name server answered for db (asked 192.0.2.53, [2001:db8::53]:5353)",
        );
        assert_eq!(
            text(LookupError::Refused(server, 2).failure("db", &[])),
            "name server 192.0.2.53 answered SERVFAIL for db",
        );
    }

    #[test]
    fn greater_values_are_more_specific() {
        let server: SocketAddr = "192.0.2.53:53".parse().unwrap();
        assert!(
            NegativeAnswer::NoData(server) > NegativeAnswer::NoName(server)
                && NegativeAnswer::NoName(server) > NegativeAnswer::Unanswered
        );
        assert!(
            LookupError::Refused(server, 2) > LookupError::Broken(server)
                && LookupError::Broken(server) > LookupError::NoStream(server)
                && LookupError::NoStream(server) > LookupError::Timeout
        );
        assert!(LookupError::Timeout > LookupError::Unreachable);
    }

    #[test]
    fn invalid_names_are_escaped_and_truncated() {
        assert_eq!(not_a_name("a b\n").detail, "not a valid name: a b\\n");
        assert!(not_a_name(&"x".repeat(9999)).detail.chars().count() < 120);
    }
}
