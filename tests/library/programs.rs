//! The library from a program's view: which types are `Send`, and what monitors and servers do over real
//! sockets.

mod handles;
mod panics;
mod resolver_config;
mod servers;
mod settings;
mod udp;

use std::fmt::Debug;
use std::time::Duration;

use crate::common::{PATIENCE, now};
use pingstate::*;

const MS: Duration = Duration::from_millis(1);

/// A free loopback port for each server.
const ANY: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// A target that is up until it is dropped.
fn target() -> (crate::common::Server, ProbeBuilder) {
    let target = crate::common::Server::start(drop);
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
    fn is_send<T: Send + 'static>() {}
    fn is_sync<T: Send + Sync + 'static>() {}
    is_send::<Monitor>();
    is_send::<ServerBuilder>();
    is_send::<Server>();
    is_send::<TargetUpdate>();
    is_send::<Box<dyn Probe>>();
    is_send::<Box<dyn Attempt>>();
    is_send::<BlockingTask>();
    is_send::<Output>();
    is_sync::<MonitorHandle>();
    is_sync::<ProbeBuilder>();
    is_sync::<NetProbe>();
    is_sync::<BlockingProbe>();
    is_sync::<PingFsm>();
    is_sync::<Policy>();
    is_sync::<Snapshot>();
    is_sync::<ProbeResult>();
    is_sync::<ShutdownHandle>();
    is_sync::<ResolverConfig>();
    is_sync::<TlsTrust>();
    is_sync::<Hook>();
    is_sync::<Webhook>();
    is_sync::<Warning>();
    is_sync::<Error>();
    is_sync::<HttpResponse>();
    is_sync::<Input<'static>>();
    is_sync::<CheckEvent<'static>>();
}

#[test]
fn public_types_implement_debug() {
    fn is_debug<T: Debug>() {}
    is_debug::<(Banner, BannerVerdict, HttpResponse, CheckVerdict, Headers)>();
    is_debug::<(Now, Check, Event, Policy, State)>();
    is_debug::<(
        CheckEvent<'_>,
        MonitorHandle,
        ResolverConfig,
        PingFsm,
        Server,
        ServerBuilder,
        ShutdownHandle,
        TargetUpdate,
    )>();
    is_debug::<(Hook, Webhook, Warning)>();
    is_debug::<(Monitor, BlockingProbe, NetProbe, Error, ProbeBuilder, TlsTrust)>();
    is_debug::<(Input<'_>, Output, BlockingTask, Snapshot, Failure, ProbeResult, Reason)>();
    let secret = probe("http", "localhost", 80).header("Authorization", "Bearer 1234");
    assert!(!format!("{secret:?}").contains("1234"));
}
