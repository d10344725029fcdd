//! Threads for blocking tasks, one per task.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::waker::Waker;
use crate::engine::JobId;
use crate::probe::BlockingTask;
use crate::probe::guard::guarded;
use crate::result::ProbeResult;

type Done = (JobId, ProbeResult);

#[derive(Default)]
pub(super) struct Workers {
    /// Created on first use: most daemons have no blocking tasks.
    results: Option<(Sender<Done>, Receiver<Done>)>,
}

impl Workers {
    /// Runs `work` on a new thread and wakes the loop when it ends.
    pub(super) fn start(&mut self, job: JobId, work: BlockingTask, waker: Waker) -> io::Result<()> {
        let (sender, _) = self.results.get_or_insert_with(channel);
        let sender = sender.clone();
        thread::Builder::new().name("pingstate-work".to_owned()).spawn(move || {
            let result = guarded(|| work.run()).unwrap_or_else(ProbeResult::from);
            // The loop may have ended before the task.
            if sender.send((job, result)).is_ok() {
                waker.wake();
            }
        })?;
        Ok(())
    }

    /// The results since the last call.
    pub(super) fn take_done(&mut self) -> Vec<Done> {
        self.results.as_ref().map(|(_, results)| results.try_iter().collect()).unwrap_or_default()
    }
}
