//! Phrases that the details of several probes share.

use std::time::Duration;

/// What to say when the time was up before `what` came.
pub(crate) fn timed_out(timeout: Duration, what: &str) -> String {
    format!("timed out after {} waiting for {what}", seconds(timeout))
}

/// A span as people write it: `2 s`, `0.25 s`.
pub(crate) fn seconds(span: Duration) -> String {
    let millis = format!("{:03}", span.subsec_millis());
    match millis.trim_end_matches('0') {
        "" => format!("{} s", span.as_secs()),
        fraction => format!("{}.{fraction} s", span.as_secs()),
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
    }
}
