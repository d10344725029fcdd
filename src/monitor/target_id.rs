//! Ids of targets.

/// A target of a [`Server`](crate::Server): see [`Server::targets`](crate::Server::targets).
///
/// The id belongs to the name of the target: it stays the same when the target is kept or replaced by another
/// one of the same name (see [`Server::replace_targets`](crate::Server::replace_targets)). Once a name is removed, its id is
/// not used again.
///
/// ```
/// use pingstate::{Monitor, TargetId, TargetUpdate, blocking, serve};
///
/// let disk = || Monitor::new(blocking("disk", || true));
/// let mut server = serve(disk(), ([127, 0, 0, 1], 0))?;
/// let id: Option<TargetId> = server.targets().next();
/// server.replace_targets([TargetUpdate::Start(disk())])?;
/// assert_eq!(server.targets().next(), id);
/// server.replace_targets([])?;
/// server.replace_targets([TargetUpdate::Start(disk())])?;
/// assert_ne!(server.targets().next(), id);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId {
    index: u32,
    generation: u32,
}

impl TargetId {
    /// A small number, unique among present targets.
    pub(crate) fn index(self) -> usize {
        self.index as usize
    }
}

/// A set of targets of which no two have the same index. A `BTreeSet` would add 5 KB of code.
#[derive(Default)]
pub(crate) struct TargetSet(Vec<Option<TargetId>>);

impl TargetSet {
    /// Returns false if the target was in the set.
    pub(crate) fn insert(&mut self, id: TargetId) -> bool {
        if id.index() >= self.0.len() {
            self.0.resize(id.index() + 1, None);
        }
        self.0[id.index()].replace(id) != Some(id)
    }

    pub(crate) fn contains(&self, id: TargetId) -> bool {
        self.0.get(id.index()).is_some_and(|present| *present == Some(id))
    }
}

impl FromIterator<TargetId> for TargetSet {
    fn from_iter<I: IntoIterator<Item = TargetId>>(ids: I) -> Self {
        let mut set = TargetSet::default();
        ids.into_iter().for_each(|id| _ = set.insert(id));
        set
    }
}

/// Allocates ids; maps them to positions in the list of targets.
#[derive(Default)]
pub(super) struct Positions {
    /// By [`TargetId::index`].
    slots: Vec<Slot>,
    free: Vec<u32>,
}

struct Slot {
    generation: u32,
    /// [`NOWHERE`] if no target has the index.
    position: u32,
}

// 2^32 targets do not fit into memory.
const NOWHERE: u32 = u32::MAX;

impl Positions {
    pub(super) fn get(&self, id: TargetId) -> Option<usize> {
        let slot = self.slots.get(id.index())?;
        (slot.generation == id.generation && slot.position != NOWHERE).then_some(slot.position as usize)
    }

    pub(super) fn allocate(&mut self) -> TargetId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, position: NOWHERE });
            self.slots.len() as u32 - 1
        });
        TargetId { index, generation: self.slots[index as usize].generation }
    }

    pub(super) fn set(&mut self, id: TargetId, position: usize) {
        self.slots[id.index()].position = position as u32;
    }

    pub(super) fn release(&mut self, id: TargetId) {
        let slot = &mut self.slots[id.index()];
        slot.position = NOWHERE;
        // An index whose generations are exhausted is not used again.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(id.index);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn indexes_are_reused_and_ids_are_not() {
        let mut positions = Positions::default();
        let mut seen = BTreeSet::new();
        for round in 0..1000 {
            let ids = [(); 3].map(|()| positions.allocate());
            for (id, position) in ids.into_iter().zip(round..) {
                assert!(seen.insert(id), "{id:?} is used twice");
                assert_eq!(positions.get(id), None);
                positions.set(id, position);
                assert_eq!(positions.get(id), Some(position));
            }
            for id in ids {
                positions.release(id);
                assert_eq!(positions.get(id), None);
            }
        }
        assert_eq!(positions.slots.len(), 3);
    }

    #[test]
    fn an_index_is_retired_after_its_last_generation() {
        let mut positions = Positions::default();
        let first = positions.allocate();
        positions.slots[0].generation = u32::MAX;
        let last = TargetId { generation: u32::MAX, ..first };
        positions.set(last, 7);
        assert_eq!((positions.get(last), positions.get(first)), (Some(7), None));
        positions.release(last);
        assert_eq!((positions.get(last), positions.allocate().index()), (None, 1));
    }
}
