//! The engine's inputs and outputs.

use std::net::SocketAddr;
use std::sync::Arc;

use super::ids::ConnId;
use crate::fsm::Change;
use crate::monitor::{Hook, TargetId};
use crate::network::Network;
use crate::probe::{BlockingTask, Program};
use crate::resolve::Transport;
use crate::result::{Failure, ProbeResult};

#[derive(Debug)]
pub(crate) enum Input<'a> {
    Connected,
    Received(&'a [u8]),
    Datagram(SocketAddr, &'a [u8]),
    /// One ICMP message without its IP header, and the hop limit that is left if it is known.
    IcmpMessage {
        bytes: &'a [u8],
        hop_limit: Option<u8>,
    },
    /// An ICMP error about a message that was sent, and the beginning of that. The connection remains.
    IcmpError {
        failure: Failure,
        quoted: &'a [u8],
    },
    /// Number of bytes of the outbox that the kernel has accepted.
    Sent(usize),
    /// The peer has shut down its sending side.
    Closed,
    /// Connecting failed, or the connection broke. No [`Output::Close`] follows.
    Failed(Failure),
}

/// One blocking task or program of a check. Not reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct JobId(pub(super) u64);

/// One run of a hook. Not reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HookId(pub(super) u64);

#[derive(Debug)]
pub(crate) enum Output {
    Open {
        id: ConnId,
        transport: Transport,
        to: SocketAddr,
        network: Option<Arc<Network>>,
    },
    /// [`Engine::unsent`](super::Engine::unsent) has bytes for this connection.
    Write(ConnId),
    /// [`Engine::room`](super::Engine::room) was zero for this connection and no longer is.
    Read(ConnId),
    /// Shut down the sending side.
    Shutdown(ConnId),
    /// Close the connection. No further output has this id.
    Close(ConnId),
    /// Send these bytes (such as a TLS alert), for UDP one datagram, if the kernel accepts them at once.
    /// [`Output::Close`] follows after the last one.
    FinalWrite(ConnId, Vec<u8>),
    Accept,
    /// Read the hosts file and resolv.conf if they changed, then call
    /// [`Engine::handle_files`](super::Engine::handle_files).
    RefreshFiles,
    /// Find out whether this machine has an address that other machines can reach, then call
    /// [`Engine::handle_addresses`](super::Engine::handle_addresses).
    CheckAddresses,
    /// Read the process statistics, then call
    /// [`Engine::handle_process_stats`](super::Engine::handle_process_stats).
    ReadProcessStats,
    /// Run this on a thread of its own, then call [`Engine::handle_worked`](super::Engine::handle_worked).
    BlockingTask(JobId, BlockingTask),
    /// Run this program for a check of the target of this name, then call
    /// [`Engine::handle_exited`](super::Engine::handle_exited).
    Exec {
        id: JobId,
        program: Program,
        target: String,
    },
    /// Kill this program and its process group. Its end must still be reported.
    KillProgram(JobId),
    /// Run this hook with these additional environment variables, then call
    /// [`Engine::handle_hook_ended`](super::Engine::handle_hook_ended).
    Spawn {
        id: HookId,
        hook: Arc<Hook>,
        env: Vec<(&'static str, String)>,
    },
    /// Kill this hook and its child processes. Its end must still be reported.
    Kill(HookId),
    /// Write this to the state file, then call [`Engine::handle_state_written`](super::Engine::handle_state_written).
    WriteState(StatePiece),
    Notify(String),
    Log(String),
    CheckResult(CheckResult),
}

/// A part of the state file. The file is replaced with the last one.
#[derive(Debug)]
pub(crate) struct StatePiece {
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_first: bool,
    pub(crate) is_last: bool,
}

#[derive(Debug)]
pub(crate) struct CheckResult {
    pub(crate) target: TargetId,
    pub(crate) result: ProbeResult,
    pub(crate) change: Option<Change>,
}
