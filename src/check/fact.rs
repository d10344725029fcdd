//! The words of details about a value.

use crate::text::printable;

/// The most characters of a value in a detail.
const VALUE_MAX: usize = 64;

/// How a value relates to the one in a spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Exists,
    Equals,
    Contains,
}

pub(super) struct Fact<'a> {
    pub(super) subject: &'a str,
    /// `None` if it is missing.
    pub(super) value: Option<&'a str>,
    pub(super) relation: Relation,
    pub(super) expected: &'a str,
}

impl Fact<'_> {
    /// Why the condition, or its negation, does not hold.
    pub(super) fn detail(&self, is_negated: bool) -> String {
        let Some(value) = self.value else { return format!("{} is missing", self.subject) };
        let fact = format!("{} is {}", self.subject, shown(value));
        let expected = shown(self.expected);
        match (self.relation, is_negated) {
            (Relation::Exists, _) => format!("{fact}, not missing"),
            (Relation::Equals, false) => format!("{fact}, not {expected}"),
            (Relation::Equals, true) => fact,
            (Relation::Contains, false) => format!("{fact}, without {expected}"),
            (Relation::Contains, true) => format!("{fact}, with {expected}"),
        }
    }
}

/// The start of a value on one line.
fn shown(value: &str) -> String {
    printable(value, VALUE_MAX)
}
