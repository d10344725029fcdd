//! The simulated daemon: the whole engine on a virtual clock, against a scripted world.
//!
//! One seed decides what the targets, name servers, programs, jobs and API clients do, how the network carries
//! it and how the loop runs. After every step the engine is held against the laws of the house, against a
//! model of what its targets' states must be, and against what the world knows to be the truth about
//! each check.
//!
//! `SEED=7 cargo test --lib sim -- --nocapture` plays one run again and tells every step of it;
//! `SEEDS=100000` plays so many, `FROM=5000` from that one on.

// A violated invariant is a panic.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod answers;
mod chaos;
mod checks;
mod client;
mod counters;
mod dependencies;
mod dns;
mod event_log;
mod follow;
mod guests;
mod history;
mod hooks;
mod jobs;
mod kinds;
mod local;
mod model;
mod names;
mod net;
mod pauses;
mod peers;
mod pings;
mod plan;
mod programs;
mod queue;
mod receivers;
mod recording_probe;
mod records;
mod reload;
mod requests;
#[cfg(test)]
mod restarts;
mod rng;
mod schedule;
mod site;
mod webhooks;
mod world;

#[cfg(test)]
use std::hash::Hasher;
#[cfg(test)]
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

#[cfg(test)]
use counters::Counters;
use rng::Bytes;
use world::World;

#[cfg(test)]
/// How many runs there are unless told otherwise.
const SEEDS: u64 = 2000;

#[cfg(test)]
/// What must have happened at least so often in those: about a third of what did when this was written.
const FLOORS: &[(&str, u64)] = &[
    ("accept: failed", 400),
    ("accept: paused and resumed", 300),
    ("caps: steps with a check that waits", 25_000),
    ("caps: steps with a client's inbox half full", 1400),
    ("caps: steps with a part of an answer over TCP", 900),
    ("caps: steps with all queries in flight", 450),
    ("clients: 408", 70),
    ("clients: answers", 4000),
    ("clients: evicted", 600),
    ("clients: vanished", 100),
    ("clock: stepped", 1000),
    ("dependencies: held after a wait", 80),
    ("dependencies: held at once", 120),
    ("dependencies: not held", 80),
    ("dependencies: not held after a wait", 190),
    ("dependencies: parents checked", 270),
    ("dependencies: parents checked for several", 2),
    ("dns: a dead server is asked", 2000),
    ("dns: an alias without addresses", 90),
    ("dns: asked over TCP", 500),
    ("dns: mischief", 1000),
    ("dns: more over TCP than anybody wants", 5),
    ("dns: strays before the answer", 700),
    ("dns: the files change", 300),
    ("heartbeats: failures", 300),
    ("heartbeats: in a pause", 30),
    ("heartbeats: missed", 100),
    ("heartbeats: of a target that is gone", 50),
    ("heartbeats: received", 290),
    ("hooks: ended", 480),
    ("hooks: hang", 140),
    ("hooks: killed", 200),
    ("hooks: not started", 60),
    ("http: redirected", 2500),
    ("icmp: duplicates", 600),
    ("icmp: errors", 70),
    ("icmp: errors before replies", 130),
    ("icmp: forged replies and errors", 580),
    ("icmp: late", 75),
    ("icmp: lost", 180),
    ("icmp: the socket fails", 60),
    ("interval: after the first check", 2500),
    ("interval: another one after the first check", 210),
    ("interval: before the first scheduled time", 55),
    ("interval: while down", 180),
    ("interval: while in doubt", 130),
    ("local: no socket for a query", 300),
    ("local: no socket for a target", 4000),
    ("loop: stalls", 500),
    ("manager: status", 780),
    ("pauses: before a further attempt", 30),
    ("pauses: begun", 700),
    ("pauses: ended", 200),
    ("pauses: of a target that is replaced", 70),
    ("pauses: resumed", 130),
    ("pauses: with a check in flight", 170),
    ("peers: no socket", 1200),
    ("peers: not writable", 360),
    ("posts: answered with an error", 90),
    ("posts: delivered", 270),
    ("posts: not answered", 210),
    ("posts: refused", 90),
    ("programs: all slots are taken", 2),
    ("programs: ended after their checks", 160),
    ("programs: killed", 180),
    ("programs: never end", 80),
    ("programs: not started", 20),
    ("programs: still run at the next check", 190),
    ("records: EDNS is rejected", 270),
    ("records: a lost datagram", 570),
    ("records: a response code", 280),
    ("records: another answer", 600),
    ("records: messages that do not match", 290),
    ("records: the second datagram is answered", 420),
    ("records: truncated", 190),
    ("reload: a parent is gone", 120),
    ("reload: a parent is gone while it is awaited", 5),
    ("reload: back while a hook runs", 8),
    ("reload: dropped before it was tried again", 60),
    ("reload: dropped with a connection", 180),
    ("reload: dropped while a hook runs", 35),
    ("reload: dropped with a lookup in flight", 230),
    ("reload: dropped with a post in flight", 100),
    ("reload: kept", 1900),
    ("reload: kept with a check in flight", 550),
    ("reload: a hook waits", 20),
    ("reload: refused", 200),
    ("reload: started", 1200),
    ("reload: the same name with other settings", 500),
    ("reload: with outputs in flight", 190),
    ("result: banner", 60),
    ("result: body", 6),
    ("result: connect_timeout", 300),
    ("result: dns_answer", 30),
    ("result: dns_failed", 130),
    ("result: dns_no_answer", 80),
    ("result: dns_not_found", 1500),
    ("result: dns_rcode", 50),
    ("result: dns_timeout", 210),
    ("result: exec", 420),
    ("result: heartbeat_fail", 300),
    ("result: http_protocol", 110),
    ("result: http_timeout", 95),
    ("result: local", 150),
    ("result: no_heartbeat", 100),
    ("result: no_reply", 45),
    ("result: redirect", 65),
    ("result: refused", 250),
    ("result: reset", 110),
    ("result: status", 55),
    ("result: ttl_exceeded", 35),
    ("result: unreachable", 250),
    ("slow: begins", 500),
    ("slow: ends", 200),
    ("slow: goes on", 1000),
    ("stale: late news of a connection that is gone", 3000),
    ("streams: came back too late", 8),
    ("streams: changes told", 900),
    ("streams: checks told", 2500),
    ("streams: closed unread", 30),
    ("streams: come back", 160),
    ("streams: ended their side", 30),
    ("streams: evicted", 8),
    ("streams: kept alive", 90),
    ("streams: left", 25),
    ("streams: no room", 40),
    ("streams: of changes", 120),
    ("streams: of checks", 130),
    ("streams: overrun", 2),
    ("streams: talked too much", 5),
    ("tries: outside the schedule", 500),
    ("tries: to be repeated", 1300),
    ("truth: broken, and said to be", 4000),
    ("truth: healthy, and said to be", 6000),
    ("up: by DNS", 2000),
    ("up: by DNS over TCP", 300),
    ("up: by a half-open connection", 1100),
    ("up: by a heartbeat", 290),
    ("up: by a literal address", 1000),
    ("up: by a program", 850),
    ("up: by an alias", 400),
    ("up: by multicast DNS", 500),
    ("up: by records", 700),
    ("up: by replies to pings", 1200),
    ("up: by the hosts file", 230),
    ("up: by the search list", 360),
    ("up: localhost", 600),
    ("waits: answered at once", 140),
    ("waits: begun", 170),
    ("waits: for nobody any more", 8),
    ("waits: given up", 70),
    ("waits: reached", 18),
];

/// One run whose choices are these bytes.
pub(crate) fn run_with(data: &[u8]) {
    World::new(0, Some(&Bytes::new(data))).run();
}

#[cfg(test)]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[cfg(test)]
/// Plays one run; gives its fingerprint.
fn play(seed: u64, counters: &mut Counters) -> u64 {
    let mut world = World::new(seed, None);
    world.loud = number("SEED").is_some();
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
    counters.merge(&world.counters);
    if let Err(panic) = outcome {
        println!(
            "at {} ms of seed {seed}; to play it again: SEED={seed} cargo test --lib sim -- --nocapture",
            world.at / 1_000_000
        );
        resume_unwind(panic);
    }
    world.hasher.finish()
}

#[test]
fn the_whole_daemon_keeps_its_laws() {
    let mut counters = Counters::default();
    if let Some(seed) = number("SEED") {
        play(seed, &mut counters);
        return counters.print();
    }
    let seeds = number("SEEDS").unwrap_or(SEEDS);
    let from = number("FROM").unwrap_or(0);
    for seed in from..from + seeds {
        play(seed, &mut counters);
    }
    counters.print();
    for (what, floor) in FLOORS {
        assert!(
            seeds < SEEDS || counters.of(what) >= *floor,
            "a lazy world: {what} {} times",
            counters.of(what)
        );
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let mut counters = Counters::default();
    for seed in 0..50 {
        let first = play(seed, &mut counters);
        assert_eq!(first, play(seed, &mut counters), "seed {seed}");
    }
}
