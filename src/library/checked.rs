//! Checks that have ended, told to those who asked for it.

use std::time::Duration;

use crate::engine::CheckResult;
use crate::fsm::State;
use crate::reactor::Reactor;
use crate::result::ProbeResult;

/// One check that has ended, for those who want to be told: see [`ServerBuilder::on_check`](crate::ServerBuilder::on_check).
///
/// ```
/// use pingstate::{CheckEvent, Monitor, ResolverConfig, State, blocking, check_all};
///
/// fn log(checked: &CheckEvent<'_>) {
///     if let Some((before, _)) = checked.changed {
///         eprintln!("{}: {before} -> {}: {}", checked.name, checked.state, checked.result.detail);
///     }
///     # assert_eq!((checked.index, checked.state), (0, State::Up));
///     # assert_eq!(checked.changed.map(|(before, _)| before), Some(State::Unknown));
/// }
///
/// check_all(Monitor::new(blocking("disk", || true)), ResolverConfig::default(), log)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CheckEvent<'a> {
    /// The target's place in the list of monitors.
    pub index: usize,
    /// The target's name.
    pub name: &'a str,
    /// What is probed.
    pub target: &'a str,
    /// What the check found.
    pub result: &'a ProbeResult,
    /// The state that follows.
    pub state: State,
    /// The state before and how long it had lasted, if it was another one.
    pub changed: Option<(State, Duration)>,
}

/// Something that people should know and that is no check's result: a hook that failed, a webhook that
/// was given up. See [`ServerBuilder::on_warning`](crate::ServerBuilder::on_warning).
///
/// ```
/// use pingstate::{Monitor, Warning, Server, blocking};
///
/// fn log(notice: &Warning) {
///     eprintln!("warning: {}", notice.text); // db: the hook mail exited with status 1: no route
/// }
///
/// let server = Server::builder(Monitor::new(blocking("db", || true))).on_warning(log).bind(([127, 0, 0, 1], 0))?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// One line.
    pub text: String,
}

pub(super) type OnWarning = Box<dyn FnMut(&Warning) + Send>;

pub(super) type OnCheck = Box<dyn FnMut(&CheckEvent<'_>) + Send>;

/// Tells of the checks that have ended since the last time.
pub(super) fn tell(reactor: &mut Reactor, on_check: &mut dyn FnMut(&CheckEvent<'_>)) {
    for CheckResult { target, result, change } in reactor.take_verdicts() {
        let watch = reactor.engine().fleet().watch(target);
        on_check(&CheckEvent {
            index: target,
            name: watch.name(),
            target: watch.target(),
            result: &result,
            state: change.as_ref().map_or(watch.fsm().state(), |change| change.to),
            changed: change.map(|change| (change.from, change.previous_state_duration)),
        });
    }
}
