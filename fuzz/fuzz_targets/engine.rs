//! See `src/fuzzing/engine/mod.rs`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pingstate::fuzzing::engine(data));
