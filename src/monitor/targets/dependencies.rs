//! Parents and children among all targets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::{Target, Targets};
use crate::clock::Now;
use crate::fsm::Change;
use crate::monitor::TargetId;
use crate::result::ProbeResult;

/// What is known of the parents of a target that has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parents {
    /// All are down: the failure is not the target's own.
    Down,
    /// All are down if checks of these fail.
    Unverified(Vec<TargetId>),
    /// At least one is not, or there are none.
    NotDown,
}

impl Targets {
    /// Finds the parents of all targets by their names.
    pub(super) fn find_parents(&mut self) {
        self.list.iter_mut().for_each(|target| target.is_parent = false);
        if self.list.iter().all(|target| target.parents().is_empty()) {
            return;
        }
        let mut names = BTreeMap::new();
        names.extend(self.list.iter().map(|target| (target.name(), target.id())));
        let find = |name: &Arc<str>| names.get(&**name).copied();
        let parents: Vec<Vec<_>> =
            self.list.iter().map(|target| target.parents().iter().map(find).collect()).collect();
        for parent in parents.iter().flatten().flatten() {
            if let Some(position) = self.positions.get(*parent) {
                self.list[position].is_parent = true;
            }
        }
        for (target, parents) in self.list.iter_mut().zip(parents) {
            if let Some(dependencies) = &mut target.dependencies {
                dependencies.parents = parents;
            }
        }
    }

    /// `failed` are parents whose checks have failed since the check of the target.
    pub(crate) fn parents_of(&self, id: TargetId, failed: &[TargetId], now: Instant) -> Parents {
        let dependencies = self.get(id).and_then(|target| target.dependencies.as_ref());
        let Some(dependencies) = dependencies.filter(|dependencies| !dependencies.parents.is_empty()) else {
            return Parents::NotDown;
        };
        let mut unverified = Vec::new();
        for parent in &dependencies.parents {
            let parent = parent.and_then(|parent| self.get(parent)).filter(|parent| parent.can_hold());
            let Some(parent) = parent else { return Parents::NotDown };
            match parent.counts_as_down(now) {
                Some(true) => {}
                _ if failed.contains(&parent.id()) => {}
                Some(false) => return Parents::NotDown,
                None => unverified.push(parent.id()),
            }
        }
        if unverified.is_empty() { Parents::Down } else { Parents::Unverified(unverified) }
    }

    /// Records a failed check that is not the target's own.
    #[cold]
    pub(crate) fn hold(&mut self, id: TargetId, result: &ProbeResult, now: Now) -> Option<Change> {
        let change = self.get_mut(id)?.hold(result, now);
        self.count_change(change)
    }

    /// The number of its children whose last failure is held or deferred; `None` if it has no children.
    #[cold]
    pub(crate) fn held_children(&self, id: TargetId) -> Option<usize> {
        self.get(id).filter(|target| target.is_parent)?;
        let is_child = |target: &&Target| {
            let dependencies = target.dependencies.as_ref();
            dependencies.is_some_and(|dependencies| dependencies.parents.contains(&Some(id)))
        };
        let children = self.list.iter().filter(is_child);
        Some(children.filter(|child| child.held_by().is_some() || child.deferred().is_some()).count())
    }
}
