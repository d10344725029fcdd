//! One slot of a history: seconds in each state and the mean latency, in 8 bytes.

use std::time::Duration;

/// The seconds in each state are 17 bits each; 13 bits for the latency follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slot(u64);

pub(super) const UP: usize = 0;
pub(super) const DEGRADED: usize = 1;
pub(super) const DOWN: usize = 2;

const BITS: usize = 17;
const MASK: u64 = (1 << BITS) - 1;
const LATENCY_AT: usize = 3 * BITS;
/// The mantissa of a latency; 5 bits of its exponent follow.
const MANTISSA: u32 = 8;

impl Slot {
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// As [`Slot::bits`] returned them.
    pub(crate) fn from_bits(bits: u64) -> Slot {
        Slot(bits)
    }

    pub(crate) fn up_s(self) -> u32 {
        self.seconds(UP)
    }

    pub(crate) fn degraded_s(self) -> u32 {
        self.seconds(DEGRADED)
    }

    pub(crate) fn down_s(self) -> u32 {
        self.seconds(DOWN)
    }

    pub(crate) fn known_s(self) -> u32 {
        self.up_s() + self.degraded_s() + self.down_s()
    }

    fn seconds(self, state: usize) -> u32 {
        ((self.0 >> (state * BITS)) & MASK) as u32
    }

    /// The mean latency of the successful checks: within 0.2 %, at least one microsecond.
    pub(crate) fn latency(self) -> Option<Duration> {
        let code = (self.0 >> LATENCY_AT).checked_sub(1)?;
        let (exponent, mantissa) = (code >> MANTISSA, code & ((1 << MANTISSA) - 1));
        Some(Duration::from_micros(match exponent {
            0 => mantissa,
            // In the middle of the values that have this code.
            _ => ((mantissa | 1 << MANTISSA) << (exponent - 1)) + ((1 << (exponent - 1)) >> 1),
        }))
    }

    pub(super) fn set_latency(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).max(1);
        let exponent = (u64::BITS - micros.leading_zeros()).saturating_sub(MANTISSA);
        let code = match exponent {
            0 => micros,
            _ => u64::from(exponent) << MANTISSA | (micros >> (exponent - 1)) & ((1 << MANTISSA) - 1),
        };
        let code = (code + 1).min((1 << (64 - LATENCY_AT)) - 1);
        self.0 = self.0 & ((1 << LATENCY_AT) - 1) | code << LATENCY_AT;
    }

    /// With additional time in a state, at most the rest of the slot's length.
    pub(super) fn with(self, state: usize, seconds: u64, length_s: u64) -> Slot {
        let seconds = seconds.min(length_s.saturating_sub(self.known_s().into()));
        Slot(self.0 + (seconds << (state * BITS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_stored_within_a_fifth_of_a_percent() {
        let mut slot = Slot::default().with(UP, 86_400, 86_400);
        assert_eq!(slot.latency(), None);
        let (mut micros, mut last) = (1, 0);
        while micros < 40_000_000_000 {
            slot.set_latency(Duration::from_micros(micros));
            let stored = slot.latency().unwrap().as_micros() as u64;
            assert!(stored.abs_diff(micros) * 500 <= micros, "{stored} for {micros}");
            assert!(stored >= last, "{stored} for {micros}");
            last = stored;
            micros += 1 + micros / 1000;
        }
        for latency in [Duration::ZERO, Duration::MAX] {
            slot.set_latency(latency);
            assert!(slot.latency().is_some());
        }
        assert_eq!((slot.up_s(), slot.degraded_s(), slot.down_s()), (86_400, 0, 0));
    }

    #[test]
    fn time_is_limited_to_the_length_of_the_slot() {
        let slot = Slot::default().with(UP, 1000, 1800).with(DOWN, 700, 1800).with(DEGRADED, 500, 1800);
        assert_eq!((slot.up_s(), slot.degraded_s(), slot.down_s(), slot.known_s()), (1000, 100, 700, 1800));
        let day = Slot::default().with(DOWN, u64::MAX, 86_400);
        assert_eq!((day.down_s(), day.known_s(), day.latency()), (86_400, 86_400, None));
    }
}
