//! One try of an http or https target: a chain of exchanges, mostly of one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::cookies::Cookies;
use super::exchange::Exchange;
use super::redirect::{self, Hop};
use super::{Follow, HttpPlan};
use crate::clock::Now;
use crate::probe::words::timed_out;
use crate::probe::{Attempt, Input, Output};
use crate::result::{DETAIL_MAX, Failure, Phases, ProbeResult, Reason, printable};

/// One try of a target that is healthy if it answers a request as it should.
pub(crate) struct HttpAttempt {
    plan: Arc<HttpPlan>,
    begun: Now,
    /// The requests that were answered by a redirect, at most [`redirect::REDIRECTS_MAX`].
    before: Vec<Hop>,
    here: Hop,
    cookies: Cookies,
    stage: Stage,
    phases: Phases,
    /// Those of the last answer and certificate that came.
    http_status: Option<u16>,
    http10: bool,
    tls_not_after: Option<Duration>,
    /// At most a few: an input leads to something to send, and to a connection or a verdict.
    outputs: VecDeque<Output>,
}

enum Stage {
    Connecting,
    Talking(Box<Exchange>),
    Over,
}

impl HttpAttempt {
    pub(crate) fn new(plan: Arc<HttpPlan>, now: Now) -> Self {
        let here = Hop { url: plan.url.clone(), method: plan.method.clone(), cookies: String::new() };
        let mut attempt = HttpAttempt {
            plan,
            begun: now,
            before: Vec::new(),
            here,
            cookies: Cookies::default(),
            stage: Stage::Connecting,
            phases: Phases::default(),
            http_status: None,
            http10: false,
            tls_not_after: None,
            outputs: VecDeque::new(),
        };
        attempt.connect(now);
        attempt
    }

    fn connect(&mut self, now: Now) {
        self.disconnect(now);
        let host = self.here.url.host.clone();
        self.outputs.push_back(Output::Connect { host, port: self.here.url.port });
        self.stage = Stage::Connecting;
    }

    fn talk(&mut self, now: Now) {
        match Exchange::begin(&self.plan, &self.here, now) {
            Ok(exchange) => {
                self.stage = Stage::Talking(Box::new(exchange));
                self.flush();
            }
            Err(failure) => self.finish(failure.into(), now),
        }
    }

    /// Notes what the exchange took and showed, and says goodbye to the peer, where its protocol wants one.
    fn disconnect(&mut self, now: Now) {
        if let Stage::Talking(exchange) = &mut self.stage {
            exchange.end_phase(&mut self.phases, now);
            self.tls_not_after = exchange.not_after().or(self.tls_not_after);
            exchange.disconnect();
        }
        self.flush();
    }

    fn flush(&mut self) {
        let Stage::Talking(exchange) = &mut self.stage else { return };
        let bytes = exchange.take_outbox();
        if !bytes.is_empty() {
            self.outputs.push_back(Output::Send(bytes));
        }
    }

    /// Goes on after a step of the exchange. What the bytes so far say comes first, and only then
    /// what went wrong after them: otherwise the verdict would depend on how they were cut.
    fn go_on(&mut self, outcome: Result<(), Failure>, now: Now) {
        self.flush();
        let Stage::Talking(exchange) = &mut self.stage else { return };
        let elapsed = now.since(self.begun);
        exchange.note_phases(&mut self.phases, now);
        if let Some(head) = exchange.head() {
            (self.http_status, self.http10) = (Some(head.status), head.http10);
            let named = self.plan.check.names(head.status);
            if self.plan.follow != Follow::Never && redirect::is_redirect(head.status) && !named {
                let tls = self.plan.tls.is_some();
                self.cookies.store(head, &self.here.url, now.unix);
                let (follow, cookies) = (self.plan.follow, &mut self.cookies);
                return match redirect::follow(&self.before, &self.here, head, follow, tls, cookies) {
                    Ok(next) => {
                        self.before.push(std::mem::replace(&mut self.here, next));
                        self.connect(now);
                    }
                    Err(why) => {
                        let result = ProbeResult::down(Reason::Redirect, &why).with_latency(elapsed);
                        self.finish(result, now);
                    }
                };
            }
            if let Some(result) = exchange.judge(&self.plan, elapsed) {
                return self.finish(result, now);
            }
        }
        if let Err(failure) = outcome {
            self.finish(failure.into(), now);
        }
    }

    /// A failure that did not come from the exchange itself: it is told what was waited for.
    fn broke(&mut self, failure: Failure, now: Now) {
        let result = match &self.stage {
            Stage::Talking(exchange) => {
                let (_, what) = exchange.waiting_for();
                ProbeResult::down(failure.reason, &format!("{} while waiting for {what}", failure.detail))
            }
            _ => failure.into(),
        };
        self.finish(result, now);
    }

    fn time_out(&mut self, now: Now) {
        let (reason, what) = match &self.stage {
            Stage::Talking(exchange) => exchange.waiting_for(),
            _ => (Reason::ConnectTimeout, "the connection"),
        };
        self.finish(ProbeResult::down(reason, &timed_out(self.plan.timeout, what)), now);
    }

    /// A failure after a redirect says where it happened.
    fn finish(&mut self, mut result: ProbeResult, now: Now) {
        if !result.ok && !self.before.is_empty() {
            let place = redirect::shown(&self.here.url);
            result.detail = printable(&format!("after redirect to {place}: {}", result.detail), DETAIL_MAX);
        }
        self.disconnect(now);
        (result.phases, result.http_status) = (self.phases, self.http_status);
        (result.http10, result.tls_not_after) = (self.http10, self.tls_not_after);
        self.stage = Stage::Over;
        self.outputs.push_back(Output::Done(result));
    }
}

impl Attempt for HttpAttempt {
    fn handle_input(&mut self, input: Input<'_>, now: Now) {
        match (input, &mut self.stage) {
            (_, Stage::Over) => {}
            (Input::Connected(_), Stage::Connecting) => self.talk(now),
            (Input::Received(bytes), Stage::Talking(exchange)) => {
                let outcome = exchange.receive(bytes);
                self.go_on(outcome, now);
            }
            (Input::Closed, Stage::Talking(exchange)) => {
                let outcome = exchange.close();
                self.go_on(outcome, now);
            }
            (Input::Failed(failure), _) => self.broke(failure, now),
            (Input::TimedOut, _) => self.time_out(now),
            (Input::Connected(_), Stage::Talking(_))
            | (Input::Received(_) | Input::Closed, Stage::Connecting)
            | (Input::Worked(_), _) => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
