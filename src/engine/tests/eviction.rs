//! Streams that are too many, or stand in the way of something else.

use super::streams::{ask, bench, closes, subscribe};
use super::*;

#[test]
fn streams_have_a_limit_of_their_own_and_are_not_clients() {
    let mut bench = bench(&[("db", "+")]);
    let first = subscribe(&mut bench, "/events");
    for n in 1..STREAMS_MAX {
        let id = ask(&mut bench, if n % 2 == 0 { "/events" } else { "/wait?state=down" });
        bench.deliver(id);
    }
    assert_eq!((bench.engine.audit().streams, bench.engine.audit().clients), (STREAMS_MAX, 0));
    for target in ["/events?checks=1", "/wait?state=down"] {
        let id = ask(&mut bench, target);
        let said = bench.deliver(id);
        assert!(said.starts_with("HTTP/1.1 503 ") && said.ends_with("\r\n\r\ntoo many streams\n"), "{said}");
        assert!(said.contains("\r\nRetry-After: 1\r\n"), "{said}");
    }
    let id = ask(&mut bench, "/state");
    assert!(bench.deliver(id).ends_with("unknown\n"));
    // Their events are not kept.
    bench.pass(secs(1));
    bench.outputs();
    let said = bench.deliver(first);
    assert!(said.starts_with("id: 1738200000000000-1\nevent: transition\n"), "{said}");
}

/// Otherwise a thousand that wait for an hour would shut everybody else out for that long.
#[test]
fn one_stream_too_many_evicts_the_one_without_an_event_for_longest() {
    let mut bench = bench(&[("db", "+")]);
    bench.pass(secs(1));
    let events = subscribe(&mut bench, "/events");
    let mut waiting = VecDeque::new();
    for _ in 1..STREAMS_MAX {
        waiting.push_back(ask(&mut bench, "/wait?state=down&timeout=3600"));
    }
    bench.pass(STREAM_KEEP_ALIVE);
    assert_eq!(bench.deliver(events), ": still here\n\n");
    for target in ["/events", "/wait?state=down"] {
        bench.outputs();
        let new = ask(&mut bench, target);
        assert!(closes(&mut bench, waiting.pop_front().expect("the oldest")), "{target}");
        assert!(bench.engine.is_stream(new) && bench.engine.is_stream(events));
        assert_eq!(bench.engine.audit().streams, STREAMS_MAX);
    }
}

#[test]
fn streams_are_evicted_after_all_other_clients() {
    let mut bench = bench(&[("db", "+")]);
    let stream = subscribe(&mut bench, "/events");
    bench.now = bench.now.after(secs(1));
    let later = subscribe(&mut bench, "/events");
    let new = ask(&mut bench, "/state");
    bench.outputs();
    for id in [new, stream, later] {
        bench.engine.api.evict_idle_client(&mut bench.engine.cx);
        assert!(closes(&mut bench, id));
    }
}

/// A request that has arrived with its connection is answered in the turn after the one that accepts it.
#[test]
fn a_burst_of_clients_is_accepted_over_several_turns() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.engine.accepts_per_turn(), ACCEPTS_PER_TURN);
    bench.engine.api.clients_max = 5;
    let mut last = Vec::new();
    for _ in 0..10 {
        let ids: Vec<_> =
            (0..bench.engine.accepts_per_turn()).map(|_| bench.engine.accept(bench.now)).collect();
        assert!(last.iter().all(|id| bench.engine.knows(*id)));
        last = ids;
    }
}
