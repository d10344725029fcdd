//! What an icmp check measures.

use std::time::Duration;

/// The requests and replies of the last check of an icmp target.
///
/// ```
/// use pingstate::probe;
///
/// let result = probe("icmp", "127.0.0.1", None).ping_count(2).ping_required(2).build()?.check();
/// if let Some(ping) = result.ping {
///     println!("{} of {} replies, {:?}", ping.received, ping.sent, ping.rtt);
///     assert!(ping.received <= ping.sent && ping.sent <= 2);
/// }
/// # Ok::<(), pingstate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PingStats {
    /// The number of requests, without those for which a reply could still follow when the check ended.
    pub sent: u32,
    /// The number of requests that were answered.
    pub received: u32,
    /// The round-trip times; `None` without a reply.
    pub rtt: Option<RoundTrip>,
    /// The time to live (IPv6: hop limit) of the last reply.
    pub hop_limit: Option<u8>,
}

/// The shortest, the median and the longest round-trip time; see [`PingStats`].
///
/// ```
/// use pingstate::RoundTrip;
/// use std::time::Duration;
///
/// fn jitter(rtt: &RoundTrip) -> Duration {
///     rtt.max - rtt.min
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoundTrip {
    /// The shortest.
    pub min: Duration,
    /// The median: of an even number, the mean of the middle two.
    pub median: Duration,
    /// The longest.
    pub max: Duration,
}

impl PingStats {
    /// `rtts` are the round-trip times of the replies; they are sorted.
    pub(crate) fn new(sent: usize, rtts: &mut [Duration], hop_limit: Option<u8>) -> PingStats {
        rtts.sort_unstable();
        let half = rtts.len() / 2;
        let rtt = rtts.first().zip(rtts.last()).map(|(min, max)| RoundTrip {
            min: *min,
            median: match rtts.len() % 2 {
                0 => (rtts[half - 1] + rtts[half]) / 2,
                _ => rtts[half],
            },
            max: *max,
        });
        PingStats { sent: sent as u32, received: rtts.len() as u32, rtt, hop_limit }
    }

    /// The share of requests without a reply, from 0 to 1; 0 without requests.
    #[must_use]
    pub fn loss(&self) -> f64 {
        f64::from(self.sent.saturating_sub(self.received)) / f64::from(self.sent.max(1))
    }

    /// Whether more than `percent` of the requests have no reply.
    pub(crate) fn loses_more_than(&self, percent: u8) -> bool {
        self.sent.saturating_sub(self.received) * 100 > self.sent * u32::from(percent)
    }
}

impl RoundTrip {
    /// Each value with its name.
    pub(crate) fn each(&self) -> [(&'static str, Duration); 3] {
        [("min", self.min), ("median", self.median), ("max", self.max)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_two() {
        let median = |rtts: &[u64]| {
            let mut rtts: Vec<_> = rtts.iter().map(|ms| Duration::from_millis(*ms)).collect();
            let stats = PingStats::new(9, &mut rtts, None);
            stats.rtt.map(|rtt| rtt.each().map(|(_, span)| span.as_millis()))
        };
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7]), Some([7, 7, 7]));
        assert_eq!(median(&[9, 2]), Some([2, 5, 9]));
        assert_eq!(median(&[9, 1, 2]), Some([1, 2, 9]));
        assert_eq!(median(&[40, 9, 1, 3]), Some([1, 6, 40]));
    }

    #[test]
    fn loss_is_a_share_of_the_requests() {
        let stats = |sent, received| PingStats::new(sent, &mut vec![Duration::ZERO; received], None);
        assert_eq!((stats(5, 4).loss(), stats(4, 4).loss(), stats(0, 0).loss()), (0.2, 0.0, 0.0));
        assert!(stats(5, 4).loses_more_than(19) && !stats(5, 4).loses_more_than(20));
        assert!(stats(2, 1).loses_more_than(0) && !stats(2, 2).loses_more_than(0));
    }
}
