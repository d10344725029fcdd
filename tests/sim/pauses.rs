//! Pauses: a paused target is not checked, and nothing else changes.

use super::event_log::Entry;
use super::plan::{MS, Plan, S};
use super::rng::Rng;
use super::world::{Event, Sock, World};

pub(super) struct Pauses {
    rng: Rng,
    /// The longest time between two; `None` if there are none at all.
    interval: Option<u64>,
}

impl Pauses {
    pub(super) fn new(mut rng: Rng, plan: &Plan) -> Pauses {
        let interval = rng.pick(&[None, None, Some(4 * S), Some(12 * S)]);
        Pauses { rng, interval: interval.filter(|_| plan.flood.is_none() && !plan.busy) }
    }
}

impl World {
    pub(super) fn schedule_pause(&mut self) {
        if let Some(interval) = self.pauses.interval {
            let after = self.pauses.rng.below(interval);
            self.schedule(after, Event::Pause);
        }
    }

    /// A target is paused or resumed.
    pub(super) fn pause_any(&mut self) {
        self.schedule_pause();
        if self.present.is_empty() {
            return;
        }
        self.drain();
        let target = self.present[self.pauses.rng.index(self.present.len())];
        match self.schedules[target].pause_end().is_some() && self.pauses.rng.permille(600) {
            true => self.resume(target),
            false => self.pause(target),
        }
        self.drain();
        self.check_step();
        self.compare_all();
    }

    fn pause(&mut self, target: usize) {
        let span = self.pauses.rng.pick(&[None, Some(300 * MS), Some(2 * S), Some(9 * S), Some(31 * S)]);
        let at = self.seen.max(self.at);
        self.counters.add("pauses: begun");
        if self.runs[target].take().is_some() {
            self.counters.add("pauses: with a check in flight");
        }
        if self.schedules[target].waits_to_repeat() {
            self.counters.add("pauses: before a further attempt");
        }
        self.urgent.remove(&target);
        self.dependencies.forget(target, at);
        self.schedules[target]
            .pause(span.map_or(u64::MAX, |span| at + span), self.plan.targets[target].grace());
        if let Some(from) = self.models[target].pause(at) {
            self.journal.note_pause(Entry {
                seq: 0,
                name: Some(self.plan.targets[target].name),
                unix: self.moment(self.at).unix,
                reason: None,
                from: Some(from),
                state: self.models[target].state,
                detail: "paused".to_owned(),
            });
        }
        let (id, span) = (self.ids[target], span.map(std::time::Duration::from_nanos));
        self.call(self.at, |engine, now| engine.pause(id, span, now));
        assert!(!self.ledger.tracks()[target].busy, "target {target} is checked in a pause");
        let is_of = |sock: &Sock| match sock {
            Sock::Target(site) => site.target == target,
            Sock::Peer(peer) => peer.target == target,
            _ => false,
        };
        let open: Vec<_> = self.socks.iter().filter(|(_, sock)| is_of(sock)).map(|(id, _)| *id).collect();
        assert!(open.iter().all(|id| !self.engine.knows(*id)), "a connection in a pause");
    }

    fn resume(&mut self, target: usize) {
        self.counters.add("pauses: resumed");
        let at = self.seen.max(self.at);
        self.dependencies.forget(target, at);
        self.schedules[target].resume(at, self.plan.targets[target].grace());
        let id = self.ids[target];
        self.call(self.at, |engine, now| engine.resume(id, now));
    }

    /// The deadlines of this turn have been processed, and with them the ends of pauses.
    pub(super) fn end_pauses(&mut self) {
        for place in 0..self.present.len() {
            self.end_pause(self.present[place]);
        }
    }

    /// A pause whose end has come is over.
    pub(super) fn end_pause(&mut self, target: usize) {
        if self.schedules[target].pause_end().is_some_and(|end| end <= self.seen) {
            self.counters.add("pauses: ended");
            self.pause_ended_at = Some(self.seen);
            self.dependencies.forget(target, self.seen);
            self.schedules[target].end_pause(self.seen, self.plan.targets[target].grace());
        }
    }

    /// A target has replaced one of the same name: a pause with an end continues.
    pub(super) fn continue_pause(&mut self, target: usize, before: &[usize], at: u64) {
        let name = self.plan.targets[target].name;
        let old = before.iter().find(|old| self.plan.targets[**old].name == name);
        let end = old.and_then(|old| self.schedules[*old].pause_end()).filter(|end| *end < u64::MAX);
        if let Some(end) = end {
            self.counters.add("pauses: of a target that is replaced");
            self.schedules[target].pause(end, self.plan.targets[target].grace());
            self.models[target].pause(at);
        }
    }
}
