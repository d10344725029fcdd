//! Names to addresses: hosts file, resolv.conf, DNS over UDP and TCP, multicast DNS.
//!
//! A [`Resolver`] is a conversation without sockets or clocks. It is asked for names, and asks in
//! turn for queries to be opened and closed; whoever owns the sockets opens a fresh one per query
//! (so that the kernel chooses an unpredictable port), sends the bytes and reports what comes back.
//!
//! What it does not do: check signatures, speak to root servers, ask for anything but addresses, or
//! remember failures. A lookup ends with an answer, with an error from every server, or when its owner
//! cancels it: the owner knows how much time there is, and silent servers are asked again until then.

mod cache;
pub(crate) mod conf;
mod failure;
pub(crate) mod hosts;
mod inquiry;
mod names;
mod plan;
mod query;
mod resolver;
mod search;
mod shared;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

pub(crate) use resolver::Resolver;

use crate::result::Failure;

/// Where unpredictable message ids come from.
pub(crate) type Random = Box<dyn FnMut() -> u16 + Send>;

/// Somebody's wish to know the addresses of a name. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LookupId(u64);

/// One query on a socket of its own. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueryId(u64);

/// What a connection is carried by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// A UDP socket connected to its peer, so that nobody else's datagrams arrive.
    Udp,
    /// A TCP connection.
    Tcp,
    /// A UDP socket that is not connected: anybody on the local network may answer.
    Multicast,
}

/// What happened to a query.
#[derive(Debug)]
pub(crate) enum QueryInput<'a> {
    /// A datagram, or a piece of the TCP stream cut anywhere.
    Received { from: SocketAddr, bytes: &'a [u8] },
    /// The server has ended the TCP stream.
    Closed,
    /// The socket could not be opened, or broke. There is none any more, and no
    /// [`Output::Close`] will follow.
    Failed,
}

/// What the resolver wants done, or has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Open a fresh socket and send `bytes` (over TCP they hold their length already).
    Open { query: QueryId, transport: Transport, server: SocketAddr, bytes: Vec<u8> },
    /// Close the query's socket; nothing more is wanted from it.
    Close(QueryId),
    /// Addresses of the name. Unless this is the `last` time, those of the other family may follow;
    /// the last list is empty if they turned out not to exist.
    Found { lookup: LookupId, addresses: Vec<IpAddr>, last: bool },
    /// The name has no address, or none could be learned. Nothing more follows.
    NotFound { lookup: LookupId, failure: Failure },
}
