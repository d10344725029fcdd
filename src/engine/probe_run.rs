//! One attempt in flight, from its scheduled time to its result.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::Context;
use super::ids::ConnId;
use super::limits::*;
use super::messages::{JobId, Output};
use super::outbox::Outbox;
use crate::clock::Now;
use crate::network::Network;
use crate::probe::connector::{AttemptId, Connector};
use crate::probe::guard::{NoAttempt, discard, guarded};
use crate::probe::{self, Attempt};
use crate::resolve::{LookupId, Transport};
use crate::result::{Failure, Phases, ProbeResult, ProbeWarning, Reason};

pub(super) struct ProbeRun {
    attempt: Box<dyn Attempt>,
    pub(super) timeout: Duration,
    pub(super) deadline: Instant,
    /// The settings of its sockets.
    pub(super) network: Option<Arc<Network>>,
    pub(super) stalls: u8,
    /// Present while connecting.
    pub(super) connector: Option<Connector>,
    /// The transport of its connections.
    pub(super) transport: Transport,
    /// The connector waits for [`Output::RefreshFiles`].
    pub(super) awaits_files: bool,
    pub(super) lookup: Option<LookupId>,
    /// The connections that it counts with in the queue.
    pub(super) connections: usize,
    pub(super) attempts: Vec<(AttemptId, ConnId)>,
    pub(super) conn: Option<ConnId>,
    pub(super) outbox: Outbox,
    /// The attempt waits for the next piece of a body, which follows when the outbox is empty.
    wants_content: bool,
    /// Only `resolve` and `connect` are set.
    phases: Phases,
    pub(super) address: Option<SocketAddr>,
    /// The last connection failed for lack of resources.
    is_inconclusive: bool,
    /// The addresses of a lookup had expired.
    pub(super) is_held: bool,
    pub(super) jobs: Vec<JobId>,
    /// The program that runs.
    pub(super) program: Option<JobId>,
    /// The timer of the attempt.
    pub(super) timer: Option<Instant>,
    outputs: usize,
    /// The attempt has panicked and is not called any more.
    panic: Option<Failure>,
}

impl Drop for ProbeRun {
    fn drop(&mut self) {
        discard(std::mem::replace(&mut self.attempt, Box::new(NoAttempt)));
    }
}

impl ProbeRun {
    pub(super) fn new(
        attempt: Box<dyn Attempt>,
        timeout: Duration,
        network: Option<Arc<Network>>,
        now: Now,
    ) -> Self {
        ProbeRun {
            attempt,
            timeout,
            deadline: now.instant + timeout,
            network,
            stalls: 0,
            connector: None,
            transport: Transport::Tcp,
            awaits_files: false,
            connections: CONNECTIONS_PER_CHECK,
            lookup: None,
            attempts: Vec::new(),
            conn: None,
            outbox: Outbox::default(),
            wants_content: false,
            phases: Phases::default(),
            address: None,
            is_inconclusive: false,
            is_held: false,
            jobs: Vec::new(),
            program: None,
            timer: None,
            outputs: 0,
            panic: None,
        }
    }

    pub(super) fn handle_input(&mut self, input: probe::Input<'_>, now: Now) {
        self.outputs = 0;
        match &input {
            probe::Input::Failed(failure) => self.is_inconclusive = failure.is_inconclusive,
            probe::Input::Connected(_) => self.is_inconclusive = false,
            _ => {}
        }
        if self.panic.is_none() {
            self.panic = guarded(|| self.attempt.handle_input(input, now)).err();
        }
    }

    /// The attempt's next output; after [`PROBE_OUTPUTS_MAX`] without input, a failure.
    pub(super) fn poll(&mut self) -> Option<probe::Output> {
        self.outputs += 1;
        if self.outputs > PROBE_OUTPUTS_MAX {
            let failure = Failure::new(Reason::Custom, "the probe never stops asking for things");
            return Some(probe::Output::Done(failure.into()));
        }
        let failure = match self.panic.take() {
            Some(failure) => failure,
            None => match guarded(|| self.attempt.poll_output()) {
                Ok(output) => return output,
                Err(failure) => failure,
            },
        };
        Some(probe::Output::Done(failure.into()))
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        let connector = self.connector.as_ref().and_then(Connector::poll_timeout);
        [connector, self.timer].into_iter().flatten().fold(self.deadline, Instant::min)
    }

    /// Ends the attempt at its deadline. `lookup` describes the state of an unfinished lookup.
    pub(super) fn handle_deadline(&mut self, lookup: Option<String>, timed_out: &str, now: Now) {
        match &self.connector {
            Some(connector) => {
                let mut failure = connector.timed_out(lookup);
                failure.detail = format!("{timed_out}: {}", failure.detail);
                let interface = self.network.as_ref().and_then(|network| network.interface.as_deref());
                if let (Reason::ConnectTimeout | Reason::DnsTimeout, Some(interface)) =
                    (failure.reason, interface)
                {
                    // Without a route through the interface, Linux treats the peer as one of its link.
                    failure.detail += &["; is there a route through ", interface, "?"].concat();
                }
                self.handle_input(probe::Input::Failed(failure), now);
            }
            None => self.handle_input(probe::Input::TimedOut, now),
        }
    }

    /// Queues bytes for the connection, if any. Returns `false` beyond [`PROBE_OUTBOX_MAX`].
    pub(super) fn send(&mut self, bytes: Vec<u8>, cx: &mut Context) -> bool {
        let Some(id) = self.conn else { return true };
        if self.outbox.len() + bytes.len() > PROBE_OUTBOX_MAX {
            return false;
        }
        let is_first = match self.transport {
            Transport::Tcp | Transport::HalfOpenTcp => self.outbox.push(bytes),
            Transport::Udp | Transport::Multicast | Transport::Icmp { .. } => {
                self.outbox.push_datagram(bytes)
            }
        };
        if is_first {
            cx.outputs.push_back(Output::Write(id));
        }
        true
    }

    pub(super) fn handle_sent(&mut self, count: usize, cx: &mut Context) {
        self.outbox.advance(count);
        // The reactor writes the rest of a stream without a request, but not the next datagram.
        if let Some(id) = self.conn.filter(|_| self.transport != Transport::Tcp && !self.outbox.is_empty()) {
            cx.outputs.push_back(Output::Write(id));
        }
    }

    pub(super) fn request_content(&mut self) {
        self.wants_content = true;
    }

    /// Whether the requested piece of a body must be produced now.
    pub(super) fn take_content_request(&mut self) -> bool {
        self.outbox.is_empty() && std::mem::take(&mut self.wants_content)
    }

    pub(super) fn end_connecting(&mut self, now: Now) {
        let Some(connector) = self.connector.take() else { return };
        let (resolve, connect) = connector.spent(now.instant);
        for (phase, span) in [(&mut self.phases.resolve, resolve), (&mut self.phases.connect, connect)] {
            if let Some(span) = span {
                Phases::extend(phase, span);
            }
        }
        self.address = connector.tried().or(self.address);
    }

    pub(super) fn take_attempt(&mut self, attempt: AttemptId) -> Option<ConnId> {
        let index = self.attempts.iter().position(|(open, _)| *open == attempt)?;
        Some(self.attempts.remove(index).1)
    }

    pub(super) fn close_connections(&mut self, cx: &mut Context) {
        std::mem::take(&mut self.attempts).into_iter().for_each(|(_, id)| cx.close(id));
        let mut outbox = std::mem::take(&mut self.outbox);
        if let Some(id) = self.conn.take() {
            while !outbox.is_empty() {
                cx.outputs.push_back(Output::FinalWrite(id, outbox.unsent().to_vec()));
                outbox.advance(outbox.unsent().len());
            }
            cx.close(id);
        }
    }

    pub(super) fn connections_needed(&self) -> usize {
        match &self.connector {
            Some(connector) if !connector.is_literal() => self.attempts.len().max(CONNECTIONS_PER_CHECK),
            None if self.program.is_some() => CONNECTIONS_PER_CHECK,
            _ => 1,
        }
    }

    /// Adds phases and address, which the attempt does not know.
    pub(super) fn complete(&self, result: &mut ProbeResult) {
        result.phases.resolve = self.phases.resolve.or(result.phases.resolve);
        result.phases.connect = self.phases.connect.or(result.phases.connect);
        result.address = self.address.or(result.address);
        result.is_inconclusive |= self.is_inconclusive && !result.ok;
        if self.is_held {
            result.warnings.insert(ProbeWarning::AddressHeld);
        }
    }
}
