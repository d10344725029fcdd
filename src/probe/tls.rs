//! The kind tls: it completes a TLS handshake and, depending on the check, reads a banner over it.

#[cfg(test)]
#[cfg(feature = "tls")]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::banner::BannerReader;
use super::build::{Error, Plan, ProbeBuilder};
use super::cert_days::{self, CertDays};
use super::durations::timed_out;
use super::endpoint::{self, Endpoint};
use super::kinds::Info;
use super::{Attempt, Input, Output, tcp};
use crate::check::TcpCheck;
use crate::clock::{Now, system_time};
use crate::result::{Failure, Phases, ProbeResult, Reason};
use crate::wire::tls::{TlsClient, TlsConfig};
use crate::wire::url::{Form, Scheme, Url};

static SCHEME: Scheme = Scheme::new("tls", Form::Server { default_port: Some(443), has_path: false });

pub(super) static TLS: Info = Info::new(&SCHEME, 443, ProbeBuilder::TLS_TIMEOUT, build);

/// The longest wait for an alert about the client certificate. A server sends nothing if it accepts it.
const VERDICT_WAIT: Duration = Duration::from_millis(200);

const HANDSHAKE: &str = "the TLS handshake";

fn build(url: Url, timeout: Duration, probe: &mut ProbeBuilder) -> Result<Arc<dyn Plan>, Error> {
    let check = tcp::take_check(probe, url.scheme)?;
    let Some(config) = probe.take_tls_config(url.scheme)? else {
        return Err(Error::Protocol("tls needs TLS".to_owned()));
    };
    let (endpoint, cert_days) = (Endpoint::take(probe, &url)?, probe.take_cert_days()?);
    let send = tcp::take_send(probe)?;
    Ok(Arc::new(TlsPlan { url, check, config, send, endpoint, cert_days, timeout }))
}

struct TlsPlan {
    url: Url,
    check: TcpCheck,
    config: TlsConfig,
    /// What is sent after the handshake.
    send: Box<[u8]>,
    endpoint: Option<Box<Endpoint>>,
    cert_days: Option<CertDays>,
    timeout: Duration,
}

impl Plan for TlsPlan {
    fn begin(self: Arc<Self>, now: Now) -> Box<dyn Attempt> {
        Box::new(TlsAttempt::new(self, now))
    }
}

struct TlsAttempt {
    plan: Arc<TlsPlan>,
    started_at: Now,
    connected_at: Now,
    /// `None` before the connection is established and after the end.
    client: Option<Box<TlsClient>>,
    stage: Stage,
    phases: Phases,
    /// Short: an input leads to at most a `Send`, then a `Done`.
    outputs: VecDeque<Output>,
}

enum Stage {
    Connecting,
    Handshaking,
    /// The server judges the client certificate after the handshake (TLS 1.3). The latency is that of the handshake.
    AwaitingVerdict(Duration),
    Reading(BannerReader),
    Done,
}

impl TlsAttempt {
    fn new(plan: Arc<TlsPlan>, now: Now) -> Self {
        TlsAttempt {
            started_at: now,
            connected_at: now,
            client: None,
            stage: Stage::Connecting,
            phases: Phases::default(),
            outputs: VecDeque::from([endpoint::connect(plan.endpoint.as_deref(), &plan.url)]),
            plan,
        }
    }

    fn start_handshake(&mut self, now: Now) {
        self.connected_at = now;
        let name = endpoint::server_name(self.plan.endpoint.as_deref(), &self.plan.url);
        match TlsClient::new(&self.plan.config, name, now.unix) {
            Ok(mut client) => {
                // It is queued until the handshake is complete.
                client.send(&self.plan.send);
                self.client = Some(Box::new(client));
                self.stage = Stage::Handshaking;
                self.flush();
            }
            Err(failure) => self.finish(failure.into(), now),
        }
    }

    fn receive(&mut self, bytes: &[u8], now: Now) {
        let Some(client) = &mut self.client else { return };
        let mut plaintext = Vec::new();
        let outcome = client.receive(bytes, &mut plaintext);
        let (is_handshaking, is_closed) = (client.is_handshaking(), client.is_closed());
        self.flush();
        if matches!(self.stage, Stage::Handshaking) && !is_handshaking {
            self.end_handshake(now);
        }
        // The bytes received before a failure are evaluated before the failure: otherwise the result would depend on
        // how TCP segments them.
        match &mut self.stage {
            Stage::Reading(banner) if !plaintext.is_empty() => {
                if let Some(result) = banner.receive(&plaintext, &self.plan.check) {
                    return self.finish(result, now);
                }
            }
            Stage::AwaitingVerdict(latency) if !plaintext.is_empty() => {
                let latency = *latency;
                return self.finish_up(latency, now);
            }
            _ => {}
        }
        match (outcome, &self.stage) {
            (_, Stage::Done) => {}
            (Err(failure), Stage::Reading(banner)) => {
                let result = banner.fail(failure, &self.plan.check);
                self.finish(result, now);
            }
            (Err(failure), _) => self.finish(failure.into(), now),
            (Ok(()), _) if is_closed => self.close(now),
            (Ok(()), _) => {}
        }
    }

    fn end_handshake(&mut self, now: Now) {
        self.phases.tls = Some(now.since(self.connected_at));
        let latency = now.since(self.started_at);
        if self.plan.check.needs_banner() {
            self.stage = Stage::Reading(BannerReader::new(latency));
        } else if self.client.as_ref().is_some_and(|client| client.awaits_verdict()) {
            self.stage = Stage::AwaitingVerdict(latency);
            self.outputs.push_back(Output::SetTimer(VERDICT_WAIT));
        } else {
            self.finish_up(latency, now);
        }
    }

    fn finish_up(&mut self, latency: Duration, now: Now) {
        self.finish(ProbeResult::up(latency, "TLS handshake ok"), now);
    }

    /// The peer has closed its side, with or without a close_notify alert.
    fn close(&mut self, now: Now) {
        match (&self.stage, &self.client) {
            (Stage::Reading(banner), _) => {
                let result = banner.close(&self.plan.check);
                self.finish(result, now);
            }
            (Stage::AwaitingVerdict(latency), _) => self.finish_up(*latency, now),
            (Stage::Handshaking, Some(client)) => {
                let failure = client.cut_short();
                self.finish(failure.into(), now);
            }
            _ => {}
        }
    }

    fn fail(&mut self, failure: Failure, now: Now) {
        let result = match &self.stage {
            Stage::Reading(banner) => banner.fail(failure, &self.plan.check),
            Stage::Handshaking => {
                let detail = format!("{} while waiting for {HANDSHAKE}", failure.detail);
                ProbeResult::down(failure.reason, &detail)
            }
            Stage::AwaitingVerdict(_) => {
                let detail =
                    format!("{} after {HANDSHAKE} with the client certificate of --cert", failure.detail);
                ProbeResult::down(failure.reason, &detail)
            }
            _ => failure.into(),
        };
        self.finish(result, now);
    }

    fn time_out(&mut self, now: Now) {
        let timeout = self.plan.timeout;
        let result = match &self.stage {
            Stage::Reading(banner) => banner.time_out(timeout, &self.plan.check),
            Stage::AwaitingVerdict(latency) => return self.finish_up(*latency, now),
            Stage::Handshaking => ProbeResult::down(Reason::TlsProtocol, &timed_out(timeout, HANDSHAKE)),
            _ => ProbeResult::down(Reason::ConnectTimeout, &timed_out(timeout, "the connection")),
        };
        self.finish(result, now);
    }

    fn flush(&mut self) {
        let bytes = self.client.as_mut().map(|client| client.take_ciphertext()).unwrap_or_default();
        if !bytes.is_empty() {
            self.outputs.push_back(Output::Send(bytes));
        }
    }

    fn finish(&mut self, mut result: ProbeResult, now: Now) {
        if let Some(client) = &mut self.client {
            if self.phases.tls.is_none() {
                self.phases.tls = Some(now.since(self.connected_at));
            }
            result.tls_version = client.version();
            if let Some(validity) = client.validity() {
                result.tls_not_after = Some(system_time(validity.not_after));
                if let Some(remaining) =
                    self.plan.cert_days.and_then(|limit| limit.remaining(validity, now.unix))
                {
                    cert_days::warn(&mut result, remaining);
                }
            }
            if !client.is_handshaking() {
                client.close();
            }
        }
        self.flush();
        self.client = None;
        result.phases = self.phases;
        self.stage = Stage::Done;
        self.outputs.push_back(Output::Done(result));
    }
}

impl Attempt for TlsAttempt {
    fn handle_input(&mut self, input: Input<'_>, now: Now) {
        match (input, &self.stage) {
            (_, Stage::Done) => {}
            (Input::Connected(_), Stage::Connecting) => self.start_handshake(now),
            (Input::Received(bytes), _) => self.receive(bytes, now),
            (Input::Closed, _) => self.close(now),
            (Input::Failed(failure), _) => self.fail(failure, now),
            (Input::TimedOut, _) => self.time_out(now),
            (Input::TimerExpired, Stage::AwaitingVerdict(latency)) => self.finish_up(*latency, now),
            _ => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
