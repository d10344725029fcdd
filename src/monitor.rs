//! One target's life: when to try it and what the tries add up to; and all targets together.

use std::fmt;
use std::time::{Duration, Instant};

use crate::clock::Now;
use crate::fsm::{Change, Fsm, HISTORY, Policy, State};
use crate::probe::build::TIMEOUT_MAX;
use crate::probe::{Attempt, Probe};
use crate::verdict::ProbeResult;

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

/// A monitor at work: its state machine and its beat.
pub(crate) struct Watch {
    probe: Box<dyn Probe>,
    fsm: Fsm,
    interval: Duration,
    beat: Instant,
}

impl Watch {
    fn new(monitor: Monitor, first: Duration, now: Now) -> Self {
        Watch {
            fsm: Fsm::new(monitor.initial, monitor.policy, monitor.history, now),
            probe: monitor.probe,
            interval: monitor.interval,
            beat: now.instant + first,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.probe.name()
    }

    /// What the API shows under `probe`.
    pub(crate) fn target(&self) -> &str {
        self.probe.target()
    }

    pub(crate) fn fsm(&self) -> &Fsm {
        &self.fsm
    }

    /// The time one try may take, clear of the end of the clock whatever the probe says.
    pub(crate) fn timeout(&self) -> Duration {
        self.probe.timeout().min(TIMEOUT_MAX)
    }

    /// When the next try is due.
    pub(crate) fn beat(&self) -> Instant {
        self.beat
    }

    /// Moves on to the first beat after `now`: beats that were missed are not made up.
    pub(crate) fn advance(&mut self, now: Instant) {
        let late = now.saturating_duration_since(self.beat);
        if now < self.beat {
            return;
        }
        let into = (late.as_nanos() % self.interval.as_nanos()) as u64;
        self.beat = now + (self.interval - Duration::from_nanos(into));
    }

    /// Starts one try.
    pub(crate) fn begin(&self, now: Now) -> Box<dyn Attempt> {
        self.probe.begin(now)
    }
}

/// All monitors of one daemon.
pub(crate) struct Fleet {
    watches: Vec<Watch>,
    /// How many targets are in each state, by [`State::index`].
    counts: [usize; 4],
    /// How often a target has changed its state.
    changes: u64,
}

impl Fleet {
    /// Starts all monitors: the first one's beat is now, the others' are spread over their interval.
    pub(crate) fn new(monitors: Vec<Monitor>, now: Now) -> Self {
        let total = u32::try_from(monitors.len()).unwrap_or(u32::MAX).max(1);
        let mut counts = [0; 4];
        let watches = (0u32..)
            .zip(monitors)
            .map(|(i, monitor)| {
                counts[monitor.initial.index()] += 1;
                let first = monitor.interval / total * i;
                Watch::new(monitor, first, now)
            })
            .collect();
        Fleet { watches, counts, changes: 0 }
    }

    pub(crate) fn watches(&self) -> &[Watch] {
        &self.watches
    }

    pub(crate) fn watch(&self, index: usize) -> &Watch {
        &self.watches[index]
    }

    pub(crate) fn watch_mut(&mut self, index: usize) -> &mut Watch {
        &mut self.watches[index]
    }

    /// Takes the result of a try in; says so if it changes the target's state.
    pub(crate) fn fire(&mut self, index: usize, result: &ProbeResult, now: Now) -> Option<Change> {
        let change = self.watches[index].fsm.fire(result, now)?;
        self.counts[change.from.index()] -= 1;
        self.counts[change.to.index()] += 1;
        self.changes += 1;
        Some(change)
    }

    /// How often a target has changed its state: as long as this is the same, all states are.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// How many targets are in each state, by [`State::index`].
    pub(crate) fn counts(&self) -> [usize; 4] {
        self.counts
    }

    /// The worst state of all targets.
    pub(crate) fn worst(&self) -> State {
        State::ALL
            .into_iter()
            .filter(|state| self.counts[state.index()] > 0)
            .max_by_key(|state| state.severity())
            .unwrap_or(State::Unknown)
    }

    /// The target of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Watch> {
        self.watches.iter().find(|watch| watch.name() == name)
    }
}

/// A probe for tests of the floors above: it has a name and never gets anywhere.
#[cfg(test)]
pub(crate) mod mute {
    use super::*;
    use crate::probe::{Input, Output};

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
mod tests {
    use super::mute::Mute;
    use super::*;
    use crate::clock::test_now;
    use crate::verdict::Reason;

    const S: Duration = Duration::from_secs(1);

    fn fleet(intervals: &[u32], now: Now) -> Fleet {
        let monitor = |s: &u32| Monitor::new(Mute("m")).interval(S * *s);
        Fleet::new(intervals.iter().map(monitor).collect(), now)
    }

    #[test]
    fn first_beats_are_spread_and_the_first_is_at_once() {
        let now = test_now();
        let fleet = fleet(&[8, 8, 8, 8], now);
        let offsets: Vec<_> = fleet.watches().iter().map(|w| w.beat() - now.instant).collect();
        assert_eq!(offsets, [Duration::ZERO, S * 2, S * 4, S * 6]);
    }

    #[test]
    fn beats_stay_on_the_grid_and_missed_ones_are_skipped() {
        let t0 = test_now();
        let mut fleet = fleet(&[5], t0);
        let watch = fleet.watch_mut(0);
        for (now, next) in [
            (0, 5000),
            (5000, 10_000),
            (10_007, 15_000),
            (14_000, 15_000),
            (61_234, 65_000),
            (65_000, 70_000),
        ] {
            watch.advance(t0.after(Duration::from_millis(now)).instant);
            assert_eq!(watch.beat() - t0.instant, Duration::from_millis(next), "at {now}");
        }
    }

    #[test]
    fn a_monitor_has_the_usual_interval_and_history_unless_told_otherwise() {
        let now = test_now();
        let quick = Monitor::new(Mute("quick")).interval(Duration::ZERO);
        for (monitor, interval) in [(Monitor::new(Mute("m")), S * 5), (quick, INTERVAL_MIN)] {
            let mut fleet = Fleet::new(vec![monitor], now);
            fleet.watch_mut(0).advance(now.instant);
            assert_eq!(fleet.watch(0).beat() - now.instant, interval);
            for _ in 0..30 {
                fleet.fire(0, &ProbeResult::up(S, "fine"), now);
            }
            assert_eq!(fleet.watch(0).fsm().recent().len(), 20);
        }
    }

    #[test]
    fn spans_without_end_are_cut() {
        let now = test_now();
        let monitor = || Monitor::new(Mute("m")).interval(Duration::MAX);
        let mut fleet = Fleet::new(vec![monitor(), monitor()], now);
        fleet.watch_mut(0).advance(now.instant);
        assert_eq!(fleet.watch(0).beat() - now.instant, INTERVAL_MAX);
        assert_eq!(fleet.watch(1).beat() - now.instant, INTERVAL_MAX / 2);
        let endless = crate::probe::blocking::blocking("endless", || true).within(Duration::MAX);
        assert_eq!(Fleet::new(vec![Monitor::new(endless)], now).watch(0).timeout(), TIMEOUT_MAX);
    }

    #[test]
    fn counts_follow_the_states_and_the_worst_one_wins() {
        let now = test_now();
        let mut fleet = fleet(&[5, 5, 5], now);
        assert_eq!((fleet.counts(), fleet.worst()), ([3, 0, 0, 0], State::Unknown));
        let up = ProbeResult::up(S, "fine");
        let down = ProbeResult::down(Reason::Refused, "no");
        fleet.fire(0, &up, now);
        assert_eq!((fleet.counts(), fleet.worst()), ([2, 1, 0, 0], State::Unknown));
        fleet.fire(1, &up, now);
        fleet.fire(2, &up, now);
        assert_eq!(fleet.worst(), State::Up);
        fleet.fire(2, &down, now);
        assert_eq!((fleet.counts(), fleet.worst()), ([0, 2, 1, 0], State::Degraded));
        fleet.fire(2, &down, now);
        assert_eq!((fleet.counts(), fleet.worst()), ([0, 2, 0, 1], State::Down));
    }
}
