//! The external view of a target: its state as values and as JSON.

pub(crate) mod history;
pub(crate) mod message;
pub(crate) mod state_file;
pub(crate) mod transition;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use crate::clock::{Now, since_epoch, system_time};
use crate::fsm::{Check, Event, Fsm, State};
use crate::monitor::{Target, Uptime};
use crate::network::Network;
use crate::probe::build::ProbeBuilder;
use crate::probe::kinds::Kind;
use crate::result::{DnsResponse, Phases, PingStats, ProbeWarning, ProbeWarnings, Reason, RoundTrip};
use crate::text::printable;

/// The last second of the year 9999: numbers stay finite and without an exponent.
pub(crate) const SECONDS_MAX: u64 = 253_402_300_799;

/// The state of one target at one time.
///
/// [`Display`](fmt::Display) is one line for a log. [`Serialize`] has the keys of the API's JSON: first those
/// of the Python version in its order, then those that it does not have. Serialized durations are in seconds
/// with one decimal, latencies and phases in milliseconds with two. Ages come from the monotonic clock:
/// setting the wall clock does not change them.
///
/// ```
/// use pingstate::{Event, PingFsm, State};
/// use std::time::Duration;
///
/// let mut fsm = PingFsm::new().name("db");
/// fsm.fire(Event::Ok, Some(Duration::from_micros(1234)), "select 1");
/// let snapshot = fsm.snapshot();
/// assert_eq!((snapshot.state, snapshot.transitions), (State::Up, 1));
/// assert_eq!(snapshot.last_detail.as_deref(), Some("select 1"));
/// assert_eq!(snapshot.to_string(), "db is up: select 1, 1.23 ms");
/// assert!(snapshot.to_json().contains("\"last_latency_ms\": 1.23,"));
/// assert_eq!(serde_json::to_value(&snapshot)?["state"], "up");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The target's state.
    pub state: State,
    /// Whether the last check succeeded; `None` before the first.
    pub last_event: Option<Event>,
    /// The detail of the last check.
    pub last_detail: Option<Arc<str>>,
    /// The latency of the last check, see [`ProbeResult::latency`](crate::ProbeResult::latency).
    pub last_latency: Option<Duration>,
    /// The time in the current state.
    pub uptime_in_state: Duration,
    /// When the last check ended, by the wall clock.
    pub last_check: Option<SystemTime>,
    /// The time since the last check ended.
    pub last_check_age: Option<Duration>,
    /// The number of state changes.
    pub transitions: u64,
    /// The history of checks, oldest first.
    pub recent: Vec<Check>,
    /// The target's URL, or its name if the probe has none. The JSON key is `probe`.
    pub url: String,
    /// The target's name.
    pub name: String,
    /// Why the last check failed; `None` if it did not.
    pub error: Option<Reason>,
    /// The phases of the last check; `None` before the first.
    pub phases: Option<Phases>,
    /// The address that the last check connected to, or tried last.
    pub address: Option<SocketAddr>,
    /// The status of the last response of the last check.
    pub http_status: Option<u16>,
    /// When the target's certificate expires, as of the last check.
    pub tls_not_after: Option<SystemTime>,
    /// Why the target is degraded although its last check succeeded.
    pub warnings: ProbeWarnings,
    /// The target's group.
    pub group: Option<Arc<str>>,
    /// Whether JSON hides the URL, the address, the details and the records of a dns target: they are null.
    pub private: bool,
    /// When the current state began, by the wall clock: the time that the monitor was started before the first change.
    pub since: SystemTime,
    /// When the pause of the target ends, by the wall clock: the last second of the year 9999 if it lasts until the target
    /// is resumed. `None` if it is not paused.
    pub paused_until: Option<SystemTime>,
    /// The name of the target's first parent while the last check failed because all parents are down: see
    /// [`Monitor::depends_on`](crate::Monitor::depends_on).
    pub held_by: Option<Arc<str>>,
    /// The settings of the target's sockets. The JSON key is null if it has none.
    pub network: Option<Arc<Network>>,
    /// The requests and replies of the last check of an icmp target.
    pub ping: Option<PingStats>,
    /// The response to the last check of a dns target.
    pub dns: Option<Arc<DnsResponse>>,
    /// The uptime in several periods. `None` if no history is recorded; see
    /// [`ServerBuilder::history_days`](crate::ServerBuilder::history_days).
    pub uptime: Option<Uptime>,
}

impl Snapshot {
    /// The snapshot as the API's `/status` shows it, with a final newline.
    #[must_use]
    pub fn to_json(&self) -> String {
        String::from_utf8(pretty(self)).unwrap_or_default()
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            write!(f, "{} is ", printable(&self.name, ProbeBuilder::NAME_MAX))?;
        }
        f.write_str(self.state.as_str())?;
        if let Some(detail) = &self.last_detail {
            write!(f, ": {detail}")?;
        }
        match self.last_latency.filter(|_| self.ping.is_none()) {
            Some(latency) => write!(f, ", {:.2} ms", latency_ms(latency)),
            None => Ok(()),
        }
    }
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self, &self.name, &self.url, Some((&self.recent, &[])), serializer)
    }
}

/// A [`Snapshot`] that borrows its texts and history: serializing thousands of targets copies none of them.
pub(crate) struct View<'a> {
    name: &'a str,
    url: &'a str,
    recent: Option<Ring<'a>>,
    /// Without these three.
    values: Snapshot,
}

/// The two parts of a ring.
type Ring<'a> = (&'a [Check], &'a [Check]);

impl<'a> View<'a> {
    pub(crate) fn of(name: &'a str, url: &'a str, fsm: &'a Fsm, now: Now) -> Self {
        let last = fsm.last();
        let values = Snapshot {
            state: fsm.state(),
            last_event: last.map(|last| last.event),
            last_detail: last.map(|last| last.detail.clone()),
            last_latency: last.and_then(|last| last.latency),
            uptime_in_state: fsm.time_in_state(now),
            last_check: last.map(|last| last.at.system_time()),
            last_check_age: last.map(|last| now.since(last.at)),
            transitions: fsm.transitions(),
            recent: Vec::new(),
            url: String::new(),
            name: String::new(),
            error: last.and_then(|last| last.reason),
            phases: last.map(|last| last.phases),
            address: last.and_then(|last| last.address),
            http_status: last.and_then(|last| last.http_status),
            tls_not_after: last.and_then(|last| last.tls_not_after),
            warnings: fsm.warnings(),
            group: None,
            private: false,
            since: system_time(now.unix.saturating_sub(fsm.time_in_state(now))),
            paused_until: None,
            held_by: None,
            network: None,
            ping: last.and_then(|last| last.ping.as_deref().cloned()),
            dns: last.and_then(|last| last.dns.clone()),
            uptime: None,
        };
        View { name, url, recent: Some(fsm.recent().as_slices()), values }
    }

    pub(crate) fn of_target(target: &'a Target, now: Now) -> Self {
        let mut view = View::of(target.name(), target.url(), target.fsm(), now);
        view.values.group = target.group().cloned();
        view.values.private = target.is_private();
        view.values.paused_until = target.pause().map(|pause| match pause.until {
            Some(until) => now.after(until.saturating_duration_since(now.instant)).system_time(),
            None => system_time(Duration::from_secs(SECONDS_MAX)),
        });
        view.values.held_by = target.held_by().cloned();
        view.values.uptime = target.history().map(|history| history.uptimes(now));
        view.values.network = target.network();
        view
    }

    /// Without the key `recent`.
    pub(crate) fn without_recent(mut self) -> Self {
        self.recent = None;
        self
    }

    pub(crate) fn to_snapshot(&self) -> Snapshot {
        let recent = self.recent.map(|(oldest, latest)| [oldest, latest].concat()).unwrap_or_default();
        Snapshot { recent, url: self.url.to_owned(), name: self.name.to_owned(), ..self.values.clone() }
    }
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.values, self.name, self.url, self.recent, serializer)
    }
}

fn serialize<S: Serializer>(
    values: &Snapshot,
    name: &str,
    url: &str,
    recent: Option<Ring<'_>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut out = serializer.serialize_struct("Snapshot", 23)?;
    out.serialize_field("state", values.state.as_str())?;
    out.serialize_field("last_event", &values.last_event.map(Event::as_str))?;
    let is_public = !values.private;
    out.serialize_field("last_detail", &values.last_detail.as_deref().filter(|_| is_public))?;
    out.serialize_field("last_latency_ms", &values.last_latency.map(latency_ms))?;
    out.serialize_field("uptime_in_state_s", &age_s(values.uptime_in_state))?;
    out.serialize_field("last_check_ts", &values.last_check.map(|time| timestamp_s(since_epoch(time))))?;
    out.serialize_field("last_check_age_s", &values.last_check_age.map(age_s))?;
    out.serialize_field("transitions", &values.transitions)?;
    if let Some(recent) = recent {
        out.serialize_field("recent", &Recent(recent, is_public))?;
    }
    out.serialize_field("probe", &is_public.then_some(url))?;
    out.serialize_field("name", name)?;
    out.serialize_field("error", &values.error.map(Reason::as_str))?;
    out.serialize_field("phases_ms", &values.phases.map(PhasesMs))?;
    out.serialize_field("address", &values.address.filter(|_| is_public).map(shown_address))?;
    out.serialize_field("http_status", &values.http_status)?;
    out.serialize_field("tls_not_after_ts", &values.tls_not_after.map(|time| since_epoch(time).as_secs()))?;
    out.serialize_field("warnings", &Warnings(values.warnings))?;
    out.serialize_field("group", &values.group.as_deref())?;
    out.serialize_field("since_ts", &timestamp_s(since_epoch(values.since)))?;
    out.serialize_field("paused_until_ts", &values.paused_until.map(|time| timestamp_s(since_epoch(time))))?;
    out.serialize_field("held_by", &values.held_by.as_deref())?;
    let kind = Kind::of_url(url);
    if kind.is_some_and(Kind::has_sockets) {
        let network = values.network.as_deref().filter(|network| network.is_shown());
        out.serialize_field("bound", &network.map(Bound))?;
    }
    match kind {
        Some(Kind::Icmp) => out.serialize_field("ping", &values.ping.as_ref().map(Ping))?,
        Some(Kind::Dns) => {
            out.serialize_field("dns", &values.dns.as_deref().filter(|_| is_public).map(Dns))?
        }
        _ => {}
    }
    if let Some(uptime) = &values.uptime {
        out.serialize_field("uptime", &history::Ratios(uptime))?;
    }
    out.end()
}

struct Bound<'a>(&'a Network);

impl Serialize for Bound<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Bound", 4)?;
        out.serialize_field("interface", &self.0.interface)?;
        out.serialize_field("source", &self.0.source.map(|source| source.to_string()))?;
        out.serialize_field("fwmark", &self.0.fwmark)?;
        out.serialize_field("family", self.0.family.as_str())?;
        out.end()
    }
}

struct PhasesMs(Phases);

impl Serialize for PhasesMs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.each().map(|(word, span)| (word, span.map(latency_ms))))
    }
}

/// Without a port for icmp, which has none.
pub(crate) fn shown_address(address: SocketAddr) -> String {
    if address.port() == 0 { address.ip().to_string() } else { address.to_string() }
}

struct Ping<'a>(&'a PingStats);

impl Serialize for Ping<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Ping", 4)?;
        out.serialize_field("sent", &self.0.sent)?;
        out.serialize_field("received", &self.0.received)?;
        out.serialize_field("rtt_ms", &self.0.rtt.map(RttMs))?;
        out.serialize_field("hop_limit", &self.0.hop_limit)?;
        out.end()
    }
}

struct RttMs(RoundTrip);

impl Serialize for RttMs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.each().map(|(word, span)| (word, latency_ms(span))))
    }
}

struct Warnings(ProbeWarnings);

impl Serialize for Warnings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ProbeWarning::as_str))
    }
}

struct Dns<'a>(&'a DnsResponse);

impl Serialize for Dns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Dns", 2)?;
        out.serialize_field("rcode", &self.0.rcode)?;
        out.serialize_field("answers", &self.0.answers)?;
        out.end()
    }
}

/// Without details unless `.1`.
struct Recent<'a>(Ring<'a>, bool);

impl Serialize for Recent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ((oldest, latest), is_public) = (self.0, self.1);
        serializer.collect_seq(oldest.iter().chain(latest).map(|check| Entry(check, is_public)))
    }
}

struct Entry<'a>(&'a Check, bool);

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Check", 4)?;
        out.serialize_field("ts", &timestamp_s(self.0.unix()))?;
        out.serialize_field("event", self.0.event().as_str())?;
        out.serialize_field("state", self.0.state().as_str())?;
        out.serialize_field("detail", &self.1.then_some(&*self.0.detail))?;
        out.end()
    }
}

pub(crate) fn pretty(value: &impl Serialize) -> Vec<u8> {
    // Writing to memory cannot fail, and all keys are strings.
    let mut json = serde_json::to_vec_pretty(value).unwrap_or_default();
    json.push(b'\n');
    json
}

pub(crate) fn age_s(span: Duration) -> f64 {
    rounded(span, 10, 10.0)
}

pub(crate) fn latency_ms(span: Duration) -> f64 {
    rounded(span, 100_000, 100.0)
}

fn timestamp_s(unix: Duration) -> f64 {
    rounded(unix, 1000, 1000.0)
}

fn rounded(span: Duration, per_second: u64, divisor: f64) -> f64 {
    // One division of an integer gives the float nearest to the decimal number, which prints as that number.
    const NANOS: u64 = 1_000_000_000;
    let fraction = (u64::from(span.subsec_nanos()) * per_second + NANOS / 2) / NANOS;
    let steps = span.as_secs().min(SECONDS_MAX) * per_second + fraction;
    steps as f64 / divisor
}

#[cfg(test)]
mod tests;
