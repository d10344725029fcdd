//! Replacement of the list of targets.

use std::collections::BTreeMap;

use super::{Monitor, StateCounts, Target, TargetId, Targets, first_checks};
use crate::clock::Now;
use crate::monitor::dependencies::validate_dependencies;
use crate::monitor::target::Dependencies;
use crate::monitor::{Pause, TargetSet, validate_keys, validate_names, validate_tokens};
use crate::probe::build::Error;
use crate::probe::guard::discard;

/// One entry of a new list of targets: see [`Server::replace_targets`](crate::Server::replace_targets).
///
/// ```
/// use pingstate::{Monitor, TargetUpdate, blocking, serve};
///
/// let mut server = serve(Monitor::new(blocking("disk", || true)), ([127, 0, 0, 1], 0))?;
/// let tape = Monitor::new(blocking("tape", || true));
/// let disk = server.targets().next().expect("one target");
/// server.replace_targets([TargetUpdate::Start(tape)])?;
/// assert!(server.replace_targets([TargetUpdate::Keep(disk)]).is_err(), "it was removed");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum TargetUpdate {
    /// This target, with its state and history.
    Keep(TargetId),
    /// This target, with its state, history, probe and schedule, and with the notifications, the group, the parents and the
    /// privacy of the monitor. What was notified before is not repeated.
    KeepWith(TargetId, Monitor),
    /// A new target. It gets the id of the current target of the same name, if there is one, which ends.
    Start(Monitor),
}

impl Targets {
    /// An error if these cannot replace the current targets.
    pub(crate) fn validate(&self, updates: &[TargetUpdate]) -> Result<(), Error> {
        let mut kept = TargetSet::default();
        for update in updates {
            if let TargetUpdate::Start(monitor) | TargetUpdate::KeepWith(_, monitor) = update {
                monitor.validate()?;
            }
            if let TargetUpdate::Keep(id) | TargetUpdate::KeepWith(id, _) = update {
                let Some(target) = self.get(*id) else {
                    return Err(Error::Target("to keep is not present".to_owned()));
                };
                if !kept.insert(*id) {
                    return Err(Error::Target([target.name(), " is kept twice"].concat()));
                }
            }
        }
        validate_tokens(updates.iter().map(|update| match update {
            TargetUpdate::Keep(id) | TargetUpdate::KeepWith(id, _) => {
                self.get(*id).and_then(Target::heartbeat)
            }
            TargetUpdate::Start(monitor) => monitor.heartbeat(),
        }))?;
        let name = |id| self.get(id).map_or("", Target::name);
        let labels = updates.iter().map(|update| match update {
            TargetUpdate::Keep(id) => {
                (self.get(*id).and_then(Target::group).map(|group| &**group), name(*id))
            }
            TargetUpdate::KeepWith(id, monitor) => (monitor.group.as_deref(), name(*id)),
            TargetUpdate::Start(monitor) => monitor.labels(),
        });
        validate_names(labels.clone().map(|(_, name)| name))?;
        validate_keys(labels)?;
        validate_dependencies(updates.iter().map(|update| match update {
            TargetUpdate::Keep(id) => (name(*id), self.get(*id).map_or(&[][..], Target::parents)),
            TargetUpdate::KeepWith(id, monitor) => (name(*id), &*monitor.depends),
            TargetUpdate::Start(monitor) => (monitor.name(), &*monitor.depends),
        }))
    }

    /// Replaces the current targets. First checks of new targets are scheduled as at the start; kept
    /// targets keep their schedule. A pause with an end also applies to the replacement of the target. Returns the ids of the targets that have ended; those of names that are
    /// still present are in use.
    pub(crate) fn replace(&mut self, updates: Vec<TargetUpdate>, now: Now) -> Vec<TargetId> {
        let mut names = BTreeMap::new();
        names.extend(self.list.iter().map(|target| (target.name(), target.id())));
        let id = |update: &TargetUpdate| match update {
            TargetUpdate::Keep(id) | TargetUpdate::KeepWith(id, _) => Some(*id),
            TargetUpdate::Start(monitor) => names.get(monitor.name()).copied(),
        };
        let ids: Vec<_> = updates.iter().map(id).collect();
        drop(names);
        let started = updates.iter().filter(|update| matches!(update, TargetUpdate::Start(_))).count();
        let total = u32::try_from(started).unwrap_or(u32::MAX).max(1);
        let present: TargetSet = ids.iter().flatten().copied().collect();
        for id in self.list.iter().map(Target::id).filter(|id| !present.contains(*id)) {
            self.positions.release(id);
        }
        let before = std::mem::replace(&mut self.list, Vec::with_capacity(updates.len()));
        let mut before: Vec<_> = before.into_iter().map(Some).collect();
        self.counts = StateCounts::default();
        let mut index = 0;
        for (update, id) in updates.into_iter().zip(ids) {
            match update {
                TargetUpdate::Keep(id) => {
                    let kept = self.positions.get(id).and_then(|position| before[position].take());
                    kept.into_iter().for_each(|target| self.add(target));
                }
                TargetUpdate::KeepWith(id, monitor) => {
                    let kept = self.positions.get(id).and_then(|position| before[position].take());
                    if let Some(mut target) = kept {
                        (target.group, target.is_private) = (monitor.group, monitor.private);
                        target.notifications = monitor.notifications;
                        Dependencies::replace(&mut target.dependencies, monitor.depends);
                        self.add(target);
                    }
                }
                TargetUpdate::Start(monitor) => {
                    let previous = id.and_then(|id| before[self.positions.get(id)?].as_ref());
                    let pause = previous.and_then(Target::pause);
                    let notified = previous.map(|target| target.notified.clone());
                    let id = id.unwrap_or_else(|| self.positions.allocate());
                    let first_checks = first_checks(index, total, monitor.interval);
                    let mut target = Target::new(id, monitor, first_checks, now);
                    target.record_history(self.history_days, now);
                    // The receivers know the state of the target that had this name.
                    target.notified = notified.unwrap_or(target.notified);
                    self.add(target);
                    if let Some(Pause { until: Some(until) }) = pause {
                        self.pause(&[id], Some(until), now);
                    }
                    index += 1;
                }
            }
        }
        self.find_parents();
        // Cached responses are no longer valid, even if all states are the same.
        self.changes += 1;
        let ended = before.iter().flatten();
        self.skipped = ended.clone().fold(self.skipped, |sum, target| sum.saturating_add(target.skipped()));
        let ended = ended.map(Target::id).collect();
        discard(before);
        ended
    }
}
