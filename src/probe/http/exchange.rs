//! One request and its response, over one connection.

use std::time::Duration;

use super::HttpPlan;
use super::cookies;
use super::redirect::{Hop, same_origin};
use crate::check::{PartialResponse, Progress};
use crate::clock::Now;
use crate::probe::endpoint::server_name;
use crate::result::{Failure, Phases, ProbeResult, Reason, TlsVersion};
use crate::wire::http::response::{Head, HttpError, ResponseReader};
use crate::wire::http::write::{chunk, chunked, request_head};
use crate::wire::tls::{TlsClient, Validity};
use crate::wire::url::HTTPS;

/// User fields that a redirect to another origin does not receive: secrets, and the target's name (RFC 9110
/// section 15.4).
const PRIVATE_FIELDS: [&str; 4] = ["authorization", "cookie", "host", "proxy-authorization"];

/// The capacity of the plaintext buffer between reads, in bytes: one TLS record.
const PLAINTEXT_KEPT: usize = 16 * 1024;

pub(super) struct Exchange {
    tls: Option<Box<TlsClient>>,
    /// Without TLS, the bytes to send.
    outbox: Vec<u8>,
    plaintext: Vec<u8>,
    upload: Upload,
    reader: ResponseReader,
    progress: Progress,
    received: bool,
    phase: Phase,
    phase_started: Now,
}

/// The progress of a body that is requested in pieces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Upload {
    NextPiece,
    Requested,
    /// Or there is no such body.
    Complete,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Handshake,
    FirstByte,
    Transfer,
}

impl Exchange {
    pub(super) fn begin(plan: &HttpPlan, hop: &Hop, now: Now) -> Result<Self, Failure> {
        let mut outbox = request(plan, hop);
        outbox.extend_from_slice(content(plan, hop).unwrap_or_default());
        let tls = match (*hop.url.scheme == HTTPS, &plan.tls) {
            (true, Some(config)) => {
                let mut client = Box::new(TlsClient::new(
                    config,
                    server_name(plan.endpoint(&hop.url), &hop.url),
                    now.unix,
                )?);
                // It is sent after the handshake.
                client.send(&std::mem::take(&mut outbox));
                Some(client)
            }
            (true, None) => return Err(Failure::new(Reason::Local, "this build has no TLS")),
            (false, _) => None,
        };
        let max_body = match plan.check.needs_body() {
            // One byte more, to detect a larger body.
            true => plan.max_body + usize::from(plan.check.needs_whole_body()),
            false => 0,
        };
        let reader = ResponseReader::new(hop.method == "HEAD", max_body);
        let phase = if tls.is_some() { Phase::Handshake } else { Phase::FirstByte };
        Ok(Exchange {
            tls,
            outbox,
            plaintext: Vec::new(),
            upload: if plan.has_streamed_content { Upload::NextPiece } else { Upload::Complete },
            reader,
            progress: Progress::default(),
            received: false,
            phase,
            phase_started: now,
        })
    }

    pub(super) fn take_outbox(&mut self) -> Vec<u8> {
        match &mut self.tls {
            Some(client) => client.take_ciphertext(),
            None => std::mem::take(&mut self.outbox),
        }
    }

    /// Whether the next piece of the body must be requested now.
    pub(super) fn take_content_request(&mut self) -> bool {
        let is_next = self.upload == Upload::NextPiece && !self.is_handshaking();
        if is_next {
            self.upload = Upload::Requested;
        }
        is_next
    }

    /// Queues a piece of the body; an empty one ends it.
    pub(super) fn send_content(&mut self, piece: &[u8]) {
        if self.upload != Upload::Requested {
            return;
        }
        self.upload = if piece.is_empty() { Upload::Complete } else { Upload::NextPiece };
        let mut chunk = chunk(piece);
        match &mut self.tls {
            Some(client) => client.send(&chunk),
            None => self.outbox.append(&mut chunk),
        }
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let Some(client) = &mut self.tls else {
            self.received = true;
            return self.reader.receive(bytes).map_err(protocol_failure);
        };
        let outcome = client.receive(bytes, &mut self.plaintext);
        if !self.plaintext.is_empty() {
            self.received = true;
            // The HTTP error comes first: it is in bytes received before the TLS failure.
            self.reader.receive(&self.plaintext).map_err(protocol_failure)?;
            self.plaintext.clear();
            self.plaintext.shrink_to(PLAINTEXT_KEPT);
        }
        outcome?;
        if client.is_closed() { self.close() } else { Ok(()) }
    }

    /// Processes EOF. Many servers do not send a close_notify alert before it.
    pub(super) fn close(&mut self) -> Result<(), Failure> {
        if let Some(client) = self.tls.as_ref().filter(|client| client.is_handshaking()) {
            return Err(client.cut_short());
        }
        self.reader.close().map_err(protocol_failure)
    }

    /// Queues a close_notify alert, which TLS requires (RFC 8446 section 6.1).
    pub(super) fn disconnect(&mut self) {
        self.upload = Upload::Complete;
        if let Some(client) = self.tls.as_mut().filter(|client| !client.is_handshaking()) {
            client.close();
        }
    }

    fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|client| client.is_handshaking())
    }

    pub(super) fn record_phases(&mut self, phases: &mut Phases, now: Now) {
        if self.phase == Phase::Handshake && !self.is_handshaking() {
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

    pub(super) fn validity(&self) -> Option<Validity> {
        self.tls.as_ref().and_then(|client| client.validity())
    }

    pub(super) fn tls_version(&self) -> Option<TlsVersion> {
        self.tls.as_ref().and_then(|client| client.version())
    }

    pub(super) fn head(&self) -> Option<&Head> {
        self.reader.head()
    }

    /// The result of the check, as soon as enough of the response has been received.
    pub(super) fn evaluate(&mut self, plan: &HttpPlan, elapsed: Duration) -> Option<ProbeResult> {
        let head = self.reader.head()?;
        let received = self.reader.body();
        let body = received.get(..plan.max_body).unwrap_or(received);
        let response = PartialResponse {
            head,
            body,
            is_complete: self.reader.is_done(),
            is_truncated: body.len() >= plan.max_body,
            is_larger: received.len() > plan.max_body,
            elapsed,
        };
        plan.check.evaluate(&response, &mut self.progress)
    }

    /// What it is waiting for, and the reason if that times out.
    pub(super) fn waiting_for(&self) -> (Reason, &'static str) {
        if self.is_handshaking() {
            (Reason::TlsProtocol, "the TLS handshake")
        } else if self.upload != Upload::Complete {
            (Reason::HttpTimeout, "the server to read the request")
        } else if self.reader.head().is_none() {
            (Reason::HttpTimeout, "the response")
        } else {
            (Reason::HttpTimeout, "the body")
        }
    }
}

fn protocol_failure(error: HttpError) -> Failure {
    Failure::new(Reason::HttpProtocol, error.0)
}

fn content<'p>(plan: &'p HttpPlan, hop: &Hop) -> Option<&'p [u8]> {
    plan.content.as_deref().filter(|_| hop.has_content)
}

/// Whether a field describes the body, and is dropped with it (RFC 9110 section 15.4).
fn is_about_content(name: &str) -> bool {
    name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"))
}

fn request(plan: &HttpPlan, hop: &Hop) -> Vec<u8> {
    let is_same_origin = same_origin(&hop.url, &plan.url);
    let (mut headers, mut field) = (Vec::new(), String::new());
    for (name, value) in &plan.headers {
        if !is_same_origin && PRIVATE_FIELDS.iter().any(|private| name.eq_ignore_ascii_case(private)) {
            continue;
        }
        if plan.content.is_some() && !hop.has_content && is_about_content(name) {
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
    if let Some(content) = content(plan, hop) {
        headers.push(("Content-Length".to_owned(), content.len().to_string()));
    }
    if plan.has_streamed_content {
        headers.push(chunked());
    }
    request_head(&hop.method, &hop.url.path, &hop.url.host_field(), &headers)
}
