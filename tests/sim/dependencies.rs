//! Targets that depend on others: which failures are held, told anew from the contract.

use std::time::Duration;

use super::plan::Plan;
use super::rng::Rng;
use super::site::ProbeRun;
use super::world::World;
use crate::engine::limits::STALLS_MAX;
use crate::fsm::State;
use crate::monitor::{Monitor, TargetId};
use crate::result::{ProbeResult, Reason};

/// The longest turn of the loop, in nanoseconds.
const TURN_MAX: u64 = 30_000;

pub(super) struct Dependencies {
    rng: Rng,
    is_used: bool,
    /// Of each target: the names of its parents, which are smaller numbers than its own.
    parents: Vec<Vec<usize>>,
    held: Vec<bool>,
    /// Failures that count or are held by what becomes of the parents.
    waits: Vec<Option<Wait>>,
    /// The last attempts that ended, and those before.
    ends: Vec<[End; 2]>,
    /// When a failure was last processed, and when a pause began or ended.
    processed_at: Vec<Option<u64>>,
    pause_changed_at: Vec<Option<u64>>,
    /// Targets with failures of the network, whose verification follows.
    unverified: Vec<(usize, ProbeResult, bool)>,
    /// Checks that have begun before their time.
    early: Vec<usize>,
    /// Names of parents whose check was requested and waits for a connection, although the failure has been processed.
    late: Vec<usize>,
    /// Runs whose targets have begun again, at this time, before their results were taken.
    earlier: Vec<(usize, ProbeRun, u64)>,
    begun_again: Option<u64>,
}

struct Wait {
    since: u64,
    until: u64,
    stalls: u8,
    /// The parents that were checked for it.
    checked: Vec<usize>,
}

#[derive(Clone, Copy, Default)]
struct End {
    begun: u64,
    at: u64,
    failed: bool,
}

/// What the world knows of a parent when a failure of its child is processed: things happen at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Down,
    NotDown,
    Unsure,
}

impl Dependencies {
    pub(super) fn new(mut rng: Rng, plan: &Plan) -> Dependencies {
        let is_used = rng.permille(600) && plan.flood.is_none() && !plan.busy;
        let mut dependencies = Dependencies {
            rng,
            is_used,
            parents: Vec::new(),
            held: Vec::new(),
            waits: Vec::new(),
            late: Vec::new(),
            ends: Vec::new(),
            processed_at: Vec::new(),
            pause_changed_at: Vec::new(),
            unverified: Vec::new(),
            early: Vec::new(),
            earlier: Vec::new(),
            begun_again: None,
        };
        let names: Vec<usize> = plan.targets.iter().map(|target| target.name).collect();
        for target in &plan.targets {
            dependencies.add(target.name, target.is_heartbeat(), &names);
        }
        dependencies
    }

    /// Chooses the parents of one more target out of those that will be present.
    pub(super) fn add(&mut self, name: usize, is_heartbeat: bool, names: &[usize]) {
        // The world follows one result of a heartbeat at a time.
        let is_child = self.is_used && !is_heartbeat && self.rng.permille(900);
        let mut parents = Vec::new();
        for other in names.iter().filter(|other| is_child && **other < name) {
            if parents.len() < 2 && self.rng.permille(700) {
                parents.push(*other);
            }
        }
        self.parents.push(parents);
        self.held.push(false);
        self.waits.push(None);
        self.ends.push([End::default(); 2]);
        self.processed_at.push(None);
        self.pause_changed_at.push(None);
    }

    /// Removes the parents that are absent; gives whether there were some.
    pub(super) fn retain(&mut self, target: usize, names: &[usize]) -> bool {
        let count = self.parents[target].len();
        self.parents[target].retain(|name| names.contains(name));
        self.parents[target].len() < count
    }

    pub(super) fn equip(&self, monitor: Monitor, target: usize) -> Monitor {
        self.parents[target].iter().fold(monitor, |monitor, name| monitor.depends_on(format!("t{name}")))
    }

    /// The target is gone or paused, or its pause has ended.
    pub(super) fn forget(&mut self, target: usize, at: u64) {
        self.waits[target] = None;
        self.held[target] = false;
        self.pause_changed_at[target] = Some(at);
        self.unverified.retain(|(other, ..)| *other != target);
        self.earlier.retain(|(other, ..)| *other != target);
    }

    /// The loop was late by so much.
    pub(super) fn extend(&mut self, gap: u64) {
        for wait in self.waits.iter_mut().flatten().filter(|wait| wait.stalls < STALLS_MAX) {
            wait.stalls += 1;
            wait.until += gap;
        }
    }
}

/// Whether such a failure can be that of a machine without an address.
pub(super) fn is_of_network(reason: Reason) -> bool {
    use Reason::{ConnectTimeout, DnsFailed, DnsNoAnswer, DnsTimeout, Local, NoReply, Unreachable};
    matches!(reason, DnsFailed | DnsTimeout | DnsNoAnswer | Unreachable | ConnectTimeout | NoReply | Local)
}

impl World {
    /// The target that is watched under this name.
    pub(super) fn holder(&self, name: usize) -> Option<usize> {
        self.present.iter().copied().find(|target| self.plan.targets[*target].name == name)
    }

    /// An attempt has ended, the last one of its check or not.
    pub(super) fn note_attempt_end(&mut self, target: usize, result: &ProbeResult, is_last: bool) {
        match result.reason {
            Some(reason) if is_of_network(reason) => {
                self.dependencies.unverified.push((target, result.clone(), is_last));
            }
            _ => self.note_verified(target, result, is_last),
        }
    }

    /// The engine is about to learn whether this machine has an address.
    pub(super) fn note_addresses(&mut self) {
        self.seen = self.seen.max(self.at);
        for (target, result, is_last) in std::mem::take(&mut self.dependencies.unverified) {
            self.note_verified(target, &result, is_last);
        }
    }

    fn note_verified(&mut self, target: usize, result: &ProbeResult, is_last: bool) {
        let failed = !result.ok && !self.has_no_result(result);
        let begun = self.runs[target].as_ref().map_or(0, |this| this.begun);
        let ends = &mut self.dependencies.ends[target];
        *ends = [End { begun, at: self.seen, failed }, ends[0]];
        if failed && is_last && !self.dependencies.parents[target].is_empty() {
            let parents = self.dependencies.parents[target].iter().filter_map(|name| self.holder(*name));
            let timeout = parents.map(|parent| self.plan.targets[parent].timeout).max().unwrap_or(0);
            let (since, until) = (self.seen, self.seen + timeout);
            self.dependencies.waits[target] = Some(Wait { since, until, stalls: 0, checked: Vec::new() });
        }
    }

    /// A check has begun that is not due.
    pub(super) fn note_early_begin(&mut self, target: usize) {
        self.dependencies.early.push(target);
    }

    /// A try has ended. If it is repeated, it has no result.
    pub(super) fn notice_end(&mut self, target: usize, result: ProbeResult) {
        let is_over = result.ok || self.has_no_result(&result);
        let is_last = !self.schedules[target].would_repeat(is_over);
        self.note_attempt_end(target, &result, is_last);
        let Some(this) = &mut self.runs[target] else { return };
        if !self.schedules[target].end_run(is_over, self.seen) {
            this.ended = Some(result);
            return;
        }
        self.counters.add("tries: to be repeated");
        if let Some(this) = self.runs[target].take() {
            self.hold_against_truth(target, &this, &result);
        }
    }

    /// A parent begins again before the result of its last check was taken. Gives false if that try is only repeated.
    pub(super) fn begin_again(&mut self, target: usize) -> bool {
        assert!(self.is_parent(target), "target {target} begins before its result");
        if self.runs[target].as_ref().is_some_and(|this| this.ended.is_none()) {
            // It has ended in the same call.
            let result = self.ledger.tracks()[target].done_before.clone();
            self.notice_end(target, result.expect("its result"));
        }
        let Some(this) = self.runs[target].take() else { return false };
        self.counters.add("dependencies: parents checked again");
        self.dependencies.earlier.push((target, this, self.seen));
        self.note_early_begin(target);
        self.begin_run(target);
        true
    }

    /// The run whose result follows.
    pub(super) fn take_run(&mut self, target: usize) -> Option<ProbeRun> {
        let earlier = &mut self.dependencies.earlier;
        let Some(place) = earlier.iter().position(|(other, ..)| *other == target) else {
            return self.runs[target].take();
        };
        let (_, this, at) = earlier.remove(place);
        self.dependencies.begun_again = Some(at);
        Some(this)
    }

    /// The result of that run has been processed.
    pub(super) fn note_result(&mut self, id: TargetId) {
        let Some(at) = self.dependencies.begun_again.take() else { return };
        let target = self.present.iter().copied().find(|target| self.ids[*target] == id).expect("present");
        if let Some(late) = self.schedules[target].begin(at) {
            self.delay = (self.delay.0 + late, self.delay.1 + 1);
        }
    }

    /// Each of them is the only one for each failure of a child.
    pub(super) fn check_early_begins(&mut self) {
        for target in std::mem::take(&mut self.dependencies.early) {
            let name = self.plan.targets[target].name;
            let Dependencies { parents, waits, late, .. } = &mut self.dependencies;
            let waits = waits.iter_mut().zip(parents).filter(|(_, parents)| parents.contains(&name));
            let waits: Vec<_> = waits.filter_map(|(wait, _)| wait.as_mut()).collect();
            let is_wanted = waits.iter().any(|wait| !wait.checked.contains(&target));
            if let Some(place) = late.iter().position(|late| !is_wanted && *late == name) {
                late.remove(place);
                continue;
            }
            assert!(is_wanted, "target {target} begins before its time");
            self.counters.add("dependencies: parents checked");
            if waits.len() > 1 {
                self.counters.add("dependencies: parents checked for several");
            }
            waits.into_iter().for_each(|wait| wait.checked.push(target));
        }
    }

    /// A check has a result: the model takes it in, held or not.
    pub(super) fn fire_model(
        &mut self,
        target: usize,
        result: &ProbeResult,
        detail: &str,
        unix: Duration,
    ) -> Option<(State, State, u64)> {
        let real = self.engine.targets().get(self.ids[target]).expect("it is watched");
        let is_held = real.held_by().is_some();
        self.check_held(target, result.ok, is_held);
        let model = &mut self.models[target];
        match is_held {
            true => model.hold(result.reason, detail, self.seen, unix),
            false => model.fire(result.reason, detail, self.seen, unix),
        }
    }

    fn check_held(&mut self, target: usize, ok: bool, is_held: bool) {
        let now = self.seen;
        let wait = self.dependencies.waits[target].take();
        let checked: Vec<_> =
            wait.iter().flat_map(|wait| &wait.checked).map(|other| self.plan.targets[*other].name).collect();
        if wait.is_some() {
            let parents = self.dependencies.parents[target].iter().filter(|name| !checked.contains(name));
            self.dependencies.late.extend(parents);
        }
        self.dependencies.held[target] = is_held;
        self.dependencies.processed_at[target] = wait.as_ref().map(|_| now);
        let Some(wait) = wait.filter(|_| !ok) else {
            return assert!(!is_held, "target {target} is held without parents or a failure");
        };
        // Deadlines are processed a little after the events of a turn.
        let is_late = now > wait.until + TURN_MAX && self.at < wait.until;
        assert!(!is_late, "a failure of target {target} is processed late");
        let names = self.dependencies.parents[target].clone();
        let known: Vec<_> = names.iter().map(|name| self.known_of(*name, &wait)).collect();
        if is_held {
            let is_possible = !known.is_empty() && !known.contains(&Known::NotDown);
            assert!(is_possible, "target {target} is held by {known:?}");
        } else {
            let is_possible = known.is_empty() || known.iter().any(|known| *known != Known::Down);
            assert!(is_possible, "target {target} is not held by {known:?}");
        }
        self.counters.add(match (is_held, now > wait.since) {
            (true, false) => "dependencies: held at once",
            (true, true) => "dependencies: held after a wait",
            (false, false) => "dependencies: not held",
            (false, true) => "dependencies: not held after a wait",
        });
    }

    fn known_of(&self, name: usize, wait: &Wait) -> Known {
        let now = self.seen;
        let Some(parent) = self.holder(name) else { return Known::NotDown };
        let all = &self.dependencies;
        if self.plan.targets[parent].is_heartbeat() {
            return Known::NotDown;
        }
        if all.pause_changed_at[parent] == Some(now) {
            return Known::Unsure;
        }
        if self.schedules[parent].pause_end().is_some() {
            return Known::NotDown;
        }
        if self.models[parent].state == State::Down || all.held[parent] {
            return Known::Down;
        }
        match &all.waits[parent] {
            Some(wait) if wait.since < now => return Known::Down,
            Some(_) => return Known::Unsure,
            None if all.processed_at[parent] == Some(now) => return Known::Unsure,
            None => {}
        }
        let [last, before] = all.ends[parent];
        if last.at < wait.since {
            return Known::NotDown;
        }
        match last.failed {
            true if last.at == wait.since => Known::Unsure,
            // One that began later may end at the deadline, and before or after it.
            true if last.at == now && now >= wait.until && last.begun > wait.since => Known::Unsure,
            true => Known::Down,
            false if last.at == now && before.failed && before.at >= wait.since => Known::Unsure,
            false => Known::NotDown,
        }
    }

    /// No failure waits for longer than it may.
    pub(super) fn check_waits(&self, now: u64) {
        for target in &self.present {
            let wait = self.dependencies.waits[*target].as_ref();
            assert!(wait.is_none_or(|wait| wait.until > now), "a failure of target {target} is overdue");
        }
    }

    pub(super) fn is_waiting(&self, target: usize) -> bool {
        self.dependencies.waits[target].is_some()
    }

    pub(super) fn is_parent(&self, target: usize) -> bool {
        let name = self.plan.targets[target].name;
        self.dependencies.parents.iter().any(|parents| parents.contains(&name))
    }
}
