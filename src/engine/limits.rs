//! The limits of the daemon. Limits of messages are defined by their parsers.

use std::time::Duration;

use crate::resolve::QUERIES_MAX;

/// The file descriptors that each concern may use at the same time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shares {
    /// Connections of checks.
    pub(crate) checks: usize,
    pub(crate) queries: usize,
    pub(crate) hooks: usize,
    pub(crate) clients: usize,
    pub(crate) streams: usize,
}

impl Shares {
    /// Divides this number of free file descriptors, so that neither clients nor silent targets take those
    /// that another concern needs.
    pub(crate) fn of(free: usize) -> Shares {
        let free = free.saturating_sub(RESERVED);
        let hooks = (free / 8).clamp(1, HOOKS_MAX);
        let queries = (free / 8).clamp(2, QUERIES_MAX);
        let rest = free.saturating_sub(hooks + queries);
        let api = (rest / 3).min(CLIENTS_MAX + STREAMS_MAX);
        let clients = (api / 3 * 2).clamp(2, CLIENTS_MAX);
        Shares {
            checks: (rest - api).max(CONNECTIONS_PER_CHECK),
            queries,
            hooks,
            clients,
            streams: api.saturating_sub(clients).clamp(1, STREAMS_MAX),
        }
    }
}

/// Descriptors that no concern may use: to start a hook (6), for deliveries to webhooks (2), and for the epoll
/// instance, the listener, signals, files, the service manager and a client just accepted (12).
const RESERVED: usize = 20;

/// Connections that a check may need at once: Happy Eyeballs usually tries two addresses.
pub(crate) const CONNECTIONS_PER_CHECK: usize = 2;

/// Concurrent API connections. Above, the client that has gone longest without a response is evicted.
pub(crate) const CLIENTS_MAX: usize = 256;

/// Clients accepted per turn of the loop, so that many clients do not delay probes.
pub(crate) const ACCEPTS_PER_TURN: usize = 64;

/// How long a new API client is evicted only if there is no older one: a request usually follows at once.
pub(crate) const CLIENT_GRACE: Duration = Duration::from_millis(30);

/// Bytes of unfinished request heads of all clients together, above which no head may grow beyond 8 KiB.
pub(crate) const HEADS_MAX: usize = 3 * 1024 * 1024;

/// How long an API client may be silent between requests, or before the first.
pub(crate) const CLIENT_IDLE: Duration = Duration::from_secs(8);

/// Time limit for a request head, from its first byte to its last.
pub(crate) const CLIENT_HEAD: Duration = Duration::from_secs(5);

/// How long a client may take no byte of a pending response.
pub(crate) const CLIENT_STALL: Duration = Duration::from_secs(5);

/// Lowest average rate at which a client must take a response, in bytes per second.
pub(crate) const CLIENT_RATE: usize = 16 * 1024;

/// How long a client may take to close its side after the daemon has shut down its own.
pub(crate) const CLIENT_LINGER: Duration = Duration::from_secs(1);

/// Bytes of the listings of one page in memory, from which clients share a listing that is not current.
pub(crate) const LISTINGS_BYTES_MAX: usize = 1024 * 1024;

/// The age up to which clients share it.
pub(crate) const LISTING_AGE_MAX: Duration = Duration::from_secs(5);

/// How long the loop may sleep when work is left for its next turn.
pub(crate) const YIELD_DELAY: Duration = Duration::from_micros(50);

/// Concurrent event streams and waiting clients, in addition to [`CLIENTS_MAX`]. Above, the one that has gone
/// longest without data is evicted.
pub(crate) const STREAMS_MAX: usize = 1024;

/// How long a stream is silent before a keep-alive comment.
pub(crate) const STREAM_KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Bytes of events rendered for a stream at once; a single event may exceed it.
pub(crate) const STREAM_BATCH_MAX: usize = 4 * 1024;

/// Bytes that a client may send after its request for a stream. They are ignored.
pub(crate) const STREAM_INPUT_MAX: usize = 64 * 1024;

/// Transitions, and checks as well, that are stored for streams; with many targets two of each per target.
pub(crate) const EVENT_LOG_MIN: usize = 256;

/// How long accepting pauses after a failure, unless a connection is closed before.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Unsent bytes of one probe.
pub(crate) const PROBE_OUTBOX_MAX: usize = 1024 * 1024;

/// Outputs of a probe for one input.
pub(crate) const PROBE_OUTPUTS_MAX: usize = 1024;

/// Lateness of the loop from which it is a scheduling delay: see the documentation of the engine.
pub(crate) const CLOCK_STALL: Duration = Duration::from_millis(100);

/// How long the loop sleeps at most while checks are in flight.
pub(crate) const WAKEUP_INTERVAL: Duration = Duration::from_millis(100);

/// How often the deadline of one check is extended after scheduling delays.
pub(crate) const STALLS_MAX: u8 = 8;

/// Concurrent hooks of all targets together.
pub(crate) const HOOKS_MAX: usize = 16;

/// Attempts to start a hook for one change while the system lacks processes, memory or descriptors.
pub(crate) const HOOK_ATTEMPTS_MAX: u32 = 30;

/// The pause after such an attempt.
pub(crate) const HOOK_RETRY: Duration = Duration::from_secs(1);

/// Hooks started in one turn of the loop, which waits until each has executed its program.
pub(crate) const HOOK_STARTS_PER_TURN: usize = 4;

/// Concurrent programs of checks. Each has two pipes, which count as the connections of its check.
pub(crate) const EXECS_MAX: usize = 16;

/// Programs of checks started in one turn of the loop, as for hooks.
pub(crate) const EXEC_STARTS_PER_TURN: usize = 4;

/// How long the next check of a target waits for the end of a program that was killed.
pub(crate) const EXEC_KILL_GRACE: Duration = Duration::from_secs(1);

/// Concurrent webhook requests, each to another URL.
pub(crate) const WEBHOOKS_PARALLEL: usize = 4;

/// Attempts to deliver one notification that the receiver answers with an error. Those without an answer do not
/// count: while the connection to the Internet is down, no notification is lost.
pub(crate) const DELIVERY_ERRORS_MAX: u32 = 10;

/// Pause after the first failed attempt to deliver to a URL; doubled each further time …
pub(crate) const DELIVERY_PAUSE: Duration = Duration::from_secs(1);

/// … up to this.
pub(crate) const DELIVERY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// The interval of pushes of the metrics.
pub(crate) const PUSH_INTERVAL: Duration = Duration::from_secs(15);

/// The interval of requests that show that the daemon runs.
pub(crate) const ALIVE_INTERVAL: Duration = Duration::from_secs(60);

/// Shortest interval between two STATUS messages to the service manager.
pub(crate) const STATUS_PAUSE: Duration = Duration::from_secs(1);

/// How late a check may be before watchdog pings stop.
pub(crate) const WATCHDOG_SLACK: Duration = Duration::from_millis(200);

/// Checks in flight at the same time when every target is checked once.
pub(crate) const ONCE_PARALLEL: usize = 256;

/// A piece of the state file ends with the first target after this number of bytes.
pub(crate) const STATE_PIECE: usize = 64 * 1024;

/// The shortest interval between two lines of the log about checks without a result.
pub(crate) const NO_RESULT_LOG_INTERVAL: Duration = Duration::from_secs(60);
