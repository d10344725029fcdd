//! The daemon's own metrics, which the engine counts for `/metrics`.

use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) hooks: Hooks,
    pub(crate) webhooks: Webhooks,
    pub(crate) state_file: StateFile,
    /// Lookups that got addresses that had expired.
    pub(crate) held_lookups: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) timeout: u64,
    pub(crate) not_started: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Webhooks {
    pub(crate) ok: u64,
    pub(crate) failed: u64,
}

/// Writes of the state file.
#[derive(Clone, Debug, Default)]
pub(crate) struct StateFile {
    pub(crate) ok: u64,
    pub(crate) failed: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Connections {
    pub(crate) probe: u64,
    pub(crate) client: u64,
    pub(crate) stream: u64,
    pub(crate) dns: u64,
}

/// Resource usage of the process; `None` where the system does not report it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessStats {
    pub(crate) cpu: Option<Duration>,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) virtual_bytes: Option<u64>,
    pub(crate) open_fds: Option<u64>,
    pub(crate) max_fds: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Figures<'a> {
    pub(crate) counters: &'a Counters,
    pub(crate) connections: Connections,
    pub(crate) process_stats: ProcessStats,
    /// When the daemon started, as the time since 1970.
    pub(crate) started: Duration,
}
