//! Targets: schedule, retries, state and rules of each one, and the list of all.

pub(crate) mod dependencies;
mod gatus_key;
mod history;
mod hook;
mod notifications;
mod target;
mod target_id;
mod targets;
mod validate;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::fsm::{Fsm, Policy, State};
use crate::probe::guard::{guarded, label};
use crate::probe::kinds;
use crate::probe::{Heartbeat, Probe};
#[cfg(feature = "cli")]
pub(crate) use gatus_key::first_collision;
pub(crate) use gatus_key::{gatus_key, validate_keys};
pub(crate) use history::{History, SavedHistory, SavedRing, Slot};
pub use history::{Uptime, Window};
pub use hook::Hook;
pub(crate) use notifications::{Due, is_notified};
pub use notifications::{Notifications, Notify};
pub(crate) use target::{Deferred, Pause, Saved, SavedHeartbeat, SavedPause, Target};
pub use target_id::TargetId;
pub(crate) use target_id::TargetSet;
pub use targets::TargetUpdate;
pub(crate) use targets::{Parents, StateCounts, Targets};
pub(crate) use validate::{validate_names, validate_tokens};

/// A probe, its schedule, and the rules that evaluate its results.
///
/// It runs on its own thread ([`Monitor::start`]) or in a server ([`serve`](crate::serve)), alone or with
/// others. An invalid setting is an [`Error`](crate::Error) when it starts.
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
/// assert_eq!((monitor.name(), monitor.url()), ("db", &*format!("tcp://127.0.0.1:{port}")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Monitor {
    probe: Box<dyn Probe>,
    interval: Duration,
    policy: Policy,
    initial: State,
    history: usize,
    rules: Rules,
    paused: bool,
    group: Option<Arc<str>>,
    private: bool,
    notifications: Option<Arc<Notifications>>,
    /// A fingerprint: a target with other settings does not continue from a state file.
    settings: Option<u64>,
    /// The names of the parents.
    depends: Vec<Arc<str>>,
}

/// Optional rules: retries, slow responses, other intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rules {
    /// Repeated attempts after a failure within one check, and the delay before each.
    retries: u32,
    retry_interval: Duration,
    /// Latencies above `slow` are slow, until one is at most `slow_clear`.
    slow: Option<Duration>,
    slow_clear: Option<Duration>,
    /// The intervals while the target is down, and while the last check contradicts the state.
    interval_down: Option<Duration>,
    interval_fast: Option<Duration>,
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

impl Monitor {
    /// The default time between two checks of most probes: 5 s; see [`Probe::default_interval`].
    pub const INTERVAL: Duration = kinds::INTERVAL;

    /// The shortest interval: 1 ms.
    pub const INTERVAL_MIN: Duration = Duration::from_millis(1);

    /// The longest interval, ten years: deadlines cannot overflow the clock.
    pub const INTERVAL_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

    /// The default time from a failed attempt to the next attempt of the same check: 1 s.
    pub const RETRY_INTERVAL: Duration = Duration::from_secs(1);

    /// The default length of the history, in checks: 20.
    pub const HISTORY: usize = Fsm::HISTORY;

    /// Runs `probe` every [`Probe::default_interval`] with the default [`Policy`].
    #[must_use]
    pub fn new(probe: impl Probe + 'static) -> Self {
        // A probe that panics here fails its checks.
        let interval = guarded(|| probe.default_interval()).unwrap_or(Monitor::INTERVAL);
        Monitor {
            probe: Box::new(probe),
            interval,
            policy: Policy::default(),
            initial: State::Unknown,
            history: Monitor::HISTORY,
            rules: Rules::default(),
            paused: false,
            group: None,
            private: false,
            notifications: None,
            settings: None,
            depends: Vec::new(),
        }
    }

    /// The time between two scheduled checks: [`Monitor::INTERVAL_MIN`] to [`Monitor::INTERVAL_MAX`].
    /// Default: [`Probe::default_interval`]. A heartbeat has none.
    ///
    /// The schedule does not drift, however long checks take. Checks of a target never overlap:
    /// scheduled times that pass during a check are skipped.
    ///
    /// Targets that start together are all checked once within 2 seconds plus 1 ms per target, or
    /// within their interval if that is shorter. From the second check on, checks are spread over the
    /// interval: the second check follows the first after 0.5 to 1.5 intervals.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// The rules for state changes. Default: down after two consecutive failures.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The state before the first check. Default: [`State::Unknown`].
    #[must_use]
    pub fn initial_state(mut self, state: State) -> Self {
        self.initial = state;
        self
    }

    /// The number of checks in the history, 24 bytes each. Equal details are stored once if their checks are
    /// consecutive. Default: [`Monitor::HISTORY`].
    #[must_use]
    pub fn history(mut self, checks: usize) -> Self {
        self.history = checks;
        self
    }

    /// How often a failed attempt is repeated before the check fails. Default: 0. The result of the
    /// check is that of the first success or of the last failure; earlier attempts are not reported.
    /// Each attempt has the full timeout of the probe. Scheduled times that pass meanwhile are skipped.
    ///
    /// ```
    /// use pingstate::{Monitor, State, blocking};
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::time::Duration;
    ///
    /// let attempts = AtomicU32::new(0);
    /// let flaky = blocking("flaky", move || attempts.fetch_add(1, Ordering::Relaxed) >= 2);
    /// let monitor = Monitor::new(flaky).retries(2).retry_interval(Duration::from_millis(10)).start()?;
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

    /// The time from the end of a failed attempt to the next attempt of the same check:
    /// [`Monitor::INTERVAL_MIN`] to [`Monitor::INTERVAL_MAX`]. Default: [`Monitor::RETRY_INTERVAL`].
    #[must_use]
    pub fn retry_interval(mut self, interval: Duration) -> Self {
        self.rules.retry_interval = interval;
        self
    }

    /// Successful checks with a higher latency make the state degraded instead of up. They count as
    /// successes: a slow target is never down. Default: no limit.
    ///
    /// ```
    /// # use std::net::TcpListener;
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// use pingstate::{Monitor, State, probe};
    /// use std::time::Duration;
    ///
    /// // Every latency exceeds zero.
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

    /// A slow target stays slow until a successful check has at most this latency; failures do not
    /// change that. At most the latency of [`Monitor::slow`], which is the default and must be set, too.
    ///
    /// ```
    /// # use pingstate::{Monitor, blocking};
    /// # use std::time::Duration;
    /// // Hysteresis: latencies that vary between 450 and 550 ms do not change the state each time.
    /// let monitor = Monitor::new(blocking("disk", || true))
    ///     .slow(Duration::from_millis(500))
    ///     .slow_clear(Duration::from_millis(300));
    /// ```
    #[must_use]
    pub fn slow_clear(mut self, latency: Duration) -> Self {
        self.rules.slow_clear = Some(latency);
        self
    }

    /// The interval while the target is down and its checks fail (`downinter` of HAProxy). Limits and default:
    /// those of [`Monitor::interval`], and its value.
    #[must_use]
    pub fn interval_down(mut self, interval: Duration) -> Self {
        self.rules.interval_down = Some(interval);
        self
    }

    /// The interval while the last check contradicts the state: a failure while not down, or a success
    /// while down (`fastinter` of HAProxy). Limits and default: those of [`Monitor::interval`], and its value.
    ///
    /// ```
    /// # use pingstate::{Monitor, Policy, blocking};
    /// # use std::time::Duration;
    /// // Every 30 seconds, but down 2 seconds after the first failure; the same for up.
    /// let monitor = Monitor::new(blocking("disk", || true))
    ///     .interval(Duration::from_secs(30))
    ///     .interval_fast(Duration::from_secs(1))
    ///     .policy(Policy::Thresholds { fall: 3, rise: 3 });
    /// ```
    #[must_use]
    pub fn interval_fast(mut self, interval: Duration) -> Self {
        self.rules.interval_fast = Some(interval);
        self
    }

    /// Starts paused: the target is not checked until it is resumed. Single checks ([`check_all`](crate::check_all))
    /// ignore this. Default: false.
    ///
    /// ```
    /// use pingstate::{Monitor, State, blocking};
    ///
    /// let monitor = Monitor::new(blocking("disk", || true)).paused(true).start()?;
    /// assert!(monitor.snapshot().paused_until.is_some());
    /// monitor.resume();
    /// assert!(monitor.check_now().ok);
    /// assert_eq!(monitor.state(), State::Up);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn paused(mut self, paused: bool) -> Self {
        self.paused = paused;
        self
    }

    /// The group of the target: the API has a worst state for each group, at `/groups/NAME`, and controls its targets
    /// together. At most [`ProbeBuilder::NAME_MAX`](crate::ProbeBuilder::NAME_MAX) printable characters.
    ///
    /// ```
    /// use pingstate::{Monitor, blocking};
    ///
    /// let server = Monitor::new(blocking("disk", || true)).group("nas").start()?;
    /// assert_eq!(server.snapshot().group.as_deref(), Some("nas"));
    /// assert!(Monitor::new(blocking("disk", || true)).group("").start().is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn group(mut self, name: impl Into<Arc<str>>) -> Self {
        self.group = Some(name.into());
        self
    }

    /// Hides the URL, the address and the details of checks in all responses of the API, also its records if it is a dns
    /// target; they are null. Its name is shown: that of a probe should not be the default, which is the address. Logs and
    /// notifications are not affected, and neither are the fields of [`Snapshot`](crate::Snapshot). Default: false.
    ///
    /// ```
    /// use pingstate::{Monitor, blocking};
    ///
    /// let monitor = Monitor::new(blocking("disk", || (false, "10.1.2.3 failed"))).private(true).start()?;
    /// assert_eq!(monitor.check_now().detail, "10.1.2.3 failed");
    /// let snapshot = monitor.stop();
    /// assert_eq!((snapshot.last_detail.as_deref(), snapshot.private), (Some("10.1.2.3 failed"), true));
    /// assert!(snapshot.to_json().contains("\"last_detail\": null,"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn private(mut self, private: bool) -> Self {
        self.private = private;
        self
    }

    /// The group and the name.
    pub(crate) fn labels(&self) -> (Option<&str>, &str) {
        (self.group.as_deref(), self.name())
    }

    #[cfg(any(feature = "cli", test, fuzzing))]
    pub(crate) fn settings(mut self, fingerprint: u64) -> Self {
        self.settings = Some(fingerprint);
        self
    }

    pub(crate) fn heartbeat(&self) -> Option<&Heartbeat> {
        self.probe.heartbeat()
    }

    /// The target's name.
    #[must_use]
    pub fn name(&self) -> &str {
        label(|| self.probe.name())
    }

    /// The target's URL, or its name if the probe has none.
    #[must_use]
    pub fn url(&self) -> &str {
        label(|| self.probe.url())
    }
}

/// Allows a single monitor where an iterator of monitors is expected.
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

/// A probe for tests of higher layers: it requests nothing and never ends.
#[cfg(test)]
pub(crate) mod mute {
    use super::*;
    use crate::clock::Now;
    use crate::probe::Attempt;
    use crate::probe::guard::NoAttempt;

    pub(crate) struct Mute(pub(crate) &'static str);

    impl Probe for Mute {
        fn name(&self) -> &str {
            self.0
        }
        fn timeout(&self) -> Duration {
            Duration::from_secs(2)
        }
        fn begin(&self, _now: Now) -> Box<dyn Attempt> {
            Box::new(NoAttempt)
        }
    }
}

#[cfg(test)]
mod tests;
