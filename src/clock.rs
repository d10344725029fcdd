//! `Now`: a time on the monotonic and the wall clock, always passed as an argument.

use std::time::{Duration, Instant};

/// A time on both clocks. Only the reactor reads the clocks.
///
/// Durations and deadlines use `instant`. `unix` is for display and for the validity dates of
/// certificates; it may jump in either direction.
///
/// Programs construct it to call the methods of an [`Attempt`](crate::Attempt) directly.
///
/// ```
/// use pingstate::Now;
/// use std::time::{Duration, Instant, SystemTime};
///
/// let unix = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
/// let now = Now { instant: Instant::now(), unix };
/// let later = now.after(Duration::from_secs(3));
/// assert_eq!(later.since(now), Duration::from_secs(3));
/// assert_eq!(now.since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock.
    pub instant: Instant,
    /// The wall clock, as the time since 1970-01-01 00:00:00 UTC (zero if the clock is set earlier).
    pub unix: Duration,
}

impl Now {
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

/// A start time for tests: an arbitrary instant; 2025-01-30 on the wall clock.
#[cfg(any(test, fuzzing))]
#[allow(clippy::disallowed_methods)]
pub(crate) fn test_now() -> Now {
    Now { instant: Instant::now(), unix: Duration::from_secs(1_738_200_000) }
}
