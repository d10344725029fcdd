//! The text of a notification, and the body of a webhook.

use serde_core::ser::{Serialize, SerializeMap, Serializer};

use super::transition::{Transition, line};
use crate::fsm::State;
use crate::probe::build::{TEXT, Webhook};
use crate::probe::durations::long;

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The state before, which may differ from that of the transition if changes were merged.
    Change {
        previous: State,
    },
    /// Its number, from 1.
    Reminder(u32),
    Test,
}

/// One sentence, such as `web is down: connection refused by 192.0.2.7:443`.
pub(crate) fn sentence(transition: &Transition<'_>, occasion: Occasion) -> String {
    let Transition { name, to, .. } = transition;
    let detail = neutralized(transition.detail.unwrap_or_default());
    let duration = || long(transition.previous_state_duration);
    match occasion {
        Occasion::Change { previous: State::Down } if *to != State::Down => {
            format!("{name} is {to}: {detail} (was down for {})", duration())
        }
        Occasion::Change { .. } => format!("{name} is {to}: {detail}"),
        Occasion::Reminder(_) => format!("{name} is still {to} after {}: {detail}", duration()),
        Occasion::Test => format!("{name}: {detail}"),
    }
}

/// Replaces the characters that chat services interpret as mentions or markup by their full-width forms: the detail
/// may contain text from the network.
fn neutralized(detail: &str) -> String {
    let full_width = |c| match c {
        '@' => '\u{ff20}',
        '<' => '\u{ff1c}',
        '>' => '\u{ff1e}',
        '&' => '\u{ff06}',
        c => c,
    };
    detail.chars().map(full_width).collect()
}

/// The body that a webhook posts.
pub(crate) fn message(webhook: &Webhook, transition: Transition<'_>, occasion: Occasion) -> String {
    let text = sentence(&transition, occasion);
    match webhook.has_text_format() {
        true => text,
        false => line(&Message { transition, text: &text, text_key: webhook.second_key(), occasion }),
    }
}

struct Message<'a> {
    transition: Transition<'a>,
    text: &'a str,
    /// Another key for the text.
    text_key: Option<&'a str>,
    occasion: Occasion,
}

impl Serialize for Message<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(None)?;
        self.transition.write(&mut out)?;
        out.serialize_entry(TEXT, self.text)?;
        if let Some(key) = self.text_key {
            out.serialize_entry(key, self.text)?;
        }
        match self.occasion {
            Occasion::Change { .. } => {}
            Occasion::Reminder(number) => out.serialize_entry("reminder", &number)?,
            Occasion::Test => out.serialize_entry("test", &true)?,
        }
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::result::Reason;

    fn transition(from: State, to: State) -> Transition<'static> {
        Transition {
            ts: Duration::from_secs(7),
            name: "web",
            url: Some("tcp://192.0.2.7:443"),
            from,
            to,
            detail: Some("connection refused by 192.0.2.7:443"),
            error: Some(Reason::Refused),
            latency: None,
            previous_state_duration: Duration::from_secs(200),
        }
    }

    #[test]
    fn the_sentence_says_what_happened() {
        let (up, down) = (transition(State::Down, State::Up), transition(State::Up, State::Down));
        let change = |previous| Occasion::Change { previous };
        let detail = "connection refused by 192.0.2.7:443";
        assert_eq!(sentence(&down, change(State::Up)), format!("web is down: {detail}"));
        assert_eq!(
            sentence(&up, change(State::Down)),
            format!("web is up: {detail} (was down for 3 m 20 s)")
        );
        // Merged: how long it was down is not known.
        assert_eq!(sentence(&up, change(State::Degraded)), format!("web is up: {detail}"));
        assert_eq!(
            sentence(&down, Occasion::Reminder(2)),
            format!("web is still down after 3 m 20 s: {detail}")
        );
    }

    #[test]
    fn text_from_the_network_contains_no_mention_or_markup() {
        let detail = "HTTP 500: <!channel> @everyone &amp;";
        let text = sentence(
            &Transition { detail: Some(detail), ..transition(State::Up, State::Down) },
            Occasion::Change { previous: State::Up },
        );
        assert_eq!(text, "web is down: HTTP 500: \u{ff1c}!channel\u{ff1e} \u{ff20}everyone \u{ff06}amp;");
    }

    #[test]
    fn the_body_has_the_text_under_its_keys() {
        let body = |text_key, occasion| {
            let transition = transition(State::Up, State::Down);
            line(&Message { transition, text: "a \"text\"", text_key, occasion })
        };
        let plain = line(&transition(State::Up, State::Down));
        let head = plain.strip_suffix('}').expect("an object");
        let change = Occasion::Change { previous: State::Up };
        assert_eq!(body(None, change), format!("{head},\"text\":\"a \\\"text\\\"\"}}"));
        let text = r#","text":"a \"text\"","content":"a \"text\"""#;
        assert_eq!(body(Some("content"), Occasion::Reminder(3)), format!("{head}{text},\"reminder\":3}}"));
        assert_eq!(body(Some("content"), Occasion::Test), format!("{head}{text},\"test\":true}}"));
    }
}
