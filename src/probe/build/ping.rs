//! The settings of icmp probes.

use std::time::Duration;

use super::ProbeBuilder;

/// Settings of icmp probes; `None` is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct PingSettings {
    pub(crate) count: Option<u32>,
    pub(crate) interval: Option<Duration>,
    pub(crate) required: Option<u32>,
    /// In percent.
    pub(crate) loss: Option<u8>,
    pub(crate) ttl: Option<u8>,
    /// In bytes.
    pub(crate) size: Option<usize>,
}

impl PingSettings {
    /// Whether a check sends several requests.
    #[cfg(feature = "cli")]
    pub(crate) fn has_burst(&self) -> bool {
        self.count.is_some_and(|count| count > 1)
    }

    /// Removes settings that state a default.
    #[cfg(feature = "cli")]
    pub(crate) fn normalise(&mut self) {
        self.count = self.count.filter(|count| *count != 1);
        self.interval =
            self.interval.filter(|span| *span != ProbeBuilder::PING_INTERVAL && self.count.is_some());
        self.required = self.required.filter(|required| *required != 1);
        self.size = self.size.filter(|size| *size != ProbeBuilder::PING_SIZE_MIN);
    }
}

/// Settings of icmp probes.
impl ProbeBuilder {
    /// The default timeout of an icmp check: 2 s.
    pub const ICMP_TIMEOUT: Duration = Duration::from_secs(2);

    /// The most requests of an icmp check: 20.
    pub const PING_COUNT_MAX: u32 = 20;

    /// The default time between two requests of an icmp check: 0.2 s.
    pub const PING_INTERVAL: Duration = Duration::from_millis(200);

    /// The lowest and default payload of an icmp request, in bytes: 16.
    pub const PING_SIZE_MIN: usize = 16;

    /// The largest payload of an icmp request, in bytes: 1400.
    pub const PING_SIZE_MAX: usize = 1400;

    /// The number of echo requests of one check, 1 to [`ProbeBuilder::PING_COUNT_MAX`]. Default: 1.
    ///
    /// Sockets for ICMP need a permission, see [`Transport::Icmp`](crate::Transport::Icmp); without it the check fails
    /// with [`Reason::Local`](crate::Reason::Local).
    ///
    /// ```
    /// use pingstate::{Error, ProbeBuilder, Reason, probe};
    /// use std::time::Duration;
    ///
    /// let router = probe("icmp", "127.0.0.1", None)
    ///     .ping_count(3)
    ///     .ping_interval(Duration::from_millis(10))
    ///     .ping_required(2)
    ///     .ping_loss(50)
    ///     .build()?;
    /// let result = router.check();
    /// // 3 of 3 replies, 0.03/0.04/0.05 ms
    /// assert!(result.ok && result.detail.starts_with("3 of 3") || result.reason == Some(Reason::Local));
    ///
    /// // The requests must fit into the timeout.
    /// let long = ProbeBuilder::from_url("icmp://127.0.0.1").ping_count(20).timeout(Duration::from_secs(3)).build();
    /// assert!(matches!(long, Err(Error::PingInterval(_))));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn ping_count(mut self, count: u32) -> Self {
        self.settings.ping.count = Some(count);
        self
    }

    /// The time between two requests. Default: [`ProbeBuilder::PING_INTERVAL`]. The last request must be sent before
    /// the timeout.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.settings.ping.interval = Some(interval);
        self
    }

    /// The number of replies that make the target up, at most the number of requests. Default: 1. The check ends with
    /// the last of them, or when they are no longer possible.
    pub fn ping_required(mut self, replies: u32) -> Self {
        self.settings.ping.required = Some(replies);
        self
    }

    /// The check sends all requests, and the target is degraded
    /// ([`ProbeWarning::Loss`](crate::ProbeWarning::Loss)) if more than this share of them, in percent, has no reply.
    pub fn ping_loss(mut self, percent: u8) -> Self {
        self.settings.ping.loss = Some(percent);
        self
    }

    /// The time to live (IPv6: hop limit) of the requests. Default: that of the system.
    pub fn ping_ttl(mut self, ttl: u8) -> Self {
        self.settings.ping.ttl = Some(ttl);
        self
    }

    /// The payload of a request in bytes, [`ProbeBuilder::PING_SIZE_MIN`] (the default) to
    /// [`ProbeBuilder::PING_SIZE_MAX`].
    pub fn ping_size(mut self, bytes: usize) -> Self {
        self.settings.ping.size = Some(bytes);
        self
    }
}
