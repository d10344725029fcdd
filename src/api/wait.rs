//! `/wait`: a client that waits for a state, for boot scripts.

use std::time::Duration;

use crate::api::params::{bad, target, value};
use crate::api::response::{Response, TEXT};
use crate::fsm::State;
use crate::monitor::Fleet;

/// How long a client waits unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a client may wait.
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    state: State,
    /// The target's place; `None` is the worst of all.
    pub(crate) target: Option<usize>,
    pub(crate) timeout: Duration,
}

impl Wait {
    /// What the query asks for, or the answer if that makes no sense.
    pub(super) fn asked(query: &str, fleet: &Fleet) -> Result<Wait, Response> {
        let word = value(query, "state")?;
        let state = State::ALL.into_iter().find(|state| word.as_deref() == Some(state.as_str()));
        let Some(state) = state else {
            return Err(bad(&["state must be unknown, up, degraded or down"]));
        };
        let timeout = match value(query, "timeout")? {
            None => TIMEOUT,
            Some(text) => seconds(&text).ok_or_else(|| bad(&["timeout must be 0 to 3600 seconds"]))?,
        };
        Ok(Wait { state, target: target(query, fleet)?, timeout })
    }

    /// The answer, if the state is reached.
    pub(crate) fn reached(&self, fleet: &Fleet) -> Option<Response> {
        (self.present(fleet) == self.state).then(|| word(200, self.state))
    }

    /// The answer when the time is up.
    pub(crate) fn gave_up(&self, fleet: &Fleet) -> Response {
        word(503, self.present(fleet))
    }

    fn present(&self, fleet: &Fleet) -> State {
        self.target.map_or_else(|| fleet.worst(), |target| fleet.watch(target).fsm().state())
    }
}

fn word(status: u16, state: State) -> Response {
    Response::new(status, TEXT, [state.as_str(), "\n"].concat())
}

/// Seconds as a decimal number, to the millisecond. Read by hand: the tables that reading floating-point
/// numbers takes are larger than all of this page.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_number {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let millis = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    let millis = millis.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let span = Duration::from_millis(whole.checked_mul(1000)?.checked_add(millis)?);
    (span <= TIMEOUT_MAX).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test_now;
    use crate::monitor::Monitor;
    use crate::monitor::mute::Mute;
    use crate::result::ProbeResult;

    fn fleet() -> Fleet {
        let now = test_now();
        let mut fleet = Fleet::new(["a", "b c"].map(|name| Monitor::new(Mute(name))).into(), now);
        fleet.fire(1, &ProbeResult::up(Duration::ZERO, "fine"), now);
        fleet
    }

    fn asked(query: &str) -> Result<Wait, (u16, String)> {
        Wait::asked(query, &fleet()).map_err(|no| (no.status, String::from_utf8(no.body).expect("a line")))
    }

    #[test]
    fn a_query_says_which_state_of_whom_and_for_how_long() {
        let up = |target, ms| Ok(Wait { state: State::Up, target, timeout: Duration::from_millis(ms) });
        assert_eq!(asked("state=up"), up(None, 60_000));
        assert_eq!(asked("state=up&timeout=0"), up(None, 0));
        assert_eq!(asked("state=up&timeout=.25"), up(None, 250));
        assert_eq!(asked("state=up&timeout=2.0625"), up(None, 2062));
        assert_eq!(asked("target=b+c&timeout=0.5&state=up&x=y"), up(Some(1), 500));
        assert_eq!(asked("target=b%20c&timeout=3600&state=up"), up(Some(1), 3_600_000));
        for state in State::ALL {
            assert_eq!(asked(&format!("state={state}")).map(|wait| wait.state), Ok(state));
        }
    }

    #[test]
    fn anything_else_is_refused_in_one_clear_line() {
        let no = |status, line: &str| Err((status, format!("{line}\n")));
        for query in ["", "timeout=1", "state", "state=", "state=UP", "state=on", "States=up"] {
            assert_eq!(asked(query), no(400, "state must be unknown, up, degraded or down"), "{query}");
        }
        for timeout in
            ["", ".", "x", "-1", "-0.1", "3600.1", "1e9", "inf", "NaN", "1s", "%201", "99999999999999999999"]
        {
            let query = format!("state=up&timeout={timeout}");
            assert_eq!(asked(&query), no(400, "timeout must be 0 to 3600 seconds"), "{query}");
        }
        assert_eq!(asked("state=%"), no(400, "state is not well encoded"));
        assert_eq!(asked("state=up&target=c"), no(404, "no target of this name"));
        assert_eq!(asked("state=up&target=%ff"), no(400, "target is not well encoded"));
    }

    #[test]
    fn the_answer_is_the_word_of_the_state_that_there_is() {
        let fleet = fleet();
        let said = |response: Response| (response.status, response.body);
        let wait = |state, target| Wait { state, target, timeout: TIMEOUT };
        assert_eq!(wait(State::Up, Some(1)).reached(&fleet).map(said), Some((200, b"up\n".to_vec())));
        assert_eq!(wait(State::Down, Some(1)).reached(&fleet), None);
        assert_eq!(wait(State::Unknown, None).reached(&fleet).map(said), Some((200, b"unknown\n".to_vec())));
        assert_eq!(said(wait(State::Up, Some(0)).gave_up(&fleet)), (503, b"unknown\n".to_vec()));
    }
}
