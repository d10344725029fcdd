//! A system that fails under the daemon: system calls that fail, a process stopped and continued, a wall
//! clock that jumps, no free descriptors. A local failure does not turn a target down.
#![cfg(target_os = "linux")]

use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::dns::NameServer;
use crate::common::fault::{Fault, has_strace};
use crate::common::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn nap(millis: u64) {
    #[allow(clippy::disallowed_methods)] // Another process gives no event to wait for.
    thread::sleep(Duration::from_millis(millis));
}

/// Calls that fail once in every few, so that each step of a check is hit in turn, but never twice within
/// the timeout of one check.
const FAULTS: &[&str] = &[
    "socket:error=EMFILE:when=1+5",
    "socket:error=ENFILE:when=2+5",
    "socket:error=ENOBUFS:when=3+5",
    "socket:error=ENOMEM:when=1+4",
    "connect:error=EINTR:when=1+5",
    "connect:error=EAGAIN:when=2+5",
    "connect:error=ENOBUFS:when=3+5",
    "accept4:error=EINTR:when=1+3",
    "accept4:error=EMFILE:when=1+3",
    "accept4:error=ENFILE:when=1+3",
    "accept4:error=ENOBUFS:when=2+3",
    "accept4:error=ENOMEM:when=2+3",
    "accept4:error=ECONNABORTED:when=1+3",
    "accept4:error=EPROTO:when=2+3",
    "epoll_wait:error=EINTR:when=1+3",
    "epoll_ctl:error=ENOMEM:when=1+5",
    "epoll_ctl:error=ENOSPC:when=2+5",
    "recvfrom:error=EINTR:when=1+5",
    "recvfrom:error=ENOMEM:when=2+7",
    "recvfrom:error=ENOBUFS:when=3+7",
    "sendto:error=EINTR:when=1+5",
    "sendto:error=EAGAIN:when=2+7",
    "sendto:error=ENOBUFS:when=3+7",
    "sendto:error=ENOMEM:when=1+7",
    "getsockopt:error=ENOBUFS:when=1+5",
    "getsockopt:error=ENOMEM:when=2+5",
    "getpeername:error=ENOBUFS:when=1+5",
    "getpeername:error=ENOTCONN:when=2+5",
    "read:error=EINTR:when=1+3",
    "write:error=EINTR:when=1+3",
    "statx:error=ENOENT:when=1+3",
    "openat:error=EMFILE:when=1+3",
    "bind:error=ENOBUFS:when=1+5",
    "setsockopt:error=ENOMEM:when=1+2",
    "setsockopt:error=ENOBUFS:when=1+3",
    "shutdown:error=ENOTCONN:when=1+2",
    "close:error=EINTR:when=1+3",
    "close:error=EIO:when=2+3",
    "getrandom:error=EAGAIN:when=1+3",
    "getrandom:error=ENOSYS:when=1+2",
    "epoll_wait:error=EINTR:when=2+2",
];

#[test]
fn failing_system_calls_turn_no_target_down() {
    let _alone = crate::common::alone();
    if !has_strace() {
        return;
    }
    let work = Mutex::new(FAULTS.to_vec());
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(fault) = { work.lock().expect("sound").pop() } {
                    if let Some(error) = run_with(fault) {
                        wrong.lock().expect("sound").push(format!("{fault}: {error}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("sound");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn run_with(fault: &str) -> Option<String> {
    let names = NameServer::with(&["127.0.0.1"], 0);
    let server = Server::answering(OK);
    let url = format!("http://db.example:{}/", server.address.port());
    let dns = names.address.to_string();
    let daemon = Daemon::start(&["--interval", "0.1", "--dns", &dns, "--dns", &dns, &url]);
    daemon.wait_for_state("up");
    let line = daemon.next_line();
    let injected = Fault::inject(&daemon, fault)?;
    let start = now();
    let mut unanswered = 0;
    while now() - start < Duration::from_millis(2000) {
        nap(40);
        unanswered += usize::from(ask(&daemon, "/state").is_none());
    }
    drop(injected);
    // The last fault may still be on its way to a client.
    let body = ask(&daemon, "/status").or_else(|| ask(&daemon, "/status")).unwrap_or_default();
    // strace may detach in the middle of a call that it has put aside: then the call does not exist.
    if body.is_empty() && daemon.next_line().ends_with("cannot continue: Function not implemented") {
        return run_with(fault);
    }
    let good = body.contains("\"transitions\": 1,") && body.contains("\"state\": \"up\"");
    println!("{fault}: {unanswered} requests unanswered, left up: {}", !good);
    // A client may be rejected for lack of descriptors or memory, but not repeatedly.
    if unanswered > if fault.starts_with("accept4") { 2 } else { 25 } {
        return Some(format!("{unanswered} requests unanswered"));
    }
    if !good {
        let details: Vec<_> = body.lines().filter(|line| line.contains("detail")).collect();
        return Some(format!("after {line}: {}", details.join("\n")));
    }
    None
}

/// The body of the response to one request, if its status is 200.
fn ask(daemon: &Daemon, path: &str) -> Option<String> {
    let answer = std::net::TcpStream::connect(daemon.api).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
        std::io::read_to_string(stream)
    });
    answer.ok().filter(|answer| answer.contains(" 200 "))
}

#[test]
fn stopped_and_continued_process_sees_no_failure_and_no_burst() {
    let _alone = crate::common::alone();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    // Half of the stops are in the middle of a check.
    let server = Server::start(move |mut stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        read_head(&stream);
        nap(300);
        let _ = stream.write_all(OK.as_bytes());
    });
    let daemon = Daemon::start(&["--interval", "0.6", "--timeout", "1", &server.url("http")]);
    daemon.wait_for_state("up");
    daemon.next_line();
    for round in 0..4 {
        let seen = count.load(Ordering::SeqCst);
        eventually("a check", || (count.load(Ordering::SeqCst) > seen).then_some(()));
        nap(if round % 2 == 0 { 100 } else { 450 });
        daemon.signal("-STOP");
        nap(2000);
        let before = count.load(Ordering::SeqCst);
        daemon.signal("-CONT");
        nap(550);
        let checks = count.load(Ordering::SeqCst) - before;
        println!("round {round}: {checks} checks in 0.55 s after SIGCONT");
        assert!(checks <= 2, "{checks} checks");
        assert_eq!(daemon.state(), "up");
    }
    assert!(daemon.no_line(), "no change of state");
    assert!(daemon.get("/status").1.contains("\"transitions\": 1,"));
}

#[test]
fn temporary_descriptor_exhaustion_is_no_failure() {
    let _alone = crate::common::alone();
    let server = Server::answering(OK);
    let daemon = Daemon::start(&["--interval", "0.1", "--timeout", "2", &server.url("http")]);
    daemon.wait_for_state("up");
    daemon.next_line();
    let pid = daemon.pid().to_string();
    let limit = |count: &str| {
        let limit = format!("--nofile={count}:");
        Command::new("prlimit").args(["--pid", &pid, &limit]).output().is_ok_and(|o| o.status.success())
    };
    if !limit("1024") {
        crate::common::missing("prlimit");
        return;
    }
    for _ in 0..3 {
        assert!(limit("4"));
        nap(800);
        assert!(limit("1024"));
        nap(300);
        assert_eq!(daemon.state(), "up");
    }
    assert!(daemon.no_line(), "no change of state");
    // A fault longer than the timeout is a failure like any other, and the target recovers.
    assert!(limit("4"));
    let line = daemon.next_line();
    assert!(line.contains("no socket for") && line.contains("too many open files"), "{line}");
    assert!(limit("1024"));
    daemon.wait_for_state("up");
}

/// `accept` fails for lack of a descriptor although no client waits: the client that has just got the
/// last descriptor must not be closed.
#[test]
fn the_client_with_the_last_descriptor_is_answered() {
    let _alone = crate::common::alone();
    let server = Server::answering(OK);
    let daemon = Daemon::start(&["--interval", "600", &server.url("http")]);
    daemon.wait_for_state("up");
    eventually("no connection", || {
        let count = daemon.descriptors();
        nap(20);
        (daemon.descriptors() == count).then_some(())
    });
    let last = (0..1024)
        .find(|number| std::fs::symlink_metadata(format!("/proc/{}/fd/{number}", daemon.pid())).is_err());
    let (pid, limit) = (daemon.pid().to_string(), format!("--nofile={}:", last.expect("a free one") + 1));
    if !Command::new("prlimit").args(["--pid", &pid, &limit]).output().is_ok_and(|o| o.status.success()) {
        crate::common::missing("prlimit");
        return;
    }
    for _ in 0..5 {
        assert_eq!(daemon.state(), "up");
    }
}

/// Preloaded library that adds an offset, in seconds and read from a file, to the daemon's wall clock.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
int clock_gettime(clockid_t id, struct timespec *ts) {
    int rc = syscall(SYS_clock_gettime, id, ts);
    if (rc == 0 && id == CLOCK_REALTIME) {
        FILE *file = fopen(getenv("PINGSTATE_TEST_SHIFT"), "r");
        long shift = 0;
        if (file && fscanf(file, "%ld", &shift) == 1) ts->tv_sec += shift;
        if (file) fclose(file);
    }
    return rc;
}
"#;

#[test]
fn wall_clock_jump_changes_only_timestamps() {
    let _alone = crate::common::alone();
    let dir = std::env::temp_dir().join(format!("pingstate-systems-{}-clock", std::process::id()));
    std::fs::create_dir_all(&dir).expect("made");
    let (source, library, shift) = (dir.join("shim.c"), dir.join("shim.so"), dir.join("shift"));
    std::fs::write(&source, SHIM).expect("written");
    std::fs::write(&shift, "0").expect("written");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).output();
    if !built.is_ok_and(|output| output.status.success()) {
        crate::common::missing("cc");
        return;
    }
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let server = Server::start(move |mut stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        read_head(&stream);
        let _ = stream.write_all(OK.as_bytes());
    });
    let mut command = pingstate();
    command.args(["--api-port", "0", "--interval", "0.1", &server.url("http")]);
    command.env("LD_PRELOAD", &library).env("PINGSTATE_TEST_SHIFT", &shift);
    let daemon = Daemon::spawn(command);
    daemon.wait_for_state("up");
    let snapshot = || -> serde_json::Value { serde_json::from_str(&daemon.get("/status").1).expect("JSON") };
    #[allow(clippy::disallowed_methods)] // The real clock.
    let real = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs() as i64;
    for jump in [3600, -3600, 5 - real, 0] {
        std::fs::write(dir.join("next"), jump.to_string()).expect("written");
        std::fs::rename(dir.join("next"), &shift).expect("moved");
        nap(150);
        let (before, start) = (count.load(Ordering::SeqCst), now());
        nap(1000);
        let due = (now() - start).as_millis() as usize / 100;
        let checks = count.load(Ordering::SeqCst) - before;
        let seen = snapshot();
        let shown = seen["last_check_ts"].as_f64().expect("a time") - real as f64;
        if jump == 3600 && shown < 3000.0 {
            crate::common::missing("LD_PRELOAD");
            break;
        }
        println!("{jump}: {checks} of {due} checks, {seen}");
        assert!((shown - jump as f64).abs() < 30.0, "{shown}");
        assert!(checks.abs_diff(due) <= 3, "{checks} of {due}");
        assert_eq!((seen["state"].as_str(), seen["transitions"].as_u64()), (Some("up"), Some(1)));
        let (age, uptime) = (&seen["last_check_age_s"], &seen["uptime_in_state_s"]);
        assert!(age.as_f64().is_some_and(|age| (0.0..1.0).contains(&age)), "{age}");
        assert!(uptime.as_f64().is_some_and(|uptime| (0.0..30.0).contains(&uptime)), "{uptime}");
    }
    let _ = std::fs::remove_dir_all(&dir);
}
