//! Events of a target as one line of JSON: the data of `/events`.

use std::time::Duration;

use serde_core::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use super::{age_s, latency_ms, timestamp_s};
use crate::fsm::{Event, State};
use crate::result::Reason;

#[derive(Clone, Debug)]
pub(crate) struct Transition<'a> {
    pub(crate) ts: Duration,
    pub(crate) name: &'a str,
    /// `None` if it is hidden.
    pub(crate) url: Option<&'a str>,
    pub(crate) from: State,
    pub(crate) to: State,
    /// `None` if it is hidden.
    pub(crate) detail: Option<&'a str>,
    pub(crate) error: Option<Reason>,
    pub(crate) latency: Option<Duration>,
    pub(crate) previous_state_duration: Duration,
}

impl Serialize for Transition<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(None)?;
        self.write(&mut out)?;
        out.end()
    }
}

impl Transition<'_> {
    pub(super) fn write<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error> {
        out.serialize_entry("ts", &timestamp_s(self.ts))?;
        out.serialize_entry("target", self.name)?;
        out.serialize_entry("probe", &self.url)?;
        out.serialize_entry("from", self.from.as_str())?;
        out.serialize_entry("to", self.to.as_str())?;
        out.serialize_entry("detail", &self.detail)?;
        out.serialize_entry("error", &self.error.map(Reason::as_str))?;
        out.serialize_entry("latency_ms", &self.latency.map(latency_ms))?;
        out.serialize_entry("since_s", &age_s(self.previous_state_duration))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct CheckEnd<'a> {
    pub(crate) ts: Duration,
    pub(crate) name: &'a str,
    pub(crate) event: Event,
    pub(crate) state: State,
    /// `None` if it is hidden.
    pub(crate) detail: Option<&'a str>,
    pub(crate) error: Option<Reason>,
    pub(crate) latency: Option<Duration>,
}

impl Serialize for CheckEnd<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("CheckEnd", 7)?;
        out.serialize_field("ts", &timestamp_s(self.ts))?;
        out.serialize_field("target", self.name)?;
        out.serialize_field("event", self.event.as_str())?;
        out.serialize_field("state", self.state.as_str())?;
        out.serialize_field("detail", &self.detail)?;
        out.serialize_field("error", &self.error.map(Reason::as_str))?;
        out.serialize_field("latency_ms", &self.latency.map(latency_ms))?;
        out.end()
    }
}

pub(crate) fn line(value: &impl Serialize) -> String {
    // Writing to memory cannot fail, and all keys are strings.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transition_is_one_line_with_its_keys_in_order() {
        let down = Transition {
            ts: Duration::new(1_738_200_005, 500_400_000),
            name: "db \"1\"",
            url: Some("tcp://192.0.2.1:5432"),
            from: State::Degraded,
            to: State::Down,
            detail: Some("connection refused by 192.0.2.1:5432"),
            error: Some(Reason::Refused),
            latency: None,
            previous_state_duration: Duration::from_millis(5049),
        };
        assert_eq!(
            line(&down),
            r#"{"ts":1738200005.5,"target":"db \"1\"","probe":"tcp://192.0.2.1:5432","from":"degraded","to":"down","detail":"connection refused by 192.0.2.1:5432","error":"refused","latency_ms":null,"since_s":5.0}"#
        );
        let latency = Some(Duration::from_micros(1234));
        let up = line(&Transition { detail: Some("a\nb\u{2028}"), error: None, latency, ..down });
        assert!(
            up.contains(r#""detail":"a\nb"#) && up.contains(r#""error":null,"latency_ms":1.23,"#),
            "{up}"
        );
        assert!(!up.contains('\n'));
    }

    #[test]
    fn the_end_of_a_check_has_the_new_state() {
        let end = CheckEnd {
            ts: Duration::from_secs(7),
            name: "db",
            event: Event::Ok,
            state: State::Up,
            detail: Some("connect ok"),
            error: None,
            latency: Some(Duration::from_millis(2)),
        };
        assert_eq!(
            line(&end),
            r#"{"ts":7.0,"target":"db","event":"ok","state":"up","detail":"connect ok","error":null,"latency_ms":2.0}"#
        );
    }
}
