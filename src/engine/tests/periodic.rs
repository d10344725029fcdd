//! Pushed metrics, and requests that show that the daemon runs.

use super::*;
use crate::api::counters::ProcessStats;
use crate::probe::build::PeriodicRequest;

const OK: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
const URL: &str = "http://127.0.0.1:9/s3cret/token";

fn request() -> PeriodicRequest {
    PeriodicRequest::new(URL, None).expect("a URL")
}

/// Targets that are up and need no connection.
fn bench(count: usize) -> Bench {
    let (_, monitors) = switched(count);
    let monitors = monitors.into_iter().map(|monitor| monitor.interval(secs(600)));
    Bench::watching(monitors.collect(), Schedule::Repeated)
}

fn pushing(count: usize) -> Bench {
    let mut bench = bench(count);
    bench.engine.attach_requests(Some(request()), None, bench.now);
    bench
}

fn alive(mut bench: Bench) -> Bench {
    bench.engine.attach_requests(None, Some(request()), bench.now);
    bench
}

impl Bench {
    /// Passes the time; returns the connections that periodic requests have opened, and the log.
    fn run_for(&mut self, span: Duration) -> (Vec<ConnId>, Vec<String>) {
        let (mut opened, mut log) = (Vec::new(), Vec::new());
        let end = self.now.after(span);
        loop {
            let mut reads = 0;
            for output in self.outputs() {
                match output {
                    Output::Open { id, to, .. } if to.port() == 9 => opened.push(id),
                    Output::Log(line) => log.push(line),
                    Output::ReadProcessStats => reads += 1,
                    _ => {}
                }
            }
            for _ in 0..reads {
                let stats = ProcessStats { open_fds: Some(7), ..ProcessStats::default() };
                self.engine.handle_process_stats(stats, self.now);
            }
            if reads > 0 {
                continue;
            }
            match self.engine.poll_timeout().filter(|at| *at <= end.instant) {
                Some(at) => self.pass(at.saturating_duration_since(self.now.instant)),
                None => break,
            }
        }
        self.now = end;
        (opened, log)
    }

    /// The connection of the request that is sent at this moment.
    fn next_request(&mut self) -> ConnId {
        let (opened, log) = self.run_for(Duration::ZERO);
        assert!(opened.len() == 1 && log.is_empty(), "{opened:?} {log:?}");
        opened[0]
    }

    /// Receives a whole request with a chunked body; returns its head and the body.
    fn receive_push(&mut self, id: ConnId) -> (String, String) {
        self.tell(id, Input::Connected);
        let mut received = String::new();
        while !self.engine.unsent(id).is_empty() {
            assert!(self.engine.unsent(id).len() < 64 * 1024, "more than one piece in memory");
            received += &self.deliver(id);
        }
        let (head, mut rest) = received.split_once("\r\n\r\n").expect("a head");
        let mut body = String::new();
        loop {
            let (size, chunk) = rest.split_once("\r\n").expect("a size");
            let size = usize::from_str_radix(size, 16).expect("a number");
            body += &chunk[..size];
            rest = chunk[size..].strip_prefix("\r\n").expect("the end of a chunk");
            if size == 0 {
                assert_eq!(rest, "");
                return (head.to_owned(), body);
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.engine.cx.conns().next().is_none() && self.engine.runs.queue.connections == 0
    }
}

#[test]
fn metrics_are_pushed_at_start_and_at_the_interval() {
    let mut bench = pushing(500);
    let id = bench.next_request();
    let (head, body) = bench.receive_push(id);
    assert!(head.starts_with("POST /s3cret/token HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Type: text/plain; version=0.0.4\r\n"), "{head}");
    assert!(
        body.len() > 256 * 1024 && body.contains("\npingstate_state{target=\"t499\",state=\"unknown\"} 1\n")
    );
    assert!(body.ends_with("\n") && body.contains("\nprocess_open_fds 7\n"));
    assert_eq!(
        body.matches("# HELP pingstate_state The").count() + body.matches("# HELP pingstate_state W").count(),
        1
    );
    bench.tell(id, Input::Received(OK));
    assert!(bench.is_idle());
    let (opened, log) = bench.run_for(Duration::from_millis(14_999));
    assert!(opened.is_empty() && log.is_empty(), "{log:?}");
    bench.run_for(Duration::from_millis(1));
    let mut bench = pushing(1);
    for _ in 0..3 {
        let id = bench.next_request();
        bench.receive_push(id);
        bench.tell(id, Input::Received(OK));
        assert!(bench.run_for(Duration::from_millis(14_999)).0.is_empty());
        bench.now = bench.now.after(Duration::from_millis(1));
        bench.engine.handle_timeout(bench.now);
    }
    let other = request().interval(secs(2)).expect("valid");
    bench.engine.attach_requests(Some(other), None, bench.now);
    let (opened, _) = bench.run_for(secs(1));
    bench.receive_push(opened[0]);
    bench.tell(opened[0], Input::Received(OK));
    assert_eq!(bench.run_for(secs(1)).0.len(), 1, "after its own interval");
}

#[test]
fn a_push_in_progress_suppresses_the_next_and_ends_at_its_deadline() {
    let mut bench = bench(500);
    let every_second = request().interval(secs(1)).expect("valid");
    bench.engine.attach_requests(Some(every_second), None, bench.now);
    // The receiver accepts the connection and reads nothing.
    let id = bench.next_request();
    bench.tell(id, Input::Connected);
    bench.deliver(id);
    let unsent = bench.engine.unsent(id).len();
    assert!(unsent > 1000, "the first piece waits");
    let (opened, log) = bench.run_for(Duration::from_millis(9999));
    assert!(opened.is_empty() && log.is_empty(), "{log:?}");
    assert_eq!(bench.engine.unsent(id).len(), unsent, "nothing is queued");
    let (opened, log) = bench.run_for(Duration::from_millis(1));
    let line = "push to http://127.0.0.1:9: timed out after 10 s waiting for the server to read the request, \
        will be retried";
    assert_eq!(log, [line]);
    assert_eq!(opened.len(), 1, "the next one is due at the same time");
    // For ten minutes, each push ends before the next one begins.
    let mut open = opened[0];
    for _ in 0..60 {
        bench.tell(open, Input::Connected);
        bench.deliver(open);
        let (opened, log) = bench.run_for(secs(10));
        assert!(opened.len() == 1 && log.is_empty(), "{opened:?} {log:?}");
        assert_eq!((bench.engine.cx.conns().count(), bench.engine.unsent(open).len()), (1, 0));
        open = opened[0];
    }
}

#[test]
fn only_the_first_failure_and_the_recovery_are_logged() {
    for (answer, why) in [
        (&b"HTTP/1.1 401 Unauthorized\r\n\r\n"[..], "HTTP 401"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/s3cret/token/\r\n\r\n", "HTTP 302"),
        (b"", "connection refused"),
    ] {
        let mut bench = pushing(1);
        for failure in 0..12 {
            let id = bench.next_request();
            match answer {
                b"" => bench.tell(id, Input::Failed(Failure::new(Reason::Refused, why))),
                answer => {
                    bench.receive_push(id);
                    bench.tell(id, Input::Received(answer));
                }
            }
            let (opened, log) = bench.run_for(Duration::from_millis(14_999));
            assert!(opened.is_empty(), "retried at the interval only");
            let expected = format!("push to http://127.0.0.1:9: {why}, will be retried");
            assert_eq!(log, if failure == 0 { vec![expected] } else { vec![] });
            bench.now = bench.now.after(Duration::from_millis(1));
            bench.engine.handle_timeout(bench.now);
        }
        let id = bench.next_request();
        bench.receive_push(id);
        bench.tell(id, Input::Received(OK));
        let (_, log) = bench.run_for(Duration::ZERO);
        assert_eq!(log, ["push to http://127.0.0.1:9: works again after 12 failures"]);
        assert!(bench.is_idle());
    }
}

#[test]
fn a_reload_starts_the_push_in_flight_anew() {
    let mut bench = pushing(500);
    let id = bench.next_request();
    bench.tell(id, Input::Connected);
    bench.deliver(id);
    bench.deliver(id);
    let keep = bench.updates((0..400).rev().map(Update::Keep).collect());
    bench.engine.replace(keep, bench.now).expect("valid");
    let outputs = bench.outputs();
    assert!(outputs.iter().any(|output| matches!(output, Output::Close(closed) if *closed == id)));
    bench.engine.handle_timeout(bench.now);
    let id = bench.next_request();
    let (_, body) = bench.receive_push(id);
    assert_eq!(body.matches("\npingstate_state{").count(), 4 * 400);
    bench.tell(id, Input::Received(OK));
    assert!(bench.is_idle() && bench.run_for(secs(1)).1.is_empty());
    // A push that waits for the process statistics is not affected.
    bench.run_for(secs(13));
    bench.pass(secs(1));
    let keep = bench.updates((0..10).map(Update::Keep).collect());
    bench.engine.replace(keep, bench.now).expect("valid");
    let id = bench.next_request();
    assert_eq!(bench.receive_push(id).1.matches("\npingstate_state{").count(), 4 * 10);
}

#[test]
fn clients_and_a_push_share_the_process_statistics() {
    let mut bench = pushing(1);
    let client = bench.engine.accept(bench.now);
    bench.tell(client, Input::Received(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let id = bench.next_request();
    let (_, pushed) = bench.receive_push(id);
    let page = bench.deliver(client);
    let sample = "pingstate_connections{kind=\"client\"} 1\n";
    assert!(page.starts_with("HTTP/1.1 200 OK") && page.contains(sample) && pushed.contains(sample));
    bench.tell(id, Input::Received(OK));
    assert!(bench.run_for(secs(1)).0.is_empty());
}

#[test]
fn alive_requests_are_sent_while_every_check_is_on_time() {
    let mut bench = alive(Bench::new(&["127.0.0.1"]));
    for _ in 0..3 {
        let id = bench.next_request();
        bench.tell(id, Input::Connected);
        let head = bench.deliver(id);
        assert!(head.starts_with("GET /s3cret/token HTTP/1.1\r\n") && head.ends_with("\r\n\r\n"), "{head}");
        assert!(!head.contains("Transfer-Encoding") && !head.contains("Content-"), "{head}");
        bench.tell(id, Input::Received(OK));
        let (opened, log) = bench.run_for(Duration::from_millis(59_999));
        assert!(opened.is_empty() && log.is_empty(), "{log:?}");
        bench.now = bench.now.after(Duration::from_millis(1));
        bench.engine.handle_timeout(bench.now);
    }
    let id = bench.next_request();
    bench.tell(id, Input::Failed(Failure::new(Reason::Refused, "connection refused")));
    let (_, log) = bench.run_for(secs(1));
    assert_eq!(log, ["alive request to http://127.0.0.1:9: connection refused, will be retried"]);
    // A check that does not start.
    while bench.engine.runs.get(bench.run(0)).is_some() {
        bench.run_for(secs(1));
    }
    bench.engine.cx.timers.set(Owner::Run(bench.run(0)), None);
    let late = bench.run_for(secs(600));
    assert_eq!(late, (vec![], vec![]), "no request");
    let run = bench.run(0);
    bench.engine.runs.set_timer(run, &mut bench.engine.cx);
    let (opened, _) = bench.run_for(secs(60));
    assert_eq!(opened.len(), 1, "the check is on time again");
    bench.tell(opened[0], Input::Connected);
    bench.tell(opened[0], Input::Received(OK));
    let (_, log) = bench.run_for(Duration::ZERO);
    assert_eq!(log, ["alive request to http://127.0.0.1:9: works again after 1 failure"]);
}

#[test]
fn after_a_suspend_an_alive_request_follows_the_checks_that_are_due() {
    let mut bench = alive(Bench::new(&["127.0.0.1"]));
    let id = bench.next_request();
    bench.tell(id, Input::Connected);
    bench.tell(id, Input::Received(OK));
    bench.outputs();
    bench.now = bench.now.after(secs(1000));
    bench.engine.handle_timeout(bench.now);
    bench.next_request();
}

#[test]
fn without_requests_there_are_no_deadlines() {
    let mut bench = bench(1);
    bench.engine.attach_requests(None, None, bench.now);
    assert!(!bench.outputs().iter().any(|output| matches!(output, Output::ReadProcessStats)));
    bench.run_for(secs(100));
    assert!(bench.is_idle());
}

/// Numbers that differ from seed to seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

#[test]
fn requests_leave_nothing_behind_in_any_order_of_events() {
    for seed in 0..40 {
        let (mut random, mut bench) = (Random(seed), bench(300));
        let every_second = || request().interval(secs(1)).expect("valid");
        bench.engine.attach_requests(Some(every_second()), Some(every_second()), bench.now);
        for _ in 0..100 {
            bench.run_for(Duration::from_millis(random.below(700) as u64));
            let ids = bench.engine.connections();
            assert!(ids.len() <= 2, "one of each kind");
            assert_eq!(bench.engine.audit().connections, ids.len());
            if random.below(20) == 0 {
                let count = bench.engine.targets().list().len();
                let first = random.below(count.div_ceil(2));
                let keep = bench.updates((first..count).rev().map(Update::Keep).collect());
                bench.engine.replace(keep, bench.now).expect("valid");
            }
            let Some(id) = ids.get(random.below(2)).copied() else { continue };
            let unsent = bench.engine.unsent(id).len();
            assert!(unsent < 64 * 1024, "{unsent}");
            match random.below(12) {
                0 => bench.tell(id, Input::Failed(Failure::new(Reason::Reset, "reset"))),
                1 => bench.tell(id, Input::Closed),
                2 => bench.tell(id, Input::Received(OK)),
                3 => bench.tell(id, Input::Received(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 5")),
                4 | 5 => bench.tell(id, Input::Connected),
                _ if unsent > 0 => bench.tell(id, Input::Sent(1 + random.below(unsent))),
                _ => {}
            }
        }
        // No further events: each request ends at its deadline, and the next one has its own.
        bench.run_for(secs(60));
        assert!(bench.engine.connections().len() <= 2);
        for id in bench.engine.connections() {
            bench.tell(id, Input::Failed(Failure::new(Reason::Refused, "refused")));
        }
        bench.outputs();
        assert!(bench.is_idle(), "seed {seed}");
    }
}
