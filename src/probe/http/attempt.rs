//! One attempt of an http or https probe: one exchange for each redirect, and one for the final response.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::cookies::Cookies;
use super::exchange::Exchange;
use super::redirect::{self, Hop};
use super::{Follow, HttpPlan};
use crate::clock::{Now, system_time};
use crate::probe::cert_days;
use crate::probe::durations::timed_out;
use crate::probe::endpoint;
use crate::probe::{Attempt, Input, Output};
use crate::result::{Failure, Phases, ProbeResult, Reason, TlsVersion};
use crate::text::printable;

pub(crate) struct HttpAttempt {
    plan: Arc<HttpPlan>,
    started_at: Now,
    /// At most [`redirect::REDIRECTS_MAX`].
    previous: Vec<Hop>,
    current: Hop,
    cookies: Cookies,
    stage: Stage,
    phases: Phases,
    /// Of the last response.
    http_status: Option<u16>,
    http10: bool,
    tls_version: Option<TlsVersion>,
    tls_not_after: Option<Duration>,
    /// The shortest remaining time of a certificate that is below the limit.
    cert_remaining: Option<Duration>,
    outputs: VecDeque<Output>,
}

enum Stage {
    Connecting,
    Exchanging(Box<Exchange>),
    Done,
}

impl HttpAttempt {
    pub(crate) fn new(plan: Arc<HttpPlan>, now: Now) -> Self {
        let current = Hop {
            url: plan.url.clone(),
            method: plan.method.clone(),
            has_content: true,
            cookies: String::new(),
        };
        let mut attempt = HttpAttempt {
            plan,
            started_at: now,
            previous: Vec::new(),
            current,
            cookies: Cookies::default(),
            stage: Stage::Connecting,
            phases: Phases::default(),
            http_status: None,
            http10: false,
            tls_version: None,
            tls_not_after: None,
            cert_remaining: None,
            outputs: VecDeque::new(),
        };
        attempt.connect(now);
        attempt
    }

    fn connect(&mut self, now: Now) {
        self.disconnect(now);
        let url = &self.current.url;
        self.outputs.push_back(endpoint::connect(self.plan.endpoint(url), url));
        self.stage = Stage::Connecting;
    }

    fn disconnect(&mut self, now: Now) {
        if let Stage::Exchanging(exchange) = &mut self.stage {
            exchange.end_phase(&mut self.phases, now);
            self.tls_version = exchange.tls_version();
            if let Some(validity) = exchange.validity() {
                self.tls_not_after = Some(validity.not_after);
                let remaining = self.plan.cert_days.and_then(|limit| limit.remaining(validity, now.unix));
                self.cert_remaining = [self.cert_remaining, remaining].into_iter().flatten().min();
            }
            exchange.disconnect();
        }
        self.flush();
    }

    fn flush(&mut self) {
        let Stage::Exchanging(exchange) = &mut self.stage else { return };
        let bytes = exchange.take_outbox();
        if !bytes.is_empty() {
            self.outputs.push_back(Output::Send(bytes));
        }
        if exchange.take_content_request() {
            self.outputs.push_back(Output::Content);
        }
    }

    fn process(&mut self, outcome: Result<(), Failure>, now: Now) {
        self.flush();
        let Stage::Exchanging(exchange) = &mut self.stage else { return };
        // The bytes received before a failure are evaluated before the failure: otherwise the result would
        // depend on how TCP segments them.
        let elapsed = now.since(self.started_at);
        exchange.record_phases(&mut self.phases, now);
        if let Some(head) = exchange.head() {
            (self.http_status, self.http10) = (Some(head.status), head.http10);
            let is_listed = self.plan.check.lists(head.status);
            if self.plan.follow != Follow::Never && redirect::is_redirect(head.status) && !is_listed {
                let tls = self.plan.tls.is_some();
                self.cookies.store(head, &self.current.url, now.unix);
                let (follow, cookies) = (self.plan.follow, &mut self.cookies);
                return match redirect::follow(&self.previous, &self.current, head, follow, tls, cookies) {
                    Ok(next) => {
                        self.previous.push(std::mem::replace(&mut self.current, next));
                        self.connect(now);
                    }
                    Err(why) => {
                        let result = ProbeResult::down(Reason::Redirect, &why).with_latency(elapsed);
                        self.finish(result, now);
                    }
                };
            }
            if let Some(result) = exchange.evaluate(&self.plan, elapsed) {
                return self.finish(result, now);
            }
        }
        if let Err(failure) = outcome {
            self.finish(failure.into(), now);
        }
    }

    fn connection_failed(&mut self, failure: Failure, now: Now) {
        let result = match &self.stage {
            Stage::Exchanging(exchange) => {
                let (_, what) = exchange.waiting_for();
                ProbeResult::down(failure.reason, &format!("{} while waiting for {what}", failure.detail))
            }
            _ => failure.into(),
        };
        self.finish(result, now);
    }

    fn time_out(&mut self, now: Now) {
        let (reason, what) = match &self.stage {
            Stage::Exchanging(exchange) => exchange.waiting_for(),
            _ => (Reason::ConnectTimeout, "the connection"),
        };
        self.finish(ProbeResult::down(reason, &timed_out(self.plan.timeout, what)), now);
    }

    fn finish(&mut self, mut result: ProbeResult, now: Now) {
        if !result.ok && !self.previous.is_empty() {
            let url = redirect::shown(&self.current.url);
            result.detail =
                printable(&format!("after redirect to {url}: {}", result.detail), ProbeResult::DETAIL_MAX);
        }
        self.disconnect(now);
        (result.phases, result.http_status) = (self.phases, self.http_status);
        if let Some(remaining) = self.cert_remaining {
            cert_days::warn(&mut result, remaining);
        }
        (result.http10, result.tls_not_after) = (self.http10, self.tls_not_after.map(system_time));
        result.http_redirects = self.previous.len() as u8;
        result.tls_version = self.tls_version.filter(|_| self.http_status.is_some());
        self.stage = Stage::Done;
        self.outputs.push_back(Output::Done(result));
    }
}

impl Attempt for HttpAttempt {
    fn handle_input(&mut self, input: Input<'_>, now: Now) {
        match (input, &mut self.stage) {
            (_, Stage::Done) => {}
            (Input::Connected(_), Stage::Connecting) => {
                match Exchange::begin(&self.plan, &self.current, now) {
                    Ok(exchange) => {
                        self.stage = Stage::Exchanging(Box::new(exchange));
                        self.flush();
                    }
                    Err(failure) => self.finish(failure.into(), now),
                }
            }
            (Input::Received(bytes), Stage::Exchanging(exchange)) => {
                let outcome = exchange.receive(bytes);
                self.process(outcome, now);
            }
            (Input::Content(piece), Stage::Exchanging(exchange)) => {
                exchange.send_content(piece);
                self.flush();
            }
            (Input::Closed, Stage::Exchanging(exchange)) => {
                let outcome = exchange.close();
                self.process(outcome, now);
            }
            (Input::Failed(failure), _) => self.connection_failed(failure, now),
            (Input::TimedOut, _) => self.time_out(now),
            _ => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
