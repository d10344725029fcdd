//! Writes HTML.

use std::time::Duration;

use crate::clock::rfc3339;

pub(super) struct Html(String);

impl Html {
    pub(super) fn with_capacity(capacity: usize) -> Html {
        Html(String::with_capacity(capacity))
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }

    /// Appends markup. Text from the network or the configuration must go through [`Html::text`].
    pub(super) fn raw(&mut self, pieces: &[&str]) -> &mut Html {
        pieces.iter().for_each(|piece| self.0.push_str(piece));
        self
    }

    /// Appends text, for content and for quoted attributes. Control characters are replaced: some are not allowed in
    /// HTML.
    pub(super) fn text(&mut self, text: &str) -> &mut Html {
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| matches!(c, '&' | '<' | '>' | '"' | '\'') || c.is_control())
        {
            let (before, special) = rest.split_at(at);
            let mut after = special.chars();
            let escaped = match after.next() {
                Some('&') => "&amp;",
                Some('<') => "&lt;",
                Some('>') => "&gt;",
                Some('"') => "&quot;",
                Some('\'') => "&#39;",
                _ => "\u{fffd}",
            };
            self.raw(&[before, escaped]);
            rest = after.as_str();
        }
        self.raw(&[rest])
    }

    pub(super) fn number(&mut self, number: u64) -> &mut Html {
        self.raw(&[&number.to_string()])
    }

    /// Appends a time since 1970. The script replaces it by that of the reader's time zone.
    pub(super) fn time(&mut self, unix: Duration) -> &mut Html {
        self.raw(&["<time>", &rfc3339(unix), "</time>"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = Html::with_capacity(0);
        out.text(text);
        String::from_utf8(out.into_bytes()).expect("text")
    }

    #[test]
    fn text_cannot_become_markup() {
        for (text, html) in [
            ("", ""),
            ("plain ä 日本", "plain ä 日本"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\" onclick='x' &amp;", "&quot; onclick=&#39;x&#39; &amp;amp;"),
            ("</title><!--", "&lt;/title&gt;&lt;!--"),
            ("a\0b\r\nc\u{7f}\u{85}", "a\u{fffd}b\u{fffd}\u{fffd}c\u{fffd}\u{fffd}"),
            ("&&<", "&amp;&amp;&lt;"),
        ] {
            assert_eq!(escaped(text), html);
        }
        for c in (0..=0x2ff).filter_map(char::from_u32) {
            let html = escaped(&c.to_string());
            assert!(!html.contains(['<', '>', '"', '\'']) && !html.contains(char::is_control), "{c:?}");
        }
    }
}
