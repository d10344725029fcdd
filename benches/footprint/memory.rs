//! Memory: resident, private, peak, and per target.

use std::thread;
use std::time::{Duration, Instant};

use super::listener::Listeners;
use super::peers::Workplace;
use super::process::{Memory, Process, is_glibc, pingstate};
use super::site::Site;
use super::table::{Goal, Table};

/// Results kept in the history of a target.
const HISTORY: usize = 20;

/// Probes of the https target before its memory is measured.
const HTTPS_PROBES: usize = 100;

const PATIENCE: Duration = Duration::from_secs(60);

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
    let watch = |targets: usize, interval: &str| {
        let mut args = vec!["--interval".to_owned(), interval.to_owned()];
        args.extend(listeners.urls(targets));
        // One more than the history holds: the last check may be in flight.
        after(|| listeners.count(), targets * (HISTORY + 1), &args)
    };
    let one = watch(1, "0.05");
    table.alone("RSS, 1 TCP target", one.resident, "KiB", Goal::Most(limits.idle));
    table.alone("private dirty, 1 TCP target", one.private, "KiB", Goal::Most(150.0));
    table.alone("peak RSS, 1 TCP target", one.peak, "KiB", Goal::None);
    let https = https();
    table.alone("RSS, 1 HTTPS target, 100 probes", https.resident, "KiB", Goal::Most(limits.https));
    table.alone("private dirty, 1 HTTPS target, 100 probes", https.private, "KiB", Goal::None);
    table.alone("peak RSS, 1 HTTPS target, 100 probes", https.peak, "KiB", Goal::None);
    for (targets, interval) in [(100, "0.1"), (1_000, "0.3"), (10_000, "1")] {
        let memory = watch(targets, interval);
        table.alone(format!("RSS, {targets} TCP targets"), memory.resident, "KiB", Goal::None);
        table.alone(format!("peak RSS, {targets} TCP targets"), memory.peak, "KiB", Goal::None);
        let each = (memory.private - one.private) / (targets - 1) as f64;
        let goal = if targets == 10_000 { Goal::Most(1.5) } else { Goal::None };
        table.alone(format!("private dirty per target, {targets} TCP targets"), each, "KiB", goal);
    }
}

fn https() -> Memory {
    let workplace = Workplace::new();
    let site = Site::https(&workplace);
    let ca = site.ca.as_ref().expect("signed").display().to_string();
    let args = ["--interval", "0.02", "--ca-file", &ca, &site.urls(1)[0]].map(str::to_owned);
    after(|| site.count(), HTTPS_PROBES, &args)
}

/// Memory of pingstate after `probes` probes. Does not use the API: a response that lists 10,000 targets
/// would need more memory than the targets.
fn after(count: impl Fn() -> usize, probes: usize, args: &[String]) -> Memory {
    let (start, before) = (Instant::now(), count());
    let process = Process::spawn(&mut pingstate(args));
    while count() < before + probes {
        assert!(start.elapsed() < PATIENCE, "{} of {probes} probes", count() - before);
        thread::sleep(Duration::from_millis(20));
    }
    process.memory()
}
