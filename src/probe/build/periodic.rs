//! Requests that the daemon sends at an interval: pushed metrics, and requests that show that it runs.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Error, TlsTrust, Webhook};
use crate::check::HttpCheck;
use crate::clock::Now;
use crate::probe::Attempt;
use crate::probe::http::{Follow, HttpAttempt, HttpPlan};

const HINT: &str = "--push-header-file can send them to --push-url";

/// An HTTP endpoint that receives a request at an interval: see
/// [`ServerBuilder::push`](crate::ServerBuilder::push) and [`ServerBuilder::alive`](crate::ServerBuilder::alive).
///
/// ```
/// use pingstate::{Error, PeriodicRequest};
/// use std::time::Duration;
///
/// let request = PeriodicRequest::new("http://127.0.0.1:9091/metrics/job/pingstate", None)?
///     .headers([("Authorization", "Bearer s3cret")])?
///     .interval(Duration::from_secs(30))?;
/// assert_eq!(format!("{request:?}"), "PeriodicRequest(http://127.0.0.1:9091)");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct PeriodicRequest {
    receiver: Webhook,
    interval: Option<Duration>,
}

impl PeriodicRequest {
    /// The time limit of each request.
    pub const TIMEOUT: Duration = Duration::from_secs(10);
    /// The shortest interval.
    pub const INTERVAL_MIN: Duration = Duration::from_secs(1);
    /// The longest interval.
    pub const INTERVAL_MAX: Duration = Duration::from_secs(24 * 3600);

    /// Accepts an http or https URL. Without `trust`, the certificate must chain to a built-in root.
    ///
    /// # Errors
    /// If the URL is invalid. The message does not repeat the path, which may be secret.
    pub fn new(url: &str, trust: Option<&TlsTrust>) -> Result<Self, Error> {
        let receiver = Webhook::receiver(url, trust, HINT)?;
        Ok(PeriodicRequest { receiver, interval: None })
    }

    /// Adds header fields, such as `Authorization`.
    ///
    /// # Errors
    /// If one is invalid, or they exceed the limits of [`ProbeBuilder::header`](crate::ProbeBuilder::header).
    pub fn headers(
        mut self,
        fields: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Result<Self, Error> {
        self.receiver = self.receiver.headers(fields)?;
        Ok(self)
    }

    /// The time from one request to the next. While one is in flight, no other is sent. Default: 15 s for
    /// [`ServerBuilder::push`](crate::ServerBuilder::push), 60 s for
    /// [`ServerBuilder::alive`](crate::ServerBuilder::alive).
    ///
    /// # Errors
    /// If it is not between [`PeriodicRequest::INTERVAL_MIN`] and [`PeriodicRequest::INTERVAL_MAX`].
    pub fn interval(mut self, interval: Duration) -> Result<Self, Error> {
        if !(Self::INTERVAL_MIN..=Self::INTERVAL_MAX).contains(&interval) {
            let max = Self::INTERVAL_MAX.as_secs();
            return Err(Error::Interval(format!("must be between 1 and {max} seconds")));
        }
        self.interval = Some(interval);
        Ok(self)
    }

    pub(crate) fn interval_or(&self, default: Duration) -> Duration {
        self.interval.unwrap_or(default)
    }

    /// Replaces the parts of the URL's path, which may be secret.
    pub(crate) fn redacted(&self, text: &str) -> String {
        self.receiver.redacted(text)
    }

    /// A POST whose body is requested with [`Output::Content`](crate::Output::Content).
    pub(crate) fn post(&self, content_type: &str, now: Now) -> Box<dyn Attempt> {
        let headers = self.receiver.fields(Some(content_type));
        self.begin("POST", headers, now)
    }

    pub(crate) fn get(&self, now: Now) -> Box<dyn Attempt> {
        self.begin("GET", self.receiver.fields(None), now)
    }

    fn begin(&self, method: &'static str, headers: Vec<(String, String)>, now: Now) -> Box<dyn Attempt> {
        let (url, tls) = self.receiver.endpoint();
        let plan = HttpPlan {
            url,
            method: Cow::Borrowed(method),
            headers,
            content: None,
            has_streamed_content: method == "POST",
            check: HttpCheck::default(),
            max_body: 0,
            follow: Follow::Never,
            tls,
            endpoint: None,
            cert_days: None,
            timeout: Self::TIMEOUT,
        };
        Box::new(HttpAttempt::new(Arc::new(plan), now))
    }
}

/// The URL without its path, which may be secret.
impl fmt::Display for PeriodicRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.receiver.fmt(f)
    }
}

impl fmt::Debug for PeriodicRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeriodicRequest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_settings_are_refused_without_the_path() {
        let error = PeriodicRequest::new("http://me:s3cret@h/", None).expect_err("credentials");
        assert!(error.message().ends_with(&format!("({HINT})")), "{error}");
        let error = PeriodicRequest::new("ftp://h/s3cret", None).expect_err("a scheme");
        assert!(!error.message().contains("s3cret"), "{error}");
        let request = || PeriodicRequest::new("http://h/s3cret", None).expect("a URL");
        assert_eq!(request().to_string(), "http://h:80");
        for (millis, is_valid) in [(999, false), (1000, true), (86_400_000, true), (86_400_001, false)] {
            assert_eq!(request().interval(Duration::from_millis(millis)).is_ok(), is_valid, "{millis}");
        }
        for field in [("Transfer-Encoding", "x"), ("a:b", "x"), ("A", "x\ny")] {
            assert_eq!(request().headers([field]).expect_err("invalid").field(), "header", "{field:?}");
        }
    }
}
