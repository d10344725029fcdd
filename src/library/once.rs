//! Checks without a schedule: one of one target, or one of each of many.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::names::Names;
use super::server::{Checked, OnCheck, tell};
use crate::api::host::HostGuard;
use crate::clock::Now;
use crate::engine::Schedule;
use crate::monitor::Monitor;
use crate::probe::build::BuiltProbe;
use crate::probe::{Attempt, Probe};
use crate::reactor;
use crate::verdict::{ProbeResult, Reason};

impl BuiltProbe {
    /// Checks the target once and waits for the result: at most the probe's timeout.
    ///
    /// Trouble of this machine's own (no descriptors left) is a failed check too, with
    /// [`Reason::Local`].
    #[must_use]
    pub fn check(&self) -> ProbeResult {
        check(self)
    }
}

/// Checks what any probe probes once and waits for the result: at most the probe's timeout.
#[must_use]
pub fn check(probe: &dyn Probe) -> ProbeResult {
    check_with(probe, Names::default())
}

/// The same, with names resolved in this way.
#[must_use]
pub fn check_with(probe: &dyn Probe, names: Names) -> ProbeResult {
    let begun = Begun {
        name: probe.name().to_owned(),
        timeout: probe.timeout(),
        attempt: Cell::new(Some(probe.begin(reactor::now()))),
    };
    let run = || -> io::Result<Option<ProbeResult>> {
        let mut reactor = names.reactor(vec![Monitor::new(begun)], Schedule::Once, no_guard())?;
        while !reactor.engine().is_finished() {
            reactor.turn(None)?;
        }
        Ok(reactor.take_verdicts().pop().map(|verdict| verdict.result))
    };
    match run() {
        Ok(Some(result)) => result,
        Ok(None) => ProbeResult::down(Reason::Local, "the check came to no end"),
        Err(error) => ProbeResult::down(Reason::Local, &format!("no event loop for the check: {error}")),
    }
}

/// Checks every target once, as many at the same time as is sensible, and tells each result as it
/// comes. No API, no history. Ends early on SIGINT and SIGTERM if `signals`; says whether all were
/// checked.
///
/// # Errors
/// The system's, of making the event loop or of polling.
pub fn check_once(
    monitors: impl IntoIterator<Item = Monitor>,
    names: Names,
    signals: bool,
    on_check: impl FnMut(&Checked<'_>) + Send + 'static,
) -> io::Result<bool> {
    let mut reactor = names.reactor(monitors.into_iter().collect(), Schedule::Once, no_guard())?;
    if signals {
        reactor.listen_to_signals()?;
    }
    let mut on_check: Option<OnCheck> = Some(Box::new(on_check));
    while !reactor.engine().is_finished() {
        reactor.turn(None)?;
        tell(&mut reactor, &mut on_check);
        if reactor.is_told_to_stop() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// No API, no clients, nobody to guard against.
pub(crate) fn no_guard() -> HostGuard {
    HostGuard::new(IpAddr::V4(Ipv4Addr::LOCALHOST), Vec::new())
}

/// A try that has begun, as a probe: so that one check needs no probe that lives for ever.
struct Begun {
    name: String,
    timeout: Duration,
    attempt: Cell<Option<Box<dyn Attempt>>>,
}

impl Probe for Begun {
    fn name(&self) -> &str {
        &self.name
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        self.attempt.take().unwrap_or_else(|| Box::new(Nothing))
    }
}

/// What a second try would be; there is none.
struct Nothing;

impl Attempt for Nothing {
    fn handle_input(&mut self, _input: crate::probe::Input<'_>, _now: Now) {}

    fn poll_output(&mut self) -> Option<crate::probe::Output> {
        None
    }
}
