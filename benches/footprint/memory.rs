//! Memory: resident, private, peak, and per target.

use std::thread;
use std::time::{Duration, Instant};

use super::listener::Listeners;
use super::peers::TempDir;
use super::process::{Memory, Process, is_glibc, pingstate};
use super::table::{Goal, Table};
use super::web_server::WebServer;

/// Results kept in the history of a target.
const HISTORY_LEN: usize = 20;

/// Probes of the https target before its memory is measured.
const HTTPS_PROBES: usize = 100;

const TIMEOUT: Duration = Duration::from_secs(60);

/// Limits in KiB, which depend on the C library.
struct Limits {
    idle: f64,
    https: f64,
}

pub(crate) fn measure(table: &mut Table) {
    let limits = match is_glibc() {
        true => Limits { idle: 1.6 * 1024.0, https: 2.2 * 1024.0 },
        false => Limits { idle: 800.0, https: 1.3 * 1024.0 },
    };
    let listeners = Listeners::open(10_000);
    let after_probing = |targets: usize, interval: &str| {
        let mut args = vec!["--interval".to_owned(), interval.to_owned()];
        args.extend(listeners.urls(targets));
        // One more than the history holds: the last check may be in flight.
        memory_after(|| listeners.count(), targets * (HISTORY_LEN + 1), &args)
    };
    let one = after_probing(1, "0.05");
    table.add("RSS, 1 TCP target", one.resident, "KiB", Goal::Max(limits.idle));
    table.add("private dirty, 1 TCP target", one.private, "KiB", Goal::Max(150.0));
    table.add("peak RSS, 1 TCP target", one.peak, "KiB", Goal::None);
    let https = https();
    table.add("RSS, 1 HTTPS target, 100 probes", https.resident, "KiB", Goal::Max(limits.https));
    table.add("private dirty, 1 HTTPS target, 100 probes", https.private, "KiB", Goal::None);
    table.add("peak RSS, 1 HTTPS target, 100 probes", https.peak, "KiB", Goal::None);
    for (targets, interval) in [(100, "0.1"), (1_000, "0.3"), (10_000, "1")] {
        let memory = after_probing(targets, interval);
        table.add(format!("RSS, {targets} TCP targets"), memory.resident, "KiB", Goal::None);
        table.add(format!("peak RSS, {targets} TCP targets"), memory.peak, "KiB", Goal::None);
        let per_target = (memory.private - one.private) / (targets - 1) as f64;
        let goal = if targets == 10_000 { Goal::Max(2.0) } else { Goal::None };
        table.add(format!("private dirty per target, {targets} TCP targets"), per_target, "KiB", goal);
    }
}

fn https() -> Memory {
    let temp_dir = TempDir::new();
    let server = WebServer::https(&temp_dir);
    let ca = server.ca.as_ref().expect("https server has a CA").display().to_string();
    let args = ["--interval", "0.02", "--ca-file", &ca, &server.urls(1)[0]].map(str::to_owned);
    memory_after(|| server.count(), HTTPS_PROBES, &args)
}

/// Memory of pingstate after `probes` probes. Does not use the API: a response that lists 10,000 targets
/// would need more memory than the targets.
fn memory_after(count: impl Fn() -> usize, probes: usize, args: &[String]) -> Memory {
    let (start, before) = (Instant::now(), count());
    let process = Process::spawn(&mut pingstate(args));
    while count() < before + probes {
        assert!(start.elapsed() < TIMEOUT, "{} of {probes} probes", count() - before);
        thread::sleep(Duration::from_millis(20));
    }
    process.memory()
}
