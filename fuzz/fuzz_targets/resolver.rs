//! See `src/fuzzing/resolver.rs`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pingstate::fuzzing::resolver(data));
