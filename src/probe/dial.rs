//! Connecting to a host: its name resolved, its addresses tried until one answers (RFC 8305).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::verdict::{Failure, Reason};

/// How long an address may stay silent until the next one is tried beside it (RFC 8305 section 8).
pub(crate) const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// How long to wait when this machine itself could not open a socket.
pub(crate) const LOCAL_RETRY: Duration = Duration::from_millis(50);

/// How many addresses of one name are tried at the most.
pub(crate) const ADDRESSES_MAX: usize = 32;

/// One connection attempt of a [`Dial`], by its place in the order they were started.
pub(crate) type Slot = u32;

/// What a [`Dial`] wants done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Find the addresses of this name.
    Resolve(String),
    /// Connect to this address.
    Open(Slot, SocketAddr),
    /// Forget this connection attempt.
    Close(Slot),
    /// This connection stands. All others are closed; the dial is over.
    Connected(Slot, SocketAddr),
    /// No connection can be had. The dial is over.
    Failed(Failure),
}

/// One connection being made.
pub(crate) struct Dial {
    host: String,
    port: u16,
    /// Addresses not tried yet, IPv6 and IPv4 apart, so that the families can take turns.
    waiting_v6: VecDeque<IpAddr>,
    waiting_v4: VecDeque<IpAddr>,
    prefer_v6: bool,
    /// Every address there is, to know each once.
    known: Vec<IpAddr>,
    /// More addresses may follow.
    resolving: bool,
    /// The attempts under way, oldest first.
    open: Vec<(Slot, SocketAddr)>,
    started: Slot,
    /// When the next address may be tried although others are under way.
    next_at: Option<Instant>,
    /// The most telling failure so far.
    failure: Option<Failure>,
    outputs: VecDeque<Output>,
    over: bool,
}

impl Dial {
    pub(crate) fn new(host: String, port: u16) -> Self {
        let outputs = VecDeque::from([Output::Resolve(host.clone())]);
        Dial {
            host,
            port,
            waiting_v6: VecDeque::new(),
            waiting_v4: VecDeque::new(),
            prefer_v6: true,
            known: Vec::new(),
            resolving: true,
            open: Vec::new(),
            started: 0,
            next_at: None,
            failure: None,
            outputs,
            over: false,
        }
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

    /// Takes addresses of the name in; `last` if no more will follow.
    pub(crate) fn handle_addresses(&mut self, addresses: &[IpAddr], last: bool, now: Instant) {
        self.resolving = !last;
        for &address in addresses {
            let address = address.to_canonical();
            if self.known.len() == ADDRESSES_MAX || self.known.contains(&address) {
                continue;
            }
            self.known.push(address);
            self.queue(address).push_back(address);
        }
        if self.open.is_empty() && self.next_at.is_none() {
            self.open_next(now);
        } else if !self.open.is_empty() && self.next_at.is_none() && self.has_waiting() {
            self.next_at = Some(now + NEXT_ADDRESS);
        }
    }

    /// The name could not be resolved, or not any further.
    pub(crate) fn handle_unresolved(&mut self, failure: Failure, now: Instant) {
        self.note(failure);
        self.handle_addresses(&[], true, now);
    }

    /// A connection attempt succeeded.
    pub(crate) fn handle_connected(&mut self, slot: Slot) {
        let Some(place) = self.open.iter().position(|(open, _)| *open == slot) else { return };
        let (_, address) = self.open.remove(place);
        let others = self.open.drain(..).map(|(slot, _)| Output::Close(slot));
        self.outputs.extend(others);
        self.outputs.push_back(Output::Connected(slot, address));
        self.end();
    }

    /// A connection attempt failed. [`Reason::Local`] is this machine's own trouble: the same address
    /// is tried again shortly.
    pub(crate) fn handle_failed(&mut self, slot: Slot, failure: Failure, now: Instant) {
        let Some(place) = self.open.iter().position(|(open, _)| *open == slot) else { return };
        let (_, address) = self.open.remove(place);
        let local = failure.reason == Reason::Local;
        self.note(failure);
        if local {
            let ip = address.ip();
            self.queue(ip).push_front(ip);
            self.next_at = Some(now + LOCAL_RETRY);
            return;
        }
        self.open_next(now);
    }

    /// The trouble of this machine's own that made an attempt fail is over: no need to wait.
    pub(crate) fn retry(&mut self, now: Instant) {
        self.open_next(now);
    }

    /// What a dial that ran out of time was waiting for. `resolving` says more of a name that is
    /// still being looked up.
    pub(crate) fn timed_out(&self, resolving: Option<String>) -> Failure {
        if let Some((_, address)) = self.open.first() {
            let detail = format!("no answer to connecting to {address}{}", self.tried());
            return Failure::new(Reason::ConnectTimeout, detail);
        }
        match &self.failure {
            Some(failure) if !self.known.is_empty() => failure.clone(),
            _ => {
                let what = resolving.unwrap_or_else(|| format!("resolving {}", self.host));
                Failure::new(Reason::DnsTimeout, what)
            }
        }
    }

    fn open_next(&mut self, now: Instant) {
        if self.over {
            return;
        }
        let Some(address) = self.take_waiting() else {
            self.next_at = None;
            if self.open.is_empty() && !self.resolving {
                let tried = self.tried();
                let mut failure = self.failure.take().unwrap_or_else(|| {
                    Failure::new(Reason::DnsNotFound, format!("{} has no address", self.host))
                });
                failure.detail.push_str(&tried);
                self.outputs.push_back(Output::Failed(failure));
                self.end();
            }
            return;
        };
        let slot = self.started;
        self.started += 1;
        let address = SocketAddr::new(address, self.port);
        self.open.push((slot, address));
        self.outputs.push_back(Output::Open(slot, address));
        self.next_at = self.has_waiting().then(|| now + NEXT_ADDRESS);
    }

    fn take_waiting(&mut self) -> Option<IpAddr> {
        let (first, second) = match self.prefer_v6 {
            true => (&mut self.waiting_v6, &mut self.waiting_v4),
            false => (&mut self.waiting_v4, &mut self.waiting_v6),
        };
        let address = first.pop_front().or_else(|| second.pop_front())?;
        self.prefer_v6 = address.is_ipv4();
        Some(address)
    }

    fn has_waiting(&self) -> bool {
        !self.waiting_v6.is_empty() || !self.waiting_v4.is_empty()
    }

    fn queue(&mut self, address: IpAddr) -> &mut VecDeque<IpAddr> {
        if address.is_ipv6() { &mut self.waiting_v6 } else { &mut self.waiting_v4 }
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

    fn tried(&self) -> String {
        match self.known.len() {
            0 | 1 => String::new(),
            n => format!(" ({n} addresses tried)"),
        }
    }

    fn end(&mut self) {
        self.over = true;
        self.next_at = None;
        self.waiting_v4.clear();
        self.waiting_v6.clear();
    }
}

#[cfg(test)]
mod tests;
