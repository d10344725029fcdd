//! The latest events of all targets, for streams.
//!
//! Events are stored as data and rendered when a client can take them: there may be 10,000 targets and no
//! client. Their details are shared with the targets' histories.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::limits::{EVENT_LOG_MIN, STREAM_BATCH_MAX};
use crate::api::events::{self, EventId, Subscription};
use crate::clock::Now;
use crate::fsm::{Change, Event, Last, State};
use crate::monitor::{Target, TargetId, Targets};
use crate::result::Reason;
use crate::snapshot::transition::{CheckEnd, Transition, line};

/// The latest transitions and, once a client has requested them, checks, in one sequence of numbers.
pub(super) struct EventLog {
    boot: u64,
    last: u64,
    transitions: Ring,
    checks: Ring,
    pub(super) keeps_checks: bool,
    /// The last rendered batch with its start and end: most clients have the same cursor.
    written: Option<(Cursor, String, Cursor)>,
}

struct Ring {
    capacity: usize,
    entries: VecDeque<Entry>,
    dropped: u64,
    dropped_seq: u64,
}

struct Entry {
    seq: u64,
    target: TargetId,
    ts: Duration,
    event: Event,
    state: State,
    change: Option<(State, Duration)>,
    detail: Arc<str>,
    error: Option<Reason>,
    latency: Option<Duration>,
}

/// A client's position: the next event of each kind, counted from the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The only target whose events are sent; `None`: all.
    pub(super) target: Option<TargetId>,
    transition: u64,
    /// `None` if checks are not sent.
    check: Option<u64>,
    /// An unknown number of events was dropped before the start.
    may_have_missed: bool,
}

impl EventLog {
    pub(super) fn new(targets: usize, now: Now) -> Self {
        let capacity = capacity(targets);
        EventLog {
            boot: u64::try_from(now.unix.as_micros()).unwrap_or(u64::MAX),
            last: 0,
            transitions: Ring::new(capacity),
            checks: Ring::new(capacity),
            keeps_checks: false,
            written: None,
        }
    }

    /// Adapts to a changed list of targets. Events of removed targets are stored and not sent.
    pub(super) fn handle_reload(&mut self, targets: usize) {
        self.written = None;
        for ring in [&mut self.transitions, &mut self.checks] {
            ring.capacity = capacity(targets);
            while ring.entries.len() > ring.capacity {
                ring.drop_oldest();
            }
        }
    }

    /// Records the end of a check and its change of state. Returns whether an event was stored.
    pub(super) fn note(
        &mut self,
        target: TargetId,
        last: &Last,
        change: Option<&Change>,
        state: State,
    ) -> bool {
        self.written = None;
        let mut entry = |change: Option<&Change>| {
            self.last += 1;
            Entry {
                seq: self.last,
                target,
                ts: last.at.unix,
                event: last.event,
                state,
                change: change.map(|change| (change.from, change.previous_state_duration)),
                detail: last.detail.clone(),
                error: last.reason,
                latency: last.latency,
            }
        };
        if self.keeps_checks {
            self.checks.push(entry(None));
        }
        if change.is_some() {
            self.transitions.push(entry(change));
        }
        self.keeps_checks || change.is_some()
    }

    /// Records that a target has become unknown, because it is paused.
    pub(super) fn note_pause(&mut self, target: TargetId, change: &Change, now: Now) {
        self.written = None;
        self.last += 1;
        self.transitions.push(Entry {
            seq: self.last,
            target,
            ts: now.unix,
            event: Event::Ok,
            state: change.to,
            change: Some((change.from, change.previous_state_duration)),
            detail: "paused".into(),
            error: None,
            latency: None,
        });
    }

    pub(super) fn cursor(&self, wanted: &Subscription) -> Cursor {
        // Ids of another run of the daemon do not apply to this one: all events may be new to the client.
        let is_ours = |id: &EventId| id.boot == self.boot && id.seq <= self.last;
        let seen = wanted.last.map(|id| if is_ours(&id) { id.seq } else { 0 });
        let place = |ring: &Ring| seen.map_or(ring.end(), |seq| ring.after(seq));
        let misses = |ring: &Ring| seen.is_some_and(|seq| seq < ring.dropped_seq);
        Cursor {
            target: wanted.target,
            transition: place(&self.transitions),
            check: wanted.checks.then(|| place(&self.checks)),
            may_have_missed: misses(&self.transitions) || wanted.checks && misses(&self.checks),
        }
    }

    pub(super) fn batch(&mut self, cursor: &mut Cursor, targets: &Targets) -> String {
        if let Some((_, text, to)) = self.written.as_ref().filter(|(from, ..)| from == cursor) {
            cursor.clone_from(to);
            return text.clone();
        }
        let from = cursor.clone();
        let text = self.write(cursor, targets);
        self.written = Some((from, text.clone(), cursor.clone()));
        text
    }

    fn write(&self, cursor: &mut Cursor, targets: &Targets) -> String {
        let mut text = String::new();
        let lost = self.transitions.catch_up(&mut cursor.transition)
            + cursor.check.as_mut().map_or(0, |place| self.checks.catch_up(place));
        // The dropped events may have been of other targets: with a filter, their number is unknown.
        let counts = cursor.target.is_none();
        if std::mem::take(&mut cursor.may_have_missed) || lost > 0 && !counts {
            text.push_str(&events::lost(None));
        }
        if lost > 0 && counts {
            text.push_str(&events::lost(Some(lost)));
        }
        while let Some((entry, is_check)) = self.next(cursor) {
            let is_wanted = cursor.target.is_none_or(|only| only == entry.target);
            if let Some(target) = targets.get(entry.target).filter(|_| is_wanted) {
                let event = self.render(entry, target);
                if !text.is_empty() && text.len() + event.len() > STREAM_BATCH_MAX {
                    break;
                }
                text.push_str(&event);
            }
            match &mut cursor.check {
                Some(place) if is_check => *place += 1,
                _ => cursor.transition += 1,
            }
        }
        text
    }

    fn next(&self, cursor: &Cursor) -> Option<(&Entry, bool)> {
        let transition = self.transitions.at(cursor.transition).map(|entry| (entry, false));
        let check = cursor.check.and_then(|place| self.checks.at(place)).map(|entry| (entry, true));
        transition.into_iter().chain(check).min_by_key(|(entry, _)| entry.seq)
    }

    fn render(&self, entry: &Entry, target: &Target) -> String {
        let id = EventId { boot: self.boot, seq: entry.seq };
        let Entry { ts, event, state, error, latency, .. } = *entry;
        let is_public = !target.is_private();
        let (name, url) = (target.name(), is_public.then(|| target.url()));
        let detail = is_public.then_some(&*entry.detail);
        match entry.change {
            Some((from, previous_state_duration)) => {
                let to = state;
                let transition =
                    Transition { ts, name, url, from, to, detail, error, latency, previous_state_duration };
                events::event(id, "transition", &line(&transition))
            }
            None => {
                let check = CheckEnd { ts, name, event, state, detail, error, latency };
                events::event(id, "check", &line(&check))
            }
        }
    }
}

fn capacity(targets: usize) -> usize {
    EVENT_LOG_MIN.max(targets.saturating_mul(2))
}

impl Ring {
    fn new(capacity: usize) -> Ring {
        Ring { capacity, entries: VecDeque::new(), dropped: 0, dropped_seq: 0 }
    }

    fn push(&mut self, entry: Entry) {
        if self.entries.len() == self.capacity {
            self.drop_oldest();
        }
        if self.entries.len() == self.entries.capacity() {
            // Doubling would leave up to half of a large ring unused for long.
            self.entries.reserve_exact(16 + self.entries.len() / 8);
        }
        self.entries.push_back(entry);
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            self.dropped += 1;
            self.dropped_seq = oldest.seq;
        }
    }

    fn end(&self) -> u64 {
        self.dropped + self.entries.len() as u64
    }

    fn after(&self, seq: u64) -> u64 {
        self.dropped + self.entries.partition_point(|entry| entry.seq <= seq) as u64
    }

    fn at(&self, place: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(place.checked_sub(self.dropped)?).ok()?)
    }

    /// Moves a position to the oldest stored event at least. Returns the number of events skipped.
    fn catch_up(&self, place: &mut u64) -> u64 {
        let missed = self.dropped.saturating_sub(*place);
        *place += missed;
        missed
    }
}
