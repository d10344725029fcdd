//! What pingstate costs, each figure next to a floor or a peer measured in the same run: `cargo bench`.
//!
//! `cargo bench -- tcp http` runs these parts only; their names are in `PARTS`. `PINGSTATE_BINARY` names
//! another build of pingstate than cargo's. All traffic stays on loopback, and the whole run takes less
//! than ten minutes. HAProxy, nginx, strace and the Python original are peers where they are installed
//! and are left out with a line where they are not.
//!
//! What is compared takes turns, round after round, in windows of a few seconds, and a figure is the
//! median of its rounds: a machine that has other things to do bends both sides alike.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // What cannot be measured says why.
#![allow(clippy::disallowed_methods)] // Benchmarks live in real time.
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

/// Measures, and adds its figures.
type Part = fn(&mut Table);

/// The parts by name, in the order in which they run.
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

/// Descriptors for ten thousand listeners and what is connected to them.
const DESCRIPTORS: usize = 16_384;

/// Says that the descriptors have been asked for.
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
        eprintln!("there is no part {stranger}: {}", names.join(", "));
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

/// Runs this program again with as many descriptors as it needs; its exit code.
fn with_descriptors(args: &[String]) -> i32 {
    let raise =
        format!("ulimit -n {DESCRIPTORS} 2>/dev/null || ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\"");
    let myself = std::env::current_exe().expect("a path");
    let status = Command::new("sh").arg("-c").arg(raise).arg(myself).args(args).env(RAISED, "1").status();
    status.expect("sh runs").code().unwrap_or(1)
}
