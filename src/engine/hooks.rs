//! Hooks: commands run for notifications, one at a time for each target.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::context::Context;
use super::limits::{HOOK_ATTEMPTS_MAX, HOOK_RETRY, HOOK_STARTS_PER_TURN, YIELD_DELAY};
use super::messages::{HookId, Output};
use super::notification::Notification;
use super::owners::Owner;
use crate::monitor::{Hook, Targets};
use crate::probe::durations::seconds;
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
    /// At most one for each target; those that have waited longest first.
    pending: VecDeque<Call>,
    started: usize,
    /// No hook is started before, since the last one could not be.
    paused_until: Option<Instant>,
    stopped: bool,
}

struct Run {
    id: HookId,
    hook: Arc<Hook>,
    /// `None` once it was killed.
    deadline: Option<Instant>,
    call: Call,
}

struct Call {
    notification: Notification,
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

    /// It starts with the next call of [`Hooks::start`].
    #[cold]
    pub(super) fn queue(&mut self, notification: Notification) {
        let id = notification.target;
        match self.pending.iter().position(|pending| pending.notification.target == id) {
            None => self.pending.push_back(Call { notification, attempts: 0 }),
            Some(index) => {
                let pending = &mut self.pending[index];
                pending.attempts = 0;
                if !pending.notification.merge(notification) {
                    self.pending.remove(index);
                }
            }
        }
    }

    /// The result of [`Output::Spawn`]. `output` is the first line that the hook has printed.
    #[cold]
    pub(super) fn handle_ended(&mut self, id: HookId, end: &HookEnd, output: &str, cx: &mut Context) {
        let Some(index) = self.running.iter().position(|run| run.id == id) else { return };
        let Run { hook, deadline, call, .. } = self.running.swap_remove(index);
        let name = call.notification.name.clone();
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

    /// Starts the hook again later, with a change that has followed. `line` is logged the first time.
    fn retry(&mut self, mut call: Call, line: &str, cx: &mut Context) {
        if call.attempts == 0 {
            cx.log(line.to_owned());
        }
        call.attempts += 1;
        let id = call.notification.target;
        let later = self.pending.iter().position(|pending| pending.notification.target == id);
        let later = later.and_then(|index| self.pending.remove(index));
        let is_wanted = hook(&call.notification, &cx.targets).is_some();
        if is_wanted
            && later.is_none_or(|later| {
                call.attempts = 0;
                call.notification.merge(later.notification)
            })
        {
            self.pending.push_front(call);
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

    /// Drops the pending runs of targets that are removed or have no hook any more. Running hooks continue.
    pub(super) fn handle_reload(&mut self, targets: &Targets) {
        self.pending.retain(|call| hook(&call.notification, targets).is_some());
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
            if let Some(hook) = hook(&call.notification, &cx.targets) {
                let (name, program) = (&call.notification.name, program(hook));
                cx.log(format!("{name}: the hook {program} was not started: the daemon stops"));
            }
        }
    }

    /// Also called when a target whose notifications wait has a state again.
    pub(super) fn start(&mut self, cx: &mut Context) {
        self.paused_until = self.paused_until.filter(|until| *until > cx.now.instant);
        while self.started < HOOK_STARTS_PER_TURN {
            let Some(call) = self.next(cx).and_then(|index| self.pending.remove(index)) else { break };
            let Some(hook) = hook(&call.notification, &cx.targets).cloned() else { continue };
            let env = call.notification.env();
            self.last += 1;
            self.started += 1;
            let id = HookId(self.last);
            let deadline = Some(cx.now.instant + hook.timeout);
            cx.outputs.push_back(Output::Spawn { id, hook: hook.clone(), env });
            self.running.push(Run { id, hook, deadline, call });
        }
        let next = self.next(cx).map(|_| cx.now.instant + YIELD_DELAY);
        let next = next.or(self.paused_until);
        let kills = self.running.iter().filter_map(|run| run.deadline);
        cx.timers.set(Owner::Hooks, kills.chain(next).min());
    }

    /// The first pending run whose target has no running hook, not even of a removed target of its name.
    fn next(&self, cx: &Context) -> Option<usize> {
        let is_running = |name: &str| self.running.iter().any(|run| *run.call.notification.name == *name);
        let can_start =
            |call: &Call| call.notification.is_due(&cx.targets) && !is_running(&call.notification.name);
        if self.stopped || self.paused_until.is_some() || self.running.len() >= self.running_max {
            return None;
        }
        self.pending.iter().position(can_start)
    }
}

/// `None` if the target is removed.
fn hook<'a>(notification: &Notification, targets: &'a Targets) -> Option<&'a Arc<Hook>> {
    targets.get(notification.target)?.notifications()?.hook.as_ref()
}

fn program(hook: &Hook) -> String {
    printable(hook.words.first().map_or("", String::as_str), PROGRAM_SHOWN_MAX)
}
