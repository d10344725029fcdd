//! The parents of a target, and a failure that may be theirs.

use std::sync::Arc;
use std::time::Instant;

use super::Target;
use crate::clock::Now;
use crate::fsm::{Change, Event, State};
use crate::monitor::TargetId;
use crate::result::ProbeResult;

pub(in crate::monitor) struct Dependencies {
    names: Vec<Arc<str>>,
    /// The targets of these names; `None` for those that are absent.
    pub(in crate::monitor) parents: Vec<Option<TargetId>>,
    /// The last check failed while all parents were down.
    is_held: bool,
    deferred: Option<Box<Deferred>>,
}

/// A failed check that counts unless all parents are down, which their checks must show.
pub(crate) struct Deferred {
    pub(crate) result: ProbeResult,
    pub(crate) deadline: Instant,
    /// How often the deadline was extended.
    pub(crate) stalls: u8,
    /// The parents whose checks have not ended.
    pub(crate) awaited: Vec<TargetId>,
    /// The parents whose checks have failed since.
    pub(crate) failed: Vec<TargetId>,
}

impl Dependencies {
    pub(super) fn of(names: Vec<Arc<str>>) -> Option<Box<Dependencies>> {
        let dependencies = Dependencies { names, parents: Vec::new(), is_held: false, deferred: None };
        (!dependencies.names.is_empty()).then(|| Box::new(dependencies))
    }

    /// Replaces the names of the parents. A failure that is deferred or held stays so until it or the next one is processed.
    pub(in crate::monitor) fn replace(before: &mut Option<Box<Dependencies>>, names: Vec<Arc<str>>) {
        match before {
            Some(dependencies) => dependencies.names = names,
            None => *before = Dependencies::of(names),
        }
    }
}

impl Deferred {
    /// A check of this target has ended. Returns whether that matters.
    pub(crate) fn note_end(&mut self, target: TargetId, is_failed: bool) -> bool {
        let count = self.awaited.len() + self.failed.len();
        self.awaited.retain(|parent| *parent != target);
        self.failed.retain(|parent| *parent != target);
        if self.awaited.len() + self.failed.len() == count {
            return false;
        }
        match is_failed {
            true => self.failed.push(target),
            // One parent that is not down is enough.
            false => self.awaited.clear(),
        }
        true
    }
}

impl Target {
    /// The names of the targets on which it depends.
    pub(crate) fn parents(&self) -> &[Arc<str>] {
        self.dependencies.as_ref().map_or(&[], |dependencies| &dependencies.names)
    }

    pub(crate) fn is_parent(&self) -> bool {
        self.is_parent
    }

    /// The name of the first parent while the last failure is that of the parents.
    pub(crate) fn held_by(&self) -> Option<&Arc<str>> {
        let dependencies = self.dependencies.as_ref().filter(|dependencies| dependencies.is_held)?;
        dependencies.names.first()
    }

    /// A failed check that has not been processed.
    pub(crate) fn deferred(&self) -> Option<&Deferred> {
        self.dependencies.as_ref()?.deferred.as_deref()
    }

    pub(crate) fn deferred_mut(&mut self) -> Option<&mut Deferred> {
        self.dependencies.as_mut()?.deferred.as_deref_mut()
    }

    pub(crate) fn take_deferred(&mut self) -> Option<Box<Deferred>> {
        self.dependencies.as_mut()?.deferred.take()
    }

    pub(crate) fn defer(&mut self, deferred: Deferred) {
        if let Some(dependencies) = &mut self.dependencies {
            dependencies.deferred = Some(Box::new(deferred));
        }
    }

    pub(in crate::monitor) fn hold(&mut self, result: &ProbeResult, now: Now) -> Option<Change> {
        self.set_held(true);
        let change = self.fsm.hold(result, now);
        self.enter_unknown(now);
        change
    }

    pub(super) fn set_held(&mut self, is_held: bool) {
        if let Some(dependencies) = &mut self.dependencies {
            dependencies.is_held = is_held;
        }
    }

    /// Whether failures of its children can be its own.
    pub(in crate::monitor) fn can_hold(&self) -> bool {
        !self.is_paused() && self.heartbeat.is_none()
    }

    /// Whether it is down for its children; `None` if a check must show that. A deferred failure is its last check.
    pub(in crate::monitor) fn counts_as_down(&self, now: Instant) -> Option<bool> {
        if self.fsm.state() == State::Down || self.held_by().is_some() || self.deferred().is_some() {
            return Some(true);
        }
        // A check that has just ended need not be repeated.
        self.fsm.last().filter(|last| last.at.instant == now).map(|last| last.event == Event::Fail)
    }
}
