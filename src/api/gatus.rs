//! `/api/v1/endpoints/statuses` and `/api/v1/endpoints/KEY/statuses`: the checks of the targets as Gatus lists those of
//! its endpoints, for programs that read them from there. Endpoints without a result are left out.

use std::time::Duration;

use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use crate::clock::rfc3339;
use crate::fsm::{Check, Event};
use crate::monitor::{Target, Targets, gatus_key};

pub(super) struct Statuses<'a>(pub(super) &'a Targets);

impl Serialize for Statuses<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.list().iter().filter(|target| has_result(target)).map(Status))
    }
}

/// The target with this key, if it has a result.
#[cold]
pub(super) fn find<'a>(key: &str, targets: &'a Targets) -> Option<&'a Target> {
    let has_key = |target: &&Target| key_of(target) == key;
    targets.list().iter().filter(|target| has_result(target)).find(has_key)
}

fn has_result(target: &Target) -> bool {
    !target.fsm().recent().is_empty()
}

fn key_of(target: &Target) -> String {
    gatus_key(target.group().map(|group| &**group), target.name())
}

pub(super) struct Status<'a>(pub(super) &'a Target);

impl Serialize for Status<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let target = self.0;
        let mut out = serializer.serialize_struct("Status", 4)?;
        out.serialize_field("name", target.name())?;
        if let Some(group) = target.group() {
            out.serialize_field("group", &**group)?;
        }
        out.serialize_field("key", &key_of(target))?;
        out.serialize_field("results", &Results(target))?;
        out.end()
    }
}

/// Oldest first.
struct Results<'a>(&'a Target);

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let target = self.0;
        let checks = target.fsm().recent();
        let is_public = !target.is_private();
        let hostname = if is_public { hostname(target.url()) } else { "" };
        let last_status = target.fsm().last().and_then(|last| last.http_status);
        serializer.collect_seq(checks.iter().zip((0..checks.len()).rev()).map(|(check, age)| {
            // That of earlier checks is not known.
            let status = last_status.filter(|_| age == 0);
            CheckResult { check, status, hostname, is_public }
        }))
    }
}

struct CheckResult<'a> {
    check: &'a Check,
    status: Option<u16>,
    hostname: &'a str,
    is_public: bool,
}

impl Serialize for CheckResult<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_ok = self.check.event() == Event::Ok;
        let latency = self.check.latency().unwrap_or_default();
        let mut out = serializer.serialize_struct("CheckResult", 6)?;
        if let Some(status) = self.status {
            out.serialize_field("status", &status)?;
        }
        // Gatus omits an empty one, and Home Assistant 2026.7 needs it.
        out.serialize_field("hostname", self.hostname)?;
        out.serialize_field("duration", &u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX))?;
        if !is_ok && self.is_public {
            out.serialize_field("errors", &[&*self.check.detail])?;
        }
        out.serialize_field("success", &is_ok)?;
        out.serialize_field("timestamp", &timestamp(self.check.unix()))?;
        out.end()
    }
}

/// The host in a URL, without port and brackets; empty if there is none.
fn hostname(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else { return "" };
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    match authority.strip_prefix('[').and_then(|address| address.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or(authority),
    }
}

/// With milliseconds: `2026-11-29T13:51:09.250Z`.
fn timestamp(unix: Duration) -> String {
    let seconds = rfc3339(unix);
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), unix.subsec_millis())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::clock::{Now, test_now};
    use crate::monitor::Monitor;
    use crate::probe::build::ProbeBuilder;
    use crate::result::{ProbeResult, Reason};

    fn targets(t0: Now) -> Targets {
        let probe = |url: &str, name: &str| ProbeBuilder::from_url(url).name(name).build().expect("a probe");
        let monitors = vec![
            Monitor::new(probe("http://nas.lan:8080/x", "Web, UI")).group("Home Lab"),
            Monitor::new(probe("tcp://[::1]:22", "ssh")),
            Monitor::new(probe("tcp://10.0.0.1:22", "hidden")).private(true),
            Monitor::new(probe("tcp://10.0.0.2:22", "new")),
        ];
        let mut targets = Targets::new(monitors, t0);
        let at = |ms| t0.after(Duration::from_millis(ms));
        let mut down = ProbeResult::down(Reason::Status, "HTTP 500");
        (down.http_status, down.latency) = (Some(500), Some(Duration::from_micros(1500)));
        let mut up = ProbeResult::up(Duration::from_millis(12), "HTTP 200");
        up.http_status = Some(200);
        targets.fire(targets.id(0), &down, at(250));
        targets.fire(targets.id(0), &up, at(1000));
        targets.fire(targets.id(1), &ProbeResult::up(Duration::from_millis(2), "connect ok"), at(0));
        targets.fire(targets.id(2), &ProbeResult::down(Reason::Refused, "refused by 10.0.0.1"), at(0));
        targets
    }

    #[test]
    fn every_target_with_a_result_has_the_fields_of_gatus() {
        let value = serde_json::to_value(Statuses(&targets(test_now()))).expect("JSON");
        let duration = |value: &Value| value["duration"].as_u64().expect("an integer");
        let results = |place: usize| value[place]["results"].as_array().expect("a list").clone();
        for (result, nanos) in [(&results(0)[0], 1_500_000), (&results(0)[1], 12_000_000)] {
            assert!(duration(result).abs_diff(nanos) <= nanos / 2000, "{result}");
        }
        let mut value = value;
        for result in value
            .as_array_mut()
            .expect("a list")
            .iter_mut()
            .flat_map(|target| target["results"].as_array_mut().expect("a list").iter_mut())
        {
            result["duration"] = json!(0);
        }
        assert_eq!(
            value,
            json!([
                {
                    "name": "Web, UI", "group": "Home Lab", "key": "home-lab_web--ui",
                    "results": [
                        {
                            "hostname": "nas.lan", "duration": 0, "errors": ["HTTP 500"], "success": false,
                            "timestamp": "2025-01-30T01:20:00.250Z",
                        },
                        {
                            "status": 200, "hostname": "nas.lan", "duration": 0, "success": true,
                            "timestamp": "2025-01-30T01:20:01.000Z",
                        },
                    ],
                },
                {
                    "name": "ssh", "key": "_ssh",
                    "results": [{"hostname": "::1", "duration": 0, "success": true, "timestamp": "2025-01-30T01:20:00.000Z"}],
                },
                {
                    "name": "hidden", "key": "_hidden",
                    "results": [{"hostname": "", "duration": 0, "success": false, "timestamp": "2025-01-30T01:20:00.000Z"}],
                },
            ])
        );
    }

    #[test]
    fn a_target_is_found_by_its_key() {
        let targets = targets(test_now());
        let found = |key| find(key, &targets).map(Target::name);
        assert_eq!(found("home-lab_web--ui"), Some("Web, UI"));
        assert_eq!(found("_ssh"), Some("ssh"));
        for key in ["ssh", "_new", "Home-Lab_web--ui", ""] {
            assert_eq!(found(key), None, "{key}");
        }
    }

    #[test]
    fn the_host_is_that_of_the_url() {
        for (url, host) in [
            ("https://nas.lan/x:1", "nas.lan"),
            ("http://nas.lan:80/", "nas.lan"),
            ("tcp://[fe80::1]:22", "fe80::1"),
            ("icmp://192.0.2.1", "192.0.2.1"),
            ("dns://192.0.2.53:53/example.com?type=A", "192.0.2.53"),
            ("dns:example.com?type=A", ""),
            ("exec:check", ""),
            ("heartbeat:", ""),
            ("a name", ""),
        ] {
            assert_eq!(hostname(url), host, "{url}");
        }
    }
}
