//! Callbacks for ended checks and warnings.

use std::fmt;
use std::time::Duration;

use crate::engine::CheckResult;
use crate::fsm::State;
use crate::monitor::TargetId;
use crate::reactor::Reactor;
use crate::result::ProbeResult;

/// A check that has ended: see [`ServerBuilder::on_check`](crate::ServerBuilder::on_check).
///
/// ```
/// use pingstate::{CheckEvent, Monitor, ResolverConfig, State, blocking, check_all};
///
/// fn log(event: &CheckEvent<'_>) {
///     if let Some((before, _)) = event.changed {
///         eprintln!("{}: {before} -> {}: {}", event.name, event.state, event.result.detail);
///     }
///     # assert_eq!(event.state, State::Up);
///     # assert_eq!(event.changed.map(|(before, _)| before), Some(State::Unknown));
/// }
///
/// check_all(Monitor::new(blocking("disk", || true)), ResolverConfig::default(), log)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CheckEvent<'a> {
    /// The target's id, as in [`Server::targets`](crate::Server::targets).
    pub id: TargetId,
    /// The target's name.
    pub name: &'a str,
    /// The target's URL.
    pub url: &'a str,
    /// The result of the check.
    pub result: &'a ProbeResult,
    /// The state after the check.
    pub state: State,
    /// The target that holds this one, see [`Monitor::depends_on`](crate::Monitor::depends_on).
    pub held_by: Option<&'a str>,
    /// The previous state and its duration, if the state has changed.
    pub changed: Option<(State, Duration)>,
}

/// A warning that is not the result of a check, such as a failed hook or webhook. See
/// [`ServerBuilder::on_warning`](crate::ServerBuilder::on_warning).
///
/// ```
/// use pingstate::{Monitor, Warning, Server, blocking};
///
/// fn log(warning: &Warning) {
///     eprintln!("warning: {warning}"); // db: the hook mail exited with status 1: no route
/// }
///
/// let server = Server::builder(Monitor::new(blocking("db", || true))).on_warning(log).bind(([127, 0, 0, 1], 0))?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// The message, a single line.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

pub(super) type OnWarning = Box<dyn FnMut(&Warning) + Send>;

pub(super) type OnCheck = Box<dyn FnMut(&CheckEvent<'_>) + Send>;

pub(super) fn report_checks(reactor: &mut Reactor, on_check: &mut dyn FnMut(&CheckEvent<'_>)) {
    for CheckResult { target: id, result, change } in reactor.take_results() {
        let Some(target) = reactor.engine().targets().get(id) else { continue };
        on_check(&CheckEvent {
            id,
            name: target.name(),
            url: target.url(),
            result: &result,
            state: change.as_ref().map_or(target.fsm().state(), |change| change.to),
            held_by: target.held_by().map(|parent| &**parent),
            changed: change.map(|change| (change.from, change.previous_state_duration)),
        });
    }
}
