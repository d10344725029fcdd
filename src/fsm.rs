//! The state machine of a target: it derives the state from the results of checks.

mod policy;
mod recent;
mod saved;
mod state;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::clock::Now;
use crate::result::{
    DnsResponse, Phases, PingStats, ProbeResult, ProbeWarning, ProbeWarnings, Reason, TlsVersion,
};
use crate::text::printable;
pub use policy::Policy;
pub use recent::Check;
use saved::Restored;
pub(crate) use saved::SavedFsm;
pub use state::{Event, State};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) previous_state_duration: Duration,
}

/// They never decrease.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    /// Checks by [`Event`].
    pub(crate) checks: [u64; 2],
    /// Checks without a result, because of this machine.
    pub(crate) without_result: u64,
    /// Failed checks by reason, sorted, without those that never occurred.
    pub(crate) failures: Vec<(Reason, u64)>,
    /// The sum of the latencies of checks that have one, and their number.
    pub(crate) latency_sum: Duration,
    pub(crate) latencies: u64,
    /// Changes by the new state's [`State::index`].
    pub(crate) changes_to: [u64; 4],
    /// The time in each state without the current period, by [`State::index`].
    time_in: [Duration; 4],
}

impl Counters {
    fn count_check(&mut self, event: Event, reason: Option<Reason>) {
        self.checks[event as usize] += 1;
        let Some(reason) = reason else { return };
        match self.failures.binary_search_by_key(&reason, |(known, _)| *known) {
            Ok(index) => self.failures[index].1 += 1,
            Err(index) => {
                // Most targets fail for one or two reasons: more capacity would waste memory.
                self.failures.reserve_exact(1);
                self.failures.insert(index, (reason, 1));
            }
        }
    }

    fn count_latency(&mut self, latency: Duration) {
        self.latency_sum = self.latency_sum.saturating_add(latency);
        self.latencies += 1;
    }

    fn count_time(&mut self, state: State, time: Duration) {
        let time_in = &mut self.time_in[state.index()];
        *time_in = time_in.saturating_add(time);
    }
}

/// The most recent check.
#[derive(Clone, Debug)]
pub(crate) struct Last {
    pub(crate) event: Event,
    pub(crate) detail: Arc<str>,
    pub(crate) latency: Option<Duration>,
    pub(crate) at: Now,
    pub(crate) reason: Option<Reason>,
    pub(crate) phases: Phases,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) http_status: Option<u16>,
    pub(crate) http10: bool,
    pub(crate) http_redirects: u8,
    pub(crate) tls_version: Option<TlsVersion>,
    pub(crate) tls_not_after: Option<SystemTime>,
    pub(crate) ping: Option<Box<PingStats>>,
    pub(crate) dns: Option<Arc<DnsResponse>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Fsm {
    policy: Policy,
    /// The state by the policy alone, without regard to warnings.
    policy_state: State,
    /// Those of the last successful check. They make the state degraded if `policy_state` is up.
    warnings: ProbeWarnings,
    state: State,
    /// The time before is in the counters.
    state_since: Instant,
    /// After a restart of the program; `None` after another change of state.
    restored: Option<Box<Restored>>,
    streak: u32,
    last: Option<Last>,
    /// Oldest first, at most `history`.
    recent: VecDeque<Check>,
    history: usize,
    counters: Counters,
}

impl Fsm {
    pub(crate) const HISTORY: usize = 20;

    pub(crate) fn new(initial: State, policy: Policy, history: usize, now: Now) -> Self {
        Fsm {
            policy,
            policy_state: initial,
            warnings: ProbeWarnings::default(),
            state: initial,
            state_since: now.instant,
            restored: None,
            streak: 0,
            last: None,
            // The default size is allocated at once: growing would fragment the heap.
            recent: VecDeque::with_capacity(history.min(Fsm::HISTORY)),
            history,
            counters: Counters::default(),
        }
    }

    pub(crate) fn fire(&mut self, result: &ProbeResult, now: Now) -> Option<Change> {
        let event = if result.ok { Event::Ok } else { Event::Fail };
        let same = self.last.as_ref().is_some_and(|last| last.event == event);
        self.streak = if same { self.streak.saturating_add(1) } else { 1 };
        self.policy_state = self.policy.next(self.policy_state, event, self.streak);
        if result.ok {
            self.warnings = result.warnings;
        }
        let is_degraded = self.policy_state == State::Up && self.warnings.degrade();
        let to = if is_degraded { State::Degraded } else { self.policy_state };
        self.record(result, to, now)
    }

    /// A failure with a cause outside the target: its state is unknown until the next result, which the policy applies
    /// to the state from before. This failure does not count as one of the consecutive failures, but it ends
    /// consecutive successes.
    pub(crate) fn hold(&mut self, result: &ProbeResult, now: Now) -> Option<Change> {
        if self.last.as_ref().is_some_and(|last| last.event == Event::Ok) {
            self.streak = 0;
        }
        self.record(result, State::Unknown, now)
    }

    fn record(&mut self, result: &ProbeResult, to: State, now: Now) -> Option<Change> {
        let event = if result.ok { Event::Ok } else { Event::Fail };
        let detail = match &self.last {
            // Consecutive results often have the same detail: the history shares one copy of it.
            Some(last) if *last.detail == *result.detail => last.detail.clone(),
            _ => Arc::from(printable(&result.detail, ProbeResult::DETAIL_MAX)),
        };
        let change = self.enter(to, now);
        // Results that a program makes need not have a reason.
        let reason = (!result.ok).then(|| result.reason.unwrap_or(Reason::Custom));
        self.counters.count_check(event, reason);
        if let Some(latency) = result.latency {
            self.counters.count_latency(latency);
        }
        if self.recent.len() >= self.history {
            self.recent.pop_front();
        }
        if self.history > 0 {
            self.recent.push_back(Check::new(now.unix, event, to, result.latency, detail.clone()));
        }
        self.last = Some(Last {
            event,
            detail,
            latency: result.latency,
            at: now,
            reason,
            phases: result.phases,
            address: result.address,
            http_status: result.http_status,
            http10: result.http10,
            http_redirects: result.http_redirects,
            tls_version: result.tls_version,
            tls_not_after: result.tls_not_after,
            ping: result.ping.clone(),
            dns: result.dns.clone(),
        });
        change
    }

    pub(crate) fn note_no_result(&mut self) {
        self.counters.without_result += 1;
    }

    /// The target is not checked for some time: its state is unknown until the next result, which the policy
    /// applies to the state from before. Consecutive results are counted anew.
    pub(crate) fn suspend(&mut self, now: Now) -> Option<Change> {
        self.streak = 0;
        self.enter(State::Unknown, now)
    }

    fn enter(&mut self, to: State, now: Now) -> Option<Change> {
        let change = Change { from: self.state, to, previous_state_duration: self.time_in_state(now) };
        if change.from == to {
            return None;
        }
        self.counters.count_time(self.state, now.instant.saturating_duration_since(self.state_since));
        match &mut self.restored {
            // The state from before the restart continues.
            Some(restored) if restored.state == to && !restored.is_current => restored.is_current = true,
            restored => {
                *restored = None;
                self.counters.changes_to[to.index()] += 1;
            }
        }
        (self.state, self.state_since) = (to, now.instant);
        Some(change)
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn policy_state(&self) -> State {
        self.policy_state
    }

    /// The warnings of the last successful check; none while the target is down or unknown.
    pub(crate) fn warnings(&self) -> ProbeWarnings {
        match self.state {
            State::Up | State::Degraded => self.warnings,
            State::Down | State::Unknown => ProbeWarnings::default(),
        }
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.warnings.contains(ProbeWarning::Slow)
    }

    pub(crate) fn time_in_state(&self, now: Now) -> Duration {
        let restored = self.restored.as_ref().filter(|restored| restored.is_current);
        let since = restored.map_or(self.state_since, |restored| restored.since);
        now.instant.saturating_duration_since(since)
    }

    pub(crate) fn transitions(&self) -> u64 {
        self.counters.changes_to.iter().sum()
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Includes the current period.
    pub(crate) fn time_in(&self, state: State, now: Now) -> Duration {
        let current = now.instant.saturating_duration_since(self.state_since);
        let current = if state == self.state { current } else { Duration::ZERO };
        self.counters.time_in[state.index()].saturating_add(current)
    }

    pub(crate) fn last(&self) -> Option<&Last> {
        self.last.as_ref()
    }

    pub(crate) fn recent(&self) -> &VecDeque<Check> {
        &self.recent
    }
}

#[cfg(test)]
mod tests;
