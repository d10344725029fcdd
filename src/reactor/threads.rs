//! Threads for what may block: checks of the program, and writes of the state file.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::state_file::Written;
use super::{Reactor, io_error};
use crate::clock::Now;
use crate::engine::JobId;
use crate::probe::BlockingTask;
use crate::probe::guard::guarded;
use crate::result::{Failure, ProbeResult};

/// What a thread has done.
pub(super) enum ThreadResult {
    Task(JobId, ProbeResult),
    State(Written),
}

/// Not a channel, which would add 6 kB of code.
pub(super) type ThreadResults = Arc<Mutex<Vec<ThreadResult>>>;

impl Reactor {
    pub(super) fn start_task(&mut self, job: JobId, task: BlockingTask, now: Now) {
        let work = move || {
            let result = guarded(|| task.run()).unwrap_or_else(ProbeResult::from);
            ThreadResult::Task(job, result)
        };
        if let Err(error) = self.start_thread("pingstate-work", Box::new(work)) {
            let detail = format!("no thread for the check: {}", io_error::text(&error));
            self.engine.handle_worked(job, Failure::exhausted(detail).into(), now);
        }
    }

    pub(super) fn start_thread(
        &mut self,
        name: &str,
        work: Box<dyn FnOnce() -> ThreadResult + Send>,
    ) -> io::Result<()> {
        let (results, waker) = (self.thread_results.clone(), self.waker()?);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let result = work();
            results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
            // The loop may have ended before the thread.
            let _ = waker.wake();
        })?;
        Ok(())
    }

    pub(super) fn handle_thread_results(&mut self, now: Now) {
        for result in self.take_thread_results() {
            match result {
                ThreadResult::Task(job, result) => self.engine.handle_worked(job, result, now),
                ThreadResult::State(written) => self.handle_state_written(written, now),
            }
        }
    }

    /// Those of checks are ignored: the engine has stopped.
    pub(super) fn handle_last_thread_results(&mut self, now: Now) {
        for result in self.take_thread_results() {
            if let ThreadResult::State(written) = result {
                self.handle_state_written(written, now);
            }
        }
    }

    fn take_thread_results(&mut self) -> Vec<ThreadResult> {
        std::mem::take(&mut *self.thread_results.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
