//! Hooks as real processes: well-behaved ones, and hooks that flood, fork, hang, or cannot be started.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::common::{PATIENCE, now};
use pingstate::*;

const MS: Duration = Duration::from_millis(1);

/// A server with targets in a state that the test sets, and the notices of their hooks.
struct Fixture {
    server: Server,
    is_up: Arc<AtomicBool>,
    notices: Receiver<String>,
    dir: PathBuf,
}

impl Fixture {
    /// One target with this hook, initially up.
    fn new(name: &str, hook: impl FnOnce(&Path) -> Hook) -> Fixture {
        Fixture::many(name, 1, hook)
    }

    fn many(name: &str, count: usize, hook: impl FnOnce(&Path) -> Hook) -> Fixture {
        Fixture::notifying(name, count, hook, Notify::Down)
    }

    fn notifying(name: &str, count: usize, hook: impl FnOnce(&Path) -> Hook, notify: Notify) -> Fixture {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("hooks-{name}"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("a directory");
        let is_up = Arc::new(AtomicBool::new(true));
        let notifications = Arc::new(Notifications::new().hook(hook(&dir)).notify(notify));
        let monitor = |i: usize| {
            let state = is_up.clone();
            let target = blocking(format!("db{i}"), move || (state.load(Ordering::SeqCst), "as set"));
            Monitor::new(target)
                .interval(5 * MS)
                .policy(Policy::Thresholds { fall: 1, rise: 1 })
                .notifications(notifications.clone())
        };
        let (sender, notices) = channel();
        let server = Server::builder((0..count).map(monitor))
            .on_warning(move |notice| drop(sender.send(notice.text.clone())))
            .bind(([127, 0, 0, 1], 0))
            .expect("serves");
        let mut fixture = Fixture { server, is_up, notices, dir };
        fixture.wait_for(State::Up);
        fixture
    }

    /// Polls the loop until all targets are in this state.
    fn wait_for(&mut self, state: State) {
        let is_there = |server: &Server| {
            server.targets().filter_map(|id| server.snapshot(id)).all(|target| target.state == state)
        };
        self.turn_until(state.as_str(), |fixture| is_there(&fixture.server));
    }

    fn set(&mut self, is_up: bool) {
        self.is_up.store(is_up, Ordering::SeqCst);
        self.wait_for(if is_up { State::Up } else { State::Down });
    }

    fn turn_until(&mut self, what: &str, mut done: impl FnMut(&Fixture) -> bool) {
        let start = now();
        while !done(self) {
            assert!(now() - start < PATIENCE, "waited too long for: {what}");
            assert!(self.server.turn(20 * MS).expect("turns"), "stopped before: {what}");
        }
    }

    fn notice(&mut self) -> String {
        let mut notice = None;
        self.turn_until("a notice", |fixture| {
            notice = fixture.notices.try_recv().ok();
            notice.is_some()
        });
        notice.expect("a notice")
    }

    /// The lines of a file once it has this number of lines.
    fn lines(&mut self, file: &str, count: usize) -> Vec<String> {
        let path = self.dir.join(file);
        let read = || fs::read_to_string(&path).unwrap_or_default();
        self.turn_until(file, |_| read().lines().count() >= count && read().ends_with('\n'));
        read().lines().map(str::to_owned).collect()
    }

    /// The process with the ID in a file.
    fn pid(&mut self, file: &str) -> String {
        self.lines(file, 1).remove(0)
    }
}

/// A hook that runs a shell script in the directory.
fn script(dir: &Path, script: &str) -> Hook {
    Hook::new(["sh", "-c", &format!("cd '{}'; {script}", dir.display())])
}

/// Whether a process has ended, or is a zombie that its new parent does not reap.
fn is_dead(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

#[test]
fn hook_runs_for_each_change_but_the_first() {
    let command = "env | grep ^PINGSTATE_ | grep -v ^PINGSTATE_REQUIRE= | sort > env.tmp; cat >> env.tmp; mv env.tmp $PINGSTATE_TO";
    let mut fixture = Fixture::new("env", |dir| script(dir, command));
    fixture.set(false);
    let lines = fixture.lines("down", 9);
    let since = lines[4].strip_prefix("PINGSTATE_PROBE=db0").map(|_| &lines[5]).expect("sorted");
    assert!(since.starts_with("PINGSTATE_SINCE_S="), "{lines:?}");
    let (mut rest, latency) = (lines.clone(), &lines[3]);
    rest.remove(5);
    rest.remove(3);
    assert!(latency.starts_with("PINGSTATE_LATENCY_MS="));
    assert_eq!(
        rest,
        [
            "PINGSTATE_DETAIL=as set",
            "PINGSTATE_ERROR=custom",
            "PINGSTATE_FROM=up",
            "PINGSTATE_PROBE=db0",
            "PINGSTATE_TARGET=db0",
            "PINGSTATE_TEXT=db0 is down: as set",
            "PINGSTATE_TO=down"
        ]
    );
    fixture.set(true);
    let lines = fixture.lines("up", 9);
    assert!(lines[1] == "PINGSTATE_ERROR=" && lines[3] != "PINGSTATE_LATENCY_MS=", "{lines:?}");
    assert!(fixture.notices.try_recv().is_err());
}

#[test]
fn first_state_is_reported_if_requested() {
    let hook = |dir: &Path| script(dir, "echo $PINGSTATE_FROM $PINGSTATE_TO >> log");
    let mut fixture = Fixture::notifying("first", 1, hook, Notify::AllAndFirst);
    assert_eq!(fixture.lines("log", 1), ["unknown up"]);
}

#[test]
fn hooks_run_one_at_a_time_and_changes_meanwhile_are_merged() {
    let log = "echo $PINGSTATE_FROM $PINGSTATE_TO >> log; while [ ! -e go ]; do sleep 0.01; done";
    let mut fixture = Fixture::new("latest", |dir| script(dir, log));
    fixture.set(false);
    fixture.lines("log", 1);
    for is_up in [true, false, true] {
        fixture.set(is_up);
    }
    assert_eq!(fixture.lines("log", 1), ["up down"]);
    fs::write(fixture.dir.join("go"), "").expect("written");
    assert_eq!(fixture.lines("log", 2), ["up down", "down up"]);
    fixture.set(false);
    assert_eq!(fixture.lines("log", 3), ["up down", "down up", "up down"]);
}

#[test]
fn hook_output_flood_is_harmless() {
    let flood = "head -c 1000000 /dev/zero >&2; echo done > log; exec yes";
    let mut fixture = Fixture::new("floods", |dir| script(dir, flood).timeout(4000 * MS));
    fixture.set(false);
    assert_eq!(fixture.lines("log", 1), ["done"], "all output is read");
    for _ in 0..3 {
        fixture.set(true);
        fixture.set(false);
    }
    let notice = fixture.notice();
    assert!(notice.starts_with("db0: the hook sh was killed after 4 s: \\u{0}\\u{0}"), "{notice}");
    assert!(notice.chars().count() < 260);
}

#[test]
fn hook_ends_with_its_process_and_its_children_are_killed() {
    let fork = "sleep 1000 & echo $! > child; echo started; exit 4";
    let mut fixture = Fixture::new("forks", |dir| script(dir, fork));
    fixture.set(false);
    assert_eq!(fixture.notice(), "db0: the hook sh exited with status 4: started");
    let child = fixture.pid("child");
    fixture.turn_until("the end of the child", |_| is_dead(&child));
}

#[test]
fn hanging_hook_is_killed_with_its_children() {
    let hang = "trap '' TERM; sleep 1000 & echo $$ > own; echo $! > child; wait";
    let mut fixture = Fixture::new("hangs", |dir| script(dir, hang).timeout(2000 * MS));
    fixture.set(false);
    let (own, child) = (fixture.pid("own"), fixture.pid("child"));
    assert!(fixture.notice().starts_with("db0: the hook sh was killed after 2 s"));
    fixture.turn_until("the end of both", |_| is_dead(&own) && is_dead(&child));
    assert!(!Path::new(&format!("/proc/{own}")).exists(), "reaped");
}

#[test]
fn hook_failures_are_reported() {
    for (name, words, said) in [
        ("missing", vec!["/nowhere/to be found"], "could not be started: no such file or directory"),
        ("plain", vec!["DIR/plain"], "could not be started: permission denied"),
        ("nul", vec!["a\0b"], "could not be started: nul byte found in provided data"),
        ("false", vec!["sh", "-c", "echo; echo no mail; exit 3"], "exited with status 3: no mail"),
        ("signal", vec!["sh", "-c", "kill -SEGV $$"], "was ended by signal 11"),
    ] {
        let mut fixture = Fixture::new(name, |dir| {
            fs::write(dir.join("plain"), "#!/bin/sh\n").expect("written");
            fs::set_permissions(dir.join("plain"), fs::Permissions::from_mode(0o644)).expect("set");
            Hook::new(words.iter().map(|word| word.replace("DIR", &dir.display().to_string())))
        });
        fixture.set(false);
        let program = words[0].replace("DIR", &fixture.dir.display().to_string());
        let program = program.replace('\0', "\\u{0}");
        let notice = fixture.notice();
        let expected = format!("db0: the hook {program} {said}");
        assert!(notice.starts_with(&expected), "{notice}, not {expected}");
        fixture.set(true);
        assert!(fixture.notice().starts_with(&expected), "and again");
    }
}

#[test]
fn hooks_of_many_targets_are_queued() {
    let mut fixture =
        Fixture::many("many", 40, |dir| script(dir, "sleep 0.05; echo $PINGSTATE_TARGET >> log"));
    fixture.set(false);
    let mut lines = fixture.lines("log", 40);
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), 40);
}

#[test]
fn hooks_are_killed_when_the_server_stops() {
    let hang = "sleep 1000 & echo $! > child.tmp; echo $$ > own; mv child.tmp child; wait";
    for is_stopped in [true, false] {
        let mut fixture = Fixture::new(&format!("left-{is_stopped}"), |dir| script(dir, hang));
        fixture.set(false);
        let (own, child) = (fixture.pid("own"), fixture.pid("child"));
        assert!(!is_dead(&own) && !is_dead(&child));
        let Fixture { mut server, .. } = fixture;
        if is_stopped {
            server.shutdown_handle().expect("a stopper").stop();
            assert!(!server.turn(None).expect("turns"));
        } else {
            drop(server);
        }
        assert!(!Path::new(&format!("/proc/{own}")).exists(), "reaped");
        crate::common::eventually("the end of the child", || is_dead(&child).then_some(()));
    }
}

/// Not a test: the daemon for the next test, in its own process.
#[test]
#[ignore = "started by another test"]
fn daemon_with_inherited_descriptors() {
    let list = "ls /proc/self/fd > fds.tmp; env | cut -d= -f1 > env.tmp; mv env.tmp env; mv fds.tmp fds";
    let mut fixture = Fixture::new("inherited", |dir| script(dir, list));
    assert!(Path::new("/proc/self/fd/7").exists(), "inherited");
    fixture.set(false);
    fixture.lines("fds", 4);
}

#[test]
fn hooks_inherit_no_descriptors_and_no_service_manager_variables() {
    let daemon = std::env::current_exe().expect("this program");
    let status = Command::new("sh")
        .args([
            "-c",
            "exec 7</dev/null 9>&1; exec \"$0\" --ignored --exact hooks::daemon_with_inherited_descriptors",
        ])
        .arg(daemon)
        .envs([
            ("NOTIFY_SOCKET", "/nowhere"),
            ("WATCHDOG_USEC", "1"),
            ("LISTEN_FDS", "1"),
            ("INHERITED", "x"),
        ])
        .status()
        .expect("runs");
    assert!(status.success());
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hooks-inherited");
    // The last descriptor is the one with which `ls` reads the directory.
    assert_eq!(fs::read_to_string(dir.join("fds")).expect("listed"), "0\n1\n2\n3\n");
    let env = fs::read_to_string(dir.join("env")).expect("listed");
    assert!(env.lines().any(|name| name == "INHERITED") && env.lines().any(|name| name == "PATH"));
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS"] {
        assert!(!env.lines().any(|line| line == name), "{name}");
    }
}
