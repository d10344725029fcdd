//! Resolves names to addresses: hosts file, resolv.conf, DNS over UDP and TCP, multicast DNS.
//!
//! ```text
//!     lookup(name)
//!          |
//!     literal, localhost, .invalid, hosts file, cache --known--> Found or NotFound
//!          | unknown
//!     search queued, until queries are free; lookups of the same name share it
//!          |
//!     search list: next full name <-------------------------------+
//!          |                                                      |
//!     queries for A and AAAA, to one server after the other       | negative, or error of a server
//!          |                                                      |
//!          +-- no addresses --------------------------------------+--last name--> NotFound
//!          +-- no server answered ----------------------------------------------> NotFound
//!          +-- no answer after 0.5 s, or no server answered, and addresses are held --> Found, held: true
//!          +-- addresses of one family, 50 ms passed --> Found, last: false; then waits for the other
//!          +-- both families answered -----------------> Found, last: true; cached
//! ```
//!
//! Polling contract: a [`Resolver`] has neither sockets nor a clock.
//!
//! - The owner calls [`Resolver::lookup`], [`Resolver::cancel`], [`Resolver::handle_input`] and
//!   [`Resolver::handle_timeout`]; `now` never decreases.
//! - After each of these calls it calls [`Resolver::poll_output`] until that returns `None`, and carries out
//!   the commands. Each [`Output::Open`] gets a new socket, so that the kernel chooses an unpredictable port.
//! - Then it calls [`Resolver::handle_timeout`] at the time of [`Resolver::poll_timeout`], or earlier.
//! - A lookup ends with the last `Found`, with `NotFound`, or with `cancel`. Unanswered queries are repeated
//!   until then: the owner limits the time.
//!
//! Not supported: DNSSEC validation, recursion from the root servers, record types other than A and AAAA,
//! and negative caching.

mod cache;
pub(crate) mod conf;
mod failure;
pub(crate) mod hosts;
mod names;
mod plan;
mod query;
mod query_plan;
mod resolver;
mod scope;
mod search;
mod shared;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU8;
use std::sync::Arc;

pub(crate) use resolver::{QUERIES_MAX, Resolver};

use crate::network::Network;
use crate::result::Failure;

pub(crate) type Random = Box<dyn FnMut() -> u64 + Send>;

/// Identifies a lookup. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LookupId(u64);

/// Identifies a query, which has a socket of its own. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueryId(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SearchId(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// A UDP socket connected to its peer, so that it receives no datagrams from other hosts.
    Udp,
    Tcp,
    /// TCP without the last acknowledgement of the handshake. Not used by the resolver.
    HalfOpenTcp,
    /// A UDP socket that is not connected: any host on the local network may answer.
    Multicast,
    /// An ICMP socket connected to its peer. Not used by the resolver.
    Icmp {
        hop_limit: Option<NonZeroU8>,
    },
}

#[derive(Debug)]
pub(crate) enum QueryInput<'a> {
    /// A datagram, or a piece of the TCP stream cut anywhere.
    Received { from: SocketAddr, bytes: &'a [u8] },
    /// The server has ended the TCP stream.
    Closed,
    /// The socket could not be opened, or failed. It no longer exists; no [`Output::Close`] follows.
    Failed,
    /// The same because of this machine.
    FailedLocally(Failure),
}

/// A command to the owner, or a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Open a new socket and send `bytes` (over TCP they include the length prefix).
    Open {
        query: QueryId,
        transport: Transport,
        server: SocketAddr,
        network: Option<Arc<Network>>,
        bytes: Vec<u8>,
    },
    /// Close the query's socket.
    Close(QueryId),
    /// New addresses of the name. Unless `last` is set, those of the other family may follow; the last list
    /// is empty if there are none. `held` addresses have expired, and the name cannot be resolved at the moment.
    Found { lookup: LookupId, addresses: Vec<IpAddr>, last: bool, held: bool },
    /// The lookup has failed: the name has no address, or the servers did not answer.
    NotFound { lookup: LookupId, failure: Failure },
}
