//! Reads both clocks and the random number generator.

use std::time::{Instant, SystemTime};

use nix::sys::time::{TimeSpec, TimeValLike};

use crate::clock::Now;

#[allow(clippy::disallowed_methods)] // Only this module reads the clocks.
pub(crate) fn now() -> Now {
    Now::new(Instant::now(), SystemTime::now())
}

/// `CLOCK_MONOTONIC` in microseconds, for the service manager. [`Instant`] does not expose its value.
pub(super) fn monotonic_us() -> i64 {
    // It fails only for a clock that the kernel does not have.
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| TimeSpec::num_microseconds(&time))
}

/// An unpredictable number, for DNS ids (RFC 5452 section 9.2) and cookies.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    if getrandom::getrandom(&mut bytes).is_err() {
        // The kernel is too old for the system call: the clock's low bits are better than a constant.
        return now().unix.as_nanos() as u64;
    }
    u64::from_ne_bytes(bytes)
}
