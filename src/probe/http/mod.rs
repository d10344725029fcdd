//! The kinds http and https: one request, its redirects and its response.

mod attempt;
mod channel;
mod cookies;
mod exchange;
mod redirect;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use attempt::HttpAttempt;

use super::Attempt;
use super::build::{Check, Error, Plan, Settings, check_body, checked_headers, trust_of};
use crate::check::HttpCheck;
use crate::clock::Now;
use crate::wire::http::write::check_method;
use crate::wire::tls::TlsConfig;
use crate::wire::url::Url;

pub(super) fn build(url: Url, settings: Settings) -> Result<Arc<dyn Plan>, Error> {
    let Settings { method, max_body, timeout, .. } = settings;
    check_method(&method).map_err(Error::Method)?;
    if method == "CONNECT" {
        return Err(Error::Method("CONNECT asks for a tunnel, not for a response".to_owned()));
    }
    let check = match settings.check {
        Check::Spec(spec) => HttpCheck::parse(&spec).map_err(Error::Check)?,
        Check::Response(check) => HttpCheck::Custom(check),
        Check::Banner(_) => {
            return Err(Error::Check("a check of banners belongs to tcp, not http".to_owned()));
        }
    };
    check_body(&check, &method, max_body)?;
    let headers = checked_headers(settings.headers)?;
    let tls = match settings.trust {
        Some(trust) => Some(trust.0),
        None => trust_of(url.scheme, settings.verify, &settings.ca_pem)?,
    };
    let follow = if settings.follow { Follow::Always } else { Follow::Never };
    let content = Vec::new();
    Ok(Arc::new(HttpPlan { url, method, headers, content, check, max_body, follow, tls, timeout }))
}

pub(crate) struct HttpPlan {
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

impl Plan for HttpPlan {
    fn begin(self: Arc<Self>, now: Now) -> Box<dyn Attempt> {
        Box::new(HttpAttempt::new(self, now))
    }
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
