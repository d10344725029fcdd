//! One request and its response, over one connection.

use std::time::Duration;

use super::HttpPlan;
use super::channel::Channel;
use super::cookies;
use super::redirect::{Hop, same_origin};
use crate::check::{PartialResponse, Search};
use crate::clock::Now;
use crate::result::{Failure, Phases, ProbeResult, Reason};
use crate::wire::http::response::{Head, HttpError, ResponseReader};
use crate::wire::http::write::request_head;
use crate::wire::url::HTTPS;

/// User fields that a redirect to another origin does not receive: secrets, and the target's name (RFC 9110
/// section 15.4).
const PRIVATE_FIELDS: [&str; 4] = ["authorization", "cookie", "host", "proxy-authorization"];

pub(super) struct Exchange {
    channel: Channel,
    reader: ResponseReader,
    search: Search,
    received: bool,
    phase: Phase,
    phase_started: Now,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Handshake,
    FirstByte,
    Transfer,
}

impl Exchange {
    pub(super) fn begin(plan: &HttpPlan, hop: &Hop, now: Now) -> Result<Self, Failure> {
        let mut channel = match *hop.url.scheme == HTTPS {
            true => Channel::tls(plan.tls.as_ref(), &hop.url.host, now.unix)?,
            false => Channel::plain(),
        };
        channel.send(&request(plan, hop));
        if !plan.content.is_empty() {
            channel.send(&plan.content);
        }
        let max_body = if plan.check.needs_body() { plan.max_body } else { 0 };
        let reader = ResponseReader::new(hop.method == "HEAD", max_body);
        let phase = if channel.is_handshaking() { Phase::Handshake } else { Phase::FirstByte };
        Ok(Exchange {
            channel,
            reader,
            search: Search::default(),
            received: false,
            phase,
            phase_started: now,
        })
    }

    pub(super) fn take_outbox(&mut self) -> Vec<u8> {
        self.channel.take_outbox()
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut read = Ok(());
        let reader = &mut self.reader;
        let received = &mut self.received;
        let received = self.channel.receive(bytes, |plaintext| {
            *received = true;
            read = reader.receive(plaintext);
        });
        // The HTTP error comes first: it is in bytes received before the TLS failure.
        read.map_err(protocol_failure)?;
        received?;
        if self.channel.is_closed() { self.close() } else { Ok(()) }
    }

    /// Processes EOF. Many servers do not send a close_notify alert before it.
    pub(super) fn close(&mut self) -> Result<(), Failure> {
        self.channel.cut_short()?;
        self.reader.close().map_err(protocol_failure)
    }

    pub(super) fn disconnect(&mut self) {
        self.channel.disconnect();
    }

    pub(super) fn record_phases(&mut self, phases: &mut Phases, now: Now) {
        if self.phase == Phase::Handshake && !self.channel.is_handshaking() {
            self.end_phase(phases, now);
            self.phase = Phase::FirstByte;
        }
        if self.phase == Phase::FirstByte && self.received {
            self.end_phase(phases, now);
            self.phase = Phase::Transfer;
        }
    }

    pub(super) fn end_phase(&mut self, phases: &mut Phases, now: Now) {
        let phase = match self.phase {
            Phase::Handshake => &mut phases.tls,
            Phase::FirstByte => &mut phases.first_byte,
            Phase::Transfer => &mut phases.transfer,
        };
        Phases::extend(phase, now.since(self.phase_started));
        self.phase_started = now;
    }

    pub(super) fn not_after(&self) -> Option<Duration> {
        self.channel.not_after()
    }

    pub(super) fn head(&self) -> Option<&Head> {
        self.reader.head()
    }

    /// The result of the check, as soon as enough of the response has been received.
    pub(super) fn evaluate(&mut self, plan: &HttpPlan, elapsed: Duration) -> Option<ProbeResult> {
        let head = self.reader.head()?;
        let body = self.reader.body();
        let is_truncated = body.len() >= plan.max_body;
        let response =
            PartialResponse { head, body, is_complete: self.reader.is_done(), is_truncated, elapsed };
        plan.check.evaluate(&response, &mut self.search)
    }

    /// What it is waiting for, and the reason if that times out.
    pub(super) fn waiting_for(&self) -> (Reason, &'static str) {
        if self.channel.is_handshaking() {
            (Reason::TlsProtocol, "the TLS handshake")
        } else if self.reader.head().is_none() {
            (Reason::HttpTimeout, "the answer's head")
        } else {
            (Reason::HttpTimeout, "the body")
        }
    }
}

fn protocol_failure(error: HttpError) -> Failure {
    Failure::new(Reason::HttpProtocol, error.0)
}

fn request(plan: &HttpPlan, hop: &Hop) -> Vec<u8> {
    let is_same_origin = same_origin(&hop.url, &plan.url);
    let (mut headers, mut field) = (Vec::new(), String::new());
    for (name, value) in &plan.headers {
        if !is_same_origin && PRIVATE_FIELDS.iter().any(|private| name.eq_ignore_ascii_case(private)) {
            continue;
        }
        if hop.cookies.is_empty() || !name.eq_ignore_ascii_case("cookie") {
            headers.push((name.clone(), value.clone()));
            continue;
        }
        // One field (RFC 6265 section 5.4), in which a cookie that the target has set replaces the user's.
        for pair in value.split(';').map(|pair| pair.trim_matches(' ')).filter(|pair| !pair.is_empty()) {
            if !hop.cookies.split(';').any(|set| cookies::name(set) == cookies::name(pair)) {
                cookies::append(&mut field, pair);
            }
        }
    }
    if !hop.cookies.is_empty() {
        cookies::append(&mut field, &hop.cookies);
        headers.push(("Cookie".to_owned(), field));
    }
    request_head(&hop.method, &hop.url.path, &hop.url.host_field(), &headers)
}
