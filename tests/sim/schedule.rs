//! When each target is to be tried, told anew from the contract.

use super::plan::Rules;

/// One target's beats and tries on paper, in nanoseconds since the start.
pub(super) struct Schedule {
    interval: u64,
    rules: Rules,
    /// The next beat, and the one that the grid goes on from.
    beat: u64,
    from: u64,
    /// How far apart they were when the check under way began.
    apart: u64,
    /// When a failed try is to be repeated.
    retry_at: Option<u64>,
    retried: u32,
    pub(super) skipped: u64,
}

impl Schedule {
    pub(super) fn new(first: u64, interval: u64, rules: Rules) -> Self {
        let (beat, from, apart) = (first, first, interval);
        Schedule { interval, rules, beat, from, apart, retry_at: None, retried: 0, skipped: 0 }
    }

    /// When the next check is due.
    pub(super) fn beat(&self) -> u64 {
        self.beat
    }

    /// Whether a failed try is to be repeated.
    pub(super) fn waits_to_repeat(&self) -> bool {
        self.retry_at.is_some()
    }

    /// When the next try is due while there is none.
    pub(super) fn due(&self) -> u64 {
        self.retry_at.unwrap_or(self.beat)
    }

    /// A try begins; gives by how much it is late, if it is one on the beat.
    pub(super) fn begin(&mut self, at: u64) -> Option<u64> {
        let repeated = self.retry_at.take().is_some();
        (!repeated && at >= self.beat).then(|| at - self.beat)
    }

    /// A try has ended; says whether it is to be repeated.
    pub(super) fn end_try(&mut self, ok: bool, at: u64) -> bool {
        let again = !ok && self.retried < self.rules.retries;
        self.retried = if again { self.retried + 1 } else { 0 };
        self.retry_at = again.then_some(at + self.rules.retry_interval);
        again
    }

    /// A check has ended in this way; gives what became of the interval.
    pub(super) fn end_check(&mut self, mind: Mind, at: u64) -> &'static str {
        let (interval, word) = match (mind, self.rules.interval_down, self.rules.interval_fast) {
            (Mind::Down, Some(interval), _) => (interval, "interval: while down"),
            (Mind::Doubt, _, Some(interval)) => (interval, "interval: while in doubt"),
            _ => (self.interval, "interval: the usual one"),
        };
        let apart = std::mem::replace(&mut self.apart, interval);
        if at < self.from {
            return "interval: before the first beat";
        }
        if at >= self.beat {
            self.from = self.beat;
            self.skipped += (at - self.from) / apart;
        }
        self.beat = self.from + ((at - self.from) / interval + 1) * interval;
        word
    }
}

/// What a target's last check and its state say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mind {
    Settled,
    /// Down, and failing.
    Down,
    /// Failing and not down, or down and not failing.
    Doubt,
}
