//! Optional rules of a monitor: retries, slow responses, other intervals.

use std::time::Duration;

use super::Monitor;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// Repeated attempts after a failure within one check, and the delay before each.
    pub(super) retries: u32,
    pub(super) retry_interval: Duration,
    /// Latencies above `slow` are slow, until one is at most `slow_clear`.
    pub(super) slow: Option<Duration>,
    pub(super) slow_clear: Option<Duration>,
    /// The intervals while the target is down, and while the last check contradicts the state.
    pub(super) interval_down: Option<Duration>,
    pub(super) interval_fast: Option<Duration>,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            retries: 0,
            retry_interval: Monitor::RETRY_INTERVAL,
            slow: None,
            slow_clear: None,
            interval_down: None,
            interval_fast: None,
        }
    }
}
