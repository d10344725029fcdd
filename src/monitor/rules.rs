//! What a monitor may be told beside its interval and its policy.

use std::time::Duration;

use super::RETRY_INTERVAL;

/// Rules that most monitors leave as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// How often a failed try is repeated within one check, and after which time.
    pub(super) retries: u32,
    pub(super) retry_interval: Duration,
    /// Answers that take longer are slow, until one does not take longer than the other.
    pub(super) slow: Option<Duration>,
    pub(super) slow_clear: Option<Duration>,
    /// The time from beat to beat while the target is down, and while it is neither up nor down for good.
    pub(super) interval_down: Option<Duration>,
    pub(super) interval_fast: Option<Duration>,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            retries: 0,
            retry_interval: RETRY_INTERVAL,
            slow: None,
            slow_clear: None,
            interval_down: None,
            interval_fast: None,
        }
    }
}
