//! Connecting to a host: its name resolved, its addresses tried until one answers (RFC 8305).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::result::{Failure, Reason};

/// How long an address may stay silent until the next one is tried beside it (RFC 8305 section 8).
pub(crate) const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// How long to wait when this machine itself could not open a socket.
pub(crate) const LOCAL_RETRY: Duration = Duration::from_millis(50);

/// How many addresses of one name are tried at the most.
pub(crate) const ADDRESSES_MAX: usize = 64;

/// One connection attempt of a [`Connector`], by its place in the order they were started.
pub(crate) type AttemptId = u32;

/// What a [`Connector`] wants done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Find the addresses of [`Connector::host`].
    Resolve,
    /// Connect to this address.
    Open(AttemptId, SocketAddr),
    /// Forget this connection attempt.
    Close(AttemptId),
    /// This connection stands. All others are closed; the dial is over.
    Connected(AttemptId, SocketAddr),
    /// No connection can be had. The dial is over.
    Failed(Failure),
}

/// One connection being made.
pub(crate) struct Connector {
    host: String,
    port: u16,
    /// Every address there is, each once, in the order they came.
    candidates: Vec<Candidate>,
    /// The families take turns: this one has the next.
    prefer_v6: bool,
    /// More addresses may follow.
    resolving: bool,
    started: AttemptId,
    /// When the next address may be tried although others are under way.
    next_at: Option<Instant>,
    /// The most telling failure so far.
    failure: Option<Failure>,
    begun: Instant,
    /// The host is an address itself.
    literal: bool,
    /// When the first addresses came.
    resolved: Option<Instant>,
    /// The address that was tried last.
    tried: Option<SocketAddr>,
    outputs: VecDeque<Output>,
    over: bool,
}

/// One address, and how far it has come.
struct Candidate {
    ip: IpAddr,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Open(AttemptId),
    Failed,
}

impl Connector {
    pub(crate) fn new(host: String, port: u16, now: Instant) -> Self {
        Connector {
            host,
            port,
            candidates: Vec::new(),
            prefer_v6: true,
            resolving: true,
            started: 0,
            next_at: None,
            failure: None,
            begun: now,
            literal: false,
            resolved: None,
            tried: None,
            outputs: VecDeque::from([Output::Resolve]),
            over: false,
        }
    }

    /// Whom to connect to.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next_at
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.next_at.is_some_and(|at| at <= now) {
            self.open_next(now);
        }
    }

    /// The host needs no resolving: it is this address.
    pub(crate) fn handle_literal(&mut self, address: IpAddr, now: Instant) {
        self.literal = true;
        self.handle_addresses(&[address], true, now);
    }

    /// Takes addresses of the name in; `last` if no more will follow.
    pub(crate) fn handle_addresses(&mut self, addresses: &[IpAddr], last: bool, now: Instant) {
        self.resolving = !last;
        if !addresses.is_empty() {
            self.resolved.get_or_insert(now);
        }
        for &address in addresses {
            let ip = address.to_canonical();
            if self.candidates.len() < ADDRESSES_MAX && self.candidates.iter().all(|known| known.ip != ip) {
                self.candidates.push(Candidate { ip, stage: Stage::Waiting });
            }
        }
        if self.next_at.is_some() {
            return;
        }
        if self.oldest_open().is_none() {
            self.open_next(now);
        } else if self.has_waiting() {
            self.next_at = Some(now + NEXT_ADDRESS);
        }
    }

    /// The name could not be resolved, or not any further.
    pub(crate) fn handle_unresolved(&mut self, failure: Failure, now: Instant) {
        self.note(failure);
        self.handle_addresses(&[], true, now);
    }

    /// A connection attempt succeeded.
    pub(crate) fn handle_connected(&mut self, slot: AttemptId) {
        let Some(place) = self.place(slot) else { return };
        let address = SocketAddr::new(self.candidates[place].ip, self.port);
        for candidate in &self.candidates {
            match candidate.stage {
                Stage::Open(open) if open != slot => self.outputs.push_back(Output::Close(open)),
                _ => {}
            }
        }
        self.outputs.push_back(Output::Connected(slot, address));
        self.end();
    }

    /// A connection attempt failed. [`Reason::Local`] is this machine's own trouble: the same address
    /// is tried again shortly.
    pub(crate) fn handle_failed(&mut self, slot: AttemptId, failure: Failure, now: Instant) {
        let Some(place) = self.place(slot) else { return };
        let local = failure.reason == Reason::Local;
        self.note(failure);
        if local {
            self.candidates[place].stage = Stage::Waiting;
            self.next_at = Some(now + LOCAL_RETRY);
            return;
        }
        self.candidates[place].stage = Stage::Failed;
        self.open_next(now);
    }

    /// The trouble of this machine's own that made an attempt fail is over: no need to wait.
    pub(crate) fn retry(&mut self, now: Instant) {
        self.open_next(now);
    }

    /// What a dial that ran out of time was waiting for. `resolving` says more of a name that is
    /// still being looked up.
    pub(crate) fn timed_out(&self, resolving: Option<String>) -> Failure {
        if let Some(ip) = self.oldest_open() {
            let address = SocketAddr::new(ip, self.port);
            let detail = format!("no answer to connecting to {address}{}", self.how_many());
            return Failure::new(Reason::ConnectTimeout, detail);
        }
        match &self.failure {
            Some(failure) if !self.candidates.is_empty() => failure.clone(),
            _ => {
                let what = resolving.unwrap_or_else(|| format!("resolving {}", self.host));
                Failure::new(Reason::DnsTimeout, what)
            }
        }
    }

    /// How long resolving and connecting have taken by now, as far as they have come.
    pub(crate) fn spent(&self, now: Instant) -> (Option<Duration>, Option<Duration>) {
        let resolved = self.resolved.unwrap_or(now);
        let resolve = (!self.literal).then(|| resolved.saturating_duration_since(self.begun));
        let connect = self.tried.map(|_| now.saturating_duration_since(resolved));
        (resolve, connect)
    }

    /// The address that was tried last.
    pub(crate) fn tried(&self) -> Option<SocketAddr> {
        self.tried
    }

    fn open_next(&mut self, now: Instant) {
        if self.over {
            return;
        }
        let slot = self.started;
        let Some(candidate) = self.next_waiting() else {
            self.next_at = None;
            if self.oldest_open().is_none() && !self.resolving {
                let how_many = self.how_many();
                let mut failure = self.failure.take().unwrap_or_else(|| {
                    Failure::new(Reason::DnsNotFound, format!("{} has no address", self.host))
                });
                failure.detail.push_str(&how_many);
                self.outputs.push_back(Output::Failed(failure));
                self.end();
            }
            return;
        };
        let ip = candidate.ip;
        candidate.stage = Stage::Open(slot);
        self.started += 1;
        self.prefer_v6 = ip.is_ipv4();
        let address = SocketAddr::new(ip, self.port);
        self.tried = Some(address);
        self.outputs.push_back(Output::Open(slot, address));
        self.next_at = self.has_waiting().then(|| now + NEXT_ADDRESS);
    }

    /// The address whose turn it is, of the preferred family if one is left.
    fn next_waiting(&mut self) -> Option<&mut Candidate> {
        let is_waiting = |candidate: &Candidate| candidate.stage == Stage::Waiting;
        let preferred =
            |candidate: &Candidate| candidate.ip.is_ipv6() == self.prefer_v6 && is_waiting(candidate);
        let place = self.candidates.iter().position(preferred);
        let place = place.or_else(|| self.candidates.iter().position(is_waiting))?;
        self.candidates.get_mut(place)
    }

    fn has_waiting(&self) -> bool {
        self.candidates.iter().any(|candidate| candidate.stage == Stage::Waiting)
    }

    /// The address that has been silent longest.
    fn oldest_open(&self) -> Option<IpAddr> {
        let open = self.candidates.iter().filter_map(|candidate| match candidate.stage {
            Stage::Open(slot) => Some((slot, candidate.ip)),
            Stage::Waiting | Stage::Failed => None,
        });
        open.min().map(|(_, ip)| ip)
    }

    fn place(&self, slot: AttemptId) -> Option<usize> {
        self.candidates.iter().position(|candidate| candidate.stage == Stage::Open(slot))
    }

    /// Keeps the failure that says most about the target: that it refused says more than that one of
    /// its addresses has no route from here.
    fn note(&mut self, failure: Failure) {
        let weight = |failure: &Failure| match failure.reason {
            Reason::Refused => 3,
            Reason::Reset | Reason::ConnectTimeout => 2,
            Reason::Local => 0,
            _ => 1,
        };
        if self.failure.as_ref().is_none_or(|known| weight(known) < weight(&failure)) {
            self.failure = Some(failure);
        }
    }

    fn how_many(&self) -> String {
        match self.candidates.iter().filter(|candidate| candidate.stage != Stage::Waiting).count() {
            0 | 1 => String::new(),
            n => format!(" ({n} addresses tried)"),
        }
    }

    fn end(&mut self) {
        self.over = true;
        self.next_at = None;
    }
}

#[cfg(test)]
mod tests;
