//! A tiny uptime daemon, and the library it is made of.
//!
//! pingstate probes targets over TCP, TLS, HTTP, HTTPS and ICMP, tracks each one's state with a small state
//! machine (`unknown` → `up` / `degraded` / `down`), and serves the states over a local HTTP API.
//!
//! ```
//! # use std::{io::{Read, Write}, net::TcpListener, thread};
//! # fn main() -> Result<(), pingstate::Error> {
//! # let listener = TcpListener::bind("127.0.0.1:0").unwrap();
//! # let port = listener.local_addr().unwrap().port();
//! # thread::spawn(move || for mut peer in listener.incoming().flatten() {
//! #     let _ = peer.read(&mut [0; 1024]);
//! #     let _ = peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
//! # });
//! use pingstate::probe;
//!
//! let result = probe("http", "localhost", port).path("/healthz").build()?.check();
//! println!("{} {:?} {}", result.ok, result.latency, result.detail); // true Some(412µs) HTTP 200
//! # assert_eq!((result.ok, &*result.detail), (true, "HTTP 200"));
//! # Ok(())
//! # }
//! ```
//!
//! [`Monitor`] checks a target repeatedly on its own thread, and [`serve`] adds the API.
//! [`ProbeBuilder::check_response`] and [`ProbeBuilder::check_banner`] evaluate responses with closures.
//! [`Probe`] and [`Attempt`] implement other protocols over TCP, UDP or ICMP, [`blocking`] wraps blocking code, and
//! [`PingFsm`] is the state machine alone. The directory `examples` has a program for each.
//!
//! # Constraints
//!
//! - Threads are started only by [`Monitor::start`], [`blocking`] and [`Output::BlockingTask`].
//! - No async runtime, no locks, no `unsafe`; no proxy, no database, no mandatory configuration.
//! - Input from the network cannot cause a panic, an unbounded wait or unbounded memory use.
//!
//! # Panics and blocking in closures
//!
//! Closures and probes of a program run on the event loop of their target: that of its [`MonitorHandle`],
//! or that of the [`Server`], which it shares with all other targets and the API.
//!
//! - A panic fails one check with the detail `the probe panicked: …`; other targets are not affected.
//!   With `panic = "abort"` it ends the program.
//! - A closure that blocks delays its loop, and one that never returns stops it. Use [`blocking`] for
//!   blocking code: the check times out and other targets are not delayed.
//!
//! # Features
//!
//! `tls` (default): https and tls targets. Without it the program contains no TLS code and no root
//! certificates, and an https or tls probe is an [`Error::Protocol`].
//!
//! `cli` (default): the command `pingstate`. Programs that use the library do not need it.
//!
//! # Architecture
//!
//! One thread runs one event loop. Layers 0 to 6 perform no I/O and read no clock; the reactor contains no
//! protocol code. An import may only point to a lower layer; `tests/layers.rs` and `.clippy.toml` enforce this.
//!
//! | layer | modules | contents |
//! |---|---|---|
//! | 8 | `main`, `cli`, `library` | command line; API for Rust programs |
//! | 7 | `reactor` | event loop: sockets, signals, child processes, name service files, both clocks |
//! | 6 | `engine` | the daemon without the I/O: connections, deadlines, checks, hooks, webhooks, streams, pushes |
//! | 5 | `api` | HTTP API: request parsing, routes, response formats |
//! | 4 | `snapshot` | external view of a target |
//! | 3 | `monitor` | one target: schedule, retries, state, history |
//! | 2 | `probe`, `resolve` | probe protocols; DNS resolver |
//! | 1 | `fsm`, `check` | state machine; evaluation of checks |
//! | 0 | `wire`, `result`, `network`, `text`, `clock` | codecs: HTTP/1.1, TLS, DNS, ICMP, URLs; check results; local side of sockets; text; time |
//!
//! | subject | location |
//! |---|---|
//! | flags | `src/cli/flags.rs` |
//! | probe kinds | `src/probe/kinds.rs` |
//! | routes | `src/api/routes.rs` |
//! | JSON of a target and of events | `src/snapshot.rs`, `src/snapshot/transition.rs` |
//! | eviction | `src/engine/eviction.rs` |
//! | state changes | `src/fsm.rs`, their rules `src/fsm/policy.rs` |
//! | schedule and retries | `src/monitor/target.rs` |
//! | validation of settings | `src/probe/build`, `src/monitor/validate.rs`; of flags `src/cli` |
//! | deadlines | `src/engine/timers.rs` |
//! | history, state file | `src/monitor/history.rs`, `src/snapshot/state_file.rs` |
//! | dependencies between targets | `src/monitor/dependencies.rs`, `src/engine/probe_runs/dependencies.rs` |
//! | interface, source and mark of sockets | `src/network.rs`, `src/reactor/local.rs` |
//! | status page | `src/api/page.rs` |
//!
//! The state machines of layers 2 to 6 have up to four kinds of methods: `handle_input` passes an event,
//! `handle_timeout` the current time; `poll_output` returns the next action, `poll_timeout` the next
//! deadline.
//!
//! # Invariants
//!
//! - The same bytes give the same result, regardless of how they are split into reads.
//! - The same inputs give the same run: no hidden clock, randomness or iteration order.
//! - Every attempt has exactly one result, by its deadline, and leaves no connection open.
//! - A connection id is not reused while events for it can be pending.
//! - Every buffer, queue and loop has a named limit.
//! - A client with a pending response is not read.
#![cfg_attr(test, allow(clippy::disallowed_types))] // Tests may block and use any collection.

mod api;
mod check;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod clock;
mod engine;
mod fsm;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod library;
mod monitor;
mod network;
mod probe;
mod reactor;
mod resolve;
mod result;
mod snapshot;
mod text;
mod wire;

/// The manual of the command.
#[cfg(doc)]
#[doc = include_str!("manual.md")]
pub mod manual {}

/// Compiles the examples of the README as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Simulation: the engine on a virtual clock with scripted peers.
#[cfg(any(test, fuzzing))]
#[path = "../tests/sim/mod.rs"]
mod sim;

#[doc(hidden)]
pub use probe::Heartbeat;

// The public interface is:
pub use check::{Banner, BannerVerdict, CheckVerdict, HttpResponse};
pub use clock::Now;
pub use fsm::{Check, Event, Policy, State};
pub use library::{
    CheckEvent, MonitorHandle, PingFsm, ResolverConfig, Server, ServerBuilder, ShutdownHandle, Warning,
    check, check_all, check_with, send_test_messages, serve,
};
pub use monitor::{Hook, Monitor, Notifications, Notify, TargetId, TargetUpdate, Uptime, Window};
pub use network::{AddressFamily, Network};
pub use probe::blocking::{BlockingProbe, blocking};
pub use probe::build::{
    Error, NetProbe, PeriodicRequest, ProbeBuilder, TlsTrust, Webhook, WebhookFormat, probe,
};
pub use probe::{Attempt, BlockingTask, Exit, Input, Output, Probe, Program, Transport};
pub use result::{
    DnsResponse, Failure, ParseError, Phases, PingStats, ProbeResult, ProbeWarning, ProbeWarnings, Reason,
    RoundTrip,
};
pub use snapshot::Snapshot;
pub use wire::http::response::Headers;
