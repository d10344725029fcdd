//! See `src/fuzzing/state_file.rs`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pingstate::fuzzing::state_file(data));
