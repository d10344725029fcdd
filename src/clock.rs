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

/// 2025-01-30.
#[cfg(any(test, fuzzing))]
#[allow(clippy::disallowed_methods)]
pub(crate) fn test_now() -> Now {
    Now { instant: Instant::now(), unix: Duration::from_secs(1_738_200_000) }
}
