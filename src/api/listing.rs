//! All targets in one JSON object.
//!
//! It is serialized directly from the state machines without intermediate copies: about 3 KB for each target
//! with a full history.

use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use crate::clock::Now;
use crate::fsm::State;
use crate::monitor::{Target, Targets};
use crate::snapshot::View;

pub(crate) struct Listing<'a> {
    pub(crate) targets: &'a Targets,
    pub(crate) now: Now,
}

impl Serialize for Listing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Listing", 3)?;
        out.serialize_field("state", self.targets.worst().as_str())?;
        out.serialize_field("counts", &Counts(self.targets))?;
        out.serialize_field("targets", &Snapshots(self.targets.list(), self.now))?;
        out.end()
    }
}

struct Counts<'a>(&'a Targets);

impl Serialize for Counts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let states = State::ALL.into_iter().map(State::as_str).zip(self.0.counts());
        serializer.collect_map(states.chain([("paused", self.0.paused())]))
    }
}

struct Snapshots<'a>(&'a [Target], Now);

impl Serialize for Snapshots<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|target| view(target, self.1)))
    }
}

pub(crate) fn view(target: &Target, now: Now) -> View<'_> {
    View::of_target(target, now)
}
