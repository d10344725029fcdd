//! The daemon's figures, which wait for the process to be measured.

use super::clients::large;
use super::*;
use crate::api::counters::ProcessStats;
use crate::api::routes::ResponseSize;

fn ask(bench: &mut Bench, request: &str) -> ConnId {
    let id = bench.engine.accept(bench.now);
    bench.tell(id, Input::Received(format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()));
    id
}

fn measures(bench: &mut Bench) -> usize {
    bench.outputs().iter().filter(|output| matches!(output, Output::ReadProcessStats)).count()
}

fn measure(bench: &mut Bench) {
    let process_stats = ProcessStats { open_fds: Some(7), ..ProcessStats::default() };
    bench.engine.handle_process_stats(process_stats, bench.now);
}

#[test]
fn figures_are_told_once_the_process_is_measured_and_the_connection_goes_on() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    let id = ask(&mut bench, "GET /metrics");
    let other = ask(&mut bench, "HEAD /metrics");
    assert_eq!((measures(&mut bench), bench.engine.unsent(id).len(), bench.engine.room(id)), (1, 0, 0));
    measure(&mut bench);
    assert_eq!(measures(&mut bench), 1, "one after the other");
    measure(&mut bench);
    let said = bench.deliver(id);
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with("\n"), "{said}");
    assert!(said.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{said}");
    for line in ["process_open_fds 7", "pingstate_connections{kind=\"client\"} 2"] {
        assert!(said.contains(&format!("\n{line}\n")), "{line} in {said}");
    }
    assert!(bench.deliver(other).ends_with("\r\n\r\n"));
    bench.tell(id, Input::Received(GET));
    assert!(bench.deliver(id).ends_with("\r\n\r\nunknown\n"));
    assert_eq!(bench.engine.response_budget.bytes(ResponseSize::Snapshot), 0);
}

#[test]
fn who_is_gone_by_then_is_not_missed() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    let gone = ask(&mut bench, "GET /metrics");
    bench.tell(gone, Input::Failed(Failure::new(Reason::Reset, "reset")));
    measure(&mut bench);
    let patient = ask(&mut bench, "GET /metrics");
    bench.pass(CLIENT_IDLE);
    assert!(bench.engine.unsent(patient).starts_with(b"HTTP/1.1 503 "));
    measure(&mut bench);
    assert!(bench.deliver(patient).ends_with("service unavailable\n"), "once is enough");
}

#[test]
fn figures_of_many_targets_wait_for_room_like_a_listing() {
    let mut bench = Bench::new(&["127.0.0.1", "127.0.0.2"]);
    let [first, second] = [(); 2].map(|()| ask(&mut bench, "GET /metrics"));
    assert_eq!(measures(&mut bench), 1);
    bench.engine.response_budget.add(ResponseSize::Listing, OWED_MAX - 1);
    measure(&mut bench);
    assert!(!bench.engine.unsent(first).is_empty() && bench.engine.unsent(second).is_empty());
    assert_eq!(bench.engine.response_budget.waiting(ResponseSize::Listing), 1);
    bench.engine.response_budget.sub(ResponseSize::Listing, OWED_MAX - 1);
    bench.deliver(first);
    assert_eq!(measures(&mut bench), 1);
    measure(&mut bench);
    assert!(bench.deliver(second).contains("process_open_fds 7"));
    // One that comes while there is no room waits before anything is measured.
    bench.engine.response_budget.add(ResponseSize::Listing, OWED_MAX);
    ask(&mut bench, "GET /metrics");
    assert_eq!((measures(&mut bench), bench.engine.response_budget.waiting(ResponseSize::Listing)), (0, 1));
}

/// What comes later does not take the room while the process is measured.
#[test]
fn who_waits_for_figures_keeps_his_place_and_his_time() {
    let mut bench = Bench::new(&["127.0.0.1", "127.0.0.2"]);
    bench.engine.response_budget.add(ResponseSize::Listing, OWED_MAX);
    let [first, second] = [(); 2].map(|()| ask(&mut bench, "GET /metrics"));
    let listing = ask(&mut bench, "GET /status");
    bench.pass(secs(5));
    bench.engine.response_budget.sub(ResponseSize::Listing, 1);
    bench.engine.process_events();
    assert_eq!(measures(&mut bench), 1);
    measure(&mut bench);
    let is_told = |bench: &Bench| [first, second, listing].map(|id| !bench.engine.unsent(id).is_empty());
    assert_eq!((is_told(&bench), measures(&mut bench)), ([true, false, false], 0));
    bench.pass(secs(1));
    bench.deliver(first);
    assert_eq!(measures(&mut bench), 1);
    measure(&mut bench);
    assert_eq!((is_told(&bench), measures(&mut bench)), ([false, true, false], 0));
    // Who takes nothing gives way to who has waited as long as one may.
    bench.pass(CLIENT_IDLE - secs(6));
    assert_eq!(is_told(&bench), [false, false, true]);
}

#[test]
fn who_dawdles_gives_way_to_who_has_waited_for_figures() {
    let (mut bench, dawdler) = large();
    let patient = ask(&mut bench, "GET /metrics");
    for _ in 0..7 {
        bench.pass(secs(1));
        bench.tell(dawdler, Input::Sent(100));
    }
    bench.outputs();
    bench.pass(secs(1));
    let outputs = bench.outputs();
    assert!(outputs.iter().any(|output| matches!(output, Output::Close(slow) if *slow == dawdler)));
    assert!(outputs.iter().any(|output| matches!(output, Output::ReadProcessStats)));
    measure(&mut bench);
    assert!(bench.deliver(patient).contains("process_open_fds 7"));
}

#[test]
fn how_late_checks_began_is_added_up() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.now = bench.now.after(Duration::from_millis(30));
    bench.engine.handle_timeout(bench.now);
    let lag = bench.engine.targets().lag();
    assert_eq!((lag.count, lag.sum), (1, Duration::from_millis(30)));
}

#[test]
fn pages_with_parameters_are_guarded_like_all_others() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    for path in ["/metrics", "/probe?target=127.0.0.1", "/events", "/wait?state=up"] {
        let id = ask(&mut bench, &format!("POST {path}"));
        let said = bench.deliver(id);
        assert!(said.starts_with("HTTP/1.1 405 ") && said.contains("\r\nAllow: GET, HEAD\r\n"), "{said}");
        let id = bench.engine.accept(bench.now);
        let head = format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n");
        bench.tell(id, Input::Received(head.as_bytes()));
        assert!(bench.deliver(id).starts_with("HTTP/1.1 421 "), "{path}");
        assert!(bench.engine.streams.is_empty() && measures(&mut bench) == 0);
    }
    let id = ask(&mut bench, "GET /probe?target=127.0.0.1");
    assert!(bench.deliver(id).ends_with("not checked yet\n"));
    let id = ask(&mut bench, "GET /wait");
    let said = bench.deliver(id);
    assert!(said.starts_with("HTTP/1.1 400 ") && !said.contains("Connection: close"), "{said}");
}
