//! API clients: reading, sending, limits and eviction.

use super::*;

#[test]
fn a_client_with_a_pending_response_is_not_read() {
    let mut bench = Bench::new(&[]);
    let id = bench.engine.accept(bench.now);
    assert!(bench.engine.room(id) > 0);
    bench.tell(id, Input::Received(&[GET, GET, GET].concat()));
    let reads = |o: &Output| matches!(o, Output::Read(_));
    for _ in 0..3 {
        assert_eq!(bench.engine.room(id), 0);
        assert!(!bench.outputs().iter().any(reads));
        assert!(bench.deliver(id).ends_with("unknown\n"), "one answer at a time");
    }
    assert!(bench.engine.room(id) > 0);
    assert!(bench.outputs().iter().any(|o| matches!(o, Output::Read(r) if *r == id)));
}

#[test]
fn silence_is_closed_and_half_a_request_gets_408() {
    let mut bench = Bench::new(&[]);
    let silent = bench.engine.accept(bench.now);
    let slow = bench.engine.accept(bench.now);
    bench.tell(slow, Input::Received(b"GET /"));
    bench.pass(secs(4));
    bench.tell(slow, Input::Received(b"state"));
    bench.pass(secs(1));
    assert!(bench.engine.unsent(slow).starts_with(b"HTTP/1.1 408 "));
    assert!(bench.deliver(slow).contains("\r\nConnection: close\r\n"));
    assert!(bench.outputs().iter().any(|o| matches!(o, Output::Shutdown(s) if *s == slow)));
    bench.pass(CLIENT_LINGER - Duration::from_millis(1));
    assert!(bench.outputs().is_empty());
    bench.pass(Duration::from_millis(1));
    assert!(matches!(bench.outputs()[..], [Output::Close(c)] if c == slow));
    bench.pass(secs(2));
    assert!(matches!(bench.outputs()[..], [Output::Close(c)] if c == silent));
    assert_eq!((bench.engine.api.clients, bench.engine.poll_timeout()), (0, None));
}

#[test]
fn a_client_that_never_reads_is_closed_and_one_that_ends_early_is_still_answered() {
    let mut bench = Bench::new(&[]);
    let deaf = bench.engine.accept(bench.now);
    bench.tell(deaf, Input::Received(GET));
    let brief = bench.engine.accept(bench.now);
    bench.tell(brief, Input::Received(GET));
    bench.tell(brief, Input::Closed);
    assert!(bench.deliver(brief).ends_with("unknown\n"));
    let closed = |o: &Output| matches!(o, Output::Close(c) if *c == brief);
    assert!(bench.outputs().iter().any(closed));
    bench.pass(CLIENT_STALL - Duration::from_millis(1));
    assert!(bench.outputs().is_empty());
    bench.pass(Duration::from_millis(1));
    assert!(matches!(bench.outputs()[..], [Output::Close(c)] if c == deaf));
}

#[test]
fn one_client_too_many_evicts_the_one_idle_for_longest() {
    let mut bench = Bench::new(&[]);
    let ids: Vec<_> = (0..CLIENTS_MAX).map(|_| bench.engine.accept(bench.now)).collect();
    bench.now = bench.now.after(CLIENT_GRACE);
    bench.tell(ids[0], Input::Received(GET));
    bench.deliver(ids[0]);
    bench.outputs();
    bench.engine.accept(bench.now);
    assert!(matches!(bench.outputs()[..], [Output::Close(c)] if c == ids[1]));
    assert_eq!(bench.engine.api.clients, CLIENTS_MAX);
}

#[test]
fn a_new_client_is_read_before_it_is_evicted() {
    let mut bench = Bench::new(&[]);
    let busy: Vec<_> = (1..CLIENTS_MAX).map(|_| bench.engine.accept(bench.now)).collect();
    for _ in 0..CLIENTS_MAX {
        bench.now = bench.now.after(CLIENT_GRACE);
        let new = bench.engine.accept(bench.now);
        // All others have got an answer since, and have no request pending.
        bench.now = bench.now.after(CLIENT_GRACE / 2);
        busy.iter().for_each(|id| bench.tell(*id, Input::Received(GET)));
        busy.iter().for_each(|id| drop(bench.deliver(*id)));
        bench.outputs();
        bench.engine.accept(bench.now);
        assert!(matches!(bench.outputs()[..], [Output::Close(c)] if c != new));
    }
}

#[test]
fn accepting_pauses_after_a_failure() {
    let mut bench = Bench::new(&[]);
    bench.engine.handle_accept_failed(bench.now);
    bench.pass(ACCEPT_PAUSE - Duration::from_millis(1));
    assert!(bench.outputs().is_empty());
    bench.pass(Duration::from_millis(1));
    assert!(matches!(bench.outputs()[..], [Output::Accept]));
}

#[test]
fn accepting_goes_on_once_as_soon_as_a_connection_closes() {
    let mut bench = Bench::new(&[]);
    let [first, second] = [(); 2].map(|()| bench.engine.accept(bench.now));
    bench.engine.handle_accept_failed(bench.now);
    bench.tell(first, Input::Failed(Failure::new(Reason::Reset, "reset")));
    assert!(matches!(bench.outputs()[..], [Output::Accept]));
    bench.tell(second, Input::Failed(Failure::new(Reason::Reset, "reset")));
    bench.pass(ACCEPT_PAUSE);
    assert!(bench.outputs().is_empty(), "it goes on already");
    assert_eq!(bench.engine.poll_timeout(), None, "nothing is left of them");
}

#[test]
fn among_new_clients_the_first_is_evicted_whether_answered_or_not() {
    let mut bench = Bench::new(&[]);
    let first = bench.engine.accept(bench.now);
    bench.now = bench.now.after(Duration::from_millis(1));
    let second = bench.engine.accept(bench.now);
    bench.now = bench.now.after(Duration::from_millis(1));
    bench.tell(first, Input::Received(GET));
    bench.deliver(first);
    bench.outputs();
    for id in [first, second] {
        bench.engine.api.evict_idle_client(&mut bench.engine.cx);
        assert!(matches!(bench.outputs()[..], [Output::Close(c)] if c == id));
    }
}

#[test]
fn a_client_that_takes_an_answer_too_slowly_over_all_is_closed() {
    let mut bench = Bench::new(&["127.0.0.1"; 400]);
    let id = bench.engine.accept(bench.now);
    bench.tell(id, Input::Received(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let len = bench.engine.response(id).len();
    assert!(len > 3 * CLIENT_RATE);
    let closed = |o: &Output| matches!(o, Output::Close(c) if *c == id);
    // It never stalls, but it does not keep up either.
    for _ in 0..len / CLIENT_RATE {
        bench.pass(secs(1));
        bench.tell(id, Input::Sent(1));
    }
    bench.pass(CLIENT_STALL - Duration::from_millis(1));
    assert!(!bench.outputs().iter().any(closed));
    bench.tell(id, Input::Sent(1));
    bench.pass(Duration::from_millis(1));
    assert!(bench.outputs().iter().any(closed));
}

#[test]
fn a_client_that_has_begun_an_answer_stalls_like_any_other() {
    let mut bench = Bench::new(&["127.0.0.1"; 400]);
    let id = bench.engine.accept(bench.now);
    bench.tell(id, Input::Received(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    bench.pass(secs(1));
    bench.tell(id, Input::Sent(1));
    let closed = |o: &Output| matches!(o, Output::Close(c) if *c == id);
    bench.pass(CLIENT_STALL - Duration::from_millis(1));
    assert!(!bench.outputs().iter().any(closed));
    bench.pass(Duration::from_millis(1));
    assert!(bench.outputs().iter().any(closed));
}

#[test]
fn a_client_with_room_for_one_more_byte_is_read() {
    let mut bench = Bench::new(&[]);
    let id = bench.engine.accept(bench.now);
    bench.tell(id, Input::Received(GET));
    let mut head = b"GET / HTTP/1.1\r\nA: ".to_vec();
    head.resize(8 * 1024 - 1, b'x'); // One less than a client holds of anything but one large head.
    bench.tell(id, Input::Received(&head));
    bench.outputs();
    bench.deliver(id);
    assert_eq!(bench.engine.room(id), 1);
    assert!(matches!(bench.outputs()[..], [Output::Read(r)] if r == id));
}

/// 32 KiB for each of 256 clients would be too much for a router.
#[test]
fn large_heads_have_a_limit_together() {
    let mut bench = Bench::new(&[]);
    let piece =
        [b"GET / HTTP/1.1\r\n".as_slice(), &[b"A: ".as_slice(), &[b'x'; 295], b"\r\n"].concat().repeat(100)]
            .concat();
    let mut refused = 0;
    for _ in 0..CLIENTS_MAX {
        let id = bench.engine.accept(bench.now);
        let mut rest = &piece[..];
        while bench.engine.room(id) > 0 && !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(bench.engine.room(id)));
            bench.tell(id, Input::Received(now));
            rest = later;
        }
        if !bench.engine.unsent(id).is_empty() {
            let said = bench.deliver(id);
            assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("\r\nRetry-After: 1\r\n"), "{said}");
            refused += 1;
        }
    }
    let held = bench.engine.api.received();
    assert!(refused > 0 && held > HEADS_MAX / 2 && held <= HEADS_MAX + piece.len(), "{refused} {held}");
    let id = bench.engine.accept(bench.now);
    bench.tell(id, Input::Received(GET));
    assert!(bench.deliver(id).ends_with("unknown\n"));
}

#[test]
fn what_is_asked_again_is_answered_by_the_state_and_the_clock_as_they_are_now() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    let id = bench.engine.accept(bench.now);
    let ask = |bench: &mut Bench| {
        bench.tell(id, Input::Received(GET));
        bench.deliver(id)
    };
    let first = ask(&mut bench);
    assert_eq!(ask(&mut bench), first);
    bench.now.unix += secs(1);
    let later = ask(&mut bench);
    assert!(later != first && later.ends_with("unknown\n"));
    let result = ProbeResult::up(secs(0), "fine");
    bench.engine.cx.targets.fire(bench.id(0), &result, bench.now);
    assert!(ask(&mut bench).ends_with("up\n"));
    assert_eq!(ask(&mut bench).len(), later.len() - "unknown".len() + "up".len());
}
