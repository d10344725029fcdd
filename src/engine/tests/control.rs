//! Requests that pause, resume and check targets.

use super::*;
use crate::text::token::Token;

const TOKEN: &str = "0123456789abcdef";

fn bench(monitors: Vec<Monitor>) -> Bench {
    let mut bench = Bench::watching(monitors, Schedule::Repeated);
    bench.engine.set_token(Token::parse(TOKEN, "").ok(), false);
    bench
}

fn head(path: &str, token: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n")
}

impl Bench {
    fn post(&mut self, path: &str) -> (u16, String) {
        self.request(&[head(path, TOKEN).as_bytes(), b"\r\n"])
    }

    fn post_json(&mut self, path: &str) -> serde_json::Value {
        let (status, body) = self.post(path);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("JSON")
    }
}

#[test]
fn the_response_to_a_pause_is_the_snapshot_after_it() {
    let (_, monitors) = switched(2);
    let mut bench = bench(monitors);
    bench.pass(secs(1));
    bench.outputs();
    let paused = bench.post_json("/targets/t1/pause?for=90m");
    assert_eq!((&paused["name"], &paused["state"]), (&"t1".into(), &"unknown".into()));
    assert_eq!(paused["paused_until_ts"], 1_738_200_001.0 + 5400.0);
    assert_eq!(said(&bench.outputs()), ["t1: paused for 1 h 30 m"]);
    let all = bench.post_json("/pause");
    assert_eq!(
        (&all["state"], &all["counts"]["paused"], &all["counts"]["up"]),
        (&"unknown".into(), &2.into(), &0.into())
    );
    assert_eq!(all["targets"][1]["paused_until_ts"], 1_738_200_001.0 + 3600.0, "the last pause applies");
    assert_eq!(said(&bench.outputs()), ["all targets: paused for 1 h"]);
    let one = bench.post_json("/targets/t0/resume");
    assert_eq!((&one["paused_until_ts"], &one["state"]), (&serde_json::Value::Null, &"unknown".into()));
    assert_eq!(said(&bench.outputs()), ["t0: resumed"]);
    assert_eq!(bench.post_json("/targets/t0/resume")["name"], "t0");
    assert_eq!(said(&bench.outputs()), [""; 0], "it was not paused");
    bench.pass(Duration::ZERO);
    let all = bench.post_json("/resume");
    assert_eq!(
        (&all["counts"]["unknown"], &all["counts"]["up"], &all["counts"]["paused"]),
        (&1.into(), &1.into(), &0.into())
    );
    bench.pass(Duration::ZERO);
    assert_eq!(bench.state(), State::Up);
}

#[test]
fn a_group_is_paused_resumed_and_checked_together() {
    let (_, monitors) = switched(4);
    let group = |(index, monitor): (usize, Monitor)| {
        monitor.interval(secs(3600)).group(if index < 3 { "nas" } else { "web" })
    };
    let mut bench = bench(monitors.into_iter().enumerate().map(group).collect());
    bench.pass(secs(3));
    bench.outputs();
    let paused = bench.post_json("/groups/nas/pause?for=2h");
    assert_eq!((&paused["counts"]["paused"], &paused["state"]), (&3.into(), &"unknown".into()));
    assert_eq!(paused["targets"].as_array().map(Vec::len), Some(3));
    assert_eq!(said(&bench.outputs()), ["group nas: paused for 2 h"]);
    assert_eq!((bench.state(), bench.targets().counts().paused), (State::Up, 3));
    bench.post_json("/targets/t1/resume");
    bench.outputs();
    assert_eq!(bench.post("/groups/nas/check"), accepted("checking: 1\nskipped: paused: 2\n"));
    assert_eq!(bench.post("/groups/web/check"), accepted("checking: 1\n"));
    let resumed = bench.post_json("/groups/nas/resume");
    assert_eq!(resumed["counts"]["paused"], 0);
    assert_eq!(said(&bench.outputs()), ["group nas: resumed"]);
    bench.pass(secs(3));
    assert_eq!(bench.post_json("/groups/nas/resume")["counts"]["up"], 3);
    assert_eq!(said(&bench.outputs()), [""; 0], "none was paused");
    assert_eq!(bench.post("/groups/none/pause").0, 404);
}

#[test]
fn a_single_target_is_its_snapshot_as_in_status() {
    let (_, monitors) = switched(1);
    let mut bench = bench(monitors);
    assert_eq!(bench.post_json("/pause")["name"], "t0");
}

#[test]
fn requests_follow_on_the_same_connection_but_not_after_a_body() {
    let (_, monitors) = switched(1);
    let mut bench = bench(monitors);
    bench.pass(secs(1));
    let id = bench.engine.accept(bench.now);
    let get = "GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let empty = "Content-Length: 0\r\n\r\n";
    let several = [&head("/pause", TOKEN), empty, get, &head("/check", TOKEN), "\r\n", get].concat();
    bench.tell(id, Input::Received(several.as_bytes()));
    assert!(bench.deliver(id).contains("\"paused_until_ts\": 1738203601.0"));
    assert!(bench.deliver(id).ends_with("\r\n\r\nunknown\n"));
    assert!(bench.deliver(id).starts_with("HTTP/1.1 202 Accepted\r\n"));
    assert!(bench.deliver(id).ends_with("\r\n\r\nunknown\n"));
    let body = [&head("/resume", TOKEN), "Content-Length: 4\r\n\r\na=b\n", get].concat();
    bench.tell(id, Input::Received(body.as_bytes()));
    let response = bench.deliver(id);
    assert!(response.contains("\r\nConnection: close\r\n") && response.contains("\"paused_until_ts\": null"));
    assert_eq!(bench.deliver(id), "");
}

#[test]
fn a_client_that_cannot_pause_changes_nothing() {
    let (_, monitors) = switched(1);
    let mut bench = bench(monitors);
    bench.pass(secs(1));
    let wrong = head("/pause", "0123456789abcdee");
    assert_eq!(bench.request(&[wrong.as_bytes(), b"\r\n"]).0, 401);
    for field in [
        "Origin: http://evil.example",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Origin: http://localhost\r\nOrigin: http://localhost",
    ] {
        let request = format!("{}{field}\r\n\r\n", head("/pause", TOKEN));
        assert_eq!(bench.request(&[request.as_bytes()]).0, 403, "{field}");
    }
    let own =
        format!("{}Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n\r\n", head("/check", TOKEN));
    assert_eq!(bench.request(&[own.as_bytes()]).0, 202);
    // A reload replaces the token, or removes it.
    bench.engine.set_token(Token::parse("fedcba9876543210", "").ok(), false);
    assert_eq!(bench.post("/pause").0, 401);
    bench.engine.set_token(None, false);
    assert_eq!(bench.post("/pause").0, 403);
    assert_eq!((bench.state(), bench.targets().counts().paused), (State::Up, 0));
}

fn accepted(text: &str) -> (u16, String) {
    (202, text.to_owned())
}

#[test]
fn a_requested_check_joins_one_in_flight_and_starts_at_most_once_a_second() {
    let mut bench = bench(vec![Monitor::new(Hello("127.0.0.1")).interval(secs(60))]);
    bench.pass(Duration::ZERO);
    let first = bench.opened();
    assert_eq!(bench.post("/targets/127.0.0.1/check"), accepted("checking: 1\n"));
    bench.pass(Duration::ZERO);
    assert!(bench.opens().is_empty(), "joined");
    bench.tell(first, Input::Failed(Failure::new(Reason::Refused, "refused")));
    bench.outputs();
    for ms in [100, 0, 0, 500, 499] {
        bench.pass(Duration::from_millis(ms));
        assert_eq!(bench.post("/check"), accepted("checking: 1\n"));
        bench.pass(Duration::ZERO);
        let opened = bench.opens();
        assert_eq!(opened.len(), usize::from(ms == 100), "after {ms} ms");
        for id in opened {
            bench.tell(id, Input::Failed(Failure::new(Reason::Refused, "refused")));
        }
    }
    bench.pass(Duration::from_millis(1));
    bench.post("/check");
    bench.pass(Duration::ZERO);
    assert_eq!(bench.opens().len(), 1);
}

#[test]
fn heartbeats_and_paused_targets_are_not_checked_on_request() {
    let (_, mut monitors) = switched(3);
    monitors.push(super::heartbeats::monitor("backup", super::heartbeats::TOKEN));
    let mut bench = bench(monitors);
    bench.pass(secs(5));
    bench.pause(1, None);
    bench.outputs();
    assert_eq!(bench.post("/targets/backup/check"), accepted("checking: 0\nskipped: heartbeat: 1\n"));
    assert_eq!(bench.post("/targets/t1/check"), accepted("checking: 0\nskipped: paused: 1\n"));
    assert_eq!(bench.post("/check"), accepted("checking: 2\nskipped: heartbeat: 1\nskipped: paused: 1\n"));
    bench.pause(3, None);
    assert_eq!(bench.post("/check"), accepted("checking: 2\nskipped: paused: 2\n"));
    assert_eq!((bench.last(3).0, bench.targets().list()[1].fsm().recent().len()), (State::Unknown, 5));
}

#[test]
fn requested_checks_of_many_targets_are_spread_like_first_ones() {
    let (_, monitors) = switched(1000);
    let monitors = monitors.into_iter().map(|monitor| monitor.interval(secs(1_000_000))).collect();
    let mut bench = bench(monitors);
    bench.pass(secs(10));
    let checks = |bench: &mut Bench| {
        let results = |output: &Output| matches!(output, Output::CheckResult(_));
        bench.outputs().iter().filter(|output| results(output)).count()
    };
    assert_eq!(checks(&mut bench), 1000);
    assert_eq!(bench.post("/check"), accepted("checking: 1000\n"));
    for (step, expected) in [(500, 167), (500, 167), (1000, 333), (1000, 333), (1000, 0)] {
        bench.pass(Duration::from_millis(step));
        assert!(checks(&mut bench).abs_diff(expected) <= 1, "3 s for 1000 targets");
        if step == 500 {
            // Another request does not delay those that are pending.
            assert_eq!(bench.post("/check"), accepted("checking: 1000\n"));
        }
    }
}
