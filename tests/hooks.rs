//! Hooks as real processes: well-behaved ones, and those that flood, fork, hang, or cannot be started.
#![allow(clippy::expect_used, clippy::panic)] // A test that cannot go on says why.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{PATIENCE, now};
use pingstate::*;

const MS: Duration = Duration::from_millis(1);

/// A server whose targets all are as it is told, and what came of their hooks.
struct Bed {
    server: Server,
    is_up: Arc<AtomicBool>,
    notices: Receiver<String>,
    dir: PathBuf,
}

impl Bed {
    /// One target with this hook; it is up.
    fn new(name: &str, hook: impl FnOnce(&Path) -> Hook) -> Bed {
        Bed::many(name, 1, hook)
    }

    fn many(name: &str, count: usize, hook: impl FnOnce(&Path) -> Hook) -> Bed {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("hooks-{name}"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("a directory");
        let is_up = Arc::new(AtomicBool::new(true));
        let hook = Arc::new(hook(&dir));
        let monitor = |i: usize| {
            let told = is_up.clone();
            let target = blocking(format!("db{i}"), move || (told.load(Ordering::SeqCst), "as told"));
            Monitor::new(target)
                .interval(5 * MS)
                .policy(Policy::Thresholds { fall: 1, rise: 1 })
                .on_change(hook.clone())
        };
        let (sender, notices) = channel();
        let server = Server::builder((0..count).map(monitor))
            .on_warning(move |notice| drop(sender.send(notice.text.clone())))
            .bind(([127, 0, 0, 1], 0))
            .expect("serves");
        let mut bed = Bed { server, is_up, notices, dir };
        bed.wait_for(State::Up);
        bed
    }

    /// Turns the loop until all targets are in this state.
    fn wait_for(&mut self, state: State) {
        let is_there =
            |server: &Server| (0..).map_while(|i| server.snapshot(i)).all(|snapshot| snapshot.state == state);
        self.turn_until(state.as_str(), |bed| is_there(&bed.server));
    }

    fn set(&mut self, is_up: bool) {
        self.is_up.store(is_up, Ordering::SeqCst);
        self.wait_for(if is_up { State::Up } else { State::Down });
    }

    fn turn_until(&mut self, what: &str, mut done: impl FnMut(&Bed) -> bool) {
        let start = now();
        while !done(self) {
            assert!(now() - start < PATIENCE, "waited too long for: {what}");
            assert!(self.server.turn(20 * MS).expect("turns"), "stopped before: {what}");
        }
    }

    fn notice(&mut self) -> String {
        let mut told = None;
        self.turn_until("a notice", |bed| {
            told = bed.notices.try_recv().ok();
            told.is_some()
        });
        told.expect("a notice")
    }

    /// What a file holds once it has that many lines.
    fn lines(&mut self, file: &str, count: usize) -> Vec<String> {
        let path = self.dir.join(file);
        let read = || fs::read_to_string(&path).unwrap_or_default();
        self.turn_until(file, |_| read().lines().count() >= count && read().ends_with('\n'));
        read().lines().map(str::to_owned).collect()
    }

    /// The process whose number is in a file.
    fn pid(&mut self, file: &str) -> String {
        self.lines(file, 1).remove(0)
    }
}

/// A hook that is a shell's script, at home in the directory.
fn script(dir: &Path, script: &str) -> Hook {
    Hook::new(["sh", "-c", &format!("cd '{}'; {script}", dir.display())])
}

/// Whether a process is no more, or waits for a foster parent who does not care.
fn is_dead(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

#[test]
fn a_hook_is_told_of_each_change_but_the_first() {
    let told = "env | grep ^PINGSTATE_ | sort > env.tmp; cat >> env.tmp; mv env.tmp $PINGSTATE_TO";
    let mut bed = Bed::new("told", |dir| script(dir, told));
    bed.set(false);
    let lines = bed.lines("down", 8);
    let since = lines[4].strip_prefix("PINGSTATE_PROBE=db0").map(|_| &lines[5]).expect("sorted");
    assert!(since.starts_with("PINGSTATE_SINCE_S="), "{lines:?}");
    let (mut rest, latency) = (lines.clone(), &lines[3]);
    rest.remove(5);
    rest.remove(3);
    assert!(latency.starts_with("PINGSTATE_LATENCY_MS="));
    assert_eq!(
        rest,
        [
            "PINGSTATE_DETAIL=as told",
            "PINGSTATE_ERROR=custom",
            "PINGSTATE_FROM=up",
            "PINGSTATE_PROBE=db0",
            "PINGSTATE_TARGET=db0",
            "PINGSTATE_TO=down"
        ]
    );
    bed.set(true);
    let lines = bed.lines("up", 8);
    assert!(lines[1] == "PINGSTATE_ERROR=" && lines[3] != "PINGSTATE_LATENCY_MS=", "{lines:?}");
    assert!(bed.notices.try_recv().is_err());
}

#[test]
fn the_first_state_is_told_if_asked_for() {
    let mut bed =
        Bed::new("first", |dir| script(dir, "echo $PINGSTATE_FROM $PINGSTATE_TO >> log").first(true));
    assert_eq!(bed.lines("log", 1), ["unknown up"]);
}

#[test]
fn one_at_a_time_and_the_latest_change_wins() {
    let log = "echo $PINGSTATE_FROM $PINGSTATE_TO >> log; while [ ! -e go ]; do sleep 0.01; done";
    let mut bed = Bed::new("latest", |dir| script(dir, log));
    bed.set(false);
    bed.lines("log", 1);
    for is_up in [true, false, true] {
        bed.set(is_up);
    }
    assert_eq!(bed.lines("log", 1), ["up down"]);
    fs::write(bed.dir.join("go"), "").expect("written");
    assert_eq!(bed.lines("log", 2), ["up down", "down up"]);
    bed.set(false);
    assert_eq!(bed.lines("log", 3), ["up down", "down up", "up down"]);
}

#[test]
fn a_hook_that_floods_harms_nothing() {
    let flood = "head -c 1000000 /dev/zero >&2; echo done > log; exec yes";
    let mut bed = Bed::new("floods", |dir| script(dir, flood).timeout(4000 * MS));
    bed.set(false);
    assert_eq!(bed.lines("log", 1), ["done"], "whoever talks much is heard out");
    for _ in 0..3 {
        bed.set(true);
        bed.set(false);
    }
    let notice = bed.notice();
    assert!(notice.starts_with("db0: the hook sh was killed after 4 s: \\u{0}\\u{0}"), "{notice}");
    assert!(notice.chars().count() < 260);
}

#[test]
fn a_hook_is_over_when_its_process_is_and_takes_with_it_what_it_left() {
    let fork = "sleep 1000 & echo $! > child; echo started; exit 4";
    let mut bed = Bed::new("forks", |dir| script(dir, fork));
    bed.set(false);
    assert_eq!(bed.notice(), "db0: the hook sh exited with status 4: started");
    let child = bed.pid("child");
    bed.turn_until("the end of the child", |_| is_dead(&child));
}

#[test]
fn a_hook_that_hangs_is_killed_with_its_children() {
    let hang = "trap '' TERM; sleep 1000 & echo $$ > own; echo $! > child; wait";
    let mut bed = Bed::new("hangs", |dir| script(dir, hang).timeout(2000 * MS));
    bed.set(false);
    let (own, child) = (bed.pid("own"), bed.pid("child"));
    assert!(bed.notice().starts_with("db0: the hook sh was killed after 2 s"));
    bed.turn_until("the end of both", |_| is_dead(&own) && is_dead(&child));
    assert!(!Path::new(&format!("/proc/{own}")).exists(), "reaped");
}

#[test]
fn what_cannot_be_started_or_fails_is_said() {
    for (name, words, said) in [
        ("missing", vec!["/nowhere/to be found"], "could not be started: no such file or directory"),
        ("plain", vec!["DIR/plain"], "could not be started: permission denied"),
        ("none", vec![], "could not be started: "),
        ("nul", vec!["a\0b"], "could not be started: nul byte found in provided data"),
        ("false", vec!["sh", "-c", "echo; echo no mail; exit 3"], "exited with status 3: no mail"),
        ("signal", vec!["sh", "-c", "kill -SEGV $$"], "was ended by signal 11"),
    ] {
        let mut bed = Bed::new(name, |dir| {
            fs::write(dir.join("plain"), "#!/bin/sh\n").expect("written");
            fs::set_permissions(dir.join("plain"), fs::Permissions::from_mode(0o644)).expect("set");
            Hook::new(words.iter().map(|word| word.replace("DIR", &dir.display().to_string())))
        });
        bed.set(false);
        let program = words.first().unwrap_or(&"").replace("DIR", &bed.dir.display().to_string());
        let program = program.replace('\0', "\\u{0}");
        let notice = bed.notice();
        let expected = format!("db0: the hook {program} {said}");
        assert!(notice.starts_with(&expected), "{notice}, not {expected}");
        bed.set(true);
        assert!(bed.notice().starts_with(&expected), "and again");
    }
}

#[test]
fn hooks_of_many_targets_wait_for_one_another() {
    let mut bed = Bed::many("many", 40, |dir| script(dir, "sleep 0.05; echo $PINGSTATE_TARGET >> log"));
    bed.set(false);
    let mut lines = bed.lines("log", 40);
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), 40);
}

#[test]
fn nothing_is_left_when_the_server_ends() {
    let hang = "sleep 1000 & echo $! > child.tmp; echo $$ > own; mv child.tmp child; wait";
    for is_stopped in [true, false] {
        let mut bed = Bed::new(&format!("left-{is_stopped}"), |dir| script(dir, hang));
        bed.set(false);
        let (own, child) = (bed.pid("own"), bed.pid("child"));
        assert!(!is_dead(&own) && !is_dead(&child));
        let Bed { mut server, .. } = bed;
        if is_stopped {
            server.shutdown_handle().expect("a stopper").stop();
            assert!(!server.turn(None).expect("turns"));
        } else {
            drop(server);
        }
        assert!(!Path::new(&format!("/proc/{own}")).exists(), "reaped");
        common::eventually("the end of the child", || is_dead(&child).then_some(()));
    }
}

/// Not a test: the daemon of the next one, in a process of its own.
#[test]
#[ignore = "started by another test"]
fn a_daemon_with_luggage() {
    let list = "ls /proc/self/fd > fds.tmp; env | cut -d= -f1 > env.tmp; mv env.tmp env; mv fds.tmp fds";
    let mut bed = Bed::new("luggage", |dir| script(dir, list));
    assert!(Path::new("/proc/self/fd/7").exists(), "brought along");
    bed.set(false);
    bed.lines("fds", 4);
}

#[test]
fn no_descriptor_and_no_way_to_the_service_manager_is_handed_down() {
    let daemon = std::env::current_exe().expect("this program");
    let status = Command::new("sh")
        .args(["-c", "exec 7</dev/null 9>&1; exec \"$0\" --ignored --exact a_daemon_with_luggage"])
        .arg(daemon)
        .envs([("NOTIFY_SOCKET", "/nowhere"), ("WATCHDOG_USEC", "1"), ("LISTEN_FDS", "1"), ("LUGGAGE", "x")])
        .status()
        .expect("runs");
    assert!(status.success());
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hooks-luggage");
    // The last one is that with which `ls` reads the directory.
    assert_eq!(fs::read_to_string(dir.join("fds")).expect("listed"), "0\n1\n2\n3\n");
    let env = fs::read_to_string(dir.join("env")).expect("listed");
    assert!(env.lines().any(|name| name == "LUGGAGE") && env.lines().any(|name| name == "PATH"));
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS"] {
        assert!(!env.lines().any(|line| line == name), "{name}");
    }
}
