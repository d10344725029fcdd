//! Header fields, and the lists in them that determine framing.

use httparse::Header;

use crate::text::integer;
use crate::wire::url::percent_encoded;

/// How much of an invalid value an error shows, in characters.
const EXCERPT_MAX: usize = 20;

/// The header fields of a response, in the order received.
///
/// Names keep their case and are compared case-insensitively. Values are decoded as UTF-8 or else as Latin-1;
/// in a `Location` that is not UTF-8, bytes that are invalid in a URL are percent-encoded instead. Folded
/// values are joined into one line.
///
/// ```
/// # use std::{io::{Read, Write}, net::TcpListener, thread};
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// # thread::spawn(move || for mut peer in listener.incoming().flatten() {
/// #     let _ = peer.read(&mut [0; 1024]);
/// #     let _ = peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\n");
/// # });
/// use pingstate::{HttpResponse, probe};
///
/// let check = |response: &HttpResponse| {
///     let cookies: Vec<&str> = response.headers.get_all("SET-COOKIE").collect();
///     let all = response.headers.iter().count();
///     (response.headers.get("Set-Cookie") == Some("a"), format!("{cookies:?} of {all}"))
/// };
/// let result = probe("http", "127.0.0.1", port).check_response(check).build()?.check();
/// assert_eq!((result.ok, &*result.detail), (true, "[\"a\", \"b\"] of 3"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    pub(super) fn from_parsed<'a>(fields: impl Iterator<Item = &'a Header<'a>>) -> Self {
        Headers(fields.map(|field| (field.name.to_owned(), text(field.name, field.value))).collect())
    }

    /// The value of the first field with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// The values of all fields with this name, in the order received.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter().filter(move |field| field.0.eq_ignore_ascii_case(name)).map(|field| field.1)
    }

    /// All names and values, in the order received.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The elements of the comma-separated lists in all fields with this name (RFC 9110 section 5.6.1).
    pub(crate) fn elements(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get_all(name).flat_map(|value| value.split(',')).map(|element| element.trim_matches([' ', '\t']))
    }

    /// Whether these lists contain `token`, in any case.
    pub(super) fn has_element(&self, name: &str, token: &str) -> bool {
        self.elements(name).any(|element| element.eq_ignore_ascii_case(token))
    }

    /// The value of `Content-Length`. Repeated equal values are valid (RFC 9112 section 6.3); others are an
    /// error, because the end of the body is unknown.
    pub(super) fn content_length(&self) -> Result<Option<u64>, String> {
        let mut length = None;
        for element in self.elements("content-length") {
            // Any size is valid (RFC 9110 section 8.6).
            let number = integer(element).ok_or_else(|| {
                let shown: String = element.chars().take(EXCERPT_MAX).collect();
                format!("malformed Content-Length: {shown:?}")
            })?;
            if length.is_some_and(|earlier| earlier != number) {
                return Err("differing Content-Length values".to_owned());
            }
            length = Some(number);
        }
        Ok(length)
    }
}

/// Decodes a value and joins folded lines with a space (RFC 9112 section 5.2).
fn text(name: &str, value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for line in value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        if !text.is_empty() && !line.is_empty() {
            text.push(' ');
        }
        match std::str::from_utf8(line) {
            Ok(line) => text.push_str(line),
            // As Latin-1, the bytes to request would be lost.
            Err(_) if name.eq_ignore_ascii_case("location") => text.push_str(&percent_encoded(line)),
            Err(_) => text.extend(line.iter().copied().map(char::from)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static [u8])]) -> Headers {
        let parsed: Vec<_> = fields.iter().map(|&(name, value)| Header { name, value }).collect();
        Headers::from_parsed(parsed.iter())
    }

    #[test]
    fn fields_are_found_in_any_case_and_kept_in_order() {
        let headers = headers(&[("Set-Cookie", b"a"), ("X", b"1"), ("set-cookie", b"b")]);
        assert_eq!(headers.get("SET-COOKIE"), Some("a"));
        assert_eq!(headers.get("y"), None);
        assert_eq!(headers.get_all("Set-cookie").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            headers.iter().collect::<Vec<_>>(),
            [("Set-Cookie", "a"), ("X", "1"), ("set-cookie", "b")]
        );
    }

    #[test]
    fn values_are_utf8_or_latin_1_and_unfolded() {
        for (value, text) in [
            (b"gr\xc3\xbcn".as_slice(), "grün"),
            (b"gr\xfcn", "grün"),
            (b"a\r\n  b \n\tc", "a b c"),
            (b"a\r\n \r\n b", "a b"),
            (b"", ""),
        ] {
            assert_eq!(self::text("Server", value), text, "{value:?}");
        }
        assert_eq!(self::text("location", "/\u{fc}".as_bytes()), "/\u{fc}");
        assert_eq!(self::text("location", b"/a b%\xfc\xe2\x82\xac"), "/a%20b%%FC%E2%82%AC");
    }

    #[test]
    fn lists_run_over_all_fields_of_a_name() {
        let headers = headers(&[("Connection", b"Upgrade ,\tx"), ("connection", b"CLOSE")]);
        assert!(headers.has_element("Connection", "close"));
        assert!(headers.has_element("Connection", "upgrade"));
        assert!(!headers.has_element("Connection", "keep-alive"));
    }

    #[test]
    fn equal_content_lengths_are_one() {
        for (fields, length) in [
            ([("A", b"5".as_slice()), ("B", b"6")], None),
            ([("Content-Length", b"5"), ("content-length", b"5")], Some(5)),
            ([("Content-Length", b"5, 5,5"), ("B", b"6")], Some(5)),
            ([("Content-Length", b"18446744073709551615"), ("B", b"6")], Some(u64::MAX)),
            ([("Content-Length", b"18446744073709551616"), ("B", b"6")], Some(u64::MAX)),
            ([("Content-Length", &[b'9'; 1000]), ("B", b"6")], Some(u64::MAX)),
        ] {
            assert_eq!(headers(&fields).content_length(), Ok(length), "{fields:?}");
        }
    }

    #[test]
    fn anything_but_one_plain_number_is_no_length() {
        for value in [
            b"".as_slice(),
            b"5,",
            b",5",
            b"+5",
            b"-5",
            b"5 5",
            b"0x5",
            b"5;a",
            b"five",
            b"5.0",
            b"18446744073709551616x",
            b"\xb2",
            b"5\r\n 5",
        ] {
            let error = headers(&[("Content-Length", value)]).content_length();
            assert!(error.is_err_and(|text| text.starts_with("malformed Content-Length: \"")), "{value:?}");
        }
        let differing = headers(&[("Content-Length", b"5"), ("Content-Length", b"6")]).content_length();
        assert_eq!(differing, Err("differing Content-Length values".to_owned()));
        let long = headers(&[("Content-Length", &[b'x'; 60_000])]).content_length();
        assert!(long.is_err_and(|text| text.len() < 100));
    }
}
