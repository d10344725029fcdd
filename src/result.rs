//! The result of one check, and the reasons of failures.

mod dns;
mod phases;
mod ping;
mod warnings;

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use dns::DnsResponse;
pub use phases::Phases;
pub use ping::{PingStats, RoundTrip};
pub use warnings::{ProbeWarning, ProbeWarnings};

use crate::text::printable;

/// The result of one check of a target.
///
/// ```
/// use pingstate::{ProbeResult, Reason};
/// use std::time::Duration;
///
/// let up = ProbeResult::up(Duration::from_micros(1234), "PONG");
/// assert!(up.ok && up.reason.is_none());
///
/// let down = ProbeResult::down(Reason::Custom, "-ERR\r\n").with_latency(Duration::from_millis(2));
/// assert_eq!(down.detail, "-ERR\\r\\n", "control characters are escaped");
/// assert_eq!(down.latency, Some(Duration::from_millis(2)));
///
/// let long = ProbeResult::down(Reason::Custom, &"x".repeat(10_000));
/// assert_eq!(long.detail.chars().count(), ProbeResult::DETAIL_MAX);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeResult {
    /// Whether the check succeeded.
    pub ok: bool,
    /// From the start of the check to the connection (tcp, also with a banner check), to the end of the handshake
    /// (tls), or until the response could be evaluated (http, https); the median round-trip time (icmp); `None` if the
    /// check ended earlier.
    pub latency: Option<Duration>,
    /// What the check saw: printable, at most [`ProbeResult::DETAIL_MAX`] characters.
    pub detail: String,
    /// Why the check failed; `None` if it did not.
    pub reason: Option<Reason>,
    /// Conditions that make the target degraded although the check succeeded.
    pub warnings: ProbeWarnings,
    /// The time of each phase.
    pub phases: Phases,
    /// The address of the connection; without a connection, the last address tried.
    pub address: Option<SocketAddr>,
    /// The status of the last response, which may be a redirect.
    pub http_status: Option<u16>,
    /// Whether that response was HTTP/1.0.
    pub(crate) http10: bool,
    pub(crate) http_redirects: u8,
    /// Of the last connection, if its handshake was completed.
    pub(crate) tls_version: Option<TlsVersion>,
    /// When the target's certificate expires; also if it was rejected or not verified.
    pub tls_not_after: Option<SystemTime>,
    /// The requests and replies of an icmp check; `None` if none was sent.
    pub ping: Option<Box<PingStats>>,
    /// The response to a dns check.
    pub dns: Option<Arc<DnsResponse>>,
    /// The check failed because of this machine, and tells nothing about the target.
    pub(crate) is_inconclusive: bool,
}

impl ProbeResult {
    /// The longest detail, in characters.
    pub const DETAIL_MAX: usize = 256;

    /// The target is healthy. `detail` is made printable and cut to [`ProbeResult::DETAIL_MAX`] characters.
    #[must_use]
    pub fn up(latency: Duration, detail: &str) -> Self {
        ProbeResult::new(true, Some(latency), detail, None)
    }

    /// The target is not healthy. `detail` is made printable and cut to [`ProbeResult::DETAIL_MAX`] characters.
    #[must_use]
    pub fn down(reason: Reason, detail: &str) -> Self {
        ProbeResult::new(false, None, detail, Some(reason))
    }

    fn new(ok: bool, latency: Option<Duration>, detail: &str, reason: Option<Reason>) -> Self {
        ProbeResult {
            ok,
            latency,
            detail: printable(detail, Self::DETAIL_MAX),
            reason,
            warnings: ProbeWarnings::default(),
            phases: Phases::default(),
            address: None,
            http_status: None,
            http10: false,
            http_redirects: 0,
            tls_version: None,
            tls_not_after: None,
            ping: None,
            dns: None,
            is_inconclusive: false,
        }
    }

    /// Adds a warning with its explanation.
    pub(crate) fn warn(&mut self, warning: ProbeWarning, why: &str) {
        self.warnings.insert(warning);
        let room = Self::DETAIL_MAX.saturating_sub(why.chars().count() + 2);
        self.detail = format!("{}, {why}", printable(&self.detail, room));
    }

    /// Sets the latency, for a failed check of a target that responded.
    #[must_use]
    pub fn with_latency(mut self, latency: Duration) -> Self {
        self.latency = Some(latency);
        self
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there is no TLS connection"))]
pub(crate) enum TlsVersion {
    V12,
    V13,
}

impl From<Failure> for ProbeResult {
    fn from(failure: Failure) -> Self {
        let is_inconclusive = failure.is_inconclusive;
        ProbeResult { is_inconclusive, ..ProbeResult::down(failure.reason, &failure.detail) }
    }
}

/// A failure that ended an attempt early, as in [`Input::Failed`](crate::Input::Failed).
///
/// ```
/// use pingstate::{Failure, ProbeResult, Reason};
///
/// let failure = Failure::new(Reason::Reset, "connection reset");
/// assert_eq!(failure.to_string(), "connection reset");
/// assert_eq!(ProbeResult::from(failure), ProbeResult::down(Reason::Reset, "connection reset"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The kind of failure.
    pub reason: Reason,
    /// What happened. The conversion to a [`ProbeResult`] makes it printable.
    pub detail: String,
    pub(crate) is_inconclusive: bool,
}

impl Failure {
    /// A failure; `detail` may hold text from the network.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Failure { reason, detail: detail.into(), is_inconclusive: false }
    }

    /// A lack of descriptors, ports or memory, which tells nothing about the target.
    pub(crate) fn exhausted(detail: impl Into<String>) -> Self {
        Failure { is_inconclusive: true, ..Failure::new(Reason::Local, detail) }
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)+) => {
        /// Why a check failed.
        ///
        /// ```
        /// # use std::net::TcpListener;
        /// use pingstate::{Reason, probe};
        ///
        /// # let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        /// // No process listens on this port.
        /// let result = probe("tcp", "127.0.0.1", free).build()?.check();
        /// assert_eq!(result.reason, Some(Reason::Refused));
        /// assert_eq!(Reason::Refused.as_str(), "refused");
        /// assert_eq!("refused".parse(), Ok(Reason::Refused));
        /// assert!(Reason::ALL.contains(&Reason::TlsExpired));
        /// # Ok::<(), pingstate::Error>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Reason { $($(#[$doc])* $name,)+ }

        impl Reason {
            /// All reasons.
            pub const ALL: &[Reason] = &[$(Reason::$name,)+];

            /// The reason as one lower-case word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$name => $word,)+ }
            }
        }
    };
}

reasons! {
    /// The name does not exist, or has no address.
    DnsNotFound = "dns_not_found",
    /// The name servers returned an error, or could not be reached.
    DnsFailed = "dns_failed",
    /// No name server answered in time.
    DnsTimeout = "dns_timeout",
    /// The target refused the connection.
    Refused = "refused",
    /// No route to the target, or a firewall rejected the connection.
    Unreachable = "unreachable",
    /// The connection was reset.
    Reset = "reset",
    /// No connection was established in time.
    ConnectTimeout = "connect_timeout",
    /// The certificate does not chain to a trusted root.
    TlsUntrusted = "tls_untrusted",
    /// The certificate has expired.
    TlsExpired = "tls_expired",
    /// The certificate is not valid yet according to this machine's clock.
    TlsNotYetValid = "tls_not_yet_valid",
    /// The certificate is for other names.
    TlsName = "tls_name",
    /// The certificate has a public key that is not pinned.
    TlsPin = "tls_pin",
    /// The target requires a client certificate, or refuses the one that it was sent.
    TlsClientCert = "tls_client_cert",
    /// The target violated the TLS protocol, or the handshake timed out.
    TlsProtocol = "tls_protocol",
    /// The target violated the HTTP protocol.
    HttpProtocol = "http_protocol",
    /// The target did not respond to the request in time.
    HttpTimeout = "http_timeout",
    /// A redirect that cannot be followed.
    Redirect = "redirect",
    /// A status that the check does not accept.
    Status = "status",
    /// A body that the check does not accept.
    Body = "body",
    /// A header field that the check does not accept, or a missing one.
    Header = "header",
    /// A JSON value that the check does not accept, or a missing one.
    Json = "json",
    /// A banner that the check does not accept, or no banner.
    Banner = "banner",
    /// Too few replies to echo requests.
    NoReply = "no_reply",
    /// A router dropped the echo requests because their time to live (IPv6: hop limit) was exceeded.
    TtlExceeded = "ttl_exceeded",
    /// A program exited with a status other than 0 and 1, did not end in time, or could not be started.
    Exec = "exec",
    /// The name server's response code is not one that the check accepts.
    DnsRcode = "dns_rcode",
    /// The name server's records are not those that the check accepts, or there is none.
    DnsAnswer = "dns_answer",
    /// The name server did not answer in time.
    DnsNoAnswer = "dns_no_answer",
    /// No heartbeat was received in time.
    NoHeartbeat = "no_heartbeat",
    /// The job of a heartbeat reported a failure.
    HeartbeatFail = "heartbeat_fail",
    /// A local resource shortage: no descriptors, memory or ports left.
    Local = "local",
    /// A closure or probe of the library's user failed.
    Custom = "custom",
}

impl FromStr for Reason {
    type Err = ParseError;

    /// Parses the word of [`Reason::as_str`]; case matters.
    fn from_str(word: &str) -> Result<Reason, ParseError> {
        Reason::ALL.iter().copied().find(|reason| reason.as_str() == word).ok_or(ParseError("reason"))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is not a [`State`](crate::State), [`Event`](crate::Event) or [`Reason`](crate::Reason).
///
/// ```
/// use pingstate::{ParseError, State};
///
/// let error: ParseError = "Up".parse::<State>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown state");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError(pub(crate) &'static str);

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {}", self.0)
    }
}

impl std::error::Error for ParseError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_capped() {
        let result = ProbeResult::down(Reason::Status, &"x".repeat(10_000));
        assert_eq!(result.detail.chars().count(), ProbeResult::DETAIL_MAX);
    }

    #[test]
    fn a_failure_becomes_a_result_without_latency() {
        let result = ProbeResult::from(Failure::new(Reason::Refused, "connection refused\n"));
        assert!(!result.ok);
        assert_eq!(result.latency, None);
        assert_eq!(result.detail, "connection refused\\n");
        assert_eq!(result.reason.map(Reason::as_str), Some("refused"));
    }

    #[test]
    fn every_reason_has_a_unique_word_that_the_manual_explains() {
        let manual = include_str!("manual.md");
        for (place, reason) in Reason::ALL.iter().enumerate() {
            assert!(manual.contains(&format!("`{reason}`")), "{reason} is not explained");
            assert!(Reason::ALL[..place].iter().all(|other| other.as_str() != reason.as_str()));
        }
        assert_eq!(Reason::ALL.len(), 32);
    }
}
