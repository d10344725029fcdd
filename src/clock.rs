//! The one notion of time: a moment on both clocks, always handed in as an argument.

use std::time::{Duration, Instant};

/// A moment, as both clocks tell it. Read by the reactor only, once per turn of the loop.
///
/// Durations and deadlines come from `instant`; `unix` is for showing to people and for the
/// validity dates of certificates, and may jump in either direction.
///
/// A program makes one to play a conversation with an [`Attempt`](crate::Attempt) by hand.
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
    /// The moment `span` later, on both clocks.
    ///
    /// # Panics
    /// If that is later than the clocks can tell, in some hundred billion years.
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

/// A moment for tests to start from: an arbitrary instant, 2025-01-30 on the wall.
#[cfg(any(test, fuzzing))]
#[allow(clippy::disallowed_methods)]
pub(crate) fn test_now() -> Now {
    Now { instant: Instant::now(), unix: Duration::from_secs(1_738_200_000) }
}
