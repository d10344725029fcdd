//! A tiny uptime daemon, and the library it is made of.
//!
//! pingstate probes targets over TCP, HTTP and HTTPS, tracks each one's state with a small state
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
//! From there: [`Monitor`] checks again and again on a thread of its own, [`serve`] adds the API,
//! [`ProbeBuilder::check_response`] and [`ProbeBuilder::check_banner`] judge by closures, [`Probe`] and
//! [`Attempt`] make a probe of anything that speaks over TCP, [`blocking`] of anything that can only
//! block, and [`PingFsm`] is the state machine alone. The directory `examples` has a program for each.
//!
//! # What it refuses to do
//!
//! No threads but those that a program asks for ([`Monitor::start`], [`blocking`], [`Output::BlockingTask`]), no
//! async runtime, no locks, no `unsafe`. No proxy, no database, no configuration that has to be there.
//! Nothing that comes from the network can make it panic, wait for ever or grow.
//!
//! # Closures that misbehave
//!
//! Closures and probes of a program run on the loop that watches their target: that of its
//! [`MonitorHandle`], or that of the [`Server`] with everything else in it.
//!
//! - One that panics costs one failed check with the detail `the probe panicked: …`; other targets do
//!   not notice. In a program built with `panic = "abort"` there is nothing to catch: it ends.
//! - One that takes its time holds up its loop, and one that never returns stops it. What may block
//!   belongs into [`blocking`]: there the check times out and the others go on.
//!
//! # Features
//!
//! `tls` (default): https targets. Without it there is no TLS code and no root certificate in the
//! program, and an https probe is an [`Error::Protocol`].
//!
//! `cli` (default): the command `pingstate`. Libraries can do without it.
//!
//! # The house
//!
//! One thread, one event loop. Everything that can be wrong about a protocol lives in code that never
//! touches a socket or a clock, and everything that touches the operating system lives on one floor
//! that knows no protocol. An import only points to a lower floor; `tests/floors.rs` sees to it.
//!
//! ```text
//! 8  main, cli, library    the doors for people and for programs
//! 7  reactor               every socket, signal, process and both clocks: the only impure floor
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
mod probe;
mod reactor;
mod resolve;
mod result;
mod snapshot;
mod wire;

/// The README's programs, compiled with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The whole engine on a virtual clock, against a scripted world.
#[cfg(test)]
#[path = "../tests/sim/mod.rs"]
mod sim;

// The public interface is:
pub use check::{Banner, BannerVerdict, CheckVerdict, HttpResponse};
pub use clock::Now;
pub use fsm::{Check, Event, HISTORY, Policy, State};
pub use library::{
    CheckEvent, MonitorHandle, PingFsm, ResolverConfig, Server, ServerBuilder, ShutdownHandle, Warning,
    check, check_all, check_with, serve,
};
pub use monitor::{
    HOOK_TIMEOUT, Hook, INTERVAL, INTERVAL_MAX, INTERVAL_MIN, Monitor, RETRY_INTERVAL, TargetUpdate,
};
pub use probe::blocking::{BLOCKING_TIMEOUT, BlockingProbe, blocking};
pub use probe::build::{
    BODY_DEFAULT, BODY_MAX, Error, HTTP_TIMEOUT, NAME_MAX, NetProbe, ProbeBuilder, TCP_TIMEOUT, TIMEOUT_MAX,
    TlsTrust, Webhook, probe,
};
pub use probe::{Attempt, BlockingTask, Input, Output, Probe};
pub use result::{DETAIL_MAX, Failure, Phases, ProbeResult, Reason};
pub use snapshot::Snapshot;
pub use wire::http::response::Headers;
