//! Routes: maps requests to responses.
//!
//! `/state` and `/healthz` cost the same for one target and for ten thousand, because the targets' states are
//! counted. Those of a group iterate over all targets, like `/status` and `/metrics`.

use std::sync::Arc;

use crate::api::access::Access;
use crate::api::badge::Badge;
use crate::api::blackbox;
use crate::api::control::{Action, Control, ControlScope};
use crate::api::events::Subscription;
use crate::api::exposition::CONTENT_TYPE;
use crate::api::gatus;
use crate::api::heartbeat::{self, Report};
use crate::api::host::is_loopback_host;
use crate::api::listing::{Contents, Listing, view};
use crate::api::page;
use crate::api::params::switch;
use crate::api::response::{JSON, Response, TEXT};
use crate::api::wait::Wait;
use crate::clock::Now;
use crate::fsm::State;
use crate::monitor::{Target, Targets};
use crate::snapshot::history::Slots;
use crate::snapshot::pretty;
use crate::snapshot::transition::line as json_line;
use crate::wire::http::query::decoded;
use crate::wire::http::request::{Method, Request};

const ROUTES: &[Route] = &[
    Route { path: "/", methods: &READ, handler: root },
    Route { path: "/page", methods: &READ, handler: page },
    Route { path: "/status", methods: &READ, handler: status },
    Route { path: "/state", methods: &READ, handler: state },
    Route { path: "/healthz", methods: &READ, handler: health },
    Route { path: "/livez", methods: &READ, handler: liveness },
    Route { path: "/metrics", methods: &READ, handler: metrics },
    Route { path: "/probe", methods: &READ, handler: probe },
    Route { path: "/events", methods: &READ, handler: events },
    Route { path: "/wait", methods: &READ, handler: wait },
    Route { path: "/pause", methods: &CONTROL, handler: pause },
    Route { path: "/resume", methods: &CONTROL, handler: resume },
    Route { path: "/check", methods: &CONTROL, handler: check },
    Route { path: "/badge.svg", methods: &READ, handler: badge_image },
    Route { path: "/badge.json", methods: &READ, handler: badge_json },
    Route { path: "/api/v1/endpoints/statuses", methods: &READ, handler: gatus_statuses },
    Route { path: "/api/v1/endpoints/{key}/statuses", methods: &READ, handler: gatus_status },
    Route { path: "/targets/{name}", methods: &READ, handler: status },
    Route { path: "/targets/{name}/state", methods: &READ, handler: state },
    Route { path: "/targets/{name}/healthz", methods: &READ, handler: health },
    Route { path: "/targets/{name}/history", methods: &READ, handler: history },
    Route { path: "/targets/{name}/badge.svg", methods: &READ, handler: badge_image },
    Route { path: "/targets/{name}/badge.json", methods: &READ, handler: badge_json },
    Route { path: "/targets/{name}/pause", methods: &CONTROL, handler: pause },
    Route { path: "/targets/{name}/resume", methods: &CONTROL, handler: resume },
    Route { path: "/targets/{name}/check", methods: &CONTROL, handler: check },
    Route { path: "/groups/{group}", methods: &READ, handler: status },
    Route { path: "/groups/{group}/state", methods: &READ, handler: state },
    Route { path: "/groups/{group}/healthz", methods: &READ, handler: health },
    Route { path: "/groups/{group}/badge.svg", methods: &READ, handler: badge_image },
    Route { path: "/groups/{group}/badge.json", methods: &READ, handler: badge_json },
    Route { path: "/groups/{group}/pause", methods: &CONTROL, handler: pause },
    Route { path: "/groups/{group}/resume", methods: &CONTROL, handler: resume },
    Route { path: "/groups/{group}/check", methods: &CONTROL, handler: check },
];

struct Route {
    /// `{name}` is the name of a target, `{group}` that of a group, `{key}` a target's key for Gatus.
    path: &'static str,
    methods: &'static Methods,
    handler: fn(&Call<'_>) -> Result<Reply, Response>,
}

struct Methods {
    allowed: &'static [Method],
    field: &'static str,
}

const READ: Methods = Methods { allowed: &[Method::Get, Method::Head], field: "Allow: GET, HEAD\r\n" };
const CONTROL: Methods = Methods { allowed: &[Method::Post], field: "Allow: POST\r\n" };

struct Call<'a> {
    request: &'a Request,
    targets: &'a Targets,
    scope: Scope<'a>,
    access: &'a Access,
    now: Now,
}

/// What a path is about.
#[derive(Clone, Copy)]
enum Scope<'a> {
    All,
    Group(&'a Arc<str>),
    Target(&'a Target),
}

/// The pages about many targets, which may have megabytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListingPage {
    Status(Contents),
    /// As Gatus lists its endpoints.
    Endpoints,
    Metrics,
    /// For browsers.
    Page,
}

impl ListingPage {
    pub(crate) fn content_type(&self) -> &'static str {
        match self {
            ListingPage::Status(_) | ListingPage::Endpoints => JSON,
            ListingPage::Metrics => CONTENT_TYPE,
            ListingPage::Page => page::CONTENT_TYPE,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Now(Response),
    /// This page, which clients share, and an additional header line or nothing.
    Listing(ListingPage, &'static str),
    /// A line when the state is reached or the timeout expires.
    Wait(Wait),
    Events(Subscription),
    /// The response of [`liveness_response`] follows after the deadlines of the turn.
    Liveness,
    /// The response follows when this has been done.
    Control(Control),
    /// The body, if any, may hold a message.
    Heartbeat(Report),
}

/// Handles a request. HEAD is handled like GET: [`Response::write`] leaves out the body.
pub(crate) fn reply(request: &Request, targets: &Targets, access: &Access, now: Now) -> Reply {
    try_reply(request, targets, access, now).unwrap_or_else(Reply::Now)
}

fn try_reply(request: &Request, targets: &Targets, access: &Access, now: Now) -> Result<Reply, Response> {
    if !access.admits(request) {
        return Err(Response::new(421, TEXT, "not a name of this API (see --api-allow-host)\n"));
    }
    // `OPTIONS *` applies to the server as a whole (RFC 9110 section 9.3.7).
    let is_server = request.method == Method::Options && request.path == "*";
    let path = if is_server { "/" } else { &request.path };
    let segments = segments(path);
    let first = segments.as_ref().and_then(|segments| segments.first());
    let is_heartbeat = first.is_some_and(|first| first == heartbeat::SEGMENT);
    // Health checks of containers have no token, and the response says nothing about targets.
    let is_liveness = segments.as_ref().is_some_and(|segments| segments == &["livez"]);
    if !is_heartbeat && !is_liveness {
        access.check_read(request)?;
    }
    let segments = segments.ok_or_else(|| Response::error(404))?;
    if is_heartbeat {
        return Report::parse(request, &segments, targets).map(Reply::Heartbeat);
    }
    let (route, scope) = find(&segments, targets).ok_or_else(|| Response::error(404))?;
    let Methods { allowed, field } = *route.methods;
    if request.method == Method::Post && allowed.contains(&Method::Post) {
        access.check_control(request)?;
    }
    match request.method {
        // HAProxy's `option httpchk` sends OPTIONS by default and would treat 405 as down.
        Method::Options => Err(Response { field, ..Response::new(200, TEXT, "") }),
        method if !allowed.contains(&method) => Err(Response { field, ..Response::error(405) }),
        _ => (route.handler)(&Call { request, targets, scope, access, now }),
    }
}

/// The decoded segments of a path; `None` if they are malformed or it denotes a directory other than the root.
///
/// Empty segments and `.` are skipped and segments are decoded, as nginx does before it selects a
/// location: a `proxy_pass` with one slash too many requests `//state`. A final `/` denotes a directory, and
/// only the root is one. A `/` in a target's name must be written `%2F`.
fn segments(path: &str) -> Option<Vec<String>> {
    let is_skipped = |segment: &&str| matches!(*segment, "" | ".");
    let mut segments = Vec::new();
    let mut is_directory = false;
    for segment in path.strip_prefix('/')?.split('/') {
        is_directory = is_skipped(&segment);
        if !is_directory {
            segments.push(decoded(segment)?);
        }
    }
    (!is_directory || segments.is_empty()).then_some(segments)
}

/// The route of a path, and the target or group in it; `None` if one of them does not exist.
fn find<'a>(segments: &[String], targets: &'a Targets) -> Option<(&'static Route, Scope<'a>)> {
    let route = ROUTES.iter().find(|route| matches(route.path, segments))?;
    let mut parts = parts(route.path).zip(segments);
    let scope = match parts.find(|(part, _)| part.starts_with('{')) {
        Some(("{name}", name)) => Scope::Target(targets.find(name)?),
        Some(("{group}", name)) => Scope::Group(targets.find_group(name)?),
        Some((_, key)) => Scope::Target(gatus::find(key, targets)?),
        None => Scope::All,
    };
    Some((route, scope))
}

/// Whether the segments match a route's path.
fn matches(path: &'static str, segments: &[String]) -> bool {
    let mut parts = parts(path);
    let are_equal = segments
        .iter()
        .all(|segment| parts.next().is_some_and(|part| part.starts_with('{') || part == segment));
    are_equal && parts.next().is_none()
}

/// The status page for clients that prefer HTML, else the same as `/status`.
fn root(call: &Call<'_>) -> Result<Reply, Response> {
    match (status(call)?, call.access.page_fields()) {
        (Reply::Listing(status, _), Some(_)) => {
            let page = if call.request.prefers_html { ListingPage::Page } else { status };
            Ok(Reply::Listing(page, "Vary: Accept\r\n"))
        }
        (status, _) => Ok(status),
    }
}

fn page(call: &Call<'_>) -> Result<Reply, Response> {
    match call.access.page_fields() {
        Some(_) => Ok(Reply::Listing(ListingPage::Page, "")),
        None => Err(Response::error(404)),
    }
}

fn parts(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/').filter(|part| !part.is_empty())
}

fn status(call: &Call<'_>) -> Result<Reply, Response> {
    let is_brief = !switch(&call.request.query, "recent", true)?;
    let group = match call.scope {
        Scope::Target(target) => return Ok(Reply::Now(snapshot(target, is_brief, call.now))),
        Scope::Group(group) => Some(group.clone()),
        Scope::All => None,
    };
    Ok(Reply::Listing(ListingPage::Status(Contents { group, is_brief }), ""))
}

pub(crate) fn snapshot(target: &Target, is_brief: bool, now: Now) -> Response {
    Response::new(200, JSON, pretty(&view(target, is_brief, now)))
}

/// `None` for the metrics, which need the process statistics.
pub(crate) fn render(page: &ListingPage, targets: &Targets, now: Now) -> Option<Vec<u8>> {
    match page {
        ListingPage::Status(contents) => Some(render_status(targets, contents, now)),
        ListingPage::Endpoints => Some(json_line(&gatus::Statuses(targets)).into_bytes()),
        ListingPage::Page => Some(page::render(targets, now)),
        ListingPage::Metrics => None,
    }
}

fn render_status(targets: &Targets, contents: &Contents, now: Now) -> Vec<u8> {
    match targets.list() {
        [target] if contents.group.is_none() && !targets.is_list => {
            pretty(&view(target, contents.is_brief, now))
        }
        _ => pretty(&Listing { targets, contents, now }),
    }
}

fn state(call: &Call<'_>) -> Result<Reply, Response> {
    Ok(line(200, call.state().as_str()))
}

fn health(call: &Call<'_>) -> Result<Reply, Response> {
    Ok(match call.state() {
        State::Up => line(200, "ok"),
        other => line(503, other.as_str()),
    })
}

fn liveness(_: &Call<'_>) -> Result<Reply, Response> {
    Ok(Reply::Liveness)
}

/// Whether the daemon works, whatever the state of its targets.
pub(crate) fn liveness_response(is_on_time: bool) -> Response {
    match is_on_time {
        true => Response::new(200, TEXT, "ok\n"),
        false => Response::new(503, TEXT, "checks are late\n"),
    }
}

#[cold]
fn history(call: &Call<'_>) -> Result<Reply, Response> {
    let Scope::Target(target) = call.scope else { return Err(Response::error(404)) };
    let Some(history) = target.history() else {
        return Err(Response::new(404, TEXT, "no history is recorded (--history-days 0)\n"));
    };
    let slots = Slots { name: target.name(), history, now: call.now };
    Ok(Reply::Now(Response::new(200, JSON, pretty(&slots))))
}

fn gatus_statuses(_: &Call<'_>) -> Result<Reply, Response> {
    Ok(Reply::Listing(ListingPage::Endpoints, ""))
}

fn gatus_status(call: &Call<'_>) -> Result<Reply, Response> {
    let Scope::Target(target) = call.scope else { return Err(Response::error(404)) };
    Ok(Reply::Now(Response::new(200, JSON, json_line(&gatus::Status(target)))))
}

fn badge_image(call: &Call<'_>) -> Result<Reply, Response> {
    let is_local = call.request.host.as_deref().is_some_and(is_loopback_host);
    Ok(Reply::Now(call.badge()?.image(is_local)))
}

fn badge_json(call: &Call<'_>) -> Result<Reply, Response> {
    Ok(Reply::Now(call.badge()?.json()))
}

fn metrics(_: &Call<'_>) -> Result<Reply, Response> {
    Ok(Reply::Listing(ListingPage::Metrics, ""))
}

fn probe(call: &Call<'_>) -> Result<Reply, Response> {
    blackbox::probe(&call.request.query, call.targets).map(Reply::Now)
}

fn events(call: &Call<'_>) -> Result<Reply, Response> {
    Subscription::parse(call.request, call.targets).map(Reply::Events)
}

fn wait(call: &Call<'_>) -> Result<Reply, Response> {
    Wait::parse(&call.request.query, call.targets).map(Reply::Wait)
}

fn pause(call: &Call<'_>) -> Result<Reply, Response> {
    Ok(call.control(Action::pause(&call.request.query)?))
}

fn resume(call: &Call<'_>) -> Result<Reply, Response> {
    Ok(call.control(Action::Resume))
}

fn check(call: &Call<'_>) -> Result<Reply, Response> {
    Ok(call.control(Action::Check))
}

impl Call<'_> {
    fn control(&self, action: Action) -> Reply {
        let scope = match self.scope {
            Scope::All => ControlScope::All,
            Scope::Group(group) => ControlScope::Group(group.clone()),
            Scope::Target(target) => ControlScope::Target(target.id()),
        };
        Reply::Control(Control { action, scope })
    }

    fn badge(&self) -> Result<Badge, Response> {
        let query = &self.request.query;
        match self.scope {
            Scope::Target(target) => {
                let mut members = std::iter::once(target);
                Badge::new(query, Some(target.name()), self.state(), &mut members, self.now)
            }
            Scope::Group(group) => {
                let mut members = self.targets.in_group(Some(group));
                Badge::new(query, Some(group), self.state(), &mut members, self.now)
            }
            Scope::All => Badge::new(query, None, self.state(), &mut self.targets.list().iter(), self.now),
        }
    }

    /// The state of the target in the path, or the worst state of the group or of all targets.
    fn state(&self) -> State {
        match self.scope {
            Scope::All => self.targets.worst(),
            Scope::Group(group) => self.targets.counts_of_group(group).worst(),
            Scope::Target(target) => target.fsm().state(),
        }
    }
}

fn line(status: u16, text: &str) -> Reply {
    Reply::Now(Response::new(status, TEXT, [text, "\n"].concat()))
}

#[cfg(test)]
mod tests;
