//! Probes that block: a database driver, a command, another library.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::durations::timed_out;
use super::{Attempt, BlockingTask, Input, Output, Probe};
use crate::check::CheckVerdict;
use crate::clock::Now;
use crate::result::{ProbeResult, Reason};

type Closure = Arc<dyn Fn() -> CheckVerdict + Send + Sync>;

/// A probe that calls a closure on its own thread. See [`blocking`].
///
/// ```
/// use pingstate::{BlockingProbe, Probe, blocking};
/// use std::time::Duration;
///
/// let probe: BlockingProbe = blocking("backup", || true).timeout(Duration::from_secs(60));
/// assert_eq!(Probe::timeout(&probe), Duration::from_secs(60));
/// ```
pub struct BlockingProbe {
    name: String,
    timeout: Duration,
    closure: Closure,
    /// Whether a call is running; it may outlive its check.
    busy: Arc<AtomicBool>,
}

/// Makes a probe of a closure that may block and returns `bool` or `(bool, detail)`.
///
/// Each check runs on its own thread. A panic in the closure is a failed check. A closure cannot be ended
/// from outside: if it does not return in time, the check fails, and so do further checks until it returns.
/// A probe never has more than one thread.
///
/// ```
/// use pingstate::{blocking, check};
/// use std::time::Duration;
///
/// let root = blocking("root", || match std::fs::metadata("/") {
///     Ok(_) => (true, "mounted".to_owned()),
///     Err(error) => (false, error.to_string()),
/// });
/// assert_eq!(check(&root.timeout(Duration::from_secs(2))).detail, "mounted");
/// assert_eq!(check(&blocking("disk", || false)).detail, "check failed");
/// ```
#[must_use]
pub fn blocking<F, J>(name: impl Into<String>, check: F) -> BlockingProbe
where
    F: Fn() -> J + Send + Sync + 'static,
    J: Into<CheckVerdict>,
{
    BlockingProbe {
        name: name.into(),
        timeout: BlockingProbe::TIMEOUT,
        closure: Arc::new(move || check().into()),
        busy: Arc::new(AtomicBool::new(false)),
    }
}

impl BlockingProbe {
    /// The default timeout of a check: 5 s.
    pub const TIMEOUT: Duration = Duration::from_secs(5);

    /// The timeout of one check: more than 0, at most one hour. Default: [`BlockingProbe::TIMEOUT`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Probe for BlockingProbe {
    fn name(&self) -> &str {
        &self.name
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn begin(&self, now: Now) -> Box<dyn Attempt> {
        let output = if self.busy.swap(true, Ordering::AcqRel) {
            let detail = "the previous check is still running";
            Output::Done(ProbeResult::down(Reason::Custom, detail))
        } else {
            let (closure, busy) = (self.closure.clone(), Busy(self.busy.clone()));
            Output::BlockingTask(BlockingTask::new(move || {
                let _busy = busy;
                result(closure())
            }))
        };
        Box::new(BlockingAttempt { output: Some(output), started_at: now.instant, timeout: self.timeout })
    }
}

/// Resets the flag when the closure returns, or when no thread could be started for it.
struct Busy(Arc<AtomicBool>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn result(verdict: CheckVerdict) -> ProbeResult {
    let default = if verdict.ok { "check ok" } else { "check failed" };
    let detail = verdict.detail.as_deref().unwrap_or(default);
    match verdict.ok {
        true => ProbeResult::up(Duration::ZERO, detail),
        false => ProbeResult::down(Reason::Custom, detail),
    }
}

impl fmt::Debug for BlockingProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingProbe").field("name", &self.name).finish_non_exhaustive()
    }
}

struct BlockingAttempt {
    output: Option<Output>,
    started_at: Instant,
    timeout: Duration,
}

impl Attempt for BlockingAttempt {
    fn handle_input(&mut self, input: Input<'_>, now: Now) {
        let result = match input {
            Input::Worked(result) => {
                result.with_latency(now.instant.saturating_duration_since(self.started_at))
            }
            Input::TimedOut => {
                ProbeResult::down(Reason::Custom, &timed_out(self.timeout, "the check to return"))
            }
            _ => return,
        };
        self.output = Some(Output::Done(result));
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.output.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test_now;
    use crate::probe::guard::guarded;

    fn run_task(attempt: &mut Box<dyn Attempt>) -> ProbeResult {
        let Some(Output::BlockingTask(work)) = attempt.poll_output() else { panic!("no work") };
        guarded(|| work.run()).unwrap_or_else(ProbeResult::from)
    }

    #[test]
    fn the_result_of_the_closure_has_its_latency() {
        let now = test_now();
        let probe = blocking("db", || (true, "select 1"));
        let mut attempt = probe.begin(now);
        let result = run_task(&mut attempt);
        attempt.handle_input(Input::Worked(result), now.after(Duration::from_millis(7)));
        let Some(Output::Done(result)) = attempt.poll_output() else { panic!("not done") };
        assert_eq!(result, ProbeResult::up(Duration::from_millis(7), "select 1"));
    }

    #[test]
    fn a_panic_is_a_failed_check_and_the_next_one_is_run() {
        let probe = blocking("db", || -> bool { panic!("driver bug") });
        for _ in 0..2 {
            let result = run_task(&mut probe.begin(test_now()));
            assert_eq!((result.ok, &*result.detail), (false, "the probe panicked: driver bug"));
        }
    }

    #[test]
    fn only_one_check_runs_at_a_time() {
        let probe = blocking("db", || true);
        let mut first = probe.begin(test_now());
        let Some(Output::BlockingTask(stuck)) = first.poll_output() else { panic!("no work") };
        first.handle_input(Input::TimedOut, test_now());
        let mut second = probe.begin(test_now());
        let Some(Output::Done(result)) = second.poll_output() else { panic!("not done") };
        assert_eq!(result.detail, "the previous check is still running");
        let _ = stuck.run();
        assert!(run_task(&mut probe.begin(test_now())).ok);
        drop(probe.begin(test_now()).poll_output()); // No thread could be started.
        assert!(run_task(&mut probe.begin(test_now())).ok);
    }

    #[test]
    fn the_detail_is_that_of_the_closure_or_a_default() {
        let run = |probe: &BlockingProbe| {
            let result = run_task(&mut probe.begin(test_now()));
            (result.ok, result.detail)
        };
        assert_eq!(run(&blocking("db", || true)), (true, "check ok".to_owned()));
        assert_eq!(run(&blocking("db", || false)), (false, "check failed".to_owned()));
        assert_eq!(run(&blocking("db", || (false, "full"))), (false, "full".to_owned()));
    }

    #[test]
    fn a_check_fails_after_its_timeout() {
        let probe = blocking("db", || true);
        assert_eq!((probe.name(), Probe::timeout(&probe)), ("db", BlockingProbe::TIMEOUT));
        let probe = probe.timeout(Duration::from_secs(3));
        assert_eq!(Probe::timeout(&probe), Duration::from_secs(3));
        let mut attempt = probe.begin(test_now());
        attempt.poll_output();
        attempt.handle_input(Input::TimedOut, test_now());
        let Some(Output::Done(result)) = attempt.poll_output() else { panic!("not done") };
        assert_eq!(result.detail, "timed out after 3 s waiting for the check to return");
    }
}
