//! Query parameters and percent-decoding.

/// The value of the first parameter named `name`, decoded like a form's (`+` is a space); without `=` it is
/// empty. `None` if there is none; an error if the encoding is malformed or the value is not UTF-8.
pub(crate) fn parameter(query: &str, name: &str) -> Option<Result<String, Malformed>> {
    Some(decoded(&raw_parameter(query, name)?.replace('+', " ")).ok_or(Malformed))
}

/// [`parameter`] without decoding.
pub(crate) fn raw_parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(key, _)| matches_name(key, name)).map(|(_, value)| value)
}

/// The encoding of a parameter is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

fn matches_name(key: &str, name: &str) -> bool {
    key == name || key.contains('%') && decoded(key).is_some_and(|key| key == name)
}

/// Decodes percent-encoding (RFC 3986 section 2.1); `None` if it is malformed or the result is not UTF-8.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => nibble(bytes.next()?)? << 4 | nibble(bytes.next()?)?,
            plain => plain,
        });
    }
    String::from_utf8(out).ok()
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_and_decoded() {
        for (query, value) in [
            ("", None),
            ("target", Some("")),
            ("target=", Some("")),
            ("target=a", Some("a")),
            ("targets=a&target=b", Some("b")),
            ("x&&=&target=a=b&target=c", Some("a=b")),
            ("target=a+b%20c%2Bd%26e", Some("a b c+d&e")),
            ("target=gr%C3%BCn", Some("gr\u{fc}n")),
            ("t%61rget=a", Some("a")),
            ("t%6target=a", None),
            ("Target=a", None),
            ("%=a&target=b", Some("b")),
            ("target=https://[::1]:443/?x", Some("https://[::1]:443/?x")),
        ] {
            assert_eq!(parameter(query, "target"), value.map(|value| Ok(value.to_owned())), "{query}");
        }
    }

    #[test]
    fn malformed_encodings_are_errors() {
        for query in ["t=%", "t=%4", "t=%4g", "t=a%FF", "t=%C3", "t=%+4", "t=%%41", "t=%\u{fc}1"] {
            assert_eq!(parameter(query, "t"), Some(Err(Malformed)), "{query}");
        }
    }
}
