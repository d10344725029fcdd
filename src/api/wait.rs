//! `/wait`: responds when a target reaches a state, for boot scripts.

use std::time::Duration;

use crate::api::params::{bad, target, value};
use crate::api::response::{Response, TEXT};
use crate::fsm::State;
use crate::monitor::{TargetId, Targets};
use crate::text::duration;

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    state: State,
    /// `None`: the worst state of all targets.
    pub(crate) target: Option<TargetId>,
    pub(crate) timeout: Duration,
}

impl Wait {
    pub(super) fn parse(query: &str, targets: &Targets) -> Result<Wait, Response> {
        let state = value(query, "state")?.and_then(|word| word.parse().ok());
        let Some(state) = state else {
            return Err(bad(&["state must be unknown, up, degraded or down"]));
        };
        let timeout = match value(query, "timeout")? {
            None => TIMEOUT_DEFAULT,
            Some(text) => {
                timeout(&text).ok_or_else(|| bad(&["timeout must be a time of at most 1h, like 30 or 5m"]))?
            }
        };
        Ok(Wait { state, target: target(query, targets)?, timeout })
    }

    pub(crate) fn reached(&self, targets: &Targets) -> Option<Response> {
        (self.current(targets) == self.state).then(|| response(200, self.state))
    }

    pub(crate) fn timed_out(&self, targets: &Targets) -> Response {
        response(503, self.current(targets))
    }

    fn current(&self, targets: &Targets) -> State {
        let target = self.target.and_then(|target| targets.get(target));
        target.map_or_else(|| targets.worst(), |target| target.fsm().state())
    }
}

fn response(status: u16, state: State) -> Response {
    Response::new(status, TEXT, [state.as_str(), "\n"].concat())
}

fn timeout(text: &str) -> Option<Duration> {
    duration(text).filter(|span| *span <= TIMEOUT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test_now;
    use crate::monitor::Monitor;
    use crate::monitor::mute::Mute;
    use crate::result::ProbeResult;

    fn targets() -> Targets {
        let now = test_now();
        let mut targets = Targets::new(["a", "b c"].map(|name| Monitor::new(Mute(name))).into(), now);
        targets.fire(targets.id(1), &ProbeResult::up(Duration::ZERO, "fine"), now);
        targets
    }

    fn parse(query: &str) -> Result<Wait, (u16, String)> {
        Wait::parse(query, &targets()).map_err(|no| (no.status, String::from_utf8(no.body).expect("a line")))
    }

    #[test]
    fn a_query_gives_state_target_and_timeout() {
        let up = |target, ms| Ok(Wait { state: State::Up, target, timeout: Duration::from_millis(ms) });
        assert_eq!(parse("state=up"), up(None, 60_000));
        assert_eq!(parse("state=up&timeout=0"), up(None, 0));
        assert_eq!(parse("state=up&timeout=.25"), up(None, 250));
        assert_eq!(parse("state=up&timeout=2.062"), up(None, 2062));
        assert_eq!(parse("state=up&timeout=1h"), up(None, 3_600_000));
        assert_eq!(parse("state=up&timeout=1.5m"), up(None, 90_000));
        assert_eq!(parse("state=up&timeout=200ms"), up(None, 200));
        assert_eq!(parse("target=b+c&timeout=0.5&state=up&x=y"), up(Some(targets().id(1)), 500));
        assert_eq!(parse("target=b%20c&timeout=3600&state=up"), up(Some(targets().id(1)), 3_600_000));
        for state in State::ALL {
            assert_eq!(parse(&format!("state={state}")).map(|wait| wait.state), Ok(state));
        }
    }

    #[test]
    fn invalid_queries_are_rejected_with_one_line() {
        let no = |status, line: &str| Err((status, format!("{line}\n")));
        for query in ["", "timeout=1", "state", "state=", "state=UP", "state=on", "States=up"] {
            assert_eq!(parse(query), no(400, "state must be unknown, up, degraded or down"), "{query}");
        }
        for timeout in [
            "",
            ".",
            "x",
            "-1",
            "-0.1",
            "3600.1",
            "61m",
            "1e9",
            "inf",
            "NaN",
            "1w",
            "%201",
            "99999999999999999999",
        ] {
            let query = format!("state=up&timeout={timeout}");
            assert_eq!(
                parse(&query),
                no(400, "timeout must be a time of at most 1h, like 30 or 5m"),
                "{query}"
            );
        }
        assert_eq!(parse("state=%"), no(400, "state is not well encoded"));
        assert_eq!(parse("state=up&target=c"), no(404, "no target of this name"));
        assert_eq!(parse("state=up&target=%ff"), no(400, "target is not well encoded"));
    }

    #[test]
    fn the_response_is_the_current_state() {
        let targets = targets();
        let status_and_body = |response: Response| (response.status, response.body);
        let wait = |state, target| Wait { state, target, timeout: TIMEOUT_DEFAULT };
        assert_eq!(
            wait(State::Up, Some(targets.id(1))).reached(&targets).map(status_and_body),
            Some((200, b"up\n".to_vec()))
        );
        assert_eq!(wait(State::Down, Some(targets.id(1))).reached(&targets), None);
        assert_eq!(
            wait(State::Unknown, None).reached(&targets).map(status_and_body),
            Some((200, b"unknown\n".to_vec()))
        );
        assert_eq!(
            status_and_body(wait(State::Up, Some(targets.id(0))).timed_out(&targets)),
            (503, b"unknown\n".to_vec())
        );
    }
}
