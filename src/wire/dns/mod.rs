//! DNS messages: encodes queries and decodes answers.
//!
//! [`Question`] implements what a stub resolver needs (RFC 1035): A and AAAA, no EDNS; a question whose answer does
//! not fit into 512 bytes must be repeated over TCP. [`records`] is for checks of name servers.

mod name;
mod read;
pub(crate) mod records;
#[cfg(any(test, fuzzing))]
pub(crate) mod server_messages;
mod stream;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub(crate) use name::Name;
pub(crate) use read::CHAIN_MAX;
pub(crate) use stream::{MessageStream, framed};

const CLASS_IN: u16 = 1;
const HEADER: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    A = 1,
    Aaaa = 28,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Unpredictable, so that a blind attacker cannot forge answers.
    pub(crate) id: u16,
    pub(crate) name: Name,
    pub(crate) kind: Kind,
    /// Sent as one-shot multicast DNS query (RFC 6762 section 5.1) instead of to a name server.
    pub(crate) multicast: bool,
}

impl Question {
    /// Encodes the query as a datagram. Queries to a name server have the flag RD; multicast queries have no
    /// flags (RFC 6762 section 18). They need not request a unicast answer, since their source port is not
    /// 5353 (section 6.7).
    pub(crate) fn write(&self) -> Vec<u8> {
        let header = [u8::from(!self.multicast), 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let (kind, class) = ((self.kind as u16).to_be_bytes(), CLASS_IN.to_be_bytes());
        [&self.id.to_be_bytes()[..], &header, self.name.wire(), &kind, &class].concat()
    }
}

/// The content of a message, seen as an answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Does not match the question: another id, name, type or class, or no DNS message.
    Foreign,
    /// The question must be repeated over TCP.
    Truncated,
    NoName,
    Refused(u8),
    /// The answer cannot be parsed, or its aliases form a loop.
    Broken,
    /// The name's addresses, without duplicates. Empty: the name exists but has none of this kind.
    Addresses {
        addresses: Vec<IpAddr>,
        /// Least time to live of the records that led to the addresses, in seconds.
        ttl_s: u32,
    },
    /// The name is an alias of `target`, and the answer does not contain the addresses of `target`.
    Alias {
        target: Name,
        ttl_s: u32,
    },
}

/// The mnemonics of response codes (RFC 1035, RFC 2136, RFC 6891, RFC 7873).
const RCODES: [(u16, &str); 13] = [
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (6, "YXDOMAIN"),
    (7, "YXRRSET"),
    (8, "NXRRSET"),
    (9, "NOTAUTH"),
    (10, "NOTZONE"),
    (16, "BADVERS"),
    (23, "BADCOOKIE"),
];

/// `None` for a code without a mnemonic.
pub(crate) fn rcode_name(code: u16) -> Option<&'static str> {
    RCODES.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}
