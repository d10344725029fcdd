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

/// A source of unpredictable numbers, for DNS ids (RFC 5452 section 9.2) and cookies. One system call reads several.
pub(crate) fn random_numbers() -> impl FnMut() -> u64 + Send {
    let mut numbers = [0; 32];
    let mut used = numbers.len();
    move || {
        if used == numbers.len() {
            used = 0;
            let mut bytes = [0; 8 * 32];
            let is_read = getrandom::getrandom(&mut bytes).is_ok();
            for (number, bytes) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
                // The kernel may be too old for the system call: the clock's low bits are better than a constant.
                *number = if is_read {
                    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
                } else {
                    now().unix.as_nanos() as u64
                };
            }
        }
        used += 1;
        std::mem::take(&mut numbers[used - 1])
    }
}
