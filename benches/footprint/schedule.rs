//! Schedule of 10,000 targets with an interval of 5 s, observed by their listeners: delay of each probe, and
//! distribution over the interval.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::floor;
use super::listener::Listeners;
use super::process::{Process, pingstate};
use super::table::{Goal, Table, quantile};

const TARGETS: usize = 10_000;
const INTERVAL: Duration = Duration::from_secs(5);

/// Probes of each target that are evaluated.
const BEATS: u32 = 3;

/// Period in which probes are counted.
const BUCKET: Duration = Duration::from_millis(100);

pub(crate) fn measure(table: &mut Table) {
    let listeners = Listeners::watch(TARGETS);
    let mut args = vec!["--interval".to_owned(), INTERVAL.as_secs().to_string()];
    args.extend(listeners.urls(TARGETS));
    // The baseline shows the scheduling delay of the machine itself.
    let ours = Figures::of(&listeners, pingstate(&args));
    let bare = Figures::of(&listeners, floor::tcp(listeners.port(), TARGETS, INTERVAL));
    for (what, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        let figure = format!("probe delay, {what} / baseline");
        table.beside(
            figure,
            &[(quantile(ours.late.clone(), share), quantile(bare.late.clone(), share))],
            "ms",
            Goal::None,
        );
    }
    for (what, share) in [("min", 0.0), ("median", 0.5), ("max", 1.0)] {
        let figure = format!("probes per 100 ms, {what} / baseline");
        table.beside(
            figure,
            &[(quantile(ours.loads.clone(), share), quantile(bare.loads.clone(), share))],
            "",
            Goal::None,
        );
    }
}

struct Figures {
    /// Of each probe, in milliseconds.
    late: Vec<f64>,
    /// Probes per bucket.
    loads: Vec<f64>,
}

impl Figures {
    fn of(listeners: &Listeners, mut command: Command) -> Figures {
        let mut process = Process::spawn(&mut command);
        // Skip the startup phase with the first checks.
        thread::sleep(INTERVAL + Duration::from_secs(1));
        let start = Instant::now();
        let end = start + INTERVAL * BEATS;
        thread::sleep(INTERVAL * BEATS);
        assert!(process.is_running());
        let mut arrivals = listeners.arrivals();
        arrivals.retain(|(at, _)| (start..end).contains(at));
        let mut loads = vec![0.0; ((end - start).as_millis() / BUCKET.as_millis()) as usize];
        for (at, _) in &arrivals {
            loads[((*at - start).as_millis() / BUCKET.as_millis()) as usize] += 1.0;
        }
        Figures { late: lateness(&arrivals), loads }
    }
}

/// Delay of each probe in milliseconds, relative to the earliest probe of the same target modulo the interval.
fn lateness(arrivals: &[(Instant, usize)]) -> Vec<f64> {
    let mut of_target = vec![Vec::new(); TARGETS];
    for (at, target) in arrivals {
        of_target[*target].push(*at);
    }
    let mut late = Vec::new();
    for times in of_target {
        let Some(first) = times.first() else { continue };
        let beats = |at: &Instant| ((*at - *first).as_secs_f64() / INTERVAL.as_secs_f64()).round();
        let offsets =
            times.iter().map(|at| (*at - *first).as_secs_f64() - beats(at) * INTERVAL.as_secs_f64());
        let offsets: Vec<f64> = offsets.collect();
        let earliest = offsets.iter().copied().fold(f64::INFINITY, f64::min);
        late.extend(offsets.iter().map(|offset| (offset - earliest) * 1e3));
    }
    late
}
