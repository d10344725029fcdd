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
            self.next_at = None;
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
        self.next_at = None;
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
mod tests {
    use super::*;
    use crate::clock::test_now;

    fn addresses(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|a| a.parse().expect("an address")).collect()
    }

    /// A dial of these addresses, the request to resolve already taken.
    fn dial(list: &[&str], last: bool, now: Instant) -> Dial {
        let mut dial = Dial::new("host".into(), 80);
        assert_eq!(dial.poll_output(), Some(Output::Resolve("host".into())));
        dial.handle_addresses(&addresses(list), last, now);
        dial
    }

    fn opened(dial: &mut Dial) -> Vec<String> {
        let mut list = Vec::new();
        while let Some(output) = dial.poll_output() {
            match output {
                Output::Open(slot, address) => list.push(format!("{slot} {address}")),
                other => list.push(format!("{other:?}")),
            }
        }
        list
    }

    fn refused() -> Failure {
        Failure::new(Reason::Refused, "refused")
    }

    #[test]
    fn families_take_turns_a_quarter_of_a_second_apart() {
        let now = test_now().instant;
        let mut dial = dial(&["10.0.0.1", "10.0.0.2", "::1", "::2"], true, now);
        assert_eq!(opened(&mut dial), ["0 [::1]:80"]);
        let mut at = now;
        for expected in ["1 10.0.0.1:80", "2 [::2]:80", "3 10.0.0.2:80"] {
            let next = dial.poll_timeout().expect("another address waits");
            assert_eq!(next - at, NEXT_ADDRESS);
            dial.handle_timeout(next - Duration::from_millis(1));
            assert!(opened(&mut dial).is_empty());
            dial.handle_timeout(next);
            assert_eq!(opened(&mut dial), [expected]);
            at = next;
        }
        assert_eq!(dial.poll_timeout(), None);
        dial.handle_connected(3);
        assert_eq!(opened(&mut dial), ["Close(0)", "Close(1)", "Close(2)", "Connected(3, 10.0.0.2:80)"]);
    }

    #[test]
    fn a_refusal_tries_the_next_at_once_and_the_last_one_ends_it() {
        let now = test_now().instant;
        let mut dial = dial(&["::1", "127.0.0.1"], true, now);
        assert_eq!(opened(&mut dial), ["0 [::1]:80"]);
        dial.handle_failed(0, Failure::new(Reason::Unreachable, "no route"), now);
        assert_eq!(opened(&mut dial), ["1 127.0.0.1:80"]);
        dial.handle_failed(1, refused(), now);
        let Some(Output::Failed(failure)) = dial.poll_output() else { panic!("not failed") };
        assert_eq!((failure.reason, &*failure.detail), (Reason::Refused, "refused (2 addresses tried)"));
        assert_eq!((dial.poll_output(), dial.poll_timeout()), (None, None));
    }

    #[test]
    fn addresses_that_come_later_are_tried_too() {
        let now = test_now().instant;
        let mut dial = dial(&["::1"], false, now);
        assert_eq!(opened(&mut dial), ["0 [::1]:80"]);
        dial.handle_failed(0, refused(), now);
        assert!(opened(&mut dial).is_empty(), "not over while more may come");
        dial.handle_addresses(&addresses(&["10.0.0.1", "::1"]), true, now);
        assert_eq!(opened(&mut dial), ["1 10.0.0.1:80"]);
        dial.handle_connected(1);
        assert_eq!(opened(&mut dial), ["Connected(1, 10.0.0.1:80)"]);
    }

    #[test]
    fn a_late_address_waits_its_turn_beside_a_silent_one() {
        let now = test_now().instant;
        let mut dial = dial(&["::1"], false, now);
        opened(&mut dial);
        dial.handle_addresses(&addresses(&["10.0.0.1"]), true, now);
        assert!(opened(&mut dial).is_empty());
        dial.handle_timeout(now + NEXT_ADDRESS);
        assert_eq!(opened(&mut dial), ["1 10.0.0.1:80"]);
    }

    #[test]
    fn trouble_of_this_machine_is_tried_again_and_is_no_verdict() {
        let now = test_now().instant;
        let mut dial = dial(&["10.0.0.1"], true, now);
        opened(&mut dial);
        dial.handle_failed(0, Failure::new(Reason::Local, "too many open files"), now);
        assert!(opened(&mut dial).is_empty());
        assert_eq!(dial.timed_out(None).reason, Reason::Local);
        dial.handle_timeout(now + LOCAL_RETRY);
        assert_eq!(opened(&mut dial), ["1 10.0.0.1:80"]);
        dial.handle_connected(0);
        assert!(opened(&mut dial).is_empty(), "late news of a dead attempt is no news");
        assert_eq!(dial.timed_out(None).reason, Reason::ConnectTimeout);
    }

    #[test]
    fn an_unresolved_name_fails_with_its_reason() {
        let now = test_now().instant;
        let mut dial = Dial::new("nowhere".into(), 80);
        dial.poll_output();
        assert_eq!(dial.timed_out(None).reason, Reason::DnsTimeout);
        dial.handle_unresolved(Failure::new(Reason::DnsFailed, "SERVFAIL"), now);
        assert_eq!(dial.poll_output(), Some(Output::Failed(Failure::new(Reason::DnsFailed, "SERVFAIL"))));
    }

    #[test]
    fn the_number_of_addresses_is_capped() {
        let now = test_now().instant;
        let many: Vec<IpAddr> = (0..=255).map(|i| IpAddr::from([10, 0, 0, i])).collect();
        let mut dial = Dial::new("host".into(), 80);
        dial.poll_output();
        dial.handle_addresses(&many, true, now);
        for slot in 0..1000 {
            dial.handle_failed(slot, refused(), now);
        }
        let opens = opened(&mut dial).iter().filter(|o| o.ends_with(":80")).count();
        assert_eq!(opens, ADDRESSES_MAX);
    }
}
