//! The rules for state changes.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Event, State};

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

    pub(super) fn next(&self, state: State, event: Event, streak: u32) -> State {
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
