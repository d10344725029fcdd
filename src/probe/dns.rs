//! The kind dns: it queries a name server for the records of a name.
//!
//! ```text
//! begin --Random--> connecting --Connected--> waiting --answer--> done
//!                       ^                        |
//!                       +---- truncated: TCP ----+---- FORMERR, NOTIMP: again without EDNS
//! ```
//!
//! Over UDP the query is sent again once, after a third of the timeout. Datagrams that do not match the query are
//! ignored: the answer may follow them.

mod url;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::build::{Error, Plan, ProbeBuilder};
use super::durations::timed_out;
use super::kinds::Info;
use super::{Attempt, Input, Output, Transport};
use crate::check::DnsCheck;
use crate::clock::Now;
use crate::result::{DnsResponse, Failure, ProbeResult, Reason};
use crate::wire::dns::records::{RecordQuery, Records, Response, rcode_text};
use crate::wire::dns::{MessageStream, framed};
use crate::wire::url::{Form, Scheme, Url};
use url::DnsUrl;

static SCHEME: Scheme = Scheme::new("dns", Form::Text);

pub(super) static DNS: Info = Info {
    default_name: |url| {
        Some(DnsUrl::parse(&url.path).map_or_else(|_| url.path.clone(), |url| url.shown_name()))
    },
    shown_url: |url| DnsUrl::parse(&url.path).map_or_else(|_| url.to_string(), |url| url.to_string()),
    peer: |url| DnsUrl::parse(&url.path).ok().and_then(|url| url.server),
    ..Info::new(&SCHEME, 0, ProbeBuilder::DNS_TIMEOUT, build)
};

fn build(url: Url, timeout: Duration, probe: &mut ProbeBuilder) -> Result<Arc<dyn Plan>, Error> {
    let url = DnsUrl::parse(&url.path).map_err(Error::Url)?;
    let specs = std::mem::take(&mut probe.settings.checks);
    let check = DnsCheck::parse(&specs, url.kind).map_err(Error::Check)?;
    let over_tcp = probe.settings.dns_tcp.take().unwrap_or(false);
    Ok(Arc::new(DnsPlan { url, check, over_tcp, timeout }))
}

struct DnsPlan {
    url: DnsUrl,
    check: DnsCheck,
    over_tcp: bool,
    timeout: Duration,
}

impl Plan for DnsPlan {
    fn begin(self: Arc<Self>, now: Now) -> Box<dyn Attempt> {
        Box::new(DnsAttempt {
            over_tcp: self.over_tcp,
            plan: self,
            started_at: now,
            random: 0,
            edns: true,
            is_truncated: false,
            is_repeated: false,
            server: None,
            sent_at: now,
            stream: MessageStream::default(),
            ignored: 0,
            outputs: VecDeque::from([Output::Random]),
        })
    }
}

struct DnsAttempt {
    plan: Arc<DnsPlan>,
    started_at: Now,
    /// The ids of the queries.
    random: u64,
    over_tcp: bool,
    edns: bool,
    /// An answer over UDP was truncated.
    is_truncated: bool,
    /// The current query has been sent twice.
    is_repeated: bool,
    /// Present once connected.
    server: Option<SocketAddr>,
    sent_at: Now,
    stream: MessageStream,
    /// Messages that do not match the query.
    ignored: u32,
    outputs: VecDeque<Output>,
}

impl Attempt for DnsAttempt {
    fn handle_input(&mut self, input: Input<'_>, now: Now) {
        match input {
            Input::Random(number) => {
                self.random = number;
                self.connect();
            }
            Input::Connected(server) => {
                self.server = Some(server);
                self.stream = MessageStream::default();
                self.send_first(now);
            }
            Input::Received(bytes) => self.receive(bytes, now),
            Input::TimerExpired if !self.over_tcp && self.server.is_some() && !self.is_repeated => {
                self.is_repeated = true;
                self.send();
            }
            Input::Closed => {
                self.fail(Reason::DnsNoAnswer, "the server closed the connection before its answer")
            }
            Input::Failed(failure) => self.handle_failed(failure),
            Input::TimedOut => self.time_out(),
            _ => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

impl DnsAttempt {
    fn connect(&mut self) {
        let transport = if self.over_tcp { Transport::Tcp } else { Transport::Udp };
        self.outputs.push_back(match (&self.plan.url.server, self.server.take()) {
            (None, _) => Output::ConnectNameServer { transport },
            // The same address of the server.
            (Some(_), Some(server)) => {
                Output::Connect { transport, host: server.ip().to_string(), port: server.port() }
            }
            (Some(url), None) => Output::Connect { transport, host: url.host.clone(), port: url.port },
        });
    }

    /// The id differs between queries, so that a late answer does not match the next one.
    fn query(&self) -> RecordQuery<'_> {
        let index = u32::from(self.over_tcp) * 2 + u32::from(!self.edns);
        let DnsUrl { name, kind, .. } = &self.plan.url;
        RecordQuery { id: (self.random >> (index * 16)) as u16, name, kind: *kind, edns: self.edns }
    }

    fn send_first(&mut self, now: Now) {
        self.sent_at = now;
        self.is_repeated = false;
        self.send();
        if !self.over_tcp {
            self.outputs.push_back(Output::SetTimer(self.plan.timeout / 3));
        }
    }

    fn send(&mut self) {
        let message = self.query().write();
        let bytes = if self.over_tcp { framed(&message) } else { message };
        self.outputs.push_back(Output::Send(bytes));
    }

    fn receive(&mut self, mut bytes: &[u8], now: Now) {
        if !self.over_tcp {
            let response = self.query().read(bytes);
            self.handle_response(response, now);
            return;
        }
        let mut stream = std::mem::take(&mut self.stream);
        while self.outputs.is_empty() {
            let Some(message) = stream.next(&mut bytes) else { break };
            let response = self.query().read(message);
            self.handle_response(response, now);
        }
        self.stream = stream;
    }

    fn handle_response(&mut self, response: Response, now: Now) {
        match response {
            Response::Foreign => self.ignored = self.ignored.saturating_add(1),
            Response::Truncated if !self.over_tcp => {
                (self.over_tcp, self.is_truncated) = (true, true);
                self.connect();
            }
            Response::Truncated => self.fail(Reason::DnsAnswer, "the answer is longer than 64 KiB"),
            Response::Broken => self.fail(Reason::DnsAnswer, "the server sent a malformed answer"),
            // FORMERR, NOTIMP (RFC 6891 section 7) and BADVERS.
            Response::Records(Records { rcode: 1 | 4 | 16, .. }) if self.edns => {
                self.edns = false;
                match self.over_tcp {
                    false => self.send_first(now),
                    // Many servers close the connection after an error.
                    true => self.connect(),
                }
            }
            Response::Records(records) => self.finish(&records, now),
        }
    }

    fn finish(&mut self, records: &Records, now: Now) {
        let latency = now.since(self.started_at);
        let mut result = self.plan.check.evaluate(records, self.plan.url.kind, latency);
        result.phases.first_byte = Some(now.since(self.sent_at));
        let response =
            DnsResponse::new(rcode_text(records.rcode), &records.texts, records.soa_serial, records.count);
        result.dns = Some(Arc::new(response));
        self.outputs.push_back(Output::Done(result));
    }

    fn handle_failed(&mut self, failure: Failure) {
        match self.is_truncated {
            true => {
                self.fail(failure.reason, &format!("{} (its answer over UDP was truncated)", failure.detail))
            }
            false => self.fail(failure.reason, &failure.detail),
        }
    }

    fn time_out(&mut self) {
        let server = self.server.map_or_else(|| "the name server".to_owned(), |server| server.to_string());
        let mut detail = timed_out(self.plan.timeout, &format!("the answer of {server}"));
        match self.ignored {
            0 => {}
            1 => detail.push_str("; 1 message that does not match the query was ignored"),
            count => detail.push_str(&format!("; {count} messages that do not match the query were ignored")),
        }
        self.fail(Reason::DnsNoAnswer, &detail);
    }

    fn fail(&mut self, reason: Reason, detail: &str) {
        self.outputs.push_back(Output::Done(ProbeResult::down(reason, detail)));
    }
}

#[cfg(test)]
mod tests;
