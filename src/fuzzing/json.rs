//! JSON checks; compared with the values of serde_json.

use std::cmp::Ordering;

use serde_json::Value;
use serde_json::value::RawValue;

use super::Source;
use crate::check::json::{Failure, JsonTest, Pointer, find};

/// A pointer, an operator and a value, each preceded by its length; the rest is a body.
pub fn json(data: &[u8]) {
    let mut source = Source::new(data);
    let mut text = || String::from_utf8_lossy(source.piece()).into_owned();
    let (pointer, operator, value) = (text(), text(), text());
    let body = source.rest();
    if let Ok(pointer) = Pointer::parse(&pointer) {
        agree(&pointer, body);
    }
    let test = match JsonTest::parse(&format!("{pointer} {operator} {value}")) {
        Ok(test) => test,
        Err(error) => {
            assert!(!error.contains(char::is_control) && error.chars().count() < 500, "{error:?}");
            return;
        }
    };
    let (holds, negated) = (test.evaluate(body, false), test.evaluate(body, true));
    assert!(holds.is_err() || negated.is_err());
    for outcome in [&holds, &negated] {
        if let Err(Failure::NotJson(detail) | Failure::Fails(detail)) = outcome {
            assert!(!detail.is_empty() && detail.len() < 2000, "{detail}");
        }
    }
    if let Err(Failure::NotJson(_)) = holds {
        assert_eq!(holds, negated);
    }
    if let (Ok(pointer), false) = (Pointer::parse(&pointer), pointer.contains(' ')) {
        compare(&pointer, body, &operator, &value, holds.is_ok());
    }
}

/// The value found is the one that serde_json finds.
fn agree(pointer: &Pointer, body: &[u8]) {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let found = find(body, pointer);
    match serde_json::from_slice::<Value>(text) {
        Ok(value) => {
            let found = found
                .expect("serde_json reads it")
                .map(|found| serde_json::from_str::<Value>(found).expect("JSON"));
            assert_eq!(found.as_ref(), value.pointer(&pointer.to_string()), "{pointer}");
        }
        // serde_json also refuses deep documents, half surrogate pairs and numbers beyond f64.
        Err(_) => {
            if let Ok(found) = found {
                let text = std::str::from_utf8(text).expect("UTF-8");
                serde_json::from_str::<&RawValue>(text).expect("JSON");
                assert!(found.is_none_or(|found| text.contains(found)));
            }
        }
    }
}

/// The comparison agrees with that of serde_json's values, as far as they are exact.
fn compare(pointer: &Pointer, body: &[u8], operator: &str, value: &str, holds: bool) {
    let Ok(Some(found)) = find(body, pointer) else { return };
    let (found, expected) = (serde_json::from_str::<Value>(found), serde_json::from_str::<Value>(value));
    let (Ok(found), Ok(expected)) = (found, expected) else { return };
    if let (Value::Number(found), Value::Number(expected)) = (&found, &expected) {
        let order = match (found.as_i64(), expected.as_i64()) {
            (Some(found), Some(expected)) => found.cmp(&expected),
            // Rounding makes numbers equal, but does not reverse their order.
            _ => match found.as_f64().partial_cmp(&expected.as_f64()) {
                Some(order @ (Ordering::Less | Ordering::Greater)) => order,
                _ => return,
            },
        };
        let agrees = match operator {
            "=" => order.is_eq(),
            "!=" => order.is_ne(),
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            _ => return,
        };
        assert_eq!(holds, agrees, "{found} {operator} {expected}");
    } else if is_exact(&found) && is_exact(&expected) {
        match operator {
            "=" => assert_eq!(holds, found == expected, "{found} {expected}"),
            "!=" => assert_eq!(holds, found != expected, "{found} {expected}"),
            _ => {}
        }
    }
}

/// Whether equality of the value does not depend on rounding or on how numbers are written.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_i64() || number.is_u64(),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        _ => true,
    }
}
