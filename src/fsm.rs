//! The state machine of a target: it derives the state from the results of checks.

mod history;
mod last;
mod span;
mod tally;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Now;
use crate::result::{ProbeResult, Reason, printable};
pub(crate) use history::History;
pub(crate) use last::Last;
pub(crate) use tally::Tally;

/// The state of a target.
///
/// ```
/// use pingstate::State;
///
/// let words = State::ALL.map(State::as_str);
/// assert_eq!(words, ["unknown", "up", "degraded", "down"]);
/// assert_eq!(State::Up.to_string(), "up");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Not checked yet.
    Unknown,
    /// The target is healthy.
    Up,
    /// Checks fail, but too few in a row for down; or they succeed, but the target is slow.
    Degraded,
    /// The first check failed, or checks keep failing.
    Down,
}

impl State {
    /// All states.
    pub const ALL: [State; 4] = [State::Unknown, State::Up, State::Degraded, State::Down];

    /// The state as one lower-case word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Unknown => "unknown",
            State::Up => "up",
            State::Degraded => "degraded",
            State::Down => "down",
        }
    }

    /// The index in [`State::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// The severity: up < unknown < degraded < down.
    pub(crate) fn severity(self) -> u8 {
        match self {
            State::Up => 0,
            State::Unknown => 1,
            State::Degraded => 2,
            State::Down => 3,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The result of one check, as the input of the state machine.
///
/// ```
/// use pingstate::Event;
///
/// assert_eq!([Event::Ok, Event::Fail].map(Event::as_str), ["ok", "fail"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// The check succeeded.
    Ok,
    /// The check failed.
    Fail,
}

impl Event {
    /// The event as one lower-case word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Event::Ok => "ok",
            Event::Fail => "fail",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// (state, event, number of consecutive events of this kind) → state.
type Rule = Arc<dyn Fn(State, Event, u32) -> State + Send + Sync>;

/// The rules for state changes.
///
/// ```
/// use pingstate::{Event, PingFsm, Policy, State};
///
/// // Three failures in a row until down, three successes in a row until up.
/// let careful = Policy::Thresholds { fall: 3, rise: 3 };
///
/// // No degraded state. Other combinations keep the state.
/// let plain = Policy::Table(vec![
///     (State::Unknown, Event::Ok, State::Up),
///     (State::Unknown, Event::Fail, State::Down),
///     (State::Up, Event::Fail, State::Down),
///     (State::Down, Event::Ok, State::Up),
/// ]);
///
/// let follow = |policy| {
///     let mut fsm = PingFsm::with(State::Unknown, policy, PingFsm::HISTORY);
///     [Event::Ok, Event::Fail, Event::Ok].map(|event| fsm.fire(event, None, "").as_str())
/// };
/// assert_eq!(follow(Policy::default()), ["up", "degraded", "up"]);
/// assert_eq!(follow(careful), ["up", "degraded", "up"]);
/// assert_eq!(follow(plain), ["up", "down", "up"]);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Policy {
    /// From unknown, the first result leads to up or down. A failure changes up to degraded, and `fall`
    /// consecutive failures lead to down. `rise` consecutive successes change down to up, one changes degraded
    /// to up. 0 counts as 1.
    Thresholds {
        /// Consecutive failures until down.
        fall: u32,
        /// Consecutive successes that leave down.
        rise: u32,
    },
    /// A table: the first row that matches (state, event) gives the next state; without a match, the state
    /// does not change.
    Table(Vec<(State, Event, State)>),
    /// A closure; see [`Policy::function`].
    Function(Rule),
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Policy::Thresholds { fall, rise } => write!(f, "Thresholds {{ fall: {fall}, rise: {rise} }}"),
            Policy::Table(rows) => f.debug_tuple("Table").field(rows).finish(),
            Policy::Function(_) => f.write_str("Function"),
        }
    }
}

impl Default for Policy {
    /// Two consecutive failures until down, one success until up.
    fn default() -> Self {
        Policy::Thresholds { fall: Policy::FALL, rise: Policy::RISE }
    }
}

impl Policy {
    /// The default of `fall` in [`Policy::Thresholds`].
    pub const FALL: u32 = 2;
    /// The default of `rise` in [`Policy::Thresholds`].
    pub const RISE: u32 = 1;
    /// A closure that receives the state, the event and the number of consecutive events of this kind, and
    /// returns the next state. If it panics, the state does not change. It runs on the event loop and must not
    /// block.
    ///
    /// ```
    /// use pingstate::{Event, PingFsm, Policy, State};
    ///
    /// // Up or down only; down after five consecutive failures.
    /// let policy = Policy::function(|state, event, streak| match (event, streak) {
    ///     (Event::Ok, _) => State::Up,
    ///     (Event::Fail, 5..) => State::Down,
    ///     (Event::Fail, _) => state,
    /// });
    /// let mut fsm = PingFsm::with(State::Up, policy, 10);
    /// assert_eq!([(); 5].map(|()| fsm.fire(Event::Fail, None, ""))[3..], [State::Up, State::Down]);
    /// ```
    #[must_use]
    pub fn function(rule: impl Fn(State, Event, u32) -> State + Send + Sync + 'static) -> Self {
        Policy::Function(Arc::new(rule))
    }

    fn next(&self, state: State, event: Event, streak: u32) -> State {
        match self {
            Policy::Thresholds { fall, rise } => match (state, event) {
                (State::Unknown, Event::Fail) => State::Down,
                (State::Down, Event::Fail) => State::Down,
                (State::Up | State::Degraded, Event::Fail) if streak >= *fall => State::Down,
                (State::Up | State::Degraded, Event::Fail) => State::Degraded,
                (State::Down, Event::Ok) if streak < *rise => State::Down,
                (_, Event::Ok) => State::Up,
            },
            Policy::Table(rows) => rows
                .iter()
                .find(|(from, on, _)| (*from, *on) == (state, event))
                .map_or(state, |(_, _, to)| *to),
            Policy::Function(rule) => {
                catch_unwind(AssertUnwindSafe(|| rule(state, event, streak))).unwrap_or(state)
            }
        }
    }
}

/// One check in the history, see [`Snapshot::recent`](crate::Snapshot::recent).
///
/// ```
/// use pingstate::{Event, PingFsm, State};
///
/// let mut fsm = PingFsm::new();
/// fsm.fire(Event::Fail, None, "no answer");
/// let recent = fsm.snapshot().recent;
/// assert_eq!((recent[0].event, recent[0].state), (Event::Fail, State::Down));
/// assert_eq!(&*recent[0].detail, "no answer");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Check {
    /// When it ended, by the wall clock, as the time since 1970, rounded to milliseconds.
    pub unix: Duration,
    /// Whether it succeeded.
    pub event: Event,
    /// The state after it.
    pub state: State,
    /// The detail of its result.
    pub detail: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) previous_state_duration: Duration,
}

impl Change {
    /// Whether the target was not checked before.
    pub(crate) fn is_first(&self) -> bool {
        self.from == State::Unknown
    }
}

/// The state machine of one target, with its history and counters.
#[derive(Clone, Debug)]
pub(crate) struct Fsm {
    policy: Policy,
    /// The state by the policy alone, without regard to slowness.
    policy_state: State,
    /// Makes the state degraded if `policy_state` is up.
    slow: bool,
    state: State,
    state_since: Instant,
    streak: u32,
    last: Option<Last>,
    recent: History,
    tally: Tally,
}

impl Fsm {
    /// The default length of the history, in checks.
    pub(crate) const HISTORY: usize = 20;

    pub(crate) fn new(initial: State, policy: Policy, history: usize, now: Now) -> Self {
        Fsm {
            policy,
            policy_state: initial,
            slow: false,
            state: initial,
            state_since: now.instant,
            streak: 0,
            last: None,
            recent: History::new(history),
            tally: Tally::default(),
        }
    }

    /// Processes one result; returns the change of the state, if any.
    pub(crate) fn fire(&mut self, result: &ProbeResult, now: Now) -> Option<Change> {
        let event = if result.ok { Event::Ok } else { Event::Fail };
        let same = self.last.as_ref().is_some_and(|last| last.event == event);
        self.streak = if same { self.streak.saturating_add(1) } else { 1 };
        let detail = match &self.last {
            // Consecutive results often have the same detail: the history shares one copy of it.
            Some(last) if *last.detail == *result.detail => last.detail.clone(),
            _ => Arc::from(printable(&result.detail, ProbeResult::DETAIL_MAX)),
        };
        self.policy_state = self.policy.next(self.policy_state, event, self.streak);
        let to =
            if self.slow && self.policy_state == State::Up { State::Degraded } else { self.policy_state };
        let change = (to != self.state).then(|| Change {
            from: self.state,
            to,
            previous_state_duration: self.time_in_state(now),
        });
        if let Some(change) = &change {
            self.tally.note_change(change);
            self.state = to;
            self.state_since = now.instant;
        }
        // Results that a program makes need not have a reason.
        let reason = (!result.ok).then(|| result.reason.unwrap_or(Reason::Custom));
        self.tally.note_check(event, reason);
        self.recent.push(Check { unix: now.unix, event, state: to, detail: detail.clone() });
        self.last = Some(Last {
            event,
            detail,
            latency: result.latency,
            at: now,
            reason,
            phases: result.phases.into(),
            address: result.address,
            http_status: result.http_status,
            http10: result.http10,
            tls_not_after: result.tls_not_after,
        });
        change
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// The state by the policy alone, without regard to slowness.
    pub(crate) fn policy_state(&self) -> State {
        self.policy_state
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.slow
    }

    /// Sets whether the target is slow; takes effect with the next result.
    pub(crate) fn set_slow(&mut self, slow: bool) {
        self.slow = slow;
    }

    pub(crate) fn time_in_state(&self, now: Now) -> Duration {
        now.instant.saturating_duration_since(self.state_since)
    }

    pub(crate) fn transitions(&self) -> u64 {
        self.tally.to.iter().sum()
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The total time spent in `state`, including the current one.
    pub(crate) fn time_in(&self, state: State, now: Now) -> Duration {
        let time_in_state = if state == self.state { self.time_in_state(now) } else { Duration::ZERO };
        self.tally.previous_state_duration(state).saturating_add(time_in_state)
    }

    pub(crate) fn last(&self) -> Option<&Last> {
        self.last.as_ref()
    }

    pub(crate) fn recent(&self) -> &History {
        &self.recent
    }
}

#[cfg(test)]
mod tests;
