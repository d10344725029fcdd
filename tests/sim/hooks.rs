//! Hooks and the service manager: what each must be told.

use std::collections::BTreeMap;

use super::plan::{MS, S};
use super::receivers::Notice;
use super::rng::Rng;
use super::world::{Event, World};
use crate::engine::limits::{HOOK_RETRY, HOOK_STARTS_PER_TURN, YIELD_DELAY};
use crate::engine::{HookEnd, HookId};

/// The interval of watchdog pings.
const WATCHDOG: u64 = 500 * MS;

pub(super) struct Hooks {
    rng: Rng,
    running: BTreeMap<HookId, Run>,
    /// By name: what the next hook must be told.
    due: BTreeMap<usize, Notice>,
    pub(super) starts_in_turn: usize,
    /// No hook has to start before.
    rests_until: u64,
    has_manager: bool,
    /// When the manager got its last watchdog ping, and its last status.
    watchdog_at: u64,
    status_at: Option<u64>,
}

struct Run {
    name: usize,
    notice: Notice,
    /// There is no target of this name now, or there was none.
    is_away: bool,
    was_away: bool,
    deadline: u64,
    killed: bool,
}

impl Hooks {
    pub(super) fn new(mut rng: Rng) -> Hooks {
        let has_manager = rng.permille(500);
        Hooks {
            rng,
            running: BTreeMap::new(),
            due: BTreeMap::new(),
            starts_in_turn: 0,
            rests_until: 0,
            has_manager,
            watchdog_at: 0,
            status_at: None,
        }
    }

    pub(super) fn is_quiet(&self) -> bool {
        !self.has_manager && self.due.is_empty()
    }
}

impl World {
    pub(super) fn attach_service_manager(&mut self) {
        if self.hooks.has_manager {
            let watchdog = Some(std::time::Duration::from_nanos(WATCHDOG));
            self.call(0, |engine, now| engine.attach_service_manager(watchdog, now));
        }
    }

    pub(super) fn note_hook(&mut self, name: usize, notice: Notice) {
        let notice = match self.hooks.due.remove(&name) {
            Some(earlier) => {
                self.counters.add("hooks: merged");
                earlier.merged(notice)
            }
            None => Some(notice),
        };
        if let Some(notice) = notice {
            self.hooks.due.insert(name, notice);
        }
    }

    /// The engine starts a hook.
    pub(super) fn spawn(&mut self, id: HookId, env: &[(&'static str, String)]) {
        let var = |wanted| env.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str());
        let name = var("PINGSTATE_TARGET").and_then(|name| name.strip_prefix('t')).expect("a target");
        let name: usize = name.parse().expect("its number");
        let target = self.holder(name).expect("it is present");
        assert!(self.is_notice_due(name), "the state of t{name} is unknown");
        let timeout = self.receivers.wish(target).hook.expect("a hook");
        let hooks = &mut self.hooks;
        let notice = hooks.due.remove(&name).expect("something to notify");
        let expected = [notice.from.as_str(), notice.to.as_str(), &notice.detail];
        let variables = ["PINGSTATE_FROM", "PINGSTATE_TO", "PINGSTATE_DETAIL"].map(var);
        assert_eq!(variables, expected.map(Some), "the notification of target {target}");
        let reminder = (notice.reminder > 0).then(|| notice.reminder.to_string());
        assert_eq!(var("PINGSTATE_REMINDER"), reminder.as_deref());
        assert!(hooks.running.values().all(|run| run.name != name), "one at a time");
        assert!(hooks.running.len() < self.plan.shares.hooks);
        hooks.starts_in_turn += 1;
        assert!(hooks.starts_in_turn <= HOOK_STARTS_PER_TURN, "too many in one turn");
        if hooks.starts_in_turn == HOOK_STARTS_PER_TURN {
            hooks.rests_until = hooks.rests_until.max(self.seen + YIELD_DELAY.as_nanos() as u64);
        }
        if hooks.rng.permille(70) {
            self.counters.add("hooks: not started");
            let end = HookEnd::NotStarted("no such file".to_owned());
            return self.call(self.at, |engine, now| engine.handle_hook_ended(id, &end, "", now));
        }
        // It was requested when the engine was last called, or before.
        let deadline = self.seen + timeout;
        hooks
            .running
            .insert(id, Run { name, notice, is_away: false, was_away: false, deadline, killed: false });
        let end = match hooks.rng.below(5) {
            0 => return self.counters.add("hooks: hang"),
            1 => HookEnd::Exited(1),
            2 => HookEnd::Unavailable("no memory".to_owned()),
            _ => HookEnd::Exited(0),
        };
        let after = hooks.rng.below(timeout * 3 / 2);
        self.schedule(after, Event::Hook(id, end));
    }

    pub(super) fn kill(&mut self, id: HookId) {
        let seen = self.seen;
        let run = self.hooks.running.get_mut(&id).expect("killed after its end");
        assert!(!std::mem::replace(&mut run.killed, true) && seen >= run.deadline.saturating_sub(2 * S));
        self.counters.add("hooks: killed");
        let after = self.hooks.rng.below(20 * MS);
        self.schedule(after, Event::Hook(id, HookEnd::Signalled(9)));
    }

    pub(super) fn end_hook(&mut self, id: HookId, end: &HookEnd) {
        let Some(run) = self.hooks.running.remove(&id) else { return };
        self.counters.add("hooks: ended");
        if matches!(end, HookEnd::Unavailable(_)) {
            self.counters.add("hooks: unavailable");
            // The hook of a target that is gone, or has no hook any more, is not started again.
            let holder = self.holder(run.name).filter(|_| !run.was_away);
            if holder.is_some_and(|target| self.receivers.wish(target).hook.is_some()) {
                let notice = match self.hooks.due.remove(&run.name) {
                    Some(later) => run.notice.merged(later),
                    None => Some(run.notice),
                };
                if let Some(notice) = notice {
                    self.hooks.due.insert(run.name, notice);
                }
            }
            self.hooks.rests_until =
                self.hooks.rests_until.max(self.at.max(self.seen) + HOOK_RETRY.as_nanos() as u64);
        }
        self.call(self.at, |engine, now| engine.handle_hook_ended(id, end, "a line", now));
    }

    pub(super) fn notified(&mut self, text: &str) {
        assert!(self.hooks.has_manager, "there is no manager");
        match text.strip_prefix("STATUS=") {
            Some(status) => {
                assert!(self.hooks.status_at.is_none_or(|at| self.seen - at >= S), "too often");
                self.hooks.status_at = Some(self.seen);
                let words = status.split(", ").map(|part| part.split(' ').next());
                let counts = words.map(|count| count.and_then(|count| count.parse::<usize>().ok()));
                let total = if status == "no targets" { Some(0) } else { counts.sum::<Option<usize>>() };
                assert_eq!(total, Some(self.present.len()), "{status}");
                self.counters.add("manager: status");
            }
            None if text == "WATCHDOG=1" => self.hooks.watchdog_at = self.seen,
            None => assert!(text.starts_with("READY=1\nSTATUS="), "{text}"),
        }
    }

    /// After the deadlines of this time, nothing waits that could be done.
    pub(super) fn check_hooks(&mut self, now: u64) {
        let hooks = &self.hooks;
        assert!(!hooks.has_manager || now < hooks.watchdog_at + WATCHDOG + MS, "no watchdog ping");
        assert!(hooks.running.values().all(|run| run.killed || run.deadline > now), "a hook is not killed");
        for (name, notice) in &hooks.due {
            let is_running = hooks.running.values().any(|run| run.name == *name);
            let is_busy = hooks.running.len() >= self.plan.shares.hooks || now < hooks.rests_until;
            let is_waiting = is_running || is_busy || !self.is_notice_due(*name);
            assert!(is_waiting, "t{name} is not notified of {notice:?}");
        }
    }

    /// Other targets are present. What runs or waits is that of the target of the same name.
    pub(super) fn move_hooks(&mut self) {
        let has_hook = |target: &usize| self.receivers.wish(*target).hook.is_some();
        let present = self.present.iter();
        let holders: BTreeMap<usize, bool> =
            present.map(|target| (self.plan.targets[*target].name, has_hook(target))).collect();
        let hooks = &mut self.hooks;
        for run in hooks.running.values_mut() {
            let is_away = !holders.contains_key(&run.name);
            run.was_away |= is_away;
            match (std::mem::replace(&mut run.is_away, is_away), is_away) {
                (false, true) => self.counters.add("reload: dropped while a hook runs"),
                (true, false) => self.counters.add("reload: back while a hook runs"),
                _ => {}
            }
        }
        hooks.due.retain(|name, _| holders.get(name) == Some(&true));
        hooks.due.keys().for_each(|_| self.counters.add("reload: a hook waits"));
    }
}
