//! What streams of events must say, told anew from the contract.

use std::time::Duration;

use super::plan::TargetPlan;
use crate::fsm::State;
use crate::result::Reason;

/// Events of a kind that are remembered at least.
const MOST: usize = 256;

/// One event on paper.
pub(super) struct Entry {
    pub(super) seq: u64,
    /// Whose it is; `None` once nobody has had the name.
    pub(super) name: Option<usize>,
    pub(super) unix: Duration,
    pub(super) reason: Option<Reason>,
    /// The state before, if this is a change.
    pub(super) from: Option<State>,
    pub(super) state: State,
    pub(super) detail: String,
}

/// All events of one kind that there have ever been.
#[derive(Default)]
struct Row {
    entries: Vec<Entry>,
    /// How many of them are forgotten.
    gone: usize,
}

/// All events.
#[derive(Default)]
pub(super) struct Journal {
    pub(super) last: u64,
    most: usize,
    changes: Row,
    checks: Row,
    keeps_checks: bool,
}

/// How far a stream has been told: the places of its next events of each kind.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    name: Option<usize>,
    change: usize,
    check: Option<usize>,
    /// It may have missed some before it came.
    pub(super) is_late: bool,
}

impl Journal {
    pub(super) fn new(targets: usize) -> Journal {
        Journal { most: MOST.max(2 * targets), ..Journal::default() }
    }

    /// A check has ended in this way, with this change.
    pub(super) fn note(&mut self, entry: Entry) {
        if self.keeps_checks {
            self.last += 1;
            let check = Entry { seq: self.last, from: None, detail: entry.detail.clone(), ..entry };
            self.checks.push(check, self.most);
        }
        if entry.from.is_some() {
            self.last += 1;
            self.changes.push(Entry { seq: self.last, ..entry }, self.most);
        }
    }

    /// A target is paused, which has changed its state.
    pub(super) fn note_pause(&mut self, entry: Entry) {
        self.last += 1;
        self.changes.push(Entry { seq: self.last, ..entry }, self.most);
    }

    /// These targets are watched now: what others did is told no more.
    pub(super) fn remap(&mut self, targets: &[&TargetPlan]) {
        self.most = MOST.max(2 * targets.len());
        for row in [&mut self.changes, &mut self.checks] {
            for entry in &mut row.entries {
                entry.name = entry.name.filter(|name| targets.iter().any(|target| target.name == *name));
            }
            row.forget(self.most);
        }
    }

    /// Where a stream starts that has seen everything up to this number.
    pub(super) fn cursor(&mut self, name: Option<usize>, checks: bool, seen: Option<u64>) -> Cursor {
        self.keeps_checks |= checks;
        // A number that has not been given is one of another start.
        let seen = seen.map(|seen| if seen > self.last { 0 } else { seen });
        let change = self.changes.place(seen);
        let check = checks.then(|| self.checks.place(seen));
        let is_late = self.changes.misses(seen) || checks && self.checks.misses(seen);
        Cursor { name, change, check, is_late }
    }

    /// Moves to what is remembered; gives how much is not.
    pub(super) fn catch_up(&self, cursor: &mut Cursor) -> usize {
        let mut lost = self.changes.gone.saturating_sub(cursor.change);
        cursor.change += lost;
        if let Some(check) = &mut cursor.check {
            let missed = self.checks.gone.saturating_sub(*check);
            *check += missed;
            lost += missed;
        }
        lost
    }

    /// Moves past what the stream does not want; gives the next event that it does.
    pub(super) fn skip(&self, cursor: &mut Cursor) -> Option<&Entry> {
        loop {
            let change = self.changes.entries.get(cursor.change);
            let check = cursor.check.and_then(|check| self.checks.entries.get(check));
            let entry = change.into_iter().chain(check).min_by_key(|entry| entry.seq)?;
            if entry.name.is_some() && (cursor.name.is_none() || cursor.name == entry.name) {
                return Some(entry);
            }
            cursor.pass(entry);
        }
    }

    /// The next event that the stream wants, if there is one; moves past it.
    pub(super) fn next(&self, cursor: &mut Cursor) -> Option<&Entry> {
        let entry = self.skip(cursor)?;
        cursor.pass(entry);
        Some(entry)
    }

    /// Whether there is anything that the stream has not been told.
    pub(super) fn has_news(&self, cursor: &Cursor) -> bool {
        let mut cursor = cursor.clone();
        cursor.is_late || self.catch_up(&mut cursor) > 0 || self.next(&mut cursor).is_some()
    }
}

impl Cursor {
    fn pass(&mut self, entry: &Entry) {
        match &mut self.check {
            Some(check) if entry.from.is_none() => *check += 1,
            _ => self.change += 1,
        }
    }
}

impl Row {
    fn push(&mut self, entry: Entry, most: usize) {
        self.entries.push(entry);
        self.forget(most);
    }

    fn forget(&mut self, most: usize) {
        self.gone = self.gone.max(self.entries.len().saturating_sub(most));
    }

    fn place(&self, seen: Option<u64>) -> usize {
        let Some(seen) = seen else { return self.entries.len() };
        self.gone.max(self.entries.partition_point(|entry| entry.seq <= seen))
    }

    fn misses(&self, seen: Option<u64>) -> bool {
        let last = self.entries[..self.gone].last().map_or(0, |entry| entry.seq);
        seen.is_some_and(|seen| seen < last)
    }
}
