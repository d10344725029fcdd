//! When each target is tried: a model of the contract.

use super::plan::{MS, Rules, S};

/// One target's scheduled times and tries on paper, in nanoseconds since the start.
pub(super) struct Schedule {
    interval: u64,
    rules: Rules,
    /// The first check has not ended yet: when it is due, and the second.
    first: Option<(u64, u64)>,
    /// The next regular time, and the one that the following are counted from.
    next: u64,
    from: u64,
    /// How far apart they were when the check in flight began.
    apart: u64,
    /// When a failed try is repeated.
    retry_at: Option<u64>,
    retried: u32,
    since: u64,
    /// The end of the pause; without an end, the largest number.
    paused: Option<u64>,
    pub(super) skipped: u64,
}

impl Schedule {
    /// The schedule of the `turn`-th of `count` targets that start at the same time.
    pub(super) fn new(start: u64, (turn, count): (u64, u64), interval: u64, rules: Rules) -> Self {
        // Everything is checked once within about two seconds …
        let soon = interval.min(2 * S + count * MS);
        let first = start + soon / count * turn;
        // … and from then on evenly distributed, as near to an interval later as that allows.
        let regular = start + interval / count * turn;
        let second = (0..).map(|n| regular + n * interval).find(|at| at - first >= interval / 2);
        let second = second.expect("one of the first two");
        Schedule {
            interval,
            rules,
            first: Some((first, second)),
            next: second,
            from: first,
            apart: interval,
            retry_at: None,
            retried: 0,
            since: start,
            paused: None,
            skipped: 0,
        }
    }

    /// The schedule of a target that expects heartbeats: the deadlines of the next one.
    pub(super) fn of_heartbeats(start: u64, interval: u64, grace: u64) -> Self {
        let mut schedule = Schedule::new(start, (0, 1), interval, Rules::default());
        schedule.first = None;
        schedule.expect_again(start, grace);
        schedule
    }

    /// A heartbeat was received.
    pub(super) fn expect_again(&mut self, at: u64, grace: u64) {
        self.since = at;
        self.next = at + self.interval + grace;
    }

    /// When the last heartbeat was received, or the target started.
    pub(super) fn since(&self) -> u64 {
        self.since
    }

    /// When the next check is due.
    pub(super) fn scheduled(&self) -> u64 {
        self.first.map_or(self.next, |(first, _)| first)
    }

    /// Whether a failed try is repeated.
    pub(super) fn waits_to_repeat(&self) -> bool {
        self.retry_at.is_some()
    }

    /// When the next try is due while there is none.
    pub(super) fn due(&self) -> u64 {
        self.paused.or(self.retry_at).unwrap_or(self.scheduled())
    }

    pub(super) fn pause_end(&self) -> Option<u64> {
        self.paused
    }

    /// A target without a grace is checked again at the end of the pause, one with a grace expects heartbeats.
    pub(super) fn pause(&mut self, end: u64, grace: Option<u64>) {
        if end < u64::MAX && grace.is_none() {
            self.restart(end);
        }
        (self.paused, self.retry_at, self.retried) = (Some(end), None, 0);
    }

    pub(super) fn resume(&mut self, at: u64, grace: Option<u64>) {
        self.end_pause(at, grace);
        if grace.is_none() {
            self.restart(at);
        }
    }

    pub(super) fn end_pause(&mut self, at: u64, grace: Option<u64>) {
        self.paused = None;
        if let Some(grace) = grace.filter(|_| self.next <= at) {
            self.expect_again(at, grace);
        }
    }

    fn restart(&mut self, at: u64) {
        let skipped = self.skipped;
        *self = Schedule { skipped, ..Schedule::new(at, (0, 1), self.interval, self.rules) };
    }

    /// A try begins; gives by how much it is late, if it is one on the scheduled time.
    pub(super) fn begin(&mut self, at: u64) -> Option<u64> {
        let repeated = self.retry_at.take().is_some();
        (!repeated && at >= self.scheduled()).then(|| at - self.scheduled())
    }

    /// Whether a try that ends like this is repeated.
    pub(super) fn would_repeat(&self, ok: bool) -> bool {
        !ok && self.retried < self.rules.retries
    }

    /// A try has ended; returns whether it is repeated.
    pub(super) fn end_run(&mut self, ok: bool, at: u64) -> bool {
        let again = self.would_repeat(ok);
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
        if self.first.is_some_and(|(first, _)| at < first) {
            return "interval: before the first scheduled time";
        }
        let apart = std::mem::replace(&mut self.apart, interval);
        if let Some((first, second)) = self.first.take() {
            while self.next <= at {
                self.skipped += 1;
                self.next += apart;
            }
            // The distance to the second check follows the interval.
            let distance = u128::from(second - first) * u128::from(interval) / u128::from(self.interval);
            self.next = first + distance as u64;
            self.from = first;
            if self.next <= at {
                // As below: the following are counted from the one that was due.
                self.from = self.next;
                self.next += ((at - self.from) / interval + 1) * interval;
            }
            return if interval == self.interval {
                "interval: after the first check"
            } else {
                "interval: another one after the first check"
            };
        }
        if at >= self.next {
            self.from = self.next;
            self.skipped += (at - self.from) / apart;
        } else if interval == apart {
            return word;
        }
        self.next = self.from + ((at - self.from) / interval + 1) * interval;
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
