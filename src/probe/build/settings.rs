//! The settings of a probe before they are validated.

use std::sync::Arc;
use std::time::Duration;

use super::{Error, PingSettings};
use crate::network::{AddressFamily, Network};
use crate::probe::cert_days::CertDays;

/// The settings that the library and the command line share; `None` and empty are the default.
///
/// A new setting is a field here with its line in [`Settings::first_setting`], a method of
/// [`ProbeBuilder`](super::ProbeBuilder), and its use in the kinds that it applies to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Settings {
    /// Specs, in the order given; all must pass.
    pub(crate) checks: Vec<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) method: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    /// The body of the request.
    pub(crate) body: Option<Arc<[u8]>>,
    /// Name and password.
    pub(crate) basic_auth: Option<(String, String)>,
    pub(crate) max_body: Option<usize>,
    pub(crate) follow_redirects: Option<bool>,
    pub(crate) send: Option<Vec<u8>>,
    pub(crate) half_open: Option<bool>,
    pub(crate) cert_days: Option<CertDays>,
    /// Each is `sha256//BASE64`, or several separated by `;`.
    pub(crate) pins: Vec<String>,
    pub(crate) tls_name: Option<String>,
    /// `HOST[:PORT]`.
    pub(crate) connect_to: Option<String>,
    pub(crate) ping: PingSettings,
    pub(crate) dns_tcp: Option<bool>,
    /// Of all sockets.
    pub(crate) network: Network,
}

impl Settings {
    pub(super) fn first_setting(&self) -> Option<fn(String) -> Error> {
        let present = [
            (!self.checks.is_empty(), Error::Check as fn(String) -> Error),
            (self.timeout.is_some(), Error::Timeout),
            (self.method.is_some(), Error::Method),
            (!self.headers.is_empty(), Error::Header),
            (self.body.is_some(), Error::Body),
            (self.basic_auth.is_some(), Error::BasicAuth),
            (self.max_body.is_some(), Error::MaxBody),
            (self.follow_redirects.is_some(), Error::FollowRedirects),
            (self.send.is_some(), Error::Send),
            (self.half_open.is_some(), Error::HalfOpen),
            (self.cert_days.is_some(), Error::CertDays),
            (!self.pins.is_empty(), Error::Pin),
            (self.tls_name.is_some(), Error::TlsName),
            (self.connect_to.is_some(), Error::ConnectTo),
            (self.ping.count.is_some(), Error::PingCount),
            (self.ping.interval.is_some(), Error::PingInterval),
            (self.ping.required.is_some(), Error::PingRequired),
            (self.ping.loss.is_some(), Error::PingLoss),
            (self.ping.ttl.is_some(), Error::PingTtl),
            (self.ping.size.is_some(), Error::PingSize),
            (self.dns_tcp.is_some(), Error::DnsTcp),
            (self.network.interface.is_some(), Error::Interface),
            (self.network.source.is_some(), Error::Source),
            (self.network.fwmark.is_some(), Error::Fwmark),
            (self.network.family != AddressFamily::Any, Error::Family),
            (!self.network.servers.is_empty(), Error::Dns),
        ];
        present.into_iter().find(|(is_present, _)| *is_present).map(|(_, error)| error)
    }
}
