//! The owners of deadlines and of connections.

use super::ids::ConnId;
use super::limits::WEBHOOKS_PARALLEL;
use super::timers;
use crate::monitor::TargetId;
use crate::probe::connector::AttemptId;
use crate::resolve::QueryId;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    Run(RunOwner),
    Client(ConnId),
    Resolver,
    Accept,
    Hooks,
    Webhooks,
    Status,
    Watchdog,
    Liveness,
    Request(RequestKind),
    StateFile,
}

const FIXED: usize = 10;

impl timers::Owner for Owner {
    fn index(self) -> usize {
        match self {
            Owner::Resolver => 0,
            Owner::Accept => 1,
            Owner::Hooks => 2,
            Owner::Webhooks => 3,
            Owner::Status => 4,
            Owner::Watchdog => 5,
            Owner::Liveness => 6,
            Owner::Request(kind) => 7 + kind.index(),
            Owner::StateFile => 9,
            Owner::Run(owner) => FIXED + 2 * owner.index(),
            Owner::Client(id) => FIXED + 1 + 2 * id.index(),
        }
    }
}

/// The owner of attempts, of which at most one is in flight at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RunOwner {
    Target(TargetId),
    /// One of [`WEBHOOKS_PARALLEL`] concurrent deliveries to webhooks.
    Delivery(usize),
    Request(RequestKind),
}

/// The periodic requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RequestKind {
    Push,
    Alive,
}

impl RequestKind {
    pub(super) const ALL: [RequestKind; 2] = [RequestKind::Push, RequestKind::Alive];

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

impl RunOwner {
    /// A small number, unique among present targets, deliveries and requests.
    pub(super) fn index(self) -> usize {
        match self {
            RunOwner::Delivery(slot) => slot,
            RunOwner::Request(kind) => WEBHOOKS_PARALLEL + kind.index(),
            RunOwner::Target(target) => WEBHOOKS_PARALLEL + RequestKind::ALL.len() + target.index(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ConnOwner {
    Connecting { run: RunOwner, attempt: AttemptId },
    Connected(RunOwner),
    Client,
    Query(QueryId),
}
