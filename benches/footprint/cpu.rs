//! CPU time per probe, of pingstate and of the programs it is compared with.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::process::Process;

pub(crate) const ROUNDS: usize = 3;

/// Delay from the first check of all targets to the measurement, during which the first states are logged.
const SETTLE: Duration = Duration::from_millis(500);

/// Limit for the first check of all targets.
const START_TIMEOUT: Duration = Duration::from_secs(15);

const WINDOW: Duration = Duration::from_secs(4);

/// CPU time per probe in microseconds, of a `command` that probes `targets` targets. `count` returns the
/// number of probes so far.
pub(crate) fn cpu_per_probe(count: impl Fn() -> usize, targets: usize, command: &mut Command) -> f64 {
    let (start, before) = (Instant::now(), count());
    let mut process = Process::spawn(command);
    while count() < before + targets && start.elapsed() < START_TIMEOUT {
        thread::sleep(Duration::from_millis(50));
    }
    thread::sleep(SETTLE);
    let (probes, cpu) = (count(), process.cpu());
    thread::sleep(WINDOW);
    let (probes, cpu) = (count() - probes, process.cpu() - cpu);
    assert!(
        process.is_running() && probes > 0,
        "{} sends no probes",
        command.get_program().to_string_lossy()
    );
    cpu * 1e6 / probes as f64
}
