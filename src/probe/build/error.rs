//! Errors in the settings of a probe or monitor.

use std::{fmt, io};

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $field:literal,)+) => {
        /// An invalid setting of a probe or monitor, or one that does not apply to the kind of the probe, with a
        /// message for the user.
        ///
        /// Functions that can also fail for other reasons return it within an [`io::Error`] of kind
        /// [`InvalidInput`](io::ErrorKind::InvalidInput); [`io::Error::downcast`] takes it out.
        ///
        /// ```
        /// use pingstate::{Error, probe};
        ///
        /// let error = probe("tcp", "localhost", 22).check("status:200").build().unwrap_err();
        /// assert!(matches!(error, Error::Check(_)));
        /// assert_eq!(error.to_string(), "check: status belongs to http, not tcp");
        /// ```
        #[derive(Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Error { $($(#[$doc])* $name(String),)+ }

        impl Error {
            /// The setting, named like its flag without the dashes: `check` for `--check`.
            #[must_use]
            pub fn field(&self) -> &'static str {
                match self { $(Error::$name(_) => $field,)+ }
            }

            /// The message without the setting.
            #[must_use]
            pub fn message(&self) -> &str {
                match self { $(Error::$name(message))|+ => message }
            }
        }
    };
}

errors! {
    /// Not a host name or IP address.
    Address = "address",
    /// Not a host name or IP address that the API can accept.
    ApiAllowHost = "api-allow-host",
    /// Not the origin of pages that may show the status page in a frame.
    ApiFrame = "api-frame",
    /// The token of the API is invalid, or missing where reading needs it.
    ApiTokenFile = "api-token-file",
    /// The name or password is invalid, or a header field sets `Authorization`, too.
    BasicAuth = "basic-auth-file",
    /// The body of the request is too large.
    Body = "body",
    /// The certificates to trust are invalid, or this build has no TLS.
    CaFile = "ca-file",
    /// There are no certificates that alone could be trusted.
    CaOnly = "ca-only",
    /// The client certificate is invalid, or does not apply to the protocol.
    Cert = "cert",
    /// The time before the expiry of a certificate is out of range, or does not apply to the protocol.
    CertDays = "cert-days",
    /// The check is invalid, or belongs to another protocol.
    Check = "check",
    /// The address to connect to is invalid, or does not apply to the protocol.
    ConnectTo = "connect-to",
    /// A target depends on one that does not exist, or on itself.
    Depends = "depends",
    /// There are too many name servers, or they do not apply to the protocol.
    Dns = "dns",
    /// Expired addresses are used for too long.
    DnsHold = "dns-hold",
    /// DNS over TCP does not apply to the protocol.
    DnsTcp = "dns-tcp",
    /// Not the family of the address, or does not apply to the protocol.
    Family = "family",
    /// Redirects do not apply to the protocol.
    FollowRedirects = "no-redirect",
    /// The mark of packets is 0, or does not apply to the protocol.
    Fwmark = "fwmark",
    /// The grace of a heartbeat is too long.
    Grace = "grace",
    /// The name of the group is empty, not printable or too long.
    Group = "group",
    /// A half-open connection does not apply to the protocol, or the check needs a connection.
    HalfOpen = "half-open",
    /// A header field is invalid, or the fields exceed a limit.
    Header = "header",
    /// The history has too many days.
    HistoryDays = "history-days",
    /// The timeout of a hook is 0 or too long.
    HookTimeout = "hook-timeout",
    /// Not the name of an interface, missing for a link-local address, or does not apply to the protocol.
    Interface = "interface",
    /// The interval is too short or too long.
    Interval = "interval",
    /// The interval while the target is down is too short or too long.
    IntervalDown = "interval-down",
    /// The interval while the last check contradicts the state is too short or too long.
    IntervalFast = "interval-fast",
    /// The key of the client certificate is invalid, or not that of the certificate.
    Key = "key",
    /// The limit of the body is too high, or too low for the check.
    MaxBody = "max-body",
    /// The method is invalid.
    Method = "method",
    /// The name is empty, not printable, too long, or used by two targets.
    Name = "name",
    /// A hook without a program.
    OnChange = "on-change",
    /// The path is invalid.
    Path = "path",
    /// Not the digest of a public key, or does not apply to the protocol.
    Pin = "pin",
    /// The number of echo requests is 0 or too high.
    PingCount = "ping-count",
    /// The time between two echo requests is 0 or too long.
    PingInterval = "ping-interval",
    /// The permitted loss of echo requests is too high, or there is only one request.
    PingLoss = "ping-loss",
    /// The number of required replies is 0 or exceeds that of the requests.
    PingRequired = "ping-required",
    /// The payload of echo requests is too small or too large.
    PingSize = "ping-size",
    /// The time to live of echo requests is 0.
    PingTtl = "ping-ttl",
    /// The port is 0.
    Port = "port",
    /// The protocol is unknown, or not supported by this build.
    Protocol = "protocol",
    /// The interval of reminders is too short or too long.
    Remind = "remind",
    /// The time between two attempts of a check is too short or too long.
    RetryInterval = "retry-interval",
    /// The text to send is too long, or does not apply to the protocol.
    Send = "send",
    /// The latency that ends slowness is too high, or there is none that begins it.
    SlowClear = "slow-clear",
    /// The local address is not of the family of the target, or does not apply to the protocol.
    Source = "source",
    /// The interval of the state file is too short or too long.
    StateInterval = "state-interval",
    /// A target to keep does not exist, or is kept twice.
    Target = "target",
    /// The timeout is 0 or too long.
    Timeout = "timeout",
    /// Not a name that a certificate can be for, or does not apply to the protocol.
    TlsName = "tls-name",
    /// The token of a heartbeat is missing or invalid.
    TokenFile = "token-file",
    /// The URL is invalid.
    Url = "url",
    /// Certificates do not apply to the protocol.
    VerifyTls = "no-verify-tls",
    /// The second key of a webhook's text is empty, too long, or has another meaning.
    WebhookTextKey = "webhook-text-key",
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field())?;
        f.write_str(": ")?;
        f.write_str(self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::new(io::ErrorKind::InvalidInput, error)
    }
}
