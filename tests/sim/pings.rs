//! Hosts that are pinged: the fate of each request, and the result of an attempt by those fates.

use super::kinds::PingPlan;
use super::peers::{Expected, Fact, Script};
use super::plan::{S, Wants};
use super::world::{Event, News, World};
use crate::engine::ConnId;
use crate::result::{ProbeResult, Reason};

pub(super) struct PingRun {
    pub(super) is_healthy: bool,
    /// In the order in which they were sent.
    fates: Vec<Fate>,
    /// Requests that the system has taken.
    written: usize,
    /// The reason of the last error.
    failure: Option<Reason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unknown,
    Answered(u64),
    Lost,
}

/// What a result contains about the requests: sent, received; shortest, median and longest time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample(usize, usize, Option<[u64; 3]>);

impl Sample {
    pub(super) fn of(result: &ProbeResult) -> Option<Sample> {
        let ping = result.ping.as_ref()?;
        let rtt = ping.rtt.map(|rtt| [rtt.min, rtt.median, rtt.max].map(|span| span.as_nanos() as u64));
        assert_eq!(ping.hop_limit.is_some(), rtt.is_some(), "the hop limit of replies");
        Some(Sample(ping.sent as usize, ping.received as usize, rtt))
    }
}

impl PingRun {
    pub(super) fn new(is_healthy: bool) -> PingRun {
        PingRun { is_healthy, fates: Vec::new(), written: 0, failure: None }
    }

    /// `sends` are the times of the requests.
    pub(super) fn apply(&mut self, fact: Fact, plan: PingPlan, sends: &[u64], now: u64) -> Option<Expected> {
        self.fates.resize(sends.len(), Fate::Unknown);
        match fact {
            Fact::Reply(index) if !matches!(self.fates[index], Fate::Answered(_)) => {
                self.fates[index] = Fate::Answered(now - sends[index]);
            }
            Fact::Error(index, reason) if self.fates[index] == Fate::Unknown => {
                self.fates[index] = Fate::Lost;
                self.failure = Some(reason);
            }
            Fact::Failed(reason) => {
                self.failure = Some(reason);
                let mut expected = self.end(plan, sends.len());
                if self.replies().is_empty() {
                    expected.detail = reason.as_str().to_owned();
                }
                return Some(expected);
            }
            _ => return None,
        }
        let (received, lost) = (self.replies().len(), self.lost());
        let is_certain = match plan.loss {
            Some(_) => received + lost == plan.count,
            None => received >= plan.required || plan.count - lost < plan.required,
        };
        let sent = self.fates.iter().rposition(|fate| *fate != Fate::Unknown).map_or(0, |last| last + 1);
        is_certain.then(|| self.end(plan, sent))
    }

    pub(super) fn expected_at_deadline(&self, plan: PingPlan, sent: usize) -> Expected {
        self.end(plan, sent)
    }

    fn replies(&self) -> Vec<u64> {
        let mut times: Vec<u64> = Vec::new();
        for fate in &self.fates {
            if let Fate::Answered(time) = fate {
                times.push(*time);
            }
        }
        times.sort_unstable();
        times
    }

    fn lost(&self) -> usize {
        self.fates.iter().filter(|fate| **fate == Fate::Lost).count()
    }

    fn end(&self, plan: PingPlan, sent: usize) -> Expected {
        let times = self.replies();
        let received = times.len();
        let median = match received {
            0 => None,
            n if n % 2 == 1 => Some(times[n / 2]),
            n => Some((times[n / 2 - 1] + times[n / 2]) / 2),
        };
        let rtt = median.map(|median| [times[0], median, times[received - 1]]);
        let is_up = received >= plan.required;
        let detail = match (received, self.failure) {
            (0, None) => "timed out after ".to_owned(),
            (0, Some(_)) => "reported".to_owned(),
            _ if is_up && sent == 1 => "reply in ".to_owned(),
            _ => format!("{received} of {sent} replies, "),
        };
        let lost = sent - received;
        Expected {
            reason: (!is_up).then(|| self.failure.unwrap_or(Reason::NoReply)),
            latency: median,
            detail,
            is_warned: is_up && plan.loss.is_some_and(|most| lost * 100 > usize::from(most) * sent),
            first_byte: None,
            sample: (sent > 0).then_some(Sample(sent, received, rtt)),
        }
    }
}

impl World {
    /// A request has been sent.
    pub(super) fn answer_ping(&mut self, id: ConnId, target: usize, request: &[u8]) {
        let Wants::Pings(plan) = self.plan.targets[target].wants else { return };
        let Some(this) = &mut self.runs[target] else { return };
        let Script::Pings(run) = &mut this.script else { return };
        let (index, is_healthy) = (run.written, run.is_healthy);
        run.written += 1;
        let first = {
            let tracks = self.ledger.tracks();
            let sends = &tracks[target].sends;
            assert_eq!(sends[index].1, request, "requests are sent in their order");
            sends[0].1.clone()
        };
        check_request(plan, request, &first, index);
        let reply = echo_reply(plan, request, self.rng.below(1 << 16) as u16);
        let after = self.lag(target);
        let noise = self.rng.permille(250);
        if noise {
            self.counters.add("icmp: forged replies and errors");
            let (fact, forged) = self.forge(plan, request, &reply);
            let at = self.rng.below(after + 1);
            self.send_to(id, at, fact, forged);
        }
        let fate = if is_healthy { self.rng.below(3) } else { self.rng.below(11) };
        let quoted = if self.rng.permille(500) { &request[..8] } else { request };
        let reason = self.rng.pick(&[Reason::Unreachable, Reason::TtlExceeded]);
        match fate {
            0 | 1 => self.send_to(id, after, Fact::Reply(index), reply),
            2 => {
                self.counters.add("icmp: duplicates");
                self.send_to(id, after, Fact::Reply(index), reply.clone());
                let again = after + self.lag(target);
                self.send_to(id, again, Fact::Reply(index), reply);
            }
            3..=5 => self.counters.add("icmp: lost"),
            6 => {
                self.counters.add("icmp: late");
                let late = self.plan.targets[target].timeout + self.rng.below(S);
                self.send_to(id, late, Fact::Reply(index), reply);
            }
            7 => {
                self.counters.add("icmp: errors");
                self.send_to(id, after, Fact::Error(index, reason), quoted.to_vec());
            }
            8 | 9 => {
                self.counters.add("icmp: errors before replies");
                self.send_to(id, after, Fact::Error(index, reason), quoted.to_vec());
                let again = after + self.lag(target);
                self.send_to(id, again, Fact::Reply(index), reply);
            }
            _ => {
                self.counters.add("icmp: the socket fails");
                self.schedule(after, Event::News(id, News::Failed(Reason::Unreachable)));
            }
        }
    }

    /// A message that is not about the request, although it is similar.
    fn forge(&mut self, plan: PingPlan, request: &[u8], reply: &[u8]) -> (Fact, Vec<u8>) {
        let other_sequence = |message: &[u8]| {
            let mut other = message.to_vec();
            let sequence = u16::from_be_bytes([message[6], message[7]]).wrapping_add(100);
            other[6..8].copy_from_slice(&sequence.to_be_bytes());
            other
        };
        let mut forged = reply.to_vec();
        match self.rng.below(7) {
            0 => forged[8 + self.rng.index(8)] ^= 1 << self.rng.below(8),
            1 => forged = other_sequence(reply),
            2 => forged[..1].copy_from_slice(&request[..1]),
            3 => forged[1] = 1,
            4 => forged.truncate(self.rng.index(16)),
            5 => return (Fact::ForeignError, other_sequence(request)[..8].to_vec()),
            _ => {
                let mut other = request.to_vec();
                other[8 + self.rng.index(8)] ^= 0x40;
                return (Fact::ForeignError, other);
            }
        }
        if !plan.v6 && forged.len() >= 4 {
            set_checksum(&mut forged);
        }
        (Fact::Noise, forged)
    }
}

/// Type, code, sequence number, cookie and size (RFC 792, RFC 4443).
fn check_request(plan: PingPlan, request: &[u8], first: &[u8], index: usize) {
    assert_eq!(request[..2], [if plan.v6 { 128 } else { 8 }, 0]);
    assert_eq!(request.len(), 8 + plan.size);
    let sequence = |message: &[u8]| u16::from_be_bytes([message[6], message[7]]);
    assert_eq!(sequence(request), sequence(first).wrapping_add(index as u16));
    assert_eq!(request[8..], first[8..], "one cookie for an attempt");
}

/// The reply of a host. On a ping socket the kernel has chosen the identifier.
fn echo_reply(plan: PingPlan, request: &[u8], identifier: u16) -> Vec<u8> {
    let mut reply = request.to_vec();
    reply[0] = if plan.v6 { 129 } else { 0 };
    reply[4..6].copy_from_slice(&identifier.to_be_bytes());
    if !plan.v6 {
        set_checksum(&mut reply);
    }
    reply
}

/// RFC 1071.
fn set_checksum(message: &mut [u8]) {
    message[2..4].fill(0);
    let mut sum = 0u32;
    for (at, byte) in message.iter().enumerate() {
        sum += if at % 2 == 0 { u32::from(*byte) << 8 } else { u32::from(*byte) };
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    message[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}
