//! The escapes in the text of `--send`.

use super::values::plain;
use crate::text::quote;

/// Replaces `\r`, `\n`, `\t`, `\\` and `\xHH`.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let text = plain(text)?;
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let (byte, after) = match (first, after) {
            (b'\\', [b'r', after @ ..]) => (b'\r', after),
            (b'\\', [b'n', after @ ..]) => (b'\n', after),
            (b'\\', [b't', after @ ..]) => (b'\t', after),
            (b'\\', [b'\\', after @ ..]) => (b'\\', after),
            (b'\\', [b'x', high, low, after @ ..]) => match (nibble(*high), nibble(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => return Err(unknown(&text)),
            },
            (b'\\', _) => return Err(unknown(&text)),
            (byte, after) => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    Ok(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    Some(char::from(digit).to_digit(16)? as u8)
}

fn unknown(text: &str) -> String {
    format!("{} has an unknown escape; there are: \\r \\n \\t \\\\ \\xHH", quote(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_replaced() {
        for (text, bytes) in [
            ("PING", &b"PING"[..]),
            (r"EHLO x\r\n", b"EHLO x\r\n"),
            (r"\\n\t\\", b"\\n\t\\"),
            (r"\x00\xfF\x41g", b"\x00\xffAg"),
            ("grün", "grün".as_bytes()),
        ] {
            assert_eq!(unescape(text).as_deref(), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn unknown_escapes_are_refused() {
        for text in [r"\", r"a\", r"\q", r"\x", r"\x4", r"\xg0", r"\x0g", r"\X41", r"\é", r"\x+1", r"\0"] {
            let error = unescape(text).expect_err(text);
            assert!(error.ends_with(r" has an unknown escape; there are: \r \n \t \\ \xHH"), "{error}");
        }
        assert_eq!(unescape(""), Err("the value is empty".to_owned()));
        assert!(unescape("a\nb").is_err());
    }
}
