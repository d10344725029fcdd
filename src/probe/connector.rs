//! Connecting to a host: it resolves the name and tries the addresses (Happy Eyeballs, RFC 8305).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

use crate::network::AddressFamily;
use crate::result::{Failure, Reason};

/// Connection Attempt Delay (RFC 8305 section 8).
pub(crate) const CONNECTION_ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The delay of a retry for lack of local resources.
pub(crate) const LOCAL_RETRY: Duration = Duration::from_millis(50);

pub(crate) const ADDRESSES_MAX: usize = 64;

/// A connection attempt of a [`Connector`]: 0 for the first, 1 for the second.
pub(crate) type AttemptId = u32;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Resolve [`Connector::host`], or find the name server.
    Resolve,
    Open(AttemptId, SocketAddr),
    Close(AttemptId),
    /// The last output; the other attempts are closed.
    Connected(AttemptId, SocketAddr),
    /// The last output.
    Failed(Failure),
}

pub(crate) struct Connector {
    /// `None` for a name server.
    host: Option<String>,
    port: u16,
    family: AddressFamily,
    /// The zone of IPv6 addresses (RFC 4007), 0 for none.
    scope_id: u32,
    /// Without duplicates, in the order received.
    candidates: Vec<Candidate>,
    prefer_v6: bool,
    resolving: bool,
    next_id: AttemptId,
    /// When to try the next address while others are in progress, or to retry.
    next_at: Option<Instant>,
    failure: Option<Failure>,
    started_at: Instant,
    literal: bool,
    resolved: Option<Instant>,
    tried: Option<SocketAddr>,
    outputs: VecDeque<Output>,
    is_finished: bool,
}

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
        Connector { host: Some(host), port, ..Connector::to_name_server(now) }
    }

    /// Connects to the name server that [`Connector::handle_name_server`] gets.
    pub(crate) fn to_name_server(now: Instant) -> Self {
        Connector {
            host: None,
            port: 0,
            family: AddressFamily::Any,
            scope_id: 0,
            candidates: Vec::new(),
            prefer_v6: true,
            resolving: true,
            next_id: 0,
            next_at: None,
            failure: None,
            started_at: now,
            literal: false,
            resolved: None,
            tried: None,
            outputs: VecDeque::from([Output::Resolve]),
            is_finished: false,
        }
    }

    /// Addresses of other families are not used.
    pub(crate) fn with_family(mut self, family: AddressFamily) -> Self {
        self.family = family;
        self
    }

    /// `None` for the name server.
    pub(crate) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    pub(crate) fn is_literal(&self) -> bool {
        self.literal
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

    pub(crate) fn handle_literal(&mut self, address: IpAddr, now: Instant) {
        self.literal = true;
        self.handle_addresses(&[address], true, now);
    }

    pub(crate) fn handle_name_server(&mut self, server: SocketAddr, now: Instant) {
        self.port = server.port();
        if let SocketAddr::V6(server) = server {
            self.scope_id = server.scope_id();
        }
        self.handle_literal(server.ip(), now);
    }

    pub(crate) fn handle_addresses(&mut self, addresses: &[IpAddr], last: bool, now: Instant) {
        self.resolving = !last;
        if !addresses.is_empty() {
            self.resolved.get_or_insert(now);
        }
        for &address in addresses {
            let ip = address.to_canonical();
            if self.family.contains(ip)
                && self.candidates.len() < ADDRESSES_MAX
                && self.candidates.iter().all(|known| known.ip != ip)
            {
                self.candidates.push(Candidate { ip, stage: Stage::Waiting });
            }
        }
        if self.next_at.is_some() {
            return;
        }
        if self.oldest_open().is_none() {
            self.open_next(now);
        } else if self.has_waiting() {
            self.next_at = Some(now + CONNECTION_ATTEMPT_DELAY);
        }
    }

    /// Addresses received before are still tried.
    pub(crate) fn handle_unresolved(&mut self, failure: Failure, now: Instant) {
        self.record_failure(failure);
        self.handle_addresses(&[], true, now);
    }

    pub(crate) fn handle_connected(&mut self, id: AttemptId) {
        let Some(index) = self.index_of(id) else { return };
        let address = self.address(self.candidates[index].ip);
        for candidate in &self.candidates {
            match candidate.stage {
                Stage::Open(open) if open != id => self.outputs.push_back(Output::Close(open)),
                _ => {}
            }
        }
        self.outputs.push_back(Output::Connected(id, address));
        self.end();
    }

    pub(crate) fn handle_failed(&mut self, id: AttemptId, failure: Failure, now: Instant) {
        let Some(index) = self.index_of(id) else { return };
        let may_recover = failure.is_inconclusive;
        self.record_failure(failure);
        if may_recover {
            self.candidates[index].stage = Stage::Waiting;
            self.next_at = Some(now + LOCAL_RETRY);
            return;
        }
        self.candidates[index].stage = Stage::Failed;
        self.open_next(now);
    }

    /// The failure if the deadline passes now; `resolving` describes an unfinished lookup.
    pub(crate) fn timed_out(&self, resolving: Option<String>) -> Failure {
        if let Some(ip) = self.oldest_open() {
            let address = self.address(ip);
            let detail = format!("no answer to connecting to {address}{}", self.addresses_tried());
            return Failure::new(Reason::ConnectTimeout, detail);
        }
        match &self.failure {
            Some(failure) if !self.candidates.is_empty() => failure.clone(),
            _ => {
                let what = resolving.unwrap_or_else(|| format!("resolving {}", self.shown_host()));
                Failure::new(Reason::DnsTimeout, what)
            }
        }
    }

    /// The time spent on resolving and on connecting.
    pub(crate) fn spent(&self, now: Instant) -> (Option<Duration>, Option<Duration>) {
        let resolved = self.resolved.unwrap_or(now);
        let resolve = (!self.literal).then(|| resolved.saturating_duration_since(self.started_at));
        let connect = self.tried.map(|_| now.saturating_duration_since(resolved));
        (resolve, connect)
    }

    pub(crate) fn tried(&self) -> Option<SocketAddr> {
        self.tried
    }

    fn open_next(&mut self, now: Instant) {
        if self.is_finished {
            return;
        }
        let id = self.next_id;
        let Some(candidate) = self.next_waiting() else {
            self.next_at = None;
            if self.oldest_open().is_none() && !self.resolving {
                let addresses_tried = self.addresses_tried();
                let mut failure = self.failure.take().unwrap_or_else(|| {
                    Failure::new(
                        Reason::DnsNotFound,
                        format!("{} has no {}address", self.shown_host(), self.family.adjective()),
                    )
                });
                failure.detail.push_str(&addresses_tried);
                self.outputs.push_back(Output::Failed(failure));
                self.end();
            }
            return;
        };
        let ip = candidate.ip;
        candidate.stage = Stage::Open(id);
        self.next_id += 1;
        self.prefer_v6 = ip.is_ipv4();
        let address = self.address(ip);
        self.tried = Some(address);
        self.outputs.push_back(Output::Open(id, address));
        self.next_at = self.has_waiting().then(|| now + CONNECTION_ATTEMPT_DELAY);
    }

    fn next_waiting(&mut self) -> Option<&mut Candidate> {
        let is_waiting = |candidate: &Candidate| candidate.stage == Stage::Waiting;
        let preferred =
            |candidate: &Candidate| candidate.ip.is_ipv6() == self.prefer_v6 && is_waiting(candidate);
        let index = self.candidates.iter().position(preferred);
        let index = index.or_else(|| self.candidates.iter().position(is_waiting))?;
        self.candidates.get_mut(index)
    }

    fn has_waiting(&self) -> bool {
        self.candidates.iter().any(|candidate| candidate.stage == Stage::Waiting)
    }

    fn oldest_open(&self) -> Option<IpAddr> {
        let open = self.candidates.iter().filter_map(|candidate| match candidate.stage {
            Stage::Open(id) => Some((id, candidate.ip)),
            Stage::Waiting | Stage::Failed => None,
        });
        open.min().map(|(_, ip)| ip)
    }

    fn index_of(&self, id: AttemptId) -> Option<usize> {
        self.candidates.iter().position(|candidate| candidate.stage == Stage::Open(id))
    }

    fn record_failure(&mut self, failure: Failure) {
        // A refused connection says more about the target than an address without a route.
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

    fn addresses_tried(&self) -> String {
        match self.candidates.iter().filter(|candidate| candidate.stage != Stage::Waiting).count() {
            0 | 1 => String::new(),
            n => format!(" ({n} addresses tried)"),
        }
    }

    fn address(&self, ip: IpAddr) -> SocketAddr {
        match ip {
            IpAddr::V6(ip) if self.scope_id != 0 => SocketAddrV6::new(ip, self.port, 0, self.scope_id).into(),
            ip => SocketAddr::new(ip, self.port),
        }
    }

    fn shown_host(&self) -> &str {
        self.host().unwrap_or("the name server")
    }

    fn end(&mut self) {
        self.is_finished = true;
        self.next_at = None;
    }
}

#[cfg(test)]
mod tests;
