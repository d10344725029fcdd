//! CPU time per TCP probe with different numbers of targets.

use std::time::Duration;

use super::baseline;
use super::cpu::{ROUNDS, cpu_per_probe};
use super::listener::{Listeners, address};
use super::peers::{self, TempDir};
use super::process::{self, pingstate};
use super::table::{Goal, Table, median};

const SECOND: Duration = Duration::from_secs(1);

/// Limit of the ratio of CPU time per probe with 10,000 targets to that with 100 targets.
const GROWTH_MAX: f64 = 1.2;

pub(crate) fn measure(table: &mut Table) {
    let listeners = Listeners::open(10_000);
    let count = || listeners.count();
    let temp_dir = TempDir::new();
    let has_haproxy = peers::is_installed("haproxy", "-v");
    if !has_haproxy {
        table.note("HAProxy: skipped, not installed");
    }
    let mut costs = Vec::new();
    for targets in [100, 2_000, 10_000] {
        let (mut baseline_pairs, mut haproxy_pairs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let ours = cpu_per_probe(count, targets, &mut pingstate(&args(&listeners, targets)));
            baseline_pairs.push((
                ours,
                cpu_per_probe(count, targets, &mut baseline::tcp(listeners.port(), targets, SECOND)),
            ));
            if has_haproxy && targets > 100 {
                // HAProxy resets connections before they are accepted, so count them in the kernel. That
                // includes connections of other processes, to HAProxy's advantage.
                let servers = peers::haproxy_tcp(listeners.port(), targets);
                haproxy_pairs.push((
                    ours,
                    cpu_per_probe(process::active_opens, targets, &mut peers::haproxy(&temp_dir, &servers)),
                ));
            }
        }
        costs.push(median(baseline_pairs.iter().map(|pair| pair.0)));
        let goal = if targets > 100 { Goal::MaxRatio(1.25) } else { Goal::None };
        table.add_comparison(
            format!("CPU per TCP probe, {targets} targets / baseline"),
            &baseline_pairs,
            "µs",
            goal,
        );
        if !haproxy_pairs.is_empty() {
            let name = format!("CPU per TCP probe, {targets} targets / HAProxy");
            table.add_comparison(name, &haproxy_pairs, "µs", Goal::MaxRatio(1.0));
        }
    }
    let growth = [(costs[2], costs[0])];
    table.add_comparison(
        "CPU per TCP probe, 10000 targets / 100 targets",
        &growth,
        "µs",
        Goal::MaxRatio(GROWTH_MAX),
    );
    compare_with_python(table, &listeners);
}

fn args(listeners: &Listeners, targets: usize) -> Vec<String> {
    let mut args = vec!["--interval".to_owned(), "1".to_owned()];
    args.extend(listeners.urls(targets));
    args
}

/// The Python version checks one target per process, here 20 times per second.
fn compare_with_python(table: &mut Table, listeners: &Listeners) {
    let target = address(0, listeners.port()).to_string();
    let Some(mut python) = peers::python(&target, "0.05") else {
        return table.note("Python version: skipped, PINGSTATE_PYTHON is not set");
    };
    let count = || listeners.count();
    let args = ["--interval".to_owned(), "0.05".to_owned(), format!("tcp://{target}")];
    let pairs: Vec<_> = (0..ROUNDS)
        .map(|_| (cpu_per_probe(count, 1, &mut pingstate(&args)), cpu_per_probe(count, 1, &mut python)))
        .collect();
    table.add_comparison("CPU per TCP probe, 1 target / Python version", &pairs, "µs", Goal::MaxRatio(1.0));
}
