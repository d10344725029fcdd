//! The owners of deadlines and of connections.

use super::ids::ConnId;
use super::timers;
use crate::probe::connector::AttemptId;
use crate::resolve::QueryId;

/// The owner of a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    Target(usize),
    Client(ConnId),
    Resolver,
    Accept,
    Hooks,
    Webhooks,
    Status,
    Watchdog,
}

/// Number of owners that are neither targets nor clients.
const FIXED: usize = 6;

impl timers::Owner for Owner {
    fn place(self) -> usize {
        match self {
            Owner::Resolver => 0,
            Owner::Accept => 1,
            Owner::Hooks => 2,
            Owner::Webhooks => 3,
            Owner::Status => 4,
            Owner::Watchdog => 5,
            Owner::Target(target) => FIXED + 2 * target,
            Owner::Client(id) => FIXED + 1 + 2 * id.place(),
        }
    }
}

/// The owner of a connection, which has its state.
#[derive(Clone, Copy, Debug)]
pub(super) enum ConnOwner {
    /// The connection attempt of a probe.
    Connecting { target: usize, attempt: AttemptId, retried_after_eviction: bool },
    /// A probe that is connected.
    Probe { target: usize },
    /// The API.
    Client,
    /// A query to a name server.
    Query(QueryId),
}
