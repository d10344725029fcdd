//! One check in the list of the last checks of a target.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{Event, State};
use crate::clock::system_time;

/// One check in the history, see [`Snapshot::recent`](crate::Snapshot::recent).
///
/// ```
/// use pingstate::{Event, PingFsm, State};
/// use std::time::Duration;
///
/// let mut fsm = PingFsm::new();
/// fsm.fire(Event::Ok, Some(Duration::from_millis(12)), "pong");
/// fsm.fire(Event::Fail, None, "no answer");
/// let recent = fsm.snapshot().recent;
/// let latency = recent[0].latency().expect("it succeeded");
/// assert!(latency.abs_diff(Duration::from_millis(12)) < Duration::from_micros(6));
/// assert_eq!((recent[1].event(), recent[1].state()), (Event::Fail, State::Degraded));
/// assert_eq!((&*recent[1].detail, recent[1].latency()), ("no answer", None));
/// assert!(recent[1].ended_at() > std::time::UNIX_EPOCH);
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// 24 bytes in total: the checks are most of the memory of a target.
    unix_s: u32,
    latency: Latency,
    /// Milliseconds (10 bits), the event (1 bit), the state (2 bits).
    rest: u16,
    /// The detail of its result.
    pub detail: Arc<str>,
}

const MS_MASK: u16 = 0x3ff;
const FAIL_BIT: u16 = 0x400;
const STATE_SHIFT: u32 = 11;

impl Check {
    pub(super) fn new(
        unix: Duration,
        event: Event,
        state: State,
        latency: Option<Duration>,
        detail: Arc<str>,
    ) -> Self {
        let rounded = unix.saturating_add(Duration::from_micros(500)).as_millis();
        // Until the year 2106.
        let unix_s = u32::try_from(rounded / 1000).unwrap_or(u32::MAX);
        let fail = if event == Event::Fail { FAIL_BIT } else { 0 };
        let rest = (rounded % 1000) as u16 | fail | (state.index() as u16) << STATE_SHIFT;
        Check { unix_s, latency: Latency::new(latency), rest, detail }
    }

    /// Whether it succeeded.
    #[must_use]
    pub fn event(&self) -> Event {
        if self.rest & FAIL_BIT == 0 { Event::Ok } else { Event::Fail }
    }

    /// The state after it.
    #[must_use]
    pub fn state(&self) -> State {
        State::ALL[usize::from(self.rest >> STATE_SHIFT) % State::ALL.len()]
    }

    /// The latency of its result, see [`ProbeResult::latency`](crate::ProbeResult::latency). It is stored with a
    /// precision of 0.05 %; latencies above 73 minutes are reduced to that.
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.latency.get()
    }

    /// When it ended, by the wall clock, rounded to milliseconds.
    #[must_use]
    pub fn ended_at(&self) -> SystemTime {
        system_time(self.unix())
    }

    pub(crate) fn unix(&self) -> Duration {
        Duration::from_secs(self.unix_s.into()) + Duration::from_millis((self.rest & MS_MASK).into())
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("ended_at", &self.ended_at())
            .field("event", &self.event())
            .field("state", &self.state())
            .field("latency", &self.latency())
            .field("detail", &self.detail)
            .finish()
    }
}

/// An optional number of nanoseconds as a floating-point number: an exponent of 5 bits and a fraction of 11 bits.
/// Exponent 0 is for the integers below 2^11; with others, the fraction has a leading 1 that is not stored.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Latency(u16);

impl Latency {
    const FRACTION_BITS: u32 = 11;
    const NONE: Latency = Latency(u16::MAX);
    const MAX: u16 = u16::MAX - 1;

    fn new(latency: Option<Duration>) -> Latency {
        let Some(latency) = latency else { return Latency::NONE };
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let shift = (u64::BITS - nanos.leading_zeros()).saturating_sub(Self::FRACTION_BITS + 1);
        // The leading 1 adds one to the exponent.
        let bits = (u64::from(shift) << Self::FRACTION_BITS) + (nanos >> shift);
        Latency(u16::try_from(bits).unwrap_or(u16::MAX).min(Self::MAX))
    }

    fn get(self) -> Option<Duration> {
        if self == Latency::NONE {
            return None;
        }
        let exponent = u32::from(self.0) >> Self::FRACTION_BITS;
        let shift = exponent.saturating_sub(1);
        let fraction = u64::from(self.0) - (u64::from(shift) << Self::FRACTION_BITS);
        Some(Duration::from_nanos(fraction << shift))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(latency: Duration) -> Duration {
        Latency::new(Some(latency)).get().expect("a latency")
    }

    #[test]
    fn latencies_are_stored_with_small_errors() {
        assert_eq!(Latency::new(None).get(), None);
        for nanos in 0..100_000 {
            let latency = Duration::from_nanos(nanos);
            let error = latency - stored(latency);
            assert!(error <= latency / 2048, "{latency:?}");
            assert!(nanos >= 4096 || error.is_zero(), "{latency:?}");
        }
        for power in 0..42 {
            for nanos in [(1_u64 << power) - 1, 1 << power, (1 << power) + 1, 3 << power >> 1] {
                let latency = Duration::from_nanos(nanos);
                assert!(latency - stored(latency) <= latency / 2048, "{latency:?}");
                assert_eq!(stored(stored(latency)), stored(latency));
            }
        }
        for exact in [1, 12, 250].map(Duration::from_millis) {
            assert!(exact - stored(exact) < exact / 2000);
        }
    }

    #[test]
    fn latencies_up_to_the_longest_timeout_are_stored_and_longer_ones_saturate() {
        let hour = Duration::from_secs(3600);
        assert!(hour - stored(hour) < Duration::from_secs(2));
        let longest = stored(Duration::MAX);
        assert!(longest > Duration::from_secs(73 * 60), "{longest:?}");
        assert_eq!(stored(longest), longest);
        assert_eq!(stored(2 * longest), longest);
    }

    #[test]
    fn all_values_of_a_check_are_kept() {
        for state in State::ALL {
            for event in [Event::Ok, Event::Fail] {
                for latency in [None, Some(Duration::from_millis(999))] {
                    let unix = Duration::from_millis(1_738_200_000_999);
                    let check = Check::new(unix, event, state, latency, "x".into());
                    assert_eq!((check.unix(), check.event(), check.state()), (unix, event, state));
                    assert_eq!(check.latency().is_some(), latency.is_some());
                }
            }
        }
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_check_in_the_history_is_small() {
        assert_eq!(size_of::<Check>(), 24);
    }
}
