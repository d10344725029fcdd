//! Streams of events, and clients that wait for a state.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Says what its script says, one sign for each check, and the last one for ever.
struct Script(&'static str, &'static str, AtomicUsize);

impl Probe for Script {
    fn name(&self) -> &str {
        self.0
    }
    fn timeout(&self) -> Duration {
        Duration::from_secs(2)
    }
    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        let at = self.2.fetch_add(1, Ordering::Relaxed).min(self.1.len() - 1);
        let result = match self.1.as_bytes()[at] {
            b'+' => ProbeResult::up(Duration::from_millis(1), "fine"),
            _ => ProbeResult::down(Reason::Refused, "refused"),
        };
        Box::new(HelloAttempt { outputs: VecDeque::from([probe::Output::Done(result)]) })
    }
}

/// Targets with their scripts, each checked every ten seconds, the first one at once.
pub(super) fn bench(scripts: &[(&'static str, &'static str)]) -> Bench {
    let probe = |(name, signs): &(&'static str, &'static str)| Script(name, signs, AtomicUsize::new(0));
    let monitors = scripts.iter().map(probe).map(|probe| Monitor::new(probe).interval(secs(10)));
    Bench::watching(monitors.collect(), Schedule::Repeated)
}

pub(super) fn ask(bench: &mut Bench, target: &str) -> ConnId {
    let id = bench.engine.accept(bench.now);
    bench.tell(id, Input::Received(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()));
    id
}

/// A stream that has taken its opening.
pub(super) fn subscribe(bench: &mut Bench, target: &str) -> ConnId {
    let id = ask(bench, target);
    assert!(bench.deliver(id).ends_with("\r\nConnection: close\r\n\r\nretry: 3000\n: pingstate\n\n"));
    id
}

pub(super) fn closes(bench: &mut Bench, id: ConnId) -> bool {
    bench.outputs().iter().any(|output| matches!(output, Output::Close(c) if *c == id))
}

fn waits(bench: &mut Bench, id: ConnId) -> bool {
    bench.outputs();
    bench.engine.unsent(id).is_empty() && bench.engine.knows(id)
}

#[test]
fn a_stream_gets_the_next_events() {
    let mut bench = bench(&[("db", "+-")]);
    let id = subscribe(&mut bench, "/events");
    assert!(waits(&mut bench, id));
    bench.pass(Duration::from_millis(1));
    assert!(bench.outputs().iter().any(|o| matches!(o, Output::Write(w) if *w == id)));
    assert!(bench.deliver(id).starts_with("id: 1738200000000000-1\nevent: transition\ndata: {"));
    bench.pass(secs(10));
    bench.outputs();
    let text = bench.deliver(id);
    assert!(text.contains("\"from\":\"up\",\"to\":\"degraded\"") && text.ends_with("}\n\n"), "{text}");
    assert_eq!(bench.engine.unsent(id).len(), 0);
    assert_eq!((bench.engine.api.clients, bench.engine.api.streams.len()), (0, 1));
}

#[test]
fn a_stream_that_has_nothing_to_say_says_so_every_fifteen_seconds() {
    let mut bench = bench(&[("db", "+")]);
    bench.pass(secs(1));
    let id = subscribe(&mut bench, "/events");
    for _ in 0..4 {
        bench.pass(STREAM_KEEP_ALIVE - Duration::from_millis(1));
        assert!(waits(&mut bench, id));
        bench.pass(Duration::from_millis(1));
        assert_eq!(bench.deliver(id), ": still here\n\n");
    }
}

#[test]
fn an_event_delays_the_next_keep_alive_comment() {
    let mut bench = bench(&[("db", "+-+")]);
    bench.pass(secs(1));
    let id = subscribe(&mut bench, "/events");
    bench.pass(secs(9));
    bench.outputs();
    assert!(bench.deliver(id).contains("degraded"));
    bench.pass(secs(10));
    bench.outputs();
    assert!(bench.deliver(id).contains("\"to\":\"up\""));
    bench.pass(STREAM_KEEP_ALIVE - Duration::from_millis(1));
    assert!(waits(&mut bench, id));
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.deliver(id), ": still here\n\n");
}

#[test]
fn a_stream_that_takes_nothing_is_closed() {
    let mut bench = bench(&[("db", "+-")]);
    let id = ask(&mut bench, "/events");
    bench.pass(CLIENT_STALL - Duration::from_millis(1));
    bench.tell(id, Input::Sent(1));
    bench.pass(CLIENT_STALL - Duration::from_millis(1));
    assert!(!closes(&mut bench, id), "it took something");
    bench.pass(Duration::from_millis(1));
    assert!(closes(&mut bench, id));
    assert_eq!(bench.engine.api.streams.len(), 0);
}

/// As with `nc -N`, whose request ends with its side of the connection.
#[test]
fn a_client_that_has_ended_its_side_gets_events_like_any_other() {
    let mut bench = bench(&[("db", "+-")]);
    bench.pass(secs(1));
    let [events, wait] = ["/events", "/wait?state=degraded"].map(|target| ask(&mut bench, target));
    bench.deliver(events);
    for id in [events, wait] {
        bench.tell(id, Input::Closed);
        assert!(waits(&mut bench, id));
    }
    bench.pass(secs(10));
    bench.outputs();
    assert!(bench.deliver(events).contains("\"to\":\"degraded\""));
    let said = bench.deliver(wait);
    assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with("\r\n\r\ndegraded\n"), "{said}");
    assert!(closes(&mut bench, wait), "there is nothing to wait for after its last answer");
    assert!(waits(&mut bench, events));
    // What is sent next is answered with a reset if it is gone.
    bench.tell(events, Input::Failed(Failure::new(Reason::Reset, "reset")));
    assert!(bench.engine.api.streams.is_empty() && bench.engine.poll_timeout().is_some());
}

/// The end may have come while another response was pending.
#[test]
fn a_client_that_ended_behind_pipelined_requests_is_made_a_stream() {
    let mut bench = bench(&[("db", "+-")]);
    bench.pass(secs(1));
    let id = bench.engine.accept(bench.now);
    let next = b"GET /wait?state=degraded HTTP/1.0\r\n\r\n";
    bench.tell(id, Input::Received(&[GET, next].concat()));
    bench.tell(id, Input::Closed);
    assert!(bench.deliver(id).ends_with("\r\n\r\nup\n"));
    assert!(waits(&mut bench, id) && bench.engine.is_stream(id));
    bench.pass(secs(10));
    bench.outputs();
    assert!(bench.deliver(id).ends_with("\r\n\r\ndegraded\n"));
    assert!(closes(&mut bench, id));
    assert_eq!((bench.engine.audit().clients, bench.engine.api.streams.len()), (0, 0));
}

#[test]
fn what_a_stream_says_is_not_looked_at_and_not_without_end() {
    let mut bench = bench(&[("db", "+")]);
    let id = subscribe(&mut bench, "/events");
    assert_eq!(bench.engine.room(id), usize::MAX);
    bench.tell(id, Input::Received(GET));
    bench.tell(id, Input::Received(&vec![b'x'; STREAM_INPUT_MAX - GET.len()]));
    assert!(waits(&mut bench, id));
    bench.tell(id, Input::Received(b"x"));
    assert!(closes(&mut bench, id));
}

#[test]
fn a_wait_is_answered_when_its_state_is_reached() {
    let mut bench = bench(&[("a", "+--+"), ("b", "+")]);
    bench.pass(secs(6));
    let degraded = ask(&mut bench, "/wait?state=degraded&target=a");
    let down = ask(&mut bench, "/wait?state=down");
    let never = ask(&mut bench, "/wait?state=down&target=b");
    assert!(waits(&mut bench, degraded) && waits(&mut bench, down));
    bench.pass(secs(5));
    assert!(!waits(&mut bench, degraded) && waits(&mut bench, down));
    let said = bench.deliver(degraded);
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with("\r\n\r\ndegraded\n"), "{said}");
    assert!(said.contains("\r\nConnection: close\r\n"));
    assert!(bench.outputs().iter().any(|o| matches!(o, Output::Shutdown(s) if *s == degraded)));
    bench.tell(degraded, Input::Closed);
    assert!(closes(&mut bench, degraded));
    bench.pass(secs(10));
    bench.outputs();
    assert!(bench.deliver(down).ends_with("\r\n\r\ndown\n"));
    bench.outputs();
    bench.pass(CLIENT_LINGER);
    assert!(closes(&mut bench, down), "it lingers no longer than others");
    assert!(waits(&mut bench, never));
}

#[test]
fn a_wait_ends_when_its_time_is_up() {
    let mut bench = bench(&[("db", "+")]);
    bench.pass(secs(1));
    for (query, wait_s) in [("", 60), ("&timeout=2.5", 2), ("&timeout=3600", 3600)] {
        let id = ask(&mut bench, &format!("/wait?state=down{query}"));
        bench.pass(secs(wait_s) - Duration::from_millis(1));
        assert!(waits(&mut bench, id), "{query}");
        bench.pass(Duration::from_millis(501));
        let said = bench.deliver(id);
        assert!(said.starts_with("HTTP/1.1 503 ") && said.ends_with("\r\n\r\nup\n"), "{said}");
        bench.pass(CLIENT_LINGER);
        assert!(closes(&mut bench, id));
    }
}

#[test]
fn a_state_that_is_reached_as_the_time_is_up_is_reached() {
    let mut bench = bench(&[("a", "+-")]);
    bench.pass(Duration::ZERO);
    let id = ask(&mut bench, "/wait?state=degraded&timeout=10");
    assert!(waits(&mut bench, id));
    bench.pass(secs(10));
    let answer = bench.deliver(id);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("degraded\n"), "{answer}");
}

#[test]
fn an_end_beside_the_answer_does_not_take_it_away() {
    let mut bench = bench(&[("db", "+")]);
    let id = ask(&mut bench, "/wait?state=up");
    bench.pass(secs(1));
    bench.outputs();
    bench.tell(id, Input::Closed);
    assert!(!closes(&mut bench, id));
    assert!(bench.deliver(id).ends_with("\r\n\r\nup\n"));
    assert!(closes(&mut bench, id));
}

#[test]
fn a_state_that_is_there_is_answered_at_once_and_so_is_a_wait_for_nothing() {
    let mut bench = bench(&[("db", "+")]);
    bench.pass(secs(1));
    for (query, status, word) in [("state=up", 200, "up"), ("state=down&timeout=0", 503, "up")] {
        let id = ask(&mut bench, &format!("/wait?{query}"));
        let said = bench.deliver(id);
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
        assert!(said.ends_with(&format!("\r\nConnection: close\r\n\r\n{word}\n")), "{said}");
        assert!(bench.engine.api.streams.is_empty());
    }
    // The same question again is not answered from memory once the state is another.
    let id = ask(&mut bench, "/wait?state=down&timeout=0");
    assert!(bench.deliver(id).ends_with("up\n"));
}

#[test]
fn head_is_answered_without_a_body() {
    let mut bench = bench(&[("db", "+")]);
    for (target, ending) in
        [("/events", "Connection: close\r\n\r\n"), ("/wait?state=unknown", "close\r\n\r\n")]
    {
        let id = bench.engine.accept(bench.now);
        let head = format!("HEAD {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        bench.tell(id, Input::Received(head.as_bytes()));
        let said = bench.deliver(id);
        assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with(ending), "{said}");
        assert!(bench.engine.api.streams.is_empty());
        assert!(bench.outputs().iter().any(|o| matches!(o, Output::Shutdown(s) if *s == id)));
    }
    let id = bench.engine.accept(bench.now);
    bench.tell(id, Input::Received(b"HEAD /wait?state=up HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert!(waits(&mut bench, id));
    bench.pass(secs(1));
    bench.outputs();
    assert!(bench.deliver(id).ends_with("\r\nContent-Length: 3\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"));
}

/// Those that do not read keep a batch each, whatever happens.
#[test]
fn a_stream_holds_one_batch_at_most_and_goes_on_where_it_was() {
    let mut bench = bench(&[("db", "+-"), ("web", "-+")]);
    let id = subscribe(&mut bench, "/events?checks=1");
    let slow = subscribe(&mut bench, "/events?checks=1");
    let (mut fast, mut text) = (String::new(), String::new());
    for _ in 0..40 {
        bench.pass(secs(4));
        bench.outputs();
        fast += &bench.deliver(id);
        bench.tell(slow, Input::Sent(1));
        text += "x";
        assert!(bench.engine.audit().stream_outbox <= STREAM_BATCH_MAX);
    }
    while !bench.engine.unsent(slow).is_empty() {
        text += &bench.deliver(slow);
    }
    let ends = |text: &str| text.lines().rev().find(|line| line.starts_with("id:")).map(str::to_owned);
    assert_eq!(ends(&text), ends(&fast));
    assert!(fast.matches("event: check").count() > 30 && text.len() > fast.len() / 2);
}

#[test]
fn a_stream_of_one_target_is_replayed_and_goes_on() {
    let mut bench = bench(&[("a", "+-"), ("b", "-+")]);
    bench.pass(secs(20));
    let id = bench.engine.accept(bench.now);
    let head =
        "GET /events?target=b HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 1738200000000000-0\r\n\r\n";
    bench.tell(id, Input::Received(head.as_bytes()));
    bench.deliver(id);
    let text = bench.deliver(id);
    assert_eq!(text.matches("\"target\":\"b\"").count(), text.matches("data:").count(), "{text}");
    assert!(
        text.contains("\"from\":\"unknown\",\"to\":\"down\"") && text.contains("\"to\":\"up\""),
        "{text}"
    );
}

#[test]
fn clients_of_a_removed_target_are_closed() {
    let mut bench = bench(&[("gone", "+"), ("kept", "+-")]);
    bench.pass(secs(6));
    let [all, kept, gone] =
        ["", "?target=kept", "?target=gone"].map(|query| subscribe(&mut bench, &format!("/events{query}")));
    let [wait, lost] =
        ["kept", "gone"].map(|name| ask(&mut bench, &format!("/wait?state=degraded&target={name}")));
    bench.engine.replace(vec![TargetUpdate::Keep(bench.id(1))], bench.now).expect("it fits");
    assert!(closes(&mut bench, gone));
    let said = bench.deliver(lost);
    assert!(
        said.starts_with("HTTP/1.1 404 ") && said.ends_with("\r\n\r\nno target of this name\n"),
        "{said}"
    );
    bench.outputs();
    bench.pass(secs(9));
    bench.outputs();
    for id in [all, kept] {
        assert!(bench.deliver(id).contains("\"target\":\"kept\""));
    }
    assert!(bench.deliver(wait).ends_with("degraded\n"));
}

#[test]
fn nothing_is_noted_of_a_single_round() {
    let monitor = Monitor::new(Script("db", "+", AtomicUsize::new(0)));
    let mut bench = Bench::watching(vec![monitor], Schedule::Once);
    bench.pass(secs(1));
    let id = bench.engine.accept(bench.now);
    let head = "GET /events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 1-0\r\n\r\n";
    bench.tell(id, Input::Received(head.as_bytes()));
    bench.deliver(id);
    assert_eq!(bench.engine.unsent(id).len(), 0);
}
