//! Servers: several monitors, ways to stop, and integration into another event loop.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use pingstate::*;

use super::*;
use crate::common::{PATIENCE, eventually, get, now};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn several_monitors_share_one_server_until_another_thread_stops_it() {
    let (_target, good) = target();
    let (stopped, bad) = target();
    drop(stopped);
    let monitors = [built(good.name("good")), built(bad.name("bad"))].map(Monitor::new);
    let mut server = serve(monitors.map(|monitor| monitor.interval(10 * MS)), ANY).expect("serves");
    let (api, shutdown_handle) = (server.address(), server.shutdown_handle().expect("a handle"));
    let running = thread::spawn(move || server.run());
    eventually("both checked", || {
        let states = ["good", "bad"].map(|name| get(api, &format!("/targets/{name}/state")).2);
        (states == ["up\n", "down\n"]).then_some(())
    });
    let status: serde_json::Value = serde_json::from_str(&get(api, "/status").2).expect("JSON");
    assert_eq!((&status["state"], &status["counts"]["up"]), (&"down".into(), &1.into()));
    shutdown_handle.clone().stop();
    shutdown_handle.stop();
    running.join().expect("no panic").expect("no error");
    let refused = TcpStream::connect(api).expect_err("closed");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    shutdown_handle.stop(); // The server has ended.
}

#[test]
fn duplicate_names_are_refused() {
    let (_target, tcp) = target();
    let probe = built(tcp.name("twin"));
    let error = serve([Monitor::new(probe.clone()), Monitor::new(probe)], ANY).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), "name: duplicate name \"twin\"");
}

#[test]
fn an_address_in_use_is_refused() {
    let (_target, tcp) = target();
    let first = serve(Monitor::new(built(tcp)), ANY).expect("serves");
    let (_target, tcp) = target();
    let error = serve(Monitor::new(built(tcp)), first.address()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn callback_receives_every_check_and_change() {
    let (_target, good) = target();
    let (sender, received) = std::sync::mpsc::channel();
    let mut server = Server::builder(Monitor::new(built(good.name("db"))).interval(5 * MS))
        .on_check(move |event| {
            let changed = event.changed.map(|(from, _)| from);
            let _ = sender.send((event.id, event.name.to_owned(), event.state, changed));
        })
        .bind(ANY)
        .expect("serves");
    turn_until(&mut server, "checks", |server| snapshot(server, 0).recent.len() >= 3);
    let received: Vec<_> = received.try_iter().take(3).collect();
    let db = id(&server, 0);
    let expected = [Some(State::Unknown), None, None].map(|from| (db, "db".to_owned(), State::Up, from));
    assert_eq!((received, server.targets().len()), (expected.to_vec(), 1));
}

#[test]
fn monitors_are_replaced_while_others_continue() {
    let (target, tcp) = target();
    let (port, tcp) = (target.address.port(), tcp.name("db"));
    // It is silent, so that its check is always in flight.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let mute = probe("tcp", "127.0.0.1", silent.local_addr().expect("an address").port());
    let mute = built(mute.check("banner_contains:x").timeout(HOUR).name("mute"));
    let (sender, received) = std::sync::mpsc::channel();
    let mut server = Server::builder(
        [Monitor::new(built(tcp)), Monitor::new(mute)].map(|monitor| monitor.interval(5 * MS)),
    )
    .on_check(move |event| {
        let _ = sender.send((event.id, event.name.to_owned()));
    })
    .bind(ANY)
    .expect("serves");
    turn_until(&mut server, "checks", |server| snapshot(server, 0).recent.len() >= 3);
    let (peer, _) = silent.accept().expect("a check of the silent target");
    let before = snapshot(&server, 0);
    let cache = Monitor::new(built(probe("tcp", "127.0.0.1", port).name("cache"))).interval(HOUR);
    let [db, mute] = [0, 1].map(|index| id(&server, index));
    let twice = vec![TargetUpdate::Keep(db), TargetUpdate::Keep(db)];
    assert_eq!(server.replace_targets(twice).expect_err("refused").kind(), ErrorKind::InvalidInput);
    server
        .replace_targets([TargetUpdate::Start(cache), TargetUpdate::Keep(mute), TargetUpdate::Keep(db)])
        .expect("replaced");
    let cache = id(&server, 0);
    assert_eq!([1, 2].map(|index| id(&server, index)), [mute, db]);
    let after = snapshot(&server, 2);
    assert_eq!((after.state, after.transitions), (State::Up, before.transitions));
    assert_eq!(after.recent, before.recent);
    assert_eq!(snapshot(&server, 0).state, State::Unknown);
    (&peer).write_all(b"x").expect("its check goes on");
    turn_until(&mut server, "new and old", |server| {
        let checked = snapshot(server, 2).recent.len() > before.recent.len();
        checked && [0, 1].iter().all(|index| snapshot(server, *index).state == State::Up)
    });
    let received: Vec<_> = received.try_iter().collect();
    for (id, name) in [(cache, "cache"), (mute, "mute"), (db, "db")] {
        assert!(received.contains(&(id, name.to_owned())), "{received:?}");
    }

    // A removed monitor leaves nothing behind, not even its connection.
    silent.set_nonblocking(true).expect("set");
    let next = std::cell::Cell::new(None);
    turn_until(&mut server, "the next check", |_| silent.accept().map(|peer| next.set(Some(peer))).is_ok());
    let (mut peer, _) = next.take().expect("a further check");
    peer.set_nonblocking(false).expect("set");
    server.replace_targets([TargetUpdate::Keep(db)]).expect("replaced");
    assert_eq!(peer.read(&mut [0]).expect("closed"), 0);
    assert!(server.snapshot(mute).is_none());
    let stale = server.replace_targets([TargetUpdate::Keep(db), TargetUpdate::Keep(mute)]);
    assert_eq!(stale.expect_err("refused").kind(), ErrorKind::InvalidInput);
    assert!(!server.take_reload_request());
}

#[test]
fn turn_with_zero_timeout_returns() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("an address").port();
    let mute = built(probe("tcp", "127.0.0.1", port).check("banner_contains:x").timeout(HOUR));
    let mut server = serve(Monitor::new(mute).interval(HOUR), ANY).expect("serves");
    let start = now();
    for _ in 0..100 {
        assert!(server.turn(Duration::ZERO).expect("turns"));
    }
    assert!(now() - start < PATIENCE / 2);
    assert_eq!(snapshot(&server, 0).state, State::Unknown, "the check is still in flight");
    // It wakes up from time to time while a check is in flight, but does not spin.
    let last = now();
    assert!(server.turn(Duration::ZERO).expect("turns"));
    assert!(server.next_turn().is_some_and(|due| due > last));
}

#[test]
fn server_runs_in_another_event_loop() {
    let (_target, tcp) = target();
    let mut server = serve(Monitor::new(built(tcp)).interval(HOUR), ANY).expect("serves");
    turn_until(&mut server, "the first check", |server| snapshot(server, 0).state == State::Up);
    let mut poll = Poll::new().expect("a poll");
    let mut events = Events::with_capacity(8);
    poll.registry()
        .register(&mut SourceFd(&server.as_raw_fd()), Token(7), Interest::READABLE)
        .expect("registered");
    let wait = |poll: &mut Poll, events: &mut Events, timeout| {
        poll.poll(events, Some(timeout)).expect("polls");
        events.iter().any(|event| event.token() == Token(7) && event.is_readable())
    };
    while wait(&mut poll, &mut events, 20 * MS) {
        server.turn(Duration::ZERO).expect("turns");
    }

    let mut client = TcpStream::connect(server.address()).expect("connects");
    assert!(wait(&mut poll, &mut events, PATIENCE), "a client makes it readable");
    server.turn(Duration::ZERO).expect("turns");
    client.write_all(b"GET /state HTTP/1.0\r\n\r\n").expect("sent");
    let mut response = Vec::new();
    client.set_nonblocking(true).expect("set");
    let start = now();
    while !response.ends_with(b"\r\n\r\nup\n") {
        assert!(now() - start < PATIENCE, "{:?}", String::from_utf8_lossy(&response));
        let due = server.next_turn().map_or(PATIENCE, |due| due.saturating_duration_since(now()));
        wait(&mut poll, &mut events, due.min(50 * MS));
        server.turn(Duration::ZERO).expect("turns");
        match client.read_to_end(&mut response) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }

    let shutdown_handle = server.shutdown_handle().expect("a handle");
    thread::spawn(move || shutdown_handle.stop());
    assert!(wait(&mut poll, &mut events, PATIENCE), "a stop makes it readable");
    eventually("the end", || (!server.turn(Duration::ZERO).expect("turns")).then_some(()));
}
