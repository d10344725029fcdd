//! Processor time of a probe, whoever makes it.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::process::Process;

/// Rounds of what is compared.
pub(crate) const ROUNDS: usize = 3;

/// From the first beat of every target to the window: the lines about it are written.
const SETTLE: Duration = Duration::from_millis(500);

/// How long the first beat of every target may take.
const PATIENCE: Duration = Duration::from_secs(15);

const WINDOW: Duration = Duration::from_secs(4);

/// Microseconds of processor time that a prober of so many targets takes for a probe. `count` says how
/// many have been made so far.
pub(crate) fn cost(count: impl Fn() -> usize, targets: usize, command: &mut Command) -> f64 {
    let (start, before) = (Instant::now(), count());
    let mut process = Process::spawn(command);
    while count() < before + targets && start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(50));
    }
    thread::sleep(SETTLE);
    let (probes, cpu) = (count(), process.cpu());
    thread::sleep(WINDOW);
    let (probes, cpu) = (count() - probes, process.cpu() - cpu);
    assert!(process.is_running() && probes > 0, "{} does not probe", command.get_program().to_string_lossy());
    cpu * 1e6 / probes as f64
}
