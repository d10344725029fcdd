//! Broken and hostile targets: every check ends in time with a reason.

use std::time::Duration;

use crate::common::*;
use crate::hostile::{Peer, acts, peers, url};
use pingstate::{Monitor, ProbeBuilder, ResolverConfig, check_all};

/// The timeout of every check here, and the allowed delay after it, which no other test of this binary adds to.
const TIMEOUT: Duration = Duration::from_millis(700);
const SLACK: Duration = Duration::from_millis(100);

#[test]
fn every_check_ends_in_time_with_a_reason() {
    let _alone = crate::common::alone();
    let wrong: Vec<_> = peers().chunks(16).flat_map(in_time).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Checks these at the same time; returns the errors of all checks.
fn in_time(peers: &[Peer]) -> Vec<String> {
    let servers: Vec<_> = peers.iter().map(|peer| Server::start(peer.act)).collect();
    let monitors = peers.iter().zip(&servers).map(|(peer, server)| {
        let url = url(peer, server);
        let mut probe = ProbeBuilder::from_url(&url).name(peer.what).check(peer.check).timeout(TIMEOUT);
        if url.starts_with("http") {
            probe = probe.verify_tls(false);
        }
        Monitor::new(probe.build().unwrap_or_else(|error| panic!("{}: {error}", peer.what)))
    });
    let mut ends = Vec::new();
    let start = now();
    let record = |checked: &pingstate::CheckEvent<'_>| {
        ends.push((checked.name.to_owned(), now() - start, checked.result.clone()));
    };
    check_all(monitors, ResolverConfig::default(), record).expect("runs");
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, took, result) in ends {
        count += 1;
        let peer = peers.iter().find(|peer| peer.what == name).expect("a peer");
        let Peer { what, says, .. } = *peer;
        println!("{what}: {took:.1?} {}", result.detail);
        let good = [acts::OK, acts::CONNECTED, "banner: 'a needle'"].contains(&says);
        if took > TIMEOUT + SLACK || !result.detail.contains(says) || result.ok != good {
            wrong.push(format!("{what} took {took:?}: {result:?}"));
        }
    }
    assert_eq!(count, peers.len());
    wrong
}

/// A connection that was established counts as open, however soon it is reset.
#[test]
fn a_port_that_resets_at_once_is_open_every_time() {
    let _alone = crate::common::alone();
    let server = Server::start(acts::reset);
    let probe = ProbeBuilder::from_url(&format!("tcp://{}", server.address)).build().expect("a target");
    for _ in 0..200 {
        let result = probe.check();
        assert_eq!((result.ok, &*result.detail), (true, "connect ok"), "{result:?}");
    }
}

/// A handshake cut at any byte ends the check immediately, and the result names the handshake.
#[cfg(feature = "tls")]
#[test]
fn a_handshake_cut_at_any_byte_fails_at_once() {
    let _alone = crate::common::alone();
    use std::sync::atomic::{AtomicUsize, Ordering};
    static LEN: AtomicUsize = AtomicUsize::new(0);
    let probe = |act: fn(std::net::TcpStream)| {
        let server = Server::start(act);
        let url = format!("https://localhost:{}/", server.address.port());
        let probe = ProbeBuilder::from_url(&url).timeout(PATIENCE).verify_tls(false).build();
        (server, probe.expect("a target"))
    };
    let (_closing, closed) =
        probe(|s| crate::hostile::tls::cut(s, LEN.load(Ordering::SeqCst), acts::half_close));
    let (_resetting, reset) = probe(|s| crate::hostile::tls::cut(s, LEN.load(Ordering::SeqCst), acts::reset));
    let mut slowest = Duration::ZERO;
    // The server's flight has about 800 bytes.
    for len in 0..700 {
        LEN.store(len, Ordering::SeqCst);
        for (target, says) in [(&closed, "closed"), (&reset, "reset")] {
            let start = now();
            let result = target.check();
            slowest = slowest.max(now() - start);
            assert!(!result.ok && result.detail.contains(says), "{len}: {result:?}");
        }
    }
    println!("slowest of 1,400: {slowest:.1?}");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}
