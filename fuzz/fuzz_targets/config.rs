//! See `src/cli/fuzzing.rs`: the configuration file belongs to the binary, and is compiled in here.
#![no_main]

// What only the command itself uses is not used here.
#[allow(dead_code, unused_imports)]
#[path = "../../src/cli/mod.rs"]
mod cli;

libfuzzer_sys::fuzz_target!(|data: &[u8]| cli::fuzzing::config(data));
