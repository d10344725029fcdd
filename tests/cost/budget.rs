//! Budget of system calls of a TCP probe, counted by strace if it is available.
#![cfg(target_os = "linux")]

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::*;

/// Over loopback: socket, connect, getpeername, getsockname, close, and an epoll_wait until the next probe is
/// due.
const CALLS_MAX: usize = 6;

/// Number of counted probes.
const PROBES: usize = 100;

#[test]
fn tcp_probe_stays_within_its_system_call_budget() {
    let _alone = crate::common::alone();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let server = Server::start(move |mut stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        let _ = stream.read(&mut [0]);
    });
    let daemon = Daemon::start(&["--interval", "0.01", &server.url("tcp")]);
    daemon.wait_for_state("up");
    let report = std::env::temp_dir().join(format!("pingstate-budget-{}-calls", std::process::id()));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-U", "calls,name", "-p", &daemon.pid().to_string(), "-o"]).arg(&report);
    let Ok(mut strace) = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    else {
        return crate::common::missing("strace");
    };
    // strace exits at once if it may not trace.
    let traced = || match strace.try_wait().expect("waits") {
        Some(_) => Some(false),
        None => (daemon.figure("TracerPid") > 0).then_some(true),
    };
    if !eventually("strace", traced) {
        return crate::common::missing("strace");
    }
    let before = count.load(Ordering::SeqCst);
    eventually("probes", || (count.load(Ordering::SeqCst) >= before + PROBES).then_some(()));
    let killed = Command::new("kill").args(["-INT", &strace.id().to_string()]).status();
    assert!(killed.expect("kill runs").success());
    strace.wait().expect("ends");
    let text = std::fs::read_to_string(&report).expect("a report");
    let _ = std::fs::remove_file(&report);
    let calls = |name: &str| -> usize {
        let line = text.lines().find(|line| line.ends_with(&format!(" {name}")));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    // In a debug build the standard library validates each descriptor when it closes it.
    let (probes, calls) = (calls("connect"), calls("total") - calls("fcntl"));
    println!("{calls} calls for {probes} probes");
    assert!(probes >= PROBES, "{text}");
    // The first and the last probe may be counted in part.
    assert!(calls <= CALLS_MAX * (probes + 1), "{calls} calls for {probes} probes:\n{text}");
}
