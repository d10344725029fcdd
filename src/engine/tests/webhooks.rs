//! Webhooks.

use super::*;
use crate::monitor::{Notifications, Notify};
use crate::probe::build::Webhook;

const OK: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

fn webhook(port: u16) -> Webhook {
    Webhook::new(&format!("http://127.0.0.1:{port}/s3cret"), None).expect("a URL")
}

fn all(webhook: Webhook) -> Notifications {
    Notifications::new().webhook(webhook).notify(Notify::All)
}

/// Targets with one switch and a webhook each, checked every second and up.
fn posting(webhooks: Vec<Webhook>) -> (Arc<AtomicBool>, Bench) {
    let (is_up, monitors) = switched(webhooks.len());
    let pairs = monitors.into_iter().zip(webhooks);
    let monitors = pairs.map(|(monitor, webhook)| monitor.notifications(all(webhook))).collect();
    let mut bench = Bench::watching(monitors, Schedule::Repeated);
    bench.pass(Duration::from_millis(999));
    assert!(opens(&bench.outputs()).is_empty(), "the first state is not posted");
    (is_up, bench)
}

/// The opened connections and their ports.
fn opens(outputs: &[Output]) -> Vec<(ConnId, u16)> {
    let opens = outputs.iter().filter_map(|output| match output {
        Output::Open { id, to, .. } => Some((*id, to.port())),
        _ => None,
    });
    opens.collect()
}

impl Bench {
    /// Receives the request, responds, and returns the request.
    fn serve(&mut self, id: ConnId, answer: &[u8]) -> String {
        self.tell(id, Input::Connected);
        let request = self.deliver(id);
        self.tell(id, Input::Received(answer));
        request
    }

    /// Changes the state until a delivery starts.
    fn change(&mut self, is_up: &AtomicBool) -> Vec<(ConnId, u16)> {
        is_up.fetch_xor(true, Ordering::Relaxed);
        self.pass(secs(1));
        opens(&self.outputs())
    }
}

#[test]
fn a_change_is_posted_as_json() {
    let (is_up, mut bench) = posting(vec![webhook(9)]);
    let [(id, 9)] = bench.change(&is_up)[..] else { panic!("no delivery") };
    let request = bench.serve(id, OK);
    let (head, json) = request.split_once("\r\n\r\n").expect("a body");
    assert!(head.starts_with("POST /s3cret HTTP/1.1\r\nHost: 127.0.0.1:9\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Type: application/json") && head.contains("\r\nConnection: close"));
    assert!(head.contains(&format!("\r\nContent-Length: {}", json.len())), "{head}");
    let ts = bench.now.unix.as_secs();
    assert_eq!(
        json.replace(&format!("{ts}.0"), "TS"),
        r#"{"ts":TS,"target":"t0","probe":"t0","from":"up","to":"degraded","detail":"refused","error":"refused","latency_ms":null,"since_s":1.0,"text":"t0 is degraded: refused"}"#
    );
    let outputs = bench.outputs();
    assert!(matches!(outputs[..], [Output::Write(_), Output::Close(_)]), "no check: {outputs:?}");
    assert_eq!(bench.engine.cx.counters.webhooks.ok, 1);
    assert!(bench.engine.cx.conns().next().is_none());
}

#[test]
fn a_delivery_is_retried_with_growing_pauses_and_then_abandoned() {
    let (is_up, mut bench) = posting(vec![webhook(9)]);
    let mut open = bench.change(&is_up);
    let mut pauses = Vec::new();
    let answers: [&[u8]; 3] =
        [b"HTTP/1.1 500 Oops\r\n\r\n", b"HTTP/1.1 429 Slow Down\r\n\r\n", b"HTTP/1.1 408 Too Late\r\n\r\n"];
    for i in 0.. {
        let [(id, 9)] = open[..] else { panic!("{open:?}") };
        bench.serve(id, answers[i % 3]);
        let failed = bench.now.instant;
        let outputs = bench.outputs();
        let expected = match i {
            0 => {
                vec!["webhook http://127.0.0.1:9: failed, will be retried: HTTP 500 (t0: up → degraded)"]
            }
            9 => {
                vec!["webhook http://127.0.0.1:9: abandoned after 10 attempts: HTTP 500 (t0: up → down)"]
            }
            _ => vec![],
        };
        assert_eq!(said(&outputs), expected, "the first failure at once, the others together");
        if i == 9 {
            break;
        }
        for _ in 0..100 {
            open = opens(&bench.outputs());
            if !open.is_empty() {
                break;
            }
            bench.pass(secs(1));
        }
        pauses.push((bench.now.instant - failed).as_secs());
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    // The next change, to down, was merged with it.
    assert_eq!(bench.engine.cx.counters.webhooks.failed, 1);
    assert!(bench.engine.webhooks.subjects().is_empty());
}

#[test]
fn a_refused_request_is_not_retried() {
    let (is_up, mut bench) = posting(vec![webhook(9)]);
    let [(id, _)] = bench.change(&is_up)[..] else { panic!("no delivery") };
    bench.serve(id, b"HTTP/1.1 404 Not Found\r\n\r\n");
    let outputs = bench.outputs();
    let line = "webhook http://127.0.0.1:9: abandoned after 1 attempt: HTTP 404 (t0: up → degraded)";
    assert_eq!(said(&outputs), [line]);
    assert!(bench.engine.webhooks.subjects().is_empty());
}

#[test]
fn only_client_errors_and_redirects_end_a_delivery_at_once() {
    for status in 300..600 {
        let (is_up, mut bench) = posting(vec![webhook(9)]);
        let [(id, _)] = bench.change(&is_up)[..] else { panic!("no delivery") };
        bench.serve(id, format!("HTTP/1.1 {status} X\r\nLocation: /\r\n\r\n").as_bytes());
        let outputs = bench.outputs();
        let ended = said(&outputs).iter().any(|line| line.contains("abandoned after 1 attempt: "));
        let is_final = matches!(status, 301..=303 | 400..=407 | 409..=428 | 430..=499);
        assert_eq!(ended, is_final, "{status}");
        assert_eq!(opens(&outputs).len(), usize::from(matches!(status, 307 | 308)), "{status}");
    }
}

#[test]
fn a_redirect_that_keeps_the_method_is_followed_with_the_body() {
    let (is_up, mut bench) = posting(vec![webhook(9)]);
    let [(mut id, _)] = bench.change(&is_up)[..] else { panic!("no delivery") };
    let mut body = None;
    for (path, status, port) in [("/s3cret", 307, 10), ("/a", 308, 11)] {
        let answer = format!("HTTP/1.1 {status} Moved\r\nLocation: http://127.0.0.1:{port}/a\r\n\r\n");
        let request = bench.serve(id, answer.as_bytes());
        let (head, json) = request.split_once("\r\n\r\n").expect("a body");
        assert!(head.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {}", json.len())), "{head}");
        assert_eq!(body.get_or_insert(json.to_owned()), json);
        let [(next, opened)] = opens(&bench.outputs())[..] else { panic!("it is not followed") };
        assert_eq!(opened, port);
        id = next;
    }
    let request = bench.serve(id, OK);
    assert_eq!(request.split_once("\r\n\r\n").map(|(_, json)| json.to_owned()), body);
    assert_eq!(bench.engine.cx.counters.webhooks.ok, 1);
    assert!(said(&bench.outputs()).is_empty());
}

#[test]
fn redirect_loops_and_invalid_redirects_are_not_retried_and_their_location_is_logged() {
    let loops = "redirect loop: HTTP 308 back to http://127.0.0.1:9/…";
    for (status, location, why) in [
        ("308", "", loops),
        (
            "302",
            "https://127.0.0.1:10/login",
            "HTTP 302 to https://127.0.0.1:10/login, where it would become a GET",
        ),
        ("301", "/s3cret/", "HTTP 301 to http://127.0.0.1:9/…/, where it would become a GET"),
        ("303", "", "HTTP 303 to http://127.0.0.1:9/…, where it would become a GET"),
    ] {
        let (is_up, mut bench) = posting(vec![webhook(9)]);
        let [(id, _)] = bench.change(&is_up)[..] else { panic!("no delivery") };
        let location = if location.is_empty() { "/s3cret" } else { location };
        bench.serve(id, format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\n\r\n").as_bytes());
        let line =
            format!("webhook http://127.0.0.1:9: abandoned after 1 attempt: {why} (t0: up → degraded)");
        assert_eq!(said(&bench.outputs()), [line]);
    }
    let (is_up, mut bench) = posting(vec![webhook(9)]);
    let mut open = bench.change(&is_up);
    for port in 10..30 {
        let [(id, _)] = open[..] else { break };
        bench.serve(id, format!("HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:{port}/\r\n\r\n").as_bytes());
        let outputs = bench.outputs();
        open = opens(&outputs);
        assert_eq!(said(&outputs).len(), usize::from(open.is_empty()));
    }
    assert!(open.is_empty(), "bounded");
}

#[test]
fn a_delivery_after_failures_is_logged() {
    let (is_up, mut bench) = posting(vec![webhook(9)]);
    let mut open = bench.change(&is_up);
    for answer in [&b"HTTP/1.1 500 Oops\r\n\r\n"[..], b"HTTP/1.1 503 Oops\r\n\r\n", OK] {
        let [(id, _)] = open[..] else { panic!("{open:?}") };
        bench.outputs();
        bench.serve(id, answer);
        if answer == OK {
            break;
        }
        bench.outputs();
        open = Vec::new();
        while open.is_empty() {
            bench.pass(secs(1));
            open = opens(&bench.outputs());
        }
    }
    let line = "webhook http://127.0.0.1:9: delivered after 3 attempts (t0: up → down)";
    assert_eq!(said(&bench.outputs()), [line]);
}

#[test]
fn an_attempt_to_deliver_times_out_after_ten_seconds() {
    let (is_up, mut bench) = posting(vec![webhook(9)]);
    let [(id, _)] = bench.change(&is_up)[..] else { panic!("no delivery") };
    bench.tell(id, Input::Connected);
    bench.deliver(id);
    bench.pass(secs(9));
    let is_closed = |outputs: &[Output]| outputs.iter().any(|o| matches!(o, Output::Close(c) if *c == id));
    assert!(!is_closed(&bench.outputs()));
    bench.pass(Duration::from_millis(20));
    assert!(is_closed(&bench.outputs()));
}

#[test]
fn one_url_gets_one_delivery_at_a_time_in_order() {
    let (is_up, mut bench) = posting(vec![webhook(9), webhook(9), webhook(9)]);
    let mut open = bench.change(&is_up);
    let mut targets: Vec<&str> = Vec::new();
    while let [(id, 9)] = open[..] {
        let request = bench.serve(id, OK);
        targets.extend(["t0", "t1", "t2"].iter().filter(|name| request.contains(&format!("\"{name}\""))));
        open = opens(&bench.outputs());
    }
    assert_eq!(open, []);
    // Their checks are spread over the interval.
    assert_eq!(targets.len(), 3, "{targets:?}");
    assert_eq!(bench.engine.cx.counters.webhooks.ok, 3);
}

#[test]
fn deliveries_to_different_urls_are_concurrent_up_to_a_limit() {
    let ports: Vec<u16> = (1..=WEBHOOKS_PARALLEL as u16 + 2).collect();
    let (is_up, mut bench) = posting(ports.iter().map(|port| webhook(*port)).collect());
    let open = bench.change(&is_up);
    assert_eq!(open.len(), WEBHOOKS_PARALLEL);
    let (id, port) = open[0];
    bench.serve(id, OK);
    let next = opens(&bench.outputs());
    assert_eq!(next.len(), 1);
    assert!(next[0].1 != port);
    // A failed delivery frees its slot while it waits.
    bench.tell(open[1].0, Input::Failed(Failure::new(Reason::Refused, "no")));
    let last = opens(&bench.outputs());
    assert!(last.len() == 1 && last[0].1 != open[1].1);
}

#[test]
fn pending_changes_of_a_target_are_merged() {
    let (is_up, mut bench) = posting(vec![webhook(9)]);
    let [(id, _)] = bench.change(&is_up)[..] else { panic!("no delivery") };
    for _ in 0..2 {
        is_up.store(false, Ordering::Relaxed);
        bench.pass(secs(2));
        assert_eq!(bench.engine.webhooks.subjects(), ["t0: up → degraded", "t0: degraded → down"]);
        bench.change(&is_up);
        assert_eq!(bench.engine.webhooks.subjects(), ["t0: up → degraded", "t0: degraded → up"]);
        bench.change(&is_up);
        // The receiver will know that.
        assert_eq!(bench.engine.webhooks.subjects(), ["t0: up → degraded"]);
    }
    bench.outputs();
    // It is not delivered: what follows replaces it.
    bench.change(&is_up);
    assert_eq!(bench.engine.webhooks.subjects(), ["t0: up → degraded", "t0: degraded → up"]);
    bench.tell(id, Input::Failed(Failure::new(Reason::Refused, "no")));
    assert!(bench.engine.webhooks.subjects().is_empty());
}

#[test]
fn what_follows_an_abandoned_change_begins_at_the_state_that_the_receiver_knows() {
    let (is_up, mut bench) = posting(vec![webhook(9)]);
    let [(id, _)] = bench.change(&is_up)[..] else { panic!("no delivery") };
    bench.pass(secs(1));
    assert_eq!(bench.engine.webhooks.subjects(), ["t0: up → degraded", "t0: degraded → down"]);
    bench.outputs();
    bench.serve(id, b"HTTP/1.1 404 Not Found\r\n\r\n");
    assert_eq!(bench.engine.webhooks.subjects(), ["t0: up → down"]);
}

/// An outage of the connection to the Internet must not lose the notification of its end.
#[test]
fn deliveries_without_an_answer_are_retried_without_limit() {
    let (is_up, mut bench) = posting(vec![webhook(9)]);
    let mut open = bench.change(&is_up);
    let mut attempts = 0;
    let mut lines = 0;
    for _ in 0..3600 {
        for (id, _) in std::mem::take(&mut open) {
            attempts += 1;
            bench.tell(id, Input::Failed(Failure::new(Reason::Refused, "no")));
        }
        bench.pass(secs(1));
        let outputs = bench.outputs();
        lines += said(&outputs).len();
        open = opens(&outputs);
    }
    assert!((50..70).contains(&attempts), "{attempts}");
    assert_eq!((lines, bench.engine.webhooks.subjects()), (1, vec!["t0: up → down".to_owned()]));
}

#[test]
fn failing_webhooks_do_not_delay_a_healthy_one() {
    let ports: Vec<u16> = (1..=WEBHOOKS_PARALLEL as u16 + 1).collect();
    let (is_up, mut bench) = posting(ports.iter().map(|port| webhook(*port)).collect());
    let mut open = bench.change(&is_up);
    let mut seen = Vec::new();
    while let Some((id, port)) = open.pop() {
        seen.push(port);
        bench.tell(id, Input::Failed(Failure::new(Reason::Refused, "no")));
        open.extend(opens(&bench.outputs()));
    }
    seen.sort_unstable();
    assert_eq!(seen, ports);
}

#[test]
fn deliveries_do_not_delay_checks() {
    let (is_up, mut bench) = posting(vec![webhook(9)]);
    for _ in 0..200 {
        is_up.fetch_xor(true, Ordering::Relaxed);
        bench.pass(secs(1));
        let outputs = bench.outputs();
        assert_eq!(outputs.iter().filter(|output| matches!(output, Output::CheckResult(_))).count(), 1);
    }
}

#[test]
fn undelivered_changes_are_logged_at_the_stop() {
    let (is_up, mut bench) = posting(vec![webhook(9), webhook(10)]);
    let [(id, _), _] = bench.change(&is_up)[..] else { panic!("no deliveries") };
    bench.serve(id, OK);
    bench.change(&is_up);
    bench.engine.stop();
    let outputs = bench.outputs();
    let lines = said(&outputs);
    assert!(
        lines.iter().any(|line| line.starts_with(
            "webhook http://127.0.0.1:10: not delivered, the daemon stops (t1: up → degraded and 1 more)"
        )),
        "{lines:?}"
    );
}
