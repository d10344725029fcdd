//! Webhooks: one HTTP POST for each state change.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Error, TlsTrust, trust};
use crate::check::HttpCheck;
use crate::clock::Now;
use crate::probe::Attempt;
use crate::probe::http::settings::checked_headers;
use crate::probe::http::{Follow, HttpAttempt, HttpPlan};
use crate::text::quote;
use crate::wire::tls::TlsConfig;
use crate::wire::url::{AUTHORIZATION_HINT, HTTP, HTTPS, Url};

pub(crate) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

const CONTENT_TYPE: &str = "Content-Type";

/// The key of the text, and the other keys of the JSON.
pub(crate) const TEXT: &str = "text";
pub(crate) const KEYS: [&str; 11] =
    ["ts", "target", "probe", "from", "to", "detail", "error", "latency_ms", "since_s", "reminder", "test"];

/// What a webhook posts: see [`Webhook::format`].
///
/// ```
/// use pingstate::{Error, Webhook, WebhookFormat};
///
/// let ntfy = Webhook::new("http://127.0.0.1:9000/alerts", None)?.format(WebhookFormat::Text);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WebhookFormat {
    /// An object with the change and a sentence in `text`.
    #[default]
    Json,
    /// The sentence alone.
    Text,
}

/// An HTTP endpoint that receives notifications: see [`Notifications::webhook`](crate::Notifications::webhook).
///
/// ```
/// use pingstate::{Error, Webhook};
///
/// let webhook = Webhook::new("http://127.0.0.1:9000/hooks/s3cret", None)?
///     .headers([("Authorization", "Bearer s3cret")])?
///     .text_key("content")?;
/// assert_eq!(format!("{webhook:?}"), "Webhook(http://127.0.0.1:9000)");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Webhook {
    url: Url,
    text: String,
    tls: Option<TlsConfig>,
    headers: Vec<(String, String)>,
    text_key: Option<String>,
    format: WebhookFormat,
}

impl Webhook {
    /// Accepts an http or https URL. Without `trust`, the certificate must chain to a built-in root.
    ///
    /// # Errors
    /// If the URL is invalid. The message does not repeat the path, which may be secret.
    pub fn new(url: &str, trust: Option<&TlsTrust>) -> Result<Self, Error> {
        Self::receiver(url, trust, "a hook that runs curl can send them")
    }

    /// `hint` is the remedy for a user and password in the URL.
    pub(super) fn receiver(url: &str, trust: Option<&TlsTrust>, hint: &str) -> Result<Self, Error> {
        let url = Url::parse(url, &[&HTTP, &HTTPS]).map_err(|message| {
            match message.strip_suffix(AUTHORIZATION_HINT) {
                // The hint is only valid for targets.
                Some(start) => Error::Url(format!("{start} ({hint})")),
                None => Error::Url(unquoted(&message)),
            }
        })?;
        let tls = match trust {
            Some(trust) => Some(trust.0.clone()),
            None => trust::config(url.scheme, true, &[])?,
        };
        Ok(Webhook {
            text: url.to_string(),
            url,
            tls,
            headers: Vec::new(),
            text_key: None,
            format: WebhookFormat::default(),
        })
    }

    /// Adds header fields, such as `Authorization`. They are not sent to other hosts that a redirect names.
    ///
    /// # Errors
    /// If one is invalid, or they exceed the limits of [`ProbeBuilder::header`](crate::ProbeBuilder::header).
    pub fn headers(
        mut self,
        fields: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Result<Self, Error> {
        self.headers.extend(fields.into_iter().map(|(name, value)| (name.into(), value.into())));
        self.headers = checked_headers(self.headers)?;
        Ok(self)
    }

    /// Repeats the text of the JSON under a second key, such as `content` for Discord or `message` for Gotify.
    /// Default: only `text`.
    ///
    /// # Errors
    /// If it is empty, longer than [`Webhook::TEXT_KEY_MAX`] bytes, contains control characters, or is one of
    /// the JSON's other keys.
    pub fn text_key(mut self, key: impl Into<String>) -> Result<Self, Error> {
        let key = key.into();
        if key.is_empty() || key.len() > Self::TEXT_KEY_MAX || key.chars().any(char::is_control) {
            let limit = Self::TEXT_KEY_MAX;
            return Err(Error::WebhookTextKey(format!(
                "must have 1 to {limit} bytes without control characters"
            )));
        }
        if KEYS.contains(&key.as_str()) {
            return Err(Error::WebhookTextKey(format!("{} has another meaning", quote(&key))));
        }
        self.text_key = (key != TEXT).then_some(key);
        Ok(self)
    }

    /// Default: [`WebhookFormat::Json`].
    #[must_use]
    pub fn format(mut self, format: WebhookFormat) -> Self {
        self.format = format;
        self
    }

    /// The longest key of [`Webhook::text_key`], in bytes.
    pub const TEXT_KEY_MAX: usize = 64;

    /// Whether it posts the same to the same receiver.
    pub(crate) fn is_same(&self, other: &Webhook) -> bool {
        let parts = |webhook: &Webhook| {
            (webhook.text.clone(), webhook.headers.clone(), webhook.text_key.clone(), webhook.format)
        };
        parts(self) == parts(other)
    }

    pub(crate) fn has_text_format(&self) -> bool {
        self.format == WebhookFormat::Text
    }

    pub(crate) fn second_key(&self) -> Option<&str> {
        self.text_key.as_deref()
    }

    pub(super) fn endpoint(&self) -> (Url, Option<TlsConfig>) {
        (self.url.clone(), self.tls.clone())
    }

    /// The full URL, which may be secret.
    pub(crate) fn key(&self) -> &str {
        &self.text
    }

    /// Replaces the parts of the URL's path in `text` with `…`: a redirect's URL may repeat a secret.
    pub(crate) fn redacted(&self, text: &str) -> String {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-._~%…".contains(c);
        let secrets: Vec<&str> = self.url.path.split(|c| !is_part(c)).filter(|part| part.len() > 3).collect();
        let is_secret = |part: &str| match part.strip_suffix('…') {
            Some(start) => !start.is_empty() && secrets.iter().any(|secret| secret.starts_with(start)),
            None => secrets.contains(&part),
        };
        let mut out = String::with_capacity(text.len());
        for part in text.split_inclusive(|c| !is_part(c)) {
            let (word, end) = match part.char_indices().next_back() {
                Some((at, c)) if !is_part(c) => part.split_at(at),
                _ => (part, ""),
            };
            out.push_str(if is_secret(word) { "…" } else { word });
            out.push_str(end);
        }
        out
    }

    /// The header fields of a request whose body has this type, unless one of them states the type.
    pub(super) fn fields(&self, content_type: Option<&str>) -> Vec<(String, String)> {
        let is_type = |(name, _): &(String, String)| name.eq_ignore_ascii_case(CONTENT_TYPE);
        let mut headers = self.headers.clone();
        if let Some(content_type) = content_type.filter(|_| !headers.iter().any(is_type)) {
            headers.push((CONTENT_TYPE.to_owned(), content_type.to_owned()));
        }
        headers
    }

    pub(crate) fn deliver(&self, body: String, now: Now) -> Box<dyn Attempt> {
        let content_type = match self.format {
            WebhookFormat::Json => "application/json",
            WebhookFormat::Text => "text/plain; charset=utf-8",
        };
        let headers = self.fields(Some(content_type));
        let plan = HttpPlan {
            url: self.url.clone(),
            method: Cow::Borrowed("POST"),
            headers,
            content: Some(body.into_bytes().into()),
            has_streamed_content: false,
            check: HttpCheck::default(),
            max_body: 0,
            follow: Follow::SameMethod,
            tls: self.tls.clone(),
            endpoint: None,
            cert_days: None,
            timeout: DELIVERY_TIMEOUT,
        };
        Box::new(HttpAttempt::new(Arc::new(plan), now))
    }
}

/// The URL without its path, which may be secret.
impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme.name, self.url.authority())
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({self})")
    }
}

/// Without the quoted part of the URL, unless that is the host, which is not secret.
fn unquoted(message: &str) -> String {
    if message.starts_with("host ") {
        return message.to_owned();
    }
    let (before, rest) = message.split_once('`').unwrap_or((message, ""));
    let after = rest.rsplit_once('`').map_or("", |(_, after)| after);
    let quoted = match rest.is_empty() {
        true => "",
        false if before.is_empty() || after.is_empty() => "it",
        false => "…",
    };
    format!("{before}{quoted}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_does_not_repeat_the_path() {
        let webhook = Webhook::new("http://h/hooks/T0ps3cret?token=s3cret.token", None).expect("a URL");
        for (text, shown) in [
            ("HTTP 302 to https://h:443/hooks/T0ps3cret/", "HTTP 302 to https://h:443/…/…/"),
            ("HTTP 302 to http://other:80/login", "HTTP 302 to http://other:80/login"),
            (
                "after redirect to https://h:443/a/T0ps3…: HTTP 404",
                "after redirect to https://h:443/a/…: HTTP 404",
            ),
            ("a bad Location 'T0ps3cret x?s3cret.token'", "a bad Location '… x?…'"),
            ("", ""),
        ] {
            assert_eq!(webhook.redacted(text), shown);
        }
    }

    #[test]
    fn an_error_does_not_repeat_the_url() {
        for (url, text) in [
            ("hooks.example.com/s3cret", "it is not a URL: it must begin with http:// or https://"),
            ("http://h/s3cret`x y", "a path cannot hold a space (write %20): it"),
            ("s3cret://h/", "it is not http or https"),
            ("http://h:s3cret/", "port … is not between 1 and 65535"),
            ("http://ntfy,sh/s3cret", "host `ntfy,sh` cannot hold `,`"),
            (
                "http://me:s3cret@h/",
                "a URL cannot hold a user or password (a hook that runs curl can send them)",
            ),
            ("HTTPS://s3cret@h", "a hook that runs curl can send them"),
            ("http://h/s3cret\n", ""),
        ] {
            let error = Webhook::new(url, None).expect_err(url);
            assert!(!error.message().contains("--header"), "{error}");
            assert!(!error.message().contains("s3cret") && error.message().contains(text), "{error}");
        }
    }

    #[test]
    fn invalid_keys_and_header_fields_are_refused() {
        let webhook = || Webhook::new("http://h/", None).expect("a URL");
        let limit = "k".repeat(Webhook::TEXT_KEY_MAX);
        for key in ["content", "a key", &limit] {
            assert_eq!(webhook().text_key(key).expect("valid").second_key(), Some(key));
        }
        assert_eq!(webhook().text_key("text").expect("valid").second_key(), None, "it is there already");
        for key in ["", "a\n", &(limit + "k"), "detail", "since_s", "test"] {
            assert_eq!(webhook().text_key(key).expect_err(key).field(), "webhook-text-key");
        }
        assert!(webhook().headers([("Title", "x"), ("Priority", "5")]).is_ok());
        for field in [("a:b", "x"), ("Content-Length", "1"), ("A", "x\ny")] {
            assert_eq!(webhook().headers([field]).expect_err("invalid").field(), "header", "{field:?}");
        }
    }
}
