//! What the engine is told, and what it asks for.

use std::net::SocketAddr;
use std::sync::Arc;

use super::hooks::HookId;
use super::{ConnId, Transport};
use crate::fsm::Change;
use crate::monitor::Hook;
use crate::probe::BlockingTask;
use crate::result::{Failure, ProbeResult};

/// What happened to a connection.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// It stands.
    Connected,
    /// Bytes of a stream, cut anywhere.
    Received(&'a [u8]),
    /// One datagram and who sent it.
    Datagram(SocketAddr, &'a [u8]),
    /// So many bytes of the outbox have been taken by the system.
    Sent(usize),
    /// The peer has ended its side in order.
    Closed,
    /// It could not be opened, or it broke. It is gone: the engine will not close it.
    Failed(Failure),
}

/// Names one piece of work on a thread of its own. Not reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct JobId(pub(super) u64);

/// What the engine wants done.
#[derive(Debug)]
pub(crate) enum Output {
    /// Open a connection.
    Open { id: ConnId, transport: Transport, to: SocketAddr },
    /// [`Engine::unsent`](super::Engine::unsent) has bytes for this connection.
    Write(ConnId),
    /// [`Engine::room`](super::Engine::room) was zero for this connection and no longer is.
    Read(ConnId),
    /// End the sending side.
    Shutdown(ConnId),
    /// Close it; it is not spoken of again.
    Close(ConnId),
    /// Send these bytes if the system takes them at once (a TLS alert, say); its [`Output::Close`] follows.
    FinalWrite(ConnId, Vec<u8>),
    /// Accepting was paused and may go on.
    Accept,
    /// See whether the hosts file or resolv.conf changed, and answer with [`Engine::handle_files`](super::Engine::handle_files).
    RefreshFiles,
    /// Measure the process and tell it to [`Engine::handle_process_stats`](super::Engine::handle_vitals).
    ReadProcessStats,
    /// Run this on a thread of its own and tell what came of it to [`Engine::handle_worked`](super::Engine::handle_worked).
    BlockingTask(JobId, BlockingTask),
    /// Run this hook with these additions to its environment and tell what came of it to
    /// [`Engine::handle_hook_ended`](super::Engine::handle_hook_ended).
    Spawn { id: HookId, hook: Arc<Hook>, env: Vec<(&'static str, String)> },
    /// Kill this hook with all that it has started. Its end is still waited for.
    Kill(HookId),
    /// Tell this to the service manager.
    Notify(String),
    /// Tell this line to people.
    Log(String),
    /// A check has ended.
    CheckResult(CheckResult),
}

/// The end of one check.
#[derive(Debug)]
pub(crate) struct CheckResult {
    /// The target's place in the list of monitors.
    pub(crate) target: usize,
    pub(crate) result: ProbeResult,
    /// The change of state that it made.
    pub(crate) change: Option<Change>,
}
