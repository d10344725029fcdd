//! Probes of a program: blocking tasks, many outputs, no outputs, and final bytes.

use super::*;
use crate::probe::BlockingTask;

/// The outputs of a probe for an input; `None` at its start.
type Wants = fn(Option<&probe::Input<'_>>) -> Vec<probe::Output>;

struct Puppet(Wants);

impl Probe for Puppet {
    fn name(&self) -> &str {
        "puppet"
    }
    fn timeout(&self) -> Duration {
        secs(2)
    }
    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        Box::new(PuppetAttempt { wants: self.0, outputs: self.0(None).into() })
    }
}

struct PuppetAttempt {
    wants: Wants,
    outputs: VecDeque<probe::Output>,
}

impl Attempt for PuppetAttempt {
    fn handle_input(&mut self, input: probe::Input<'_>, _now: Now) {
        self.outputs.extend((self.wants)(Some(&input)));
    }
    fn poll_output(&mut self) -> Option<probe::Output> {
        self.outputs.pop_front()
    }
}

/// An engine whose only probe has started.
fn begun(wants: Wants) -> Bench {
    let mut bench = Bench::watching(vec![Monitor::new(Puppet(wants))], Schedule::Repeated);
    bench.pass(Duration::ZERO);
    bench
}

fn connect(host: &str) -> probe::Output {
    probe::Output::Connect { transport: probe::Transport::Tcp, host: host.to_owned(), port: 80 }
}

fn work() -> probe::Output {
    probe::Output::BlockingTask(BlockingTask::new(fine))
}

fn fine() -> ProbeResult {
    ProbeResult::up(Duration::ZERO, "fine")
}

fn bad() -> ProbeResult {
    ProbeResult::down(Reason::Custom, "bad")
}

/// The tasks among the outputs.
fn jobs(bench: &mut Bench) -> Vec<JobId> {
    let job = |output| match output {
        Output::BlockingTask(job, _) => Some(job),
        _ => None,
    };
    bench.outputs().into_iter().filter_map(job).collect()
}

/// The detail of the only result among the outputs.
fn reported(bench: &mut Bench) -> String {
    let outputs = bench.outputs();
    let mut results = outputs.iter().filter_map(|output| match output {
        Output::CheckResult(check) => Some(check.result.detail.clone()),
        _ => None,
    });
    let reported = results.next().unwrap_or_else(|| panic!("no check in {outputs:?}"));
    assert_eq!(results.next(), None);
    reported
}

#[test]
fn the_result_of_a_task_is_passed_only_to_its_own_check() {
    let mut bench = begun(|reported| match reported {
        None => vec![work(), work(), work()],
        Some(probe::Input::Worked(result)) if result.ok => vec![probe::Output::Done(result.clone())],
        Some(_) => Vec::new(),
    });
    let first = jobs(&mut bench);
    assert!(first.len() == 3 && first[0] != first[1] && first[1] != first[2]);
    bench.engine.handle_worked(first[0], bad(), bench.now);
    assert!(bench.outputs().is_empty(), "the probe has not made its mind up");
    bench.pass(secs(2));
    assert_eq!(reported(&mut bench), "timed out after 2 s");
    bench.pass(secs(3));
    let second = jobs(&mut bench);
    for late in first {
        bench.engine.handle_worked(late, fine(), bench.now);
        assert!(bench.outputs().is_empty(), "that check is over");
    }
    bench.engine.handle_worked(second[1], fine(), bench.now);
    assert_eq!(reported(&mut bench), "fine");
    bench.engine.handle_worked(second[2], fine(), bench.now);
    assert!(bench.outputs().is_empty() && bench.engine.runs.jobs().is_empty());
}

#[test]
fn a_task_that_ends_a_check_cancels_its_lookup() {
    let mut bench = begun(|reported| match reported {
        None => vec![connect("db.example"), work()],
        Some(probe::Input::Worked(result)) => vec![probe::Output::Done(result.clone())],
        Some(_) => Vec::new(),
    });
    let job = jobs(&mut bench)[0];
    bench.engine.handle_files(Some(Vec::new()), Some(b"nameserver 10.0.0.1\n"), bench.now);
    let queries: Vec<_> = bench.engine.connections();
    assert_eq!(queries.len(), 2, "one per family");
    bench.outputs();
    bench.engine.handle_worked(job, fine(), bench.now);
    let outputs = bench.outputs();
    for query in queries {
        assert!(outputs.iter().any(|output| matches!(output, Output::Close(id) if *id == query)));
    }
}

#[test]
fn a_task_result_with_an_older_time_does_not_repeat_a_scheduled_check() {
    let mut bench = begun(|reported| match reported {
        None => vec![work()],
        Some(probe::Input::Worked(result)) => vec![probe::Output::Done(result.clone())],
        Some(_) => Vec::new(),
    });
    let job = jobs(&mut bench)[0];
    bench.engine.handle_worked(job, bad(), bench.now);
    assert_eq!(reported(&mut bench), "bad");
    bench.pass(secs(5) - Duration::from_micros(1));
    let earlier = bench.now;
    bench.pass(Duration::from_micros(2));
    let job = jobs(&mut bench)[0];
    bench.engine.handle_worked(job, bad(), earlier);
    assert_eq!(reported(&mut bench), "bad");
    bench.pass(secs(4));
    assert!(bench.outputs().is_empty(), "the scheduled check is over");
}

#[test]
fn a_check_outside_the_schedule_starts_at_once_unless_one_is_in_flight() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.engine.check_now(bench.id(0), bench.now);
    assert!(bench.outputs().is_empty());
    bench.tell(id, Input::Connected);
    bench.tell(id, Input::Received(b"x"));
    bench.outputs();
    bench.engine.check_now(bench.id(0), bench.now);
    assert_ne!(bench.opened(), id);
}

#[test]
fn outputs_for_one_input_are_limited() {
    fn chatter(sends: usize) -> Vec<probe::Output> {
        (0..sends).map(|_| probe::Output::Send(b"x".to_vec())).collect()
    }
    // Bytes without a connection are dropped.
    let mut bench = begun(|reported| match reported {
        None => chatter(PROBE_OUTPUTS_MAX - 2).into_iter().chain([work()]).collect(),
        Some(_) => chatter(PROBE_OUTPUTS_MAX - 1).into_iter().chain([probe::Output::Done(fine())]).collect(),
    });
    let job = jobs(&mut bench)[0];
    bench.engine.handle_worked(job, fine(), bench.now);
    assert_eq!(reported(&mut bench), "fine");

    let mut bench =
        begun(|_| chatter(PROBE_OUTPUTS_MAX).into_iter().chain([probe::Output::Done(fine())]).collect());
    assert_eq!(reported(&mut bench), "the probe never stops asking for things");
}

#[test]
fn unsent_bytes_of_a_probe_are_limited() {
    let mut bench = begun(|reported| match reported {
        None => vec![connect("127.0.0.1")],
        Some(probe::Input::Connected(_)) => vec![probe::Output::Send(vec![b'x'; PROBE_OUTBOX_MAX])],
        Some(_) => vec![probe::Output::Send(b"x".to_vec())],
    });
    let id = bench.opened();
    bench.tell(id, Input::Connected);
    assert!(matches!(bench.outputs()[..], [Output::Write(w)] if w == id));
    bench.tell(id, Input::Sent(1));
    bench.tell(id, Input::Received(b"more"));
    assert!(bench.outputs().is_empty());
    assert_eq!(bench.engine.unsent(id).len(), PROBE_OUTBOX_MAX);
    bench.tell(id, Input::Received(b"more"));
    assert_eq!(reported(&mut bench), "the probe sends more than the peer takes");
}

#[test]
fn final_bytes_are_written_before_the_connection_closes() {
    let mut bench = begun(|reported| match reported {
        None => vec![connect("127.0.0.1")],
        Some(probe::Input::TimedOut) => {
            vec![probe::Output::Send(b"bye".to_vec()), probe::Output::Done(bad())]
        }
        Some(_) => Vec::new(),
    });
    let id = bench.opened();
    bench.tell(id, Input::Connected);
    bench.outputs();
    bench.pass(secs(2));
    let outputs = bench.outputs();
    let [Output::Write(_), Output::FinalWrite(to, bytes), Output::Close(closed), Output::CheckResult(check)] =
        &outputs[..]
    else {
        panic!("{outputs:?}")
    };
    assert_eq!((*to, &bytes[..], *closed, &*check.result.detail), (id, &b"bye"[..], id, "bad"));
}

#[test]
fn a_refused_literal_address_is_reported_at_once() {
    let mut bench = begun(|reported| match reported {
        None => vec![connect("127.0.0.1")],
        Some(probe::Input::Failed(_)) => vec![work()],
        Some(probe::Input::TimedOut) => vec![probe::Output::Done(bad())],
        Some(_) => Vec::new(),
    });
    let id = bench.opened();
    bench.tell(id, Input::Failed(Failure::new(Reason::Refused, "refused")));
    assert_eq!(jobs(&mut bench).len(), 1);
    bench.pass(secs(2));
    assert_eq!(reported(&mut bench), "bad");
}

#[test]
fn the_lookup_of_a_replaced_connection_is_not_started() {
    let mut bench = begun(|reported| match reported {
        None => vec![connect("db.example"), work()],
        Some(probe::Input::Worked(_)) => vec![connect("127.0.0.1")],
        Some(_) => Vec::new(),
    });
    let job = jobs(&mut bench)[0];
    bench.engine.handle_worked(job, fine(), bench.now);
    bench.opened();
    bench.engine.handle_files(Some(Vec::new()), Some(b"nameserver 10.0.0.1\n"), bench.now);
    assert!(bench.outputs().is_empty());
}

#[test]
fn a_panic_anywhere_in_a_probe_fails_its_check() {
    let wants: [Wants; 2] = [
        |_| panic!("at the start"),
        |reported| match reported {
            None => vec![connect("127.0.0.1")],
            Some(_) => panic!("later"),
        },
    ];
    assert_eq!(reported(&mut begun(wants[0])), "the probe panicked: at the start");
    let mut bench = begun(wants[1]);
    let id = bench.opened();
    bench.tell(id, Input::Connected);
    assert_eq!(reported(&mut bench), "the probe panicked: later");
}

#[test]
fn over_udp_each_send_is_a_datagram_and_each_datagram_an_input() {
    let mut bench = begun(|reported| match reported {
        None => vec![probe::Output::Connect {
            transport: probe::Transport::Udp,
            host: "192.0.2.1".to_owned(),
            port: 53,
        }],
        Some(probe::Input::Connected(_)) => ["one", "", "two"].map(|s| probe::Output::Send(s.into())).into(),
        Some(probe::Input::Received(bytes)) => {
            vec![probe::Output::Done(ProbeResult::up(Duration::ZERO, &String::from_utf8_lossy(bytes)))]
        }
        Some(_) => Vec::new(),
    });
    let outputs = bench.outputs();
    let [Output::Open { id, transport: Transport::Udp, to, .. }] = outputs[..] else { panic!("{outputs:?}") };
    bench.engine.handle_input(id, Input::Connected, bench.now);
    for datagram in ["one", "two"] {
        let outputs = bench.outputs();
        assert!(matches!(outputs[..], [Output::Write(write)] if write == id), "{outputs:?}");
        assert_eq!(bench.engine.unsent(id), datagram.as_bytes());
        bench.engine.handle_input(id, Input::Sent(3), bench.now);
    }
    assert!(bench.outputs().is_empty() && bench.engine.unsent(id).is_empty());
    bench.engine.handle_input(id, Input::Datagram(to, b"both"), bench.now);
    assert_eq!(reported(&mut bench), "both");
}

#[test]
fn over_icmp_messages_and_errors_are_inputs() {
    let hop_limit = std::num::NonZeroU8::new(3);
    let mut bench = begun(|reported| match reported {
        None => vec![probe::Output::Connect {
            transport: probe::Transport::Icmp { hop_limit: std::num::NonZeroU8::new(3) },
            host: "192.0.2.1".to_owned(),
            port: 0,
        }],
        Some(probe::Input::Connected(_)) => ["one", "two"].map(|s| probe::Output::Send(s.into())).into(),
        // The connection remains after an error.
        Some(probe::Input::IcmpError { failure, quoted: b"one" })
            if failure.reason == Reason::Unreachable =>
        {
            vec![probe::Output::Send(b"three".to_vec())]
        }
        Some(probe::Input::IcmpMessage { bytes, hop_limit: Some(57) }) => {
            vec![probe::Output::Done(ProbeResult::up(Duration::ZERO, &String::from_utf8_lossy(bytes)))]
        }
        Some(_) => Vec::new(),
    });
    let outputs = bench.outputs();
    let [Output::Open { id, transport, to, .. }] = outputs[..] else { panic!("{outputs:?}") };
    assert_eq!((transport, to.port()), (Transport::Icmp { hop_limit }, 0));
    bench.engine.handle_input(id, Input::Connected, bench.now);
    for message in ["one", "two"] {
        assert_eq!(bench.engine.unsent(id), message.as_bytes());
        bench.engine.handle_input(id, Input::Sent(3), bench.now);
    }
    bench.outputs();
    let failure = Failure::new(Reason::Unreachable, "host unreachable");
    bench.engine.handle_input(id, Input::IcmpError { failure, quoted: b"one" }, bench.now);
    assert_eq!(bench.engine.unsent(id), b"three");
    bench.engine.handle_input(id, Input::Sent(5), bench.now);
    bench.outputs();
    let message = Input::IcmpMessage { bytes: b"reply", hop_limit: Some(57) };
    bench.engine.handle_input(id, message, bench.now);
    assert_eq!(reported(&mut bench), "reply");
}

#[test]
fn a_timer_expires_once_and_a_later_one_replaces_it() {
    let mut bench = begun(|reported| match reported {
        None => vec![connect("127.0.0.1"), probe::Output::SetTimer(Duration::from_millis(100))],
        Some(probe::Input::Connected(_)) => vec![probe::Output::SetTimer(Duration::from_millis(500))],
        Some(probe::Input::TimerExpired) => vec![probe::Output::Send(b"again".to_vec())],
        Some(probe::Input::TimedOut) => vec![probe::Output::Done(bad())],
        Some(_) => Vec::new(),
    });
    let id = bench.opened();
    bench.tell(id, Input::Connected);
    bench.pass(Duration::from_millis(499));
    assert!(bench.outputs().is_empty(), "the first timer is replaced");
    bench.pass(Duration::from_millis(1));
    let outputs = bench.outputs();
    assert!(matches!(outputs[..], [Output::Write(write)] if write == id), "{outputs:?}");
    assert_eq!(bench.engine.unsent(id), b"again");
    bench.engine.handle_input(id, Input::Sent(5), bench.now);
    bench.pass(Duration::from_millis(1400));
    assert!(bench.outputs().is_empty(), "it expires once");
    bench.pass(Duration::from_millis(100));
    assert_eq!(reported(&mut bench), "bad");
    // A time beyond the range of the clock never comes.
    let mut bench = begun(|reported| match reported {
        None => vec![probe::Output::SetTimer(Duration::MAX)],
        Some(probe::Input::TimedOut) => vec![probe::Output::Done(bad())],
        Some(_) => Vec::new(),
    });
    bench.pass(secs(2));
    assert_eq!(reported(&mut bench), "bad");
}
