//! All targets in one JSON object.
//!
//! It is serialized directly from the state machines without intermediate copies: about 3 KB for each target
//! with a full history.

use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use crate::clock::Now;
use crate::fsm::State;
use crate::monitor::{Fleet, Watch};
use crate::snapshot::View;

/// The worst state, the number of targets by state, and a snapshot of each target.
pub(crate) struct Listing<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) now: Now,
}

impl Serialize for Listing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Listing", 3)?;
        out.serialize_field("state", self.fleet.worst().as_str())?;
        out.serialize_field("counts", &Counts(self.fleet.counts()))?;
        out.serialize_field("targets", &Targets(self.fleet.watches(), self.now))?;
        out.end()
    }
}

struct Counts([usize; 4]);

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(State::ALL.into_iter().map(State::as_str).zip(self.0))
    }
}

struct Targets<'a>(&'a [Watch], Now);

impl Serialize for Targets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|watch| view(watch, self.1)))
    }
}

pub(crate) fn view(watch: &Watch, now: Now) -> View<'_> {
    View::of(watch.name(), watch.url(), watch.fsm(), now)
}
