//! Probes that connect to the configured name server, and random numbers for probes.

use super::*;

/// Connects to the name server and succeeds with its first datagram. Its detail is the address.
struct Asker;

#[derive(Default)]
struct Asking {
    address: String,
    outputs: VecDeque<probe::Output>,
}

fn ask(transport: probe::Transport) -> probe::Output {
    probe::Output::ConnectNameServer { transport }
}

impl Probe for Asker {
    fn name(&self) -> &str {
        "asker"
    }
    fn timeout(&self) -> Duration {
        secs(2)
    }
    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        Box::new(Asking { outputs: [ask(probe::Transport::Udp)].into(), ..Asking::default() })
    }
}

impl Attempt for Asking {
    fn handle_input(&mut self, input: probe::Input<'_>, _now: Now) {
        self.outputs.extend(match input {
            probe::Input::Connected(address) => {
                self.address = address.to_string();
                vec![probe::Output::Send(b"question".to_vec())]
            }
            probe::Input::Received(b"truncated") => vec![ask(probe::Transport::Tcp)],
            probe::Input::Received(_) => {
                vec![probe::Output::Done(ProbeResult::up(Duration::ZERO, &self.address))]
            }
            probe::Input::Failed(failure) => vec![probe::Output::Done(failure.into())],
            _ => Vec::new(),
        });
    }
    fn poll_output(&mut self) -> Option<probe::Output> {
        self.outputs.pop_front()
    }
}

/// An engine whose check waits for the files.
fn asking() -> Bench {
    let mut bench = Bench::watching(vec![Monitor::new(Asker)], Schedule::Repeated);
    bench.pass(Duration::ZERO);
    assert!(matches!(bench.outputs()[..], [Output::RefreshFiles]));
    bench
}

fn open(bench: &mut Bench) -> (ConnId, Transport, String) {
    let outputs = bench.outputs();
    let [.., Output::Open { id, transport, to, .. }] = outputs[..] else { panic!("{outputs:?}") };
    (id, transport, to.to_string())
}

#[test]
fn the_first_name_server_is_connected_to_once_the_files_are_read() {
    for (conf, server) in [
        ("nameserver 10.0.0.1\nnameserver 10.0.0.2\n", "10.0.0.1:53"),
        ("nameserver fe80::1%3\n", "[fe80::1%3]:53"),
        ("", "127.0.0.1:53"),
    ] {
        let mut bench = asking();
        bench.engine.handle_files(Some(Vec::new()), Some(conf.as_bytes()), bench.now);
        let (id, transport, to) = open(&mut bench);
        assert_eq!((transport, &*to), (Transport::Udp, server));
        bench.tell(id, Input::Connected);
        assert_eq!(bench.deliver(id), "question");
        bench.tell(id, Input::Received(b"truncated"));
        assert!(
            matches!(bench.outputs()[..], [Output::Write(_), Output::Close(old), Output::RefreshFiles] if old == id)
        );
        bench.engine.handle_files(None, None, bench.now);
        let (id, transport, to) = open(&mut bench);
        assert_eq!((transport, &*to), (Transport::Tcp, server));
        bench.tell(id, Input::Connected);
        bench.tell(id, Input::Received(b"answer"));
        let outputs = bench.outputs();
        let Some(Output::CheckResult(check)) = outputs.last() else { panic!("{outputs:?}") };
        assert_eq!((&*check.result.detail, check.result.phases.resolve), (server, None));
        assert!(check.result.phases.connect.is_some());
    }
}

#[test]
fn a_name_server_that_cannot_be_connected_to_is_named() {
    let mut bench = asking();
    bench.engine.handle_files(None, Some(b"nameserver 10.0.0.1\n"), bench.now);
    let (id, ..) = open(&mut bench);
    bench.tell(id, Input::Failed(Failure::new(Reason::Unreachable, "no route to 10.0.0.1:53")));
    let outputs = bench.outputs();
    let [Output::CheckResult(check)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(
        (check.result.reason, &*check.result.detail),
        (Some(Reason::Unreachable), "no route to 10.0.0.1:53")
    );
    assert_eq!(check.result.address.map(|address| address.to_string()), Some("10.0.0.1:53".to_owned()));
}

#[test]
fn a_check_that_ends_while_it_waits_for_the_files_opens_nothing() {
    let mut bench = asking();
    let start = TargetUpdate::Start(Monitor::new(Hello("10.0.0.9")));
    bench.engine.replace(vec![start], bench.now).expect("valid");
    bench.outputs();
    bench.engine.handle_files(None, Some(b"nameserver 10.0.0.1\n"), bench.now);
    assert!(bench.outputs().is_empty());
    assert_eq!(bench.engine.connections().len(), 0);

    let mut bench = asking();
    bench.pass(secs(2));
    let outputs = bench.outputs();
    let Some(Output::CheckResult(check)) = outputs.last() else { panic!("{outputs:?}") };
    assert_eq!(check.result.detail, "timed out after 2 s: resolving the name server");
    bench.engine.handle_files(None, None, bench.now);
    assert!(bench.outputs().is_empty());
}

/// Requests a number and reports it.
struct Dice(bool);

impl Probe for Dice {
    fn name(&self) -> &str {
        "dice"
    }
    fn timeout(&self) -> Duration {
        secs(2)
    }
    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        let mut outputs = VecDeque::from([probe::Output::Random]);
        if self.0 {
            outputs.push_back(probe::Output::Done(ProbeResult::up(Duration::ZERO, "no need")));
        }
        Box::new(Roll(outputs))
    }
}

struct Roll(VecDeque<probe::Output>);

impl Attempt for Roll {
    fn handle_input(&mut self, input: probe::Input<'_>, _now: Now) {
        if let probe::Input::Random(number) = input {
            let result = ProbeResult::up(Duration::ZERO, &number.to_string());
            self.0.push_back(probe::Output::Done(result));
        }
    }
    fn poll_output(&mut self) -> Option<probe::Output> {
        self.0.pop_front()
    }
}

#[test]
fn an_attempt_gets_the_random_number_that_it_requests() {
    for (ends_before, detail) in [(false, "7"), (true, "no need")] {
        let mut bench = Bench::watching(vec![Monitor::new(Dice(ends_before))], Schedule::Repeated);
        bench.pass(Duration::ZERO);
        let outputs = bench.outputs();
        let [Output::CheckResult(check)] = &outputs[..] else { panic!("{outputs:?}") };
        assert_eq!(check.result.detail, detail);
    }
}
