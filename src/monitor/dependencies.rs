//! Dependencies between targets, by their names.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Monitor;
use crate::probe::build::Error;
use crate::text::shown;

/// The most names of a cycle in its error message.
const SHOWN_MAX: usize = 8;

impl Monitor {
    /// Makes this target depend on the target of this name, its parent; repeated calls add parents. While all its parents
    /// are down, a failure of this target is not its own: its state is unknown, nothing is notified, and
    /// [`Snapshot::held_by`](crate::Snapshot::held_by) is the name of the first parent.
    ///
    /// If this target fails first, its parents are checked at once, and the failure counts unless all of them fail.
    /// A parent that is paused or that is a heartbeat target is never considered down here. Single checks
    /// ([`check_all`](crate::check_all)) ignore dependencies. A name that no target has, and targets that depend on each
    /// other, are an [`Error`] when they start.
    ///
    /// ```
    /// use pingstate::{Monitor, Policy, State, blocking, serve};
    ///
    /// let at_once = Policy::Thresholds { fall: 1, rise: 1 };
    /// let router = Monitor::new(blocking("router", || (false, "no reply"))).policy(at_once);
    /// let nas = Monitor::new(blocking("nas", || (false, "timed out"))).depends_on("router");
    /// let mut server = serve([router, nas], ([127, 0, 0, 1], 0))?;
    /// let nas = server.targets().last().expect("two targets");
    /// let snapshot = loop {
    ///     server.turn(None)?;
    ///     let snapshot = server.snapshot(nas).expect("it is present");
    ///     if snapshot.last_event.is_some() {
    ///         break snapshot;
    ///     }
    /// };
    /// assert_eq!((snapshot.state, snapshot.held_by.as_deref()), (State::Unknown, Some("router")));
    /// assert_eq!(snapshot.last_detail.as_deref(), Some("timed out"));
    ///
    /// let alone = Monitor::new(blocking("nas", || true)).depends_on("router");
    /// assert_eq!(
    ///     serve(alone, ([127, 0, 0, 1], 0)).map(drop).unwrap_err().to_string(),
    ///     "depends: \"nas\" depends on \"router\", which is not the name of a target"
    /// );
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn depends_on(mut self, name: impl Into<Arc<str>>) -> Self {
        self.depends.push(name.into());
        self
    }

    /// The name, and those of the parents.
    pub(crate) fn dependencies(&self) -> (&str, &[Arc<str>]) {
        (self.name(), &self.depends)
    }
}

pub(crate) fn validate_dependencies<'a>(
    targets: impl Iterator<Item = (&'a str, &'a [Arc<str>])>,
) -> Result<(), Error> {
    let targets: Vec<_> = targets.collect();
    match first_wrong_dependency(&targets) {
        Some((_, message)) => Err(Error::Depends(message)),
        None => Ok(()),
    }
}

/// The position of a target that depends on an unknown one or on itself, and what is wrong.
pub(crate) fn first_wrong_dependency(targets: &[(&str, &[Arc<str>])]) -> Option<(usize, String)> {
    if targets.iter().all(|(_, parents)| parents.is_empty()) {
        return None;
    }
    let positions = positions(targets);
    // Whether all targets that it depends on have been visited; `None` before it is visited.
    let mut visited: Vec<Option<bool>> = vec![None; targets.len()];
    for start in 0..targets.len() {
        // The targets that are being visited, each a parent of the one before, and how many of their parents were.
        let mut path = vec![(start, 0)];
        while let Some((target, next)) = path.last_mut() {
            let target = *target;
            if visited[target] == Some(true) {
                path.pop();
                continue;
            }
            visited[target] = Some(false);
            let (name, parents) = targets[target];
            let Some(parent) = parents.get(*next) else {
                visited[target] = Some(true);
                continue;
            };
            *next += 1;
            let Some(parent_at) = positions.get(&**parent) else {
                let what =
                    ["\"", name, "\" depends on \"", &shown(parent), "\", which is not the name of a target"];
                return Some((target, what.concat()));
            };
            if visited[*parent_at] == Some(false) {
                let begin = path.iter().position(|(target, _)| target == parent_at).unwrap_or(0);
                let cycle: Vec<_> = path[begin..].iter().map(|(target, _)| targets[*target].0).collect();
                return Some((target, describe(&cycle)));
            }
            path.push((*parent_at, 0));
        }
    }
    None
}

/// The positions of targets by their names.
pub(crate) fn positions(targets: &[(&str, &[Arc<str>])]) -> BTreeMap<String, usize> {
    // The parser of configuration files has such a map, too. One of another type adds 7 kB of code, as does `collect`.
    let mut positions = BTreeMap::new();
    for ((name, _), position) in targets.iter().zip(0..) {
        positions.insert((*name).to_owned(), position);
    }
    positions
}

/// Names some of the targets of a cycle.
fn describe(cycle: &[&str]) -> String {
    let first = cycle.first().unwrap_or(&"");
    let mut text = ["\"", first, "\" depends on itself"].concat();
    for (name, before) in cycle[1..]
        .iter()
        .take(SHOWN_MAX)
        .zip([", through \""].into_iter().chain([", \""].into_iter().cycle()))
    {
        text.extend([before, name, "\""]);
    }
    text
}
