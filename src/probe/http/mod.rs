//! The http and https probe: one request, its redirects and its answer.

mod attempt;
mod channel;
mod exchange;
mod redirect;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::{Attempt, Probe};
use crate::check::HttpCheck;
use crate::clock::Now;
use crate::wire::tls::TlsConfig;
use crate::wire::url::Url;

/// What to try: shared by all tries of one target.
#[derive(Clone, Debug)]
pub(crate) struct HttpPlan {
    pub(crate) name: String,
    /// Of http or https.
    pub(crate) url: Url,
    pub(crate) method: Cow<'static, str>,
    /// What the user adds to the request.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) check: HttpCheck,
    /// How many bytes of a body are kept for the check.
    pub(crate) max_body: usize,
    /// Whether redirects are followed.
    pub(crate) follow: bool,
    /// For https, whether in the URL or in a redirect; `None` in a build without TLS.
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) timeout: Duration,
}

/// A target that is healthy if it answers a request as it should.
#[derive(Clone, Debug)]
pub(crate) struct HttpProbe {
    plan: Arc<HttpPlan>,
    target: String,
}

impl HttpProbe {
    pub(crate) fn new(plan: HttpPlan) -> Self {
        HttpProbe { target: plan.url.to_string(), plan: Arc::new(plan) }
    }
}

impl Probe for HttpProbe {
    fn name(&self) -> &str {
        &self.plan.name
    }

    fn target(&self) -> &str {
        &self.target
    }

    fn timeout(&self) -> Duration {
        self.plan.timeout
    }

    fn begin(&self, now: Now) -> Box<dyn Attempt> {
        Box::new(attempt::HttpAttempt::new(self.plan.clone(), now))
    }
}
