//! A running monitor: its state machine and its schedule.

mod dependencies;
mod pause;
mod saved;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::history::History;
use super::notifications::{Due, Notifications, Notified};
use super::target_id::TargetId;
use super::{Monitor, Rules};
use crate::clock::Now;
use crate::fsm::{Change, Event, Fsm, State};
use crate::network::Network;
use crate::probe::build::ProbeBuilder;
use crate::probe::durations::{long, millis};
use crate::probe::guard::{guarded, label};
use crate::probe::{Attempt, Heartbeat, Probe};
use crate::result::{ProbeResult, ProbeWarning, Reason};
use crate::wire::crc32::crc32;
pub(crate) use dependencies::Deferred;
pub(super) use dependencies::Dependencies;
pub(crate) use pause::Pause;
pub(crate) use saved::{Saved, SavedHeartbeat, SavedPause};

pub(crate) struct Target {
    id: TargetId,
    probe: Box<dyn Probe>,
    fsm: Fsm,
    history: Option<Box<History>>,
    /// A fingerprint of the settings.
    settings: u64,
    pub(super) interval: Duration,
    /// `None` for the default rules, to save memory with 10,000 targets.
    special: Option<Box<Special>>,
    /// When the first check is due; `None` after it has ended.
    first: Option<Instant>,
    /// While the first check is pending, that of the second check.
    next_scheduled: Instant,
    skipped: u64,
    pause: Option<Pause>,
    /// When a check outside the schedule was last requested for.
    requested: Option<Instant>,
    heartbeat: Option<Box<Expected>>,
    pub(super) group: Option<Arc<str>>,
    pub(super) is_private: bool,
    /// Others depend on it.
    pub(super) is_parent: bool,
    pub(super) notifications: Option<Arc<Notifications>>,
    pub(super) notified: Notified,
    /// `None` without parents.
    pub(super) dependencies: Option<Box<Dependencies>>,
}

struct Special {
    rules: Rules,
    /// The last scheduled time that has passed; later ones are multiples of the interval after it.
    anchor: Instant,
    interval: Duration,
    retry_at: Option<Instant>,
    retried: u32,
}

/// A heartbeat that is expected.
struct Expected {
    heartbeat: Heartbeat,
    /// When the last one was received; at first, when the target was started.
    since: Instant,
}

impl Target {
    pub(super) fn new(id: TargetId, monitor: Monitor, first_checks: (Duration, Duration), now: Now) -> Self {
        let (rules, interval) = (monitor.rules, monitor.interval);
        let (first, second) = (now.instant + first_checks.0, now.instant + first_checks.1);
        let heartbeat = guarded(|| monitor.probe.heartbeat().cloned()).ok().flatten();
        let heartbeat = heartbeat.map(|heartbeat| Box::new(Expected { heartbeat, since: now.instant }));
        let settings = monitor.settings.unwrap_or_else(|| crc32(monitor.url().as_bytes()).into());
        let special = Special { rules, anchor: first, interval, retry_at: None, retried: 0 };
        let mut target = Target {
            id,
            fsm: Fsm::new(monitor.initial, monitor.policy, monitor.history, now),
            history: None,
            settings,
            probe: monitor.probe,
            interval,
            special: (rules != Rules::default()).then(|| Box::new(special)),
            first: Some(first),
            next_scheduled: second,
            skipped: 0,
            pause: None,
            requested: None,
            heartbeat,
            group: monitor.group,
            is_private: monitor.private,
            is_parent: false,
            notifications: monitor.notifications,
            notified: Notified::new(monitor.initial),
            dependencies: Dependencies::of(monitor.depends),
        };
        target.note_heartbeat(now.instant);
        if monitor.paused {
            target.begin_pause(Pause { until: None }, now);
        }
        target
    }

    pub(crate) fn heartbeat(&self) -> Option<&Heartbeat> {
        self.heartbeat.as_ref().map(|expected| &expected.heartbeat)
    }

    /// A heartbeat was received: the next one is due after the interval and the grace.
    pub(crate) fn note_heartbeat(&mut self, now: Instant) {
        if let Some(expected) = &mut self.heartbeat {
            expected.since = now;
            self.first = None;
            self.next_scheduled =
                now + self.interval + expected.heartbeat.grace.unwrap_or(self.interval / 10);
        }
    }

    /// The result of a check of a heartbeat target at its deadline.
    pub(crate) fn missed_heartbeat(&self, now: Instant) -> Option<ProbeResult> {
        let expected = self.heartbeat.as_ref()?;
        let detail = format!("no heartbeat for {}", long(now.saturating_duration_since(expected.since)));
        Some(ProbeResult::down(Reason::NoHeartbeat, &detail))
    }

    pub(crate) fn id(&self) -> TargetId {
        self.id
    }

    pub(crate) fn name(&self) -> &str {
        label(|| self.probe.name())
    }

    /// The field `probe` of the API.
    pub(crate) fn url(&self) -> &str {
        label(|| self.probe.url())
    }

    pub(crate) fn group(&self) -> Option<&Arc<str>> {
        self.group.as_ref()
    }

    /// Whether the API hides its URL, address and details.
    pub(crate) fn is_private(&self) -> bool {
        self.is_private
    }

    pub(super) fn settings(&self) -> u64 {
        self.settings
    }

    pub(crate) fn fsm(&self) -> &Fsm {
        &self.fsm
    }

    /// `None` if none is recorded.
    pub(crate) fn history(&self) -> Option<&History> {
        self.history.as_deref()
    }

    /// Records the history of this many days from now on; 0 for none.
    pub(super) fn record_history(&mut self, days: u8, now: Now) {
        let state = self.fsm.state();
        self.history = (days > 0).then(|| Box::new(History::new(days, state, now)));
    }

    pub(super) fn fire(&mut self, result: &ProbeResult, now: Now) -> Option<Change> {
        self.set_held(false);
        let change = self.fsm.fire(result, now);
        if let Some(history) = &mut self.history {
            history.enter(self.fsm.state(), now);
            if let Some(latency) = result.latency.filter(|_| result.ok) {
                history.note_latency(latency, now);
            }
        }
        change
    }

    fn suspend(&mut self, now: Now) -> Option<Change> {
        let change = self.fsm.suspend(now);
        self.enter_unknown(now);
        change
    }

    fn enter_unknown(&mut self, now: Now) {
        if let Some(history) = &mut self.history {
            history.enter(State::Unknown, now);
        }
    }

    pub(crate) fn notifications(&self) -> Option<&Arc<Notifications>> {
        self.notifications.as_ref()
    }

    /// What must be notified after a check, which has made this change.
    pub(crate) fn update_notified(&mut self, change: Option<&Change>, now: Instant) -> Option<Due> {
        let from = change.map(|change| change.from);
        self.notified.update(from, self.fsm.state(), self.notifications.as_deref(), now)
    }

    /// The timeout of one attempt. A custom probe may return another value than it did when it was validated;
    /// deadlines must not overflow the clock.
    pub(crate) fn timeout(&self) -> Duration {
        self.probe.timeout().min(ProbeBuilder::TIMEOUT_MAX)
    }

    pub(crate) fn network(&self) -> Option<Arc<Network>> {
        guarded(|| self.probe.network().cloned()).ok().flatten()
    }

    pub(crate) fn runs_program(&self) -> bool {
        guarded(|| self.probe.runs_program()).unwrap_or(false)
    }

    /// The next scheduled time.
    pub(crate) fn scheduled(&self) -> Instant {
        self.first.unwrap_or(self.next_scheduled)
    }

    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.special.as_ref().and_then(|special| special.retry_at)
    }

    /// When the next check is due, a deferred failure must be processed, or the pause ends; `None` if it has no end.
    pub(crate) fn due(&self) -> Option<Instant> {
        match self.pause {
            Some(pause) => pause.until,
            None => {
                let deferred = self.deferred().map(|deferred| deferred.deadline);
                Some(deferred.or(self.retry_at()).unwrap_or(self.scheduled()))
            }
        }
    }

    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    pub(super) fn begin(&mut self, now: Now) -> Box<dyn Attempt> {
        if let Some(special) = &mut self.special {
            special.retry_at = None;
        }
        self.probe.begin(now)
    }

    /// Whether an attempt with this result must be repeated before the check ends.
    pub(crate) fn retry(&mut self, result: &ProbeResult, now: Instant) -> bool {
        let Some(special) = self.special.as_mut().filter(|_| self.heartbeat.is_none()) else { return false };
        if result.ok || special.retried >= special.rules.retries {
            special.retried = 0;
            return false;
        }
        special.retried += 1;
        special.retry_at = Some(now + special.rules.retry_interval);
        true
    }

    /// A check failed because of this machine: the state stays.
    pub(crate) fn note_no_result(&mut self) {
        if let Some(special) = &mut self.special {
            special.retried = 0;
        }
        self.fsm.note_no_result();
    }

    pub(crate) fn apply_slow_threshold(&mut self, result: &mut ProbeResult) {
        let Some(Special { rules, .. }) = self.special.as_deref() else { return };
        let (true, Some(latency), Some(slow)) = (result.ok, result.latency, rules.slow) else { return };
        let limit = match rules.slow_clear {
            Some(clear) if self.fsm.is_slow() => clear,
            _ => slow,
        };
        if latency > limit {
            // The limit, not the latency: equal details are stored once.
            result.warn(ProbeWarning::Slow, &format!("slow (over {})", millis(limit)));
        }
    }

    /// Advances to the first scheduled time after `now`; missed ones are skipped. The schedule continues
    /// from the last one that has passed, with the interval for the current state.
    pub(crate) fn advance(&mut self, now: Instant) {
        let interval = self.interval_wanted();
        let (anchor, before) = self
            .special
            .as_ref()
            .map_or((self.next_scheduled, self.interval), |special| (special.anchor, special.interval));
        let (anchor, next) = if let Some(first) = self.first {
            if now < first {
                return;
            }
            self.first = None;
            if now >= self.next_scheduled {
                self.skip(1, now - self.next_scheduled, before);
            }
            let second = first + scale(self.next_scheduled - first, interval, self.interval);
            if now < second { (first, second) } else { (second, after(second, interval, now)) }
        } else if now >= self.next_scheduled {
            self.skip(0, now - self.next_scheduled, before);
            (self.next_scheduled, after(self.next_scheduled, interval, now))
        } else if interval == before {
            return;
        } else {
            (anchor, after(anchor, interval, now))
        };
        self.next_scheduled = next;
        if let Some(special) = &mut self.special {
            (special.anchor, special.interval) = (anchor, interval);
        }
    }

    /// Counts `count` skipped scheduled times plus those in `span` at the interval in effect then.
    fn skip(&mut self, count: u128, span: Duration, interval: Duration) {
        let missed = count + span.as_nanos() / interval.as_nanos();
        self.skipped = self.skipped.saturating_add(u64::try_from(missed).unwrap_or(u64::MAX));
    }

    fn interval_wanted(&self) -> Duration {
        let (Some(special), Some(last)) = (&self.special, self.fsm.last()) else { return self.interval };
        let interval = match (self.fsm.policy_state(), last.event) {
            (State::Down, Event::Fail) => special.rules.interval_down,
            _ if self.held_by().is_some() => None,
            (State::Down, Event::Ok) | (State::Up | State::Degraded, Event::Fail) => {
                special.rules.interval_fast
            }
            _ => None,
        };
        interval.unwrap_or(self.interval)
    }
}

/// The first multiple of `interval` after `anchor` that is after `now`.
fn after(anchor: Instant, interval: Duration, now: Instant) -> Instant {
    // Less than an interval: it fits into 64 bits.
    let into = ((now - anchor).as_nanos() % interval.as_nanos()) as u64;
    now + (interval - Duration::from_nanos(into))
}

/// `span` times `interval` divided by `base`. A span of up to 3/2 of `base` fits into 64 bits.
fn scale(span: Duration, interval: Duration, base: Duration) -> Duration {
    Duration::from_nanos((span.as_nanos() * interval.as_nanos() / base.as_nanos()) as u64)
}
