//! `Now`: a time on the monotonic and the wall clock, always passed as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A time on both clocks. Only the reactor reads the clocks.
///
/// Durations and deadlines use the monotonic clock. The wall clock is for display and for the validity dates
/// of certificates; it may jump in either direction.
///
/// Programs construct it to call the methods of an [`Attempt`](crate::Attempt) directly.
///
/// ```
/// use pingstate::Now;
/// use std::time::{Duration, Instant, SystemTime};
///
/// let now = Now::new(Instant::now(), SystemTime::now());
/// let later = now.after(Duration::from_secs(3));
/// assert_eq!(later.since(now), Duration::from_secs(3));
/// assert_eq!(now.since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    pub(crate) instant: Instant,
    /// The time since 1970.
    pub(crate) unix: Duration,
}

impl Now {
    /// A wall clock before 1970 counts as 1970.
    #[must_use]
    pub fn new(instant: Instant, wall: SystemTime) -> Now {
        Now { instant, unix: since_epoch(wall) }
    }

    /// The monotonic clock.
    #[must_use]
    pub fn instant(self) -> Instant {
        self.instant
    }

    /// The wall clock.
    #[must_use]
    pub fn system_time(self) -> SystemTime {
        system_time(self.unix)
    }

    /// The time `span` later, on both clocks.
    ///
    /// # Panics
    /// If the result overflows either clock.
    #[must_use]
    pub fn after(self, span: Duration) -> Now {
        Now { instant: self.instant + span, unix: self.unix + span }
    }

    /// The time since `earlier` on the monotonic clock; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Now) -> Duration {
        self.instant.saturating_duration_since(earlier.instant)
    }
}

pub(crate) fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

pub(crate) fn system_time(unix: Duration) -> SystemTime {
    UNIX_EPOCH.checked_add(unix).unwrap_or(UNIX_EPOCH)
}

/// The time in seconds, as in RFC 3339: `2026-11-29T13:51:09Z`.
pub(crate) fn rfc3339(unix: Duration) -> String {
    const LAST_SECOND: Duration = Duration::from_secs(253_402_300_799);
    // `Sun, 29 Nov 2026 13:51:09 GMT`
    let date = httpdate::fmt_http_date(UNIX_EPOCH + unix.min(LAST_SECOND));
    let month = "JanFebMarAprMayJunJulAugSepOctNovDec".find(&date[8..11]).map_or(0, |at| at / 3 + 1);
    format!("{}-{month:02}-{}T{}Z", &date[12..16], &date[5..7], &date[17..25])
}

/// 2025-01-30.
#[cfg(any(test, fuzzing))]
#[allow(clippy::disallowed_methods)]
pub(crate) fn test_now() -> Now {
    Now { instant: Instant::now(), unix: Duration::from_secs(1_738_200_000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_has_the_time_in_utc() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_960_269, "2026-11-29T13:51:09Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(Duration::from_secs(seconds)), text);
        }
    }
}
