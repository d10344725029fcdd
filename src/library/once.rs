//! Single checks without a schedule, of one target or of many.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use super::events::{CheckEvent, report_checks};
use super::resolver_config::ResolverConfig;
use crate::api::access::Access;
use crate::api::host::HostGuard;
use crate::clock::Now;
use crate::engine::Schedule;
use crate::monitor::Monitor;
#[cfg(feature = "cli")]
use crate::monitor::Target;
use crate::network::Network;
use crate::probe::build::NetProbe;
use crate::probe::guard::{NoAttempt, guarded};
use crate::probe::{Attempt, Probe};
use crate::reactor::{self, Reactor};
use crate::result::{ProbeResult, Reason};

impl NetProbe {
    /// Checks the target once and waits for the result: at most the probe's timeout.
    ///
    /// ```
    /// # use std::net::TcpListener;
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// use pingstate::{Reason, probe};
    /// use std::time::Duration;
    ///
    /// let probe = probe("tcp", "127.0.0.1", port).check("banner_contains:SSH-");
    /// let result = probe.timeout(Duration::from_millis(50)).build()?.check();
    /// assert_eq!((result.ok, result.reason), (false, Some(Reason::Banner)));
    /// assert_eq!(result.detail, "timed out after 0.05 s waiting for the banner");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Local errors, such as too many open descriptors, fail the check with [`Reason::Local`].
    #[must_use]
    pub fn check(&self) -> ProbeResult {
        check(self)
    }
}

/// Runs any probe once and waits for the result: at most the probe's timeout. A timeout that is not valid (see
/// [`Probe::timeout`]) is a failed check.
///
/// ```
/// use pingstate::{blocking, check};
///
/// let result = check(&blocking("disk", || (true, "3 GB free")));
/// assert_eq!((result.ok, &*result.detail), (true, "3 GB free"));
/// ```
#[must_use]
pub fn check(probe: &dyn Probe) -> ProbeResult {
    check_with(probe, ResolverConfig::default())
}

/// Like [`check`], with this configuration of name resolution.
///
/// ```
/// use pingstate::{ResolverConfig, Reason, check_with, probe};
///
/// // No hosts file and no name server.
/// let offline = ResolverConfig::default()
///     .hosts("/dev/null")
///     .resolv_conf("/dev/null")
///     .servers([([127, 0, 0, 1], 1).into()]);
/// let result = check_with(&probe("tcp", "nowhere.invalid", 1).build()?, offline);
/// assert_eq!(result.reason, Some(Reason::DnsNotFound));
/// # Ok::<(), pingstate::Error>(())
/// ```
#[must_use]
pub fn check_with(probe: &dyn Probe, resolver: ResolverConfig) -> ProbeResult {
    let begin = || StartedProbe {
        name: probe.name().to_owned(),
        timeout: probe.timeout(),
        runs_program: probe.runs_program(),
        network: probe.network().cloned(),
        attempt: Cell::new(Some(probe.begin(reactor::now()))),
    };
    let started = match guarded(begin) {
        Ok(started) => started,
        Err(failure) => return failure.into(),
    };
    let run = || -> io::Result<Option<ProbeResult>> {
        let mut reactor = resolver.reactor(vec![Monitor::new(started)], Schedule::Once, no_access())?;
        while !reactor.engine().is_finished() {
            reactor.turn(None)?;
        }
        Ok(reactor.take_results().pop().map(|check| check.result))
    };
    match run() {
        Ok(Some(result)) => result,
        Ok(None) => ProbeResult::down(Reason::Local, "the check came to no end"),
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            ProbeResult::down(Reason::Custom, &error.to_string())
        }
        Err(error) => ProbeResult::down(Reason::Local, &format!("no event loop for the check: {error}")),
    }
}

/// Checks every target once, with a limit on concurrent checks, and passes each result to `on_check` as it
/// arrives.
///
/// ```
/// # use std::net::TcpListener;
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// use pingstate::{Monitor, ResolverConfig, check_all, probe};
///
/// let monitors = [
///     Monitor::new(probe("tcp", "127.0.0.1", port).name("v4").build()?),
///     Monitor::new(probe("tcp", "localhost", port).name("name").build()?),
/// ];
/// let mut results = Vec::new();
/// check_all(monitors, ResolverConfig::default(), |event| {
///     results.push((event.name.to_owned(), event.result.ok));
/// })?;
/// results.sort();
/// assert_eq!(results, [("name".to_owned(), true), ("v4".to_owned(), true)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// An [`Error`](crate::Error) of kind [`InvalidInput`](io::ErrorKind::InvalidInput) if a setting of a monitor is
/// invalid; otherwise the event loop cannot be created or polling fails.
pub fn check_all(
    monitors: impl IntoIterator<Item = Monitor>,
    resolver: ResolverConfig,
    mut on_check: impl FnMut(&CheckEvent<'_>),
) -> io::Result<()> {
    let mut reactor = reactor_once(monitors.into_iter().collect(), resolver)?;
    while !reactor.engine().is_finished() {
        reactor.turn(None)?;
        report_checks(&mut reactor, &mut on_check);
    }
    Ok(())
}

/// Checks every target once, except heartbeats, and passes each to `on_target` in the order of the monitors, as soon
/// as its check and those before it have ended. Ends when `on_target` returns false.
#[cfg(feature = "cli")]
pub(crate) fn check_in_order(
    monitors: Vec<Monitor>,
    resolver: ResolverConfig,
    mut on_target: impl FnMut(&Target, Now) -> bool,
    mut on_warning: impl FnMut(&str),
) -> io::Result<()> {
    let mut reactor = reactor_once(monitors, resolver)?;
    let mut passed = 0;
    loop {
        let engine = reactor.engine();
        let has_ended = |target: &&Target| {
            engine.is_finished() || target.heartbeat().is_some() || target.fsm().last().is_some()
        };
        for target in engine.targets().list().iter().skip(passed).take_while(has_ended) {
            passed += 1;
            if !on_target(target, reactor::now()) {
                return Ok(());
            }
        }
        if engine.is_finished() {
            return Ok(());
        }
        reactor.turn(None)?;
        reactor.take_notices().iter().for_each(|text| on_warning(text));
        drop(reactor.take_results());
    }
}

fn reactor_once(monitors: Vec<Monitor>, resolver: ResolverConfig) -> io::Result<Reactor> {
    let monitors = monitors.into_iter().map(|monitor| monitor.paused(false)).collect();
    resolver.reactor(monitors, Schedule::Once, no_access())
}

/// The access to a reactor without a listener.
pub(crate) fn no_access() -> Access {
    HostGuard::new(IpAddr::V4(Ipv4Addr::LOCALHOST), Vec::new()).into()
}

/// A probe with an attempt that has started, so that `check` can borrow the caller's probe.
struct StartedProbe {
    name: String,
    timeout: Duration,
    runs_program: bool,
    network: Option<Arc<Network>>,
    attempt: Cell<Option<Box<dyn Attempt>>>,
}

impl Probe for StartedProbe {
    fn name(&self) -> &str {
        &self.name
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn runs_program(&self) -> bool {
        self.runs_program
    }

    fn network(&self) -> Option<&Arc<Network>> {
        self.network.as_ref()
    }

    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        // A check with `Schedule::Once` has one attempt.
        self.attempt.take().unwrap_or_else(|| Box::new(NoAttempt))
    }
}
