//! Checks of JSON bodies: `/pointer`, `/pointer OPERATOR VALUE`.
//!
//! The body is not built in memory: it is parsed once along the pointer, and the value found is a part of its text.

mod number;
mod pointer;
mod scan;
#[cfg(test)]
mod tests;
mod value;

use super::fact::{Fact, Relation, shown};
use crate::text::{printable, quote};
pub(crate) use pointer::Pointer;
use scan::Malformed;
pub(crate) use value::Value;

const OPERATORS: [(&str, Relation); 7] = [
    ("=", Relation::Equals),
    ("!=", Relation::Differs),
    ("<", Relation::Less),
    ("<=", Relation::AtMost),
    (">", Relation::Greater),
    (">=", Relation::AtLeast),
    ("~", Relation::Contains),
];

/// Characters of a body that is not JSON in a detail.
const EXCERPT_MAX: usize = 40;

const BOM: &[u8] = b"\xef\xbb\xbf";

#[derive(Clone, Debug)]
pub(crate) struct JsonTest {
    pointer: Pointer,
    comparison: Option<Comparison>,
}

#[derive(Clone, Debug)]
struct Comparison {
    relation: Relation,
    value: Value,
    /// The value as a JSON text, or the content of a string.
    text: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The body is not JSON, with the detail.
    NotJson(String),
    /// The condition does not hold or cannot be evaluated, with the detail.
    Fails(String),
}

impl JsonTest {
    pub(crate) fn parse(spec: &str) -> Result<JsonTest, String> {
        let (pointer, rest) = spec.split_once(' ').unwrap_or((spec, ""));
        let pointer = Pointer::parse(pointer)?;
        let rest = rest.trim_matches(' ');
        if rest.is_empty() {
            return Ok(JsonTest { pointer, comparison: None });
        }
        let (operator, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let Some((_, relation)) = OPERATORS.iter().find(|(known, _)| *known == operator) else {
            let known = OPERATORS.map(|(known, _)| known).join(" ");
            return Err(format!("{} is not an operator ({known}) that a space follows", quote(operator)));
        };
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return Err(format!("a value is missing after {operator} (write \"\" for an empty text)"));
        }
        let (value, text) = Value::of_spec(text)?;
        if relation.is_order() && !matches!(value, Value::Number(_)) {
            return Err(format!("{operator} compares numbers, and {} is none", quote(&text)));
        }
        Ok(JsonTest { pointer, comparison: Some(Comparison { relation: *relation, value, text }) })
    }

    pub(crate) fn evaluate(&self, body: &[u8], is_negated: bool) -> Result<(), Failure> {
        let found = find(body, &self.pointer)?;
        let relation = self.comparison.as_ref().map_or(Relation::Exists, |comparison| comparison.relation);
        let holds = match (found, &self.comparison) {
            (None, _) if relation.is_order() => None,
            (None, _) => Some(false),
            (Some(_), None) => Some(true),
            (Some(found), Some(comparison)) => comparison.holds(found).map_err(|kind| {
                Failure::Fails(format!("{} is {}, not {kind}", self.pointer.shown(), shown(found)))
            })?,
        };
        if holds == Some(!is_negated) {
            return Ok(());
        }
        let expected = self.comparison.as_ref().map_or(String::new(), Comparison::shown);
        let subject = self.pointer.shown();
        let fact = Fact { subject: &subject, value: found, relation, expected: &expected };
        Err(Failure::Fails(fact.detail(is_negated)))
    }
}

/// The part of a body that the pointer refers to.
pub(crate) fn find<'a>(body: &'a [u8], pointer: &Pointer) -> Result<Option<&'a str>, Failure> {
    let body = body.strip_prefix(BOM).unwrap_or(body);
    let text = std::str::from_utf8(body)
        .map_err(|_| Failure::NotJson("body is not JSON: it is not UTF-8".to_owned()))?;
    match pointer.find(text) {
        Ok(found) => Ok(found),
        Err(_) if text.trim().is_empty() => {
            Err(Failure::NotJson("body is empty, where JSON is expected".to_owned()))
        }
        Err(Malformed(at)) => {
            let before = text.get(..at).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            let start = printable(text.trim_start(), EXCERPT_MAX);
            Err(Failure::NotJson(format!("body is not JSON (line {line}, column {column}): '{start}'")))
        }
    }
}

impl Comparison {
    /// The error is the kind of value that the operator needs.
    fn holds(&self, found: &str) -> Result<Option<bool>, &'static str> {
        let order = || match value::is_number(found) {
            true => Ok(number::compare(found, &self.text)),
            false => Err("a number"),
        };
        Ok(Some(match self.relation {
            Relation::Exists => true,
            Relation::Equals => self.value.equals(found),
            Relation::Differs => !self.value.equals(found),
            Relation::Contains => value::contains(found, &self.value, &self.text)?,
            Relation::Less => order()?.is_lt(),
            Relation::AtMost => order()?.is_le(),
            Relation::Greater => order()?.is_gt(),
            Relation::AtLeast => order()?.is_ge(),
        }))
    }

    fn shown(&self) -> String {
        match self.value {
            Value::Text(_) => serde_json::to_string(&self.text).unwrap_or_default(),
            _ => self.text.clone(),
        }
    }
}
