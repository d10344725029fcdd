//! The time before the expiry of a certificate from which its target is degraded.

use std::time::Duration;

use crate::result::{ProbeResult, ProbeWarning};
use crate::wire::tls::Validity;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CertDays {
    Days(u16),
    /// Of the certificate's lifetime.
    Percent(u8),
}

impl CertDays {
    pub(crate) const DAYS_MAX: u16 = 3650;
    pub(crate) const PERCENT_MAX: u8 = 99;

    /// The remaining time of a certificate if it is less than the limit.
    pub(super) fn remaining(
        self,
        Validity { not_before, not_after }: Validity,
        unix: Duration,
    ) -> Option<Duration> {
        let limit = match self {
            CertDays::Days(days) => Duration::from_secs(u64::from(days) * DAY),
            CertDays::Percent(percent) => not_after.saturating_sub(not_before) / 100 * u32::from(percent),
        };
        Some(not_after.saturating_sub(unix)).filter(|remaining| *remaining < limit)
    }

    pub(super) fn is_valid(self) -> bool {
        match self {
            CertDays::Days(days) => (1..=Self::DAYS_MAX).contains(&days),
            CertDays::Percent(percent) => (1..=Self::PERCENT_MAX).contains(&percent),
        }
    }
}

/// Adds the warning to a successful result.
pub(super) fn warn(result: &mut ProbeResult, remaining: Duration) {
    let (hours, days) = (remaining.as_secs() / HOUR, remaining.as_secs() / DAY);
    let why = match (days, hours) {
        // With --no-verify-tls.
        (0, 0) if remaining.is_zero() => "certificate has expired".to_owned(),
        (0, 0) => "certificate expires in less than an hour".to_owned(),
        (0, 1) => "certificate expires in 1 hour".to_owned(),
        (0 | 1, hours) => format!("certificate expires in {hours} hours"),
        (days, _) => format!("certificate expires in {days} days"),
    };
    if result.ok {
        result.warn(ProbeWarning::CertSoon, &why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 90 days.
    const VALIDITY: Validity =
        Validity { not_before: Duration::from_secs(10 * DAY), not_after: Duration::from_secs(100 * DAY) };

    #[test]
    fn a_limit_in_days_or_in_percent_of_the_lifetime_is_exclusive() {
        for (limit, seconds) in [
            (CertDays::Days(9), 9 * DAY),
            (CertDays::Percent(10), 9 * DAY),
            (CertDays::Percent(99), 7_698_240),
        ] {
            let remaining = |before: u64| limit.remaining(VALIDITY, Duration::from_secs(100 * DAY - before));
            assert_eq!(remaining(seconds), None, "{limit:?}");
            assert_eq!(remaining(seconds - 1), Some(Duration::from_secs(seconds - 1)), "{limit:?}");
            assert_eq!(limit.remaining(VALIDITY, Duration::ZERO), None, "before it is valid");
            assert_eq!(
                limit.remaining(VALIDITY, Duration::MAX),
                Some(Duration::ZERO),
                "after it has expired"
            );
        }
        let moment = Validity { not_after: VALIDITY.not_before, ..VALIDITY };
        assert_eq!(CertDays::Percent(99).remaining(moment, moment.not_after), None);
        let endless =
            Validity { not_before: Duration::ZERO, not_after: Duration::from_secs(253_402_300_799) };
        assert_eq!(CertDays::Percent(99).remaining(endless, Duration::from_secs(2_534_023_007)), None);
    }

    #[test]
    fn the_detail_says_when_it_expires() {
        for (seconds, expected) in [
            (0, "certificate has expired"),
            (1, "certificate expires in less than an hour"),
            (HOUR, "certificate expires in 1 hour"),
            (2 * HOUR, "certificate expires in 2 hours"),
            (2 * DAY - 1, "certificate expires in 47 hours"),
            (2 * DAY, "certificate expires in 2 days"),
            (10 * DAY - 1, "certificate expires in 9 days"),
        ] {
            let mut result = ProbeResult::up(Duration::ZERO, "HTTP 200");
            warn(&mut result, Duration::from_secs(seconds));
            assert_eq!(result.detail, format!("HTTP 200, {expected}"));
            assert!(result.ok && result.warnings.iter().eq([ProbeWarning::CertSoon]));
        }
    }

    #[test]
    fn limits_have_a_range() {
        for (limit, is_valid) in [
            (CertDays::Days(0), false),
            (CertDays::Days(1), true),
            (CertDays::Days(3650), true),
            (CertDays::Days(3651), false),
            (CertDays::Percent(0), false),
            (CertDays::Percent(99), true),
            (CertDays::Percent(100), false),
        ] {
            assert_eq!(limit.is_valid(), is_valid, "{limit:?}");
        }
    }
}
