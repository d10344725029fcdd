//! Broken and hostile targets: the daemon's memory stays bounded, and its API responds meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::*;
#[cfg(feature = "tls")]
use crate::hostile::tls;
use crate::hostile::{Peer, acts, peers, url};

/// Allowed memory growth of a daemon with any hostile target, in kB: a response head of 256 KiB, in a buffer
/// that doubles, and the rest.
const GROWTH_KB: u64 = 768;

/// Each hostile target has its own daemon, which has checked the same target in a healthy state before.
#[test]
fn hostile_targets_bound_memory_and_api_latency() {
    let _alone = crate::common::alone();
    let work = Mutex::new(peers());
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(peer) = { work.lock().expect("sound").pop() } {
                    let figures = check_repeatedly(&peer);
                    results.lock().expect("sound").push((peer.what, figures));
                }
            });
        }
    });
    let results = results.into_inner().expect("sound");
    for (what, (before, grown, checks, slowest)) in &results {
        println!("{what}: {checks} checks, {before} kB + {grown} kB, slowest answer {slowest:.1?}");
    }
    for (what, (before, grown, _, slowest)) in results {
        assert!(grown <= GROWTH_KB, "{what}: grew by {grown} kB over {before} kB");
        assert!(slowest < Duration::from_millis(1000), "{what}: {slowest:?}");
    }
}

/// Memory before and its growth, number of checks, and the API's slowest response.
fn check_repeatedly(peer: &Peer) -> (u64, u64, usize, Duration) {
    let hostile = Arc::new(AtomicBool::new(false));
    let (is_hostile, act) = (hostile.clone(), peer.act);
    let (scheme, check) = (peer.scheme, peer.check);
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let server = Server::start(move |stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        if is_hostile.load(Ordering::SeqCst) {
            return act(stream);
        }
        // Healthy checks that execute the code that any check needs.
        match scheme {
            "tcp" if check.is_empty() => drop(stream),
            "tcp" => acts::send_then(stream, b"a needle", acts::hold),
            #[cfg(feature = "tls")]
            "https" => tls::well(stream),
            _ => acts::answer(stream, b"HTTP/1.1 200 OK\r\n\r\nneedle", drop),
        }
    });
    let url = url(peer, &server);
    let mut args = vec!["--interval", "0.01", "--timeout", "0.3", &url];
    if !peer.check.is_empty() {
        args.extend(["--check", peer.check]);
    }
    if peer.scheme == "https" {
        args.push("--no-verify-tls");
    }
    let daemon = Daemon::start(&args);
    let full = || daemon.get("/status").1.matches("\"event\"").count() == 20;
    eventually("a full history", || full().then_some(()));
    let before = daemon.figure("VmHWM");
    let seen = count.load(Ordering::SeqCst);
    hostile.store(true, Ordering::SeqCst);
    let start = now();
    let mut slowest = Duration::ZERO;
    while now() - start < Duration::from_millis(400) {
        let asked = now();
        let state = daemon.state();
        assert!(["up", "degraded", "down"].contains(&&*state), "{state}");
        slowest = slowest.max(now() - asked);
    }
    let checks = count.load(Ordering::SeqCst) - seen;
    (before, daemon.figure("VmHWM").saturating_sub(before), checks, slowest)
}
