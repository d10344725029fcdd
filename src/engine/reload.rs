//! Reload: replaces the list of targets without losing the state of those that stay.

use super::owners::{Owner, RunOwner};
use super::{Engine, Output};
use crate::clock::Now;
use crate::monitor::TargetUpdate;
use crate::probe::build::Error;

impl Engine {
    /// Replaces the targets. Targets that stay keep their state, schedule and check in flight; checks of
    /// removed targets end without a result. On an error, nothing changes.
    ///
    /// A target that is replaced by another one of its name gives it its id: events, hooks and streams
    /// continue under the name.
    #[cold]
    pub(crate) fn replace(&mut self, updates: Vec<TargetUpdate>, now: Now) -> Result<(), Error> {
        self.cx.targets.validate(&updates)?;
        let now = self.update_clock(now);
        let mut ended = self.cx.targets.replace(updates, now);
        ended.sort_unstable();
        self.queue.retain(|waiting| ended.binary_search(waiting).is_err());
        for target in ended {
            let owner = RunOwner::Target(target);
            self.disconnect(owner, now);
            if let Some(run) = self.runs.remove(owner) {
                self.queue.release(run.connections);
            }
            self.cx.timers.set(Owner::Run(owner), None);
            let is_of =
                |output: &Output| matches!(output, Output::CheckResult(check) if check.target == target);
            self.cx.outputs.retain(|output| !is_of(output));
        }
        self.hooks.handle_reload(&self.cx.targets);
        self.event_log.handle_reload(self.cx.targets.list().len());
        self.end_streams_of_removed(now);
        let targets: Vec<_> = self.cx.targets.ids().collect();
        targets.into_iter().for_each(|target| self.set_run_timer(RunOwner::Target(target)));
        for target in self.queue.waiting() {
            self.cx.timers.set(Owner::Run(RunOwner::Target(*target)), None);
        }
        self.unchecked = self.cx.targets.list().iter().filter(|target| target.fsm().last().is_none()).count();
        if let Some(manager) = &mut self.manager {
            manager.note_reload("", &mut self.cx);
        }
        self.drain_resolver(now);
        self.set_wakeup(now);
        Ok(())
    }
}
