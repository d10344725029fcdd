//! Schedule of 10,000 targets with an interval of 5 s, observed by their listeners: delay of each probe, and
//! distribution over the interval.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::baseline;
use super::listener::Listeners;
use super::process::{Process, pingstate};
use super::table::{Goal, Table, quantile};

const TARGETS: usize = 10_000;
const INTERVAL: Duration = Duration::from_secs(5);

/// Probes of each target that are evaluated.
const CHECKS: u32 = 3;

/// Period in which probes are counted.
const BUCKET: Duration = Duration::from_millis(100);

pub(crate) fn measure(table: &mut Table) {
    let listeners = Listeners::open_recording(TARGETS);
    let mut args = vec!["--interval".to_owned(), INTERVAL.as_secs().to_string()];
    args.extend(listeners.urls(TARGETS));
    // The baseline shows the scheduling delay of the machine itself.
    let ours = Observation::new(&listeners, pingstate(&args));
    let baseline = Observation::new(&listeners, baseline::tcp(listeners.port(), TARGETS, INTERVAL));
    for (label, q) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        let name = format!("probe delay, {label} / baseline");
        table.add_comparison(
            name,
            &[(quantile(ours.delays.clone(), q), quantile(baseline.delays.clone(), q))],
            "ms",
            Goal::None,
        );
    }
    for (label, q) in [("min", 0.0), ("median", 0.5), ("max", 1.0)] {
        let name = format!("probes per 100 ms, {label} / baseline");
        table.add_comparison(
            name,
            &[(quantile(ours.loads.clone(), q), quantile(baseline.loads.clone(), q))],
            "",
            Goal::None,
        );
    }
}

struct Observation {
    /// Of each probe, in milliseconds.
    delays: Vec<f64>,
    /// Probes per bucket.
    loads: Vec<f64>,
}

impl Observation {
    fn new(listeners: &Listeners, mut command: Command) -> Observation {
        let mut process = Process::spawn(&mut command);
        // Skip the startup phase with the first checks.
        thread::sleep(INTERVAL + Duration::from_secs(1));
        let start = Instant::now();
        let end = start + INTERVAL * CHECKS;
        thread::sleep(INTERVAL * CHECKS);
        assert!(process.is_running());
        let mut arrivals = listeners.arrivals();
        arrivals.retain(|(at, _)| (start..end).contains(at));
        let mut loads = vec![0.0; ((end - start).as_millis() / BUCKET.as_millis()) as usize];
        for (at, _) in &arrivals {
            loads[((*at - start).as_millis() / BUCKET.as_millis()) as usize] += 1.0;
        }
        Observation { delays: delays(&arrivals), loads }
    }
}

/// Delay of each probe in milliseconds, relative to the earliest probe of the same target modulo the interval.
fn delays(arrivals: &[(Instant, usize)]) -> Vec<f64> {
    let mut by_target = vec![Vec::new(); TARGETS];
    for (at, target) in arrivals {
        by_target[*target].push(*at);
    }
    let mut delays = Vec::new();
    for times in by_target {
        let Some(first) = times.first() else { continue };
        let interval_number = |at: &Instant| ((*at - *first).as_secs_f64() / INTERVAL.as_secs_f64()).round();
        let offsets = times
            .iter()
            .map(|at| (*at - *first).as_secs_f64() - interval_number(at) * INTERVAL.as_secs_f64());
        let offsets: Vec<f64> = offsets.collect();
        let earliest = offsets.iter().copied().fold(f64::INFINITY, f64::min);
        delays.extend(offsets.iter().map(|offset| (offset - earliest) * 1e3));
    }
    delays
}
