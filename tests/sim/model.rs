//! What a target's checks must add up to, told anew from the contract: the judge of the real one.

use std::collections::VecDeque;
use std::time::Duration;

use crate::fsm::{Event, Fsm, Policy, State};

/// One target's life on paper.
pub(super) struct Model {
    pub(super) state: State,
    policy: Policy,
    transitions: u64,
    oks_in_a_row: u32,
    fails_in_a_row: u32,
    recent: VecDeque<(Duration, bool, State, String)>,
    history: usize,
    /// When the state was entered.
    since: u64,
}

impl Model {
    pub(super) fn new(initial: State, policy: Policy, history: usize) -> Self {
        Model {
            state: initial,
            policy,
            transitions: 0,
            oks_in_a_row: 0,
            fails_in_a_row: 0,
            recent: VecDeque::new(),
            history,
            since: 0,
        }
    }

    /// Takes a verdict in; gives the states before and after and how long the one before lasted, if
    /// they differ.
    pub(super) fn fire(
        &mut self,
        ok: bool,
        detail: &str,
        at: u64,
        unix: Duration,
    ) -> Option<(State, State, u64)> {
        if ok {
            self.oks_in_a_row += 1;
            self.fails_in_a_row = 0;
        } else {
            self.fails_in_a_row += 1;
            self.oks_in_a_row = 0;
        }
        let before = self.state;
        self.state = self.follows(ok);
        let whole_ms = u64::try_from((unix.as_nanos() + 500_000) / 1_000_000).expect("a time of this world");
        self.recent.push_back((Duration::from_millis(whole_ms), ok, self.state, detail.to_owned()));
        while self.recent.len() > self.history {
            self.recent.pop_front();
        }
        if before == self.state {
            return None;
        }
        self.transitions += 1;
        let lasted = at - self.since;
        self.since = at;
        Some((before, self.state, lasted))
    }

    fn follows(&self, ok: bool) -> State {
        let (fall, rise) = match &self.policy {
            Policy::Thresholds { fall, rise } => ((*fall).max(1), (*rise).max(1)),
            Policy::Table(rows) => {
                for (from, event, to) in rows {
                    if *from == self.state && (*event == Event::Ok) == ok {
                        return *to;
                    }
                }
                return self.state;
            }
            other => unreachable!("no target here follows {other:?}"),
        };
        if ok {
            let must_rise_first = self.state == State::Down && self.oks_in_a_row < rise;
            return if must_rise_first { State::Down } else { State::Up };
        }
        match self.state {
            State::Unknown | State::Down => State::Down,
            _ if self.fails_in_a_row >= fall => State::Down,
            _ => State::Degraded,
        }
    }

    /// Holds the real one against it.
    pub(super) fn compare(&self, real: &Fsm, target: usize) {
        assert_eq!(real.state(), self.state, "state of target {target}");
        assert_eq!(real.transitions(), self.transitions, "transitions of target {target}");
        assert_eq!(real.recent().len(), self.recent.len(), "history of target {target}");
        for (real, (unix, ok, state, detail)) in real.recent().iter().zip(&self.recent) {
            assert_eq!(
                (real.unix, real.event == Event::Ok, real.state, &*real.detail),
                (*unix, *ok, *state, detail.as_str()),
                "history of target {target}"
            );
        }
    }
}

/// The worst of these states: down, degraded, unknown, up.
pub(super) fn worst(models: &[Model]) -> State {
    let order = [State::Down, State::Degraded, State::Unknown, State::Up];
    order.into_iter().find(|state| models.iter().any(|model| model.state == *state)).unwrap_or(State::Unknown)
}
