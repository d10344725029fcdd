//! What has happened to the targets: the latest events, for the clients that want to be told.
//!
//! Events are kept as what they say and written out for each client when it can take them: a machine may
//! watch ten thousand targets, and most of the time nobody listens. Their details are those of the
//! histories, which keep them anyway.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::limits::{EVENT_LOG_MIN, STREAM_BATCH_MAX};
use crate::api::events::{self, EventId, Subscription};
use crate::clock::Now;
use crate::fsm::{Change, Event, Last, State};
use crate::monitor::{Fleet, Moved, Watch};
use crate::result::Reason;
use crate::snapshot::transition::{CheckEnd, Transition, line};

/// The latest transitions and, once somebody has asked for them, checks. All are numbered in one row.
pub(super) struct EventLog {
    boot: u64,
    last: u64,
    transitions: Ring,
    checks: Ring,
    keeps_checks: bool,
    /// What was written last, from where to where: most clients are at the same place.
    written: Option<(Cursor, String, Cursor)>,
}

/// The latest events of one kind.
struct Ring {
    most: usize,
    entries: VecDeque<Entry>,
    /// How many there were before those.
    dropped: u64,
    /// The number of the last of them.
    dropped_seq: u64,
}

struct Entry {
    seq: u64,
    /// The target's place in the list of monitors; `None` if it is not watched any more.
    target: Option<usize>,
    /// When, on the wall clock, as the time since 1970.
    ts: Duration,
    event: Event,
    /// The state that it led to, and from which after how long if it was another one.
    state: State,
    change: Option<(State, Duration)>,
    detail: Arc<str>,
    error: Option<Reason>,
    latency: Option<Duration>,
}

/// How far a client has got: the places of its next events, each counted from the first of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The place of the only target that matters.
    pub(super) target: Option<usize>,
    transition: u64,
    /// `None` if checks do not matter.
    check: Option<u64>,
    /// Events may be gone of which it is not known how many.
    is_late: bool,
}

impl Cursor {
    /// Other targets are watched now; says whether one of those that matter is there.
    pub(super) fn remap(&mut self, moved: &Moved) -> bool {
        let before = self.target;
        self.target = before.and_then(|target| moved.named[target]);
        self.target.is_some() == before.is_some()
    }
}

impl EventLog {
    pub(super) fn new(targets: usize, now: Now) -> Self {
        let most = most(targets);
        EventLog {
            boot: u64::try_from(now.unix.as_micros()).unwrap_or(u64::MAX),
            last: 0,
            transitions: Ring::new(most),
            checks: Ring::new(most),
            keeps_checks: false,
            written: None,
        }
    }

    /// Other targets are watched now. What one of the same name did is told of that; of others, no more.
    pub(super) fn remap(&mut self, moved: &Moved, targets: usize) {
        self.written = None;
        for ring in [&mut self.transitions, &mut self.checks] {
            ring.most = most(targets);
            for entry in &mut ring.entries {
                entry.target = entry.target.and_then(|target| moved.named[target]);
            }
            while ring.entries.len() > ring.most {
                ring.drop_oldest();
            }
        }
    }

    /// Notes the end of a check and what it changed; says whether anybody could want to know.
    pub(super) fn note(&mut self, target: usize, last: &Last, change: Option<&Change>, state: State) -> bool {
        self.written = None;
        let mut entry = |change: Option<&Change>| {
            self.last += 1;
            Entry {
                seq: self.last,
                target: Some(target),
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

    /// Where a client starts that wants this.
    pub(super) fn cursor(&self, wanted: &Subscription) -> Cursor {
        // The numbers of another start say nothing about this one: all that there is may be news.
        let is_ours = |id: &EventId| id.boot == self.boot && id.seq <= self.last;
        let seen = wanted.last.map(|id| if is_ours(&id) { id.seq } else { 0 });
        let place = |ring: &Ring| seen.map_or(ring.end(), |seq| ring.after(seq));
        let misses = |ring: &Ring| seen.is_some_and(|seq| seq < ring.dropped_seq);
        Cursor {
            target: wanted.target,
            transition: place(&self.transitions),
            check: wanted.checks.then(|| place(&self.checks)),
            is_late: misses(&self.transitions) || wanted.checks && misses(&self.checks),
        }
    }

    /// Keeps from now on what a client wants.
    pub(super) fn keep(&mut self, wanted: &Subscription) {
        self.keeps_checks |= wanted.checks;
    }

    /// The client's next events in writing, as many as fit; empty if there are none.
    pub(super) fn batch(&mut self, cursor: &mut Cursor, fleet: &Fleet) -> String {
        if let Some((_, text, to)) = self.written.as_ref().filter(|(from, ..)| from == cursor) {
            cursor.clone_from(to);
            return text.clone();
        }
        let from = cursor.clone();
        let text = self.write(cursor, fleet);
        self.written = Some((from, text.clone(), cursor.clone()));
        text
    }

    fn write(&self, cursor: &mut Cursor, fleet: &Fleet) -> String {
        let mut text = String::new();
        let lost = self.transitions.catch_up(&mut cursor.transition)
            + cursor.check.as_mut().map_or(0, |place| self.checks.catch_up(place));
        // Whose events they were is lost with them.
        let counts = cursor.target.is_none();
        if std::mem::take(&mut cursor.is_late) || lost > 0 && !counts {
            text.push_str(&events::lost(None));
        }
        if lost > 0 && counts {
            text.push_str(&events::lost(Some(lost)));
        }
        while let Some((entry, is_check)) = self.next(cursor) {
            let wanted = |target: &usize| cursor.target.is_none_or(|only| only == *target);
            if let Some(target) = entry.target.filter(wanted) {
                let told = self.tell(entry, fleet.watch(target));
                if !text.is_empty() && text.len() + told.len() > STREAM_BATCH_MAX {
                    break;
                }
                text.push_str(&told);
            }
            match &mut cursor.check {
                Some(place) if is_check => *place += 1,
                _ => cursor.transition += 1,
            }
        }
        text
    }

    /// The client's next event, and whether it is a check.
    fn next(&self, cursor: &Cursor) -> Option<(&Entry, bool)> {
        let transition = self.transitions.at(cursor.transition).map(|entry| (entry, false));
        let check = cursor.check.and_then(|place| self.checks.at(place)).map(|entry| (entry, true));
        transition.into_iter().chain(check).min_by_key(|(entry, _)| entry.seq)
    }

    fn tell(&self, entry: &Entry, watch: &Watch) -> String {
        let id = EventId { boot: self.boot, seq: entry.seq };
        let Entry { ts, event, state, error, latency, .. } = *entry;
        let (target, probe, detail) = (watch.name(), watch.target(), &*entry.detail);
        match entry.change {
            Some((from, previous_state_duration)) => {
                let to = state;
                let told = Transition {
                    ts,
                    target,
                    probe,
                    from,
                    to,
                    detail,
                    error,
                    latency,
                    previous_state_duration,
                };
                events::event(id, "transition", &line(&told))
            }
            None => {
                let told = CheckEnd { ts, target, event, state, detail, error, latency };
                events::event(id, "check", &line(&told))
            }
        }
    }
}

/// How many events of a kind are kept of so many targets.
fn most(targets: usize) -> usize {
    EVENT_LOG_MIN.max(targets.saturating_mul(2))
}

impl Ring {
    fn new(most: usize) -> Ring {
        Ring { most, entries: VecDeque::new(), dropped: 0, dropped_seq: 0 }
    }

    fn push(&mut self, entry: Entry) {
        if self.entries.len() == self.most {
            self.drop_oldest();
        }
        if self.entries.len() == self.entries.capacity() {
            // To double a memory of many events would leave half of it empty for long.
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

    /// The place behind the last event.
    fn end(&self) -> u64 {
        self.dropped + self.entries.len() as u64
    }

    /// The place of the first event that is left and numbered above `seq`.
    fn after(&self, seq: u64) -> u64 {
        self.dropped + self.entries.partition_point(|entry| entry.seq <= seq) as u64
    }

    fn at(&self, place: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(place.checked_sub(self.dropped)?).ok()?)
    }

    /// Moves a place to what is left; says how many events it missed.
    fn catch_up(&self, place: &mut u64) -> u64 {
        let missed = self.dropped.saturating_sub(*place);
        *place += missed;
        missed
    }
}
