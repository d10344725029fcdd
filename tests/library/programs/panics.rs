//! Closures and probes that panic or never return fail only their own check.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use pingstate::*;

use super::*;
use crate::common::{Server as Target, eventually};

/// Every check of `bad` fails with this detail, and no check of another target.
fn fails_alone(bad: impl Probe + 'static, detail: &str) {
    let (_target, good) = target();
    let every_5_ms = |monitor: Monitor| monitor.interval(5 * MS);
    let monitors = [every_5_ms(Monitor::new(bad)), every_5_ms(Monitor::new(built(good)))];
    let mut server = serve(monitors, ANY).expect("serves");
    turn_until(&mut server, detail, |server| (0..2).all(|index| snapshot(server, index).recent.len() >= 3));
    let (bad, good) = (snapshot(&server, 0), snapshot(&server, 1));
    assert_eq!((bad.state, good.state, good.transitions), (State::Down, State::Up, 1));
    assert!(details(&bad).iter().all(|other| *other == detail), "{:?}", details(&bad));
}

#[derive(Clone, Copy, PartialEq)]
enum Method {
    Name,
    Url,
    Timeout,
    Begin,
    PollOutput,
    HandleInput,
    BlockingTask,
    Drop,
}

/// A custom probe that panics in one method.
struct Panicking(Method, u16);

impl Probe for Panicking {
    fn name(&self) -> &str {
        assert!(self.0 != Method::Name, "in name");
        "panicking"
    }
    fn url(&self) -> &str {
        assert!(self.0 != Method::Url, "in url");
        "panicking:"
    }
    fn timeout(&self) -> Duration {
        assert!(self.0 != Method::Timeout, "in timeout");
        Duration::from_secs(5)
    }
    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        assert!(self.0 != Method::Begin, "in begin");
        Box::new(PanickingAttempt(self.0, Some(self.1)))
    }
}

struct PanickingAttempt(Method, Option<u16>);

impl Drop for PanickingAttempt {
    fn drop(&mut self) {
        assert!(self.0 != Method::Drop, "in drop");
    }
}

impl Attempt for PanickingAttempt {
    fn handle_input(&mut self, _input: Input<'_>, _now: Now) {
        panic!("in handle_input");
    }
    fn poll_output(&mut self) -> Option<Output> {
        let port = self.1.take()?;
        match self.0 {
            Method::PollOutput => panic!("in poll_output"),
            Method::Name | Method::Url | Method::Drop => {
                Some(Output::Done(ProbeResult::down(Reason::Custom, "no panic")))
            }
            Method::BlockingTask => Some(Output::BlockingTask(BlockingTask::new(|| panic!("in the task")))),
            _ => Some(Output::Connect { transport: Transport::Tcp, host: "localhost".to_owned(), port }),
        }
    }
}

#[test]
fn probes_that_panic_fail_alone() {
    let (target, _) = target();
    let port = target.address.port();
    fails_alone(Panicking(Method::Timeout, port), "the probe panicked: in timeout");
    fails_alone(Panicking(Method::Begin, port), "the probe panicked: in begin");
    fails_alone(Panicking(Method::PollOutput, port), "the probe panicked: in poll_output");
    fails_alone(Panicking(Method::HandleInput, port), "the probe panicked: in handle_input");
    for method in [Method::Name, Method::Url, Method::Drop] {
        fails_alone(Panicking(method, port), "no panic");
    }
}

#[test]
fn checks_that_panic_fail_alone() {
    let target = Target::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let http = ProbeBuilder::from_url(&target.url("http"));
    let http = http.check_response(|response| -> bool { panic!("status {}", response.status) });
    fails_alone(built(http), "the probe panicked: status 200");

    let target = Target::start(|mut stream| {
        let _ = std::io::Write::write_all(&mut stream, b"hello");
    });
    let tcp = ProbeBuilder::from_url(&format!("tcp://{}", target.address));
    let tcp = tcp.check_banner(|_| -> Banner { panic!("not today") });
    fails_alone(built(tcp), "the probe panicked: not today");

    fails_alone(blocking("db", || -> bool { panic!("driver bug") }), "the probe panicked: driver bug");
}

/// A panic on the task's thread is reported as its result. (This attempt then panics as well.)
#[test]
fn panicking_blocking_task_fails_alone() {
    fails_alone(Panicking(Method::BlockingTask, 1), "the probe panicked: in handle_input");
    let result = check(&blocking("db", || -> bool { std::panic::panic_any(7) }));
    assert_eq!(result.detail, "the probe panicked: without a message");
}

#[test]
fn a_panic_in_a_single_check_is_a_failed_one() {
    let (_target, tcp) = target();
    let result = check(&Panicking(Method::PollOutput, 1));
    assert_eq!((result.ok, &*result.detail), (false, "the probe panicked: in poll_output"));
    assert!(built(tcp).check().ok);
    for (method, detail) in [
        (Method::Name, "the probe panicked: in name"),
        (Method::Url, "no panic"),
        (Method::Timeout, "the probe panicked: in timeout"),
        (Method::Begin, "the probe panicked: in begin"),
        (Method::Drop, "no panic"),
    ] {
        let result = check(&Panicking(method, 1));
        assert_eq!((result.ok, result.reason, &*result.detail), (false, Some(Reason::Custom), detail));
        let mut details = Vec::new();
        let record = |event: &CheckEvent<'_>| details.push(event.result.detail.clone());
        check_all(Monitor::new(Panicking(method, 1)), ResolverConfig::default(), record).expect("a loop");
        let detail = if method == Method::Name { "no panic" } else { detail };
        assert_eq!(details, [detail]);
    }
}

/// A server continues after a caught panic of the program, and lists every target.
#[test]
fn panic_in_a_callback_reaches_the_caller_and_the_server_continues() {
    let mut calls = 0;
    let monitors =
        [Method::Name, Method::Url].map(|method| Monitor::new(Panicking(method, 1)).interval(5 * MS));
    let mut server = Server::builder(monitors)
        .on_check(move |event| {
            calls += 1;
            assert!(calls != 1, "a bug in the callback: {}", event.name);
        })
        .bind(ANY)
        .expect("bound");
    let turn = std::panic::AssertUnwindSafe(|| turn_until(&mut server, "nothing", |_| false));
    assert!(std::panic::catch_unwind(turn).is_err());
    turn_until(&mut server, "checks", |server| (0..2).all(|index| snapshot(server, index).recent.len() >= 3));
    let (name, target) = (snapshot(&server, 0), snapshot(&server, 1));
    assert_eq!((&*name.name, &*name.url), ("(panicked)", "panicking:"));
    assert_eq!((&*target.name, &*target.url), ("panicking", "(panicked)"));
}

/// A panic in a probe's `drop` does not affect the server.
#[test]
fn a_probe_that_panics_when_it_is_dropped_does_not_stop_a_reload() {
    struct Last(BlockingProbe);
    impl Probe for Last {
        fn name(&self) -> &str {
            self.0.name()
        }
        fn timeout(&self) -> Duration {
            Probe::timeout(&self.0)
        }
        fn begin(&self, now: Now) -> Box<dyn Attempt> {
            self.0.begin(now)
        }
    }
    impl Drop for Last {
        fn drop(&mut self) {
            panic!("at its drop");
        }
    }
    let (_target, good) = target();
    let last = Monitor::new(Last(blocking("last", || true)));
    let mut server = serve([last, Monitor::new(built(good)).interval(5 * MS)], ANY).expect("serves");
    turn_until(&mut server, "a check", |server| snapshot(server, 0).state == State::Up);
    server.replace_targets([TargetUpdate::Keep(id(&server, 1))]).expect("replaced");
    turn_until(&mut server, "more checks", |server| snapshot(server, 0).recent.len() >= 3);
    assert_eq!(snapshot(&server, 0).state, State::Up);
}

/// Numbers near the end of their range appear on every page without an error.
#[test]
fn extreme_results_are_rendered() {
    struct Absurd;
    impl Probe for Absurd {
        fn name(&self) -> &str {
            ""
        }
        fn timeout(&self) -> Duration {
            Duration::from_nanos(1)
        }
        fn begin(&self, _now: Now) -> Box<dyn Attempt> {
            Box::new(AbsurdAttempt)
        }
    }
    struct AbsurdAttempt;
    impl Attempt for AbsurdAttempt {
        fn handle_input(&mut self, _input: Input<'_>, _now: Now) {}
        fn poll_output(&mut self) -> Option<Output> {
            let mut result = ProbeResult::up(Duration::MAX, &"\0\u{202e}\n".repeat(1000));
            let all = Some(Duration::MAX);
            result.phases = Phases::default();
            (result.phases.connect, result.phases.tls, result.phases.transfer) = (all, all, all);
            result.http_status = Some(u16::MAX);
            result.tls_not_after = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 62));
            Some(Output::Done(result))
        }
    }
    let monitor = Monitor::new(Absurd)
        .interval(Monitor::INTERVAL_MAX)
        .slow(Duration::MAX)
        .slow_clear(Duration::ZERO)
        .retries(u32::MAX)
        .history(usize::MAX);
    let mut server = serve(monitor, ANY).expect("serves");
    let (api, shutdown_handle) = (server.address(), server.shutdown_handle().expect("a handle"));
    turn_until(&mut server, "a check", |server| snapshot(server, 0).state == State::Up);
    let running = std::thread::spawn(move || server.run());
    for path in ["/status", "/metrics", "/probe?target="] {
        let (status, _, text) = crate::common::get(api, path);
        assert_eq!(status, 200, "{path}: {text}");
        assert!(!text.contains(['\0', '\u{202e}']) && !text.contains(" inf"), "{path}: {text}");
    }
    shutdown_handle.stop();
    running.join().expect("no panic").expect("no panic");
}

#[test]
fn check_that_never_returns_delays_no_other_and_is_not_repeated() {
    let (release, gate) = channel::<()>();
    let (calls, gate) = (Arc::new(AtomicUsize::new(0)), Mutex::new(gate));
    let counted = calls.clone();
    let stuck = blocking("stuck", move || {
        counted.fetch_add(1, Ordering::SeqCst);
        gate.lock().expect("sound").recv().is_err()
    });
    let (_target, good) = target();
    let mut server = serve(
        [
            Monitor::new(stuck.timeout(30 * MS)).interval(50 * MS),
            Monitor::new(built(good)).interval(10 * MS).history(1000),
        ],
        ANY,
    )
    .expect("serves");
    turn_until(&mut server, "stuck checks", |server| snapshot(server, 0).recent.len() >= 5);
    let (bad, good) = (snapshot(&server, 0), snapshot(&server, 1));
    assert_eq!(details(&bad)[0], "timed out after 0.03 s waiting for the check to return");
    assert!(details(&bad)[1..].iter().all(|detail| *detail == "the previous check is still running"));
    assert_eq!(calls.load(Ordering::SeqCst), 1, "one thread for all of them");
    assert!(good.recent.len() > bad.recent.len(), "{} good checks", good.recent.len());
    assert_eq!((good.state, good.transitions), (State::Up, 1));

    drop(release);
    turn_until(&mut server, "the way back", |server| snapshot(server, 0).state == State::Up);
    assert!(calls.load(Ordering::SeqCst) > 1);
}

/// Dropping a server does not wait for a check that may never return.
#[test]
fn check_that_never_returns_does_not_delay_the_shutdown() {
    let (release, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let stuck = blocking("stuck", move || gate.lock().expect("sound").recv().is_err());
    let monitor = Monitor::new(stuck.timeout(Duration::from_secs(60))).start().expect("starts");
    let last = monitor.stop();
    assert_eq!(last.state, State::Unknown);
    drop(release);
}

#[test]
fn a_policy_that_panics_keeps_the_state_and_the_monitor() {
    let policy = Policy::function(|_, _, _| panic!("no rule"));
    let mut fsm = PingFsm::with(State::Up, policy.clone(), PingFsm::HISTORY);
    assert_eq!((fsm.fire(Event::Fail, None, "no"), fsm.snapshot().recent.len()), (State::Up, 1));
    let (_target, good) = target();
    let monitor = Monitor::new(built(good)).policy(policy).interval(5 * MS).start().expect("starts");
    eventually("checks", || (monitor.snapshot().recent.len() >= 3).then_some(()));
    assert_eq!((monitor.state(), monitor.snapshot().transitions), (State::Unknown, 0));
}

/// Durations near the end of the clock, and invalid addresses.
#[test]
fn probe_with_invalid_outputs_fails_alone() {
    struct Nonsense(&'static str);
    impl Probe for Nonsense {
        fn name(&self) -> &str {
            "nonsense"
        }
        fn timeout(&self) -> Duration {
            Duration::MAX
        }
        fn begin(&self, _now: Now) -> Box<dyn Attempt> {
            Box::new(Ask(Some(Output::Connect {
                transport: Transport::Tcp,
                host: self.0.to_owned(),
                port: 0,
            })))
        }
    }
    struct Ask(Option<Output>);
    impl Attempt for Ask {
        fn handle_input(&mut self, input: Input<'_>, _now: Now) {
            if let Input::Failed(failure) = input {
                self.0 = Some(Output::Done(failure.into()));
            }
        }
        fn poll_output(&mut self) -> Option<Output> {
            self.0.take()
        }
    }
    for host in ["", "127.0.0.1", "a..b", "x y", "nowhere.invalid", &"x".repeat(5000).leak()[..]] {
        let result = check(&Nonsense(host));
        assert!(!result.ok && !result.detail.is_empty(), "{host}: {result:?}");
    }
}
