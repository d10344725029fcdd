//! Durations in a compact form: a process may have 10,000 targets.

use std::time::Duration;

use crate::result::Phases;

/// An optional duration in nanoseconds; it saturates at 584 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span(u64);

const NONE: Span = Span(u64::MAX);

impl From<Option<Duration>> for Span {
    fn from(span: Option<Duration>) -> Self {
        span.map_or(NONE, |span| Span(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX).min(u64::MAX - 1)))
    }
}

impl From<Span> for Option<Duration> {
    fn from(span: Span) -> Self {
        (span != NONE).then(|| Duration::from_nanos(span.0))
    }
}

/// [`Phases`] in half the memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spans {
    resolve: Span,
    connect: Span,
    tls: Span,
    first_byte: Span,
    transfer: Span,
}

impl From<Phases> for Spans {
    fn from(phases: Phases) -> Self {
        Spans {
            resolve: phases.resolve.into(),
            connect: phases.connect.into(),
            tls: phases.tls.into(),
            first_byte: phases.first_byte.into(),
            transfer: phases.transfer.into(),
        }
    }
}

impl From<Spans> for Phases {
    fn from(spans: Spans) -> Self {
        Phases {
            resolve: spans.resolve.into(),
            connect: spans.connect.into(),
            tls: spans.tls.into(),
            first_byte: spans.first_byte.into(),
            transfer: spans.transfer.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_kept_up_to_584_years() {
        let kept = |span: Option<Duration>| Option::<Duration>::from(Span::from(span));
        for span in [None, Some(Duration::ZERO), Some(Duration::new(3, 7))] {
            assert_eq!(kept(span), span);
        }
        assert_eq!(kept(Some(Duration::MAX)), Some(Duration::from_nanos(u64::MAX - 1)));
    }

    #[test]
    fn every_phase_is_kept() {
        let span = |ns| Some(Duration::from_nanos(ns));
        let phases =
            Phases { resolve: span(1), connect: span(2), tls: span(3), first_byte: span(4), transfer: None };
        assert_eq!(Phases::from(Spans::from(phases)), phases);
    }
}
