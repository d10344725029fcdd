//! See `src/fuzzing/verdict.rs`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pingstate::fuzzing::verdict(data));
