//! The state machine alone, without an event loop, for programs that check by other means.

use std::time::Duration;

use crate::fsm::{Event, Fsm, Policy, State};
use crate::reactor;
use crate::result::{ProbeResult, Reason};
use crate::snapshot::{Snapshot, View};

/// A state machine for results that the program passes to it.
///
/// ```
/// # use std::net::TcpListener;
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// use pingstate::{PingFsm, State, probe};
///
/// let target = probe("tcp", "127.0.0.1", port).build()?;
/// let mut fsm = PingFsm::new();
/// for _ in 0..3 {
///     let state = fsm.fire_result(&target.check());
///     assert_eq!(state, State::Up);
///     // Do other work …
/// }
/// assert_eq!((fsm.snapshot().recent.len(), fsm.snapshot().transitions), (3, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PingFsm {
    fsm: Fsm,
    name: String,
}

impl Default for PingFsm {
    fn default() -> Self {
        PingFsm::new()
    }
}

impl PingFsm {
    /// The default length of the history, in checks: 20.
    pub const HISTORY: usize = Fsm::HISTORY;

    /// Starts in [`State::Unknown`] with the default [`Policy`] and a history of [`PingFsm::HISTORY`] checks.
    #[must_use]
    pub fn new() -> Self {
        PingFsm::with(State::Unknown, Policy::default(), Self::HISTORY)
    }

    /// Starts in `initial` with this policy and a history of `history` checks.
    ///
    /// ```
    /// use pingstate::{PingFsm, Policy, State};
    ///
    /// let policy = Policy::Thresholds { fall: 1, rise: 1 };
    /// assert_eq!(PingFsm::with(State::Up, policy, PingFsm::HISTORY).state(), State::Up);
    /// ```
    #[must_use]
    pub fn with(initial: State, policy: Policy, history: usize) -> Self {
        PingFsm { fsm: Fsm::new(initial, policy, history, reactor::now()), name: String::new() }
    }

    /// Sets `name` and `url` of its snapshots.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Processes a check; returns the state after it.
    ///
    /// ```
    /// use pingstate::{Event, PingFsm, State};
    /// use std::time::Duration;
    ///
    /// let mut fsm = PingFsm::new();
    /// assert_eq!(fsm.fire(Event::Ok, Some(Duration::from_millis(3)), "pong"), State::Up);
    /// assert_eq!(fsm.fire(Event::Fail, None, "no answer"), State::Degraded);
    /// assert_eq!(fsm.fire(Event::Fail, None, "no answer"), State::Down);
    /// ```
    pub fn fire(&mut self, event: Event, latency: Option<Duration>, detail: &str) -> State {
        let mut result = match event {
            Event::Ok => ProbeResult::up(Duration::ZERO, detail),
            Event::Fail => ProbeResult::down(Reason::Custom, detail),
        };
        result.latency = latency;
        self.fire_result(&result)
    }

    /// Processes the result of a check; returns the state after it.
    pub fn fire_result(&mut self, result: &ProbeResult) -> State {
        self.fsm.fire(result, reactor::now());
        self.fsm.state()
    }

    /// The current state.
    #[must_use]
    pub fn state(&self) -> State {
        self.fsm.state()
    }

    /// The current snapshot, like that of a monitor.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        View::of(&self.name, &self.name, &self.fsm, reactor::now()).to_snapshot()
    }
}
