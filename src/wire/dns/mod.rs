//! DNS messages: queries written, answers read.
//!
//! Only what a stub resolver needs (RFC 1035): one question per message, A and AAAA, no EDNS. An
//! answer that does not fit into 512 bytes is asked for again over TCP, which every server speaks.

mod name;
mod read;
#[cfg(test)]
pub(crate) mod tests;

use std::net::IpAddr;

pub(crate) use name::Name;
pub(crate) use read::CHAIN_MAX;

/// The class of the Internet, the only one there is.
const CLASS_IN: u16 = 1;
/// The length of a message's fixed part.
const HEADER: usize = 12;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
}

impl Kind {
    fn code(self) -> u16 {
        match self {
            Kind::A => 1,
            Kind::Aaaa => 28,
        }
    }
}

/// One question, and with it everything an answer is matched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Unpredictable, so that answers cannot be forged blindly.
    pub(crate) id: u16,
    pub(crate) name: Name,
    pub(crate) kind: Kind,
    /// Asked by one-shot multicast DNS (RFC 6762 section 5.1) rather than of a name server.
    pub(crate) multicast: bool,
}

impl Question {
    /// The query as a datagram.
    ///
    /// Recursion is desired of a name server; multicast queries have no flags (RFC 6762 section
    /// 18). Neither do they ask for a unicast answer: that the query does not come from port 5353
    /// says so already (section 6.7).
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(HEADER + self.name.wire().len() + 4);
        message.extend_from_slice(&self.id.to_be_bytes());
        message.extend_from_slice(&[u8::from(!self.multicast), 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        message.extend_from_slice(self.name.wire());
        message.extend_from_slice(&self.kind.code().to_be_bytes());
        message.extend_from_slice(&CLASS_IN.to_be_bytes());
        message
    }

    /// What `message` says to this question.
    pub(crate) fn read(&self, message: &[u8]) -> Reply {
        read::read(self, message)
    }
}

/// What a message says to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Not an answer to this question at all: another id, name, type or class, or no message.
    Foreign,
    /// The answer did not fit: the same question has to be asked over TCP.
    Truncated,
    /// The name does not exist.
    NoName,
    /// The server does not answer, for the reason this code gives.
    Refused(u8),
    /// The answer cannot be read, or its aliases lead in a circle.
    Broken,
    /// The name's addresses, none twice. Empty: the name exists but has none of this kind.
    Addresses {
        addresses: Vec<IpAddr>,
        /// How long the answer serves, in seconds: the least of all records that led to it.
        ttl_s: u32,
    },
    /// The name is an alias, and the answer does not hold what it stands for.
    Alias { target: Name, ttl_s: u32 },
}

/// The name of a response code, as operators know it (RFC 1035, RFC 2136).
pub(crate) fn rcode_name(code: u8) -> &'static str {
    match code {
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        9 => "NOTAUTH",
        _ => "an error",
    }
}
