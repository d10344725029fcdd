//! `/livez`.

use super::*;

impl Bench {
    /// The response to `/livez` after a turn.
    fn livez(&mut self) -> String {
        let id = self.engine.accept(self.now);
        self.tell(id, Input::Received(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_eq!(self.engine.response(id), b"", "it follows the deadlines of the turn");
        self.pass(Duration::ZERO);
        self.deliver(id)
    }

    #[track_caller]
    fn assert_livez(&mut self, status: &str, body: &str) {
        let response = self.livez();
        let end = format!("\r\n\r\n{body}\n");
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status}\r\n")) && response.ends_with(&end),
            "{response}"
        );
    }

    fn refuse_all(&mut self) {
        for id in self.opens() {
            self.tell(id, Input::Failed(Failure::new(Reason::Refused, "refused")));
        }
    }
}

#[test]
fn the_daemon_lives_whatever_its_targets_are() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.assert_livez("200 OK", "ok");
    for _ in 0..3 {
        bench.pass(secs(5));
        bench.refuse_all();
        bench.pass(Duration::ZERO);
    }
    assert_eq!(bench.state(), State::Down);
    bench.assert_livez("200 OK", "ok");
    Bench::new(&[]).assert_livez("200 OK", "ok");
}

#[test]
fn a_check_that_does_not_start_or_end_is_late() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    // In flight.
    bench.engine.cx.timers.set(Owner::Run(bench.run(0)), None);
    bench.pass(secs(30));
    bench.assert_livez("503 Service Unavailable", "checks are late");
    let run = bench.run(0);
    bench.engine.runs.set_timer(run, &mut bench.engine.cx);
    bench.pass(secs(1));
    bench.assert_livez("200 OK", "ok");
    while bench.engine.runs.get(bench.run(0)).is_some() {
        bench.pass(secs(1));
    }
    bench.outputs();
    bench.engine.cx.timers.set(Owner::Run(bench.run(0)), None);
    bench.pass(secs(30));
    bench.assert_livez("503 Service Unavailable", "checks are late");
}

#[test]
fn after_a_suspend_due_checks_start_first() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(secs(3));
    bench.refuse_all();
    bench.pass(Duration::ZERO);
    let client = bench.engine.accept(bench.now);
    bench.now = bench.now.after(secs(100));
    bench.tell(client, Input::Received(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    bench.pass(Duration::ZERO);
    assert!(bench.deliver(client).ends_with("\r\n\r\nok\n"));
}

#[test]
fn requests_follow_on_the_same_connection() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    let id = bench.engine.accept(bench.now);
    let livez = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let head = "HEAD /livez HTTP/1.0\r\n\r\n";
    bench.tell(id, Input::Received([livez, livez, head].concat().as_bytes()));
    for end in ["\r\n\r\nok\n", "\r\n\r\nok\n", "Connection: close\r\n\r\n"] {
        bench.pass(Duration::ZERO);
        let response = bench.deliver(id);
        assert!(response.ends_with(end), "{response}");
    }
    // A client that closes meanwhile.
    let id = bench.engine.accept(bench.now);
    bench.tell(id, Input::Received(livez.as_bytes()));
    bench.tell(id, Input::Failed(Failure::new(Reason::Reset, "reset")));
    bench.pass(Duration::ZERO);
    assert!(bench.engine.api.awaiting_liveness.is_empty());
}
