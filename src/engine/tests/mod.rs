//! The engine, called directly with scripted events.

mod check_queue;
mod clients;
mod control;
mod dependencies;
mod dependencies_control;
mod event_log;
mod eviction;
mod execs;
mod heartbeats;
mod hooks;
mod listings;
mod liveness;
mod name_server;
mod pauses;
mod periodic;
mod phases;
mod probe_runs;
mod probes;
mod process_stats;
mod reload;
mod reload_notifications;
mod retries;
mod service_manager;
mod state_file;
mod streams;
mod webhooks;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::limits::*;
use super::owners::RunOwner;
use super::*;
use crate::api::host::HostGuard;
use crate::clock::test_now;
use crate::fsm::State;
use crate::monitor::TargetId;
use crate::monitor::TargetUpdate;
use crate::probe::{self, Attempt, Probe};
use crate::result::{Failure, ProbeResult, Reason};

/// Connects, sends "hello" and succeeds with any response.
struct Hello(&'static str);

impl Probe for Hello {
    fn name(&self) -> &str {
        self.0
    }
    fn timeout(&self) -> Duration {
        Duration::from_secs(2)
    }
    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        let connect =
            probe::Output::Connect { transport: probe::Transport::Tcp, host: self.0.into(), port: 80 };
        Box::new(HelloAttempt { outputs: VecDeque::from([connect]) })
    }
}

struct HelloAttempt {
    outputs: VecDeque<probe::Output>,
}

impl Attempt for HelloAttempt {
    fn handle_input(&mut self, input: probe::Input<'_>, _now: Now) {
        let output = match input {
            probe::Input::Connected(_) => probe::Output::Send(b"hello".to_vec()),
            probe::Input::Received(_) => {
                probe::Output::Done(ProbeResult::up(Duration::from_millis(1), "answered"))
            }
            probe::Input::Failed(failure) => probe::Output::Done(failure.into()),
            probe::Input::Closed => probe::Output::Done(ProbeResult::down(Reason::Custom, "closed")),
            _ => return,
        };
        self.outputs.push_back(output);
    }
    fn poll_output(&mut self) -> Option<probe::Output> {
        self.outputs.pop_front()
    }
}

/// A check ends at once, with the result that the switch selects.
struct Switch {
    name: String,
    is_up: Arc<AtomicBool>,
}

impl Probe for Switch {
    fn name(&self) -> &str {
        &self.name
    }
    fn timeout(&self) -> Duration {
        Duration::from_secs(2)
    }
    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        let result = match self.is_up.load(Ordering::Relaxed) {
            true => ProbeResult::up(Duration::from_micros(1234), "fine"),
            false => ProbeResult::down(Reason::Refused, "refused"),
        };
        Box::new(HelloAttempt { outputs: VecDeque::from([probe::Output::Done(result)]) })
    }
}

/// `count` monitors with one switch, which is on.
fn switched(count: usize) -> (Arc<AtomicBool>, Vec<Monitor>) {
    let is_up = Arc::new(AtomicBool::new(true));
    let probe = |i: usize| Switch { name: format!("t{i}"), is_up: is_up.clone() };
    let monitors = (0..count).map(|i| Monitor::new(probe(i)).interval(secs(1))).collect();
    (is_up, monitors)
}

/// A [`TargetUpdate`] by position.
#[allow(clippy::large_enum_variant)] // A few in a test.
enum Update {
    Keep(usize),
    Start(Monitor),
}

/// An engine and its current time.
struct Bench {
    engine: Engine,
    now: Now,
    /// Whether this machine has an address.
    has_address: bool,
}

impl Bench {
    fn new(hosts: &[&'static str]) -> Self {
        Bench::with(hosts, Schedule::Repeated, secs(5))
    }

    fn with(hosts: &[&'static str], schedule: Schedule, interval: Duration) -> Self {
        let monitors = hosts.iter().map(|host| Monitor::new(Hello(host)).interval(interval)).collect();
        Bench::watching(monitors, schedule)
    }

    fn watching(monitors: Vec<Monitor>, schedule: Schedule) -> Self {
        Bench::sharing(monitors, schedule, Shares::of(usize::MAX))
    }

    fn sharing(monitors: Vec<Monitor>, schedule: Schedule, shares: Shares) -> Self {
        let now = test_now();
        let mdns = SocketAddr::from(([127, 0, 0, 1], 5353));
        let resolver = Resolver::new(Vec::new(), mdns, Box::new(|| 7));
        let guard = HostGuard::new(IpAddr::V4(Ipv4Addr::LOCALHOST), Vec::new()).into();
        Bench {
            engine: Engine::new(monitors, schedule, resolver, guard, shares, now),
            now,
            has_address: true,
        }
    }

    fn id(&self, position: usize) -> TargetId {
        self.engine.targets().id(position)
    }

    fn run(&self, position: usize) -> RunOwner {
        RunOwner::Target(self.id(position))
    }

    fn updates(&self, list: Vec<Update>) -> Vec<TargetUpdate> {
        let update = |update| match update {
            Update::Keep(position) => TargetUpdate::Keep(self.id(position)),
            Update::Start(monitor) => TargetUpdate::Start(monitor),
        };
        list.into_iter().map(update).collect()
    }

    /// Advances the time from deadline to deadline, like a loop that is never late.
    fn pass(&mut self, span: Duration) {
        let end = self.now.after(span);
        while let Some(at) = self.engine.poll_timeout().filter(|at| *at <= end.instant) {
            let step = at.saturating_duration_since(self.now.instant);
            self.now = self.now.after(step);
            self.engine.handle_timeout(self.now);
            assert!(self.engine.poll_timeout().is_none_or(|at| at > self.now.instant), "it would spin");
        }
        self.now = end;
    }

    fn tell(&mut self, id: ConnId, input: Input<'_>) {
        self.engine.handle_input(id, input, self.now);
    }

    fn outputs(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::CheckAddresses => self.engine.handle_addresses(self.has_address, self.now),
                output => outputs.push(output),
            }
        }
        outputs
    }

    /// The first connection that the outputs open.
    fn opened(&mut self) -> ConnId {
        self.opens().first().copied().expect("something to open")
    }

    fn opens(&mut self) -> Vec<ConnId> {
        let opens = self.outputs().into_iter().filter_map(|output| match output {
            Output::Open { id, .. } => Some(id),
            _ => None,
        });
        opens.collect()
    }

    /// Sends all unsent bytes of a connection and returns them.
    fn deliver(&mut self, id: ConnId) -> String {
        let bytes = match self.engine.cx.owner(id) {
            Some(ConnOwner::Client) => self.engine.response(id),
            _ => self.engine.unsent(id).to_vec(),
        };
        self.tell(id, Input::Sent(bytes.len()));
        String::from_utf8(bytes).expect("text")
    }

    fn state(&self) -> State {
        self.engine.targets().worst()
    }
}

/// The log lines among the outputs.
fn said(outputs: &[Output]) -> Vec<&str> {
    let lines = outputs.iter().filter_map(|output| match output {
        Output::Log(line) => Some(line.as_str()),
        _ => None,
    });
    lines.collect()
}

const GET: &[u8] = b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}
