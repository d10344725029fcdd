//! Hooks: commands run on changes of state, one at a time for each target.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::Context;
use super::limits::{HOOK_ATTEMPTS_MAX, HOOK_RETRY, HOOK_STARTS_PER_TURN, YIELD_DELAY};
use super::messages::{HookId, Output};
use super::owners::Owner;
use crate::fsm::Change;
use crate::monitor::{Hook, TargetId, Targets};
use crate::probe::durations::seconds;
use crate::result::Reason;
use crate::snapshot::{age_s, latency_ms};
use crate::text::printable;

const PROGRAM_SHOWN_MAX: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HookEnd {
    Exited(i32),
    Signalled(i32),
    NotStarted(String),
    /// The system lacks something now, so that it was not started.
    Unavailable(String),
}

pub(super) struct Hooks {
    last: u64,
    running: Vec<Run>,
    running_max: usize,
    /// At most one for each target, with its latest change; those that have waited longest first.
    pending: VecDeque<Call>,
    started: usize,
    /// No hook is started before, since the last one could not be.
    paused_until: Option<Instant>,
    stopped: bool,
}

struct Run {
    id: HookId,
    name: String,
    hook: Arc<Hook>,
    /// `None` once it was killed.
    deadline: Option<Instant>,
    call: Call,
}

struct Call {
    target: TargetId,
    /// Taken at the time of the change: a reload may give the name another probe.
    probe: String,
    change: Change,
    detail: Arc<str>,
    error: Option<Reason>,
    latency: Option<Duration>,
    attempts: u32,
}

impl Hooks {
    pub(super) fn new(running_max: usize) -> Self {
        Hooks {
            last: 0,
            running: Vec::new(),
            running_max,
            pending: VecDeque::new(),
            started: 0,
            paused_until: None,
            stopped: false,
        }
    }

    pub(super) fn begin_turn(&mut self, cx: &mut Context) {
        self.started = 0;
        if !self.pending.is_empty() {
            self.start(cx);
        }
    }

    #[cold]
    pub(super) fn queue(&mut self, id: TargetId, change: &Change, cx: &mut Context) {
        let Some(target) = cx.targets.get(id) else { return };
        let Some(last) = target.fsm().last() else { return };
        if !target.hook.as_ref().is_some_and(|hook| hook.first || !change.is_first()) {
            return;
        }
        let call = Call {
            target: id,
            probe: target.url().to_owned(),
            change: change.clone(),
            detail: last.detail.clone(),
            error: last.reason,
            latency: last.latency,
            attempts: 0,
        };
        match self.pending.iter_mut().find(|pending| pending.target == id) {
            Some(pending) => *pending = call,
            None => self.pending.push_back(call),
        }
        self.start(cx);
    }

    /// The result of [`Output::Spawn`]. `output` is the first line that the hook has printed.
    #[cold]
    pub(super) fn handle_ended(&mut self, id: HookId, end: &HookEnd, output: &str, cx: &mut Context) {
        let Some(index) = self.running.iter().position(|run| run.id == id) else { return };
        let Run { name, hook, deadline, call, .. } = self.running.swap_remove(index);
        let counters = &mut cx.counters.hooks;
        let (counter, what) = match end {
            HookEnd::Exited(0) => (&mut counters.ok, None),
            HookEnd::Unavailable(why) if call.attempts + 1 < HOOK_ATTEMPTS_MAX => {
                let why = format!("could not be started and is tried again: {why}");
                return self.retry(call, &format!("{name}: the hook {} {why}", program(&hook)), cx);
            }
            HookEnd::NotStarted(why) | HookEnd::Unavailable(why) => {
                (&mut counters.not_started, Some(format!("could not be started: {why}")))
            }
            HookEnd::Signalled(_) if deadline.is_none() => {
                (&mut counters.timeout, Some(format!("was killed after {}", seconds(hook.timeout))))
            }
            HookEnd::Exited(status) => (&mut counters.failed, Some(format!("exited with status {status}"))),
            HookEnd::Signalled(signal) => {
                (&mut counters.failed, Some(format!("was ended by signal {signal}")))
            }
        };
        *counter += 1;
        if let Some(what) = what {
            let colon = if output.is_empty() { "" } else { ": " };
            cx.log(format!("{name}: the hook {} {what}{colon}{output}", program(&hook)));
        }
        self.start(cx);
    }

    /// Starts the hook again later, unless its target has changed again. `line` is logged the first time.
    fn retry(&mut self, call: Call, line: &str, cx: &mut Context) {
        if call.attempts == 0 {
            cx.log(line.to_owned());
        }
        if self.pending.iter().all(|pending| pending.target != call.target) {
            self.pending.push_front(Call { attempts: call.attempts + 1, ..call });
        }
        self.paused_until = Some(cx.now.instant + HOOK_RETRY);
        self.start(cx);
    }

    #[cold]
    pub(super) fn handle_timeout(&mut self, cx: &mut Context) {
        for run in &mut self.running {
            if run.deadline.take_if(|deadline| *deadline <= cx.now.instant).is_some() {
                cx.outputs.push_back(Output::Kill(run.id));
            }
        }
        self.start(cx);
    }

    /// Drops the pending runs of removed targets. Their running hooks continue.
    pub(super) fn handle_reload(&mut self, targets: &Targets) {
        self.pending.retain(|call| targets.get(call.target).is_some());
    }

    /// Starts no further hooks: the daemon is about to stop and would kill them at once.
    #[cold]
    pub(super) fn start_no_more(&mut self) {
        self.stopped = true;
    }

    #[cold]
    pub(super) fn stop(&mut self, cx: &mut Context) {
        self.start_no_more();
        for call in std::mem::take(&mut self.pending) {
            let Some(target) = cx.targets.get(call.target) else { continue };
            if let Some(hook) = &target.hook {
                let (name, program) = (target.name(), program(hook));
                cx.log(format!("{name}: the hook {program} was not started: the daemon stops"));
            }
        }
    }

    fn start(&mut self, cx: &mut Context) {
        self.paused_until = self.paused_until.filter(|until| *until > cx.now.instant);
        while self.started < HOOK_STARTS_PER_TURN {
            let Some(call) = self.next(cx).and_then(|index| self.pending.remove(index)) else { break };
            let Some(target) = cx.targets.get(call.target) else { continue };
            let Some(hook) = target.hook.clone() else { continue };
            let (name, env) = (target.name().to_owned(), call.env(target.name()));
            self.last += 1;
            self.started += 1;
            let id = HookId(self.last);
            let deadline = Some(cx.now.instant + hook.timeout);
            cx.outputs.push_back(Output::Spawn { id, hook: hook.clone(), env });
            self.running.push(Run { id, name, hook, deadline, call });
        }
        let next = self.next(cx).map(|_| cx.now.instant + YIELD_DELAY);
        let next = next.or(self.paused_until);
        let kills = self.running.iter().filter_map(|run| run.deadline);
        cx.timers.set(Owner::Hooks, kills.chain(next).min());
    }

    /// The first pending run whose target has no running hook, not even of a removed target of its name.
    fn next(&self, cx: &Context) -> Option<usize> {
        let is_running = |name: &str| self.running.iter().any(|run| run.name == name);
        let can_start =
            |call: &Call| !cx.targets.get(call.target).is_some_and(|target| is_running(target.name()));
        if self.stopped || self.paused_until.is_some() || self.running.len() >= self.running_max {
            return None;
        }
        self.pending.iter().position(can_start)
    }
}

fn program(hook: &Hook) -> String {
    printable(hook.words.first().map_or("", String::as_str), PROGRAM_SHOWN_MAX)
}

impl Call {
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
