//! The http and https probe: one request, its redirects and its response.

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

/// The settings of an http or https probe, shared by all attempts of one target.
#[derive(Debug)]
pub(crate) struct HttpPlan {
    pub(crate) name: String,
    /// The scheme is http or https.
    pub(crate) url: Url,
    pub(crate) method: Cow<'static, str>,
    /// The user's header fields.
    pub(crate) headers: Vec<(String, String)>,
    /// The request's body. If it is not empty, `headers` has its `Content-Length`.
    pub(crate) content: Vec<u8>,
    pub(crate) check: HttpCheck,
    /// The limit of the response's body, in bytes.
    pub(crate) max_body: usize,
    pub(crate) follow: Follow,
    /// For https, in the URL or in a redirect; `None` in a build without TLS.
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) timeout: Duration,
}

/// Which redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// None: a redirect is checked like any other response.
    Never,
    Always,
    /// Redirects that keep the method and the body (307 and 308, RFC 9110 section 15.4); others are failures.
    SameMethod,
}
