//! Replacement of the list of targets.

use std::collections::BTreeMap;

use super::{Fleet, Monitor, Place, Watch, clash};
use crate::clock::Now;
use crate::probe::guard::discard;

/// One entry of a new list of targets: see [`Server::replace`](crate::Server::replace).
///
/// ```
/// use pingstate::{Monitor, TargetUpdate, blocking, serve};
///
/// let mut server = serve(Monitor::new(blocking("disk", || true)), ([127, 0, 0, 1], 0))?;
/// let tape = Monitor::new(blocking("tape", || true));
/// server.replace(vec![TargetUpdate::Start(tape), TargetUpdate::Keep(0)])?;
/// assert!(server.replace(vec![TargetUpdate::Keep(2)]).is_err(), "there are two");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub enum TargetUpdate {
    /// The target at this position of the current list, with its state and history.
    Keep(usize),
    /// A new target.
    Start(Monitor),
}

/// The new positions of the previous targets, by their previous position.
pub(crate) struct Moved {
    /// Targets that were kept.
    pub(crate) kept: Vec<Option<usize>>,
    /// Targets of the same name, kept or new.
    pub(crate) named: Vec<Option<usize>>,
}

impl Fleet {
    /// The error if these cannot replace the current targets.
    pub(crate) fn refusal(&self, successors: &[TargetUpdate]) -> Option<String> {
        let mut kept = vec![false; self.watches().len()];
        for successor in successors {
            let TargetUpdate::Keep(place) = successor else { continue };
            match kept.get_mut(*place) {
                None => return Some(format!("there is no target at place {place} to keep")),
                Some(true) => return Some(format!("the target at place {place} is kept twice")),
                Some(kept) => *kept = true,
            }
        }
        clash(successors.iter().map(|successor| match successor {
            TargetUpdate::Keep(place) => self.watch(*place).name(),
            TargetUpdate::Start(monitor) => monitor.name(),
        }))
    }

    /// Replaces the current targets. First checks of new targets are scheduled as at the start; kept
    /// targets keep their schedule.
    pub(crate) fn replace(&mut self, successors: Vec<TargetUpdate>, now: Now) -> Moved {
        let started = successors.iter().filter(|next| matches!(next, TargetUpdate::Start(_))).count();
        let total = u32::try_from(started).unwrap_or(u32::MAX).max(1);
        let mut present: Vec<Option<Watch>> =
            std::mem::take(&mut self.watches).into_iter().map(Some).collect();
        let mut kept = vec![None; present.len()];
        self.watches.reserve_exact(successors.len());
        let mut index = 0;
        for (place, successor) in successors.into_iter().enumerate() {
            match successor {
                TargetUpdate::Keep(before) => {
                    self.watches.extend(present[before].take());
                    kept[before] = Some(place);
                }
                TargetUpdate::Start(monitor) => {
                    self.watches.push(Watch::new(monitor, Place { index, total }, now));
                    index += 1;
                }
            }
        }
        self.counts = [0; 4];
        for watch in &self.watches {
            self.counts[watch.fsm().state().index()] += 1;
        }
        // Cached responses are no longer valid, even if all states are the same.
        self.changes += 1;
        let removed = present.iter().flatten();
        self.skipped = removed.fold(self.skipped, |sum, watch| sum.saturating_add(watch.skipped()));
        let mut places = BTreeMap::new();
        places.extend(self.watches.iter().map(Watch::name).zip(0..));
        let same_name = |watch: &Watch| places.get(watch.name()).copied();
        let named = present.iter().zip(&kept);
        let named = named.map(|(removed, kept)| kept.or_else(|| removed.as_ref().and_then(same_name)));
        let named = named.collect();
        discard(present);
        Moved { named, kept }
    }
}
