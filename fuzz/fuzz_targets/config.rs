//! See `src/cli/fuzzing.rs`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pingstate::cli::fuzzing::config(data));
