//! Monitors on their own threads, and their handles.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use pingstate::*;

use super::*;
use crate::common::{PATIENCE, eventually, now};

#[test]
fn handle_reports_checks_and_stops() {
    let (_target, tcp) = target();
    let probe = built(tcp.name("db"));
    let target = probe.url().to_owned();
    let monitor = Monitor::new(probe).interval(Duration::from_secs(3600)).start().expect("starts");
    let result = monitor.check_now();
    assert_eq!((result.ok, &*result.detail), (true, "connect ok"));
    assert!(result.latency.is_some());
    let before = monitor.snapshot();
    assert_eq!((before.state, before.transitions, before.url), (State::Up, 1, target));
    assert!(monitor.check_now().ok);
    assert_eq!(monitor.snapshot().recent.len(), before.recent.len() + 1);
    let last = monitor.stop();
    assert_eq!((last.state, last.recent.len()), (State::Up, before.recent.len() + 1));
}

#[test]
fn check_in_flight_satisfies_a_requested_check() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("an address").port();
    let probe = built(probe("tcp", "127.0.0.1", port).check("banner_contains:hello").timeout(PATIENCE));
    let monitor = Monitor::new(probe).interval(Duration::from_secs(3600)).start().expect("starts");
    let (mut peer, _) = listener.accept().expect("a check");
    // The request may come after the result: then there is a second check.
    thread::spawn(move || listener.incoming().flatten().for_each(|mut peer| drop(peer.write_all(b"hello"))));
    let result = thread::scope(|scope| {
        let requested = scope.spawn(|| monitor.check_now());
        peer.write_all(b"hello").expect("sent");
        requested.join().expect("a result")
    });
    assert!(result.ok, "{result:?}");
    let checks = monitor.stop().recent.len();
    assert!(checks <= 2, "{checks} checks");
}

/// A requested check begins after the request: an earlier result is not returned.
#[test]
fn requested_check_is_not_older_than_the_request() {
    let started = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = started.clone();
    let probe = blocking("counter", move || {
        (true, counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst).to_string())
    });
    let monitor = Monitor::new(probe).interval(MS).start().expect("starts");
    for _ in 0..100 {
        // The last check may be in flight; all earlier ones have ended.
        let before = started.load(std::sync::atomic::Ordering::SeqCst);
        let number: usize = monitor.check_now().detail.parse().expect("a number");
        assert!(number + 1 >= before, "{number} of {before}");
    }
}

#[test]
fn dropping_a_handle_closes_the_connection_of_its_check() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("an address").port();
    let probe = built(probe("tcp", "127.0.0.1", port).check("banner_contains:hello").timeout(PATIENCE));
    let monitor = Monitor::new(probe).start().expect("starts");
    let (mut peer, _) = listener.accept().expect("a check");
    let start = now();
    drop(monitor);
    peer.set_read_timeout(Some(PATIENCE)).expect("set");
    assert_eq!(peer.read(&mut [0; 16]).expect("closed without a reset"), 0);
    assert!(now() - start < PATIENCE / 2);
}

#[test]
fn a_handle_in_its_own_probe_does_not_wait_for_itself() {
    let own: Arc<OnceLock<MonitorHandle>> = Arc::default();
    let seen = own.clone();
    let target = crate::common::Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let probe = ProbeBuilder::from_url(&target.url("http")).check_response(move |_| {
        let Some(handle) = seen.get() else { return (false, "not there yet".to_owned()) };
        (true, format!("{} {}", handle.snapshot().state, handle.check_now().detail))
    });
    let monitor = Monitor::new(built(probe)).interval(5 * MS).start().expect("starts");
    let monitor = own.get_or_init(|| monitor);
    let detail = eventually("a detail", || {
        let snapshot = monitor.snapshot();
        snapshot.last_detail.filter(|_| snapshot.state == State::Up)
    });
    assert_eq!(&*detail, "unknown the monitor has stopped, or this is its own thread");
}

#[test]
fn a_handle_serves_several_threads() {
    let (_target, tcp) = target();
    let monitor = Monitor::new(built(tcp)).interval(MS).start().expect("starts");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert!(monitor.check_now().ok);
                    assert_eq!(monitor.state(), State::Up);
                }
            });
        }
    });
}
