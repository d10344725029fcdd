//! Durations in details and log lines.

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
        for (micros, text) in [(500_000, "500 ms"), (250, "0.25 ms"), (1_234_567, "1234.567 ms")] {
            assert_eq!(millis(Duration::from_micros(micros)), text);
        }
    }
}
