//! The key of a target as an endpoint of Gatus, by the rules of Gatus 5: paths and sensors contain it.

use crate::probe::build::Error;

pub(crate) fn gatus_key(group: Option<&str>, name: &str) -> String {
    [&*sanitized(group.unwrap_or_default()), "_", &*sanitized(name)].concat()
}

/// Only ASCII is converted to lower case: the tables for other letters are 14 kB of the binary.
fn sanitized(text: &str) -> String {
    let replaced = |c: char| match c {
        '/' | '_' | '.' | ',' | ' ' | '#' | '+' | '&' => '-',
        c => c.to_ascii_lowercase(),
    };
    text.trim().chars().map(replaced).collect()
}

/// Two groups and names must not have the same key. The names alone differ.
pub(crate) fn validate_keys<'a>(
    targets: impl Iterator<Item = (Option<&'a str>, &'a str)>,
) -> Result<(), Error> {
    let targets: Vec<_> = targets.collect();
    match first_collision(&targets) {
        Some((_, message)) => Err(Error::Name(message)),
        None => Ok(()),
    }
}

/// The position of the first target whose key is that of an earlier one, and what is wrong.
pub(crate) fn first_collision(targets: &[(Option<&str>, &str)]) -> Option<(usize, String)> {
    let keys: Vec<_> = targets.iter().map(|(group, name)| gatus_key(*group, name)).collect();
    let mut sorted: Vec<&str> = keys.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.windows(2).find(|pair| pair[0] == pair[1])?;
    for (place, (key, (_, name))) in keys.iter().zip(targets).enumerate() {
        let (_, first) = targets[keys.iter().position(|other| other == key)?];
        // Equal names are reported as such.
        if first != *name {
            let pieces = [
                "the names \"",
                first,
                "\" and \"",
                name,
                "\" have the same key \"",
                key,
                "\" in the API of Gatus",
            ];
            return Some((place, pieces.concat()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_gatus() {
        for (group, name, key) in [
            (Some("Core"), "Front End", "core_front-end"),
            (Some("Load balancers"), "us-west-2", "load-balancers_us-west-2"),
            (Some("a/b test"), "a", "a-b-test_a"),
            (None, "name", "_name"),
            (Some("API (v1)"), "endpoint", "api-(v1)_endpoint"),
            (Some("search"), "query&filter", "search_query-filter"),
            (Some(" x_y "), "A.b,c#d+e/ ", "x-y_a-b-c-d-e-"),
            (None, "ÄÖ B", "_ÄÖ-b"),
        ] {
            assert_eq!(gatus_key(group, name), key);
        }
    }

    #[test]
    fn targets_with_the_same_key_are_found() {
        let find = |targets: &[(Option<&str>, &str)]| first_collision(targets);
        assert_eq!(find(&[]), None);
        assert_eq!(find(&[(None, "a.b"), (Some("g"), "a-b"), (None, "ab")]), None);
        assert_eq!(find(&[(None, "a"), (None, "a")]), None);
        let message =
            "the names \"a.b\" and \"A-b\" have the same key \"_a-b\" in the API of Gatus".to_owned();
        assert_eq!(
            find(&[(None, "x"), (None, "a.b"), (Some("g"), "x"), (None, "A-b")]),
            Some((3, message.clone()))
        );
        let repeated = find(&[(None, "a"), (None, "a"), (None, "b"), (None, "b"), (None, "A"), (None, "B")]);
        assert_eq!(repeated.map(|(place, _)| place), Some(4));
        let names = [(None, "a.b"), (None, "A-b")];
        assert_eq!(validate_keys(names.into_iter()), Err(Error::Name(message)));
    }
}
