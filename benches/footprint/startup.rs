//! Startup time until the API listens and until the first check result; size of the binary.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::listener::Listeners;
use super::process::{binary, pingstate};
use super::table::{Goal, Table, median};

const STARTS: usize = 20;

pub(crate) fn measure(table: &mut Table) {
    let listeners = Listeners::open(1);
    let times: Vec<_> = (0..STARTS).map(|_| startup_times(&listeners.urls(1))).collect();
    let listening = median(times.iter().map(|time| time.0));
    let first_result = median(times.iter().map(|time| time.1));
    table.add("exec to listening", listening, "ms", Goal::Max(5.0));
    table.add("exec to first check result", first_result, "ms", Goal::None);
    size(table);
}

/// Milliseconds until the log line with the API's URL, which is listening by then, and until the line of
/// the first check result.
fn startup_times(args: &[String]) -> (f64, f64) {
    let mut command = pingstate(args);
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("start pingstate");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
    let mut line = || {
        lines.next().expect("a line of the log").expect("read a line of the log");
        start.elapsed().as_secs_f64() * 1e3
    };
    let times = (line(), line());
    child.kill().expect("kill pingstate");
    child.wait().expect("wait for pingstate");
    times
}

/// Size of the file and of its sections by kind.
fn size(table: &mut Table) {
    let file = fs::metadata(binary()).expect("metadata of the binary").len();
    table.add("binary", file as f64 / 1024.0, "KiB", Goal::None);
    let Ok(output) = Command::new("readelf").arg("-SW").arg(binary()).output() else {
        return table.note("binary sections: skipped, readelf is not installed");
    };
    let sections = String::from_utf8_lossy(&output.stdout).into_owned();
    let sections: Vec<(&str, u64)> = sections.lines().filter_map(section).collect();
    for (kind, prefixes) in [
        ("code", &[".text", ".init", ".fini", ".plt"][..]),
        ("constants", &[".rodata"]),
        ("unwinding tables", &[".eh_frame", ".gcc_except_table"]),
        ("data", &[".data", ".got", ".tdata", ".bss", ".tbss"]),
        ("relocations", &[".rela", ".relr"]),
    ] {
        let has_prefix = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let bytes: u64 = sections.iter().filter(|(name, _)| has_prefix(name)).map(|(_, size)| size).sum();
        table.add(format!("binary: {kind}"), bytes as f64 / 1024.0, "KiB", Goal::None);
    }
}

/// Parses name and size of a line like `[ 7] .text PROGBITS 00000000002a1000 001000 0f2a11 00 AX 0 0 16`.
fn section(line: &str) -> Option<(&str, u64)> {
    let (_, rest) = line.split_once("] ")?;
    let mut words = rest.split_whitespace();
    let name = words.next().filter(|name| name.starts_with('.'))?;
    let size = u64::from_str_radix(words.nth(3)?, 16).ok()?;
    Some((name, size))
}
