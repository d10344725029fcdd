//! Resource usage of pingstate, compared with minimal baselines and other programs: `cargo bench`.
//!
//! `cargo bench -- tcp http` runs only these benchmarks (all names: `BENCHMARKS`). `PINGSTATE_BINARY` selects
//! another binary than the one built by cargo. All traffic stays on loopback, and a full run takes less
//! than ten minutes. Comparisons with HAProxy, nginx, strace and the Python version are skipped, with a
//! note, if these are not installed.
//!
//! Programs that are compared run alternately, for a few seconds at a time, and each result is the median
//! of several rounds, so that other load on the machine affects both sides equally.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A benchmark that cannot run must fail.
#![allow(clippy::disallowed_methods)] // Benchmarks measure real time.
#![allow(clippy::disallowed_types)] // The servers and clients of the benchmarks block.
#![allow(missing_docs)]

mod api;
mod baseline;
mod cpu;
mod http;
mod listener;
mod memory;
mod peers;
mod process;
mod schedule;
mod startup;
mod syscalls;
mod table;
mod tcp;
mod web_server;

use std::process::{Command, exit};
use std::time::Instant;

use table::Table;

/// Runs a benchmark and adds its results to the table.
type Benchmark = fn(&mut Table);

/// In execution order.
const BENCHMARKS: &[(&str, Benchmark)] = &[
    ("tcp", tcp::measure),
    ("http", http::measure_http),
    ("https", http::measure_https),
    ("api", api::measure),
    ("memory", memory::measure),
    ("startup", startup::measure),
    ("syscalls", syscalls::measure),
    ("schedule", schedule::measure),
];

/// Descriptor limit: enough for 10,000 listeners and their connections.
const DESCRIPTOR_LIMIT: usize = 16_384;

/// Environment variable set for the re-executed process, whose limit has been raised.
const LIMIT_RAISED: &str = "FOOTPRINT_LIMIT_RAISED";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|first| first == baseline::FLAG) {
        baseline::run(&args[1..]);
        return;
    }
    if std::env::var_os(LIMIT_RAISED).is_none() {
        exit(reexec_with_descriptors(&args));
    }
    let selected: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    if let Some(unknown) = selected.iter().find(|name| BENCHMARKS.iter().all(|(known, _)| known != **name)) {
        let names: Vec<_> = BENCHMARKS.iter().map(|(name, _)| *name).collect();
        eprintln!("unknown benchmark {unknown} (known: {})", names.join(", "));
        exit(2);
    }
    let start = Instant::now();
    let mut table = Table::default();
    for (name, measure) in BENCHMARKS {
        if selected.is_empty() || selected.iter().any(|selected| selected == name) {
            eprintln!("{:>4} s  {name}", start.elapsed().as_secs());
            measure(&mut table);
        }
    }
    eprintln!("{:>4} s  done", start.elapsed().as_secs());
    println!("{}\n{table}", process::description());
}

/// Re-executes this program with a higher descriptor limit and returns its exit code.
fn reexec_with_descriptors(args: &[String]) -> i32 {
    let raise = format!(
        "ulimit -n {DESCRIPTOR_LIMIT} 2>/dev/null || ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\""
    );
    let this_program = std::env::current_exe().expect("path of this program");
    let status =
        Command::new("sh").arg("-c").arg(raise).arg(this_program).args(args).env(LIMIT_RAISED, "1").status();
    status.expect("run sh").code().unwrap_or(1)
}
