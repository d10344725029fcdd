//! See `src/fuzzing/records.rs`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pingstate::fuzzing::records(data));
