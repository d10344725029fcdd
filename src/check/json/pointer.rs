//! JSON pointers (RFC 6901).

use std::fmt;

use serde_core::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::text::{quote, shown};

/// The most parts of a pointer: half the depth to which the parser recurses.
const PARTS_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer(Box<[String]>);

impl Pointer {
    /// The empty pointer refers to the whole document.
    pub(crate) fn parse(text: &str) -> Result<Pointer, String> {
        if text.is_empty() {
            return Ok(Pointer(Box::default()));
        }
        let Some(parts) = text.strip_prefix('/') else {
            return Err(format!("{} does not begin with / (write json:/key or json:/key/0)", quote(text)));
        };
        let parts: Option<Vec<String>> = parts.split('/').map(unescape).collect();
        match parts {
            None => Err(format!("a ~ in {} must be written ~0, and a / in a key ~1", quote(text))),
            Some(parts) if parts.len() > PARTS_MAX => {
                Err(format!("the JSON pointer has more than {PARTS_MAX} parts"))
            }
            Some(parts) => Ok(Pointer(parts.into())),
        }
    }

    /// For a detail.
    pub(super) fn shown(&self) -> String {
        if self.0.is_empty() { "body".to_owned() } else { shown(&self.to_string()) }
    }

    /// The value in a JSON text. Of members with the same name, the last one counts.
    pub(super) fn find<'a>(&self, text: &'a str) -> Result<Option<&'a str>, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let found = Follow(&self.0).deserialize(&mut reader)?;
        reader.end()?;
        Ok(found.map(RawValue::get))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| write!(f, "/{}", part.replace('~', "~0").replace('/', "~1")))
    }
}

fn unescape(part: &str) -> Option<String> {
    let mut pieces = part.split('~');
    let mut text = pieces.next()?.to_owned();
    for piece in pieces {
        let rest = match piece.strip_prefix('0') {
            Some(rest) => ('~', rest),
            None => ('/', piece.strip_prefix('1')?),
        };
        text.push(rest.0);
        text.push_str(rest.1);
    }
    Some(text)
}

/// Reads the value at these parts, and skips everything else without building it.
struct Follow<'p>(&'p [String]);

impl<'de> DeserializeSeed<'de> for Follow<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        match self.0 {
            [] => <&RawValue>::deserialize(reader).map(Some),
            _ => reader.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Follow<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some((name, rest)) = self.0.split_first() else { return Ok(None) };
        let mut found = None;
        while let Some(is_name) = map.next_key_seed(IsName(name))? {
            match is_name {
                true => found = map.next_value_seed(Follow(rest))?,
                false => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let Some((part, rest)) = self.0.split_first() else { return Ok(None) };
        let place = index(part);
        let mut found = None;
        for at in 0_u64.. {
            if Some(at) == place {
                match seq.next_element_seed(Follow(rest))? {
                    Some(value) => found = value,
                    None => break,
                }
            } else if seq.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(found)
    }

    // A value without members ends the path.

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// The position of an element: digits without leading zeros (RFC 6901 section 4).
fn index(part: &str) -> Option<u64> {
    let is_index = part == "0" || !part.starts_with(['0', '+']);
    part.parse().ok().filter(|_| is_index)
}

struct IsName<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for IsName<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for IsName<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}
