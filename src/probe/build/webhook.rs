//! Webhooks: one HTTP POST for each state change.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Error, TlsTrust, trust};
use crate::check::HttpCheck;
use crate::clock::Now;
use crate::probe::Attempt;
use crate::probe::http::{Follow, HttpAttempt, HttpPlan};
use crate::wire::tls::TlsConfig;
use crate::wire::url::{AUTHORIZATION_HINT, HTTP, HTTPS, Url};

pub(crate) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// An HTTP endpoint that receives state changes: see [`Notifications::webhook`](crate::Notifications::webhook).
///
/// ```
/// use pingstate::{Error, Webhook};
///
/// let webhook = Webhook::new("http://127.0.0.1:9000/hooks/s3cret", None)?;
/// assert_eq!(format!("{webhook:?}"), "Webhook(http://127.0.0.1:9000)");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Webhook {
    url: Url,
    text: String,
    tls: Option<TlsConfig>,
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
        Ok(Webhook { text: url.to_string(), url, tls })
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

    pub(crate) fn deliver(&self, json: &str, now: Now) -> Box<dyn Attempt> {
        let plan = HttpPlan {
            url: self.url.clone(),
            method: Cow::Borrowed("POST"),
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            content: Some(json.as_bytes().into()),
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

fn unquoted(message: &str) -> String {
    let (before, rest) = message.split_once('`').unwrap_or((message, ""));
    let after = rest.rsplit_once('`').map_or("", |(_, after)| after);
    let quoted = if rest.is_empty() { "" } else { "it" };
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
}
