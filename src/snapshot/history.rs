//! The history of a target as JSON.

use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use super::latency_ms;
use crate::clock::Now;
use crate::monitor::{History, Slot, Uptime, Window};

pub(super) struct Ratios<'a>(pub(super) &'a Uptime);

impl Serialize for Ratios<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Window::ALL.map(|window| (window.as_str(), self.0.ratio(window))))
    }
}

/// The slots that have data, oldest first.
pub(crate) struct Slots<'a> {
    pub(crate) name: &'a str,
    pub(crate) history: &'a History,
    pub(crate) now: Now,
}

impl Serialize for Slots<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let half_hours: Vec<_> = self.history.half_hours(self.now).collect();
        let days: Vec<_> = self.history.days(self.now).collect();
        let mut out = serializer.serialize_struct("History", 3)?;
        out.serialize_field("name", self.name)?;
        out.serialize_field("half_hours", &List(&half_hours, History::HALF_HOUR_S, self.now))?;
        out.serialize_field("days", &List(&days, History::DAY_S, self.now))?;
        out.end()
    }
}

/// Slots of this length in seconds.
struct List<'a>(&'a [Slot], u64, Now);

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let List(slots, length_s, now) = *self;
        let end = now.unix.as_secs() / length_s + 1;
        let entry =
            |(slot, age): (&Slot, u64)| Entry(end.saturating_sub(age).saturating_mul(length_s), *slot);
        let ages = (1..=slots.len() as u64).rev();
        serializer.collect_seq(slots.iter().zip(ages).filter(|(slot, _)| slot.known_s() > 0).map(entry))
    }
}

struct Entry(u64, Slot);

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Entry(start_s, slot) = self;
        let mut out = serializer.serialize_struct("Slot", 5)?;
        out.serialize_field("start_ts", start_s)?;
        out.serialize_field("up_s", &slot.up_s())?;
        out.serialize_field("degraded_s", &slot.degraded_s())?;
        out.serialize_field("down_s", &slot.down_s())?;
        out.serialize_field("latency_ms", &slot.latency().map(latency_ms))?;
        out.end()
    }
}
