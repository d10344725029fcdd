//! See `src/fuzzing/request.rs`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pingstate::fuzzing::request(data));
