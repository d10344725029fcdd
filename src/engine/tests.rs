//! The engine, told and asked by hand.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::limits::*;
use super::*;
use crate::clock::test_now;
use crate::fsm::State;
use crate::probe::{self, Attempt, Probe};
use crate::verdict::Reason;

/// Connects, says hello and is content with any answer.
struct Hello(&'static str);

impl Probe for Hello {
    fn name(&self) -> &str {
        self.0
    }
    fn timeout(&self) -> Duration {
        Duration::from_secs(2)
    }
    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        let connect = probe::Output::Connect { host: self.0.into(), port: 80 };
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
            probe::Input::TimedOut | probe::Input::Worked(_) => return,
        };
        self.outputs.push_back(output);
    }
    fn poll_output(&mut self) -> Option<probe::Output> {
        self.outputs.pop_front()
    }
}

/// An engine and the moment it is at.
struct Bench {
    engine: Engine,
    now: Now,
}

impl Bench {
    fn new(hosts: &[&'static str]) -> Self {
        Bench::with(hosts, Schedule::Beat, secs(5))
    }

    fn with(hosts: &[&'static str], schedule: Schedule, interval: Duration) -> Self {
        let now = test_now();
        let monitors = hosts.iter().map(|host| Monitor::new(Hello(host)).interval(interval)).collect();
        let mdns = SocketAddr::from(([127, 0, 0, 1], 5353));
        let resolver = Resolver::new(Vec::new(), mdns, Box::new(|| 7));
        let guard = HostGuard::new(IpAddr::V4(Ipv4Addr::LOCALHOST), Vec::new());
        Bench { engine: Engine::new(monitors, schedule, resolver, guard, now), now }
    }

    /// Lets time pass, deadline by deadline, as a punctual loop would.
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
        std::iter::from_fn(|| self.engine.poll_output()).collect()
    }

    /// The connection that the outputs so far ask to be opened.
    fn opened(&mut self) -> ConnId {
        let outputs = self.outputs();
        let open = outputs.iter().find_map(|output| match output {
            Output::Open { id, .. } => Some(*id),
            _ => None,
        });
        open.unwrap_or_else(|| panic!("nothing to open in {outputs:?}"))
    }

    /// Sends everything that waits for a client; returns it.
    fn deliver(&mut self, id: ConnId) -> String {
        let bytes = self.engine.unsent(id).to_vec();
        self.tell(id, Input::Sent(bytes.len()));
        String::from_utf8(bytes).expect("text")
    }

    fn state(&self) -> State {
        self.engine.fleet().worst()
    }
}

const GET: &[u8] = b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

#[test]
fn a_check_runs_from_beat_to_verdict_and_leaves_nothing() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.tell(id, Input::Connected);
    assert_eq!(bench.engine.unsent(id), b"hello");
    assert!(matches!(bench.outputs()[..], [Output::Write(w)] if w == id));
    bench.tell(id, Input::Sent(5));
    bench.tell(id, Input::Received(b"x"));
    let outputs = bench.outputs();
    assert!(
        matches!(&outputs[..], [Output::Close(c), Output::Verdict(v)] if *c == id && v.result.ok),
        "{outputs:?}"
    );
    assert_eq!(bench.state(), State::Up);
    assert!(bench.engine.conns.is_empty());
    bench.tell(id, Input::Received(b"late news"));
    assert!(bench.outputs().is_empty());
    bench.pass(secs(4));
    assert!(bench.outputs().is_empty());
    bench.pass(secs(1));
    assert_ne!(bench.opened(), id, "ids are not reused");
}

#[test]
fn a_silent_target_fails_at_its_deadline_and_not_later() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.pass(Duration::from_millis(1999));
    assert!(bench.outputs().is_empty());
    bench.pass(Duration::from_millis(1));
    let outputs = bench.outputs();
    let [Output::Close(closed), Output::Verdict(verdict)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(*closed, id);
    assert_eq!(verdict.result.detail, "timed out after 2 s: no answer to connecting to 127.0.0.1:80");
    assert_eq!(verdict.result.reason, Some(Reason::ConnectTimeout));
}

#[test]
fn an_attempt_that_says_nothing_at_its_end_is_ended() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.tell(id, Input::Connected);
    bench.outputs();
    bench.pass(secs(2));
    let outputs = bench.outputs();
    let Some(Output::Verdict(verdict)) = outputs.last() else { panic!("{outputs:?}") };
    assert_eq!(verdict.result.detail, "timed out after 2 s");
}

#[test]
fn time_that_the_loop_lost_is_not_held_against_the_target() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.pass(secs(1));
    bench.now = bench.now.after(secs(60));
    bench.engine.handle_timeout(bench.now);
    assert!(bench.outputs().is_empty(), "one check is still under way, and there is no burst");
    bench.tell(id, Input::Connected);
    bench.tell(id, Input::Received(b"x"));
    assert!(bench.outputs().iter().any(|o| matches!(o, Output::Verdict(v) if v.result.ok)));
    bench.pass(secs(5));
    let opens = bench.outputs().iter().filter(|o| matches!(o, Output::Open { .. })).count();
    assert_eq!(opens, 1);
}

#[test]
fn time_that_the_loop_lost_is_not_held_against_the_name_servers() {
    let mut bench = Bench::new(&["db.example"]);
    bench.pass(Duration::ZERO);
    bench.engine.handle_files(Some(b""), Some(b"options timeout:1 attempts:1\n"), bench.now);
    bench.pass(Duration::from_millis(500));
    let asked = bench.outputs().iter().filter(|o| matches!(o, Output::Open { .. })).count();
    assert_eq!(asked, 2, "one query per family");
    bench.engine.handle_timeout(bench.now);
    bench.now = bench.now.after(secs(60));
    bench.engine.handle_timeout(bench.now);
    bench.pass(Duration::from_millis(499));
    assert!(bench.outputs().is_empty(), "both may still be answered");
    bench.pass(Duration::from_millis(1));
    let outputs = bench.outputs();
    let Some(Output::Verdict(verdict)) = outputs.last() else { panic!("{outputs:?}") };
    assert_eq!(verdict.result.reason, Some(Reason::DnsTimeout));
}

#[test]
fn a_verdict_told_by_an_older_clock_does_not_repeat_its_beat() {
    let mut bench = Bench::new(&["x.invalid"]);
    let early = bench.now;
    bench.now = early.after(Duration::from_micros(30));
    bench.pass(Duration::ZERO);
    assert!(matches!(bench.outputs()[..], [Output::RefreshFiles]));
    bench.engine.handle_files(None, None, early);
    assert!(matches!(bench.outputs()[..], [Output::Verdict(_)]));
    bench.pass(secs(5) - Duration::from_micros(31));
    assert!(bench.outputs().is_empty(), "the next beat has not come");
    let before_beat = bench.now;
    bench.pass(Duration::from_micros(2));
    bench.engine.handle_files(None, None, before_beat);
    assert!(matches!(bench.outputs()[..], [Output::RefreshFiles, Output::Verdict(_)]));
    bench.pass(secs(4));
    assert!(bench.outputs().is_empty(), "the beat is over");
}

#[test]
fn no_descriptors_for_a_probe_costs_an_idle_client_and_no_verdict() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    let idle = bench.engine.accept(bench.now);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.tell(id, Input::Failed(Failure::new(Reason::Local, "too many open files")));
    // In this order and at once: what the client gives up is not for the next client.
    let outputs = bench.outputs();
    let [Output::Close(closed), Output::Open { id: again, .. }] = outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(closed, idle);
    bench.tell(again, Input::Failed(Failure::new(Reason::Local, "too many open files")));
    assert!(bench.outputs().is_empty(), "nobody is left to give way");
    bench.pass(Duration::from_millis(50));
    let again = bench.opened();
    bench.tell(again, Input::Connected);
    bench.tell(again, Input::Received(b"x"));
    assert_eq!(bench.state(), State::Up);
}

#[test]
fn no_descriptors_for_a_query_costs_an_idle_client_and_not_the_query() {
    let mut bench = Bench::new(&["example.test"]);
    bench.engine.handle_files(None, Some(b"nameserver 10.0.0.1\noptions attempts:1\n"), bench.now);
    let idle = bench.engine.accept(bench.now);
    bench.pass(Duration::ZERO);
    bench.engine.handle_files(None, None, bench.now);
    let id = bench.opened();
    let question = bench.engine.unsent(id).to_vec();
    bench.tell(id, Input::Failed(Failure::new(Reason::Local, "too many open files")));
    let outputs = bench.outputs();
    let [Output::Close(closed), Output::Open { id: again, transport, .. }, Output::Write(write)] =
        outputs[..]
    else {
        panic!("{outputs:?}")
    };
    assert_eq!((closed, transport, write), (idle, Transport::Udp, again));
    assert_eq!(bench.engine.unsent(again), question);
    assert_eq!(bench.state(), State::Unknown);
}

#[test]
fn every_target_is_checked_once_and_not_more_than_some_at_a_time() {
    let hosts = vec!["127.0.0.1"; ONCE_PARALLEL + 10];
    let mut bench = Bench::with(&hosts, Schedule::Once, secs(5));
    bench.pass(Duration::ZERO);
    let opens = bench.outputs();
    assert_eq!(opens.len(), ONCE_PARALLEL);
    assert!(!bench.engine.is_finished());
    bench.pass(secs(10));
    let verdicts = bench.outputs().iter().filter(|o| matches!(o, Output::Verdict(_))).count();
    assert_eq!(verdicts, hosts.len());
    assert!(bench.engine.is_finished());
    assert_eq!(bench.engine.poll_timeout(), None);
}

#[test]
fn a_client_that_is_owed_an_answer_is_not_read() {
    let mut bench = Bench::new(&[]);
    let id = bench.engine.accept(bench.now);
    assert!(bench.engine.room(id) > 0);
    bench.tell(id, Input::Received(&[GET, GET, GET].concat()));
    for _ in 0..3 {
        assert_eq!(bench.engine.room(id), 0);
        assert!(bench.deliver(id).ends_with("unknown\n"), "one answer at a time");
    }
    assert!(bench.engine.room(id) > 0);
    assert!(bench.outputs().iter().any(|o| matches!(o, Output::Read(r) if *r == id)));
    assert_eq!(bench.engine.owed, 0);
}

#[test]
fn silence_is_closed_and_half_a_request_gets_408() {
    let mut bench = Bench::new(&[]);
    let silent = bench.engine.accept(bench.now);
    let slow = bench.engine.accept(bench.now);
    bench.tell(slow, Input::Received(b"GET /"));
    bench.pass(secs(4));
    bench.tell(slow, Input::Received(b"state"));
    bench.pass(secs(1));
    assert!(bench.engine.unsent(slow).starts_with(b"HTTP/1.1 408 "));
    bench.deliver(slow);
    assert!(bench.outputs().iter().any(|o| matches!(o, Output::Shutdown(s) if *s == slow)));
    bench.pass(CLIENT_LINGER);
    assert!(matches!(bench.outputs()[..], [Output::Close(c)] if c == slow));
    bench.pass(secs(2));
    assert!(matches!(bench.outputs()[..], [Output::Close(c)] if c == silent));
    assert_eq!((bench.engine.clients, bench.engine.poll_timeout()), (0, None));
}

#[test]
fn a_client_that_never_reads_is_closed_and_one_that_ends_early_is_still_answered() {
    let mut bench = Bench::new(&[]);
    let deaf = bench.engine.accept(bench.now);
    bench.tell(deaf, Input::Received(GET));
    let brief = bench.engine.accept(bench.now);
    bench.tell(brief, Input::Received(GET));
    bench.tell(brief, Input::Closed);
    assert!(bench.deliver(brief).ends_with("unknown\n"));
    let closed = |o: &Output| matches!(o, Output::Close(c) if *c == brief);
    assert!(bench.outputs().iter().any(closed));
    bench.pass(CLIENT_STALL);
    assert!(matches!(bench.outputs()[..], [Output::Close(c)] if c == deaf));
    assert_eq!(bench.engine.owed, 0);
}

#[test]
fn one_client_too_many_makes_the_idlest_give_way() {
    let mut bench = Bench::new(&[]);
    let ids: Vec<_> = (0..CLIENTS_MAX).map(|_| bench.engine.accept(bench.now)).collect();
    bench.now = bench.now.after(CLIENT_GRACE);
    bench.tell(ids[0], Input::Received(GET));
    bench.deliver(ids[0]);
    bench.outputs();
    bench.engine.accept(bench.now);
    assert!(matches!(bench.outputs()[..], [Output::Close(c)] if c == ids[1]));
    assert_eq!(bench.engine.clients, CLIENTS_MAX);
}

#[test]
fn a_new_client_is_heard_before_it_gives_way() {
    let mut bench = Bench::new(&[]);
    let busy: Vec<_> = (1..CLIENTS_MAX).map(|_| bench.engine.accept(bench.now)).collect();
    for _ in 0..CLIENTS_MAX {
        bench.now = bench.now.after(CLIENT_GRACE);
        let new = bench.engine.accept(bench.now);
        // All others have got an answer since, and owe nobody anything.
        bench.now = bench.now.after(CLIENT_GRACE / 2);
        busy.iter().for_each(|id| bench.tell(*id, Input::Received(GET)));
        busy.iter().for_each(|id| drop(bench.deliver(*id)));
        bench.outputs();
        bench.engine.accept(bench.now);
        assert!(matches!(bench.outputs()[..], [Output::Close(c)] if c != new));
    }
}

#[test]
fn accepting_pauses_when_nothing_can_give_way_and_goes_on_by_the_clock() {
    let mut bench = Bench::new(&[]);
    assert!(!bench.engine.handle_accept_failed(true, bench.now));
    bench.pass(ACCEPT_PAUSE);
    assert!(matches!(bench.outputs()[..], [Output::Accept]));
    bench.engine.accept(bench.now);
    assert!(!bench.engine.handle_accept_failed(true, bench.now), "the one that just came was not heard yet");
    bench.pass(CLIENT_GRACE);
    assert!(bench.engine.handle_accept_failed(true, bench.now), "there is one to give way");
}

#[test]
fn answers_wait_while_too_much_is_owed_to_others() {
    let mut bench = Bench::new(&[]);
    let first = bench.engine.accept(bench.now);
    let second = bench.engine.accept(bench.now);
    bench.tell(first, Input::Received(GET));
    bench.engine.owed += OWED_MAX;
    bench.tell(second, Input::Received(GET));
    assert_eq!((bench.engine.unsent(second).len(), bench.engine.room(second)), (0, 0));
    bench.engine.owed -= OWED_MAX;
    bench.deliver(first);
    assert!(bench.deliver(second).ends_with("unknown\n"));
    assert!(bench.engine.held.is_empty());
}

#[test]
fn a_loop_that_is_always_late_still_ends_its_checks() {
    let mut bench = Bench::with(&["10.0.0.1", "127.0.0.1"], Schedule::Beat, secs(1));
    bench.pass(Duration::ZERO);
    let silent = bench.opened();
    let mut ended = false;
    for _ in 0..20 {
        // A second is lost each time, and there is always something that was due before it.
        bench.now = bench.now.after(secs(1));
        bench.engine.handle_timeout(bench.now);
        for output in bench.outputs() {
            match output {
                Output::Open { id, to, .. } if to.ip().is_loopback() => {
                    bench.tell(id, Input::Connected);
                    bench.tell(id, Input::Received(b"x"));
                }
                Output::Close(id) => ended |= id == silent,
                _ => {}
            }
        }
    }
    assert!(ended, "a silent target is silent, however busy this machine is");
}
