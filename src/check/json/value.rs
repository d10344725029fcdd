//! The value in a check spec, and its comparison with a part of a JSON text.

use super::number;
use super::scan::{Scanner, text_of};
use crate::text::quote;

/// The depth of arrays and objects in a spec.
const DEPTH_MAX: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// `null`, `true` or `false`.
    Literal(String),
    Number(String),
    Text(String),
    Array(Vec<Value>),
    /// With unique names.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// The value of a spec, which is JSON or else a text, and its JSON text or the content of the text.
    pub(super) fn of_spec(text: &str) -> Result<(Value, String), String> {
        let mut scanner = Scanner::new(text);
        let Some(json) = scanner.value().ok().filter(|_| scanner.end().is_ok()) else {
            return Ok((Value::Text(text.to_owned()), text.to_owned()));
        };
        let Some(value) = Value::parse(json, 0) else {
            return Err(format!("{} is nested too deeply, or has an invalid escape", quote(text)));
        };
        let text = match &value {
            Value::Text(text) => text.clone(),
            _ => json.to_owned(),
        };
        Ok((value, text))
    }

    /// Parses valid JSON.
    fn parse(json: &str, depth: usize) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        match json.as_bytes().first()? {
            b'"' => text_of(json).map(Value::Text),
            b'[' => {
                let mut items = Some(Vec::new());
                each_member(json, &mut |_, member| {
                    let item = Value::parse(member, depth + 1);
                    items = items.take().zip(item).map(|(mut items, item)| {
                        items.push(item);
                        items
                    });
                })?;
                items.map(Value::Array)
            }
            b'{' => {
                let mut members = Some(Vec::<(String, Value)>::new());
                each_member(json, &mut |name, member| {
                    let value = Value::parse(member, depth + 1);
                    members = members.take().zip(value).map(|(mut members, value)| {
                        members.retain(|(known, _)| known != name);
                        members.push((name.to_owned(), value));
                        members
                    });
                })?;
                members.map(Value::Object)
            }
            _ if is_number(json) => Some(Value::Number(json.to_owned())),
            _ => Some(Value::Literal(json.to_owned())),
        }
    }

    /// Whether valid JSON has this value. Of members with the same name, the last one counts.
    pub(crate) fn equals(&self, json: &str) -> bool {
        match self {
            Value::Literal(literal) => literal == json,
            Value::Number(text) => is_number(json) && number::compare(text, json).is_eq(),
            Value::Text(text) => text_of(json).is_some_and(|other| other == *text),
            Value::Array(items) => {
                let (mut items, mut equal) = (items.iter(), json.starts_with('['));
                let read = equal.then(|| {
                    each_member(json, &mut |_, member| {
                        equal &= items.next().is_some_and(|item| equal && item.equals(member));
                    })
                });
                read.flatten().is_some() && equal && items.next().is_none()
            }
            Value::Object(members) => {
                let mut equal = vec![false; members.len()];
                let mut unknown = !json.starts_with('{');
                let read = (!unknown).then(|| {
                    each_member(json, &mut |name, member| match members
                        .iter()
                        .position(|(known, _)| known == name)
                    {
                        Some(at) => equal[at] = members[at].1.equals(member),
                        None => unknown = true,
                    })
                });
                read.flatten().is_some() && !unknown && equal.into_iter().all(|equal| equal)
            }
        }
    }
}

pub(super) fn is_number(json: &str) -> bool {
    json.starts_with(|c: char| c == '-' || c.is_ascii_digit())
}

/// Whether a JSON string contains the text, or an array the value. The error is the kind of value that is needed.
pub(super) fn contains(json: &str, value: &Value, text: &str) -> Result<bool, &'static str> {
    match json.as_bytes().first() {
        Some(b'"') => Ok(text_of(json).is_some_and(|string| string.contains(text))),
        Some(b'[') => {
            let mut found = false;
            each_member(json, &mut |_, member| found = found || value.equals(member));
            Ok(found)
        }
        _ => Err("a string or an array"),
    }
}

/// Calls `visit` with the name, empty in an array, and the text of each member. `None` if a name has half of a
/// surrogate pair, which no other name equals.
fn each_member(json: &str, visit: &mut dyn FnMut(&str, &str)) -> Option<()> {
    let mut is_valid = true;
    let read = Scanner::new(json).members(&mut |scanner, name| {
        let name = if name.is_empty() { Some(String::new()) } else { text_of(name) };
        let value = scanner.value()?;
        match name {
            Some(name) => visit(&name, value),
            None => is_valid = false,
        }
        Ok(())
    });
    read.ok().filter(|()| is_valid)
}
