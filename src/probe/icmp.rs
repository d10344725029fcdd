//! The kind icmp: echo requests (ping).

use std::net::IpAddr;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use super::build::{Error, Plan, ProbeBuilder};
use super::durations::{round_trips, seconds, timed_out};
use super::kinds::Info;
use super::{Attempt, Input, Output, Transport};
use crate::clock::Now;
use crate::result::{Failure, PingStats, ProbeResult, ProbeWarning, Reason};
use crate::wire::icmp::{Echo, Version};
use crate::wire::url::{Form, Scheme, Url};

static SCHEME: Scheme = Scheme { alias: Some("ping"), ..Scheme::new("icmp", Form::Host) };

pub(super) static ICMP: Info = Info::new(&SCHEME, 0, ProbeBuilder::ICMP_TIMEOUT, build);

fn build(url: Url, timeout: Duration, probe: &mut ProbeBuilder) -> Result<Arc<dyn Plan>, Error> {
    let ping = std::mem::take(&mut probe.settings.ping);
    let count = ping.count.unwrap_or(1);
    if !(1..=ProbeBuilder::PING_COUNT_MAX).contains(&count) {
        return Err(Error::PingCount(format!(
            "{count} is not between 1 and {}",
            ProbeBuilder::PING_COUNT_MAX
        )));
    }
    let required = ping.required.unwrap_or(1);
    if !(1..=count).contains(&required) {
        return Err(Error::PingRequired(format!(
            "{required} is not between 1 and the number of requests, {count}"
        )));
    }
    let interval = ping.interval.unwrap_or(ProbeBuilder::PING_INTERVAL);
    if interval.is_zero() || interval.saturating_mul(count - 1) >= timeout {
        return Err(Error::PingInterval(format!(
            "{count} requests, one each {}, do not fit into the timeout of {}",
            seconds(interval),
            seconds(timeout)
        )));
    }
    match ping.loss {
        Some(_) if count < 2 => {
            return Err(Error::PingLoss("needs at least 2 requests (--ping-count)".to_owned()));
        }
        Some(percent) if percent > 99 => {
            return Err(Error::PingLoss(format!("{percent} is not between 0 and 99 percent")));
        }
        _ => {}
    }
    let size = ping.size.unwrap_or(ProbeBuilder::PING_SIZE_MIN);
    if !(ProbeBuilder::PING_SIZE_MIN..=ProbeBuilder::PING_SIZE_MAX).contains(&size) {
        let (min, max) = (ProbeBuilder::PING_SIZE_MIN, ProbeBuilder::PING_SIZE_MAX);
        return Err(Error::PingSize(format!("{size} is not between {min} and {max} bytes")));
    }
    let hop_limit = match ping.ttl.map(NonZeroU8::new) {
        Some(None) => return Err(Error::PingTtl("0 is not between 1 and 255".to_owned())),
        ttl => ttl.flatten(),
    };
    Ok(Arc::new(IcmpPlan {
        host: url.host,
        timeout,
        count: count as usize,
        interval,
        required: required as usize,
        loss: ping.loss,
        hop_limit,
        size,
    }))
}

struct IcmpPlan {
    host: String,
    timeout: Duration,
    count: usize,
    interval: Duration,
    /// The replies that make the target up.
    required: usize,
    /// The highest loss, in percent, that is not a warning. With it, every request is sent.
    loss: Option<u8>,
    hop_limit: Option<NonZeroU8>,
    size: usize,
}

impl Plan for IcmpPlan {
    fn begin(self: Arc<Self>, _now: Now) -> Box<dyn Attempt> {
        Box::new(IcmpAttempt {
            cookie: 0,
            to: None,
            requests: Vec::with_capacity(self.count),
            hop_limit: None,
            failure: None,
            output: Some(Output::Random),
            timer: None,
            plan: self,
        })
    }
}

struct IcmpAttempt {
    plan: Arc<IcmpPlan>,
    /// A random number, which other hosts cannot guess.
    cookie: u64,
    to: Option<IpAddr>,
    /// In the order of their sequence numbers.
    requests: Vec<Request>,
    hop_limit: Option<u8>,
    /// The last ICMP error about a request.
    failure: Option<Failure>,
    output: Option<Output>,
    timer: Option<Duration>,
}

struct Request {
    sent_at: Now,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unknown,
    Answered(Duration),
    /// According to an ICMP error, no reply will follow.
    Lost,
}

impl Attempt for IcmpAttempt {
    fn handle_input(&mut self, input: Input<'_>, now: Now) {
        match input {
            Input::Random(number) => {
                self.cookie = number;
                let transport = Transport::Icmp { hop_limit: self.plan.hop_limit };
                self.output = Some(Output::Connect { transport, host: self.plan.host.clone(), port: 0 });
            }
            Input::Connected(address) => {
                self.to = Some(address.ip());
                self.send(now);
            }
            Input::TimerExpired => self.send(now),
            Input::IcmpMessage { bytes, hop_limit } => self.handle_message(bytes, hop_limit, now),
            Input::IcmpError { failure, quoted } => self.handle_error(failure, quoted),
            Input::Failed(failure) => self.finish(Some(failure)),
            Input::TimedOut => self.finish(None),
            _ => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.output.take().or_else(|| self.timer.take().map(Output::SetTimer))
    }
}

impl IcmpAttempt {
    fn send(&mut self, now: Now) {
        let (Some(to), true) = (self.to, self.requests.len() < self.plan.count) else { return };
        let echo = self.echo(self.requests.len());
        self.requests.push(Request { sent_at: now, fate: Fate::Unknown });
        self.output = Some(Output::Send(echo.request(Version::of(to), self.plan.size)));
        self.timer = (self.requests.len() < self.plan.count).then_some(self.plan.interval);
    }

    fn handle_message(&mut self, message: &[u8], hop_limit: Option<u8>, now: Now) {
        let Some(to) = self.to else { return };
        let Some(echo) = Echo::of_reply(Version::of(to), message) else { return };
        let index = usize::from(echo.sequence.wrapping_sub(self.cookie as u16));
        let Some(request) = self.requests.get_mut(index) else { return };
        // A reply is stronger evidence than an error. Others are duplicates, or replies to other processes.
        if echo.cookie == self.cookie && !matches!(request.fate, Fate::Answered(_)) {
            request.fate = Fate::Answered(now.since(request.sent_at));
            self.hop_limit = hop_limit.or(self.hop_limit);
            self.decide();
        }
    }

    fn handle_error(&mut self, failure: Failure, quoted: &[u8]) {
        let Some(to) = self.to else { return };
        let is_quoted = |index: &usize| self.echo(*index).is_quoted(Version::of(to), quoted);
        let Some(index) = (0..self.requests.len()).find(is_quoted) else { return };
        let request = &mut self.requests[index];
        if request.fate == Fate::Unknown {
            request.fate = Fate::Lost;
            self.failure = Some(failure);
            self.decide();
        }
    }

    /// Ends the attempt as soon as the result is certain; with a limit of the loss, when it is measured.
    fn decide(&mut self) {
        let count = |is: fn(Fate) -> bool| self.requests.iter().filter(|request| is(request.fate)).count();
        let received = count(|fate| matches!(fate, Fate::Answered(_)));
        let lost = count(|fate| fate == Fate::Lost);
        let is_decided = match self.plan.loss {
            None => received >= self.plan.required || self.plan.count - lost < self.plan.required,
            Some(_) => received + lost == self.plan.count,
        };
        if is_decided {
            let failure = self.failure.take();
            // Replies to the requests after the last one with a known fate can still follow.
            let settled = self.requests.iter().rposition(|request| request.fate != Fate::Unknown);
            self.requests.truncate(settled.map_or(0, |last| last + 1));
            self.end(failure);
        }
    }

    /// No reply follows any more.
    fn finish(&mut self, failure: Option<Failure>) {
        let failure = failure.or(self.failure.take());
        self.end(failure);
    }

    fn end(&mut self, failure: Option<Failure>) {
        let answered = |request: &Request| match request.fate {
            Fate::Answered(rtt) => Some(rtt),
            Fate::Unknown | Fate::Lost => None,
        };
        let mut rtts = [Duration::ZERO; ProbeBuilder::PING_COUNT_MAX as usize];
        let mut received = 0;
        for (slot, rtt) in rtts.iter_mut().zip(self.requests.iter().filter_map(answered)) {
            *slot = rtt;
            received += 1;
        }
        let stats = PingStats::new(self.requests.len(), &mut rtts[..received], self.hop_limit);
        let mut result = self.result(&stats, failure);
        if stats.sent > 0 {
            result.ping = Some(Box::new(stats));
        }
        self.timer = None;
        self.output = Some(Output::Done(result));
    }

    fn result(&self, stats: &PingStats, failure: Option<Failure>) -> ProbeResult {
        let plan = &self.plan;
        let Some(rtt) = stats.rtt else {
            return match (failure, self.to) {
                (Some(failure), _) => failure.into(),
                (None, Some(to)) => {
                    let what = format!("a reply from {to}");
                    ProbeResult::down(Reason::NoReply, &timed_out(plan.timeout, &what))
                }
                (None, None) => ProbeResult::down(Reason::NoReply, "no reply"),
            };
        };
        let is_up = stats.received as usize >= plan.required;
        if is_up && stats.sent == 1 {
            // The usual ping: its result is formatted once.
            return ProbeResult::up(rtt.median, &format!("reply in {}", round_trips(&[rtt.median])));
        }
        let is_up = stats.received as usize >= plan.required;
        if is_up && stats.sent == 1 {
            // The usual ping: nothing is formatted that it does not need.
            return ProbeResult::up(rtt.median, &format!("reply in {}", round_trips(&[rtt.median])));
        }
        let times = round_trips(&[rtt.min, rtt.median, rtt.max]);
        let detail = format!("{} of {} replies, {times}", stats.received, stats.sent);
        if !is_up {
            let (reason, because) = match failure {
                Some(failure) => (failure.reason, format!("; {}", failure.detail)),
                None => (Reason::NoReply, String::new()),
            };
            let detail = format!("{detail}, {} required{because}", plan.required);
            return ProbeResult::down(reason, &detail).with_latency(rtt.median);
        }
        let mut result = ProbeResult::up(rtt.median, &detail);
        if plan.loss.is_some_and(|percent| stats.loses_more_than(percent)) {
            result.warnings.insert(ProbeWarning::Loss);
        }
        result
    }

    /// The sequence numbers begin at random, too: an error may quote no cookie.
    fn echo(&self, index: usize) -> Echo {
        Echo { sequence: (self.cookie as u16).wrapping_add(index as u16), cookie: self.cookie }
    }
}

#[cfg(test)]
mod tests;
