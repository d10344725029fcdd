//! Thousands of targets with a listing of megabytes: clients that request it and do not read it cost the
//! memory of two listings and delay no other client.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::common::*;

const TARGETS: usize = 1000;

/// Number of clients that request the listing and leave its end unread.
const GREEDY: usize = 8;

/// Unread bytes per client: more than the kernel buffers on both sides.
const LEFT: usize = 700_000;

/// Memory limit of all of them in addition to the first client's listing, in kB.
const GROWTH_KB: u64 = 4096;

const LIST: &[u8] = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Requests the listing and reads all but its end; `None` if no response comes soon.
fn take_most(daemon: &Daemon, len: usize) -> (TcpStream, usize) {
    let mut stream = TcpStream::connect(daemon.api).expect("connects");
    socket2::SockRef::from(&stream).set_recv_buffer_size(128 * 1024).expect("set");
    stream.set_read_timeout(Some(Duration::from_millis(1000))).expect("set");
    stream.write_all(LIST).expect("sent");
    let (mut taken, mut buffer) = (0, [0; 16_384]);
    while taken < len - LEFT {
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => taken += count,
            _ => break,
        }
    }
    (stream, taken)
}

#[test]
fn unread_listings_share_memory_and_delay_no_client() {
    let _alone = crate::common::alone();
    let targets: Vec<_> =
        (0..TARGETS).map(|n| format!("tcp://127.3.{}.{}:1", n / 250, 1 + n % 250)).collect();
    let mut args = vec!["--interval", "0.5"];
    args.extend(targets.iter().map(String::as_str));
    let daemon = Daemon::start(&args);
    let listing = || Some(daemon.get("/status").1.len()).filter(|len| *len > 3300 * TARGETS);
    let len = eventually("full histories", listing);
    let before = daemon.figure("VmHWM");
    let greedy: Vec<_> = (0..GREEDY).map(|_| take_most(&daemon, len)).collect();
    let served = greedy.iter().filter(|(_, taken)| *taken > 0).count();
    let mut slowest = Duration::ZERO;
    for path in ["/state", "/healthz", "/targets/127.3.0.1:1"].repeat(5) {
        let start = now();
        let (status, _) = daemon.get(path);
        slowest = slowest.max(now() - start);
        assert!([200, 503].contains(&status), "{path}: {status}");
    }
    let grown = daemon.figure("VmHWM").saturating_sub(before);
    println!("listing of {len} bytes, {before} kB; {served} clients served, {grown} kB more");
    println!("slowest other answer: {slowest:.1?}");
    assert_eq!(served, GREEDY, "clients that were served");
    assert!(grown <= GROWTH_KB, "grew by {grown} kB");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}
