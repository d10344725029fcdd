//! Name servers that are checked: how they answer each query, and the result of an attempt by those answers.

use super::dns::question;
use super::kinds::RecordPlan;
use super::peers::{Expected, Fact, Script};
use super::plan::{S, TargetPlan};
use super::rng::Rng;
use super::world::{Event, News, Sock, World};
use crate::engine::{ConnId, Transport};
use crate::result::Reason;
use crate::wire::dns::server_messages::{A, ANSWER, TRUNCATED, answer, record};

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    Records,
    NoRecord,
    Rcode(u8),
    Truncated,
    Malformed,
    /// None follows.
    Nothing,
    /// The port is closed, or the stream ends.
    End,
}

pub(super) struct RecordRun {
    pub(super) is_healthy: bool,
    /// The answer to the last query.
    last: Say,
    /// Datagrams of each query that are lost.
    lost: usize,
    /// The answer to queries with EDNS.
    rejects_edns: Option<u8>,
    truncates: bool,
    pub(super) refuses_tcp: bool,
    late: bool,
    /// The query in flight: its number, transport, and whether it has EDNS.
    pub(super) query: usize,
    pub(super) over_tcp: bool,
    edns: bool,
    /// The place of its first message among all that were sent.
    pub(super) first_send: usize,
    written: usize,
}

impl RecordRun {
    pub(super) fn roll(rng: &mut Rng, plan: RecordPlan, is_healthy: bool) -> RecordRun {
        let good = if plan.is_absent { Say::Rcode(3) } else { Say::Records };
        let last = match is_healthy {
            true => good,
            false => rng.pick(&[
                good,
                Say::NoRecord,
                Say::Rcode(1),
                Say::Rcode(2),
                Say::Rcode(3),
                Say::Rcode(5),
                Say::Truncated,
                Say::Malformed,
                Say::Nothing,
                Say::Nothing,
                Say::End,
            ]),
        };
        RecordRun {
            is_healthy,
            last,
            lost: rng.pick(&[0, 0, 1, if is_healthy { 1 } else { 2 }]),
            rejects_edns: rng.permille(250).then(|| rng.pick(&[1, 4])),
            truncates: rng.permille(250),
            refuses_tcp: !is_healthy && rng.permille(200),
            late: !is_healthy && rng.permille(150),
            query: 0,
            over_tcp: plan.over_tcp,
            edns: true,
            first_send: 0,
            written: 0,
        }
    }

    /// `sends` are the times of all messages, `now` comes after the beginning of the attempt.
    pub(super) fn apply(
        &mut self,
        fact: Fact,
        plan: RecordPlan,
        sends: &[u64],
        (begun, now): (u64, u64),
    ) -> Option<Expected> {
        let say = match fact {
            Fact::Answer(query, say) if query == self.query => say,
            Fact::End(query) if query == self.query => {
                return Some(Expected::down(Reason::DnsNoAnswer, "the server closed the connection"));
            }
            Fact::Failed(reason) => return Some(Expected::down(reason, reason.as_str())),
            _ => return None,
        };
        if matches!(say, Say::Rcode(1 | 4)) && self.edns {
            self.edns = false;
        } else if say == Say::Truncated && !self.over_tcp {
            self.over_tcp = true;
        } else {
            return Some(self.end(say, plan, (now - begun, now - sends[self.first_send])));
        }
        (self.query, self.first_send) = (self.query + 1, sends.len());
        None
    }

    fn end(&self, say: Say, plan: RecordPlan, (latency, first_byte): (u64, u64)) -> Expected {
        let reason = match (say, plan.is_absent) {
            (Say::Truncated | Say::Malformed, _) => {
                return Expected::down(Reason::DnsAnswer, "the ");
            }
            (Say::Rcode(3), true) | (Say::Records, false) => None,
            (Say::Rcode(_), _) | (_, true) => Some(Reason::DnsRcode),
            _ => Some(Reason::DnsAnswer),
        };
        let detail = match (say, reason) {
            (Say::Records, None) => "192.0.2.7, 192.0.2.8",
            (Say::Rcode(3), _) => "NXDOMAIN",
            (Say::Rcode(2), _) => "SERVFAIL",
            (Say::NoRecord, Some(Reason::DnsAnswer)) => "no A record",
            _ => "",
        };
        Expected { reason, first_byte: Some(first_byte), ..Expected::up(latency, detail) }
    }

    /// The answer to this query.
    fn say(&self, edns: bool) -> Say {
        match self.rejects_edns {
            Some(code) if edns => Say::Rcode(code),
            _ if self.truncates && !self.over_tcp => Say::Truncated,
            _ => self.last,
        }
    }
}

impl World {
    /// A query has been sent.
    pub(super) fn answer_query(&mut self, id: ConnId, target: usize, bytes: &[u8]) {
        let Some(Sock::Peer(peer)) = self.socks.get(&id) else { return };
        let is_tcp = peer.transport == Transport::Tcp;
        let Some(this) = &mut self.runs[target] else { return };
        let Script::Records(run) = &mut this.script else { return };
        assert_eq!(is_tcp, run.over_tcp);
        let message = &bytes[if is_tcp { 2 } else { 0 }..];
        let (count, index) = {
            let tracks = self.ledger.tracks();
            let sends = &tracks[target].sends;
            assert_eq!(sends[run.written].1, bytes, "messages are sent in their order");
            let repeats = &sends[run.first_send..];
            assert!(repeats.len() <= if is_tcp { 1 } else { 2 }, "a query is repeated once");
            assert!(repeats.iter().all(|(_, other)| other == bytes), "a repeated query is the same");
            (run.written - run.first_send, run.query)
        };
        run.written += 1;
        let edns = check_query(message, target);
        assert_eq!(edns, run.edns, "EDNS in query {index} of target {target}");
        if !is_tcp && count < run.lost {
            return self.counters.add("records: a lost datagram");
        }
        if count > 0 {
            self.counters.add("records: the second datagram is answered");
        }
        let (say, late) = (run.say(edns), run.late);
        let mut after = self.lag(target);
        if late {
            after += self.plan.targets[target].timeout + self.rng.below(S);
        }
        if self.rng.permille(200) {
            self.counters.add("records: messages that do not match");
            let mut other = answer(message, ANSWER, 0, &addresses(target));
            let at = self.rng.pick(&[0, 1, 13, 14]);
            other[at] ^= 0x55;
            let at = self.rng.below(after + 1);
            self.say_to(id, at, Fact::Noise, other, is_tcp);
        }
        let answer = match say {
            Say::Nothing => return,
            Say::End if is_tcp => return self.send_to(id, after, Fact::End(index), Vec::new()),
            Say::End => return self.schedule(after, Event::News(id, News::Failed(Reason::Refused))),
            Say::Records => answer(message, ANSWER, 0, &addresses(target)),
            Say::NoRecord => answer(message, ANSWER, 0, &[]),
            Say::Rcode(code) => answer(message, ANSWER, code, &[]),
            Say::Truncated => answer(message, TRUNCATED, 0, &[]),
            Say::Malformed => {
                let mut answer = answer(message, ANSWER, 0, &addresses(target));
                answer.truncate(answer.len() - 1);
                answer
            }
        };
        self.counters.add(match say {
            Say::Rcode(1 | 4) if edns => "records: EDNS is rejected",
            Say::Truncated if !is_tcp => "records: truncated",
            Say::Rcode(_) => "records: a response code",
            _ => "records: another answer",
        });
        if !is_tcp && self.rng.permille(300) {
            let again = after + self.lag(target);
            self.send_to(id, again, Fact::Answer(index, say), answer.clone());
        }
        self.say_to(id, after, Fact::Answer(index, say), answer, is_tcp);
    }

    /// Sends a message; over TCP it is cut anywhere.
    fn say_to(&mut self, id: ConnId, mut after: u64, fact: Fact, message: Vec<u8>, is_tcp: bool) {
        if !is_tcp {
            return self.send_to(id, after, fact, message);
        }
        let framed = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
        let pieces = self.rng.cut(&framed);
        let last = pieces.len() - 1;
        for (index, piece) in pieces.into_iter().enumerate() {
            // All at once: the pieces of another message must not come between them.
            after += u64::from(index == last && matches!(fact, Fact::Answer(..)));
            self.send_to(id, after, if index == last { fact } else { Fact::Noise }, piece);
        }
    }
}

/// The records of the answer, in any order.
fn addresses(target: usize) -> [Vec<u8>; 2] {
    [8, 7].map(|last| record(&TargetPlan::queried(target), A, 60, &[192, 0, 2, last]))
}

/// Whether the query has EDNS.
fn check_query(message: &[u8], target: usize) -> bool {
    assert_eq!(message[2..10], [1, 0, 0, 1, 0, 0, 0, 0], "one question");
    assert_eq!(question(message), Some((TargetPlan::queried(target), A)));
    let edns = message[11] == 1;
    let question_len = 12 + TargetPlan::queried(target).len() + 2 + 4;
    assert_eq!(message.len(), question_len + if edns { 11 } else { 0 });
    edns
}
