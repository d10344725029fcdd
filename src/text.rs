//! Text for display, and decimal numbers in text.

pub(crate) mod token;
pub(crate) mod words;

use std::time::Duration;

/// The most characters of input that an error message repeats.
const SHOWN_MAX: usize = 64;

/// Escapes the unprintable characters of `text` and truncates it to `limit` characters, with a final `…`.
///
/// Unprintable are control characters, bidirectional marks, zero-width characters and line separators: text
/// from the network must not control a terminal or forge a log line.
#[must_use]
pub(crate) fn printable(text: &str, limit: usize) -> String {
    if text.len() <= limit && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len().min(limit));
    let mut used = 0;
    for c in text.chars() {
        let mut piece = [c, '\0', '\0', '\0', '\0', '\0', '\0', '\0', '\0', '\0'];
        let mut len = 1;
        if is_unprintable(c) {
            len = 0;
            for e in c.escape_default() {
                piece[len] = e;
                len += 1;
            }
        }
        if used + len > limit {
            while used >= limit {
                out.pop();
                used -= 1;
            }
            out.push('…');
            return out;
        }
        out.extend(&piece[..len]);
        used += len;
    }
    out
}

fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Input in an error message: printable and truncated.
pub(crate) fn shown(text: &str) -> String {
    printable(text, SHOWN_MAX)
}

/// [`shown`] in backticks.
pub(crate) fn quote(text: &str) -> String {
    format!("`{}`", shown(text))
}

/// Words in a sentence: `a, b or c` with the conjunction ` or `.
pub(crate) fn listed<T: AsRef<str>>(words: impl ExactSizeIterator<Item = T>, conjunction: &str) -> String {
    let (mut text, count) = (String::new(), words.len());
    for (index, word) in words.enumerate() {
        text.push_str(match count - index {
            _ if index == 0 => "",
            1 => conjunction,
            _ => ", ",
        });
        text.push_str(word.as_ref());
    }
    text
}

/// Parses digits, without the sign that `str::parse` accepts. A number that does not fit is `u64::MAX`.
pub(crate) fn integer(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// Parses a decimal number without a sign, in billionths; digits after the ninth are ignored. A number that does not
/// fit is `u64::MAX`. Not parsed as `f64`: this is exact, needs no tables, and refuses infinity and NaN.
pub(crate) fn billionths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() && fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { integer(whole)? };
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let fraction = digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    Some(whole.saturating_mul(1_000_000_000).saturating_add(fraction))
}

/// Parses a number of seconds, or a number and one of the units `ms`, `s`, `m`, `h` and `d`. A time that does not fit is
/// several centuries.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let (factor, divisor) = match unit {
        "" | "s" => (1, 1),
        "ms" => (1, 1000),
        "m" => (60, 1),
        "h" => (3600, 1),
        "d" => (86_400, 1),
        _ => return None,
    };
    let nanos = match billionths(number.trim_end_matches(' '))? {
        u64::MAX => u64::MAX,
        number => number.saturating_mul(factor) / divisor,
    };
    Some(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_of_seconds_or_has_a_unit() {
        for (text, millis) in [
            ("0", 0),
            ("0.0625", 62),
            (".5", 500),
            ("5s", 5_000),
            ("200ms", 200),
            ("0.5 m", 30_000),
            ("1.5h", 5_400_000),
            ("30d", 2_592_000_000),
        ] {
            assert_eq!(duration(text).map(|span| span.as_millis()), Some(millis), "{text}");
        }
        for text in
            ["", " 5", "+5", "-5", "5w", "5M", "1e3", "inf", "NaN", "s", "5ss", "5 m s", "5\u{b5}s", "0x5"]
        {
            assert_eq!(duration(text), None, "{text}");
        }
        for text in ["99999999999999999999", "99999999999999999999ms", "30000000000ms", "99999999d"] {
            let is_long = duration(text).is_some_and(|span| span > Duration::from_secs(200 * 86_400));
            assert!(is_long, "{text}");
        }
        assert_eq!(duration("99999999999999999999ms"), Some(Duration::from_nanos(u64::MAX)));
    }

    #[test]
    fn printable_escapes_what_could_control_a_terminal() {
        assert_eq!(printable("a\x1b[2Jb\r\n", 99), "a\\u{1b}[2Jb\\r\\n");
        assert_eq!(printable("\u{202e}evil\0", 99), "\\u{202e}evil\\u{0}");
        assert_eq!(printable("grün ✓", 99), "grün ✓");
    }

    #[test]
    fn printable_never_exceeds_its_limit() {
        for text in ["aaaaaaaaaa", "\x1b\x1b\x1b", "ääääääää", "ab\x07", ""] {
            for limit in 1..12 {
                let out = printable(text, limit);
                assert!(out.chars().count() <= limit, "{text:?} {limit} {out:?}");
            }
        }
        assert_eq!(printable("abcdef", 6), "abcdef");
        assert_eq!(printable("abcdefg", 6), "abcde…");
    }

    #[test]
    fn numbers_have_no_sign_and_any_size() {
        for (text, number) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", Some(u64::MAX)),
            ("", None),
            ("+1", None),
            ("-1", None),
            ("1 ", None),
            ("1e9", None),
            ("\u{b2}", None),
        ] {
            assert_eq!(integer(text), number, "{text}");
            let scaled = number.map(|number| number.saturating_mul(1_000_000_000));
            assert_eq!(billionths(text), scaled, "{text}");
        }
        for (text, number) in [
            ("0.5", Some(500_000_000)),
            (".25", Some(250_000_000)),
            ("2.", Some(2_000_000_000)),
            ("1.0000000019", Some(1_000_000_001)),
            (".", None),
            ("1.-5", None),
            ("1.2.3", None),
            ("inf", None),
        ] {
            assert_eq!(billionths(text), number, "{text}");
        }
    }
}
