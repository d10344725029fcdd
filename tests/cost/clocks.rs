//! Clock jumps: the wall clock, which decides about certificate validity, and the monotonic clock, as after
//! a suspend. Checks stay on schedule, and healthy targets stay up.
#![cfg(all(target_os = "linux", feature = "tls"))]

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::*;
use crate::hostile::tls;

/// Preloaded library that adds an offset, in seconds and read from a file, to a clock of the daemon.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
int clock_gettime(clockid_t id, struct timespec *ts) {
    int rc = syscall(SYS_clock_gettime, id, ts);
    const char *name = id == CLOCK_REALTIME ? "PINGSTATE_TEST_WALL" : id == CLOCK_MONOTONIC ? "PINGSTATE_TEST_MONO" : 0;
    if (rc == 0 && name) {
        FILE *file = fopen(getenv(name), "r");
        long shift = 0;
        if (file && fscanf(file, "%ld", &shift) == 1) ts->tv_sec += shift;
        if (file) fclose(file);
    }
    return rc;
}
"#;

struct Clocks(PathBuf);

impl Clocks {
    /// None if the offset cannot be applied.
    fn new(test: &str) -> Option<Clocks> {
        let dir = std::env::temp_dir().join(format!("pingstate-clocks-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("made");
        std::fs::write(dir.join("shim.c"), SHIM).expect("written");
        let clocks = Clocks(dir);
        let (source, library) = (clocks.0.join("shim.c"), clocks.0.join("shim.so"));
        let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(library).arg(source).output();
        if !built.is_ok_and(|output| output.status.success()) {
            crate::common::missing("cc");
            return None;
        }
        clocks.set("wall", 0);
        clocks.set("mono", 0);
        Some(clocks)
    }

    fn set(&self, clock: &str, shift_s: i64) {
        std::fs::write(self.0.join("next"), shift_s.to_string()).expect("written");
        std::fs::rename(self.0.join("next"), self.0.join(clock)).expect("moved");
    }

    fn daemon(&self, args: &[&str]) -> Daemon {
        let mut command = pingstate();
        command.args(["--api-port", "0"]).args(args).env("LD_PRELOAD", self.0.join("shim.so"));
        command.env("PINGSTATE_TEST_WALL", self.0.join("wall"));
        command.env("PINGSTATE_TEST_MONO", self.0.join("mono"));
        Daemon::spawn(command)
    }
}

impl Drop for Clocks {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn snapshot(daemon: &Daemon) -> serde_json::Value {
    serde_json::from_str(&daemon.get("/status").1).expect("JSON")
}

/// Whether the library intercepts this clock of the daemon.
fn is_shown(daemon: &Daemon) -> bool {
    let mapped = std::fs::read_to_string(format!("/proc/{}/maps", daemon.pid())).expect("linux");
    let shown = mapped.contains("shim.so");
    if !shown {
        crate::common::missing("LD_PRELOAD");
    }
    shown
}

/// The certificates are valid from 1975 to 4096.
#[test]
fn certificate_validity_follows_the_current_wall_clock() {
    let _alone = crate::common::alone();
    let Some(clocks) = Clocks::new("wall") else { return };
    let server = Server::start(tls::well);
    let pem = clocks.0.join("ca.pem");
    std::fs::write(&pem, tls::pem()).expect("written");
    let url = format!("https://localhost:{}/", server.address.port());
    let args = ["--interval", "0.1", "--ca-file", pem.to_str().expect("a path"), &url];
    let daemon = clocks.daemon(&args);
    if !is_shown(&daemon) {
        return;
    }
    daemon.wait_for_state("up");
    #[allow(clippy::disallowed_methods)] // The real clock.
    let real = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs() as i64;
    for shift_s in [3600, -3600, 0] {
        clocks.set("wall", shift_s);
        let shown = || snapshot(&daemon)["last_check_ts"].as_f64().expect("a time") - real as f64;
        eventually("the new time", || ((shown() - shift_s as f64).abs() < 60.0).then_some(()));
        let seen = snapshot(&daemon);
        assert_eq!((seen["state"].as_str(), seen["transitions"].as_u64()), (Some("up"), Some(1)), "{seen}");
    }
    for (shift_s, says) in [(5 - real, "not valid before"), (3000 * 31_556_952, "expired")] {
        clocks.set("wall", shift_s);
        daemon.wait_for_state("down");
        let detail = snapshot(&daemon)["last_detail"].as_str().expect("a detail").to_owned();
        println!("{shift_s}: {detail}");
        assert!(detail.contains(says), "{detail}");
        clocks.set("wall", 0);
        daemon.wait_for_state("up");
    }
}

/// A jump, as after a suspend, causes one check and no burst, and checks in flight do not fail.
#[test]
fn monotonic_clock_jump_causes_no_failure_and_no_burst() {
    let _alone = crate::common::alone();
    let Some(clocks) = Clocks::new("mono") else { return };
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let server = Server::start(move |stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        read_head(&stream);
        // Half of the time a check is in flight.
        #[allow(clippy::disallowed_methods)] // A slow server.
        std::thread::sleep(Duration::from_millis(250));
        let _ = std::io::Write::write_all(&mut &stream, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let daemon = clocks.daemon(&["--interval", "0.5", "--timeout", "1", &server.url("http")]);
    if !is_shown(&daemon) {
        return;
    }
    daemon.wait_for_state("up");
    for (round, shift_s) in (0..).zip([1, 3, 60, 3600, 90_000, 1_000_000, 1_000_001, 1_000_060]) {
        let seen = count.load(Ordering::SeqCst);
        eventually("a check", || (count.load(Ordering::SeqCst) > seen).then_some(()));
        if round % 2 == 0 {
            eventually("its end", || {
                (snapshot(&daemon)["last_check_age_s"].as_f64() < Some(0.1)).then_some(())
            });
        }
        clocks.set("mono", shift_s);
        let (before, start) = (count.load(Ordering::SeqCst), now());
        eventually("a moment", || (now() - start > Duration::from_millis(900)).then_some(()));
        let checks = count.load(Ordering::SeqCst) - before;
        println!("{shift_s} s: {checks} checks in 0.9 s");
        assert!(checks <= 3, "{checks} checks");
        let seen = snapshot(&daemon);
        assert_eq!((seen["state"].as_str(), seen["transitions"].as_u64()), (Some("up"), Some(1)), "{seen}");
    }
}
