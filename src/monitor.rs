//! One target's life: when to try it and what the tries add up to; and all targets together.

mod fleet;
mod watch;

use std::fmt;
use std::time::Duration;

use crate::fsm::{HISTORY, Policy, State};
use crate::probe::Probe;
pub(crate) use fleet::Fleet;
pub(crate) use watch::Watch;

/// The time between two checks unless told otherwise.
pub const INTERVAL: Duration = Duration::from_secs(5);

/// The shortest interval: below it a beat could not be told from a busy loop.
pub const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// The longest interval: ten years, to stay clear of the end of the clock.
pub const INTERVAL_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

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
        }
    }

    /// The time from one beat of the schedule to the next, [`INTERVAL`] unless told otherwise; cut to
    /// the range from [`INTERVAL_MIN`] to [`INTERVAL_MAX`].
    ///
    /// Beats keep to their grid however long checks take. A check never overlaps the one before: beats
    /// that are missed are skipped, not made up.
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

    /// The target's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.probe.name()
    }

    /// What is probed.
    #[must_use]
    pub fn target(&self) -> &str {
        self.probe.target()
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
