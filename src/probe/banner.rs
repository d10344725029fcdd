//! The banner of a server: the kinds tcp and tls read it over their connection and evaluate it.

use std::time::Duration;

use super::durations::timed_out;
use crate::check::{Ending, Progress, TcpCheck};
use crate::result::{Failure, ProbeResult, Reason};

pub(super) struct BannerReader {
    /// The latency of the result: it excludes the wait for the banner.
    latency: Duration,
    /// At most [`TcpCheck::banner_max`] bytes.
    received: Vec<u8>,
    progress: Progress,
}

impl BannerReader {
    pub(super) fn new(latency: Duration) -> BannerReader {
        BannerReader { latency, received: Vec::new(), progress: Progress::default() }
    }

    /// The result, as soon as the bytes received so far determine it.
    pub(super) fn receive(&mut self, bytes: &[u8], check: &TcpCheck) -> Option<ProbeResult> {
        let room = check.banner_max().saturating_sub(self.received.len());
        self.received.extend_from_slice(&bytes[..bytes.len().min(room)]);
        check.evaluate(&self.received, &mut self.progress, self.latency)
    }

    /// The result if the peer closes the connection.
    pub(super) fn close(&self, check: &TcpCheck) -> ProbeResult {
        check.evaluate_end(&self.received, &self.progress, Ending::Closed, self.latency)
    }

    /// The result if the connection fails.
    pub(super) fn fail(&self, failure: Failure, check: &TcpCheck) -> ProbeResult {
        let detail = format!("{} while waiting for the banner", failure.detail);
        check.evaluate_end(
            &self.received,
            &self.progress,
            Ending::Other(failure.reason, detail),
            self.latency,
        )
    }

    /// The result at the deadline.
    pub(super) fn time_out(&self, timeout: Duration, check: &TcpCheck) -> ProbeResult {
        let ending = Ending::Other(Reason::Banner, timed_out(timeout, "the banner"));
        check.evaluate_end(&self.received, &self.progress, ending, self.latency)
    }
}
