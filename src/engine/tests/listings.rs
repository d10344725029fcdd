//! Listings of all targets: shared, limited, and of their time.

use super::*;
use crate::api::counters::ProcessStats;

const LIST: &[u8] = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// More targets than [`LISTINGS_BYTES_MAX`] has room for in two listings.
const MANY: usize = 4000;

fn list(bench: &mut Bench) -> ConnId {
    let id = bench.engine.accept(bench.now);
    bench.tell(id, Input::Received(LIST));
    assert!(bench.engine.response(id).starts_with(b"HTTP/1.1 200 OK\r\n"));
    id
}

/// Number of listings in memory of the page with the most.
fn listings(bench: &Bench) -> usize {
    bench.engine.audit().listings.iter().map(|(count, _)| *count).max().unwrap_or(0)
}

/// The time goes on, and no check begins.
fn wait(bench: &mut Bench, span: Duration) {
    bench.now = bench.now.after(span);
}

fn closed(bench: &mut Bench) -> Vec<ConnId> {
    let closes = bench.outputs().into_iter().filter_map(|output| match output {
        Output::Close(id) => Some(id),
        _ => None,
    });
    closes.collect()
}

#[test]
fn a_listing_is_rendered_once_per_turn_and_dropped_after_its_last_byte() {
    let mut bench = Bench::new(&["127.0.0.1"; 20]);
    let [first, second] = [list(&mut bench), list(&mut bench)];
    assert_eq!(listings(&bench), 1);
    assert_eq!(bench.engine.response(first), bench.engine.response(second));
    bench.deliver(first);
    bench.engine.handle_timeout(bench.now);
    let head_len = bench.engine.unsent(second).len();
    bench.tell(second, Input::Sent(head_len));
    assert!(
        bench.outputs().iter().any(|o| matches!(o, Output::Write(w) if *w == second)),
        "its body follows"
    );
    let len = bench.engine.unsent(second).len();
    assert!(len > head_len);
    bench.tell(second, Input::Sent(len - 1));
    assert_eq!(listings(&bench), 1);
    bench.tell(second, Input::Sent(1));
    assert_eq!(listings(&bench), 0);
    assert!(bench.engine.room(second) > 0, "the next request is read");
}

#[test]
fn head_requests_of_one_turn_share_a_listing_too() {
    let mut bench = Bench::new(&["127.0.0.1"; 20]);
    for _ in 0..2 {
        let id = bench.engine.accept(bench.now);
        bench.tell(id, Input::Received(b"HEAD /status HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert!(bench.deliver(id).ends_with("\r\n\r\n"));
        assert_eq!(listings(&bench), 1);
    }
    bench.engine.handle_timeout(bench.now);
    assert_eq!(listings(&bench), 0);
}

#[test]
fn a_listing_has_the_states_at_its_request() {
    let mut bench = Bench::new(&["127.0.0.1"; 20]);
    let before = list(&mut bench);
    let result = ProbeResult::up(secs(0), "fine");
    bench.engine.cx.targets.fire(bench.id(0), &result, bench.now);
    let after = list(&mut bench);
    wait(&mut bench, Duration::from_millis(1));
    list(&mut bench);
    assert_eq!(listings(&bench), 3, "small ones are limited by their bytes");
    assert!(bench.deliver(before).contains("\"up\": 0,"));
    assert!(bench.deliver(after).contains("\"up\": 1,"));
}

#[test]
fn beside_two_unread_ones_a_large_listing_is_shared_for_five_seconds() {
    let mut bench = Bench::new(&["127.0.0.1"; MANY]);
    let first = list(&mut bench);
    wait(&mut bench, secs(1));
    let second = list(&mut bench);
    assert_eq!(listings(&bench), 2);
    wait(&mut bench, LISTING_AGE_MAX - Duration::from_millis(1));
    for id in [first, second] {
        bench.tell(id, Input::Sent(1));
    }
    let third = list(&mut bench);
    assert_eq!((listings(&bench), closed(&mut bench)), (2, vec![]));
    assert!(bench.engine.response(third).ends_with(&bench.engine.response(second)[1000..]));
    wait(&mut bench, Duration::from_millis(1));
    let fourth = list(&mut bench);
    assert_eq!((listings(&bench), closed(&mut bench)), (2, vec![first]), "the oldest one is dropped");
    assert!(bench.engine.knows(second) && bench.engine.knows(third) && bench.engine.knows(fourth));
}

/// All readers of the dropped listing, and no others: it is in memory until the last one is gone.
#[test]
fn readers_of_other_pages_are_not_closed() {
    let mut bench = Bench::new(&["127.0.0.1"; MANY]);
    let metrics = bench.engine.accept(bench.now);
    bench.tell(metrics, Input::Received(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    bench.engine.handle_process_stats(ProcessStats::default(), bench.now);
    let oldest = [list(&mut bench), list(&mut bench)];
    let small = bench.engine.accept(bench.now);
    bench.tell(small, Input::Received(GET));
    wait(&mut bench, secs(1));
    list(&mut bench);
    wait(&mut bench, LISTING_AGE_MAX);
    list(&mut bench);
    assert_eq!((listings(&bench), closed(&mut bench)), (2, oldest.to_vec()));
    assert!(bench.engine.knows(metrics) && bench.engine.knows(small));
}

#[test]
fn fast_readers_get_the_current_listing() {
    let mut bench = Bench::new(&["127.0.0.1"; MANY]);
    let slow = list(&mut bench);
    for _ in 0..3 {
        wait(&mut bench, secs(1));
        bench.engine.handle_timeout(bench.now);
        bench.tell(slow, Input::Sent(1));
        let fast = list(&mut bench);
        assert_eq!(listings(&bench), 2);
        bench.deliver(fast);
    }
    assert!(bench.engine.knows(slow));
}

/// One response per client in a turn: clients that pipeline delay no others.
#[test]
fn small_responses_do_not_wait_for_large_ones() {
    let mut bench = Bench::new(&["127.0.0.1"; MANY]);
    let [_, _] = [list(&mut bench), list(&mut bench)];
    for path in ["/state", "/healthz", "/nothing", "/targets/127.0.0.1", "/targets/127.0.0.1/state"] {
        let id = bench.engine.accept(bench.now);
        bench.tell(id, Input::Received(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()));
        assert!(bench.deliver(id).starts_with("HTTP/1.1 "), "{path}");
    }
}

#[test]
fn the_page_has_its_own_header_fields_and_is_shared() {
    let mut bench = Bench::new(&["127.0.0.1"; 20]);
    let ask = |bench: &mut Bench, head: &str| {
        let id = bench.engine.accept(bench.now);
        bench.tell(id, Input::Received(format!("{head} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()));
        String::from_utf8(bench.engine.response(id)).expect("text")
    };
    let page = ask(&mut bench, "GET /page");
    let (head, html) = page.split_once("\r\n\r\n").expect("a head");
    for field in [
        "Content-Type: text/html; charset=utf-8",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
        "Cross-Origin-Resource-Policy: same-origin",
    ] {
        assert!(head.lines().any(|line| line == field), "{field}: {head}");
    }
    assert!(head.contains("\r\nContent-Security-Policy: default-src 'none'; style-src 'sha256-"), "{head}");
    assert!(html.ends_with("</script>") && !head.contains("Vary"));
    assert_eq!(ask(&mut bench, "HEAD /page"), format!("{head}\r\n\r\n"));
    let browser = "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n";
    let id = bench.engine.accept(bench.now);
    bench.tell(id, Input::Received(browser.as_bytes()));
    let root = String::from_utf8(bench.engine.response(id)).expect("text");
    assert_eq!(root.replacen("Vary: Accept\r\n", "", 1), page);
    let json = ask(&mut bench, "GET /");
    assert!(json.contains("\r\nVary: Accept\r\n") && json.contains("\r\nContent-Type: application/json\r\n"));
    assert!(!json.contains("Content-Security-Policy") && !ask(&mut bench, "GET /status").contains("Vary"));
    let listings = bench.engine.audit().listings;
    assert_eq!(listings.iter().map(|(count, _)| count).sum::<usize>(), 2, "{listings:?}");
}
