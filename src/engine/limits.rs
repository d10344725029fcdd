//! The limits of the daemon, all in one place. Those of single messages stand with their readers.

use std::time::Duration;

/// API connections at the same time. One more makes the one that has been useless longest give way.
pub(crate) const CLIENTS_MAX: usize = 256;

/// How long a new API client is not evicted while older ones are there. A request usually follows the
/// connection at once. Where clients take all descriptors, a new one waits this long, or twice.
pub(crate) const CLIENT_GRACE: Duration = Duration::from_millis(30);

/// Bytes of unfinished request heads in memory, of all clients together, above which no head may grow beyond
/// the usual 8 KiB.
pub(crate) const HEADS_MAX: usize = 3 * 1024 * 1024;

/// How long an API client may be silent between requests, or before the first.
pub(crate) const CLIENT_IDLE: Duration = Duration::from_secs(8);

/// How long the head of a request may take from its first byte to its last.
pub(crate) const CLIENT_HEAD: Duration = Duration::from_secs(5);

/// How long an answer may lie unsent while the client takes nothing of it.
pub(crate) const CLIENT_STALL: Duration = Duration::from_secs(5);

/// How slowly an answer may be taken over all, in bytes per second.
pub(crate) const CLIENT_RATE: usize = 16 * 1024;

/// The same once another client has waited for room for its own answer as long as it may: who takes his
/// more slowly than this gives way.
pub(crate) const CLIENT_RATE_WAITED_FOR: usize = 1024 * 1024;

/// How long a client may take to end its side after the daemon has ended its own.
pub(crate) const CLIENT_LINGER: Duration = Duration::from_secs(1);

/// Bytes of answers in memory, of all clients together, above which no further one is made until some of
/// them are sent: of snapshots of one target, and apart from that of listings of all. One answer may
/// exceed it, so that a large fleet can be told; there is no second one beside it.
pub(crate) const OWED_MAX: usize = 1024 * 1024;

/// Answers other than words that are made in one turn of the loop: whoever asks for a word does not wait
/// for all the snapshots that a crowd has asked for at the same time.
pub(crate) const ANSWERS_PER_TURN: usize = 16;

/// How long the loop may sleep when answers wait for its next turn only.
pub(crate) const YIELD_DELAY: Duration = Duration::from_micros(50);

/// Streams of events and clients that wait for a state, at the same time, besides the other clients. One more
/// evicts the one that has gone longest without news.
pub(crate) const STREAMS_MAX: usize = 1024;

/// How long a stream has nothing to say before it says that it is still there.
pub(crate) const STREAM_KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Bytes of events that are written for a stream at once; a single event may exceed it.
pub(crate) const STREAM_BATCH_MAX: usize = 4 * 1024;

/// Bytes that a client may send after it has asked for a stream. They are not looked at.
pub(crate) const STREAM_INPUT_MAX: usize = 64 * 1024;

/// Transitions that are remembered for streams, and checks as well; with many targets two of each.
pub(crate) const EVENT_LOG_MIN: usize = 256;

/// How long accepting pauses at most when the system has no descriptor for a new client.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bytes a probe may have waiting to be sent.
pub(crate) const PROBE_OUTBOX_MAX: usize = 1024 * 1024;

/// Outputs a probe may give in answer to one input.
pub(crate) const PROBE_OUTPUTS_MAX: usize = 1024;

/// How late the loop may be before the time is held to have been lost by this machine (stopped,
/// starved, swapped out) and not by the targets.
pub(crate) const CLOCK_STALL: Duration = Duration::from_millis(100);

/// How long the loop sleeps at most while checks are under way: time that is lost while nothing was due
/// would not be noticed.
pub(crate) const WAKEUP_INTERVAL: Duration = Duration::from_millis(100);

/// How often the time lost is given back to one check. A machine that loses time in every turn has too
/// much to do, and a silent target is silent all the same.
pub(crate) const STALLS_MAX: u8 = 8;

/// Hooks at work at the same time, of all targets together.
pub(crate) const HOOKS_MAX: usize = 16;

/// Hooks started in one turn of the loop, which waits for each until its program is there.
pub(crate) const HOOK_STARTS_PER_TURN: usize = 4;

/// How often one change is tried to be told to a hook that this machine has no room to start.
pub(crate) const HOOK_TRIES_MAX: u32 = 20;

/// How long no hook is started when there is no room although clients have given way; twice as long after
/// each further time …
pub(crate) const HOOK_PAUSE: Duration = Duration::from_millis(100);

/// … up to this.
pub(crate) const HOOK_PAUSE_MAX: Duration = Duration::from_secs(10);

/// The clients that give way for a hook: as many as it takes descriptors to start one.
pub(crate) const HOOK_ROOM: usize = 8;

/// Tries to deliver to webhooks at the same time, each to another URL.
pub(crate) const WEBHOOKS_PARALLEL: usize = 4;

/// Changes that wait to be delivered to one URL.
pub(crate) const WEBHOOK_QUEUE_MAX: usize = 256;

/// Changes that wait to be delivered to all URLs together, if more than one waits for the URL.
pub(crate) const DELIVERIES_MAX: usize = 1024;

/// How often one change is tried to be delivered.
pub(crate) const DELIVERY_TRIES_MAX: u32 = 10;

/// How long to wait after the first try to deliver a change that failed; twice as long after each further one …
pub(crate) const DELIVERY_PAUSE: Duration = Duration::from_secs(1);

/// … up to this.
pub(crate) const DELIVERY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// How often the service manager is told of the state at most.
pub(crate) const STATUS_PAUSE: Duration = Duration::from_secs(1);

/// How late a check may be without the watchdog being told that all is well no more.
pub(crate) const WATCHDOG_SLACK: Duration = Duration::from_millis(200);

/// Checks under way at the same time when every target is to be checked once, at once.
pub(crate) const ONCE_PARALLEL: usize = 256;
