//! Hooks: commands that are run when targets change, one at a time for each target.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::limits::*;
use super::{Engine, Output, Owner};
use crate::clock::Now;
use crate::fsm::Change;
use crate::monitor::{Fleet, Hook};
use crate::probe::words::seconds;
use crate::result::{Reason, printable};
use crate::snapshot::{age_s, latency_ms};

/// How much of a program's name a line shows, in characters.
const PROGRAM_SHOWN_MAX: usize = 100;

/// Names one run of a hook. Not reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HookId(u64);

/// How a run of a hook ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HookEnd {
    Exited(i32),
    Signalled(i32),
    NotStarted(String),
    /// It could not be started for want of descriptors, memory or processes, which may pass.
    NoRoom(String),
}

/// The hooks at work, and those that wait.
#[derive(Default)]
pub(super) struct Hooks {
    last: u64,
    running: Vec<Run>,
    /// What each target's next run is to tell: the latest change.
    news: BTreeMap<usize, Box<News>>,
    /// The targets of `news` that have no run at work, in the order of their changes.
    queue: VecDeque<usize>,
    /// Starts in this turn of the loop.
    started: usize,
    /// Starts that have failed for want of room, one after the other.
    shortage: u32,
    /// None is started until then.
    paused: Option<Instant>,
    /// None is started any more.
    stopped: bool,
}

struct Run {
    id: HookId,
    /// `None` if it is not watched any more.
    target: Option<usize>,
    name: String,
    hook: Arc<Hook>,
    news: Box<News>,
    /// When it is killed; `None` once it was.
    by: Option<Instant>,
}

/// A change as a hook is told of it.
struct News {
    /// What was probed: by the time of the telling another one may be watched under the name.
    probe: String,
    change: Change,
    detail: Arc<str>,
    error: Option<Reason>,
    latency: Option<Duration>,
    /// How often there was no room to start the hook.
    tries: u32,
}

impl Hooks {
    /// A turn of the loop begins; says whether any wait to be started.
    pub(super) fn begin_turn(&mut self) -> bool {
        self.started = 0;
        !self.queue.is_empty()
    }

    fn can_start(&self) -> bool {
        let has_room = self.running.len() < HOOKS_MAX && self.started < HOOK_STARTS_PER_TURN;
        has_room && self.paused.is_none() && !self.stopped
    }

    fn is_running(&self, target: usize) -> bool {
        self.running.iter().any(|run| run.target == Some(target))
    }

    /// The targets have other places now, or none. What is at work goes on to its end, for the target of
    /// its name even if that has been away.
    pub(super) fn remap(&mut self, place: impl Fn(usize) -> Option<usize>, fleet: &Fleet) {
        for run in &mut self.running {
            run.target = run.target.and_then(&place);
            if run.target.is_none() {
                run.target = fleet.watches().iter().position(|watch| watch.name() == run.name);
            }
        }
        let news = std::mem::take(&mut self.news).into_iter();
        self.news.extend(news.filter_map(|(target, news)| Some((place(target)?, news))));
        self.queue = self.queue.iter().filter_map(|target| place(*target)).collect();
    }
}

impl Engine {
    /// Has the target's hook told of a change, now or after the run that is at work.
    #[cold]
    pub(super) fn call_hook(&mut self, target: usize, change: &Change, now: Now) {
        let watch = self.fleet.watch(target);
        let Some(last) = watch.fsm().last() else { return };
        if !watch.hook().is_some_and(|hook| hook.wants_first() || !change.is_first()) {
            return;
        }
        let (probe, detail, latency) = (watch.target().to_owned(), last.detail.clone(), last.latency);
        let news =
            Box::new(News { probe, change: change.clone(), detail, error: last.reason, latency, tries: 0 });
        let waited = self.hooks.news.insert(target, news).is_some();
        if !waited && !self.hooks.is_running(target) {
            self.hooks.queue.push_back(target);
        }
        self.start_hooks(now);
    }

    /// A hook has ended, or could not be started. `said` is the first line of what it printed.
    #[cold]
    pub(crate) fn handle_hook_ended(&mut self, id: HookId, end: &HookEnd, said: &str, now: Now) {
        let now = self.update_clock(now);
        let Some(index) = self.hooks.running.iter().position(|run| run.id == id) else { return };
        let run = self.hooks.running.swap_remove(index);
        if matches!(end, HookEnd::NoRoom(_)) {
            self.hooks.shortage += 1;
            if run.target.is_some() && run.news.tries < HOOK_TRIES_MAX {
                return self.start_again(run, now);
            }
        } else {
            self.hooks.shortage = 0;
        }
        let what = match end {
            HookEnd::Exited(0) => {
                self.counters.hooks.ok += 1;
                None
            }
            HookEnd::NotStarted(why) | HookEnd::NoRoom(why) => {
                self.counters.hooks.not_started += 1;
                Some(format!("could not be started: {why}"))
            }
            HookEnd::Signalled(_) if run.by.is_none() => {
                self.counters.hooks.timeout += 1;
                Some(format!("was killed after {}", seconds(run.hook.limit())))
            }
            HookEnd::Exited(status) => {
                self.counters.hooks.failed += 1;
                Some(format!("exited with status {status}"))
            }
            HookEnd::Signalled(signal) => {
                self.counters.hooks.failed += 1;
                Some(format!("was ended by signal {signal}"))
            }
        };
        if let Some(what) = what {
            let name = run.name;
            let program = program(&run.hook);
            let colon = if said.is_empty() { "" } else { ": " };
            self.log_notice(format!("{name}: the hook {program} {what}{colon}{said}"));
        }
        if let Some(target) = run.target.filter(|target| self.hooks.news.contains_key(target)) {
            self.hooks.queue.push_back(target);
        }
        self.start_hooks(now);
    }

    /// There was no room to start it: clients give way for it, and if that was of no use the last time,
    /// there is a pause. A later change takes its place.
    fn start_again(&mut self, run: Run, now: Now) {
        let Some(target) = run.target else { return };
        self.hooks.news.entry(target).or_insert(Box::new(News { tries: run.news.tries + 1, ..*run.news }));
        self.hooks.queue.push_front(target);
        if self.hooks.shortage % 2 == 1 {
            for _ in 0..HOOK_ROOM {
                self.evict();
            }
            self.release_held(now);
        } else {
            let pause = HOOK_PAUSE.saturating_mul(2_u32.saturating_pow(self.hooks.shortage / 2 - 1));
            self.hooks.paused = Some(now.instant + pause.min(HOOK_PAUSE_MAX));
        }
        self.start_hooks(now);
    }

    /// Kills the hooks whose time is up, and starts those whose time has come.
    #[cold]
    pub(super) fn handle_hooks_timeout(&mut self, now: Now) {
        self.hooks.paused.take_if(|until| *until <= now.instant);
        for run in &mut self.hooks.running {
            if run.by.take_if(|by| *by <= now.instant).is_some() {
                self.outputs.push_back(Output::Kill(run.id));
            }
        }
        self.start_hooks(now);
    }

    /// The daemon is about to stop: hooks that are not running yet would be ended as soon as they ran.
    #[cold]
    pub(crate) fn start_no_hooks(&mut self) {
        self.hooks.stopped = true;
    }

    /// The daemon stops: what was not delivered is reported.
    #[cold]
    pub(crate) fn stop(&mut self) {
        self.start_no_hooks();
        self.notify("STOPPING=1");
        for target in std::mem::take(&mut self.hooks.news).into_keys() {
            let watch = self.fleet.watch(target);
            if let Some(hook) = watch.hook() {
                let line =
                    format!("{}: the hook {} was not started: the daemon stops", watch.name(), program(hook));
                self.log_notice(line);
            }
        }
        self.report_undelivered();
    }

    pub(super) fn start_hooks(&mut self, now: Now) {
        while self.hooks.can_start() {
            let Some(target) = self.hooks.queue.pop_front() else { break };
            let Some(news) = self.hooks.news.remove(&target) else { continue };
            let watch = self.fleet.watch(target);
            let Some(hook) = watch.hook().cloned() else { continue };
            let env = news.env(watch.name());
            self.hooks.last += 1;
            self.hooks.started += 1;
            let id = HookId(self.hooks.last);
            let by = Some(now.instant + hook.limit());
            self.outputs.push_back(Output::Spawn { id, hook: hook.clone(), env });
            let name = watch.name().to_owned();
            self.hooks.running.push(Run { id, target: Some(target), name, hook, news, by });
        }
        let starts = !self.hooks.queue.is_empty() && self.hooks.running.len() < HOOKS_MAX;
        let next = starts.then(|| self.hooks.paused.unwrap_or(now.instant + YIELD_DELAY));
        let kills = self.hooks.running.iter().filter_map(|run| run.by);
        self.timers.set(Owner::Hooks, kills.chain(next).min());
    }
}

/// The name of a hook's program, fit for a log line.
fn program(hook: &Hook) -> String {
    printable(hook.words().first().map_or("", String::as_str), PROGRAM_SHOWN_MAX)
}

impl News {
    /// The hook's own part of its environment, which cannot hold NUL.
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
