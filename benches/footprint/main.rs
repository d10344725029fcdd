//! Resource usage of pingstate, compared with minimal baselines and other programs: `cargo bench`.
//!
//! `cargo bench -- tcp http` runs only these benchmarks (all names: `PARTS`). `PINGSTATE_BINARY` selects
//! another binary than the one built by cargo. All traffic stays on loopback, and a full run takes less
//! than ten minutes. Comparisons with HAProxy, nginx, strace and the Python version are skipped, with a
//! note, if these are not installed.
//!
//! Programs that are compared run alternately, for a few seconds at a time, and each result is the median
//! of several rounds, so that other load on the machine affects both sides equally.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A benchmark that cannot run must fail.
#![allow(clippy::disallowed_methods)] // Benchmarks measure real time.
#![allow(missing_docs)]

mod api;
mod calls;
mod cost;
mod floor;
mod listener;
mod memory;
mod peers;
mod process;
mod schedule;
mod site;
mod start;
mod table;
mod tcp;
mod web;

use std::process::{Command, exit};
use std::time::Instant;

use table::Table;

/// Runs a benchmark and adds its results to the table.
type Part = fn(&mut Table);

/// In execution order.
const PARTS: &[(&str, Part)] = &[
    ("tcp", tcp::measure),
    ("http", web::measure_http),
    ("https", web::measure_https),
    ("api", api::measure),
    ("memory", memory::measure),
    ("start", start::measure),
    ("calls", calls::measure),
    ("schedule", schedule::measure),
];

/// Descriptor limit: enough for 10,000 listeners and their connections.
const DESCRIPTORS: usize = 16_384;

/// Environment variable set for the re-executed process, whose limit has been raised.
const RAISED: &str = "FOOTPRINT_DESCRIPTORS";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|first| first == floor::FLAG) {
        floor::run(&args[1..]);
        return;
    }
    if std::env::var_os(RAISED).is_none() {
        exit(with_descriptors(&args));
    }
    let wanted: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    if let Some(stranger) = wanted.iter().find(|name| PARTS.iter().all(|(part, _)| part != **name)) {
        let names: Vec<_> = PARTS.iter().map(|(name, _)| *name).collect();
        eprintln!("unknown benchmark {stranger} (known: {})", names.join(", "));
        exit(2);
    }
    let start = Instant::now();
    let mut table = Table::default();
    for (name, measure) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            eprintln!("{:>4} s  {name}", start.elapsed().as_secs());
            measure(&mut table);
        }
    }
    eprintln!("{:>4} s  done", start.elapsed().as_secs());
    println!("{}\n{table}", process::description());
}

/// Re-executes this program with a higher descriptor limit and returns its exit code.
fn with_descriptors(args: &[String]) -> i32 {
    let raise =
        format!("ulimit -n {DESCRIPTORS} 2>/dev/null || ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\"");
    let myself = std::env::current_exe().expect("a path");
    let status = Command::new("sh").arg("-c").arg(raise).arg(myself).args(args).env(RAISED, "1").status();
    status.expect("sh runs").code().unwrap_or(1)
}
