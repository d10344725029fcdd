//! A tiny uptime daemon, and the library it is made of.
//!
//! pingstate probes targets over TCP, HTTP and HTTPS, tracks each one's state with a small state
//! machine (`unknown` → `up` / `degraded` / `down`), and serves the states over a local HTTP API.
//!
//! # What it refuses to do
//!
//! No threads, no async runtime, no locks, no `unsafe`. No proxy, no database, no configuration that
//! has to be there. Nothing that comes from the network can make it panic, wait for ever or grow.
//!
//! # The house
//!
//! One thread, one event loop. Everything that can be wrong about a protocol lives in code that never
//! touches a socket or a clock, and everything that touches the operating system lives on one floor
//! that knows no protocol. An import only points to a lower floor; `tests/floors.rs` sees to it.
//!
//! ```text
//! 8  main, cli, library    the doors for people and for programs
//! 7  reactor               every socket, signal and both clocks: the only impure floor
//! 6  engine                the whole daemon minus the I/O: connections, deadlines, what each peer is owed
//! 5  api                   one API client's conversation; routes; the answers' form
//! 4  snapshot              a monitor, told to the outside
//! 3  monitor               one target's life: when to try, and what the tries add up to
//! 2  probe, resolve        conversations with the outside world
//! 1  fsm, check            judgement
//! 0  wire, verdict, clock  words: HTTP/1.1, TLS, DNS and URLs; results; moments in time
//! ```
//!
//! The machines on floors 2 to 6 share four verbs: `handle_input` tells what happened,
//! `handle_timeout` that time passed, `poll_output` asks what is to be done, `poll_timeout` when to
//! come back.
//!
//! # Invariants
//!
//! - The same bytes give the same result, however they are cut.
//! - The same inputs give the same run: no hidden clock, randomness or order.
//! - Every attempt has exactly one verdict, by its deadline, and leaves no connection behind.
//! - Connection ids are not reused while news of them can be under way.
//! - Every buffer, queue and loop has a named limit.
//! - A client that is owed an answer is not read.

mod api;
mod check;
mod clock;
mod engine;
mod fsm;
mod library;
mod monitor;
mod probe;
mod reactor;
mod resolve;
mod snapshot;
mod verdict;
mod wire;

// The public interface is:
pub use check::{Banner, BannerJudgement, HttpResponse, Judgement};
pub use clock::Now;
pub use fsm::{Check, Event, HISTORY, Policy, State};
pub use library::{
    Checked, MonitorHandle, Names, PingFsm, Server, ServerBuilder, Stopper, check, check_once, check_with,
    serve,
};
pub use monitor::{INTERVAL, INTERVAL_MAX, INTERVAL_MIN, Monitor};
pub use probe::blocking::{BLOCKING_TIMEOUT, BlockingProbe, blocking};
pub use probe::build::{
    BODY_DEFAULT, BODY_MAX, BuiltProbe, Error, HTTP_TIMEOUT, ProbeBuilder, TCP_TIMEOUT, TIMEOUT_MAX, Trust,
    probe,
};
pub use probe::{Attempt, Input, Output, Probe, Work};
pub use snapshot::Snapshot;
pub use verdict::{DETAIL_MAX, Failure, ProbeResult, Reason};
pub use wire::http::response::Headers;

/// The whole engine on a virtual clock, against a scripted world.
#[cfg(test)]
#[path = "../tests/sim/mod.rs"]
mod sim;
