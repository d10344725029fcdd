//! See `src/fuzzing/location.rs`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pingstate::fuzzing::location(data));
