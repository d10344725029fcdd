//! The way to a probe: say what to probe and how, and have it checked as a whole.

mod error;
#[cfg(test)]
mod tests;
mod trust;

pub use error::Error;
pub use trust::Trust;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::http::{HttpPlan, HttpProbe};
use super::tcp::{TcpPlan, TcpProbe};
use super::{Attempt, Probe};
use crate::check::{BannerJudgement, HttpCheck, HttpClosure, HttpResponse, Judgement, TcpCheck, TcpClosure};
use crate::clock::Now;
use crate::verdict::printable;
use crate::wire::http::write::{check_method, parse_header};
use crate::wire::url::{Scheme, Url};

/// The time a tcp check may take unless told otherwise.
pub const TCP_TIMEOUT: Duration = Duration::from_secs(2);

/// The time an http or https check may take unless told otherwise.
pub const HTTP_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest time a check may take: more is a slip of the unit.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// How many bytes of a body are read unless told otherwise.
pub const BODY_DEFAULT: usize = 64 * 1024;

/// How many bytes of a body can be asked for at most: they are held in memory.
pub const BODY_MAX: usize = 16 * 1024 * 1024;

/// The longest name, in characters.
const NAME_MAX: usize = 128;

/// The most header fields, and the most bytes of them, that can be added: servers take little more.
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Describes a target: `protocol` is `tcp`, `http` or `https`; `address` a name or an IP address, of
/// which an IPv6 one may stand in brackets; without a port, http has 80, the others 443.
pub fn probe(protocol: &str, address: &str, port: impl Into<Option<u16>>) -> ProbeBuilder {
    let scheme = Scheme::parse(protocol).map_err(Error::Protocol);
    ProbeBuilder::new(scheme.and_then(|scheme| {
        let port = port.into().unwrap_or(scheme.default_port().unwrap_or(443));
        if port == 0 {
            return Err(Error::Port("must be between 1 and 65535".to_owned()));
        }
        let path = if scheme == Scheme::Tcp { "" } else { "/" };
        Url::new(scheme, address, port, path).map_err(Error::Address)
    }))
}

/// A probe in the making. What is said is checked by [`ProbeBuilder::build`]; what is about http is
/// passed over for a tcp target.
#[must_use]
pub struct ProbeBuilder {
    url: Result<Url, Error>,
    path: Option<String>,
    check: Check,
    timeout: Option<Duration>,
    verify: bool,
    ca_pem: Vec<u8>,
    trust: Option<Trust>,
    method: Cow<'static, str>,
    headers: Vec<(String, String)>,
    max_body: usize,
    follow: bool,
    name: Option<String>,
}

enum Check {
    Spec(String),
    Response(HttpClosure),
    Banner(TcpClosure),
}

impl ProbeBuilder {
    fn new(url: Result<Url, Error>) -> Self {
        ProbeBuilder {
            url,
            path: None,
            check: Check::Spec(String::new()),
            timeout: None,
            verify: true,
            ca_pem: Vec::new(),
            trust: None,
            method: Cow::Borrowed("GET"),
            headers: Vec::new(),
            max_body: BODY_DEFAULT,
            follow: true,
            name: None,
        }
    }

    /// Describes a target by its URL, such as `https://example.com/healthz` or `tcp://[::1]:22`.
    pub fn from_url(url: &str) -> Self {
        ProbeBuilder::new(Url::parse(url).map_err(Error::Url))
    }

    /// The path to ask for, with its query; a missing leading `/` is added.
    pub fn path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// What makes the target healthy, as a spec: `status_2xx`, `status:200,204`, `status:200-299`,
    /// `body_contains:TEXT` for http; `port_open`, `banner_contains:TEXT` for tcp.
    pub fn check(mut self, spec: &str) -> Self {
        self.check = Check::Spec(spec.to_owned());
        self
    }

    /// What makes an http target healthy, as a closure over its whole answer (body included, as
    /// far as [`ProbeBuilder::max_body`]) that says `bool` or `(bool, detail)`.
    pub fn check_response<F, J>(mut self, check: F) -> Self
    where
        F: Fn(&HttpResponse) -> J + Send + Sync + 'static,
        J: Into<Judgement>,
    {
        self.check = Check::Response(Arc::new(move |response| check(response).into()));
        self
    }

    /// What makes a tcp target healthy, as a closure over the bytes received so far that says a
    /// [`Banner`](crate::check::Banner) or one with a detail. It is asked again whenever more bytes
    /// have come.
    pub fn check_banner<F, J>(mut self, check: F) -> Self
    where
        F: Fn(&[u8]) -> J + Send + Sync + 'static,
        J: Into<BannerJudgement>,
    {
        self.check = Check::Banner(Arc::new(move |heard| check(heard).into()));
        self
    }

    /// The time one check may take in all, at most [`TIMEOUT_MAX`]. Unless told otherwise
    /// [`TCP_TIMEOUT`] or [`HTTP_TIMEOUT`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Whether the target's certificate must be valid.
    pub fn verify_tls(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Certificates (PEM) to trust beside the built-in roots.
    pub fn ca_pem(mut self, pem: &[u8]) -> Self {
        self.ca_pem = pem.to_vec();
        self
    }

    /// A trust made before: it takes the place of what [`ProbeBuilder::verify_tls`] and
    /// [`ProbeBuilder::ca_pem`] say, and many probes can share it.
    pub fn trust(mut self, trust: &Trust) -> Self {
        self.trust = Some(trust.clone());
        self
    }

    /// The request's method.
    pub fn method(mut self, method: &str) -> Self {
        self.method = Cow::Owned(method.to_owned());
        self
    }

    /// A header field to send; it replaces a default one of that name. `Authorization`, `Cookie` and
    /// `Host` are for the target only, and not for whom it redirects to.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How many bytes of a body are read for the check: [`BODY_DEFAULT`] unless told otherwise.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Whether redirects are followed.
    pub fn follow_redirects(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }

    /// What the probe is called: `HOST:PORT` unless told otherwise.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The probe, or what is wrong with its description.
    pub fn build(self) -> Result<BuiltProbe, Error> {
        let mut url = self.url?;
        let is_tcp = url.scheme == Scheme::Tcp;
        if let (Some(path), false) = (&self.path, is_tcp) {
            url = Url::new(url.scheme, &url.host, url.port, path).map_err(Error::Path)?;
        }
        let name = match self.name {
            Some(name) => checked_name(name)?,
            None => url.authority(),
        };
        let timeout = self.timeout.unwrap_or(if is_tcp { TCP_TIMEOUT } else { HTTP_TIMEOUT });
        if timeout.is_zero() || timeout > TIMEOUT_MAX {
            return Err(Error::Timeout("must be more than 0 and at most 3600 seconds".to_owned()));
        }
        if is_tcp {
            let check = self.check.for_tcp()?;
            return Ok(BuiltProbe(Kind::Tcp(TcpProbe::new(TcpPlan { name, url, check, timeout }))));
        }
        check_method(&self.method).map_err(Error::Method)?;
        if self.method == "CONNECT" {
            return Err(Error::Method("CONNECT asks for a tunnel, not for an answer".to_owned()));
        }
        let check = self.check.for_http()?;
        check_body(&check, &self.method, self.max_body)?;
        let headers = checked_headers(self.headers)?;
        let tls = match self.trust {
            Some(trust) => Some(trust.0),
            None => trust::of(url.scheme, self.verify, &self.ca_pem)?,
        };
        let (method, max_body, follow) = (self.method, self.max_body, self.follow);
        let plan = HttpPlan { name, url, method, headers, check, max_body, follow, tls, timeout };
        Ok(BuiltProbe(Kind::Http(HttpProbe::new(plan))))
    }
}

impl Check {
    fn for_http(self) -> Result<HttpCheck, Error> {
        match self {
            Check::Spec(spec) => HttpCheck::parse(&spec).map_err(Error::Check),
            Check::Response(check) => Ok(HttpCheck::Custom(check)),
            Check::Banner(_) => Err(Error::Check("a check of banners belongs to tcp, not http".to_owned())),
        }
    }

    fn for_tcp(self) -> Result<TcpCheck, Error> {
        match self {
            Check::Spec(spec) => TcpCheck::parse(&spec).map_err(Error::Check),
            Check::Banner(check) => Ok(TcpCheck::Custom(check)),
            Check::Response(_) => {
                Err(Error::Check("a check of responses belongs to http, not tcp".to_owned()))
            }
        }
    }
}

/// A name that can stand in a log line and in the API.
fn checked_name(name: String) -> Result<String, Error> {
    if name.trim().is_empty() {
        return Err(Error::Name("is empty".to_owned()));
    }
    if printable(&name, NAME_MAX) != name {
        return Err(Error::Name(format!("must be printable and at most {NAME_MAX} characters long")));
    }
    Ok(name)
}

fn checked_headers(headers: Vec<(String, String)>) -> Result<Vec<(String, String)>, Error> {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        let limits = format!("at most {HEADERS_MAX} headers of {HEADER_BYTES_MAX} bytes in all can be added");
        return Err(Error::Header(limits));
    }
    let checked = headers.into_iter().map(|(name, value)| {
        if name.contains(':') {
            return Err("a header name contains ':'".to_owned());
        }
        parse_header(&format!("{name}:{value}"))
    });
    checked.collect::<Result<_, _>>().map_err(Error::Header)
}

/// A check of the body needs one that can satisfy it.
fn check_body(check: &HttpCheck, method: &str, max_body: usize) -> Result<(), Error> {
    if max_body > BODY_MAX {
        return Err(Error::MaxBody(format!("can be at most {BODY_MAX}")));
    }
    let needed = check.body_min();
    if needed > 0 && method == "HEAD" {
        return Err(Error::Check("body_contains needs a body, and HEAD asks for none".to_owned()));
    }
    if needed > max_body {
        return Err(Error::MaxBody(format!("is less than the {needed} bytes that body_contains needs")));
    }
    Ok(())
}

impl fmt::Debug for ProbeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold secrets.
        f.debug_struct("ProbeBuilder").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A probe made by [`ProbeBuilder::build`]. Cheap to clone.
#[derive(Clone)]
pub struct BuiltProbe(Kind);

#[derive(Clone)]
enum Kind {
    Tcp(TcpProbe),
    Http(HttpProbe),
}

impl BuiltProbe {
    fn kind(&self) -> &dyn Probe {
        match &self.0 {
            Kind::Tcp(probe) => probe,
            Kind::Http(probe) => probe,
        }
    }
}

impl Probe for BuiltProbe {
    fn name(&self) -> &str {
        self.kind().name()
    }

    fn target(&self) -> &str {
        self.kind().target()
    }

    fn timeout(&self) -> Duration {
        self.kind().timeout()
    }

    fn begin(&self, now: Now) -> Box<dyn Attempt> {
        self.kind().begin(now)
    }
}

impl fmt::Debug for BuiltProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuiltProbe").field("name", &self.name()).field("target", &self.target()).finish()
    }
}
