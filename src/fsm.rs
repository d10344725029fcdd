//! The state machine: what a series of results adds up to.

mod history;
mod last;
mod span;
mod tally;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Now;
use crate::result::{DETAIL_MAX, ProbeResult, Reason, printable};
pub(crate) use history::History;
pub(crate) use last::Last;
pub(crate) use tally::Tally;

/// How many results the history holds unless told otherwise.
pub const HISTORY: usize = 20;

/// What is known about a target.
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
    /// The last check that mattered succeeded.
    Up,
    /// It was up, and has failed since, but not often enough to be down.
    Degraded,
    /// It keeps failing.
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

    /// The state's place in [`State::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// How bad the state is: down, degraded, unknown, up, from worst to best.
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

/// What one check says to the state machine.
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

/// A rule of the library's user: (state, event, how many times in a row it has been seen now) → state.
type Rule = Arc<dyn Fn(State, Event, u32) -> State + Send + Sync>;

/// Which state follows which.
///
/// ```
/// use pingstate::{Event, HISTORY, PingFsm, Policy, State};
///
/// // Three failures in a row until down, and three successes to believe that it is back.
/// let careful = Policy::Thresholds { fall: 3, rise: 3 };
///
/// // No degraded tier. What is not in the table changes nothing.
/// let plain = Policy::Table(vec![
///     (State::Unknown, Event::Ok, State::Up),
///     (State::Unknown, Event::Fail, State::Down),
///     (State::Up, Event::Fail, State::Down),
///     (State::Down, Event::Ok, State::Up),
/// ]);
///
/// let follow = |policy| {
///     let mut fsm = PingFsm::with(State::Unknown, policy, HISTORY);
///     [Event::Ok, Event::Fail, Event::Ok].map(|event| fsm.fire(event, None, "").as_str())
/// };
/// assert_eq!(follow(Policy::default()), ["up", "degraded", "up"]);
/// assert_eq!(follow(careful), ["up", "degraded", "up"]);
/// assert_eq!(follow(plain), ["up", "down", "up"]);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Policy {
    /// The usual rules: the first result decides; a failure makes `up` degraded, `fall` failures in
    /// a row make it down; `rise` successes in a row leave down, one leaves degraded. Zero counts
    /// as one.
    Thresholds {
        /// Consecutive failures until down.
        fall: u32,
        /// Consecutive successes that leave down.
        rise: u32,
    },
    /// A table: the first row that matches (state, event) gives the next state; where none does,
    /// the state stays.
    Table(Vec<(State, Event, State)>),
    /// A rule of its own; see [`Policy::function`].
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
    /// Two failures in a row until down, one success to leave it.
    fn default() -> Self {
        Policy::Thresholds { fall: Policy::FALL, rise: Policy::RISE }
    }
}

impl Policy {
    /// The default of [`Policy::Thresholds`].
    pub const FALL: u32 = 2;
    /// The default of [`Policy::Thresholds`].
    pub const RISE: u32 = 1;
    /// A rule that is told the state, the event and how many times in a row that event has now been
    /// seen, and says which state follows. If it panics, the state stays. It runs on the loop: it must
    /// not block.
    ///
    /// ```
    /// use pingstate::{Event, PingFsm, Policy, State};
    ///
    /// // Up or down, and five failures in a row to lose faith.
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

    /// The state that follows `state` when `event` has now been seen `streak` times in a row.
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

/// One remembered check, as [`Snapshot::recent`](crate::Snapshot::recent) lists them.
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
    /// When it ended, on the wall clock, as the time since 1970, to the millisecond.
    pub unix: Duration,
    /// What it said.
    pub event: Event,
    /// The state it led to.
    pub state: State,
    /// What was seen.
    pub detail: Arc<str>,
}

/// A change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) from: State,
    pub(crate) to: State,
    /// How long the state before it lasted.
    pub(crate) previous_state_duration: Duration,
}

impl Change {
    /// Whether it is the one that the first check makes of a target of which nothing was known.
    pub(crate) fn is_first(&self) -> bool {
        self.from == State::Unknown
    }
}

/// The state of one target and how it came to it.
#[derive(Clone, Debug)]
pub(crate) struct Fsm {
    policy: Policy,
    /// What the policy says: the state, but for slowness.
    policy_state: State,
    /// Successes make it degraded where the policy says up.
    slow: bool,
    state: State,
    since: Instant,
    streak: u32,
    last: Option<Last>,
    recent: History,
    tally: Tally,
}

impl Fsm {
    pub(crate) fn new(initial: State, policy: Policy, history: usize, now: Now) -> Self {
        Fsm {
            policy,
            policy_state: initial,
            slow: false,
            state: initial,
            since: now.instant,
            streak: 0,
            last: None,
            recent: History::new(history),
            tally: Tally::default(),
        }
    }

    /// Takes one result in; says so if it changes the state.
    pub(crate) fn fire(&mut self, result: &ProbeResult, now: Now) -> Option<Change> {
        let event = if result.ok { Event::Ok } else { Event::Fail };
        let same = self.last.as_ref().is_some_and(|last| last.event == event);
        self.streak = if same { self.streak.saturating_add(1) } else { 1 };
        let detail = match &self.last {
            // A healthy target says the same thing for months: the history shares one copy of it.
            Some(last) if *last.detail == *result.detail => last.detail.clone(),
            _ => Arc::from(printable(&result.detail, DETAIL_MAX)),
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
            self.since = now.instant;
        }
        // A failure that a program has made up need not have a reason.
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

    /// The state that the policy has led to: healthy targets that are slow are up there.
    pub(crate) fn policy_state(&self) -> State {
        self.policy_state
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.slow
    }

    /// Says, before a result is taken in, whether the target is slow; it stays so until told otherwise.
    pub(crate) fn set_slow(&mut self, slow: bool) {
        self.slow = slow;
    }

    /// How long the state has lasted.
    pub(crate) fn time_in_state(&self, now: Now) -> Duration {
        now.instant.saturating_duration_since(self.since)
    }

    pub(crate) fn transitions(&self) -> u64 {
        self.tally.to.iter().sum()
    }

    /// What has been counted since the start.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How long it has been in this state by now, all stays together.
    pub(crate) fn time_in(&self, state: State, now: Now) -> Duration {
        let time_in_state = if state == self.state { self.time_in_state(now) } else { Duration::ZERO };
        self.tally.previous_state_duration(state).saturating_add(time_in_state)
    }

    pub(crate) fn last(&self) -> Option<&Last> {
        self.last.as_ref()
    }

    /// The remembered checks.
    pub(crate) fn recent(&self) -> &History {
        &self.recent
    }
}

#[cfg(test)]
mod tests;
