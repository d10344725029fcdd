//! Heartbeats: `/heartbeat/TOKEN`, `/heartbeat/TOKEN/fail` and `/heartbeat/TOKEN/EXITCODE`.

use super::response::{Response, TEXT};
use crate::monitor::{TargetId, Targets};
use crate::result::{ProbeResult, Reason};
use crate::wire::http::query::parameter;
use crate::wire::http::request::{Method, Request};

/// The first segment of the paths.
pub(super) const SEGMENT: &str = "heartbeat";

const ALLOW: &str = "Allow: GET, HEAD, POST\r\n";

/// What a job reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) target: TargetId,
    outcome: Outcome,
    /// The parameter `msg`.
    message: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Failed,
    Exited(u8),
}

impl Report {
    /// `segments` are those of the path. The token authorises the request; an unknown one is as expensive as a known
    /// one.
    pub(super) fn parse(
        request: &Request,
        segments: &[String],
        targets: &Targets,
    ) -> Result<Report, Response> {
        let (token, outcome) = match segments {
            [_, token] => (token, Some(Outcome::Exited(0))),
            [_, token, outcome] => (token, Outcome::parse(outcome)),
            _ => return Err(Response::error(404)),
        };
        let target = targets.find_heartbeat(token.as_bytes());
        let (Some(target), Some(outcome)) = (target, outcome) else { return Err(Response::error(404)) };
        match request.method {
            Method::Get | Method::Head | Method::Post => {}
            Method::Options => return Err(Response { field: ALLOW, ..Response::new(200, TEXT, "") }),
            Method::Other => return Err(Response { field: ALLOW, ..Response::error(405) }),
        }
        let message = parameter(&request.query, "msg").transpose();
        let message = message.map_err(|_| Response::new(400, TEXT, "msg is malformed\n"))?;
        Ok(Report { target, outcome, message: message.filter(|text| !text.trim().is_empty()) })
    }

    /// `line` is the first line of the body.
    pub(crate) fn into_result(self, line: &str) -> ProbeResult {
        let message = self.message.unwrap_or_else(|| line.to_owned());
        let detail = |default: String| if message.is_empty() { default } else { message.clone() };
        let down = |detail: &str| ProbeResult::down(Reason::HeartbeatFail, detail);
        match self.outcome {
            Outcome::Exited(0) => {
                let mut result =
                    ProbeResult::up(Default::default(), &detail("heartbeat received".to_owned()));
                result.latency = None;
                result
            }
            Outcome::Failed => down(&detail("the job reports a failure".to_owned())),
            Outcome::Exited(status) if message.is_empty() => down(&format!("exit status {status}")),
            Outcome::Exited(status) => down(&format!("exit status {status}: {message}")),
        }
    }
}

impl Outcome {
    fn parse(text: &str) -> Option<Outcome> {
        match text {
            "fail" => Some(Outcome::Failed),
            _ if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok().map(Outcome::Exited),
            _ => None,
        }
    }
}

pub(crate) fn accepted() -> Response {
    Response::new(200, TEXT, "ok\n")
}
