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

/// Round-trip times in milliseconds, with at least two digits: `1.1/1.3/9.8 ms`, `0.04 ms`, `120 ms`.
pub(crate) fn round_trips(spans: &[Duration]) -> String {
    let each = spans.iter().map(|span| match span.as_secs_f64() * 1000.0 {
        ms if ms < 0.995 => format!("{ms:.2}"),
        ms if ms < 99.95 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    });
    each.collect::<Vec<_>>().join("/") + " ms"
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
        let spans = [40, 994, 999, 1249, 99_949, 99_950, 1_234_567].map(Duration::from_micros);
        assert_eq!(round_trips(&spans), "0.04/0.99/1.0/1.2/99.9/100/1235 ms");
    }
}
