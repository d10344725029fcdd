//! Checks of header fields.

use super::fact::{Fact, Relation};
use crate::text::quote;
use crate::wire::http::is_token_byte;
use crate::wire::http::response::Headers;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeaderTest {
    name: String,
    relation: Relation,
    /// Without a relation, empty.
    text: String,
}

impl HeaderTest {
    /// Parses `NAME`, `NAME=TEXT` and `NAME~TEXT`.
    pub(super) fn parse(spec: &str) -> Result<HeaderTest, String> {
        // A name may contain `~` (RFC 9110 section 5.6.2), but no known one does.
        let (name, relation, text) = match spec.find(['=', '~']) {
            None => (spec, Relation::Exists, ""),
            Some(at) if spec[at..].starts_with('=') => (&spec[..at], Relation::Equals, &spec[at + 1..]),
            Some(at) => (&spec[..at], Relation::Contains, &spec[at + 1..]),
        };
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            let name = quote(name);
            return Err(format!(
                "{name} is not the name of a header (write header:NAME=TEXT or header:NAME~TEXT)"
            ));
        }
        let text = text.trim_matches([' ', '\t']);
        Ok(HeaderTest { name: name.to_owned(), relation, text: text.to_owned() })
    }

    /// The error is the detail.
    pub(super) fn evaluate(&self, headers: &Headers, is_negated: bool) -> Result<(), String> {
        let values: Vec<&str> = headers.get_all(&self.name).collect();
        let holds = values.iter().any(|value| match self.relation {
            Relation::Equals => *value == self.text,
            Relation::Contains => value.contains(&self.text),
            _ => true,
        });
        if holds != is_negated {
            return Ok(());
        }
        let value = (!values.is_empty()).then(|| format!("\"{}\"", values.join(", ")));
        let subject = format!("header {}", self.name);
        let expected = format!("\"{}\"", self.text);
        Err(Fact { subject: &subject, value: value.as_deref(), relation: self.relation, expected: &expected }
            .detail(is_negated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::http::response::ResponseReader;

    fn headers() -> Headers {
        let mut reader = ResponseReader::new(false, 0);
        let head = b"HTTP/1.1 200 OK\r\nX-Cache: HIT\r\nServer: nginx/1.2\r\nVia: a\r\nvia: b=~c\r\nX-Empty:\r\n\r\n";
        reader.receive(head).expect("a head");
        reader.head().expect("a head").headers.clone()
    }

    #[test]
    fn a_condition_holds_for_any_field_of_the_name() {
        for (spec, holds) in [
            ("x-cache", true),
            ("X-Cache=HIT", true),
            ("X-Cache=hit", false),
            ("X-Cache= HIT ", true),
            ("x-cache~I", true),
            ("server~nginx", true),
            ("server=nginx", false),
            ("via=a", true),
            ("via=b=~c", true),
            ("via~=~", true),
            ("via~a, b", false),
            ("x-empty", true),
            ("x-empty=", true),
            ("x-empty~", true),
            ("x-none", false),
            ("x-none=", false),
            ("x-none~", false),
        ] {
            let test = HeaderTest::parse(spec).expect(spec);
            assert_eq!(test.evaluate(&headers(), false).is_ok(), holds, "{spec}");
            assert_eq!(test.evaluate(&headers(), true).is_ok(), !holds, "not:{spec}");
        }
    }

    #[test]
    fn a_detail_shows_the_value() {
        for (spec, is_negated, detail) in [
            ("X-None", false, "header X-None is missing"),
            ("X-None=a", false, "header X-None is missing"),
            ("X-Cache=MISS", false, "header X-Cache is \"HIT\", not \"MISS\""),
            ("Server~apache", false, "header Server is \"nginx/1.2\", without \"apache\""),
            ("Via=c", false, "header Via is \"a, b=~c\", not \"c\""),
            ("X-Cache", true, "header X-Cache is \"HIT\", not missing"),
            ("X-Cache=HIT", true, "header X-Cache is \"HIT\""),
            ("Server~nginx", true, "header Server is \"nginx/1.2\", with \"nginx\""),
        ] {
            let test = HeaderTest::parse(spec).expect(spec);
            assert_eq!(test.evaluate(&headers(), is_negated), Err(detail.to_owned()), "{spec}");
        }
    }

    #[test]
    fn a_name_is_a_token() {
        for spec in ["", "=x", "~", "a b", "X-Cache: HIT", "naïve", "a\r\n=b"] {
            let error = HeaderTest::parse(spec).expect_err(spec);
            assert!(error.contains("is not the name of a header") && !error.contains('\n'), "{error}");
        }
    }
}
