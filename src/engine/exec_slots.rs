//! Limits the programs that checks run; checks above the limit wait in order.
//!
//! A slot is free again when its process is reaped, not when its check ends: a process that cannot be killed (disk or
//! network sleep) keeps its slot, and its target gets no second one.

use std::collections::VecDeque;
use std::time::Instant;

use super::limits::{EXEC_KILL_GRACE, EXEC_STARTS_PER_TURN, EXECS_MAX};
use super::messages::JobId;
use crate::monitor::TargetId;

pub(super) struct ExecSlots {
    pub(super) waiting: VecDeque<TargetId>,
    running: Vec<Running>,
    running_max: usize,
    /// Programs started in this turn.
    started: usize,
}

struct Running {
    job: JobId,
    target: TargetId,
    killed_at: Option<Instant>,
}

impl ExecSlots {
    /// At most a quarter of the connections of checks, so that programs do not delay the other checks.
    pub(super) fn new(connections_max: usize) -> Self {
        let running_max = (connections_max / 4).clamp(1, EXECS_MAX);
        ExecSlots { waiting: VecDeque::new(), running: Vec::new(), running_max, started: 0 }
    }

    pub(super) fn begin_turn(&mut self) {
        self.started = 0;
    }

    /// The first waiting check that can start.
    pub(super) fn next(&mut self, now: Instant) -> Option<TargetId> {
        let index = self.startable(now).filter(|_| self.started < EXEC_STARTS_PER_TURN)?;
        self.waiting.remove(index)
    }

    /// The first waiting check that can start in this or the next turn: the process of its previous check was reaped,
    /// or should have been long ago.
    pub(super) fn startable(&self, now: Instant) -> Option<usize> {
        // Called several times per check, of every kind.
        if self.waiting.is_empty() || self.running.len() >= self.running_max {
            return None;
        }
        let can_start = |target: &TargetId| {
            let mut previous = self.running.iter().filter(|running| running.target == *target);
            previous.all(|running| running.killed_at.is_some_and(|at| now >= at + EXEC_KILL_GRACE))
        };
        self.waiting.iter().position(can_start)
    }

    /// Takes a slot; returns whether there was one.
    pub(super) fn take(&mut self, job: JobId, target: TargetId) -> bool {
        let is_free = self.running.len() < self.running_max;
        if is_free {
            self.started += 1;
            self.running.push(Running { job, target, killed_at: None });
        }
        is_free
    }

    pub(super) fn is_running(&self, target: TargetId) -> bool {
        self.running.iter().any(|running| running.target == target)
    }

    /// The ends of these programs are no results any more.
    pub(super) fn note_killed(&mut self, now: Instant, is_killed: impl Fn(JobId) -> bool) {
        self.running.iter_mut().filter(|running| is_killed(running.job)).for_each(|running| {
            running.killed_at = Some(now);
        });
    }

    /// Frees the slot of a program that has ended. Returns its target unless it was killed.
    pub(super) fn release(&mut self, job: JobId) -> Option<TargetId> {
        let index = self.running.iter().position(|running| running.job == job)?;
        let running = self.running.swap_remove(index);
        running.killed_at.is_none().then_some(running.target)
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }
}
