//! The programs of checks: how each ends, and the slots that they take.

use std::collections::BTreeMap;

use super::peers::{Expected, Script};
use super::plan::{MS, S, Wants};
use super::rng::Rng;
use super::site::ProbeRun;
use super::world::{Event, World};
use crate::engine::JobId;
use crate::engine::limits::{EXEC_KILL_GRACE, EXEC_STARTS_PER_TURN, EXECS_MAX, WAKEUP_INTERVAL};
use crate::probe::{Exit, Program};
use crate::result::{Failure, ProbeResult, Reason};

const UNKILLABLE: &str = "the program of an earlier check was killed but does not end";

/// How a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Exit(Exit, &'static str),
    NotStarted,
    Never,
}

pub(super) struct ProgramRun {
    end: End,
    after: u64,
    job: Option<JobId>,
}

/// The programs that run.
#[derive(Default)]
pub(super) struct Programs {
    running: BTreeMap<JobId, Running>,
    /// Started in this turn.
    pub(super) started: usize,
}

struct Running {
    target: usize,
    killed_at: Option<u64>,
}

impl ProgramRun {
    pub(super) fn roll(rng: &mut Rng, is_healthy: bool) -> ProgramRun {
        let good = [
            End::Exit(Exit::Status(0), "OK - load 0.1 | load=0.1\nmore"),
            End::Exit(Exit::Status(0), ""),
            End::Exit(Exit::Status(1), "WARNING - load 4"),
            End::Exit(Exit::Status(1), " \n"),
        ];
        let bad = [
            good[0],
            End::Exit(Exit::Status(2), "CRITICAL - load 9 | load=9"),
            End::Exit(Exit::Status(2), ""),
            End::Exit(Exit::Status(3), "UNKNOWN"),
            End::Exit(Exit::Status(127), "not found"),
            End::Exit(Exit::Signal(11), "text"),
            End::Exit(Exit::Signal(15), ""),
            End::NotStarted,
            End::Never,
            End::Never,
        ];
        let longest = rng.pick(&[5 * MS, 5 * MS, 100 * MS, 900 * MS, 6 * S]);
        let end = if is_healthy { rng.pick(&good) } else { rng.pick(&bad) };
        ProgramRun { end, after: rng.below(longest), job: None }
    }
}

/// The result by the plugin API.
fn expected(exit: Exit, output: &str, latency: u64) -> Expected {
    let line = output.lines().next().unwrap_or_default().split('|').next().unwrap_or_default().trim();
    let with_line = |what: String| if line.is_empty() { what } else { format!("{what}: {line}") };
    let (is_up, detail) = match exit {
        Exit::Status(code @ (0 | 1)) if line.is_empty() => (true, format!("exit status {code}")),
        Exit::Status(0 | 1) => (true, line.to_owned()),
        Exit::Status(code) if line.is_empty() => (false, format!("exit status {code} without output")),
        Exit::Status(2 | 3) => (false, line.to_owned()),
        Exit::Status(code) => (false, with_line(format!("exit status {code}"))),
        Exit::Signal(signal) => (false, with_line(format!("ended by signal {signal}"))),
    };
    Expected {
        reason: (!is_up).then_some(Reason::Exec),
        is_warned: exit == Exit::Status(1),
        ..Expected::up(latency, &detail)
    }
}

impl World {
    fn program_slots(&self) -> usize {
        (self.plan.shares.checks / 4).clamp(1, EXECS_MAX)
    }

    /// The engine starts a program.
    pub(super) fn start_program(&mut self, job: JobId, program: &Program, name: &str) {
        let [command, index] = program.words() else { panic!("{:?}", program.words()) };
        let target: usize = index.parse().expect("the index of a target");
        let plan = &self.plan.targets[target];
        assert_eq!((&**command, plan.wants, name), ("plugin", Wants::Program, &*format!("t{}", plan.name)));
        assert!(self.programs.running.len() < self.program_slots(), "too many programs");
        self.programs.started += 1;
        assert!(self.programs.started <= EXEC_STARTS_PER_TURN, "too many programs start in one turn");
        let ran = self.programs.running.insert(job, Running { target, killed_at: None });
        assert!(ran.is_none(), "{job:?} is used twice");
        if self.programs.running.len() == EXECS_MAX {
            self.counters.add("programs: all slots are taken");
        }
        let in_flight = |this: &&mut ProbeRun| this.ended.is_none();
        let Some(this) = self.runs[target].as_mut().filter(in_flight) else {
            // The target was removed in the same batch: it is killed at once.
            return;
        };
        let Script::Program(run) = &mut this.script else { panic!("target {target} runs no program") };
        assert_eq!(run.job.replace(job), None, "target {target} runs a second program");
        match run.end {
            End::Never => self.counters.add("programs: never end"),
            End::NotStarted => {
                self.counters.add("programs: not started");
                self.end_program(job, None);
            }
            End::Exit(exit, output) => {
                let after = run.after;
                self.schedule(after, Event::Exit(job, exit, output));
            }
        }
    }

    pub(super) fn kill_program(&mut self, job: JobId) {
        let seen = self.seen;
        let running = self.programs.running.get_mut(&job);
        let running = running.unwrap_or_else(|| panic!("{job:?} does not run and is killed"));
        assert!(running.killed_at.is_none(), "{job:?} is killed twice");
        running.killed_at = Some(seen);
        let target = running.target;
        self.counters.add("programs: killed");
        let script = self.runs[target].as_ref().filter(|this| this.ended.is_none()).map(|this| &this.script);
        let has_ended = !matches!(script, Some(Script::Program(run)) if run.job == Some(job));
        assert!(has_ended, "target {target} waits for a program that is killed");
        // Some processes cannot be killed for a while.
        let longest = self.rng.pick(&[MS, MS, MS, 100 * MS, 5 * S, 60 * S]);
        let after = self.rng.below(longest);
        self.schedule(after, Event::Exit(job, Exit::Signal(9), "killed"));
    }

    /// A program has ended, or could not be started.
    pub(super) fn end_program(&mut self, job: JobId, end: Option<(Exit, &'static str)>) {
        let Some(Running { target, .. }) = self.programs.running.remove(&job) else {
            return; // It was killed, or ended before it could be.
        };
        let now = self.at.max(self.seen);
        let this = self.runs[target].as_mut().filter(|this| this.ended.is_none());
        let mut counts = false;
        if let Some(this) = this {
            if matches!(&this.script, Script::Program(run) if run.job == Some(job)) {
                counts = true;
                this.expected = Some(match end {
                    Some((exit, output)) => expected(exit, output, now - this.begun),
                    None => Expected::down(Reason::Exec, "cannot start"),
                });
            }
        }
        if !counts {
            self.counters.add("programs: ended after their checks");
        }
        let end = match &end {
            Some((exit, output)) => Ok((*exit, output.as_bytes())),
            None => Err(Failure::new(Reason::Exec, "cannot start")),
        };
        self.call(self.at, |engine, now| engine.handle_exited(job, end, now));
        self.check_decided(target);
    }

    /// The result of an attempt that has ended at once: an earlier program of the target still runs.
    pub(super) fn unkillable(&mut self, target: usize) -> Option<ProbeResult> {
        if self.plan.targets[target].wants != Wants::Program {
            return None;
        }
        let killed_at = self.programs_of(target).next()?.killed_at?;
        let is_long_ago = self.seen >= killed_at + EXEC_KILL_GRACE.as_nanos() as u64;
        assert!(
            is_long_ago,
            "target {target} of {:?} does not wait for the end of its program",
            self.plan.targets[target].wants
        );
        self.counters.add("programs: still run at the next check");
        let this = self.runs[target].as_mut()?;
        this.expected = Some(Expected::down(Reason::Exec, UNKILLABLE));
        Some(ProbeResult::down(Reason::Exec, UNKILLABLE))
    }

    /// Those of all targets that have had this name.
    fn programs_of(&self, target: usize) -> impl Iterator<Item = &Running> {
        let name = self.plan.targets[target].name;
        let is_same = move |running: &&Running| self.plan.targets[running.target].name == name;
        self.programs.running.values().filter(is_same)
    }

    pub(super) fn has_program(&self, target: usize) -> bool {
        self.programs_of(target).next().is_some()
    }

    /// A slot is taken as long as a program runs, and a program is killed with its check.
    pub(super) fn check_programs(&self, slots: usize) {
        assert_eq!(slots, self.programs.running.len(), "programs and their slots");
        let tracks = self.ledger.tracks();
        for (job, running) in &self.programs.running {
            let is_wanted = running.killed_at.is_some() || tracks[running.target].busy;
            assert!(is_wanted, "{job:?} of target {} outlives its check", running.target);
        }
    }

    /// After the deadlines of a moment, no check waits for a slot without need.
    pub(super) fn check_waiting_programs(&self, waiting: &[usize], now: u64, connections: usize) {
        if self.programs.running.len() >= self.program_slots() || connections + 2 > self.plan.shares.checks {
            return;
        }
        let grace = EXEC_KILL_GRACE.as_nanos() as u64;
        let runs = |running: &Running| running.killed_at.is_none_or(|at| now < at + grace);
        let startable = waiting.iter().find(|target| !self.programs_of(**target).any(runs));
        if let Some(target) = startable {
            let is_next_turn = self.programs.started == EXEC_STARTS_PER_TURN;
            assert!(is_next_turn, "target {target} waits for nothing");
        }
        let due = self.engine.poll_timeout().map(|due| self.since_start(due));
        let latest = now + WAKEUP_INTERVAL.as_nanos() as u64;
        assert!(waiting.is_empty() || due.is_some_and(|due| due <= latest), "nothing wakes the loop");
    }
}
