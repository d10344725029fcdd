//! The http and https probe: one request, its redirects and its answer.

mod attempt;
mod channel;
mod cookies;
mod exchange;
mod redirect;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::time::Duration;

pub(crate) use attempt::HttpAttempt;

use crate::check::HttpCheck;
use crate::wire::tls::TlsConfig;
use crate::wire::url::Url;

/// What to try: shared by all tries of one target.
#[derive(Debug)]
pub(crate) struct HttpPlan {
    pub(crate) name: String,
    /// Of http or https.
    pub(crate) url: Url,
    pub(crate) method: Cow<'static, str>,
    /// What the user adds to the request.
    pub(crate) headers: Vec<(String, String)>,
    /// What follows the request's head. Its length is among the headers, if there is any.
    pub(crate) content: Vec<u8>,
    pub(crate) check: HttpCheck,
    /// How many bytes of a body are kept for the check.
    pub(crate) max_body: usize,
    pub(crate) follow: Follow,
    /// For https, whether in the URL or in a redirect; `None` in a build without TLS.
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) timeout: Duration,
}

/// Which redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// None: a redirect is an answer like any other.
    Never,
    Always,
    /// Those that keep the method and the body (307 and 308, RFC 9110 section 15.4); others are failures.
    SameMethod,
}
