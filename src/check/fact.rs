//! The words of details about a value.

use crate::text::printable;

/// The most characters of a value in a detail.
const VALUE_MAX: usize = 64;

/// The characters of a value, with its white space, that are examined for that.
const EXAMINED_MAX: usize = 1024;

/// How a value relates to the one in a spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Exists,
    Equals,
    Differs,
    Contains,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Relation {
    pub(super) fn is_order(self) -> bool {
        matches!(self, Relation::Less | Relation::AtMost | Relation::Greater | Relation::AtLeast)
    }
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
            (Relation::Equals, false) | (Relation::Differs, true) => format!("{fact}, not {expected}"),
            (Relation::Equals, true) | (Relation::Differs, false) => fact,
            (Relation::Contains, false) => format!("{fact}, without {expected}"),
            (Relation::Contains, true) => format!("{fact}, with {expected}"),
            (order, false) => format!("{fact}, not {} {expected}", operator(order)),
            (order, true) => format!("{fact}, which is {} {expected}", operator(order)),
        }
    }
}

fn operator(order: Relation) -> &'static str {
    match order {
        Relation::Less => "<",
        Relation::AtMost => "<=",
        Relation::Greater => ">",
        _ => ">=",
    }
}

/// The start of a value on one line.
pub(super) fn shown(value: &str) -> String {
    let start: String = value.chars().take(EXAMINED_MAX).collect();
    let line: Vec<&str> = start.split_ascii_whitespace().collect();
    printable(&line.join(" "), VALUE_MAX)
}
