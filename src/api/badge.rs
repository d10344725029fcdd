//! Badges: the state or the uptime as an image, and as JSON for the endpoint badge of shields.io.

use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use crate::api::params::{bad, value};
use crate::api::response::{JSON, Response};
use crate::clock::Now;
use crate::fsm::State;
use crate::monitor::{Target, Window};
use crate::snapshot::pretty;
use crate::text::printable;

/// The longest label, in characters.
const LABEL_MAX: usize = 64;

/// An SVG document could otherwise run scripts, although these have none.
const POLICY: &str = "Content-Security-Policy: default-src 'none'; sandbox\r\n";
/// Pages of other sites could measure the width of the image, which depends on the state.
const LOCAL_POLICY: &str =
    "Content-Security-Policy: default-src 'none'; sandbox\r\nCross-Origin-Resource-Policy: same-site\r\n";

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Badge {
    label: String,
    message: String,
    color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Color {
    Green,
    Yellow,
    Red,
    Grey,
}

impl Color {
    /// As in the schema of shields.io.
    fn name(self) -> &'static str {
        match self {
            Color::Green => "brightgreen",
            Color::Yellow => "yellow",
            Color::Red => "red",
            Color::Grey => "lightgrey",
        }
    }

    /// White text on it has a contrast of at least 4.5.
    fn hex(self) -> &'static str {
        match self {
            Color::Green => "2e7d32",
            Color::Yellow => "9a6700",
            Color::Red => "c62828",
            Color::Grey => "6b6b6b",
        }
    }

    fn of_uptime(ten_thousandths: u16) -> Color {
        match ten_thousandths {
            9900.. => Color::Green,
            9500.. => Color::Yellow,
            _ => Color::Red,
        }
    }
}

impl From<State> for Color {
    fn from(state: State) -> Color {
        match state {
            State::Up => Color::Green,
            State::Degraded => Color::Yellow,
            State::Down => Color::Red,
            State::Unknown => Color::Grey,
        }
    }
}

impl Badge {
    /// The badge of these targets, which have this name. The parameter `uptime` selects their lowest uptime instead of
    /// the state. `Err` is the error response.
    #[cold]
    pub(super) fn new(
        query: &str,
        name: Option<&str>,
        state: State,
        targets: &mut dyn Iterator<Item = &Target>,
        now: Now,
    ) -> Result<Badge, Response> {
        let mut targets = targets.filter(|target| !target.is_paused()).peekable();
        let (default_label, message, color) = match value(query, "uptime")? {
            Some(text) => {
                let window = Window::ALL.into_iter().find(|window| window.as_str() == text);
                let window = window.ok_or_else(|| bad(&["uptime must be 24h, 7d, 30d or 90d"]))?;
                let uptime = targets.filter_map(|target| target.history()?.uptime(window, now)).min();
                let message = uptime.map_or("no data".to_owned(), percent);
                let label = [name.unwrap_or("uptime"), " ", window.as_str()].concat();
                (label, message, uptime.map_or(Color::Grey, Color::of_uptime))
            }
            None => {
                let message = if targets.peek().is_none() { "paused" } else { state.as_str() };
                (name.unwrap_or("status").to_owned(), message.to_owned(), state.into())
            }
        };
        let label = value(query, "label")?.unwrap_or(default_label);
        Ok(Badge { label: printable(&label, LABEL_MAX), message, color })
    }

    pub(super) fn json(&self) -> Response {
        Response::new(200, JSON, pretty(self))
    }

    /// An SVG document. `is_local`: the API was requested by a loopback name.
    #[cold]
    pub(super) fn image(&self, is_local: bool) -> Response {
        let field = if is_local { LOCAL_POLICY } else { POLICY };
        Response { field, ..Response::new(200, "image/svg+xml", self.draw()) }
    }

    fn draw(&self) -> String {
        let (label, message) = (escaped(&self.label), escaped(&self.message));
        let title = if label.is_empty() { message.clone() } else { [&label, ": ", &message].concat() };
        let label_width = if label.is_empty() { 0 } else { text_width(&self.label) + 10 };
        let width = label_width + text_width(&self.message) + 10;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"20\" role=\"img\" aria-label=\"{title}\">\
             <title>{title}</title><rect width=\"{width}\" height=\"20\" rx=\"3\" fill=\"#{}\"/>",
            self.color.hex()
        );
        if label_width > 0 {
            svg.push_str(&format!(
                "<path d=\"M{label_width} 0v20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z\" fill=\"#444\"/>"
            ));
        }
        svg.push_str(
            "<g fill=\"#fff\" font-family=\"Verdana,Geneva,DejaVu Sans,sans-serif\" font-size=\"11\">",
        );
        for (text, start, end) in [(label, 0, label_width), (message, label_width, width)] {
            if end > start {
                let (x, length) = (start + 5, end - start - 10);
                svg.push_str(&format!("<text x=\"{x}\" y=\"14\" textLength=\"{length}\">{text}</text>"));
            }
        }
        svg.push_str("</g></svg>\n");
        svg
    }
}

impl Serialize for Badge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Badge", 4)?;
        out.serialize_field("schemaVersion", &1)?;
        out.serialize_field("label", &self.label)?;
        out.serialize_field("message", &self.message)?;
        out.serialize_field("color", self.color.name())?;
        out.end()
    }
}

/// `99.95%`, without trailing zeros.
fn percent(ten_thousandths: u16) -> String {
    let text = format!("{}.{:02}", ten_thousandths / 100, ten_thousandths % 100);
    [text.trim_end_matches('0').trim_end_matches('.'), "%"].concat()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The width of a text in Verdana of 11 px, approximately: `textLength` makes other fonts as wide.
fn text_width(text: &str) -> u32 {
    let tenths = |c| match c {
        'i' | 'j' | 'l' | '\'' => 32,
        ' ' | '!' | ',' | '.' | ':' | ';' | '|' | 'f' | 't' => 41,
        'I' | 'J' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' => 49,
        'm' | '%' | 'W' => 110,
        'w' | 'M' | '@' | '+' | '=' | '<' | '>' => 91,
        'A'..='Z' | '0'..='9' | '&' | '#' => 73,
        '\0'..='\x7f' => 65,
        '\u{80}'..='\u{10ff}' => 72,
        _ => 110,
    };
    text.chars().map(tenths).sum::<u32>().div_ceil(10)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::api::response::TEXT;
    use crate::clock::test_now;
    use crate::monitor::mute::Mute;
    use crate::monitor::{Monitor, Targets};
    use crate::result::{ProbeResult, Reason};

    /// A target that has been up for 99 s and one that has been up half of the time.
    fn targets(t0: Now) -> Targets {
        let mut targets = Targets::new(vec![Monitor::new(Mute("a <b>")), Monitor::new(Mute("c"))], t0);
        targets.record_history(90, t0);
        let (up, down) = (ProbeResult::up(Duration::ZERO, "fine"), ProbeResult::down(Reason::Refused, "no"));
        let at = |s| t0.after(Duration::from_secs(s));
        targets.fire(targets.id(0), &up, t0);
        targets.fire(targets.id(1), &up, t0);
        targets.fire(targets.id(1), &down, at(49));
        targets.fire(targets.id(1), &down, at(50));
        targets
    }

    fn badge(query: &str, name: Option<&str>) -> Result<(String, String, &'static str), (u16, String)> {
        let t0 = test_now();
        let targets = targets(t0);
        let mut members =
            targets.list().iter().filter(|target| name.is_none_or(|name| target.name() == name));
        let made = Badge::new(query, name, targets.worst(), &mut members, t0.after(Duration::from_secs(99)));
        made.map(|badge| (badge.label, badge.message, badge.color.name())).map_err(|no| {
            assert_eq!(no.content_type, TEXT);
            (no.status, String::from_utf8(no.body).expect("text"))
        })
    }

    fn shown(
        label: &str,
        message: &str,
        color: &'static str,
    ) -> Result<(String, String, &'static str), (u16, String)> {
        Ok((label.to_owned(), message.to_owned(), color))
    }

    #[test]
    fn the_parameters_select_label_and_message() {
        assert_eq!(badge("", None), shown("status", "down", "red"));
        assert_eq!(badge("label=my+lab", Some("c")), shown("my lab", "down", "red"));
        assert_eq!(badge("label=", None), shown("", "down", "red"));
        assert_eq!(badge("uptime=30d", Some("a <b>")), shown("a <b> 30d", "100%", "brightgreen"));
        assert_eq!(badge("uptime=24h&label=x", Some("c")), shown("x", "50.5%", "red"));
        assert_eq!(badge("uptime=7d", None), shown("uptime 7d", "50.5%", "red"));
        assert_eq!(badge("uptime=90d", Some("none")), shown("none 90d", "no data", "lightgrey"));
        let long = badge(&format!("label={}%0a", "x".repeat(80)), None).expect("a badge").0;
        assert!(long.chars().count() <= LABEL_MAX + 1 && !long.contains('\n'), "{long}");
        let no = |line: &str| Err((400, format!("{line}\n")));
        for window in ["", "30", "1d", "30D", "365d"] {
            assert_eq!(badge(&format!("uptime={window}"), None), no("uptime must be 24h, 7d, 30d or 90d"));
        }
        assert_eq!(badge("label=%ff", None), no("label is not well encoded"));
    }

    #[test]
    fn paused_targets_are_left_out() {
        let t0 = test_now();
        let mut targets = targets(t0);
        targets.pause(&[targets.id(1)], None, t0.after(Duration::from_secs(60)));
        let at = t0.after(Duration::from_secs(99));
        let message = |query| {
            let badge = Badge::new(query, None, targets.worst(), &mut targets.list().iter(), at);
            badge.expect("a badge").message
        };
        assert_eq!((message(""), message("uptime=24h")), ("up".to_owned(), "100%".to_owned()));
        let mut paused = targets.list()[1..].iter();
        let badge = Badge::new("", Some("c"), State::Unknown, &mut paused, at).expect("a badge");
        assert_eq!((&*badge.message, badge.color), ("paused", Color::Grey));
    }

    #[test]
    fn the_json_is_that_of_the_schema() {
        let badge = Badge { label: "a \"b\"".to_owned(), message: "up".to_owned(), color: Color::Green };
        let response = badge.json();
        assert_eq!(response.content_type, JSON);
        let expected = "{\n  \"schemaVersion\": 1,\n  \"label\": \"a \\\"b\\\"\",\n  \"message\": \"up\",\n  \
                        \"color\": \"brightgreen\"\n}\n";
        assert_eq!(String::from_utf8(response.body).expect("text"), expected);
    }

    #[test]
    fn the_image_is_escaped_and_its_parts_fit() {
        let badge = Badge { label: "\"<a>&".to_owned(), message: "no data".to_owned(), color: Color::Grey };
        let svg = badge.draw();
        let title = "&quot;&lt;a&gt;&amp;: no data";
        assert!(svg.contains(&format!("aria-label=\"{title}\"><title>{title}</title>")), "{svg}");
        assert_eq!(svg.matches('<').count(), svg.matches('>').count());
        assert!(!svg.contains("http") || svg.matches("http").count() == 1, "only the name space");
        let number = |key: &str| -> Vec<u32> {
            let attribute = format!(" {key}=\"");
            let parts = svg.split(&*attribute).skip(1);
            parts.map(|part| part.split('"').next().expect("a value").parse().expect("a number")).collect()
        };
        let (x, lengths, width) = (number("x"), number("textLength"), number("width")[0]);
        assert_eq!((x[0], x[1] - x[0], width), (5, lengths[0] + 10, x[1] + lengths[1] + 5));
        let alone = Badge { label: String::new(), ..badge };
        assert_eq!((alone.draw().matches("<text").count(), alone.draw().matches("<path").count()), (1, 0));
        assert!(alone.draw().contains("<title>no data</title>"));
    }

    #[test]
    fn percentages_are_exact() {
        for (value, text) in [
            (10_000, "100%"),
            (9_999, "99.99%"),
            (9_950, "99.5%"),
            (9_905, "99.05%"),
            (1_000, "10%"),
            (0, "0%"),
        ] {
            assert_eq!(percent(value), text);
        }
    }
}
