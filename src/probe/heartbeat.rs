//! The kind heartbeat: nothing is probed; a job reports to the API within an interval and a grace.

use std::sync::Arc;
use std::time::Duration;

use super::build::{Error, Plan, ProbeBuilder};
use super::kinds::Info;
use super::{Attempt, Input, Output};
use crate::clock::Now;
use crate::result::{ProbeResult, Reason};
use crate::text::token::Token;
use crate::wire::url::{Form, Scheme, Url};

static SCHEME: Scheme = Scheme::new("heartbeat", Form::Text);

pub(super) static HEARTBEAT: Info = Info {
    interval: Duration::ZERO,
    default_name: |_| None,
    shown_url: |_| format!("{}:", SCHEME.name),
    ..Info::new(&SCHEME, 0, Duration::from_secs(1), build)
};

/// The characters of a token besides letters and digits: unreserved ones (RFC 3986 section 2.3).
const PUNCTUATION: &str = "-._~";

/// What a heartbeat target expects, for the library's own use.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    token: Token,
    /// A tenth of the interval by default.
    pub(crate) grace: Option<Duration>,
}

impl Heartbeat {
    pub(crate) fn has_token(&self, given: &[u8]) -> bool {
        self.token.matches(given)
    }

    pub(crate) fn token(&self) -> &str {
        self.token.as_str()
    }
}

/// The settings of a builder.
#[derive(Default)]
pub(super) struct HeartbeatSettings {
    pub(super) token: Option<String>,
    pub(super) grace: Option<Duration>,
}

impl HeartbeatSettings {
    /// The error of the first setting that is present.
    pub(super) fn first_setting(&self) -> Option<fn(String) -> Error> {
        match self.token {
            Some(_) => Some(Error::TokenFile),
            None => self.grace.map(|_| Error::Grace as fn(String) -> Error),
        }
    }
}

fn build(url: Url, _timeout: Duration, probe: &mut ProbeBuilder) -> Result<Arc<dyn Plan>, Error> {
    if !url.path.is_empty() {
        return Err(Error::Url("nothing follows heartbeat: in a URL".to_owned()));
    }
    let HeartbeatSettings { token, grace } = std::mem::take(&mut probe.heartbeat);
    let Some(token) = token else {
        return Err(Error::TokenFile("is required for a target of the kind heartbeat".to_owned()));
    };
    let token = Token::parse(&token, PUNCTUATION).map_err(Error::TokenFile)?;
    if grace.is_some_and(|grace| grace > ProbeBuilder::GRACE_MAX) {
        return Err(Error::Grace("is longer than ten years".to_owned()));
    }
    Ok(Arc::new(HeartbeatPlan(Heartbeat { token, grace })))
}

struct HeartbeatPlan(Heartbeat);

impl Plan for HeartbeatPlan {
    fn begin(self: Arc<Self>, _now: Now) -> Box<dyn Attempt> {
        Box::new(NotProbed(true))
    }

    fn heartbeat(&self) -> Option<&Heartbeat> {
        Some(&self.0)
    }
}

/// A single check without an API, which cannot receive a heartbeat.
struct NotProbed(bool);

impl Attempt for NotProbed {
    fn handle_input(&mut self, _input: Input<'_>, _now: Now) {}

    fn poll_output(&mut self) -> Option<Output> {
        let result = || ProbeResult::down(Reason::NoHeartbeat, "only a server receives heartbeats");
        std::mem::take(&mut self.0).then(|| Output::Done(result()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Probe;
    use crate::probe::build::probe;

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn settings_are_validated_and_not_shown() {
        let build = |token: &str| probe("heartbeat", "", None).name("backup").token(token).build();
        let backup = build(TOKEN).expect("valid");
        assert_eq!((backup.name(), backup.url()), ("backup", "heartbeat:"));
        let expected = backup.heartbeat().expect("a heartbeat");
        assert_eq!((expected.token(), expected.grace), (TOKEN, None));
        assert!(!format!("{backup:?} {expected:?}").contains(TOKEN));
        for (token, message) in [
            ("short", "must have 16 to 128 characters"),
            (&*"x".repeat(129), "must have 16 to 128 characters"),
            ("0123456789/bcdef", "may contain only letters, digits and -._~"),
            ("", "must have 16 to 128 characters"),
        ] {
            let error = build(token).expect_err(token);
            assert!(error.field() == "token-file" && error.message().contains(message), "{error}");
        }
        let error = |builder: ProbeBuilder| builder.build().expect_err("invalid").to_string();
        let named = || probe("heartbeat", "", None).name("backup");
        assert_eq!(error(named()), "token-file: is required for a target of the kind heartbeat");
        assert_eq!(
            error(probe("heartbeat", "", None).token(TOKEN)),
            "name: is required for a target of the kind heartbeat"
        );
        assert_eq!(error(named().token(TOKEN).check("x")), "check: does not apply to heartbeat");
        assert_eq!(error(named().token(TOKEN).grace(Duration::MAX)), "grace: is longer than ten years");
        assert_eq!(
            error(ProbeBuilder::from_url("heartbeat:x").name("b").token(TOKEN)),
            "url: nothing follows heartbeat: in a URL"
        );
        assert_eq!(error(probe("tcp", "h", 1).token(TOKEN)), "token-file: does not apply to tcp");
        assert_eq!(error(probe("tcp", "h", 1).grace(Duration::ZERO)), "grace: does not apply to tcp");
    }
}
