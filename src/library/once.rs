//! Checks without a schedule: one of one target, or one of each of many.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::checked::{CheckEvent, tell};
use super::names::ResolverConfig;
use crate::api::host::HostGuard;
use crate::clock::Now;
use crate::engine::Schedule;
use crate::monitor::Monitor;
use crate::probe::build::NetProbe;
use crate::probe::guard::guarded;
use crate::probe::{Attempt, Probe};
use crate::reactor;
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
    /// let mute = probe("tcp", "127.0.0.1", port).check("banner_contains:SSH-");
    /// let result = mute.timeout(Duration::from_millis(50)).build()?.check();
    /// assert_eq!((result.ok, result.reason), (false, Some(Reason::Banner)));
    /// assert_eq!(result.detail, "timed out after 0.05 s waiting for the banner");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Trouble of this machine's own (no descriptors left) is a failed check too, with
    /// [`Reason::Local`].
    #[must_use]
    pub fn check(&self) -> ProbeResult {
        check(self)
    }
}

/// Checks what any probe probes once and waits for the result: at most the probe's timeout.
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

/// The same as [`check`], with names resolved in this way.
///
/// ```
/// use pingstate::{ResolverConfig, Reason, check_with, probe};
///
/// // Neither a hosts file nor a name server: nothing leaves this machine.
/// let alone = ResolverConfig::default().hosts("/dev/null").resolv_conf("/dev/null").servers([([127, 0, 0, 1], 1).into()]);
/// let result = check_with(&probe("tcp", "nowhere.invalid", 1).build()?, alone);
/// assert_eq!(result.reason, Some(Reason::DnsNotFound));
/// # Ok::<(), pingstate::Error>(())
/// ```
#[must_use]
pub fn check_with(probe: &dyn Probe, names: ResolverConfig) -> ProbeResult {
    let begin = || Begun {
        name: probe.name().to_owned(),
        timeout: probe.timeout(),
        attempt: Cell::new(Some(probe.begin(reactor::now()))),
    };
    let begun = match guarded(begin) {
        Ok(begun) => begun,
        Err(failure) => return failure.into(),
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
/// comes. No API, no history.
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
/// check_all(monitors, ResolverConfig::default(), |checked| {
///     results.push((checked.name.to_owned(), checked.result.ok));
/// })?;
/// results.sort();
/// assert_eq!(results, [("name".to_owned(), true), ("v4".to_owned(), true)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The system's, of making the event loop or of polling.
pub fn check_all(
    monitors: impl IntoIterator<Item = Monitor>,
    names: ResolverConfig,
    on_check: impl FnMut(&CheckEvent<'_>),
) -> io::Result<()> {
    check_and_warn(monitors.into_iter().collect(), names, on_check, |_| {})
}

/// The same, with a call for every line that people should know of.
pub(crate) fn check_and_warn(
    monitors: Vec<Monitor>,
    names: ResolverConfig,
    mut on_check: impl FnMut(&CheckEvent<'_>),
    mut on_warning: impl FnMut(&str),
) -> io::Result<()> {
    let mut reactor = names.reactor(monitors, Schedule::Once, no_guard())?;
    while !reactor.engine().is_finished() {
        reactor.turn(None)?;
        reactor.take_notices().iter().for_each(|text| on_warning(text));
        tell(&mut reactor, &mut on_check);
    }
    Ok(())
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
