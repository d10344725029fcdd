//! Hooks and the service manager: that each is told what it must be, and no more.

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::{MS, S};
use super::rng::Rng;
use super::world::{Event, World};
use crate::engine::limits::{HOOK_STARTS_PER_TURN, YIELD_DELAY};
use crate::engine::{HookEnd, HookId};
use crate::fsm::State;
use crate::monitor::{Hook, Monitor};

/// How often the manager wants a sign of life.
const WATCHDOG: u64 = 500 * MS;

/// A change as a hook is told of it: from, to and the detail.
type Change = (State, State, String);

/// Those who are told, and what they have been told.
pub(super) struct Told {
    pub(super) rng: Rng,
    /// By target, of all that there have ever been.
    hooks: Vec<Option<Wish>>,
    running: BTreeMap<HookId, Run>,
    /// The change that the next hook of each name is to be told of.
    due: BTreeMap<usize, Due>,
    /// Starts in this turn.
    pub(super) starts: usize,
    /// None has to be started until then: so many were.
    rests_until: u64,
    managed: bool,
    /// When the manager got its last sign of life, and its last word on the state.
    alive: u64,
    status: Option<u64>,
}

#[derive(Clone, Copy)]
struct Wish {
    timeout: u64,
    first: bool,
}

struct Due {
    change: Change,
    /// The target of this name has had a hook all the time.
    sure: bool,
}

struct Run {
    name: usize,
    /// There is no target of this name now.
    is_away: bool,
    by: u64,
    killed: bool,
}

impl Told {
    pub(super) fn new(mut rng: Rng) -> Told {
        let managed = rng.permille(500);
        let (running, due) = (BTreeMap::new(), BTreeMap::new());
        let hooks = Vec::new();
        Told { rng, hooks, running, due, starts: 0, rests_until: 0, managed, alive: 0, status: None }
    }

    /// Nobody is about to be told anything.
    pub(super) fn is_quiet(&self) -> bool {
        !self.managed && self.due.is_empty()
    }

    /// There is one more target, perhaps with a hook.
    pub(super) fn dress(&mut self, monitor: Monitor) -> Monitor {
        let rng = &mut self.rng;
        let wish =
            |rng: &mut Rng| Wish { timeout: rng.pick(&[100 * MS, S, 30 * S]), first: rng.permille(500) };
        let wish = rng.permille(400).then(|| wish(rng));
        self.hooks.push(wish);
        let Some(wish) = wish else { return monitor };
        let hook = Hook::new(["notify"]).timeout(Duration::from_nanos(wish.timeout)).first(wish.first);
        monitor.on_change(hook)
    }
}

impl World {
    pub(super) fn attach_service_manager(&mut self) {
        if self.told.managed {
            let watchdog = Some(Duration::from_nanos(WATCHDOG));
            self.call(0, |engine, now| engine.attach_service_manager(watchdog, now));
        }
    }

    pub(super) fn note_change(&mut self, target: usize, from: State, to: State, detail: &str) {
        let wanted = |first: bool| first || from != State::Unknown;
        if self.told.hooks[target].is_some_and(|wish| wanted(wish.first)) {
            let name = self.plan.targets[target].name;
            self.told.due.insert(name, Due { change: (from, to, detail.to_owned()), sure: true });
        }
    }

    /// The engine wants a hook to be run.
    pub(super) fn spawn(&mut self, id: HookId, env: &[(&'static str, String)]) {
        let var = |wanted| env.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str());
        let name = var("PINGSTATE_TARGET").and_then(|name| name.strip_prefix('t')).expect("a target");
        let name: usize = name.parse().expect("its number");
        let target = self.holder(name).expect("it is watched");
        let told = &mut self.told;
        let (from, to, detail) = told.due.remove(&name).expect("there is something to tell").change;
        let expected = [from.as_str(), to.as_str(), &detail];
        let heard = ["PINGSTATE_FROM", "PINGSTATE_TO", "PINGSTATE_DETAIL"].map(var);
        assert_eq!(heard, expected.map(Some), "the latest change of target {target}");
        assert!(told.running.values().all(|run| run.name != name), "one at a time");
        assert!(told.running.len() < self.plan.shares.hooks);
        let wish = told.hooks[target].expect("a hook");
        told.starts += 1;
        assert!(told.starts <= HOOK_STARTS_PER_TURN, "too many at once");
        if told.starts == HOOK_STARTS_PER_TURN {
            told.rests_until = told.rests_until.max(self.seen + YIELD_DELAY.as_nanos() as u64);
        }
        if told.rng.permille(70) {
            self.counters.add("hooks: not started");
            let end = HookEnd::NotStarted("no such file".to_owned());
            return self.call(self.at, |engine, now| engine.handle_hook_ended(id, &end, "", now));
        }
        // It was asked for when the engine was last told of something, or before.
        let by = self.seen + wish.timeout;
        told.running.insert(id, Run { name, is_away: false, by, killed: false });
        let end = match told.rng.below(4) {
            0 => return self.counters.add("hooks: hang"),
            1 => HookEnd::Exited(1),
            _ => HookEnd::Exited(0),
        };
        let after = told.rng.below(wish.timeout * 3 / 2);
        self.schedule(after, Event::Hook(id, end));
    }

    pub(super) fn kill(&mut self, id: HookId) {
        let seen = self.seen;
        let run = self.told.running.get_mut(&id).expect("killed after its end");
        assert!(!std::mem::replace(&mut run.killed, true) && seen >= run.by.saturating_sub(2 * S));
        self.counters.add("hooks: killed");
        let after = self.told.rng.below(20 * MS);
        self.schedule(after, Event::Hook(id, HookEnd::Signalled(9)));
    }

    pub(super) fn end_hook(&mut self, id: HookId, end: &HookEnd) {
        if self.told.running.remove(&id).is_some() {
            self.counters.add("hooks: ended");
            self.call(self.at, |engine, now| engine.handle_hook_ended(id, end, "a line", now));
        }
    }

    pub(super) fn notified(&mut self, text: &str) {
        assert!(self.told.managed, "nobody is there");
        match text.strip_prefix("STATUS=") {
            Some(status) => {
                assert!(self.told.status.is_none_or(|at| self.seen - at >= S), "too much talk");
                self.told.status = Some(self.seen);
                let words = status.split(", ").map(|part| part.split(' ').next());
                let counts = words.map(|count| count.and_then(|count| count.parse::<usize>().ok()));
                let total = if status == "no targets" { Some(0) } else { counts.sum::<Option<usize>>() };
                assert_eq!(total, Some(self.present.len()), "{status}");
                self.counters.add("manager: status");
            }
            None if text == "WATCHDOG=1" => self.told.alive = self.seen,
            None => assert!(text.starts_with("READY=1\nSTATUS="), "{text}"),
        }
    }

    /// After the deadlines of this moment nobody waits for what could be done.
    pub(super) fn check_told(&mut self, now: u64) {
        let told = &self.told;
        assert!(!told.managed || now < told.alive + WATCHDOG + MS, "no sign of life");
        assert!(told.running.values().all(|run| run.killed || run.by > now), "a hook lives for ever");
        for (name, due) in told.due.iter().filter(|(_, due)| due.sure) {
            let is_running = told.running.values().any(|run| run.name == *name);
            let is_busy = told.running.len() >= self.plan.shares.hooks || now < told.rests_until;
            assert!(is_running || is_busy, "t{name} is not told of {:?}", due.change);
        }
    }

    /// Other targets are watched now. What is at work or waits for one is so for its namesake.
    pub(super) fn move_hooks(&mut self) {
        let holders: BTreeMap<usize, bool> = self
            .present
            .iter()
            .map(|target| (self.plan.targets[*target].name, self.told.hooks[*target].is_some()))
            .collect();
        let told = &mut self.told;
        for run in told.running.values_mut() {
            let is_away = !holders.contains_key(&run.name);
            match (std::mem::replace(&mut run.is_away, is_away), is_away) {
                (false, true) => self.counters.add("reload: dropped with a hook at work"),
                (true, false) => self.counters.add("reload: back with a hook at work"),
                _ => {}
            }
        }
        told.due.retain(|name, _| holders.contains_key(name));
        for (name, due) in &mut told.due {
            due.sure &= holders[name];
            self.counters.add("reload: news for a hook wait");
        }
    }
}
