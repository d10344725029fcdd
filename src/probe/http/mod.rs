//! The kinds http and https: one request, its redirects and its response.

mod attempt;
mod cookies;
mod exchange;
mod redirect;
pub(in crate::probe) mod settings;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use attempt::HttpAttempt;

use super::Attempt;
use super::build::{Plan, ProbeBuilder};
use super::cert_days::CertDays;
use super::endpoint::Endpoint;
use super::kinds::Info;
use crate::check::HttpCheck;
use crate::clock::Now;
use crate::wire::tls::TlsConfig;
use crate::wire::url::{self, Url};

pub(super) static HTTP: Info = Info::new(&url::HTTP, 80, ProbeBuilder::HTTP_TIMEOUT, settings::build);

pub(super) static HTTPS: Info = Info::new(&url::HTTPS, 443, ProbeBuilder::HTTP_TIMEOUT, settings::build);

pub(crate) struct HttpPlan {
    pub(crate) url: Url,
    pub(crate) method: Cow<'static, str>,
    pub(crate) headers: Vec<(String, String)>,
    /// The request's body.
    pub(crate) content: Option<Arc<[u8]>>,
    /// Instead, the body is requested with [`Output::Content`](super::Output::Content). Redirects are not followed.
    pub(crate) has_streamed_content: bool,
    pub(crate) check: HttpCheck,
    pub(crate) max_body: usize,
    pub(crate) follow: Follow,
    /// `None` in a build without TLS.
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) endpoint: Option<Box<Endpoint>>,
    pub(crate) cert_days: Option<CertDays>,
    pub(crate) timeout: Duration,
}

impl HttpPlan {
    /// It applies to the target itself, not to redirects to other hosts.
    fn endpoint(&self, url: &Url) -> Option<&Endpoint> {
        self.endpoint.as_deref().filter(|_| redirect::same_origin(url, &self.url))
    }
}

impl Plan for HttpPlan {
    fn begin(self: Arc<Self>, now: Now) -> Box<dyn Attempt> {
        Box::new(HttpAttempt::new(self, now))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    Never,
    Always,
    /// 307 and 308 keep the method and the body; others are failures.
    SameMethod,
}
