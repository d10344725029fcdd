//! Other targets in the place of those that are watched.

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
    /// The target at this place of the present list, with all that is known of it.
    Keep(usize),
    /// A new target.
    Start(Monitor),
}

/// Where the targets of before are now, in their order.
pub(crate) struct Moved {
    /// The same ones.
    pub(crate) kept: Vec<Option<usize>>,
    /// Those of the same names, the same or new.
    pub(crate) named: Vec<Option<usize>>,
}

impl Fleet {
    /// Why these can not take the place of the present targets.
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

    /// Puts these in the place of the present targets. The first checks of new ones are scheduled as at
    /// the start; those that stay keep their schedule.
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
        // Answers of before are none any more, whatever the states are.
        self.changes += 1;
        let gone = present.iter().flatten();
        self.skipped = gone.fold(self.skipped, |sum, watch| sum.saturating_add(watch.skipped()));
        let mut places = BTreeMap::new();
        places.extend(self.watches.iter().map(Watch::name).zip(0..));
        let namesake = |watch: &Watch| places.get(watch.name()).copied();
        let named = present.iter().zip(&kept);
        let named = named.map(|(gone, kept)| kept.or_else(|| gone.as_ref().and_then(namesake)));
        let named = named.collect();
        discard(present);
        Moved { named, kept }
    }
}
