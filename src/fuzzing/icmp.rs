//! An icmp attempt with arbitrary messages, errors and times, compared with a simple reference.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Source;
use crate::clock::test_now;
use crate::probe::build::ProbeBuilder;
use crate::probe::{Input, Output, Probe};
use crate::result::{Failure, ProbeResult, ProbeWarning, Reason};

/// What the peer and the routers have done so far.
struct Reference {
    is_v6: bool,
    count: usize,
    required: usize,
    loss: Option<u8>,
    requests: Vec<Vec<u8>>,
    answered: BTreeSet<usize>,
    lost: BTreeSet<usize>,
}

impl Reference {
    /// The request with this sequence number and cookie.
    fn find(&self, number: &[u8], cookie: Option<&[u8]>) -> Option<usize> {
        let is_same = |request: &Vec<u8>| {
            request[6..8] == *number && cookie.is_none_or(|cookie| request[8..16] == *cookie)
        };
        self.requests.iter().position(is_same)
    }

    fn receive(&mut self, message: &[u8]) {
        let kind = if self.is_v6 { 129 } else { 0 };
        let mut sum: u32 = message
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])))
            .sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        if message.len() >= 16 && message.starts_with(&[kind, 0]) && (self.is_v6 || sum == 0xffff) {
            if let Some(index) = self.find(&message[6..8], Some(&message[8..16])) {
                self.lost.remove(&index);
                self.answered.insert(index);
            }
        }
    }

    fn lose(&mut self, quoted: &[u8]) {
        let kind = if self.is_v6 { 128 } else { 8 };
        if quoted.len() >= 8 && quoted.starts_with(&[kind, 0]) {
            if let Some(index) = self.find(&quoted[6..8], quoted.get(8..16)) {
                if !self.answered.contains(&index) {
                    self.lost.insert(index);
                }
            }
        }
    }

    fn is_decided(&self) -> bool {
        let (answered, lost) = (self.answered.len(), self.lost.len());
        match self.loss {
            None => answered >= self.required || answered + self.count - answered - lost < self.required,
            Some(_) => answered + lost == self.count,
        }
    }

    fn verify(&self, result: &ProbeResult, ends_early: bool) {
        let answered = self.answered.len();
        assert_eq!(
            (result.ok, result.reason.is_none()),
            (answered >= self.required, result.ok),
            "{result:?}"
        );
        let known = self.answered.union(&self.lost).last().map_or(0, |last| last + 1);
        let sent = if ends_early { known } else { self.requests.len() };
        let ping = result.ping.as_ref().map(|ping| (ping.sent as usize, ping.received as usize));
        assert_eq!(ping.unwrap_or_default(), (sent, answered), "{result:?}");
        assert_eq!(result.latency.is_some(), answered > 0);
        let rtt = result.ping.as_ref().and_then(|ping| ping.rtt);
        assert_eq!(result.latency, rtt.map(|rtt| rtt.median));
        assert!(rtt.is_none_or(|rtt| rtt.min <= rtt.median && rtt.median <= rtt.max));
        let is_lossy = self.loss.is_some_and(|loss| (sent - answered) * 100 > sent * usize::from(loss));
        assert_eq!(result.warnings.contains(ProbeWarning::Loss), result.ok && is_lossy);
        assert!(result.detail.chars().count() <= ProbeResult::DETAIL_MAX);
    }
}

/// Five bytes choose the settings; then each event takes one or more bytes, until the attempt ends.
pub fn icmp(data: &[u8]) {
    let mut source = Source::new(data);
    let count = 1 + usize::from(source.byte() % 6);
    let required = 1 + usize::from(source.byte()) % count;
    let loss = Some(source.byte() % 128).filter(|loss| *loss < 100 && count > 1);
    let is_v6 = source.byte() & 1 == 1;
    let address = if is_v6 { "[2001:db8::1]:0" } else { "192.0.2.1:0" };
    let mut builder =
        ProbeBuilder::from_url("icmp://h").ping_count(count as u32).ping_required(required as u32);
    if let Some(loss) = loss {
        builder = builder.ping_loss(loss);
    }
    let probe = builder.build().expect("a probe");
    let mut now = test_now();
    let mut attempt = probe.begin(now);
    let (answered, lost) = (BTreeSet::new(), BTreeSet::new());
    let mut reference = Reference { is_v6, count, required, loss, requests: Vec::new(), answered, lost };
    let number = u64::from_be_bytes([source.byte(); 8]);
    let setup = [Input::Random(number), Input::Connected(address.parse().expect("an address"))];
    for input in setup {
        attempt.handle_input(input, now);
        while let Some(output) = attempt.poll_output() {
            note(output, &mut reference);
        }
    }
    let mut has_timer = count > 1;
    loop {
        let ends = source.is_empty();
        let event = if ends { 7 } else { source.byte() % 8 };
        let index = source.byte();
        let request = reference.requests[usize::from(index) % reference.requests.len()].clone();
        match event {
            0 if has_timer => {
                now = now.after(ProbeBuilder::PING_INTERVAL);
                attempt.handle_input(Input::TimerExpired, now);
            }
            1 | 2 => {
                let mut message = reply(&request);
                if event == 2 {
                    let bit = source.number() % (message.len() * 8);
                    message[bit / 8] ^= 1 << (bit % 8);
                }
                reference.receive(&message);
                attempt.handle_input(Input::IcmpMessage { bytes: &message, hop_limit: Some(index) }, now);
            }
            3 => {
                let message = source.piece();
                reference.receive(message);
                attempt.handle_input(Input::IcmpMessage { bytes: message, hop_limit: None }, now);
            }
            4 | 5 => {
                let quoted = match event {
                    4 => &request[..usize::from(source.byte()) % (request.len() + 1)],
                    _ => source.piece(),
                };
                reference.lose(quoted);
                let failure = Failure::new(Reason::Unreachable, "no route\r\n");
                attempt.handle_input(Input::IcmpError { failure, quoted }, now);
            }
            7 if ends => attempt.handle_input(Input::TimedOut, now),
            7 if index == 255 => {
                let failure = Failure::new(Reason::Local, "no buffers");
                attempt.handle_input(Input::Failed(failure), now);
            }
            _ => now = now.after(Duration::from_micros(u64::from(index) * 97)),
        }
        let is_last = event == 7 && (ends || index == 255);
        has_timer &= event != 0;
        let mut end = None;
        while let Some(output) = attempt.poll_output() {
            match output {
                Output::SetTimer(span) => has_timer = span == ProbeBuilder::PING_INTERVAL,
                Output::Done(result) => end = Some(result),
                output => note(output, &mut reference),
            }
        }
        assert_eq!(end.is_some(), is_last || reference.is_decided());
        if let Some(result) = end {
            return reference.verify(&result, !is_last);
        }
    }
}

/// A request, which has the form of the RFCs and its own sequence number.
fn note(output: Output, reference: &mut Reference) {
    match output {
        Output::Send(bytes) => {
            let head = [if reference.is_v6 { 128 } else { 8 }, 0, 0, 0];
            assert!(bytes.starts_with(&head) && bytes.len() == 24);
            assert!(reference.find(&bytes[6..8], None).is_none());
            reference.requests.push(bytes);
            assert!(reference.requests.len() <= reference.count);
        }
        Output::Random | Output::Content | Output::Connect { .. } | Output::SetTimer(_) => {}
        output => panic!("unexpected {output:?}"),
    }
}

fn reply(request: &[u8]) -> Vec<u8> {
    let mut reply = request.to_vec();
    reply[0] = if request[0] == 8 { 0 } else { 129 };
    crate::wire::icmp::with_checksum(&reply)
}

#[cfg(test)]
mod tests {
    /// Inputs that consist of likely events; noise alone ends most attempts at once.
    #[test]
    fn the_reference_agrees_for_random_events() {
        let mut state = 1u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for _ in 0..20_000 {
            let length = byte() % 60;
            let data: Vec<u8> = (0..length).map(|_| byte() % if byte() < 128 { 9 } else { 255 }).collect();
            super::icmp(&data);
        }
    }
}
