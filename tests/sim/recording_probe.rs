//! A probe around the real one that writes down when its tries begin and whether the engine keeps its
//! side of the contract with them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Now;
use crate::probe::build::NetProbe;
use crate::probe::{Attempt, Heartbeat, Input, Output, Probe};
use crate::result::ProbeResult;

/// What is known of one target's tries.
#[derive(Default)]
pub(super) struct Track {
    pub(super) begins: u64,
    pub(super) busy: bool,
    /// The host it wants to be connected to.
    pub(super) dialing: Option<String>,
    /// What it has sent, and when.
    pub(super) sends: Vec<(Instant, Vec<u8>)>,
    /// The time of its last input, until it is looked at.
    pub(super) now: Option<Instant>,
    program: bool,
    /// It has a connection.
    pub(super) standing: bool,
    /// The end of the latest try.
    pub(super) done: Option<ProbeResult>,
    /// That of the try before.
    pub(super) done_before: Option<ProbeResult>,
}

/// The tracks of all targets.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Vec<Track>>>);

impl Ledger {
    /// There is one more target.
    pub(super) fn join(&self) {
        self.tracks().push(Track::default());
    }

    pub(super) fn tracks(&self) -> MutexGuard<'_, Vec<Track>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct SpyProbe {
    pub(super) inner: NetProbe,
    pub(super) target: usize,
    pub(super) ledger: Ledger,
}

impl Probe for SpyProbe {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn url(&self) -> &str {
        self.inner.url()
    }

    fn timeout(&self) -> Duration {
        self.inner.timeout()
    }

    fn runs_program(&self) -> bool {
        self.inner.runs_program()
    }

    fn heartbeat(&self) -> Option<&Heartbeat> {
        self.inner.heartbeat()
    }

    fn begin(&self, now: Now) -> Box<dyn Attempt> {
        let track = &mut self.ledger.tracks()[self.target];
        assert!(!track.busy, "two tries of target {} at once", self.target);
        let done_before = track.done.take();
        *track = Track { begins: track.begins + 1, busy: true, done_before, ..Track::default() };
        Box::new(SpyAttempt {
            inner: self.inner.begin(now),
            target: self.target,
            ledger: self.ledger.clone(),
            over: false,
            now: now.instant,
        })
    }
}

struct SpyAttempt {
    inner: Box<dyn Attempt>,
    target: usize,
    ledger: Ledger,
    over: bool,
    now: Instant,
}

impl Attempt for SpyAttempt {
    fn handle_input(&mut self, input: Input<'_>, now: Now) {
        assert!(!self.over, "target {} is told {input:?} after its result", self.target);
        self.now = now.instant;
        let track = &mut self.ledger.tracks()[self.target];
        track.now = Some(now.instant);
        match &input {
            Input::Connected(_) => {
                assert!(track.dialing.take().is_some(), "connected without having asked for it");
                track.standing = true;
            }
            Input::Received(bytes) => assert!(track.standing && !bytes.is_empty(), "nothing was received"),
            Input::Closed => assert!(track.standing, "closed without a connection"),
            Input::Failed(_) => {
                let is_open = track.standing || track.dialing.is_some() || track.program;
                assert!(is_open, "what has failed?");
                track.program = false;
                track.standing = false;
                track.dialing = None;
            }
            Input::TimedOut | Input::TimerExpired | Input::Random(_) => {}
            Input::Exited(..) => {
                assert!(std::mem::take(&mut track.program), "the end of no program");
            }
            Input::Worked(_) => unreachable!("no target here works elsewhere"),
            Input::Content(_) => unreachable!("no target here requests a body"),
            Input::IcmpMessage { .. } | Input::IcmpError { .. } => assert!(track.standing),
        }
        self.inner.handle_input(input, now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        assert!(!self.over, "target {} is asked after its result", self.target);
        let output = self.inner.poll_output();
        let track = &mut self.ledger.tracks()[self.target];
        match &output {
            Some(Output::Connect { host, .. }) => {
                track.dialing = Some(host.clone());
                track.standing = false;
            }
            Some(Output::ConnectNameServer { .. }) => {
                track.dialing = Some(String::new());
                track.standing = false;
            }
            Some(Output::Exec(_)) => track.program = true,
            Some(Output::Send(bytes)) => track.sends.push((self.now, bytes.clone())),
            Some(Output::Done(result)) => {
                self.over = true;
                track.done = Some(result.clone());
            }
            Some(Output::SetTimer(_) | Output::Random) | None => {}
            Some(output) => unreachable!("no target here requests {output:?}"),
        }
        output
    }
}

impl Drop for SpyAttempt {
    fn drop(&mut self) {
        let track = &mut self.ledger.tracks()[self.target];
        track.busy = false;
        track.standing = false;
        track.dialing = None;
    }
}
