//! See `src/fuzzing/icmp.rs`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pingstate::fuzzing::icmp(data));
