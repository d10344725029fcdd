//! JSON checks; compared with the values of serde_json.

use std::cmp::Ordering;

use serde_core::de::IgnoredAny;
use serde_json::Value;

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
                serde_json::from_str::<IgnoredAny>(text).expect("JSON");
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Knuth's linear congruential generator.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % limit
        }

        fn choose<'a>(&mut self, choices: &[&'a str]) -> &'a str {
            choices[self.below(choices.len())]
        }
    }

    fn value(random: &mut Random, depth: usize) -> String {
        const SCALARS: [&str; 16] = [
            "null",
            "true",
            "0",
            "-0.0",
            "1",
            "1.0",
            "10e-1",
            "-2",
            "18446744073709551615",
            "1e20",
            "1.5e-3",
            "\"\"",
            "\"a\"",
            "\"\\u0061\"",
            "\"\\ud83d\\ude00\"",
            "\"x y\"",
        ];
        let space = random.choose(&["", "", "", " ", "\n\t"]);
        let count = random.below(4);
        match random.below(if depth == 0 { 1 } else { 4 }) {
            0 | 1 => random.choose(&SCALARS).to_owned(),
            2 => {
                let items: Vec<String> = (0..count).map(|_| value(random, depth - 1)).collect();
                format!("[{space}{}{space}]", items.join(&format!("{space},{space}")))
            }
            _ => {
                let member = |random: &mut Random| {
                    let name = random.choose(&["a", "\\u0061", "b", "a/b", "m~n", "", "0"]);
                    format!("\"{name}\"{space}:{space}{}", value(random, depth - 1))
                };
                let members: Vec<String> = (0..count).map(|_| member(random)).collect();
                format!("{{{space}{}{space}}}", members.join(","))
            }
        }
    }

    #[test]
    fn random_documents_are_read_as_by_serde_json() {
        let mut random = Random(1);
        let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3000);
        for _ in 0..rounds {
            let parts = random.below(4);
            let pointer: String = (0..parts)
                .map(|_| random.choose(&["/a", "/b", "/0", "/1", "/a~1b", "/m~0n", "/", "/00"]))
                .collect();
            let operator = random.choose(&["=", "!=", "<", "<=", ">", ">=", "~", ""]);
            let expected = if operator.is_empty() { String::new() } else { value(&mut random, 2) };
            let mut body = value(&mut random, 4).into_bytes();
            if random.below(4) == 0 {
                let at = random.below(body.len());
                body[at] = b"{}[],:\"\\0 \xff"[random.below(11)];
            }
            let mut data = Vec::new();
            for piece in [pointer.as_str(), operator, &expected] {
                data.push(piece.len().min(255) as u8);
                data.extend(piece.bytes().take(255));
            }
            json(&[&data[..], &body].concat());
        }
    }
}
