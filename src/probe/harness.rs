//! For tests: one attempt of a probe, with a peer that the test simulates.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Attempt, Input, Output, Probe, Program, Transport};
use crate::clock::{Now, test_now};
use crate::result::{Failure, Phases, ProbeResult};

/// The number that attempts get.
pub(crate) const RANDOM: u64 = 0x4444_3333_2222_1111;

/// The host of [`Output::ConnectNameServer`].
pub(crate) const NAME_SERVER: &str = "name server";

/// An attempt in progress. Panics if the attempt violates the contract of [`Attempt`].
pub(crate) struct Harness {
    attempt: Box<dyn Attempt>,
    now: Now,
    connect: Option<(Transport, String, u16)>,
    sent: Vec<u8>,
    timer: Option<Now>,
    program: Option<Program>,
    /// How often it has requested a piece of the body.
    pub(crate) content_requests: usize,
    done: Option<ProbeResult>,
}

impl Harness {
    pub(crate) fn begin(probe: &dyn Probe) -> Harness {
        let now = test_now();
        let attempt = probe.begin(now);
        let mut harness = Harness {
            attempt,
            now,
            connect: None,
            sent: Vec::new(),
            timer: None,
            program: None,
            content_requests: 0,
            done: None,
        };
        harness.take_outputs();
        harness
    }

    pub(crate) fn wait(&mut self, span: Duration) {
        self.now = self.now.after(span);
    }

    /// Takes the requested TCP connection; panics if there is none.
    pub(crate) fn connect(&mut self) -> (String, u16) {
        self.take_connect().expect("no connection requested")
    }

    /// Takes the requested TCP connection, if any.
    pub(crate) fn take_connect(&mut self) -> Option<(String, u16)> {
        let (transport, host, port) = self.connect.take()?;
        assert_eq!(transport, Transport::Tcp);
        Some((host, port))
    }

    /// Takes the requested half-open connection; panics if there is none.
    pub(crate) fn connect_half_open(&mut self) -> (String, u16) {
        let (transport, host, port) = self.connect.take().expect("no connection requested");
        assert_eq!(transport, Transport::HalfOpenTcp);
        (host, port)
    }

    /// Takes the requested UDP socket; panics if there is none.
    pub(crate) fn connect_udp(&mut self) -> (String, u16) {
        let (transport, host, port) = self.connect.take().expect("no socket requested");
        assert_eq!(transport, Transport::Udp);
        (host, port)
    }

    /// Takes the requested ICMP socket; panics if there is none.
    pub(crate) fn connect_icmp(&mut self) -> String {
        let (transport, host, port) = self.connect.take().expect("no socket requested");
        assert!(matches!(transport, Transport::Icmp { .. }) && port == 0);
        host
    }

    pub(crate) fn connected(&mut self) {
        self.connected_to(SocketAddr::from(([127, 0, 0, 1], 1)));
    }

    pub(crate) fn connected_to(&mut self, address: SocketAddr) {
        self.connect = None;
        self.sent.clear(); // It was sent over the previous connection.
        self.input(Input::Connected(address));
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        assert!(!bytes.is_empty());
        self.input(Input::Received(bytes));
    }

    /// Passes the pieces to the attempt until there is a result or it requests another connection.
    pub(crate) fn receive_all<'a>(&mut self, pieces: impl IntoIterator<Item = &'a [u8]>) {
        for piece in pieces {
            if self.is_done() || self.connect.is_some() {
                return;
            }
            self.receive(piece);
        }
    }

    /// Takes the program that was requested; panics if there is none.
    pub(crate) fn program(&mut self) -> Program {
        self.program.take().expect("no program")
    }

    pub(crate) fn failed(&mut self, failure: Failure) {
        self.input(Input::Failed(failure));
    }

    pub(crate) fn input(&mut self, input: Input<'_>) {
        assert!(self.done.is_none(), "input after the end");
        self.attempt.handle_input(input, self.now);
        self.take_outputs();
    }

    /// Takes the bytes sent since the last call.
    pub(crate) fn sent(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.sent)
    }

    /// The time until the timer expires.
    pub(crate) fn timer(&self) -> Option<Duration> {
        Some(self.timer?.since(self.now))
    }

    /// Waits until the timer expires; panics if there is none.
    pub(crate) fn expire_timer(&mut self) {
        self.now = self.timer.take().expect("no timer");
        self.input(Input::TimerExpired);
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done.is_some()
    }

    /// The result without phases and the properties of HTTP and TLS.
    pub(crate) fn result(&self) -> ProbeResult {
        let mut result = self.full_result();
        result.phases = Phases::default();
        (result.http_status, result.http_redirects) = (None, 0);
        (result.tls_version, result.tls_not_after) = (None, None);
        result
    }

    pub(crate) fn full_result(&self) -> ProbeResult {
        self.done.clone().expect("no result yet")
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.attempt.poll_output() {
            assert!(self.done.is_none(), "{output:?} after the result");
            match output {
                Output::Connect { transport, host, port } => {
                    assert!(self.connect.is_none(), "two connections requested at once");
                    self.connect = Some((transport, host, port));
                }
                Output::ConnectNameServer { transport } => {
                    assert!(self.connect.is_none(), "two connections requested at once");
                    self.connect = Some((transport, NAME_SERVER.to_owned(), 53));
                }
                Output::Random => self.input(Input::Random(RANDOM)),
                Output::Send(bytes) => {
                    assert!(!bytes.is_empty() && self.connect.is_none());
                    self.sent.extend(bytes);
                }
                Output::SetTimer(span) => self.timer = Some(self.now.after(span)),
                Output::Exec(program) => self.program = Some(program),
                Output::Content => self.content_requests += 1,
                Output::BlockingTask(_) => panic!("unexpected blocking task"),
                Output::Done(result) => self.done = Some(result),
            }
        }
    }
}

/// Segmentations of `bytes`: all splits in two, pieces of equal size, and unsplit.
pub(crate) fn segmentations(bytes: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let halves = (1..bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]);
    halves.chain([1, 2, 3, 5, bytes.len()].map(|size| bytes.chunks(size.max(1)).collect()))
}
