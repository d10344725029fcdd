//! Durations in details and log lines.

use std::fmt::Write;
use std::time::Duration;

pub(crate) fn timed_out(timeout: Duration, what: &str) -> String {
    format!("timed out after {} waiting for {what}", seconds(timeout))
}

/// `2 s`, `0.25 s`.
pub(crate) fn seconds(span: Duration) -> String {
    decimal(u128::from(span.as_secs()), span.subsec_millis()) + " s"
}

/// `500 ms`, `0.25 ms`.
pub(crate) fn millis(span: Duration) -> String {
    decimal(span.as_millis(), span.subsec_micros() % 1000) + " ms"
}

/// Round-trip times in milliseconds, with at least two digits: `1.1/1.3/9.8 ms`, `0.04 ms`, `120 ms`.
pub(crate) fn round_trips(spans: &[Duration]) -> String {
    let mut text = String::with_capacity(24);
    for span in spans {
        if !text.is_empty() {
            text.push('/');
        }
        // Integers: every ping is formatted, and floats take several times as long.
        let micros = span.as_micros().saturating_add(u128::from(span.subsec_nanos() % 1000 >= 500));
        let (value, decimals) = match u64::try_from(micros).unwrap_or(u64::MAX) {
            micros @ ..995 => ((micros + 5) / 10, 2),
            micros @ ..99_950 => ((micros + 50) / 100, 1),
            micros => (micros.saturating_add(500) / 1000, 0),
        };
        // Writing to a string cannot fail.
        let _ = match decimals {
            2 => write!(text, "0.{value:02}"),
            1 => write!(text, "{}.{}", value / 10, value % 10),
            _ => write!(text, "{value}"),
        };
    }
    text + " ms"
}

/// A long duration in its two largest units: `1 d 2 h`, `45 s`.
pub(crate) fn long(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let largest = units.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(3);
    let parts = units.iter().skip(largest).take(2).scan(seconds, |left, (unit, name)| {
        let count = *left / unit;
        *left %= unit;
        Some((count, name))
    });
    let parts = parts.enumerate().filter(|(index, (count, _))| *index == 0 || *count > 0);
    parts.map(|(_, (count, name))| format!("{count} {name}")).collect::<Vec<_>>().join(" ")
}

fn decimal(whole: u128, thousandths: u32) -> String {
    let fraction = format!("{thousandths:03}");
    match fraction.trim_end_matches('0') {
        "" => whole.to_string(),
        fraction => format!("{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_without_needless_digits() {
        for (millis, text) in
            [(2000, "2 s"), (250, "0.25 s"), (1500, "1.5 s"), (10_001, "10.001 s"), (0, "0 s")]
        {
            assert_eq!(seconds(Duration::from_millis(millis)), text);
        }
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 m"),
            (3661, "1 h 1 m"),
            (90_000, "1 d 1 h"),
            (86_400 * 400 + 1, "400 d"),
        ] {
            assert_eq!(long(Duration::from_secs(seconds)), text);
        }
        for (micros, text) in [(500_000, "500 ms"), (250, "0.25 ms"), (1_234_567, "1234.567 ms")] {
            assert_eq!(millis(Duration::from_micros(micros)), text);
        }
        let spans = [0, 40, 994, 999, 1249, 99_949, 99_950, 1_234_567].map(Duration::from_micros);
        assert_eq!(round_trips(&spans), "0.00/0.04/0.99/1.0/1.2/99.9/100/1235 ms");
    }
}
