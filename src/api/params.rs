//! What the query of a request says, where a page reads one; and the answer where it makes no sense.

use crate::api::response::{Response, TEXT};
use crate::monitor::Fleet;
use crate::wire::http::query::parameter;

/// A parameter's value, decoded.
pub(super) fn value(query: &str, name: &str) -> Result<Option<String>, Response> {
    parameter(query, name).transpose().map_err(|_| bad(&[name, " is not well encoded"]))
}

/// The place of the target that `target` names, if it is there.
pub(super) fn target(query: &str, fleet: &Fleet) -> Result<Option<usize>, Response> {
    let Some(name) = value(query, "target")? else { return Ok(None) };
    let place = fleet.watches().iter().position(|watch| watch.name() == name);
    place.map(Some).ok_or_else(no_target)
}

/// The answer to a name that no target has.
pub(crate) fn no_target() -> Response {
    Response::new(404, TEXT, "no target of this name\n")
}

/// The answer to a request that cannot be understood, in one line.
pub(super) fn bad(words: &[&str]) -> Response {
    Response::new(400, TEXT, words.concat() + "\n")
}
