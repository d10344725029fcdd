//! Writer of the Prometheus text format, version 0.0.4.
//!
//! Thousands of targets give hundreds of thousands of lines: numbers are written without `format!`.

use std::time::Duration;

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) struct Exposition {
    text: String,
    family: &'static str,
    /// The kind and the help of the family, until its first sample.
    header: Option<(&'static str, &'static str)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Count(u64),
    Seconds(Duration),
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Count(value.into())
    }
}

impl Exposition {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Exposition { text: String::with_capacity(bytes), family: "", header: None }
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Begins a family. A family without samples is omitted.
    pub(super) fn family(&mut self, name: &'static str, kind: &'static str, help: &'static str) {
        (self.family, self.header) = (name, Some((kind, help)));
    }

    /// Continues a family that another text has begun.
    pub(super) fn continue_family(&mut self, name: &'static str) {
        (self.family, self.header) = (name, None);
    }

    /// Whether the family has a sample, also if another text has begun it.
    pub(super) fn has_sample(&self) -> bool {
        self.header.is_none()
    }

    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: Value) {
        self.part("", labels, value);
    }

    /// A family with one sample without labels.
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str, value: Value) {
        self.family(name, "gauge", help);
        self.sample(&[], value);
    }

    /// `suffix` follows the family's name, such as `_sum` of a summary.
    pub(super) fn part(&mut self, suffix: &str, labels: &[(&str, &str)], value: Value) {
        let name = self.family;
        if let Some((kind, help)) = self.header.take() {
            for piece in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"] {
                self.text.push_str(piece);
            }
        }
        self.text.push_str(name);
        self.text.push_str(suffix);
        let mut before = "{";
        for (label, value) in labels {
            self.text.push_str(before);
            self.text.push_str(label);
            self.text.push_str("=\"");
            push_escaped(&mut self.text, value);
            before = "\",";
        }
        self.text.push_str(if labels.is_empty() { " " } else { "\"} " });
        match value {
            Value::Count(count) => push_number(&mut self.text, count),
            Value::Seconds(span) => push_seconds(&mut self.text, span),
        }
        self.text.push('\n');
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }
}

fn push_escaped(text: &mut String, value: &str) {
    if !value.bytes().any(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
        return text.push_str(value);
    }
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            plain => text.push(plain),
        }
    }
}

fn push_number(text: &mut String, number: u64) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

fn push_seconds(text: &mut String, span: Duration) {
    push_number(text, span.as_secs());
    let mut rest = span.subsec_nanos();
    if rest == 0 {
        return;
    }
    text.push('.');
    let mut unit = 100_000_000;
    while rest > 0 {
        push_number(text, u64::from(rest / unit));
        rest %= unit;
        unit /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Exposition)) -> String {
        let mut out = Exposition::with_capacity(0);
        write(&mut out);
        String::from_utf8(out.into_bytes()).expect("UTF-8")
    }

    #[test]
    fn families_with_samples_have_a_header_and_others_are_omitted() {
        let text = written(|out| {
            out.family("none", "gauge", "Nothing.");
            out.family("a", "counter", "Some \u{fc} things.");
            out.sample(&[], Value::Count(1));
            out.sample(&[("x", "1"), ("y", "")], true.into());
            out.family("none", "gauge", "Nothing.");
            out.family("b", "summary", "Parts.");
            out.part("_sum", &[], Value::Seconds(Duration::from_millis(1500)));
            out.family("none", "gauge", "Nothing.");
        });
        assert_eq!(
            text,
            "# HELP a Some \u{fc} things.\n# TYPE a counter\na 1\na{x=\"1\",y=\"\"} 1\n\
             # HELP b Parts.\n# TYPE b summary\nb_sum 1.5\n"
        );
        assert_eq!(written(|_| {}), "");
    }

    #[test]
    fn a_labels_value_can_be_any_text() {
        let text = written(|out| {
            out.family("a", "gauge", "A.");
            out.sample(&[("t", "a\\b\"c\nd {},= \u{fc}")], false.into());
        });
        assert!(text.ends_with("\na{t=\"a\\\\b\\\"c\\nd {},= \u{fc}\"} 0\n"), "{text}");
    }

    #[test]
    fn numbers_are_exact() {
        let number = |value| written(|out| out.part("", &[], value));
        for count in [0, 9, 10, 1_738_200_000, u64::MAX] {
            assert_eq!(number(Value::Count(count)), format!(" {count}\n"));
        }
        for (nanos, text) in [
            (0, "0"),
            (1, "0.000000001"),
            (999_999_999, "0.999999999"),
            (1_000_000_000, "1"),
            (1_050_000_000, "1.05"),
            (42_504_900_000, "42.5049"),
        ] {
            assert_eq!(number(Value::Seconds(Duration::from_nanos(nanos))), format!(" {text}\n"));
        }
        assert_eq!(number(Value::Seconds(Duration::MAX)), " 18446744073709551615.999999999\n");
    }
}
