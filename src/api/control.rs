//! Control: `/pause`, `/resume` and `/check`, for all targets, those of a group, or one.

use std::sync::Arc;
use std::time::Duration;

use crate::api::params::{bad, value};
use crate::api::response::{Response, TEXT};
use crate::monitor::TargetId;
use crate::text::duration;

const PAUSE_DEFAULT: Duration = Duration::from_secs(3600);
const PAUSE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) action: Action,
    pub(crate) scope: ControlScope,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ControlScope {
    All,
    Group(Arc<str>),
    Target(TargetId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Pause(Duration),
    Resume,
    Check,
}

impl Action {
    /// A pause, with the parameter `for`.
    pub(super) fn pause(query: &str) -> Result<Action, Response> {
        let span = match value(query, "for")? {
            None => Some(PAUSE_DEFAULT),
            Some(text) => duration(&text).filter(|span| !span.is_zero() && *span <= PAUSE_MAX),
        };
        let span = span.ok_or_else(|| bad(&["for must be a time of at most 30d, like 45m or 2h"]))?;
        Ok(Action::Pause(span))
    }
}

/// How many targets a request for checks applies to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requested {
    /// With a check in flight, or that starts.
    pub(crate) checked: usize,
    pub(crate) heartbeats: usize,
    pub(crate) paused: usize,
}

impl Requested {
    pub(crate) fn response(self) -> Response {
        let mut text = format!("checking: {}\n", self.checked);
        for (count, why) in [(self.heartbeats, "heartbeat"), (self.paused, "paused")] {
            if count > 0 {
                text.push_str(&format!("skipped: {why}: {count}\n"));
            }
        }
        Response::new(202, TEXT, text)
    }
}
