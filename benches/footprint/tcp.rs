//! CPU time per TCP probe with different numbers of targets.

use std::time::Duration;

use super::cost::{ROUNDS, cost};
use super::floor;
use super::listener::{Listeners, address};
use super::peers::{self, Workplace};
use super::process::{self, pingstate};
use super::table::{Goal, Table, median};

const SECOND: Duration = Duration::from_secs(1);

/// Limit of the ratio of CPU time per probe with 10,000 targets to that with 100 targets.
const GROWTH_MOST: f64 = 1.2;

pub(crate) fn measure(table: &mut Table) {
    let listeners = Listeners::open(10_000);
    let count = || listeners.count();
    let workplace = Workplace::new();
    let has_haproxy = peers::is_installed("haproxy", "-v");
    if !has_haproxy {
        table.note("HAProxy: skipped, not installed");
    }
    let mut costs = Vec::new();
    for targets in [100, 2_000, 10_000] {
        let (mut bare, mut peer) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let ours = cost(count, targets, &mut pingstate(&arguments(&listeners, targets)));
            bare.push((ours, cost(count, targets, &mut floor::tcp(listeners.port(), targets, SECOND))));
            if has_haproxy && targets > 100 {
                // HAProxy resets connections before they are accepted, so count them in the kernel. That
                // includes connections of other processes, to HAProxy's advantage.
                let servers = peers::haproxy_tcp(listeners.port(), targets);
                peer.push((
                    ours,
                    cost(process::active_opens, targets, &mut peers::haproxy(&workplace, &servers)),
                ));
            }
        }
        costs.push(median(bare.iter().map(|pair| pair.0)));
        let goal = if targets > 100 { Goal::RatioMost(1.25) } else { Goal::None };
        table.beside(format!("CPU per TCP probe, {targets} targets / baseline"), &bare, "µs", goal);
        if !peer.is_empty() {
            let figure = format!("CPU per TCP probe, {targets} targets / HAProxy");
            table.beside(figure, &peer, "µs", Goal::RatioMost(1.0));
        }
    }
    let growth = [(costs[2], costs[0])];
    table.beside(
        "CPU per TCP probe, 10000 targets / 100 targets",
        &growth,
        "µs",
        Goal::RatioMost(GROWTH_MOST),
    );
    beside_the_original(table, &listeners);
}

fn arguments(listeners: &Listeners, targets: usize) -> Vec<String> {
    let mut args = vec!["--interval".to_owned(), "1".to_owned()];
    args.extend(listeners.urls(targets));
    args
}

/// The Python version checks one target per process, here 20 times per second.
fn beside_the_original(table: &mut Table, listeners: &Listeners) {
    let target = address(0, listeners.port()).to_string();
    let Some(mut original) = peers::python(&target, "0.05") else {
        return table.note("Python version: skipped, PINGSTATE_PYTHON is not set");
    };
    let count = || listeners.count();
    let args = ["--interval".to_owned(), "0.05".to_owned(), format!("tcp://{target}")];
    let pairs: Vec<_> =
        (0..ROUNDS).map(|_| (cost(count, 1, &mut pingstate(&args)), cost(count, 1, &mut original))).collect();
    table.beside("CPU per TCP probe, 1 target / Python version", &pairs, "µs", Goal::RatioMost(1.0));
}
