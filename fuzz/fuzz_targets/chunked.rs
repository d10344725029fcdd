//! See `src/fuzzing/chunked.rs`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pingstate::fuzzing::chunked(data));
