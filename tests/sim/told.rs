//! Hooks and the service manager: that each is told what it must be, and no more.

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::{MS, S};
use super::rng::Rng;
use super::world::{Event, World};
use crate::engine::limits::HOOKS_MAX;
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
    hooks: Vec<Option<Wish>>,
    running: BTreeMap<HookId, Run>,
    /// The change that each target's next hook is to be told of.
    due: Vec<Option<Change>>,
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

struct Run {
    target: usize,
    by: u64,
    killed: bool,
}

impl Told {
    pub(super) fn new(mut rng: Rng, targets: usize) -> Told {
        let wish =
            |rng: &mut Rng| Wish { timeout: rng.pick(&[100 * MS, S, 30 * S]), first: rng.permille(500) };
        let hooks = (0..targets).map(|_| rng.permille(400).then(|| wish(&mut rng))).collect();
        let managed = rng.permille(500);
        let due = vec![None; targets];
        Told { rng, hooks, running: BTreeMap::new(), due, managed, alive: 0, status: None }
    }

    pub(super) fn dress(&self, target: usize, monitor: Monitor) -> Monitor {
        let Some(wish) = self.hooks[target] else { return monitor };
        let hook = Hook::new(["notify"]).timeout(Duration::from_nanos(wish.timeout)).first(wish.first);
        monitor.on_change(hook)
    }
}

impl World {
    pub(super) fn supervise(&mut self) {
        if self.told.managed {
            let watchdog = Some(Duration::from_nanos(WATCHDOG));
            self.call(0, |engine, now| engine.supervise(watchdog, now));
        }
    }

    pub(super) fn note_change(&mut self, target: usize, from: State, to: State, detail: &str) {
        let wanted = |first: bool| first || from != State::Unknown;
        if self.told.hooks[target].is_some_and(|wish| wanted(wish.first)) {
            self.told.due[target] = Some((from, to, detail.to_owned()));
        }
    }

    /// The engine wants a hook to be run.
    pub(super) fn spawn(&mut self, id: HookId, env: &[(&'static str, String)]) {
        let var = |wanted| env.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str());
        let target = var("PINGSTATE_TARGET").and_then(|name| name.strip_prefix('t')).expect("a target");
        let target: usize = target.parse().expect("its number");
        let told = &mut self.told;
        let (from, to, detail) = told.due[target].take().expect("there is something to tell");
        let expected = [from.as_str(), to.as_str(), &detail];
        let heard = ["PINGSTATE_FROM", "PINGSTATE_TO", "PINGSTATE_DETAIL"].map(var);
        assert_eq!(heard, expected.map(Some), "the latest change of target {target}");
        assert!(told.running.values().all(|run| run.target != target), "one at a time");
        assert!(told.running.len() < HOOKS_MAX);
        let wish = told.hooks[target].expect("a hook");
        if told.rng.permille(100) {
            self.tally.add("hooks: not started");
            let end = HookEnd::NotStarted("no such file".to_owned());
            return self.call(self.at, |engine, now| engine.handle_hook_ended(id, &end, "", now));
        }
        // It was asked for when the engine was last told of something, or before.
        let by = self.seen + wish.timeout;
        told.running.insert(id, Run { target, by, killed: false });
        let end = match told.rng.below(4) {
            0 => return self.tally.add("hooks: hang"),
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
        self.tally.add("hooks: killed");
        let after = self.told.rng.below(20 * MS);
        self.schedule(after, Event::Hook(id, HookEnd::Signalled(9)));
    }

    pub(super) fn end_hook(&mut self, id: HookId, end: &HookEnd) {
        if self.told.running.remove(&id).is_some() {
            self.tally.add("hooks: ended");
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
                assert_eq!(counts.sum::<Option<usize>>(), Some(self.models.len()), "{status}");
                self.tally.add("manager: status");
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
        for (target, due) in told.due.iter().enumerate().filter(|(_, due)| due.is_some()) {
            let is_running = told.running.values().any(|run| run.target == target);
            assert!(is_running || told.running.len() >= HOOKS_MAX, "target {target} is not told of {due:?}");
        }
    }
}
