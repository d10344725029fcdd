//! Query parameters of API requests, and the responses to invalid ones.

use crate::api::response::{Response, TEXT};
use crate::monitor::{TargetId, Targets};
use crate::wire::http::query::parameter;

/// The decoded value of a parameter. `Err` is the error response.
pub(super) fn value(query: &str, name: &str) -> Result<Option<String>, Response> {
    parameter(query, name).transpose().map_err(|_| bad(&[name, " is not well encoded"]))
}

/// A parameter that is 0 or 1. `Err` is the error response.
pub(super) fn switch(query: &str, name: &str, default: bool) -> Result<bool, Response> {
    match value(query, name)?.as_deref() {
        None => Ok(default),
        Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(_) => Err(bad(&[name, " must be 0 or 1"])),
    }
}

/// The target named by the parameter `target`, if present. `Err` is the error response.
pub(super) fn target(query: &str, targets: &Targets) -> Result<Option<TargetId>, Response> {
    let Some(name) = value(query, "target")? else { return Ok(None) };
    targets.find(&name).map(|target| Some(target.id())).ok_or_else(no_target)
}

/// The response for an unknown target name.
pub(crate) fn no_target() -> Response {
    Response::new(404, TEXT, "no target of this name\n")
}

/// The response (400) to an invalid request, one line.
pub(super) fn bad(words: &[&str]) -> Response {
    Response::new(400, TEXT, words.concat() + "\n")
}
