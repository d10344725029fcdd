//! The attempts in flight, by their owner.

use super::owners::RunOwner;
use super::probe_run::ProbeRun;

/// At most one attempt for each owner.
#[derive(Default)]
pub(super) struct RunTable {
    /// By [`RunOwner::index`].
    runs: Vec<Option<Box<ProbeRun>>>,
    /// Number of entries of `runs` that are `Some`.
    count: usize,
}

impl RunTable {
    pub(super) fn get(&self, owner: RunOwner) -> Option<&ProbeRun> {
        self.runs.get(owner.index())?.as_deref().filter(|run| run.owner == owner)
    }

    pub(super) fn get_mut(&mut self, owner: RunOwner) -> Option<&mut ProbeRun> {
        self.runs.get_mut(owner.index())?.as_deref_mut().filter(|run| run.owner == owner)
    }

    pub(super) fn insert(&mut self, run: Box<ProbeRun>) {
        let index = run.owner.index();
        if index >= self.runs.len() {
            self.runs.resize_with(index + 1, || None);
        }
        self.runs[index] = Some(run);
        self.count += 1;
    }

    pub(super) fn remove(&mut self, owner: RunOwner) -> Option<Box<ProbeRun>> {
        let run = self.runs.get_mut(owner.index())?.take_if(|run| run.owner == owner)?;
        self.count -= 1;
        Some(run)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ProbeRun> {
        self.runs.iter().filter_map(Option::as_deref)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut ProbeRun> {
        self.runs.iter_mut().filter_map(Option::as_deref_mut)
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }
}
