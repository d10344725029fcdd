//! What happened in all runs together, so that a lazy world is noticed.

use std::collections::BTreeMap;

use crate::result::Reason;

#[derive(Default)]
pub(super) struct Counters(BTreeMap<&'static str, u64>);

impl Counters {
    pub(super) fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(super) fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }
}

#[cfg(test)]
impl Counters {
    pub(super) fn merge(&mut self, other: &Counters) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    pub(super) fn print(&self) {
        for (what, times) in &self.0 {
            println!("{times:>12}  {what}");
        }
    }
}

pub(super) fn label(reason: Reason) -> &'static str {
    match reason {
        Reason::DnsNotFound => "result: dns_not_found",
        Reason::DnsFailed => "result: dns_failed",
        Reason::DnsTimeout => "result: dns_timeout",
        Reason::Refused => "result: refused",
        Reason::Unreachable => "result: unreachable",
        Reason::Reset => "result: reset",
        Reason::ConnectTimeout => "result: connect_timeout",
        Reason::HttpProtocol => "result: http_protocol",
        Reason::HttpTimeout => "result: http_timeout",
        Reason::Redirect => "result: redirect",
        Reason::Status => "result: status",
        Reason::Body => "result: body",
        Reason::Banner => "result: banner",
        Reason::Local => "result: local",
        Reason::NoReply => "result: no_reply",
        Reason::TtlExceeded => "result: ttl_exceeded",
        Reason::DnsRcode => "result: dns_rcode",
        Reason::DnsAnswer => "result: dns_answer",
        Reason::DnsNoAnswer => "result: dns_no_answer",
        Reason::Exec => "result: exec",
        Reason::NoHeartbeat => "result: no_heartbeat",
        Reason::HeartbeatFail => "result: heartbeat_fail",
        other => panic!("nobody here fails with {other:?}"),
    }
}
