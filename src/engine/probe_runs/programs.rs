//! The programs of checks, and heartbeats.

use super::ProbeRuns;
use crate::engine::context::Context;
use crate::engine::messages::{JobId, Output};
use crate::engine::owners::RunOwner;
use crate::monitor::{Target, TargetId};
use crate::probe::{self, Exit, Program};
use crate::result::{Failure, ProbeResult, Reason};

impl ProbeRuns {
    /// A check is due: it starts as soon as there is room.
    pub(super) fn enqueue(&mut self, target: TargetId, cx: &mut Context) {
        if self.end_pause(target, cx) {
            return self.set_timer(RunOwner::Target(target), cx);
        }
        let missed = cx.targets.get(target).and_then(|target| target.missed_heartbeat(cx.now.instant));
        if let Some(result) = missed {
            self.finish_attempt(target, result, cx);
            return self.set_timer(RunOwner::Target(target), cx);
        }
        let runs_program = cx.targets.get(target).is_some_and(|target| target.runs_program());
        self.queue.push(target, runs_program);
    }

    pub(in crate::engine) fn record_heartbeat(
        &mut self,
        target: TargetId,
        result: ProbeResult,
        cx: &mut Context,
    ) {
        if let Some(target) = cx.targets.get_mut(target) {
            target.note_heartbeat(cx.now.instant);
        }
        self.finish_attempt(target, result, cx);
        self.set_timer(RunOwner::Target(target), cx);
    }

    /// Whether a check that waits for a slot can start in the next turn.
    pub(in crate::engine) fn has_startable(&self, cx: &Context) -> bool {
        self.queue.has_startable(cx.now.instant)
    }

    /// Whether a check must not start because a program of its target still runs. A reload can have replaced the target
    /// by one that runs none.
    pub(super) fn is_blocked(&self, target: TargetId, cx: &Context) -> bool {
        self.queue.execs.is_running(target) && cx.targets.get(target).is_some_and(Target::runs_program)
    }

    pub(super) fn start_program(
        &mut self,
        owner: RunOwner,
        program: Program,
        cx: &mut Context,
    ) -> Result<(), Failure> {
        let (RunOwner::Target(target), Some(run)) = (owner, self.table.get_mut(owner)) else {
            return Ok(());
        };
        let Some(name) = cx.targets.get(target).map(|target| target.name().to_owned()) else { return Ok(()) };
        if run.program.is_some() {
            return Err(Failure::new(Reason::Custom, "the probe runs two programs at the same time"));
        }
        let job = JobId(self.last_job.0 + 1);
        if !self.queue.execs.take(job, target) {
            return Err(Failure::new(Reason::Local, "too many programs run at the same time"));
        }
        self.last_job = job;
        run.program = Some(job);
        cx.outputs.push_back(Output::Exec { id: job, program, target: name });
        Ok(())
    }

    /// Kills the program of a run, if any. Its slot stays taken until it is reaped.
    pub(super) fn kill_program(&mut self, owner: RunOwner, cx: &mut Context) {
        let Some(job) = self.table.get_mut(owner).and_then(|run| run.program.take()) else { return };
        self.queue.execs.note_killed(cx.now.instant, |killed| killed == job);
        cx.outputs.push_back(Output::KillProgram(job));
    }

    /// Programs are killed when the daemon stops: their ends are no results.
    pub(in crate::engine) fn stop(&mut self, cx: &Context) {
        self.queue.execs.note_killed(cx.now.instant, |_| true);
    }

    pub(in crate::engine) fn handle_exited(
        &mut self,
        job: JobId,
        end: Result<(Exit, &[u8]), Failure>,
        cx: &mut Context,
    ) {
        let Some(owner) = self.queue.execs.release(job).map(RunOwner::Target) else { return };
        let Some(run) = self.table.get_mut(owner) else { return };
        run.program = None;
        let input = match end {
            Ok((exit, output)) => probe::Input::Exited(exit, output),
            Err(failure) => probe::Input::Failed(failure),
        };
        run.handle_input(input, cx.now);
        self.poll_attempt(owner, cx);
    }
}

pub(super) fn unkillable() -> Failure {
    Failure::new(Reason::Exec, "the program of an earlier check was killed but does not end")
}
