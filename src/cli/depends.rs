//! The parents of targets: `--depends`.

use std::sync::Arc;

use crate::monitor::dependencies::{first_wrong_dependency, positions};

/// The names of parents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Depends {
    pub(super) names: Vec<Arc<str>>,
    /// They are on the line of the target itself.
    pub(super) is_own: bool,
}

/// The parents of each of these targets. Those that are given for several targets do not apply to themselves and to the
/// targets on which they depend. The error is that of the target at this position.
pub(super) fn parents<'a>(
    targets: impl Iterator<Item = (&'a str, &'a Depends)>,
) -> Result<Vec<Vec<Arc<str>>>, (usize, String)> {
    let targets: Vec<_> = targets.collect();
    let mut parents: Vec<_> = targets.iter().map(|(name, depends)| (*name, &*depends.names)).collect();
    if targets.iter().any(|(_, depends)| !depends.is_own && !depends.names.is_empty()) {
        drop_own_parents(&targets, &mut parents);
    }
    match first_wrong_dependency(&parents) {
        Some((position, error)) => Err((position, ["--depends: ", &error].concat())),
        None => Ok(parents.into_iter().map(|(_, names)| names.to_vec()).collect()),
    }
}

fn drop_own_parents(targets: &[(&str, &Depends)], parents: &mut [(&str, &[Arc<str>])]) {
    let given = parents.to_vec();
    let positions = positions(&given);
    // The last names that were given for several targets, and whether each target is one of them or one of their parents.
    let mut last: (&[Arc<str>], Vec<bool>) = (&[], Vec::new());
    for (position, (_, depends)) in targets.iter().enumerate() {
        if depends.is_own || depends.names.is_empty() {
            continue;
        }
        if last.0 != depends.names {
            last = (&depends.names, vec![false; targets.len()]);
            let mut names: Vec<_> = depends.names.iter().collect();
            while let Some(name) = names.pop() {
                let Some(parent) = positions.get(&**name) else { continue };
                if !std::mem::replace(&mut last.1[*parent], true) {
                    names.extend(given[*parent].1);
                }
            }
        }
        if last.1[position] {
            parents[position].1 = &[];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(lines: &[(&str, &str)]) -> String {
        let depends = |text: &str| {
            let own = text.strip_prefix('!');
            let names = own.unwrap_or(text).split_whitespace().map(Arc::from).collect();
            Depends { names, is_own: own.is_some() }
        };
        let lines: Vec<_> = lines.iter().map(|(name, text)| (*name, depends(text))).collect();
        match parents(lines.iter().map(|(name, depends)| (*name, depends))) {
            Ok(parents) => parents.iter().map(|names| names.join("+")).collect::<Vec<_>>().join(" "),
            Err((position, error)) => format!("{position}: {error}"),
        }
    }

    #[test]
    fn parents_of_several_targets_do_not_apply_to_themselves_and_their_parents() {
        assert_eq!(resolved(&[("a", ""), ("b", "!a")]), " a");
        assert_eq!(resolved(&[("gw", "gw"), ("a", "gw"), ("b", "gw"), ("c", "!b")]), " gw gw b");
        assert_eq!(resolved(&[("isp", "gw"), ("gw", "!isp"), ("a", "gw")]), " isp gw");
        assert_eq!(resolved(&[("isp", "gw"), ("mid", "!isp"), ("gw", "!mid"), ("a", "gw")]), " isp mid gw");
        // Neither of two parents depends on the other.
        assert_eq!(resolved(&[("one", "one two"), ("two", "one two"), ("a", "one two")]), "  one+two");
        // A list replaces the one above.
        assert_eq!(resolved(&[("isp", "isp"), ("gw", "isp"), ("a", "gw"), ("b", "gw")]), " isp gw gw");
        // Each would be the parent of the other.
        assert_eq!(resolved(&[("a", "b"), ("b", "a"), ("c", "a")]), "  a");
    }

    #[test]
    fn unknown_names_and_cycles_are_errors() {
        let unknown = "1: --depends: \"b\" depends on \"x\", which is not the name of a target";
        assert_eq!(resolved(&[("a", "!b"), ("b", "!x")]), unknown);
        assert_eq!(resolved(&[("a", ""), ("b", "x")]), unknown);
        assert_eq!(resolved(&[("a", "!a")]), "0: --depends: \"a\" depends on itself");
        let cycle = resolved(&[("x", ""), ("a", "!x b"), ("b", "!c"), ("c", "!x a")]);
        assert_eq!(cycle, "3: --depends: \"a\" depends on itself, through \"b\", \"c\"");
        // The same target by two ways is not a cycle.
        assert_eq!(resolved(&[("a", "!b c"), ("b", "!d"), ("c", "!d"), ("d", "")]), "b+c d d ");
    }

    #[test]
    fn long_chains_and_large_groups_are_resolved() {
        let names: Vec<_> = (0..10_000).map(|number| number.to_string()).collect();
        let own = |name: &String| Depends { names: vec![(&**name).into()], is_own: true };
        let chain: Vec<_> = names[1..].iter().map(own).chain([Depends::default()]).collect();
        let resolved = parents(names.iter().map(|name| &**name).zip(&chain)).expect("valid");
        assert_eq!(resolved[0], [names[1].as_str().into()]);
        let shared = Depends { names: vec!["9".into()], is_own: false };
        let resolved = parents(names.iter().map(|name| (&**name, &shared))).expect("valid");
        assert_eq!(resolved.iter().filter(|parents| parents.is_empty()).count(), 1);
    }
}
