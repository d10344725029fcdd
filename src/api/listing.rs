//! All targets, or those of a group, in one JSON object.
//!
//! It is serialized directly from the state machines without intermediate copies: about 3 KB for each target
//! with a full history.

use std::sync::Arc;

use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use crate::clock::Now;
use crate::fsm::State;
use crate::monitor::{StateCounts, Target, Targets};
use crate::snapshot::View;

/// What a listing contains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// `None`: all targets.
    pub(crate) group: Option<Arc<str>>,
    /// Without the checks of each target.
    pub(crate) is_brief: bool,
}

pub(crate) struct Listing<'a> {
    pub(crate) targets: &'a Targets,
    pub(crate) contents: &'a Contents,
    pub(crate) now: Now,
}

impl Serialize for Listing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Listing", 3)?;
        let group = self.contents.group.as_deref();
        let counts = group.map_or_else(|| self.targets.counts(), |group| self.targets.counts_of_group(group));
        out.serialize_field("state", counts.worst().as_str())?;
        out.serialize_field("counts", &Counts(counts))?;
        out.serialize_field("targets", &Snapshots(self))?;
        out.end()
    }
}

struct Counts(StateCounts);

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let states = State::ALL.into_iter().map(State::as_str).zip(self.0.by_state);
        serializer.collect_map(states.chain([("paused", self.0.paused)]))
    }
}

struct Snapshots<'a>(&'a Listing<'a>);

impl Serialize for Snapshots<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Listing { targets, contents, now } = self.0;
        let listed = targets.in_group(contents.group.as_deref());
        serializer.collect_seq(listed.map(|target| view(target, contents.is_brief, *now)))
    }
}

pub(super) fn view(target: &Target, is_brief: bool, now: Now) -> View<'_> {
    let view = View::of_target(target, now);
    if is_brief { view.without_recent() } else { view }
}
