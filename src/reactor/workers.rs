//! Threads for what can only block: one for each piece of work, gone when it is done.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::waker::Waker;
use crate::engine::JobId;
use crate::probe::BlockingTask;
use crate::probe::guard::guarded;
use crate::result::ProbeResult;

type Done = (JobId, ProbeResult);

/// The threads at work and the way their results come back.
#[derive(Default)]
pub(super) struct Workers {
    /// Made when first needed: most daemons never do.
    results: Option<(Sender<Done>, Receiver<Done>)>,
}

impl Workers {
    /// Runs `work` on a thread of its own and wakes the loop when it is done.
    pub(super) fn start(&mut self, job: JobId, work: BlockingTask, waker: Waker) -> io::Result<()> {
        let (sender, _) = self.results.get_or_insert_with(channel);
        let sender = sender.clone();
        thread::Builder::new().name("pingstate-work".to_owned()).spawn(move || {
            let result = guarded(|| work.run()).unwrap_or_else(ProbeResult::from);
            // Neither the loop nor its interest in this need outlive the work.
            if sender.send((job, result)).is_ok() {
                waker.wake();
            }
        })?;
        Ok(())
    }

    /// The results that have come since the last time.
    pub(super) fn take_done(&mut self) -> Vec<Done> {
        self.results.as_ref().map(|(_, results)| results.try_iter().collect()).unwrap_or_default()
    }
}
