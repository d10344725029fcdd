//! Other targets in the place of those that are watched: who stays, who goes and who comes.

use super::plan::{GROUPS, Plan, S, TargetPlan, in_group, is_private, target};
use super::receivers::equip;
use super::rng::Rng;
use super::world::{Event, Sock, World};
use crate::monitor::{Monitor, TargetId, TargetUpdate};
use crate::probe::build::probe;

/// Targets at the same time, after a reload.
const TARGETS_MAX: usize = 8;

/// How often there are others.
pub(super) struct Reloads {
    rng: Rng,
    /// The longest time between two; `None` if there are none at all.
    pause: Option<u64>,
    /// Names are numbers below this.
    names: usize,
}

/// What becomes of one place.
enum Next {
    /// The target that is at this place now.
    Keep(usize),
    Start(Box<TargetPlan>),
}

impl Reloads {
    pub(super) fn new(mut rng: Rng, plan: &Plan) -> Reloads {
        let pause = rng.pick(&[None, Some(2 * S), Some(9 * S), Some(9 * S)]);
        Reloads {
            rng,
            pause: pause.filter(|_| plan.flood.is_none() && !plan.busy),
            names: plan.targets.len(),
        }
    }
}

impl World {
    pub(super) fn schedule_reload(&mut self) {
        if let Some(pause) = self.reloads.pause {
            let after = self.reloads.rng.below(pause);
            self.schedule(after, Event::Reload);
        }
    }

    pub(super) fn reload(&mut self) {
        if self.reloads.rng.permille(150) {
            self.drain();
            self.ask_for_nonsense();
        } else {
            let list = self.roll_successors();
            self.replace(list);
        }
        self.schedule_reload();
    }

    /// A list that is refused changes nothing.
    fn ask_for_nonsense(&mut self) {
        let count = self.present.len();
        let mut present: Vec<TargetId> = self.present.iter().map(|target| self.ids[*target]).collect();
        let gone: Vec<_> = self.ids.iter().filter(|id| !present.contains(id)).copied().collect();
        let rng = &mut self.reloads.rng;
        match rng.below(2) {
            0 if !gone.is_empty() => present.insert(rng.index(count + 1), rng.pick(&gone)),
            _ if count == 0 => return,
            _ => present.push(rng.pick(&present)),
        }
        let list = present.into_iter().map(TargetUpdate::Keep).collect();
        let answer = self.engine.replace(list, self.moment(self.at));
        assert!(answer.is_err() && self.engine.poll_output().is_none(), "it is refused");
        self.counters.add("reload: refused");
    }

    fn roll_successors(&mut self) -> Vec<Next> {
        let Reloads { rng, names, .. } = &mut self.reloads;
        let drops_all = rng.permille(40);
        let mut list = Vec::new();
        for (place, known) in self.present.iter().enumerate() {
            let known = &self.plan.targets[*known];
            match rng.below(10) {
                _ if drops_all => {}
                0..=5 => list.push(Next::Keep(place)),
                6..=7 => {
                    let mut other = target(rng, self.plan.meeting, known.name);
                    self.counters.add("reload: the same name with other settings");
                    if rng.permille(700) {
                        other.host = known.host;
                    }
                    list.push(Next::Start(Box::new(other)));
                }
                _ => {}
            }
        }
        for _ in 0..rng.below(3) {
            // A new name, or one that somebody had who is gone.
            let name = rng.index(*names + 1);
            *names = (*names).max(name + 1);
            let is_taken = self.present.iter().any(|known| self.plan.targets[*known].name == name);
            if !is_taken && list.len() < TARGETS_MAX && !starts(&list, name) {
                list.push(Next::Start(Box::new(target(rng, self.plan.meeting, name))));
            }
        }
        for i in (1..list.len()).rev() {
            list.swap(i, rng.index(i + 1));
        }
        list
    }

    fn replace(&mut self, list: Vec<Next>) {
        let before = self.present.clone();
        let kept = |place: usize| list.iter().any(|next| matches!(next, Next::Keep(kept) if *kept == place));
        let (kept, gone): (Vec<usize>, Vec<usize>) = (0..before.len()).partition(|place| kept(*place));
        let gone: Vec<usize> = gone.into_iter().map(|place| before[place]).collect();
        if self.may_be_unsettled(&gone) {
            self.counters.add("reload: with outputs in flight");
        } else {
            self.drain();
        }
        for place in kept {
            self.counters.add("reload: kept");
            if self.runs[before[place]].is_some() {
                self.counters.add("reload: kept with a check in flight");
            }
        }
        for target in gone {
            self.part_from(target);
        }
        self.present.clear();
        let names: Vec<usize> = list.iter().map(|next| self.name_of(next, &before)).collect();
        let mut started = Vec::new();
        let mut successors = Vec::new();
        for next in list {
            match next {
                Next::Keep(place) => {
                    let (target, id) = (before[place], self.ids[before[place]]);
                    self.present.push(target);
                    // A result in flight has been notified by the settings from before.
                    let has_ended = self.runs[target].as_ref().is_some_and(|this| this.ended.is_some());
                    let loses_parents = self.dependencies.retain(target, &names);
                    successors.push(match self.reloads.rng.permille(200) && !has_ended {
                        true => {
                            self.counters.add("reload: other notifications");
                            let unused = probe("tcp", "localhost", 1).build().expect("a probe");
                            let group = self.reloads.rng.pick(&GROUPS);
                            self.plan.targets[target].group = group;
                            let other = equip(Monitor::new(unused), self.receivers.change(target));
                            let name = self.plan.targets[target].name;
                            let other = other.private(is_private(name));
                            let other = self.dependencies.equip(in_group(other, group), target);
                            TargetUpdate::KeepWith(id, other)
                        }
                        false if loses_parents => {
                            self.counters.add("reload: a parent is gone");
                            if self.is_waiting(target) {
                                self.counters.add("reload: a parent is gone while it is awaited");
                            }
                            let unused = probe("tcp", "localhost", 1).build().expect("a probe");
                            let other = equip(Monitor::new(unused), self.receivers.again(target));
                            let TargetPlan { group, name, .. } = self.plan.targets[target];
                            let other = in_group(other, group).private(is_private(name));
                            let other = self.dependencies.equip(other, target);
                            TargetUpdate::KeepWith(id, other)
                        }
                        false => TargetUpdate::Keep(id),
                    });
                }
                Next::Start(target) => {
                    let place = self.plan.targets.len();
                    let monitor = target.monitor(place, &self.ledger);
                    let monitor = equip(monitor, self.receivers.add());
                    self.dependencies.add(target.name, target.is_heartbeat(), &names);
                    let monitor = self.dependencies.equip(monitor, place);
                    self.plan.targets.push(*target);
                    self.present.push(place);
                    started.push(place);
                    successors.push(TargetUpdate::Start(monitor));
                }
            }
        }
        let at = self.seen.max(self.at);
        for (turn, target) in started.iter().enumerate() {
            self.counters.add("reload: started");
            self.write_down(*target, (turn, started.len()), at);
            self.continue_pause(*target, &before, at);
        }
        self.note_receivers();
        self.move_hooks();
        let watched: Vec<_> = self.present.iter().map(|target| &self.plan.targets[*target]).collect();
        self.journal.remap(&watched);
        if self.loud {
            println!("{:>12} us  {:?} instead of {before:?}", self.at / 1000, self.present);
        }
        let answer = self.call(self.at, |engine, now| engine.replace(successors, now));
        assert!(answer.is_ok(), "{answer:?}");
        self.note_ids(&before);
        self.drain();
        self.check_step();
        self.compare_all();
    }

    fn name_of(&self, next: &Next, before: &[usize]) -> usize {
        match next {
            Next::Keep(place) => self.plan.targets[before[*place]].name,
            Next::Start(target) => target.name,
        }
    }

    /// Ids stay with the names; those of names that are gone are not used again.
    fn note_ids(&mut self, before: &[usize]) {
        let ids: Vec<TargetId> = self.engine.targets().ids().collect();
        assert_eq!(ids.len(), self.present.len());
        for (id, target) in ids.into_iter().zip(&self.present) {
            let name = self.plan.targets[*target].name;
            match before.iter().find(|known| self.plan.targets[**known].name == name) {
                Some(known) => assert_eq!(self.ids[*known], id, "the id of t{name}"),
                None => assert!(!self.ids.contains(&id), "{id:?} is used again for t{name}"),
            }
            if *target == self.ids.len() {
                self.ids.push(id);
            }
        }
        assert_eq!(self.ids.len(), self.plan.targets.len());
    }

    /// Whether outputs may still be in flight: this world can only follow those that speak of targets that
    /// stay, and of nothing that depends on who is there.
    fn may_be_unsettled(&self, gone: &[usize]) -> bool {
        let has_ended = |target: &usize| self.runs[*target].as_ref().is_some_and(|this| this.ended.is_some());
        self.plan.lazy
            && self.hooks.is_quiet()
            && self.posts.is_quiet()
            && !self.socks.values().any(|sock| matches!(sock, Sock::Client(_)))
            && !gone.iter().any(has_ended)
    }

    /// A target goes, with all that is in flight for it but hooks and letters.
    fn part_from(&mut self, target: usize) {
        self.counters.add("reload: dropped");
        self.urgent.remove(&target);
        self.dependencies.forget(target, self.seen.max(self.at));
        let (has_try, name) = (self.runs[target].take().is_some(), self.plan.targets[target].name);
        let has_conn = self.socks.values().any(|sock| match sock {
            Sock::Target(site) => site.target == target,
            Sock::Peer(peer) => peer.target == target,
            _ => false,
        });
        if has_conn {
            self.counters.add("reload: dropped with a connection");
        } else if has_try {
            self.counters.add("reload: dropped with a lookup in flight");
        }
        if self.schedules[target].waits_to_repeat() {
            self.counters.add("reload: dropped before it was tried again");
        }
        if self.is_to_be_posted(name) {
            self.counters.add("reload: dropped with a post in flight");
        }
    }

    /// Who stays is as before, and who comes is new.
    pub(super) fn compare_all(&self) {
        let (now, list) = (self.moment(self.seen), self.engine.targets().list());
        assert_eq!(list.len(), self.present.len());
        for (real, target) in list.iter().zip(&self.present) {
            let (plan, schedule) = (&self.plan.targets[*target], &self.schedules[*target]);
            assert_eq!(real.name(), format!("t{}", plan.name));
            self.models[*target].compare(real.fsm(), *target, now, self.seen);
            self.check_history(*target);
            assert_eq!(
                self.since_start(real.scheduled()),
                schedule.scheduled(),
                "the scheduled time of target {target}"
            );
            assert!(
                self.is_waiting(*target)
                    || real.due().map_or(u64::MAX, |due| self.since_start(due)) == schedule.due(),
                "target {target} is due at {}",
                schedule.due()
            );
            assert_eq!(real.skipped(), schedule.skipped, "skipped checks of target {target}");
        }
    }
}

fn starts(list: &[Next], name: usize) -> bool {
    list.iter().any(|next| matches!(next, Next::Start(target) if target.name == name))
}
