//! What a target's checks must add up to, told anew from the contract: the judge of the real one.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::plan::{MS, TargetPlan};
use super::schedule::Mind;
use crate::clock::Now;
use crate::fsm::{Event, Fsm, Policy, State};
use crate::result::{ProbeResult, Reason};

/// One target's life on paper.
pub(super) struct Model {
    pub(super) state: State,
    policy: Policy,
    /// What the policy says, which knows nothing of slowness.
    judged: State,
    /// How fast a healthy answer must be, as it is now and once it has been slow.
    slow: Option<(u64, u64)>,
    pub(super) is_slow: bool,
    /// The last healthy answer had a warning.
    is_warned: bool,
    transitions: u64,
    oks: u64,
    pub(super) without_result: u64,
    /// What the last check with a result says beside the state.
    pub(super) mind: Mind,
    fails: BTreeMap<Reason, u64>,
    entered: [u64; 4],
    oks_in_a_row: u32,
    fails_in_a_row: u32,
    recent: VecDeque<(Duration, bool, State, String)>,
    history: usize,
    /// When it began, and when the state was entered.
    born: u64,
    since: u64,
}

impl Model {
    pub(super) fn new(target: &TargetPlan, born: u64) -> Self {
        let slow = target.rules.slow.map(|slow| (slow, target.rules.slow_clear.unwrap_or(slow)));
        Model {
            state: target.initial,
            policy: target.policy.clone(),
            judged: target.initial,
            slow,
            is_slow: false,
            is_warned: false,
            transitions: 0,
            oks: 0,
            without_result: 0,
            mind: Mind::Settled,
            fails: BTreeMap::new(),
            entered: [0; 4],
            oks_in_a_row: 0,
            fails_in_a_row: 0,
            recent: VecDeque::new(),
            history: target.history,
            born,
            since: born,
        }
    }

    /// What is told of a result: the same, or that it is slow.
    pub(super) fn weigh(&mut self, result: &ProbeResult) -> String {
        let detail = result.detail.clone();
        if result.ok {
            self.is_warned = result.warnings.degrade();
        }
        let (Some((slow, clear)), Some(latency), true) = (self.slow, result.latency, result.ok) else {
            return detail;
        };
        let limit = if self.is_slow { clear } else { slow };
        self.is_slow = latency.as_nanos() > u128::from(limit);
        if !self.is_slow {
            return detail;
        }
        // A millionth of a second at the least.
        let shown = format!("{}.{:03}", limit / MS, limit % MS / 1000);
        let shown = shown.trim_end_matches('0').trim_end_matches('.');
        format!("{detail}, slow (over {shown} ms)")
    }

    /// Takes a result in; gives the states before and after and how long the one before lasted, if
    /// they differ.
    pub(super) fn fire(
        &mut self,
        reason: Option<Reason>,
        detail: &str,
        at: u64,
        unix: Duration,
    ) -> Option<(State, State, u64)> {
        match reason {
            None => {
                self.oks += 1;
                self.oks_in_a_row += 1;
                self.fails_in_a_row = 0;
            }
            Some(reason) => {
                *self.fails.entry(reason).or_default() += 1;
                self.fails_in_a_row += 1;
                self.oks_in_a_row = 0;
            }
        }
        self.judged = self.follows(reason.is_none());
        self.mind = self.last_mind();
        let is_dulled = (self.is_slow || self.is_warned) && self.judged == State::Up;
        let state = if is_dulled { State::Degraded } else { self.judged };
        self.remember(state, reason, detail, at, unix)
    }

    /// A failure that is held: the same, but nothing is known of the target now.
    pub(super) fn hold(
        &mut self,
        reason: Option<Reason>,
        detail: &str,
        at: u64,
        unix: Duration,
    ) -> Option<(State, State, u64)> {
        *self.fails.entry(reason.expect("a failure")).or_default() += 1;
        self.oks_in_a_row = 0;
        self.mind = if self.judged == State::Down { Mind::Down } else { Mind::Settled };
        self.remember(State::Unknown, reason, detail, at, unix)
    }

    fn remember(
        &mut self,
        state: State,
        reason: Option<Reason>,
        detail: &str,
        at: u64,
        unix: Duration,
    ) -> Option<(State, State, u64)> {
        let before = std::mem::replace(&mut self.state, state);
        let ms = u64::try_from((unix.as_nanos() + 500_000) / 1_000_000).expect("a time of this simulation");
        self.recent.push_back((Duration::from_millis(ms), reason.is_none(), state, detail.to_owned()));
        while self.recent.len() > self.history {
            self.recent.pop_front();
        }
        if before == state {
            return None;
        }
        self.transitions += 1;
        self.entered[state as usize] += 1;
        let previous_state_duration = at - self.since;
        self.since = at;
        Some((before, state, previous_state_duration))
    }

    /// It is not checked for some time; gives the state before if that was another one.
    pub(super) fn pause(&mut self, at: u64) -> Option<State> {
        (self.oks_in_a_row, self.fails_in_a_row) = (0, 0);
        let before = std::mem::replace(&mut self.state, State::Unknown);
        if before == State::Unknown {
            return None;
        }
        self.transitions += 1;
        self.entered[State::Unknown as usize] += 1;
        self.since = at;
        Some(before)
    }

    fn follows(&self, ok: bool) -> State {
        let (fall, rise) = match &self.policy {
            Policy::Thresholds { fall, rise } => ((*fall).max(1), (*rise).max(1)),
            Policy::Table(rows) => {
                for (from, event, to) in rows {
                    if *from == self.judged && (*event == Event::Ok) == ok {
                        return *to;
                    }
                }
                return self.judged;
            }
            other => unreachable!("no target here follows {other:?}"),
        };
        if ok {
            let must_rise_first = self.judged == State::Down && self.oks_in_a_row < rise;
            return if must_rise_first { State::Down } else { State::Up };
        }
        match self.judged {
            State::Unknown | State::Down => State::Down,
            _ if self.fails_in_a_row >= fall => State::Down,
            _ => State::Degraded,
        }
    }

    fn last_mind(&self) -> Mind {
        match (self.judged, self.fails_in_a_row > 0) {
            (State::Down, true) => Mind::Down,
            (State::Down, false) | (State::Up | State::Degraded, true) => Mind::Doubt,
            _ => Mind::Settled,
        }
    }

    /// Holds the real one against it.
    pub(super) fn compare(&self, real: &Fsm, target: usize, now: Now, at: u64) {
        let counters = real.counters();
        let fails: u64 = self.fails.values().sum();
        assert_eq!(counters.checks, [self.oks, fails], "checks of target {target}");
        assert_eq!(
            counters.without_result, self.without_result,
            "checks of target {target} without a result"
        );
        assert!(counters.failures.iter().copied().eq(self.fails.clone()), "failures of target {target}");
        assert_eq!(counters.changes_to, self.entered, "changes of target {target}");
        let spent: Duration = State::ALL.iter().map(|state| real.time_in(*state, now)).sum();
        assert_eq!(spent, Duration::from_nanos(at - self.born), "the time of target {target} in all states");
        assert_eq!(real.state(), self.state, "state of target {target}");
        assert_eq!(real.transitions(), self.transitions, "transitions of target {target}");
        assert_eq!(real.recent().len(), self.recent.len(), "history of target {target}");
        for (real, (unix, ok, state, detail)) in real.recent().iter().zip(&self.recent) {
            assert_eq!(
                (real.unix(), real.event() == Event::Ok, real.state(), &*real.detail),
                (*unix, *ok, *state, detail.as_str()),
                "history of target {target}"
            );
        }
    }
}

/// The worst of these states: down, degraded, unknown, up.
pub(super) fn worst(states: impl Iterator<Item = State> + Clone) -> State {
    let order = [State::Down, State::Degraded, State::Unknown, State::Up];
    order.into_iter().find(|state| states.clone().any(|other| other == *state)).unwrap_or(State::Unknown)
}
