//! A monitor at work: its state machine and its beat.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fleet::Place;
use super::{Hook, Monitor, Rules};
use crate::clock::Now;
use crate::fsm::{Change, Event, Fsm, State};
use crate::probe::build::{TIMEOUT_MAX, Webhook};
use crate::probe::guard::label;
use crate::probe::words::millis;
use crate::probe::{Attempt, Probe};
use crate::result::{DETAIL_MAX, ProbeResult, printable};

/// A monitor at work: its state machine and its beat.
pub(crate) struct Watch {
    probe: Box<dyn Probe>,
    fsm: Fsm,
    interval: Duration,
    /// `None` for the usual rules: a machine may watch ten thousand targets.
    special: Option<Box<Special>>,
    /// When the first check is due, until it has ended.
    first: Option<Instant>,
    /// The next scheduled time; of the regular schedule while the first check is pending.
    beat: Instant,
    skipped: u64,
    hook: Option<Arc<Hook>>,
    webhook: Option<Arc<Webhook>>,
}

/// Rules that not every target has, and what they need to know.
struct Special {
    rules: Rules,
    /// The scheduled time that the following ones are counted from: the latest that has come.
    anchor: Instant,
    /// The interval in force.
    interval: Duration,
    /// When the check under way is to be tried again.
    retry_at: Option<Instant>,
    /// How often it has been.
    retried: u32,
}

impl Watch {
    pub(super) fn new(monitor: Monitor, place: Place, now: Now) -> Self {
        let (rules, interval) = (monitor.rules, monitor.interval);
        let (first, second) = place.first_checks(interval);
        let first = now.instant + first;
        let special = Special { rules, anchor: first, interval, retry_at: None, retried: 0 };
        Watch {
            fsm: Fsm::new(monitor.initial, monitor.policy, monitor.history, now),
            probe: monitor.probe,
            interval,
            special: (rules != Rules::default()).then(|| Box::new(special)),
            first: Some(first),
            beat: now.instant + second,
            skipped: 0,
            hook: monitor.hook,
            webhook: monitor.webhook,
        }
    }

    pub(crate) fn name(&self) -> &str {
        label(|| self.probe.name())
    }

    /// What the API shows under `probe`.
    pub(crate) fn target(&self) -> &str {
        label(|| self.probe.target())
    }

    pub(crate) fn fsm(&self) -> &Fsm {
        &self.fsm
    }

    pub(crate) fn hook(&self) -> Option<&Arc<Hook>> {
        self.hook.as_ref()
    }

    pub(crate) fn webhook(&self) -> Option<&Arc<Webhook>> {
        self.webhook.as_ref()
    }

    /// The time one try may take, clear of the end of the clock whatever the probe says.
    pub(crate) fn timeout(&self) -> Duration {
        self.probe.timeout().min(TIMEOUT_MAX)
    }

    /// The next scheduled time: when the next check is due.
    pub(crate) fn beat(&self) -> Instant {
        self.first.unwrap_or(self.beat)
    }

    /// When the check under way is to be tried again, if it waits for that.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.special.as_ref().and_then(|special| special.retry_at)
    }

    /// When the next try is due while none is under way.
    pub(crate) fn due(&self) -> Instant {
        self.retry_at().unwrap_or(self.beat())
    }

    /// How many beats went by without a check of their own.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Starts one try.
    pub(super) fn begin(&mut self, now: Now) -> Box<dyn Attempt> {
        if let Some(special) = &mut self.special {
            special.retry_at = None;
        }
        self.probe.begin(now)
    }

    /// Whether a try with this result is to be repeated before the check has come to its end.
    pub(crate) fn retry(&mut self, result: &ProbeResult, now: Instant) -> bool {
        let Some(special) = &mut self.special else { return false };
        if result.ok || special.retried >= special.rules.retries {
            special.retried = 0;
            return false;
        }
        special.retried += 1;
        special.retry_at = Some(now + special.rules.retry_interval);
        true
    }

    /// Notes whether an answer is slow, and says so in its detail.
    pub(crate) fn apply_slow_threshold(&mut self, result: &mut ProbeResult) {
        let Some(Special { rules, .. }) = self.special.as_deref() else { return };
        let (true, Some(latency), Some(slow)) = (result.ok, result.latency, rules.slow) else { return };
        let limit = match rules.slow_clear {
            Some(clear) if self.fsm.is_slow() => clear.min(slow),
            _ => slow,
        };
        self.fsm.set_slow(latency > limit);
        if latency > limit {
            // The limit, not the latency: equal details are kept once.
            let suffix = format!(", slow (over {})", millis(limit));
            let room = DETAIL_MAX.saturating_sub(suffix.chars().count());
            result.detail = printable(&result.detail, room) + &suffix;
        }
    }

    /// Takes the result of a check in; says so if it changes the target's state.
    pub(super) fn fire(&mut self, result: &ProbeResult, now: Now) -> Option<Change> {
        self.fsm.fire(result, now)
    }

    /// Moves on to the first scheduled time after `now`: those that were missed are not made up. The
    /// schedule goes on from the latest that has come, with the interval that the state asks for.
    pub(crate) fn advance(&mut self, now: Instant) {
        let interval = self.interval_wanted();
        let (anchor, before) = self
            .special
            .as_ref()
            .map_or((self.beat, self.interval), |special| (special.anchor, special.interval));
        let (anchor, next) = if let Some(first) = self.first {
            if now < first {
                return;
            }
            self.first = None;
            if now >= self.beat {
                self.skip(1, now - self.beat, before);
            }
            let second = first + scale(self.beat - first, interval, self.interval);
            if now < second { (first, second) } else { (second, after(second, interval, now)) }
        } else if now >= self.beat {
            self.skip(0, now - self.beat, before);
            (self.beat, after(self.beat, interval, now))
        } else if interval == before {
            return;
        } else {
            (anchor, after(anchor, interval, now))
        };
        self.beat = next;
        if let Some(special) = &mut self.special {
            (special.anchor, special.interval) = (anchor, interval);
        }
    }

    /// Counts scheduled times without a check: so many, and those in `span` at the interval that was in force.
    fn skip(&mut self, count: u128, span: Duration, interval: Duration) {
        let missed = count + span.as_nanos() / interval.as_nanos();
        self.skipped = self.skipped.saturating_add(u64::try_from(missed).unwrap_or(u64::MAX));
    }

    /// The interval that the last check and the state ask for.
    fn interval_wanted(&self) -> Duration {
        let (Some(special), Some(last)) = (&self.special, self.fsm.last()) else { return self.interval };
        let interval = match (self.fsm.policy_state(), last.event) {
            (State::Down, Event::Fail) => special.rules.interval_down,
            (State::Down, Event::Ok) | (State::Up | State::Degraded, Event::Fail) => {
                special.rules.interval_fast
            }
            _ => None,
        };
        interval.unwrap_or(self.interval)
    }
}

/// The first time after `now` out of those that follow `anchor` at this interval.
fn after(anchor: Instant, interval: Duration, now: Instant) -> Instant {
    // Less than an interval.
    let into = ((now - anchor).as_nanos() % interval.as_nanos()) as u64;
    now + (interval - Duration::from_nanos(into))
}

/// `span` times `interval` divided by `base`. A span of up to 3/2 of `base` fits into 64 bits.
fn scale(span: Duration, interval: Duration, base: Duration) -> Duration {
    Duration::from_nanos((span.as_nanos() * interval.as_nanos() / base.as_nanos()) as u64)
}
