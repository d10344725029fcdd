//! The daemon's figures, which wait for the process to be measured.

use super::*;
use crate::api::counters::ProcessStats;

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
fn metrics_are_sent_once_the_process_is_measured_and_the_connection_stays_open() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    let id = ask(&mut bench, "GET /metrics");
    let other = ask(&mut bench, "HEAD /metrics");
    assert_eq!((measures(&mut bench), bench.engine.unsent(id).len(), bench.engine.room(id)), (1, 0, 0));
    measure(&mut bench);
    assert_eq!(measures(&mut bench), 0, "once for both");
    let said = bench.deliver(id);
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with("\n"), "{said}");
    assert!(said.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{said}");
    for line in ["process_open_fds 7", "pingstate_connections{kind=\"client\"} 2"] {
        assert!(said.contains(&format!("\n{line}\n")), "{line} in {said}");
    }
    assert!(bench.deliver(other).ends_with("\r\n\r\n"));
    bench.tell(id, Input::Received(GET));
    assert!(bench.deliver(id).ends_with("\r\n\r\nunknown\n"));
}

#[test]
fn a_client_that_is_gone_by_then_is_skipped() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    let [gone, other] = [(); 2].map(|()| ask(&mut bench, "GET /metrics"));
    bench.tell(gone, Input::Failed(Failure::new(Reason::Reset, "reset")));
    assert_eq!(measures(&mut bench), 1);
    measure(&mut bench);
    assert!(bench.deliver(other).contains("process_open_fds 7"));
    bench.pass(Duration::from_millis(1));
    ask(&mut bench, "GET /metrics");
    assert_eq!(measures(&mut bench), 1, "they are read again for a later request");
}

#[test]
fn metrics_of_this_turn_are_shared() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    let first = ask(&mut bench, "GET /metrics");
    measure(&mut bench);
    let second = ask(&mut bench, "GET /metrics");
    assert_eq!(measures(&mut bench), 1);
    let [first, second] = [first, second].map(|id| bench.deliver(id));
    assert_eq!(first, second);
}

#[test]
fn how_late_checks_began_is_added_up() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.now = bench.now.after(Duration::from_millis(30));
    bench.engine.handle_timeout(bench.now);
    let lag = bench.engine.targets().delay;
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
        assert!(bench.engine.api.streams.is_empty() && measures(&mut bench) == 0);
    }
    let id = ask(&mut bench, "GET /probe?target=127.0.0.1");
    assert!(bench.deliver(id).ends_with("not checked yet\n"));
    let id = ask(&mut bench, "GET /wait");
    let said = bench.deliver(id);
    assert!(said.starts_with("HTTP/1.1 400 ") && !said.contains("Connection: close"), "{said}");
}
