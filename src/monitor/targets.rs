//! The list of all targets.

mod dependencies;
mod pauses;
mod restore;
mod update;

use std::sync::Arc;
use std::time::Duration;

use super::target_id::{Positions, TargetId};
use super::{History, Monitor, Target};
use crate::clock::Now;
use crate::fsm::{Change, State};
use crate::probe::Attempt;
use crate::result::ProbeResult;
pub(crate) use dependencies::Parents;
pub use update::TargetUpdate;

pub(crate) struct Targets {
    /// In the configured order.
    list: Vec<Target>,
    positions: Positions,
    counts: StateCounts,
    changes: u64,
    /// A single target is listed, too, instead of shown alone.
    pub(crate) is_list: bool,
    pub(crate) delay: SchedulingDelay,
    skipped: u64,
    history_days: u8,
}

/// The scheduling delay: from the scheduled time to the start of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SchedulingDelay {
    pub(crate) sum: Duration,
    pub(crate) count: u64,
}

/// Targets that start together are checked once within this time plus [`FIRST_PER_TARGET`] per target, or
/// within their interval if that is shorter.
const FIRST: Duration = Duration::from_secs(2);
const FIRST_PER_TARGET: Duration = Duration::from_millis(1);

/// When the first and the second check are due. First checks start early, so that no target stays
/// unknown for long. From the second on, checks are spread over the interval, which moves the
/// second check by at most half an interval.
fn first_checks(index: u32, total: u32, interval: Duration) -> (Duration, Duration) {
    let window = FIRST.saturating_add(FIRST_PER_TARGET.saturating_mul(total));
    let first = interval.min(window) / total * index;
    let mut second = interval / total * index;
    if second - first < interval / 2 {
        second += interval;
    }
    (first, second)
}

/// The numbers of targets by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StateCounts {
    /// By [`State::index`], without the paused ones.
    pub(crate) by_state: [usize; 4],
    pub(crate) paused: usize,
}

impl StateCounts {
    /// The counter that includes this target.
    fn of(&mut self, target: &Target) -> &mut usize {
        if target.is_paused() { &mut self.paused } else { &mut self.by_state[target.fsm().state().index()] }
    }

    /// The worst state of the targets that are not paused.
    pub(crate) fn worst(&self) -> State {
        let is_present = |state: &State| self.by_state[state.index()] > 0;
        State::ALL.into_iter().filter(is_present).max().unwrap_or(State::Unknown)
    }
}

impl Targets {
    pub(crate) fn new(monitors: Vec<Monitor>, now: Now) -> Self {
        let total = u32::try_from(monitors.len()).unwrap_or(u32::MAX).max(1);
        let mut targets = Targets {
            list: Vec::with_capacity(monitors.len()),
            positions: Positions::default(),
            counts: StateCounts::default(),
            changes: 0,
            is_list: false,
            delay: SchedulingDelay::default(),
            skipped: 0,
            history_days: 0,
        };
        for (index, monitor) in (0..).zip(monitors) {
            let id = targets.positions.allocate();
            let first_checks = first_checks(index, total, monitor.interval);
            targets.add(Target::new(id, monitor, first_checks, now));
        }
        targets.find_parents();
        targets
    }

    fn add(&mut self, target: Target) {
        *self.counts.of(&target) += 1;
        self.positions.set(target.id(), self.list.len());
        self.list.push(target);
    }

    /// Records the history of this many days of every target, from now on; 0 for none, which is the default.
    pub(crate) fn record_history(&mut self, days: u8, now: Now) {
        self.history_days = days.min(History::DAYS_MAX);
        for target in &mut self.list {
            target.record_history(self.history_days, now);
        }
    }

    pub(crate) fn list(&self) -> &[Target] {
        &self.list
    }

    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = TargetId> + '_ {
        self.list.iter().map(Target::id)
    }

    pub(crate) fn get(&self, id: TargetId) -> Option<&Target> {
        self.list.get(self.positions.get(id)?)
    }

    pub(crate) fn get_mut(&mut self, id: TargetId) -> Option<&mut Target> {
        self.list.get_mut(self.positions.get(id)?)
    }

    pub(crate) fn begin(&mut self, id: TargetId, now: Now) -> Option<Box<dyn Attempt>> {
        let target = self.list.get_mut(self.positions.get(id)?)?;
        if target.retry_at().is_none() && target.scheduled() <= now.instant {
            self.delay.sum = self.delay.sum.saturating_add(now.instant - target.scheduled());
            self.delay.count += 1;
        }
        Some(target.begin(now))
    }

    /// The target with this token. The time does not depend on which one it is, or whether there is one.
    pub(crate) fn find_heartbeat(&self, token: &[u8]) -> Option<TargetId> {
        let mut found = None;
        for target in &self.list {
            if target.heartbeat().is_some_and(|heartbeat| heartbeat.has_token(token)) {
                found = Some(target.id());
            }
        }
        found
    }

    pub(crate) fn skipped(&self) -> u64 {
        self.list.iter().fold(self.skipped, |sum, target| sum.saturating_add(target.skipped()))
    }

    pub(crate) fn fire(&mut self, id: TargetId, result: &ProbeResult, now: Now) -> Option<Change> {
        let change = self.get_mut(id)?.fire(result, now);
        self.count_change(change)
    }

    fn count_change(&mut self, change: Option<Change>) -> Option<Change> {
        let change = change?;
        self.counts.by_state[change.from.index()] -= 1;
        self.counts.by_state[change.to.index()] += 1;
        self.changes += 1;
        Some(change)
    }

    /// The number of state changes of all targets: while it is the same, so are all states.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    pub(crate) fn counts(&self) -> StateCounts {
        self.counts
    }

    /// The worst state of the targets that are not paused.
    pub(crate) fn worst(&self) -> State {
        self.counts.worst()
    }

    /// The targets of a group, or all.
    pub(crate) fn in_group<'a>(&'a self, group: Option<&'a str>) -> impl Iterator<Item = &'a Target> + Clone {
        self.list.iter().filter(move |target| group.is_none() || target.group().map(|name| &**name) == group)
    }

    /// Iterates over all targets.
    #[cold]
    pub(crate) fn counts_of_group(&self, group: &str) -> StateCounts {
        let mut counts = StateCounts::default();
        self.in_group(Some(group)).for_each(|target| *counts.of(target) += 1);
        counts
    }

    /// The name of a group, if it has targets.
    #[cold]
    pub(crate) fn find_group(&self, name: &str) -> Option<&Arc<str>> {
        self.list.iter().filter_map(Target::group).find(|group| ***group == *name)
    }

    #[cfg(test)]
    pub(crate) fn id(&self, position: usize) -> TargetId {
        self.list[position].id()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Target> {
        self.list.iter().find(|target| target.name() == name)
    }
}
