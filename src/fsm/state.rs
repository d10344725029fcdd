//! The state of a target, and the event of a check.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::result::ParseError;

/// The state of a target, ordered by severity: up < unknown < degraded < down. The worst of several states
/// is their maximum.
///
/// ```
/// use pingstate::State;
///
/// let words = State::ALL.map(State::as_str);
/// assert_eq!(words, ["unknown", "up", "degraded", "down"]);
/// assert_eq!(State::Up.to_string(), "up");
/// assert_eq!("down".parse(), Ok(State::Down));
/// assert_eq!([State::Up, State::Degraded, State::Unknown].into_iter().max(), Some(State::Degraded));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Not checked yet, or paused.
    Unknown,
    /// The target is healthy.
    Up,
    /// Checks fail, but too few in a row for down; or they succeed, but the target is slow.
    Degraded,
    /// The first check failed, or checks keep failing.
    Down,
}

impl State {
    /// All states, in the order of the API: that of severity is given by [`Ord`].
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

    pub(crate) fn index(self) -> usize {
        self as usize
    }

    fn severity(self) -> u8 {
        match self {
            State::Up => 0,
            State::Unknown => 1,
            State::Degraded => 2,
            State::Down => 3,
        }
    }
}

impl Ord for State {
    fn cmp(&self, other: &Self) -> Ordering {
        self.severity().cmp(&other.severity())
    }
}

impl PartialOrd for State {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for State {
    type Err = ParseError;

    /// Parses the word of [`State::as_str`]; case matters.
    fn from_str(word: &str) -> Result<State, ParseError> {
        State::ALL.into_iter().find(|state| state.as_str() == word).ok_or(ParseError("state"))
    }
}

/// The result of one check, as the input of the state machine.
///
/// ```
/// use pingstate::Event;
///
/// assert_eq!([Event::Ok, Event::Fail].map(Event::as_str), ["ok", "fail"]);
/// assert_eq!("fail".parse(), Ok(Event::Fail));
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

impl FromStr for Event {
    type Err = ParseError;

    /// Parses the word of [`Event::as_str`]; case matters.
    fn from_str(word: &str) -> Result<Event, ParseError> {
        [Event::Ok, Event::Fail].into_iter().find(|event| event.as_str() == word).ok_or(ParseError("event"))
    }
}
