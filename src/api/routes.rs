//! Routes: maps requests to responses.
//!
//! `/state` and `/healthz` cost the same for one target and for ten thousand, because [`Targets`] counts the
//! states; only the others iterate over the targets.

use crate::api::blackbox;
use crate::api::events::Subscription;
use crate::api::exposition::CONTENT_TYPE;
use crate::api::host::HostGuard;
use crate::api::listing::{Listing, view};
use crate::api::response::{JSON, Response, TEXT};
use crate::api::wait::Wait;
use crate::clock::Now;
use crate::fsm::State;
use crate::monitor::{Target, Targets};
use crate::snapshot::pretty;
use crate::wire::http::query::decoded;
use crate::wire::http::request::{Method, Request};

/// All paths allow the same methods.
const ALLOW: &str = "Allow: GET, HEAD\r\n";

/// The endpoints; some exist for one target and for all together.
#[derive(Clone, Copy)]
enum Page {
    Status,
    State,
    Health,
    Metrics,
    Probe,
    Events,
    Wait,
}

/// The pages about all targets, which may have megabytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListingPage {
    Status,
    Metrics,
}

impl ListingPage {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            ListingPage::Status => JSON,
            ListingPage::Metrics => CONTENT_TYPE,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This response, immediately.
    Now(Response),
    /// This page, which clients share.
    Listing(ListingPage),
    /// A line when the state is reached or the timeout expires.
    Wait(Wait),
    /// An event stream.
    Events(Subscription),
}

/// Answers a request. HEAD is answered like GET: [`Response::write`] leaves out the body.
pub(crate) fn answer(request: &Request, targets: &Targets, guard: &HostGuard, now: Now) -> Answer {
    match try_answer(request, targets, guard, now) {
        Ok(answer) => answer,
        Err(refusal) => Answer::Now(refusal),
    }
}

fn try_answer(request: &Request, targets: &Targets, guard: &HostGuard, now: Now) -> Result<Answer, Response> {
    if !guard.admits(request) {
        return Err(Response::new(421, TEXT, "not a name of this API (see --api-allow-host)\n"));
    }
    // `OPTIONS *` applies to the server as a whole (RFC 9110 section 9.3.7).
    let is_server = request.method == Method::Options && request.path == "*";
    let Some((target, page)) = find(if is_server { "/" } else { &request.path }, targets) else {
        return Err(Response::error(404));
    };
    match request.method {
        Method::Get | Method::Head => {}
        // HAProxy's `option httpchk` sends OPTIONS by default and would treat 405 as down.
        Method::Options => return Err(Response { field: ALLOW, ..Response::new(200, TEXT, "") }),
        Method::Other => return Err(Response { field: ALLOW, ..Response::error(405) }),
    }
    let state = target.map_or_else(|| targets.worst(), |target| target.fsm().state());
    Ok(Answer::Now(match page {
        Page::Status => match target {
            Some(target) => Response::new(200, JSON, pretty(&view(target, now))),
            None => return Ok(Answer::Listing(ListingPage::Status)),
        },
        Page::State => line(200, state.as_str()),
        Page::Health if state == State::Up => line(200, "ok"),
        Page::Health => line(503, state.as_str()),
        Page::Metrics => return Ok(Answer::Listing(ListingPage::Metrics)),
        Page::Probe => blackbox::probe(&request.query, targets)?,
        Page::Events => return Subscription::asked(request, targets).map(Answer::Events),
        Page::Wait => return Wait::asked(&request.query, targets).map(Answer::Wait),
    }))
}

fn line(status: u16, text: &str) -> Response {
    Response::new(status, TEXT, [text, "\n"].concat())
}

/// The body of [`ListingPage::Status`]: all targets, or the snapshot of the only one.
pub(crate) fn status(targets: &Targets, now: Now) -> Vec<u8> {
    match targets.list() {
        [target] => pretty(&view(target, now)),
        _ => pretty(&Listing { targets, now }),
    }
}

/// The target (`None`: all) and the page that `path` selects; `None` if it does not exist.
///
/// Empty segments and `.` are skipped and segments are decoded, as nginx does before it selects a
/// location: a `proxy_pass` with one slash too many requests `//state`. A final `/` denotes a directory, and
/// only the root is one. A `/` in a target's name must be written `%2F`.
fn find<'a>(path: &str, targets: &'a Targets) -> Option<(Option<&'a Target>, Page)> {
    let mut plain = String::new();
    let mut is_directory = false;
    for segment in path.strip_prefix('/')?.split('/') {
        is_directory = matches!(segment, "" | ".");
        if !is_directory {
            plain.push('/');
            plain.push_str(segment);
        }
    }
    if is_directory && !plain.is_empty() {
        return None;
    }
    let page = match &*decoded(&plain)? {
        "" | "/status" => Page::Status,
        "/state" => Page::State,
        "/healthz" => Page::Health,
        "/metrics" => Page::Metrics,
        "/probe" => Page::Probe,
        "/events" => Page::Events,
        "/wait" => Page::Wait,
        _ => return find_target(plain.strip_prefix("/targets/")?, targets),
    };
    Some((None, page))
}

/// [`find`] for the part after `/targets/`.
fn find_target<'a>(rest: &str, targets: &'a Targets) -> Option<(Option<&'a Target>, Page)> {
    let (name, page) = match rest.split_once('/') {
        None => (rest, Page::Status),
        Some((name, page)) => match &*decoded(page)? {
            "state" => (name, Page::State),
            "healthz" => (name, Page::Health),
            _ => return None,
        },
    };
    let target = targets.find(&decoded(name)?)?;
    Some((Some(target), page))
}

#[cfg(test)]
mod tests;
