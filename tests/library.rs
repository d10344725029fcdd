//! The library from a program's view: which types are `Send`, and what monitors and servers do over real
//! sockets.
#![allow(clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod common;
#[path = "library/handles.rs"]
mod handles;
#[path = "library/panics.rs"]
mod panics;
#[path = "library/resolver_config.rs"]
mod resolver_config;
#[path = "library/servers.rs"]
mod servers;
#[path = "library/settings.rs"]
mod settings;

use std::fmt::Debug;
use std::time::Duration;

use common::{PATIENCE, now};
use pingstate::*;

const MS: Duration = Duration::from_millis(1);

/// A free loopback port for each server.
const ANY: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// A target that is up until it is dropped.
fn target() -> (common::Server, ProbeBuilder) {
    let target = common::Server::start(drop);
    let port = target.address.port();
    (target, probe("tcp", "127.0.0.1", port))
}

fn built(builder: ProbeBuilder) -> NetProbe {
    builder.build().expect("a probe")
}

/// Polls the loop until this condition is true.
fn turn_until(server: &mut Server, what: &str, done: impl Fn(&Server) -> bool) {
    let start = now();
    while !done(server) {
        assert!(now() - start < PATIENCE, "waited too long for: {what}");
        assert!(server.turn(50 * MS).expect("turns"), "stopped before: {what}");
    }
}

fn id(server: &Server, index: usize) -> TargetId {
    server.targets().nth(index).expect("a target")
}

fn snapshot(server: &Server, index: usize) -> Snapshot {
    server.snapshot(id(server, index)).expect("a target")
}

fn details(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.recent.iter().map(|check| &*check.detail).collect()
}

#[test]
fn public_types_are_send() {
    fn sent<T: Send + 'static>() {}
    fn shared<T: Send + Sync + 'static>() {}
    sent::<Monitor>();
    sent::<ServerBuilder>();
    sent::<Server>();
    sent::<TargetUpdate>();
    sent::<Box<dyn Probe>>();
    sent::<Box<dyn Attempt>>();
    sent::<BlockingTask>();
    sent::<Output>();
    shared::<MonitorHandle>();
    shared::<ProbeBuilder>();
    shared::<NetProbe>();
    shared::<BlockingProbe>();
    shared::<PingFsm>();
    shared::<Policy>();
    shared::<Snapshot>();
    shared::<ProbeResult>();
    shared::<ShutdownHandle>();
    shared::<ResolverConfig>();
    shared::<TlsTrust>();
    shared::<Hook>();
    shared::<Webhook>();
    shared::<Warning>();
    shared::<Error>();
    shared::<HttpResponse>();
    shared::<Input<'static>>();
    shared::<CheckEvent<'static>>();
}

#[test]
fn public_types_implement_debug() {
    fn shown<T: Debug>() {}
    shown::<(Banner, BannerVerdict, HttpResponse, CheckVerdict, Headers)>();
    shown::<(Now, Check, Event, Policy, State)>();
    shown::<(
        CheckEvent<'_>,
        MonitorHandle,
        ResolverConfig,
        PingFsm,
        Server,
        ServerBuilder,
        ShutdownHandle,
        TargetUpdate,
    )>();
    shown::<(Hook, Webhook, Warning)>();
    shown::<(Monitor, BlockingProbe, NetProbe, Error, ProbeBuilder, TlsTrust)>();
    shown::<(Input<'_>, Output, BlockingTask, Snapshot, Failure, ProbeResult, Reason)>();
    let secret = probe("http", "localhost", 80).header("Authorization", "Bearer 1234");
    assert!(!format!("{secret:?}").contains("1234"));
}
