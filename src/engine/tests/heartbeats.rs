//! Heartbeats: deadlines, requests that report them, and their bodies.

use super::*;
use crate::probe::build::probe;

pub(super) const TOKEN: &str = "0123456789abcdef";
const OTHER: &str = "fedcba9876543210";

pub(super) fn monitor(name: &str, token: &str) -> Monitor {
    let probe = probe("heartbeat", "", None).name(name).token(token).grace(secs(10)).build();
    Monitor::new(probe.expect("valid")).interval(secs(100))
}

/// An engine with two targets, of which nothing was received yet.
pub(super) fn expecting() -> Bench {
    Bench::watching(monitors(), Schedule::Repeated)
}

pub(super) fn monitors() -> Vec<Monitor> {
    vec![monitor("backup", TOKEN), monitor("other", OTHER)]
}

impl Bench {
    /// Sends these pieces and returns the response: its status and body.
    pub(super) fn request(&mut self, pieces: &[&[u8]]) -> (u16, String) {
        let id = self.engine.accept(self.now);
        for mut rest in pieces.iter().copied() {
            // The reactor reads no more than there is room for.
            while !rest.is_empty() && self.engine.room(id) > 0 {
                let (here, after) = rest.split_at(rest.len().min(self.engine.room(id)));
                self.tell(id, Input::Received(here));
                rest = after;
            }
        }
        let response = String::from_utf8(self.engine.response(id)).expect("text");
        self.tell(id, Input::Closed);
        let Some((head, body)) = response.split_once("\r\n\r\n") else { return (0, response) };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), body.to_owned())
    }

    pub(super) fn heartbeat(&mut self, method: &str, path: &str) -> (u16, String) {
        let head = format!("{method} /heartbeat/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.request(&[head.as_bytes()])
    }

    pub(super) fn last(&self, position: usize) -> (State, String, Option<Reason>) {
        let target = self.engine.targets().get(self.id(position)).expect("a target");
        let last = target.fsm().last();
        let detail = last.map(|last| last.detail.to_string()).unwrap_or_default();
        (target.fsm().state(), detail, last.and_then(|last| last.reason))
    }
}

fn ok() -> (u16, String) {
    (200, "ok\n".to_owned())
}

#[test]
fn each_missed_deadline_is_a_failed_check() {
    let mut bench = expecting();
    bench.pass(secs(110) - Duration::from_millis(1));
    assert_eq!(bench.last(0), (State::Unknown, String::new(), None));
    assert_eq!(bench.heartbeat("GET", TOKEN), ok());
    assert_eq!(bench.last(0), (State::Up, "heartbeat received".to_owned(), None));
    // The other target has missed its first deadline.
    bench.pass(Duration::from_millis(1));
    let missed = |state, text: &str| (state, text.to_owned(), Some(Reason::NoHeartbeat));
    assert_eq!(bench.last(1), missed(State::Down, "no heartbeat for 1 m 50 s"));
    // Late, but within the grace.
    bench.pass(secs(109));
    assert_eq!(bench.last(0).0, State::Up);
    bench.pass(secs(1));
    assert_eq!(bench.last(0), missed(State::Degraded, "no heartbeat for 1 m 50 s"));
    bench.pass(secs(99));
    assert_eq!(bench.last(0).0, State::Degraded);
    bench.pass(secs(1));
    assert_eq!(bench.last(0), missed(State::Down, "no heartbeat for 3 m 30 s"));
    assert_eq!(bench.heartbeat("POST", TOKEN), ok());
    assert_eq!(bench.last(0).0, State::Up);
    assert_eq!(bench.engine.targets().skipped(), 0);
}

#[test]
fn jobs_report_failures_and_messages() {
    let failed = |detail: &str| (detail.to_owned(), Some(Reason::HeartbeatFail));
    let fine = |detail: &str| (detail.to_owned(), None);
    for (path, expected) in [
        ("", fine("heartbeat received")),
        ("/0", fine("heartbeat received")),
        ("/0?msg=3+GB%21", fine("3 GB!")),
        ("?x&msg=fine&msg=not", fine("fine")),
        ("?msg=", fine("heartbeat received")),
        ("/fail", failed("the job reports a failure")),
        ("/fail?msg=disk%20full", failed("disk full")),
        ("/3", failed("exit status 3")),
        ("/255?msg=x%0ay", failed("exit status 255: x\\ny")),
    ] {
        for method in ["GET", "HEAD", "POST"] {
            let mut bench = expecting();
            let (status, body) = bench.heartbeat(method, &format!("{TOKEN}{path}"));
            assert_eq!(
                (status, &*body),
                (200, if method == "HEAD" { "" } else { "ok\n" }),
                "{method} {path}"
            );
            let (_, detail, reason) = bench.last(0);
            assert_eq!((detail, reason), expected, "{path}");
            assert_eq!(bench.last(1).1, "", "only that target");
        }
    }
}

#[test]
fn other_tokens_paths_and_methods_record_nothing() {
    let mut bench = expecting();
    for path in [
        "",
        "0123456789abcdee",
        "0123456789abcde",
        "0123456789abcdef0",
        "0123456789ABCDEF",
        "0123456789abcdef/",
        "0123456789abcdef/ok",
        "0123456789abcdef/256",
        "0123456789abcdef/-1",
        "0123456789abcdef/+1",
        "0123456789abcdef/1/2",
        "0123456789abcdef%2Ffail",
        "%ff",
        "x/fail",
    ] {
        for method in ["GET", "POST", "OPTIONS", "DELETE"] {
            assert_eq!(bench.heartbeat(method, path).0, 404, "{method} {path}");
        }
    }
    assert_eq!(bench.heartbeat("GET", &format!("{TOKEN}?msg=%f")).0, 400);
    assert_eq!(bench.heartbeat("PUT", TOKEN).0, 405);
    assert_eq!(bench.heartbeat("OPTIONS", TOKEN).0, 200);
    let foreign = format!("GET /heartbeat/{TOKEN} HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!(bench.request(&[foreign.as_bytes()]).0, 421);
    assert_eq!((bench.last(0).1, bench.last(1).1), (String::new(), String::new()));
    // Percent-encoding is decoded like that of every path.
    assert_eq!(bench.heartbeat("GET", "%30123456789abcdef"), ok());
    assert_eq!(bench.last(0).1, "heartbeat received");
}

#[test]
fn the_first_line_of_a_body_is_the_detail() {
    let head = |fields: &str| format!("POST /heartbeat/{TOKEN} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    let sized =
        |body: &[u8]| [head(&format!("Content-Length: {}\r\n", body.len())).as_bytes(), body].concat();
    let long = [&b"first\nsecond\n"[..], &[b'x'; 60_000]].concat();
    let longer = [&b"first\n"[..], &[b'x'; 1_000_000]].concat();
    let chunked =
        [head("Transfer-Encoding: chunked\r\n").as_bytes(), b"3\r\nfir\r\n3\r\nst\n\r\n0\r\n\r\n"].concat();
    for request in [sized(b"first"), sized(b"\n first \nx"), sized(&long), sized(&longer), chunked] {
        for size in [1_000, 16 * 1024, 7] {
            if size == 7 && request.len() > 1_000 {
                continue;
            }
            let mut bench = expecting();
            let pieces: Vec<&[u8]> = request.chunks(size).collect();
            assert_eq!(bench.request(&pieces), ok(), "{} bytes by {size}", request.len());
            assert_eq!(bench.last(0), (State::Up, "first".to_owned(), None));
            let recorded = bench.outputs().iter().filter(|o| matches!(o, Output::CheckResult(_))).count();
            assert_eq!(recorded, 1);
        }
    }
}

#[test]
fn an_incomplete_or_invalid_body_records_nothing() {
    let head = format!("POST /heartbeat/{TOKEN} HTTP/1.1\r\nHost: localhost\r\n");
    let mut bench = expecting();
    let partial = format!("{head}Content-Length: 10\r\n\r\n123456789");
    assert_eq!(bench.request(&[partial.as_bytes()]), (0, String::new()), "closed before its end");
    let invalid = format!("{head}Transfer-Encoding: chunked\r\n\r\nx\r\n");
    assert_eq!(bench.request(&[invalid.as_bytes()]).0, 400);
    let id = bench.engine.accept(bench.now);
    bench.tell(id, Input::Received(partial.as_bytes()));
    bench.pass(CLIENT_HEAD);
    assert!(bench.deliver(id).starts_with("HTTP/1.1 408 "));
    assert_eq!(bench.last(0).1, "");
    assert!(bench.engine.room(id) > 0, "the rest is discarded");
}

#[test]
fn a_client_that_waits_for_an_interim_response_gets_it() {
    let mut bench = expecting();
    let id = bench.engine.accept(bench.now);
    let head = format!(
        "POST /heartbeat/{TOKEN} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    );
    bench.tell(id, Input::Received(head.as_bytes()));
    assert_eq!(bench.deliver(id), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(bench.last(0).1, "");
    bench.pass(secs(1));
    bench.tell(id, Input::Received(b"fine"));
    assert!(bench.deliver(id).starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(bench.last(0).1, "fine");
    bench.tell(id, Input::Closed);
    assert_eq!(bench.engine.connections().len(), 0);
}

#[test]
fn a_step_of_the_wall_clock_changes_no_deadline() {
    for step in [-1_000_000_i64, 1_000_000] {
        let mut bench = expecting();
        bench.pass(secs(50));
        assert_eq!(bench.heartbeat("GET", TOKEN), ok());
        let seconds = bench.now.unix.as_secs().saturating_add_signed(step);
        bench.now = Now { unix: secs(seconds), ..bench.now };
        bench.pass(secs(110) - Duration::from_millis(1));
        assert_eq!(bench.last(0).0, State::Up);
        bench.pass(Duration::from_millis(1));
        assert_eq!(bench.last(0).0, State::Degraded);
    }
}

#[test]
fn a_heartbeat_that_arrives_during_a_delay_is_in_time() {
    let mut bench = expecting();
    assert_eq!(bench.heartbeat("GET", TOKEN), ok());
    // The loop wakes up late: inputs come before deadlines.
    bench.now = bench.now.after(secs(150));
    assert_eq!(bench.heartbeat("GET", TOKEN), ok());
    bench.engine.handle_timeout(bench.now);
    assert_eq!((bench.last(0).0, bench.last(1).0), (State::Up, State::Down));
}

#[test]
fn a_reload_keeps_state_and_deadline() {
    let mut bench = expecting();
    assert_eq!(bench.heartbeat("GET", &format!("{TOKEN}/fail")), ok());
    bench.pass(secs(60));
    let updates = bench.updates(vec![Update::Start(monitor("new", "0000000000000000")), Update::Keep(0)]);
    bench.engine.replace(updates, bench.now).expect("valid");
    assert_eq!(
        bench.last(1),
        (State::Down, "the job reports a failure".to_owned(), Some(Reason::HeartbeatFail))
    );
    assert_eq!(bench.heartbeat("GET", OTHER).0, 404, "it was removed");
    bench.pass(secs(50));
    assert_eq!(bench.last(1).2, Some(Reason::NoHeartbeat));
    assert_eq!(bench.last(0).0, State::Unknown);
    bench.pass(secs(60));
    assert_eq!(bench.last(0).0, State::Down);
}

#[test]
fn a_body_that_ends_after_a_reload_is_no_heartbeat_of_a_new_target() {
    let mut bench = expecting();
    let head = format!("POST /heartbeat/{TOKEN} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n");
    let id = bench.engine.accept(bench.now);
    bench.tell(id, Input::Received(head.as_bytes()));
    let renewed = Update::Start(monitor("backup", "0000000000000000"));
    let updates = bench.updates(vec![renewed, Update::Keep(1)]);
    bench.engine.replace(updates, bench.now).expect("valid");
    bench.tell(id, Input::Received(b"done"));
    assert!(bench.engine.response(id).starts_with(b"HTTP/1.1 404 "));
    assert_eq!(bench.last(0), (State::Unknown, String::new(), None));
}

#[test]
fn a_single_run_skips_heartbeats() {
    let mut monitors = vec![monitor("backup", TOKEN)];
    let bench = Bench::watching(vec![monitor("backup", TOKEN)], Schedule::Once);
    assert!(bench.engine.is_finished());
    let (_, switched) = switched(1);
    monitors.extend(switched);
    let mut bench = Bench::watching(monitors, Schedule::Once);
    bench.pass(Duration::ZERO);
    assert!(bench.engine.is_finished());
    let results = bench.outputs().into_iter().filter(|output| matches!(output, Output::CheckResult(_)));
    assert_eq!(results.count(), 1);
}

#[test]
fn two_targets_cannot_have_the_same_token() {
    let mut bench = expecting();
    let updates = bench.updates(vec![Update::Keep(0), Update::Start(monitor("new", TOKEN))]);
    let error = bench.engine.replace(updates, bench.now).expect_err("the same token");
    assert_eq!(error.to_string(), "token-file: two targets have the same token");
}
