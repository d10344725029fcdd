//! Hooks: commands run on changes of state, one at a time for each target.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::limits::*;
use super::{Engine, Output, Owner};
use crate::clock::Now;
use crate::fsm::Change;
use crate::monitor::{Hook, Target, TargetId, Targets};
use crate::probe::words::seconds;
use crate::result::{Reason, printable};
use crate::snapshot::{age_s, latency_ms};

/// Characters of a program's name in a log line.
const PROGRAM_SHOWN_MAX: usize = 100;

/// One run of a hook. Not reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HookId(u64);

/// How a run of a hook ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HookEnd {
    Exited(i32),
    Signalled(i32),
    NotStarted(String),
}

#[derive(Default)]
pub(super) struct Hooks {
    last: u64,
    running: Vec<Run>,
    /// Each target's next run, with its latest change only.
    calls: BTreeMap<TargetId, Box<HookCall>>,
    /// The targets of `calls` without a running hook, in the order of their changes.
    queue: VecDeque<TargetId>,
    /// Starts in this turn of the loop.
    started: usize,
    /// No hook is started any more.
    stopped: bool,
}

struct Run {
    id: HookId,
    target: TargetId,
    name: String,
    hook: Arc<Hook>,
    /// `None` once it was killed.
    deadline: Option<Instant>,
}

/// The data of one run.
struct HookCall {
    /// Taken at the time of the change: a reload may give the name another probe.
    probe: String,
    change: Change,
    detail: Arc<str>,
    error: Option<Reason>,
    latency: Option<Duration>,
}

impl Hooks {
    /// Begins a turn of the loop. Returns whether hooks are queued.
    pub(super) fn begin_turn(&mut self) -> bool {
        self.started = 0;
        !self.queue.is_empty()
    }

    fn can_start(&self, max: usize) -> bool {
        self.running.len() < max && self.started < HOOK_STARTS_PER_TURN && !self.stopped
    }

    /// Whether a hook of this target is running, perhaps of a removed one of the same name.
    fn is_running(&self, name: &str) -> bool {
        self.running.iter().any(|run| run.name == name)
    }

    /// Drops the pending runs of removed targets. Their running hooks continue.
    pub(super) fn handle_reload(&mut self, targets: &Targets) {
        self.calls.retain(|target, _| targets.get(*target).is_some());
        self.queue.retain(|target| targets.get(*target).is_some());
    }
}

impl Engine {
    /// Runs the target's hook for a change, now or after its present run.
    #[cold]
    pub(super) fn queue_hook(&mut self, id: TargetId, change: &Change, now: Now) {
        let Some(target) = self.cx.targets.get(id) else { return };
        let Some(last) = target.fsm().last() else { return };
        if !target.hook().is_some_and(|hook| hook.wants_first() || !change.is_first()) {
            return;
        }
        let (probe, detail, latency) = (target.url().to_owned(), last.detail.clone(), last.latency);
        let call = Box::new(HookCall { probe, change: change.clone(), detail, error: last.reason, latency });
        let was_queued = self.hooks.calls.insert(id, call).is_some();
        if !was_queued && !self.hooks.is_running(target.name()) {
            self.hooks.queue.push_back(id);
        }
        self.start_hooks(now);
    }

    /// The result of [`Output::Spawn`]. `said` is the first line of the hook's output.
    #[cold]
    pub(crate) fn handle_hook_ended(&mut self, id: HookId, end: &HookEnd, said: &str, now: Now) {
        let now = self.update_clock(now);
        let Some(index) = self.hooks.running.iter().position(|run| run.id == id) else { return };
        let run = self.hooks.running.swap_remove(index);
        let target = self.present(&run);
        let what = match end {
            HookEnd::Exited(0) => {
                self.cx.counters.hooks.ok += 1;
                None
            }
            HookEnd::NotStarted(why) => {
                self.cx.counters.hooks.not_started += 1;
                Some(format!("could not be started: {why}"))
            }
            HookEnd::Signalled(_) if run.deadline.is_none() => {
                self.cx.counters.hooks.timeout += 1;
                Some(format!("was killed after {}", seconds(run.hook.limit())))
            }
            HookEnd::Exited(status) => {
                self.cx.counters.hooks.failed += 1;
                Some(format!("exited with status {status}"))
            }
            HookEnd::Signalled(signal) => {
                self.cx.counters.hooks.failed += 1;
                Some(format!("was ended by signal {signal}"))
            }
        };
        if let Some(what) = what {
            let name = run.name;
            let program = program(&run.hook);
            let colon = if said.is_empty() { "" } else { ": " };
            self.cx.log(format!("{name}: the hook {program} {what}{colon}{said}"));
        }
        if let Some(target) = target.filter(|target| self.hooks.calls.contains_key(target)) {
            self.hooks.queue.push_back(target);
        }
        self.start_hooks(now);
    }

    /// The target of a run, which may have been removed and added again.
    fn present(&self, run: &Run) -> Option<TargetId> {
        let targets = &self.cx.targets;
        targets.get(run.target).or_else(|| targets.find(&run.name)).map(Target::id)
    }

    /// Kills hooks past their deadline and starts queued ones.
    #[cold]
    pub(super) fn handle_hooks_timeout(&mut self, now: Now) {
        for run in &mut self.hooks.running {
            if run.deadline.take_if(|deadline| *deadline <= now.instant).is_some() {
                self.cx.outputs.push_back(Output::Kill(run.id));
            }
        }
        self.start_hooks(now);
    }

    /// Starts no further hooks: the daemon is about to stop and would kill them at once.
    #[cold]
    pub(crate) fn start_no_hooks(&mut self) {
        self.hooks.stopped = true;
    }

    /// Logs pending hooks, as the daemon stops.
    #[cold]
    pub(super) fn stop_hooks(&mut self) {
        self.start_no_hooks();
        for target in std::mem::take(&mut self.hooks.calls).into_keys() {
            let Some(target) = self.cx.targets.get(target) else { continue };
            if let Some(hook) = target.hook() {
                let line = format!(
                    "{}: the hook {} was not started: the daemon stops",
                    target.name(),
                    program(hook)
                );
                self.cx.log(line);
            }
        }
    }

    pub(super) fn start_hooks(&mut self, now: Now) {
        while self.hooks.can_start(self.shares.hooks) {
            let Some(id) = self.hooks.queue.pop_front() else { break };
            let Some(call) = self.hooks.calls.remove(&id) else { continue };
            let Some(target) = self.cx.targets.get(id) else { continue };
            let Some(hook) = target.hook().cloned() else { continue };
            let env = call.env(target.name());
            self.hooks.last += 1;
            self.hooks.started += 1;
            let run = HookId(self.hooks.last);
            let deadline = Some(now.instant + hook.limit());
            self.cx.outputs.push_back(Output::Spawn { id: run, hook: hook.clone(), env });
            let name = target.name().to_owned();
            self.hooks.running.push(Run { id: run, target: id, name, hook, deadline });
        }
        let starts = !self.hooks.queue.is_empty() && self.hooks.running.len() < self.shares.hooks;
        let next = starts.then(|| now.instant + YIELD_DELAY);
        let kills = self.hooks.running.iter().filter_map(|run| run.deadline);
        self.cx.timers.set(Owner::Hooks, kills.chain(next).min());
    }
}

fn program(hook: &Hook) -> String {
    printable(hook.words().first().map_or("", String::as_str), PROGRAM_SHOWN_MAX)
}

impl HookCall {
    /// The hook's additional environment variables, without NUL.
    fn env(&self, name: &str) -> Vec<(&'static str, String)> {
        let latency = self.latency.map(|latency| latency_ms(latency).to_string());
        vec![
            ("PINGSTATE_TARGET", name.replace('\0', "")),
            ("PINGSTATE_FROM", self.change.from.to_string()),
            ("PINGSTATE_TO", self.change.to.to_string()),
            ("PINGSTATE_DETAIL", self.detail.to_string()),
            ("PINGSTATE_ERROR", self.error.map_or("", Reason::as_str).to_owned()),
            ("PINGSTATE_LATENCY_MS", latency.unwrap_or_default()),
            ("PINGSTATE_PROBE", self.probe.replace('\0', "")),
            ("PINGSTATE_SINCE_S", age_s(self.change.previous_state_duration).to_string()),
        ]
    }
}
