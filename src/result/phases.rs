//! The durations of the phases of a check.

use std::time::Duration;

/// The duration of each phase of a check; `None` for a phase that did not take place: an IP address is not
/// resolved, a tcp check has no TLS and no response.
///
/// With redirects, each phase is the sum over all requests. The last phase of a failed check lasts until the
/// failure.
///
/// ```
/// # use std::net::TcpListener;
/// use pingstate::{Phases, probe};
///
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// let result = probe("tcp", "127.0.0.1", port).build()?.check();
/// let Phases { resolve, connect, tls, .. } = result.phases;
/// assert!(connect.is_some_and(|connect| Some(connect) <= result.latency));
/// assert_eq!((resolve, tls), (None, None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Phases {
    /// Until the first addresses of the name are resolved.
    pub resolve: Option<Duration>,
    /// From there until a connection to one of the addresses is established.
    pub connect: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// From the request to the first byte of the response.
    pub first_byte: Option<Duration>,
    /// From there until the response can be evaluated.
    pub transfer: Option<Duration>,
}

impl Phases {
    pub(crate) fn each(&self) -> [(&'static str, Option<Duration>); 5] {
        [
            ("resolve", self.resolve),
            ("connect", self.connect),
            ("tls", self.tls),
            ("first_byte", self.first_byte),
            ("transfer", self.transfer),
        ]
    }

    pub(crate) fn extend(phase: &mut Option<Duration>, span: Duration) {
        *phase = Some(phase.unwrap_or_default().saturating_add(span));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_that_takes_place_again_is_added_up() {
        let mut phases = Phases::default();
        assert!(phases.each().iter().all(|(_, span)| span.is_none()));
        Phases::extend(&mut phases.tls, Duration::ZERO);
        assert_eq!(phases.each()[2], ("tls", Some(Duration::ZERO)));
        Phases::extend(&mut phases.tls, Duration::from_secs(2));
        Phases::extend(&mut phases.tls, Duration::from_secs(3));
        assert_eq!(phases, Phases { tls: Some(Duration::from_secs(5)), ..Phases::default() });
    }
}
