//! The daemon's figures, which wait for the process to be measured.

use super::*;
use crate::api::counters::Vitals;
use crate::api::routes::Bulk;

fn ask(bench: &mut Bench, request: &str) -> ConnId {
    let id = bench.engine.accept(bench.now);
    bench.tell(id, Input::Received(format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()));
    id
}

fn measures(bench: &mut Bench) -> usize {
    bench.outputs().iter().filter(|output| matches!(output, Output::Measure)).count()
}

fn measure(bench: &mut Bench) {
    let vitals = Vitals { open_fds: Some(7), ..Vitals::default() };
    bench.engine.handle_vitals(vitals, bench.now);
}

#[test]
fn figures_are_told_once_the_process_is_measured_and_the_connection_goes_on() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    let id = ask(&mut bench, "GET /metrics");
    let other = ask(&mut bench, "HEAD /metrics");
    assert_eq!((measures(&mut bench), bench.engine.unsent(id).len(), bench.engine.room(id)), (1, 0, 0));
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
    assert_eq!(bench.engine.owed.bytes(Bulk::Snapshot), 0);
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
    bench.engine.owed.add(Bulk::Listing, OWED_MAX - 1);
    measure(&mut bench);
    assert!(!bench.engine.unsent(first).is_empty() && bench.engine.unsent(second).is_empty());
    assert_eq!(bench.engine.owed.waiting(Bulk::Listing), 1);
    bench.engine.owed.sub(Bulk::Listing, OWED_MAX - 1);
    bench.deliver(first);
    assert_eq!(measures(&mut bench), 1);
    measure(&mut bench);
    assert!(bench.deliver(second).contains("process_open_fds 7"));
    // One that comes while there is no room waits before anything is measured.
    bench.engine.owed.add(Bulk::Listing, OWED_MAX);
    ask(&mut bench, "GET /metrics");
    assert_eq!((measures(&mut bench), bench.engine.owed.waiting(Bulk::Listing)), (0, 1));
}

#[test]
fn how_late_checks_began_is_added_up() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.now = bench.now.after(Duration::from_millis(30));
    bench.engine.handle_timeout(bench.now);
    let lag = bench.engine.fleet().lag();
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
        assert!(bench.engine.streams.is_empty() && bench.engine.unmeasured.is_empty());
    }
    let id = ask(&mut bench, "GET /probe?target=127.0.0.1");
    assert!(bench.deliver(id).ends_with("not checked yet\n"));
    let id = ask(&mut bench, "GET /wait");
    let said = bench.deliver(id);
    assert!(said.starts_with("HTTP/1.1 400 ") && !said.contains("Connection: close"), "{said}");
}
