//! Building a probe from its settings, with validation of all of them in one place.

mod built;
mod error;
mod network;
mod periodic;
mod ping;
mod request;
mod settings;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;
mod trust;
mod webhook;

pub use built::NetProbe;
pub(crate) use built::Plan;
pub use error::Error;
#[cfg(feature = "cli")]
pub(crate) use network::check_interface;
pub use periodic::PeriodicRequest;
pub(crate) use ping::PingSettings;
pub(crate) use settings::Settings;
pub use trust::TlsTrust;
pub(crate) use webhook::{DELIVERY_TIMEOUT, TEXT};
pub use webhook::{Webhook, WebhookFormat};

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::heartbeat::HeartbeatSettings;
use super::kinds::{self, Kind};
use crate::check::{BannerVerdict, CheckVerdict, HttpClosure, HttpResponse, TcpClosure};
use crate::text::printable;
use crate::wire::url::{Form, Url};
use trust::TlsSettings;

/// Starts to build a probe: `protocol` is `tcp`, `http`, `https`, `tls`, `icmp` or `dns`; `address` is a name or an IP
/// address (IPv6 with or without brackets). Default port: 80 for http, 443 for tcp, https and tls; icmp has none. For
/// `dns`, `address` is what follows `dns:` in a URL, and there is no port.
/// [`ProbeBuilder::build`] reports errors.
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
    let kind = Kind::parse(protocol).map_err(Error::Protocol);
    ProbeBuilder::new(kind.and_then(|kind| {
        let port = match (port.into(), kind.scheme().has_port()) {
            (Some(0), true) => return Err(Error::Port("must be between 1 and 65535".to_owned())),
            (Some(_), false) => return Err(Error::Port(format!("does not apply to {}", kind.name()))),
            (port, _) => port.unwrap_or(kind.port()),
        };
        let url = Url::new(kind.scheme(), address, port, "").map_err(Error::Address)?;
        Ok((kind, url))
    }))
}

/// A builder of probes. [`ProbeBuilder::build`] validates the settings; one that does not apply to the
/// protocol is an error.
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
///     .max_body(8192)
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
    url: Result<(Kind, Url), Error>,
    path: Option<String>,
    name: Option<String>,
    pub(super) settings: Settings,
    /// These replace the checks of `settings`.
    pub(super) check_response: Option<HttpClosure>,
    pub(super) check_banner: Option<TcpClosure>,
    pub(super) tls: TlsSettings,
    pub(super) heartbeat: HeartbeatSettings,
}

impl ProbeBuilder {
    /// The default timeout of a tcp check: 2 s.
    pub const TCP_TIMEOUT: Duration = Duration::from_secs(2);

    /// The default timeout of an http or https check: 5 s.
    pub const HTTP_TIMEOUT: Duration = Duration::from_secs(5);

    /// The default timeout of a tls check: 5 s.
    pub const TLS_TIMEOUT: Duration = Duration::from_secs(5);

    /// The default timeout of an exec check: 10 s.
    pub const EXEC_TIMEOUT: Duration = Duration::from_secs(10);

    /// The default timeout of a dns check: 5 s.
    pub const DNS_TIMEOUT: Duration = Duration::from_secs(5);

    /// The longest grace of a heartbeat: ten years.
    pub const GRACE_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

    /// The longest timeout of a check, one hour: a longer one is probably in the wrong unit.
    pub const TIMEOUT_MAX: Duration = Duration::from_secs(3600);

    /// The default limit of a response body: 64 KiB.
    pub const BODY_DEFAULT: usize = 64 * 1024;

    /// The highest limit of a response body: 16 MiB. The body is held in memory.
    pub const BODY_MAX: usize = 16 * 1024 * 1024;

    /// The most checks of a probe.
    pub const CHECKS_MAX: usize = crate::check::CHECKS_MAX;

    /// The longest name of a probe, in characters.
    pub const NAME_MAX: usize = 128;

    fn new(url: Result<(Kind, Url), Error>) -> Self {
        ProbeBuilder {
            url,
            path: None,
            name: None,
            settings: Settings::default(),
            check_response: None,
            check_banner: None,
            tls: TlsSettings::default(),
            heartbeat: HeartbeatSettings::default(),
        }
    }

    /// Starts with a URL, such as `https://example.com/healthz` or `tcp://[::1]:22`.
    pub fn from_url(url: &str) -> Self {
        ProbeBuilder::new(kinds::parse_url(url).map_err(Error::Url))
    }

    /// The path to request, with its query; a missing leading `/` is added.
    pub fn path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    #[cfg(feature = "cli")]
    pub(crate) fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Adds a check, as a spec: `status_2xx`, `status:200,204`, `status:200-299`, `body_contains:TEXT`,
    /// `header:NAME`, `header:NAME=TEXT`, `header:NAME~TEXT` (contains), `json:/POINTER` and `json:/POINTER < 80` (or
    /// `=`, `!=`, `<=`, `>`, `>=`, `~`; RFC 6901) for http; `port_open`, `banner_contains:TEXT` for tcp and tls;
    /// `rcode:NXDOMAIN`, `answer:RECORD,RECORD`, `answer_contains:TEXT` for dns. `not:` before a check negates it. All
    /// must pass; they are evaluated in the order of the calls, and the first that fails gives the detail. If no check
    /// is about the status of an http target, it must be 200 to 299. At most [`ProbeBuilder::CHECKS_MAX`] checks.
    ///
    /// It replaces a closure.
    ///
    /// ```
    /// # use std::{io::{Read, Write}, net::TcpListener, thread};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// # thread::spawn(move || for mut peer in listener.incoming().flatten() {
    /// #     let _ = peer.read(&mut [0; 1024]);
    /// #     let _ = peer.write_all(b"HTTP/1.1 503 Starting\r\nContent-Length: 14\r\n\r\ndatabase: down");
    /// # });
    /// use pingstate::probe;
    ///
    /// let health = || probe("http", "127.0.0.1", port).check("status:200,503").check("body_contains:database: ");
    /// assert!(health().build()?.check().ok);
    /// assert!(health().check("not:body_contains:error").check("not:header:X-Maintenance").build()?.check().ok);
    /// let result = health().check("body_contains:up").build()?.check();
    /// assert_eq!(result.detail, "HTTP 503: text not in the body (14 bytes read)");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check(mut self, spec: &str) -> Self {
        self.clear_closures();
        self.settings.checks.push(spec.to_owned());
        self
    }

    /// The check of an http target, as a closure over the complete [`HttpResponse`] that returns `bool` or
    /// `(bool, detail)`. It runs on the event loop and must not block. A panic in it is a failed check. It
    /// replaces all other checks.
    pub fn check_response<F, J>(mut self, check: F) -> Self
    where
        F: Fn(&HttpResponse) -> J + Send + Sync + 'static,
        J: Into<CheckVerdict>,
    {
        self.settings.checks.clear();
        self.clear_closures();
        self.check_response = Some(Arc::new(move |response| check(response).into()));
        self
    }

    /// The check of a tcp or tls target, as a closure over all bytes received so far, up to 4096, that returns a
    /// [`Banner`](crate::check::Banner) or `(Banner, detail)`. It is called again when more bytes arrive. It
    /// runs on the event loop and must not block. A panic in it is a failed check. It replaces all other checks.
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
    ///     .check_banner(|received| match received {
    ///         [b'S', b'S', b'H', b'-', ..] => (Banner::Yes, "an SSH server"),
    ///         _ if b"SSH-".starts_with(received) => (Banner::More, ""),
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
        self.settings.checks.clear();
        self.clear_closures();
        self.check_banner = Some(Arc::new(move |received| check(received).into()));
        self
    }

    /// The total time of one check, including resolving, connecting, redirects and the body; at most
    /// [`ProbeBuilder::TIMEOUT_MAX`]. Default: that of the protocol, such as [`ProbeBuilder::TCP_TIMEOUT`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = Some(timeout);
        self
    }

    /// The limit of the response body that is read for the check, in bytes; at most
    /// [`ProbeBuilder::BODY_MAX`]. Default: [`ProbeBuilder::BODY_DEFAULT`].
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.settings.max_body = Some(bytes);
        self
    }

    /// Whether redirects are followed, at most 10. Default: true.
    pub fn follow_redirects(mut self, follow: bool) -> Self {
        self.settings.follow_redirects = Some(follow);
        self
    }

    /// Whether a dns target is queried over TCP only. Default: false; a truncated answer over UDP is queried again over
    /// TCP.
    ///
    /// ```
    /// use pingstate::{Probe, ProbeBuilder, probe};
    ///
    /// let mail = ProbeBuilder::from_url("dns://192.0.2.53/example.com?type=MX")
    ///     .check("answer:10 mail.example.com")
    ///     .dns_tcp(true)
    ///     .build()?;
    /// assert_eq!(mail.url(), "dns://192.0.2.53:53/example.com?type=MX");
    /// assert!(probe("tcp", "192.0.2.53", 53).dns_tcp(true).build().is_err());
    /// # Ok::<(), pingstate::Error>(())
    /// ```
    pub fn dns_tcp(mut self, tcp_only: bool) -> Self {
        self.settings.dns_tcp = Some(tcp_only);
        self
    }

    /// The token of a heartbeat target, whose job requests `/heartbeat/TOKEN` of the [`Server`](crate::Server) within
    /// each interval of its [`Monitor`](crate::Monitor). It has 16 to 128 letters, digits or `-._~`, and no other target
    /// has the same.
    ///
    /// ```
    /// use pingstate::{Monitor, probe};
    /// use std::time::Duration;
    ///
    /// let backup = probe("heartbeat", "", None).name("backup").token("0123-4567-89ab-cdef");
    /// let backup = backup.grace(Duration::from_secs(3600)).build()?;
    /// let monitor = Monitor::new(backup).interval(Duration::from_secs(24 * 3600));
    /// # assert_eq!((monitor.name(), monitor.url()), ("backup", "heartbeat:"));
    /// # Ok::<(), pingstate::Error>(())
    /// ```
    pub fn token(mut self, token: &str) -> Self {
        self.heartbeat.token = Some(token.to_owned());
        self
    }

    /// How late a heartbeat may be; at most [`ProbeBuilder::GRACE_MAX`]. Default: a tenth of the interval.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.heartbeat.grace = Some(grace);
        self
    }

    /// The probe's name, at most [`ProbeBuilder::NAME_MAX`] printable characters. Default: `HOST:PORT`.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Builds the probe.
    ///
    /// # Errors
    /// The first invalid setting, or one that does not apply to the protocol.
    pub fn build(mut self) -> Result<NetProbe, Error> {
        let (kind, mut url) = std::mem::replace(&mut self.url, Err(Error::Url(String::new())))?;
        if let Some(path) = &self.path {
            if kind.scheme().form == Form::Text {
                return Err(Error::Path(format!("does not apply to {}", kind.name())));
            }
            url = Url::new(url.scheme, &url.host, url.port, path).map_err(Error::Path)?;
        }
        let name = match self.name.take() {
            Some(name) => validate_name(&name).map_err(Error::Name).map(|()| name)?,
            None => (kind.info().default_name)(&url).ok_or_else(|| {
                Error::Name(format!("is required for a target of the kind {}", kind.name()))
            })?,
        };
        let timeout = self.settings.timeout.take().unwrap_or(kind.timeout());
        if timeout.is_zero() || timeout > Self::TIMEOUT_MAX {
            return Err(Error::Timeout("must be more than 0 and at most 3600 seconds".to_owned()));
        }
        let shown = (kind.info().shown_url)(&url);
        let network = self.take_network(kind, (kind.info().peer)(&url))?;
        let plan = (kind.info().build)(url, timeout, &mut self)?;
        match self.first_setting() {
            Some(error) => Err(error(format!("does not apply to {}", kind.name()))),
            None => Ok(NetProbe { name, url: shown, timeout, plan, network }),
        }
    }

    fn clear_closures(&mut self) {
        self.check_response = None;
        self.check_banner = None;
    }

    fn first_setting(&self) -> Option<fn(String) -> Error> {
        if self.check_response.is_some() || self.check_banner.is_some() {
            return Some(Error::Check);
        }
        let special = self.tls.first_setting().or_else(|| self.heartbeat.first_setting());
        special.or_else(|| self.settings.first_setting())
    }
}

/// The name of a target or of a group.
pub(crate) fn validate_name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if printable(name, ProbeBuilder::NAME_MAX) != name {
        return Err(format!("must be printable and at most {} characters long", ProbeBuilder::NAME_MAX));
    }
    Ok(())
}

impl fmt::Debug for ProbeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold secrets.
        f.debug_struct("ProbeBuilder").field("url", &self.url).finish_non_exhaustive()
    }
}
