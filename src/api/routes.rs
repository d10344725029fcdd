//! Which request is answered how.
//!
//! `/state` and `/healthz` cost the same for one target and for ten thousand, since the fleet keeps
//! count of its states; `/targets/NAME` looks its name up; only `/status` goes through all targets.

use crate::api::blackbox;
use crate::api::events::Subscription;
use crate::api::host::HostGuard;
use crate::api::listing::{Listing, view};
use crate::api::response::{JSON, Response, TEXT};
use crate::api::wait::Wait;
use crate::clock::Now;
use crate::fsm::State;
use crate::monitor::{Fleet, Watch};
use crate::snapshot::pretty;
use crate::wire::http::query::decoded;
use crate::wire::http::request::{Method, Request};

/// The methods of every path there is.
const ALLOW: &str = "Allow: GET, HEAD\r\n";

/// What is asked for, of one target or of all together.
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

/// How much there is to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseSize {
    /// A line.
    Word,
    /// What is known of one target.
    Snapshot,
    /// What is known of all, megabytes perhaps.
    Listing,
}

impl ResponseSize {
    pub(crate) const ALL: [ResponseSize; 3] =
        [ResponseSize::Word, ResponseSize::Snapshot, ResponseSize::Listing];

    /// That of the answer to a request, at the most.
    pub(crate) fn of(request: &Request, fleet: &Fleet) -> ResponseSize {
        match find(&request.path, fleet) {
            Some((None, Page::Status | Page::Metrics)) if fleet.watches().len() != 1 => ResponseSize::Listing,
            Some((_, Page::Status | Page::Metrics | Page::Probe)) => ResponseSize::Snapshot,
            Some((_, Page::State | Page::Health | Page::Events | Page::Wait)) | None => ResponseSize::Word,
        }
    }
}

/// How a request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// At once, with this.
    Now(Response),
    /// With the figures of the daemon, once they are there.
    Metrics,
    /// With a word when its state is reached, or the time is up.
    Wait(Wait),
    /// With events as they come.
    Events(Subscription),
}

/// The answer to a request. For HEAD it is that to GET: leaving the body out is up to
/// [`Response::write`].
pub(crate) fn answer(request: &Request, fleet: &Fleet, guard: &HostGuard, now: Now) -> Answer {
    match admitted(request, fleet, guard, now) {
        Ok(answer) => answer,
        Err(refusal) => Answer::Now(refusal),
    }
}

fn admitted(request: &Request, fleet: &Fleet, guard: &HostGuard, now: Now) -> Result<Answer, Response> {
    if !guard.admits(request) {
        return Err(Response::new(421, TEXT, "not a name of this API (see --api-allow-host)\n"));
    }
    // The whole server (RFC 9110 section 9.3.7).
    let is_server = request.method == Method::Options && request.path == "*";
    let Some((target, page)) = find(if is_server { "/" } else { &request.path }, fleet) else {
        return Err(Response::error(404));
    };
    match request.method {
        Method::Get | Method::Head => {}
        // What HAProxy's `option httpchk` sends by default: a 405 would count as down.
        Method::Options => return Err(Response { field: ALLOW, ..Response::new(200, TEXT, "") }),
        Method::Other => return Err(Response { field: ALLOW, ..Response::error(405) }),
    }
    let state = target.map_or_else(|| fleet.worst(), |watch| watch.fsm().state());
    Ok(Answer::Now(match page {
        Page::Status => Response::new(200, JSON, status(target, fleet, now)),
        Page::State => word(200, state.as_str()),
        Page::Health if state == State::Up => word(200, "ok"),
        Page::Health => word(503, state.as_str()),
        Page::Metrics => return Ok(Answer::Metrics),
        Page::Probe => blackbox::probe(&request.query, fleet)?,
        Page::Events => return Subscription::asked(request, fleet).map(Answer::Events),
        Page::Wait => return Wait::asked(&request.query, fleet).map(Answer::Wait),
    }))
}

fn word(status: u16, word: &str) -> Response {
    Response::new(status, TEXT, [word, "\n"].concat())
}

/// The snapshot of the target, of the only one there is, or of all.
fn status(target: Option<&Watch>, fleet: &Fleet, now: Now) -> Vec<u8> {
    match (target, fleet.watches()) {
        (Some(watch), _) | (None, [watch]) => pretty(&view(watch, now)),
        (None, _) => pretty(&Listing { fleet, now }),
    }
}

/// What `path` asks for, and of which target if not of all; `None` if there is no such thing.
///
/// Empty segments and `.` are skipped and segments are decoded, as nginx does before it selects a
/// location: a `proxy_pass` with one slash too many asks for `//state`. A final `/` means a directory, of
/// which there is only one. A `/` that is part of a name is written `%2F`.
fn find<'a>(path: &str, fleet: &'a Fleet) -> Option<(Option<&'a Watch>, Page)> {
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
        _ => return find_target(plain.strip_prefix("/targets/")?, fleet),
    };
    Some((None, page))
}

/// The same for what follows `/targets/`.
fn find_target<'a>(rest: &str, fleet: &'a Fleet) -> Option<(Option<&'a Watch>, Page)> {
    let (name, page) = match rest.split_once('/') {
        None => (rest, Page::Status),
        Some((name, page)) => match &*decoded(page)? {
            "state" => (name, Page::State),
            "healthz" => (name, Page::Health),
            _ => return None,
        },
    };
    let watch = fleet.find(&decoded(name)?)?;
    Some((Some(watch), page))
}

#[cfg(test)]
mod tests;
