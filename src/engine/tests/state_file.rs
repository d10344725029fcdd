//! The state file: when it is written, and how targets continue from it.

use super::*;
use crate::monitor::{Hook, Notifications, Window};
use crate::snapshot::state_file::{parse_header, parse_target};

const INTERVAL: Duration = Duration::from_secs(900);

/// A file to which one piece at a time is written.
#[derive(Default)]
struct Disk {
    temporary: Vec<u8>,
    file: Vec<u8>,
    pieces: usize,
    writes: usize,
    logged: Vec<String>,
    spawned: usize,
}

impl Disk {
    /// Takes the outputs; returns the piece that must be written.
    fn take(&mut self, bench: &mut Bench) -> Option<StatePiece> {
        let mut pieces = Vec::new();
        for output in bench.outputs() {
            match output {
                Output::WriteState(piece) => pieces.push(piece),
                Output::Log(line) => self.logged.push(line),
                Output::Spawn { .. } => self.spawned += 1,
                _ => {}
            }
        }
        assert!(pieces.len() <= 1, "one at a time");
        pieces.pop()
    }

    fn write(&mut self, piece: StatePiece, bench: &mut Bench) {
        assert!(piece.bytes.len() < 80_000, "{}", piece.bytes.len());
        self.pieces += 1;
        if piece.is_first {
            self.temporary.clear();
        }
        self.temporary.extend(piece.bytes);
        if piece.is_last {
            self.file = std::mem::take(&mut self.temporary);
            self.writes += 1;
        }
        bench.engine.handle_state_written(Ok(()), bench.now);
    }

    /// Lets time pass in steps; every piece is written at once.
    fn pass(&mut self, span: Duration, bench: &mut Bench) {
        let end = bench.now.after(span);
        loop {
            while let Some(piece) = self.take(bench) {
                self.write(piece, bench);
            }
            let Some(at) = bench.engine.poll_timeout().filter(|at| *at <= end.instant) else { break };
            bench.pass(at.saturating_duration_since(bench.now.instant));
        }
        bench.now = end;
    }

    fn stop(&mut self, bench: &mut Bench) {
        bench.engine.finish_state(bench.now);
        while let Some(piece) = self.take(bench) {
            self.write(piece, bench);
        }
        assert!(!bench.engine.is_writing_state());
    }

    /// A daemon that starts `gap` later.
    fn start(&self, monitors: Vec<Monitor>, now: Now) -> Bench {
        let mut bench = Bench::watching(monitors, Schedule::Repeated);
        let now = if now.instant > bench.now.instant { now } else { bench.now };
        bench.now = now;
        bench.engine.record_history(90, now);
        let mut lines = self.file.split(|byte| *byte == b'\n');
        if let Some(header) = lines.next().filter(|line| !line.is_empty()) {
            parse_header(header).expect("a header");
        }
        let mut expected = 0;
        for saved in lines.filter(|line| !line.is_empty()).map(|line| parse_target(line).expect("a target")) {
            bench.engine.restore(saved, &mut expected, now);
        }
        bench.engine.attach_state_file(INTERVAL, now);
        bench
    }
}

fn snapshot(bench: &Bench, position: usize) -> crate::Snapshot {
    let target = &bench.engine.targets().list()[position];
    crate::snapshot::View::of_target(target, bench.now).to_snapshot()
}

/// Seconds in the days' slots: up or degraded, and down.
fn recorded(bench: &Bench, position: usize) -> (u32, u32) {
    let history = bench.engine.targets().list()[position].history().expect("a history");
    let sum =
        |(up, down), slot: crate::monitor::Slot| (up + slot.up_s() + slot.degraded_s(), down + slot.down_s());
    history.days(bench.now).fold((0, 0), sum)
}

#[test]
fn the_state_continues_after_a_restart() {
    let mut disk = Disk::default();
    let (is_up, monitors) = switched(2);
    let mut bench = disk.start(monitors, test_now());
    disk.pass(secs(100), &mut bench);
    disk.stop(&mut bench);
    let before = snapshot(&bench, 0);
    let (_, known) = (is_up.load(Ordering::Relaxed), recorded(&bench, 0));
    assert_eq!((before.state, before.transitions), (State::Up, 1));

    let (is_up, monitors) = switched(2);
    let mut bench = disk.start(monitors, bench.now.after(secs(1000)));
    let restored = snapshot(&bench, 0);
    assert_eq!((restored.state, restored.transitions, restored.last_event), (State::Unknown, 1, None));
    disk.pass(secs(3), &mut bench);
    let after = snapshot(&bench, 0);
    assert_eq!((after.state, after.transitions), (State::Up, 1), "it is the same state");
    assert!(after.uptime_in_state >= secs(1100), "{:?}", after.uptime_in_state);
    let (up, down) = recorded(&bench, 0);
    assert!((known.0 + 2..=known.0 + 3).contains(&up) && down == 0, "{up}: the gap is unknown");
    let fsm = bench.engine.targets().list()[0].fsm();
    let spent: Duration = State::ALL.iter().map(|state| fsm.time_in(*state, bench.now)).sum();
    assert!(spent.abs_diff(secs(103)) < Duration::from_millis(10), "{spent:?} without the gap");
    // It applies the next results to the state from before.
    is_up.store(false, Ordering::Relaxed);
    disk.pass(secs(1), &mut bench);
    assert_eq!((snapshot(&bench, 0).state, snapshot(&bench, 0).transitions), (State::Degraded, 2));
    disk.pass(secs(1), &mut bench);
    let down = snapshot(&bench, 0);
    assert_eq!((down.state, down.transitions), (State::Down, 3));
    assert!(down.uptime_in_state <= secs(1));
}

#[test]
fn what_receivers_know_is_kept() {
    let run = |was_up: bool, is_up: bool| {
        let mut disk = Disk::default();
        let monitors = || {
            let (switch, monitors) = switched(1);
            let hook = Arc::new(Hook::new(["notify"]));
            let with = |monitor: Monitor| monitor.notifications(Notifications::new().hook(hook.clone()));
            (switch, monitors.into_iter().map(with).collect())
        };
        let (switch, list) = monitors();
        switch.store(was_up, Ordering::Relaxed);
        let mut bench = disk.start(list, test_now());
        disk.pass(secs(10), &mut bench);
        disk.stop(&mut bench);
        assert_eq!(std::mem::take(&mut disk.spawned), usize::from(!was_up));
        let (switch, list) = monitors();
        switch.store(is_up, Ordering::Relaxed);
        let mut bench = disk.start(list, bench.now.after(secs(60)));
        disk.pass(secs(10), &mut bench);
        disk.spawned
    };
    assert_eq!([run(false, false), run(true, true)], [0, 0], "nothing has changed");
    assert_eq!(run(false, true), 1, "the recovery");
    assert_eq!(run(true, false), 1, "the failure");
}

#[test]
fn pauses_continue() {
    let mut disk = Disk::default();
    let mut bench = disk.start(switched(3).1, test_now());
    disk.pass(secs(10), &mut bench);
    bench.pause(0, Some(secs(1000)));
    bench.pause(1, Some(secs(100)));
    disk.stop(&mut bench);
    let mut bench = disk.start(switched(3).1, bench.now.after(secs(300)));
    let paused = |bench: &Bench| [0, 1, 2].map(|position| snapshot(bench, position).paused_until.is_some());
    assert_eq!(paused(&bench), [true, false, false]);
    disk.pass(secs(699), &mut bench);
    assert_eq!((paused(&bench), snapshot(&bench, 0).state), ([true, false, false], State::Unknown));
    disk.pass(secs(5), &mut bench);
    assert_eq!((paused(&bench), snapshot(&bench, 0).state), ([false; 3], State::Up));
    // A target that is configured to be paused, and was resumed.
    let list = || switched(1).1.into_iter().map(|monitor| monitor.paused(true)).collect();
    let mut disk = Disk::default();
    let mut bench = disk.start(list(), test_now());
    disk.stop(&mut bench);
    let mut bench = disk.start(list(), bench.now);
    assert!(snapshot(&bench, 0).paused_until.is_some());
    bench.resume(0);
    disk.pass(secs(3), &mut bench);
    disk.stop(&mut bench);
    let mut bench = disk.start(list(), bench.now);
    disk.pass(secs(3), &mut bench);
    assert_eq!(snapshot(&bench, 0).state, State::Up);
}

#[test]
fn heartbeats_continue_at_once() {
    let monitors = || super::heartbeats::monitors();
    let mut disk = Disk::default();
    let mut bench = disk.start(monitors(), test_now());
    bench.request(&[
        b"GET /heartbeat/",
        super::heartbeats::TOKEN.as_bytes(),
        b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ]);
    disk.pass(secs(20), &mut bench);
    assert_eq!(snapshot(&bench, 0).state, State::Up);
    let due = bench.engine.targets().list()[0].due();
    disk.stop(&mut bench);
    let bench = disk.start(monitors(), bench.now.after(secs(5)));
    assert_eq!([0, 1].map(|position| snapshot(&bench, position).state), [State::Up, State::Unknown]);
    let restored = bench.engine.targets().list()[0].due();
    let late = restored.expect("a deadline").saturating_duration_since(due.expect("a deadline"));
    assert!(restored <= due && late < Duration::from_millis(10), "the deadline stays");
    assert!(bench.engine.poll_timeout() <= restored);
    // A deadline while the daemon did not run.
    let later = bench.now.after(secs(86_400));
    let bench = disk.start(monitors(), later);
    assert_eq!(snapshot(&bench, 0).state, State::Up);
    assert!(bench.engine.targets().list()[0].due() > Some(later.instant + secs(30)));
}

#[test]
fn another_target_starts_anew() {
    let mut disk = Disk::default();
    let mut bench = disk.start(switched(3).1, test_now());
    disk.pass(secs(100), &mut bench);
    disk.stop(&mut bench);
    let mut list = switched(3).1;
    list.swap(0, 2);
    let changed = list.remove(1).settings(5);
    list.insert(1, changed);
    let bench = disk.start(list, bench.now);
    let known = [0, 1, 2].map(|position| recorded(&bench, position).0 > 0);
    assert_eq!(known, [true, false, true]);
    assert_eq!(snapshot(&bench, 1).transitions, 0);
}

#[test]
fn a_clock_without_date_adds_no_time_to_the_past() {
    let mut disk = Disk::default();
    let start = test_now();
    let mut bench = disk.start(switched(1).1, start);
    disk.pass(secs(1000), &mut bench);
    disk.stop(&mut bench);
    let known = recorded(&bench, 0);
    let reset = Now { unix: secs(86_400), ..bench.now };
    let mut bench = disk.start(switched(1).1, reset);
    disk.pass(secs(500), &mut bench);
    let uptime =
        |bench: &Bench, now| bench.engine.targets().list()[0].history().unwrap().uptime(Window::D90, now);
    assert_eq!(uptime(&bench, bench.now), None);
    // The right time, from the network.
    bench.now = Now { unix: start.unix + secs(2000), ..bench.now };
    disk.pass(secs(10), &mut bench);
    let (up, down) = recorded(&bench, 0);
    assert!((known.0 + 9..=known.0 + 11).contains(&up) && down == 0, "{up} after {known:?}");
}

#[test]
fn it_is_written_at_the_interval_and_after_each_day() {
    let mut disk = Disk::default();
    let mut bench = disk.start(switched(1).1, test_now());
    let mut writes = Vec::new();
    for _ in 0..3 {
        let before = disk.writes;
        disk.pass(secs(86_400), &mut bench);
        writes.push(disk.writes - before);
    }
    assert!(writes.iter().all(|writes| (96..=97).contains(writes)), "{writes:?}");
    let text = String::from_utf8(disk.file.clone()).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert_eq!(bench.engine.cx.counters.state_file.ok, disk.writes as u64);
}

#[test]
fn a_write_that_blocks_delays_nothing_and_is_the_only_one() {
    let mut disk = Disk::default();
    let mut bench = disk.start(switched(200).1, test_now());
    disk.pass(INTERVAL - secs(1), &mut bench);
    bench.pass(secs(3));
    let piece = disk.take(&mut bench).expect("a piece");
    assert!(!piece.is_last || bench.engine.targets().list().len() < 300);
    let checks = |bench: &Bench| -> u64 {
        bench.engine.targets().list().iter().map(|target| target.fsm().counters().checks[0]).sum()
    };
    let before = checks(&bench);
    // For three intervals.
    bench.pass(3 * INTERVAL);
    assert!(disk.take(&mut bench).is_none(), "another one begins");
    assert_eq!(checks(&bench) - before, 200 * 3 * INTERVAL.as_secs());
    let (status, _) = bench.request(&[b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n"]);
    assert_eq!(status, 200);
    disk.write(piece, &mut bench);
    disk.pass(INTERVAL, &mut bench);
    assert_eq!(disk.writes, 2);
}

#[test]
fn failures_are_logged_once_and_the_next_write_is_at_the_next_interval() {
    let mut disk = Disk::default();
    let mut bench = disk.start(switched(1).1, test_now());
    for _ in 0..3 {
        bench.pass(INTERVAL);
        assert!(disk.take(&mut bench).is_some());
        let error = "/var/state cannot be written: No space left on device".to_owned();
        bench.engine.handle_state_written(Err(error), bench.now);
        assert!(disk.take(&mut bench).is_none());
    }
    let line = "state file: /var/state cannot be written: No space left on device, will be tried again";
    assert_eq!(disk.logged, [line]);
    disk.pass(2 * INTERVAL, &mut bench);
    assert_eq!(disk.logged[1..], ["state file: written again after 3 failed attempts"]);
    let counters = &bench.engine.cx.counters.state_file;
    assert_eq!((counters.ok, counters.failed), (2, 3));
}

#[test]
fn large_files_are_written_in_pieces_and_anew_after_a_reload() {
    let mut disk = Disk::default();
    let mut bench = disk.start(switched(2000).1, test_now());
    bench.pass(INTERVAL);
    let first = disk.take(&mut bench).expect("a piece");
    assert!(first.is_first && !first.is_last);
    disk.write(first, &mut bench);
    let second = disk.take(&mut bench).expect("a piece");
    assert!(!second.is_first);
    let update = bench.updates((5..2000).map(Update::Keep).collect());
    bench.engine.replace(update, bench.now).expect("valid");
    disk.write(second, &mut bench);
    disk.pass(secs(1), &mut bench);
    let text = String::from_utf8(disk.file.clone()).unwrap();
    assert_eq!((disk.writes, text.lines().count()), (1, 1 + 1995));
    assert!(text.lines().next().unwrap().ends_with(" 1995"));
    assert!(text.lines().nth(1).unwrap().contains(" t5 ") && disk.pieces > 4);
}

#[test]
fn the_last_write_has_the_last_state() {
    let mut disk = Disk::default();
    let (is_up, monitors) = switched(1);
    let mut bench = disk.start(monitors, test_now());
    bench.pass(INTERVAL);
    let piece = disk.take(&mut bench).expect("a piece");
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(5));
    bench.engine.finish_state(bench.now);
    assert!(disk.take(&mut bench).is_none() && bench.engine.is_writing_state());
    disk.write(piece, &mut bench);
    assert!(String::from_utf8_lossy(&disk.file).contains(" up "));
    disk.stop(&mut bench);
    assert!(String::from_utf8_lossy(&disk.file).contains(" down "));
}
