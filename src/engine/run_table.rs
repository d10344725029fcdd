//! The attempts in flight, by their owner.
//!
//! A list by index instead of a `BTreeMap`: the map costs 15 KB of code.

use super::owners::RunOwner;
use super::probe_run::ProbeRun;

/// At most one attempt for each owner.
#[derive(Default)]
pub(super) struct RunTable {
    /// By [`RunOwner::index`].
    slots: Vec<Option<(RunOwner, Box<ProbeRun>)>>,
    len: usize,
}

impl RunTable {
    pub(super) fn get(&self, owner: RunOwner) -> Option<&ProbeRun> {
        let (present, run) = self.slots.get(owner.index())?.as_ref()?;
        (*present == owner).then_some(run)
    }

    pub(super) fn get_mut(&mut self, owner: RunOwner) -> Option<&mut ProbeRun> {
        let (present, run) = self.slots.get_mut(owner.index())?.as_mut()?;
        (*present == owner).then_some(run)
    }

    pub(super) fn insert(&mut self, owner: RunOwner, run: ProbeRun) {
        let index = owner.index();
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, || None);
        }
        self.slots[index] = Some((owner, Box::new(run)));
        self.len += 1;
    }

    pub(super) fn remove(&mut self, owner: RunOwner) -> Option<Box<ProbeRun>> {
        let (_, run) = self.slots.get_mut(owner.index())?.take_if(|(present, _)| *present == owner)?;
        self.len -= 1;
        Some(run)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ProbeRun> {
        self.slots.iter().flatten().map(|(_, run)| &**run)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (RunOwner, &mut ProbeRun)> {
        self.slots.iter_mut().flatten().map(|(owner, run)| (*owner, &mut **run))
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}
