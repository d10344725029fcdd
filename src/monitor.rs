//! One target's life: when to try it and what the tries add up to; and all targets together.

mod fleet;
mod hook;
mod rules;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::fsm::{HISTORY, Policy, State};
use crate::probe::Probe;
use crate::probe::build::Webhook;
use crate::probe::guard::label;
pub use fleet::TargetUpdate;
pub(crate) use fleet::{Fleet, Moved, clash};
pub use hook::{HOOK_TIMEOUT, Hook};
use rules::Rules;
pub(crate) use watch::Watch;

/// The time between two checks unless told otherwise.
pub const INTERVAL: Duration = Duration::from_secs(5);

/// The shortest interval: below it a beat could not be told from a busy loop.
pub const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// The longest interval: ten years, to stay clear of the end of the clock.
pub const INTERVAL_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The time from a failed try to the next one of the same check, unless told otherwise.
pub const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// A probe, how often to try it, and the rules its results are judged by.
///
/// To be started on a thread of its own ([`Monitor::start`]) or given to a server
/// ([`serve`](crate::serve)), alone or with others.
///
/// ```
/// # use std::net::TcpListener;
/// use pingstate::{Monitor, Policy, State, probe};
/// use std::time::Duration;
///
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// let database = probe("tcp", "127.0.0.1", port).name("db").build()?;
/// let monitor = Monitor::new(database)
///     .interval(Duration::from_secs(10))
///     .policy(Policy::Thresholds { fall: 3, rise: 1 })
///     .initial_state(State::Up)
///     .history(100);
/// assert_eq!((monitor.name(), monitor.target()), ("db", &*format!("tcp://127.0.0.1:{port}")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Monitor {
    probe: Box<dyn Probe>,
    interval: Duration,
    policy: Policy,
    initial: State,
    history: usize,
    rules: Rules,
    hook: Option<Arc<Hook>>,
    webhook: Option<Arc<Webhook>>,
}

impl Monitor {
    /// Watches what `probe` probes, every [`INTERVAL`], by the default [`Policy`].
    #[must_use]
    pub fn new(probe: impl Probe + 'static) -> Self {
        Monitor {
            probe: Box::new(probe),
            interval: INTERVAL,
            policy: Policy::default(),
            initial: State::Unknown,
            history: HISTORY,
            rules: Rules::default(),
            hook: None,
            webhook: None,
        }
    }

    /// The time from one beat of the schedule to the next, [`INTERVAL`] unless told otherwise; cut to
    /// the range from [`INTERVAL_MIN`] to [`INTERVAL_MAX`].
    ///
    /// The schedule does not drift, however long checks take. A check never overlaps the one before:
    /// scheduled times that pass meanwhile are skipped, not made up.
    ///
    /// Targets that start together are all checked once within 2 seconds and 1 ms for each of them, or
    /// within their interval if that is shorter. From the second check on they are spread over the
    /// interval; that one comes half an interval to one and a half after the first.
    ///
    /// ```
    /// use pingstate::{INTERVAL, INTERVAL_MAX, INTERVAL_MIN};
    /// use std::time::Duration;
    ///
    /// assert_eq!(INTERVAL, Duration::from_secs(5));
    /// assert_eq!(INTERVAL_MIN, Duration::from_millis(1));
    /// assert!(INTERVAL_MAX > Duration::from_secs(9 * 365 * 24 * 3600));
    /// ```
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.clamp(INTERVAL_MIN, INTERVAL_MAX);
        self
    }

    /// Which state follows which; two failures in a row until down unless told otherwise.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The state before the first check: [`State::Unknown`] unless told otherwise.
    #[must_use]
    pub fn initial_state(mut self, state: State) -> Self {
        self.initial = state;
        self
    }

    /// How many checks the history remembers, some 8 bytes each: [`HISTORY`] unless told otherwise.
    #[must_use]
    pub fn history(mut self, checks: usize) -> Self {
        self.history = checks;
        self
    }

    /// How often a failed try is repeated before it counts: never, unless told otherwise. The check is
    /// as good as its first success or its last failure; what was tried before is not told of. Each try
    /// has the whole timeout of the probe. Beats that come meanwhile are skipped.
    ///
    /// ```
    /// use pingstate::{Monitor, State, blocking};
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::time::Duration;
    ///
    /// let tries = AtomicU32::new(0);
    /// let shaky = blocking("shaky", move || tries.fetch_add(1, Ordering::Relaxed) >= 2);
    /// let monitor = Monitor::new(shaky).retries(2).retry_interval(Duration::from_millis(10)).start()?;
    /// assert!(monitor.check_now().ok);
    /// let snapshot = monitor.stop();
    /// assert_eq!((snapshot.state, snapshot.transitions), (State::Up, 1));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.rules.retries = retries;
        self
    }

    /// The time from the end of a failed try to the next one of the same check: [`RETRY_INTERVAL`]
    /// unless told otherwise; cut to the range from [`INTERVAL_MIN`] to [`INTERVAL_MAX`].
    ///
    /// ```
    /// # use pingstate::{Monitor, blocking};
    /// use pingstate::RETRY_INTERVAL;
    ///
    /// let monitor = Monitor::new(blocking("disk", || true)).retries(1).retry_interval(RETRY_INTERVAL / 2);
    /// ```
    #[must_use]
    pub fn retry_interval(mut self, interval: Duration) -> Self {
        self.rules.retry_interval = interval.clamp(INTERVAL_MIN, INTERVAL_MAX);
        self
    }

    /// Answers that take longer than this make the state degraded where it would be up. They count as
    /// successes all the same: slow is never down. None is too slow unless told otherwise.
    ///
    /// ```
    /// # use std::net::TcpListener;
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// use pingstate::{Monitor, State, probe};
    /// use std::time::Duration;
    ///
    /// // Nothing is that fast.
    /// let database = probe("tcp", "127.0.0.1", port).build()?;
    /// let monitor = Monitor::new(database).slow(Duration::ZERO).start()?;
    /// let result = monitor.check_now();
    /// assert_eq!((result.ok, &*result.detail), (true, "connect ok, slow (over 0 ms)"));
    /// assert_eq!(monitor.state(), State::Degraded);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn slow(mut self, latency: Duration) -> Self {
        self.rules.slow = Some(latency);
        self
    }

    /// Once slow, a target stays so until an answer takes no longer than this: that of [`Monitor::slow`]
    /// unless told otherwise, and never more. Failures in between change nothing about that.
    ///
    /// ```
    /// # use pingstate::{Monitor, blocking};
    /// # use std::time::Duration;
    /// // One that takes 450 ms now and 550 ms then does not change its state each time.
    /// let monitor = Monitor::new(blocking("disk", || true))
    ///     .slow(Duration::from_millis(500))
    ///     .slow_clear(Duration::from_millis(300));
    /// ```
    #[must_use]
    pub fn slow_clear(mut self, latency: Duration) -> Self {
        self.rules.slow_clear = Some(latency);
        self
    }

    /// The time from beat to beat while the target is down and keeps failing: that of
    /// [`Monitor::interval`] unless told otherwise. HAProxy calls it `downinter`.
    ///
    /// ```
    /// # use pingstate::{Monitor, blocking};
    /// # use std::time::Duration;
    /// // The rest of the world need not hear every five seconds from what is down for the night.
    /// let monitor = Monitor::new(blocking("printer", || true)).interval_down(Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn interval_down(mut self, interval: Duration) -> Self {
        self.rules.interval_down = Some(interval.clamp(INTERVAL_MIN, INTERVAL_MAX));
        self
    }

    /// The time from beat to beat while the last check speaks against the state: a failure and not down
    /// yet, or a success and still down. That of [`Monitor::interval`] unless told otherwise. HAProxy
    /// calls it `fastinter`.
    ///
    /// ```
    /// # use pingstate::{Monitor, Policy, blocking};
    /// # use std::time::Duration;
    /// // Every 30 seconds; but down is known 2 seconds after the first failure, and up again likewise.
    /// let monitor = Monitor::new(blocking("disk", || true))
    ///     .interval(Duration::from_secs(30))
    ///     .interval_fast(Duration::from_secs(1))
    ///     .policy(Policy::Thresholds { fall: 3, rise: 3 });
    /// ```
    #[must_use]
    pub fn interval_fast(mut self, interval: Duration) -> Self {
        self.rules.interval_fast = Some(interval.clamp(INTERVAL_MIN, INTERVAL_MAX));
        self
    }

    /// The target's name.
    #[must_use]
    pub fn name(&self) -> &str {
        label(|| self.probe.name())
    }

    /// What is probed.
    #[must_use]
    pub fn target(&self) -> &str {
        label(|| self.probe.target())
    }
}

/// A single monitor goes wherever several do.
impl IntoIterator for Monitor {
    type Item = Monitor;
    type IntoIter = std::iter::Once<Monitor>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self)
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("name", &self.name())
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

/// A probe for tests of the floors above: it has a name and never gets anywhere.
#[cfg(test)]
pub(crate) mod mute {
    use super::*;
    use crate::clock::Now;
    use crate::probe::{Attempt, Input, Output};

    pub(crate) struct Mute(pub(crate) &'static str);

    impl Probe for Mute {
        fn name(&self) -> &str {
            self.0
        }
        fn timeout(&self) -> Duration {
            Duration::from_secs(2)
        }
        fn begin(&self, _now: Now) -> Box<dyn Attempt> {
            Box::new(MuteAttempt)
        }
    }

    struct MuteAttempt;

    impl Attempt for MuteAttempt {
        fn handle_input(&mut self, _input: Input<'_>, _now: Now) {}
        fn poll_output(&mut self) -> Option<Output> {
            None
        }
    }
}

#[cfg(test)]
mod tests;
