//! The targets: real probes, and one with arbitrary outputs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::clock::Now;
use crate::monitor::Monitor;
use crate::probe::build::ProbeBuilder;
use crate::probe::{Attempt, BlockingTask, Input, Output, Probe, Transport};
use crate::result::{ProbeResult, Reason};

/// The number of attempts of a target that have begun.
pub(super) type Begun = Arc<AtomicUsize>;

/// The targets, and the numbers of their attempts.
pub(super) fn targets(script: &[u8]) -> (Vec<Monitor>, Vec<Begun>) {
    let url = |url: &str, check: &str| ProbeBuilder::from_url(url).check(check).build().expect("a probe");
    let probes: [Box<dyn Probe>; 4] = [
        Box::new(url("tcp://10.0.0.1:22", "banner_contains:SSH")),
        Box::new(url("http://www.example/", "body_contains:ok")),
        Box::new(url("tcp://nas.local:445", "")),
        Box::new(Scripted(script.into())),
    ];
    let begun: Vec<Begun> = probes.iter().map(|_| Begun::default()).collect();
    let counted =
        probes.into_iter().zip(&begun).map(|(probe, begun)| Counted { probe, begun: begun.clone() });
    (counted.map(|probe| Monitor::new(probe).interval(Duration::from_millis(2500))).collect(), begun)
}

struct Counted {
    probe: Box<dyn Probe>,
    begun: Begun,
}

impl Probe for Counted {
    fn name(&self) -> &str {
        self.probe.name()
    }
    fn timeout(&self) -> Duration {
        self.probe.timeout()
    }
    fn begin(&self, now: Now) -> Box<dyn Attempt> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.probe.begin(now)
    }
}

/// A probe that ignores the rules of `Attempt`.
struct Scripted(Arc<[u8]>);

impl Probe for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }
    fn timeout(&self) -> Duration {
        Duration::from_secs(1)
    }
    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        let mut attempt =
            ScriptedAttempt { script: self.0.iter().copied().collect(), outputs: VecDeque::new() };
        attempt.queue_outputs();
        Box::new(attempt)
    }
}

struct ScriptedAttempt {
    script: VecDeque<u8>,
    outputs: VecDeque<Output>,
}

impl ScriptedAttempt {
    /// Queues the next outputs, up to a zero byte.
    fn queue_outputs(&mut self) {
        while let Some(byte) = self.script.pop_front().filter(|byte| *byte > 0) {
            let host =
                ["10.0.0.2", "::1", "db.example", "localhost", "not a name", ""][usize::from(byte) / 8 % 6];
            self.outputs.push_back(match byte % 8 {
                0 | 1 => {
                    let transport = if byte % 8 == 0 { Transport::Udp } else { Transport::Tcp };
                    Output::Connect { transport, host: host.to_owned(), port: byte.into() }
                }
                2 => Output::Send(vec![byte; byte.into()]),
                3 => Output::Send(vec![byte; usize::from(byte) << 9]),
                4 => Output::BlockingTask(BlockingTask::new(move || {
                    ProbeResult::down(Reason::Custom, "worked")
                })),
                5 => Output::Done(ProbeResult::up(Duration::from_millis(byte.into()), "fine\n")),
                6 => Output::Done(ProbeResult::down(Reason::Custom, "")),
                _ => Output::Send(Vec::new()),
            });
        }
    }
}

impl Attempt for ScriptedAttempt {
    fn handle_input(&mut self, _input: Input<'_>, _now: Now) {
        self.queue_outputs();
    }
    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
