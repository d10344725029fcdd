//! The way to a probe: say what to probe and how, and have it checked as a whole.

mod built;
mod error;
mod rules;
#[cfg(test)]
mod tests;
mod trust;
mod webhook;

pub use built::NetProbe;
pub use error::Error;
pub use rules::NAME_MAX;
pub use trust::TlsTrust;
pub(crate) use webhook::DELIVERY_TIMEOUT;
pub use webhook::Webhook;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::http::{Follow, HttpPlan};
use super::tcp::TcpPlan;
use crate::check::{BannerVerdict, CheckVerdict, HttpResponse};
use crate::wire::http::write::check_method;
use crate::wire::url::{Scheme, Url};
use built::Plan;
use rules::{Check, check_body, checked_headers, checked_name};

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

/// Describes a target: `protocol` is `tcp`, `http` or `https`; `address` a name or an IP address, of
/// which an IPv6 one may stand in brackets; without a port (`None`), http has 80, the others 443. What
/// is wrong with them is told by [`ProbeBuilder::build`].
///
/// ```
/// # use std::net::TcpListener;
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// use pingstate::{Probe, probe};
///
/// let result = probe("tcp", "localhost", port).build()?.check();
/// assert_eq!((result.ok, &*result.detail), (true, "connect ok"));
///
/// assert_eq!(probe("http", "::1", None).build()?.name(), "[::1]:80");
/// assert!(probe("gopher", "localhost", 70).build().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn probe(protocol: &str, address: &str, port: impl Into<Option<u16>>) -> ProbeBuilder {
    let scheme = Scheme::parse(protocol).map_err(Error::Protocol);
    ProbeBuilder::new(scheme.and_then(|scheme| {
        let port = port.into().unwrap_or(scheme.default_port().unwrap_or(443));
        if port == 0 {
            return Err(Error::Port("must be between 1 and 65535".to_owned()));
        }
        Url::new(scheme, address, port, "").map_err(Error::Address)
    }))
}

/// A probe in the making. What is said is checked by [`ProbeBuilder::build`]; what is about http is
/// passed over for a tcp target.
///
/// ```
/// # use std::{io::{Read, Write}, net::TcpListener, thread};
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// # thread::spawn(move || for mut peer in listener.incoming().flatten() {
/// #     let _ = peer.read(&mut [0; 1024]);
/// #     let _ = peer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
/// # });
/// use pingstate::{ProbeBuilder, probe};
/// use std::time::Duration;
///
/// let probe = probe("http", "localhost", port)
///     .path("/v1/ping?deep=1")
///     .check("status:200,204")
///     .timeout(Duration::from_millis(1500))
///     .method("POST")
///     .header("Authorization", "Bearer 1234")
///     .follow_redirects(false)
///     .name("api")
///     .build()?;
/// assert_eq!(probe.check().detail, "HTTP 204");
///
/// let same = ProbeBuilder::from_url(&format!("http://localhost:{port}/v1/ping?deep=1")).build()?;
/// assert!(same.check().ok);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub struct ProbeBuilder {
    url: Result<Url, Error>,
    path: Option<String>,
    check: Check,
    timeout: Option<Duration>,
    verify: bool,
    ca_pem: Vec<u8>,
    trust: Option<TlsTrust>,
    method: Cow<'static, str>,
    headers: Vec<(String, String)>,
    max_body: usize,
    follow: bool,
    name: Option<String>,
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
    /// far as [`ProbeBuilder::max_body`]) that says `bool` or `(bool, detail)`. It runs on the loop: it
    /// must not block. A panic in it is a failed check.
    ///
    /// ```
    /// # use std::{io::{Read, Write}, net::TcpListener, thread};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// # thread::spawn(move || for mut peer in listener.incoming().flatten() {
    /// #     let _ = peer.read(&mut [0; 1024]);
    /// #     let _ = peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nqueue: 3");
    /// # });
    /// use pingstate::probe;
    ///
    /// let probe = probe("http", "127.0.0.1", port)
    ///     .check_response(|response| (response.body.ends_with(b" 3"), response.text().into_owned()))
    ///     .build()?;
    /// assert_eq!(probe.check().detail, "queue: 3");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check_response<F, J>(mut self, check: F) -> Self
    where
        F: Fn(&HttpResponse) -> J + Send + Sync + 'static,
        J: Into<CheckVerdict>,
    {
        self.check = Check::Response(Arc::new(move |response| check(response).into()));
        self
    }

    /// What makes a tcp target healthy, as a closure over the bytes received so far that says a
    /// [`Banner`](crate::check::Banner) or one with a detail. It is asked again with all of them
    /// whenever more have come, as far as 4096. It runs on the loop: it must not block. A panic in it
    /// is a failed check.
    ///
    /// ```
    /// # use std::{io::Write, net::TcpListener, thread};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// # thread::spawn(move || for mut peer in listener.incoming().flatten() {
    /// #     let _ = peer.write_all(b"SSH-2.0-OpenSSH_9.9\r\n");
    /// # });
    /// use pingstate::{Banner, probe};
    ///
    /// let probe = probe("tcp", "127.0.0.1", port)
    ///     .check_banner(|heard| match heard {
    ///         [b'S', b'S', b'H', b'-', ..] => (Banner::Yes, "an SSH server"),
    ///         _ if b"SSH-".starts_with(heard) => (Banner::More, ""),
    ///         _ => (Banner::No, "something else"),
    ///     })
    ///     .build()?;
    /// assert_eq!(probe.check().detail, "an SSH server");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check_banner<F, J>(mut self, check: F) -> Self
    where
        F: Fn(&[u8]) -> J + Send + Sync + 'static,
        J: Into<BannerVerdict>,
    {
        self.check = Check::Banner(Arc::new(move |heard| check(heard).into()));
        self
    }

    /// The time one check may take in all, at most [`TIMEOUT_MAX`]. Unless told otherwise
    /// [`TCP_TIMEOUT`] or [`HTTP_TIMEOUT`]. Resolving, connecting, redirects and the body are in it.
    ///
    /// ```
    /// use pingstate::{Error, HTTP_TIMEOUT, Probe, TCP_TIMEOUT, TIMEOUT_MAX, probe};
    ///
    /// assert_eq!(probe("tcp", "localhost", 22).build()?.timeout(), TCP_TIMEOUT);
    /// assert_eq!(probe("http", "localhost", None).build()?.timeout(), HTTP_TIMEOUT);
    /// assert!(matches!(probe("tcp", "localhost", 22).timeout(TIMEOUT_MAX * 2).build(), Err(Error::Timeout(_))));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Whether the target's certificate must be valid: it must, unless told otherwise.
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
    pub fn trust(mut self, trust: &TlsTrust) -> Self {
        self.trust = Some(trust.clone());
        self
    }

    /// The request's method: `GET` unless told otherwise.
    pub fn method(mut self, method: &str) -> Self {
        self.method = Cow::Owned(method.to_owned());
        self
    }

    /// A header field to send; it replaces a default one of that name. `Authorization`, `Cookie` and
    /// `Host` are for the target only, and not for whom it redirects to. At most 64 of them, with
    /// 16 KiB in all.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How many bytes of a body are read for the check: [`BODY_DEFAULT`] unless told otherwise, at most
    /// [`BODY_MAX`].
    ///
    /// ```
    /// use pingstate::{BODY_DEFAULT, BODY_MAX, probe};
    ///
    /// assert_eq!((BODY_DEFAULT, BODY_MAX), (64 * 1024, 16 * 1024 * 1024));
    /// assert!(probe("http", "localhost", 80).max_body(BODY_MAX).build().is_ok());
    /// assert!(probe("http", "localhost", 80).max_body(BODY_MAX + 1).build().is_err());
    /// ```
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Whether redirects are followed: at most 10 are, unless told otherwise.
    pub fn follow_redirects(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }

    /// What the probe is called, in at most [`NAME_MAX`] printable characters: `HOST:PORT` unless told
    /// otherwise.
    ///
    /// ```
    /// use pingstate::{NAME_MAX, Probe, probe};
    ///
    /// assert_eq!(probe("tcp", "localhost", 22).build()?.name(), "localhost:22");
    /// assert!(probe("tcp", "localhost", 22).name(&"x".repeat(NAME_MAX + 1)).build().is_err());
    /// # Ok::<(), pingstate::Error>(())
    /// ```
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The probe.
    ///
    /// # Errors
    /// What is wrong with the description: the first thing found.
    pub fn build(self) -> Result<NetProbe, Error> {
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
            let plan = TcpPlan { name, url, check, timeout };
            return Ok(NetProbe::new(Plan::Tcp(Arc::new(plan))));
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
        let (method, max_body) = (self.method, self.max_body);
        let follow = if self.follow { Follow::Always } else { Follow::Never };
        let content = Vec::new();
        let plan = HttpPlan { name, url, method, headers, content, check, max_body, follow, tls, timeout };
        Ok(NetProbe::new(Plan::Http(Arc::new(plan))))
    }
}

impl fmt::Debug for ProbeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold secrets.
        f.debug_struct("ProbeBuilder").field("url", &self.url).finish_non_exhaustive()
    }
}
