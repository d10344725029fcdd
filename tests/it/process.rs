//! The daemon as a process: signal handlers that cannot wake it, hooks at its exit, operation as PID 1,
//! and closed standard descriptors.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::fault::{Fault, has_strace};
use crate::common::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A directory for one test.
fn directory(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("process-{name}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a directory");
    dir
}

/// A server that answers with 200, or with 503 while it is set to be down.
fn switched() -> (Server, Arc<AtomicBool>) {
    let is_up = Arc::new(AtomicBool::new(true));
    let state = is_up.clone();
    let server = Server::start(move |stream| {
        read_head(&stream);
        let answer = if state.load(Ordering::SeqCst) { OK } else { "HTTP/1.1 503 Oops\r\n\r\n" };
        let _ = std::io::Write::write_all(&mut &stream, answer.as_bytes());
    });
    (server, is_up)
}

/// A hook that runs a shell script in the directory.
fn script(dir: &std::path::Path, script: &str) -> String {
    let path = dir.join("hook");
    fs::write(&path, format!("cd '{}'\n{script}\n", dir.display())).expect("written");
    format!("sh '{}'", path.display())
}

fn lines(file: &std::path::Path) -> Vec<String> {
    fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Whether a process has ended or is a zombie.
fn is_dead(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

#[test]
fn a_signal_whose_handler_cannot_write_to_the_pipe_is_not_lost() {
    if !has_strace() {
        return;
    }
    let dir = directory("pipe");
    let (server, _) = switched();
    let file = dir.join("conf");
    fs::write(&file, format!("a {}\n", server.url("http"))).expect("written");
    // Only the signal ends the loop's wait.
    let args = ["--interval", "600", "--config", file.to_str().expect("text")];
    for fault in ["write:error=EIO", "write:error=EAGAIN", "epoll_wait:error=EINTR:when=1+2"] {
        let daemon = Daemon::start(&args);
        daemon.wait_for_state("up");
        let injected = Fault::inject(&daemon, fault).expect("strace");
        if !fault.starts_with("write") {
            daemon.signal("-HUP");
            eventually("a reload", || daemon.next_line().contains("reloaded").then_some(()));
        }
        // The interval is ten minutes, and `end` waits less.
        let (status, _) = daemon.end("-TERM");
        drop(injected);
        assert!(status.success(), "{fault}: {status}");
    }
}

#[test]
fn running_hooks_get_sigterm_and_then_sigkill() {
    for (name, trap, takes) in [("polite", "echo ended >> log; exit", 0), ("stubborn", "", 2)] {
        let dir = directory(name);
        let (server, is_up) = switched();
        let work = format!("trap '{trap}' TERM; echo $$ >> log; while :; do sleep 0.05; done");
        let hook = script(&dir, &work);
        let mut daemon =
            Daemon::start(&["--interval", "0.05", "--fall", "1", "--on-change", &hook, &server.url("http")]);
        daemon.wait_for_state("up");
        is_up.store(false, Ordering::SeqCst);
        let log = dir.join("log");
        let pid = eventually("a hook", || lines(&log).pop());
        // One more change waits until the hook has ended.
        is_up.store(true, Ordering::SeqCst);
        daemon.wait_for_state("up");
        let target = server.address;
        let stderr = daemon.stderr();
        let (status, took) = daemon.end("-TERM");
        assert!(status.success(), "{status}");
        assert!(took >= Duration::from_secs(takes), "{name}: {took:?}");
        let expected = if takes == 0 { vec![pid.clone(), "ended".to_owned()] } else { vec![pid.clone()] };
        assert_eq!(lines(&log), expected, "no other hook was started");
        assert!(is_dead(&pid));
        let lines: Vec<_> = stderr.iter().collect();
        let waited = format!("pingstate: {target}: the hook sh was not started: the daemon stops");
        assert!(lines.contains(&waited), "{lines:?}");
    }
}

/// After a process is reaped, its number may belong to another process group.
#[test]
fn the_process_group_of_a_hook_is_killed_before_the_hook_is_reaped() {
    if !has_strace() {
        return;
    }
    let dir = directory("group");
    let (server, is_up) = switched();
    let hook = script(&dir, "echo $$ > log");
    let daemon =
        Daemon::start(&["--interval", "0.05", "--fall", "1", "--on-change", &hook, &server.url("http")]);
    daemon.wait_for_state("up");
    let calls = dir.join("calls");
    let recording = Fault::record(&daemon, "kill,wait4,waitid", &calls).expect("strace");
    is_up.store(false, Ordering::SeqCst);
    let pid = eventually("a hook", || lines(&dir.join("log")).pop());
    eventually("its end", || is_dead(&pid).then_some(()));
    let reaped = || !std::path::Path::new(&format!("/proc/{pid}")).exists();
    eventually("its number free", || reaped().then_some(()));
    drop(recording);
    let calls = lines(&calls);
    let place = |what: &dyn Fn(&str) -> bool| calls.iter().position(|call| what(call));
    let killed = place(&|call| call.contains(&format!("kill(-{pid}, SIGKILL")));
    let reaped = place(&|call| call.contains("wait4(") && call.ends_with(&format!("= {pid}")));
    assert!(killed.is_some() && killed < reaped, "{calls:#?}");
}

/// A shell that starts a child in another process group and ends before it, and one that does so in its own.
const ORPHANS: &str = "setsid sleep 0.1 & (sleep 0.1)& exit 3";

#[test]
fn as_the_first_process_it_reaps_orphans_and_keeps_the_status_of_hooks() {
    let unshare = ["-r", "-p", "-f", "--mount-proc", "--kill-child"];
    if !has("unshare", &[&unshare[..], &["true"]].concat()) {
        return;
    }
    let dir = directory("orphans");
    let hook = script(&dir, ORPHANS);
    let flips = Arc::new(AtomicUsize::new(0));
    let count = flips.clone();
    let server = Server::start(move |stream| {
        read_head(&stream);
        let flip = count.fetch_add(1, Ordering::SeqCst);
        let answer = if flip % 2 == 0 || flip > 100 { OK } else { "HTTP/1.1 503 Oops\r\n\r\n" };
        let _ = std::io::Write::write_all(&mut &stream, answer.as_bytes());
    });
    let mut command = std::process::Command::new("unshare");
    command.args(unshare).arg(binary()).args(["--api-port", "0", "--interval", "0.05", "--fall", "1"]);
    command.args(["--on-change", &hook, &server.url("http")]);
    let daemon = Daemon::spawn(command);
    eventually("changes", || (flips.load(Ordering::SeqCst) > 110).then_some(()));
    let stat = |pid: &str, place: usize| -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(place).map(str::to_owned)
    };
    let children = |parent: &str| -> Vec<String> {
        let all = fs::read_dir("/proc").expect("linux").flatten();
        let pids = all.filter_map(|entry| entry.file_name().into_string().ok());
        pids.filter(|pid| stat(pid, 1).as_deref() == Some(parent)).collect()
    };
    let init = children(&daemon.pid().to_string()).pop().expect("the daemon");
    eventually("the end of all children", || children(&init).is_empty().then_some(()));
    let (_, metrics) = daemon.get("/metrics");
    let runs = |result: &str| -> usize {
        let line =
            metrics.lines().find(|l| l.starts_with("pingstate_hook") && l.contains(&format!("\"{result}\"")));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect(result)
    };
    assert!(runs("failed") >= 25 && runs("ok") == 0, "{metrics}");
    for _ in 0..runs("failed").min(20) {
        let line = daemon.next_line();
        assert!(line.contains(" is ") || line.ends_with("exited with status 3"), "{line}");
    }
}

/// The parent of the daemon may ignore SIGCHLD, block signals, and close descriptors.
#[test]
fn inherited_process_state_does_not_break_hooks() {
    let dir = directory("inherited");
    let (server, is_up) = switched();
    let hook = script(&dir, "trap - PIPE; kill -PIPE $$; echo not ended by SIGPIPE > log");
    let inherit = "trap '' CHLD PIPE; exec \"$0\" \"$@\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", inherit]).arg(binary()).args([
        "--api-port",
        "0",
        "--interval",
        "0.05",
        "--fall",
        "1",
    ]);
    command.args(["--on-change", &hook, &server.url("http")]);
    let daemon = Daemon::spawn(command);
    daemon.wait_for_state("up");
    is_up.store(false, Ordering::SeqCst);
    let ended = |line: String| line.ends_with("was ended by signal 13").then_some(());
    eventually("the end of the hook", || ended(daemon.next_line()));
    assert!(!dir.join("log").exists());
}

/// Without descriptors 0, 1 and 2, no socket gets one of their numbers: log lines would be sent over it.
#[test]
fn closed_standard_descriptors_are_not_taken_by_sockets() {
    let (server, is_up) = switched();
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
        listener.local_addr().expect("bound").port()
    };
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" 0<&- 1>&- 2>&-"]).arg(binary());
    command.args(["--api-port", &port.to_string(), "--interval", "0.05", "--fall", "1", &server.url("http")]);
    command.process_group(0);
    let mut child = command.spawn().expect("runs");
    let api = ([127, 0, 0, 1], port).into();
    let state = || {
        std::net::TcpStream::connect(api).ok()?;
        Some(get(api, "/state").2)
    };
    eventually("up", || state().filter(|state| state == "up\n"));
    is_up.store(false, Ordering::SeqCst);
    eventually("down", || state().filter(|state| state == "down\n"));
    let fds: Vec<_> = (0..3)
        .map(|fd| fs::read_link(format!("/proc/{}/fd/{fd}", child.id())).expect("open").display().to_string())
        .collect();
    let _ = child.kill();
    let _ = child.wait();
    assert_eq!(fds, ["/dev/null"; 3]);
}

#[test]
fn a_hook_that_cannot_be_started_now_is_reported_once_and_started_later() {
    use std::os::unix::fs::PermissionsExt;
    let dir = directory("moment");
    let program = dir.join("notify");
    let text = format!("#!/bin/sh\necho $PINGSTATE_TO >> '{}'\n", dir.join("log").display());
    fs::write(&program, text).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("set");
    let (server, is_up) = switched();
    let hook = program.to_str().expect("text");
    let daemon =
        Daemon::start(&["--interval", "0.05", "--fall", "1", "--on-change", hook, &server.url("http")]);
    daemon.wait_for_state("up");
    // ETXTBSY as long as it is open.
    let writer = fs::File::options().append(true).open(&program).expect("opened");
    is_up.store(false, Ordering::SeqCst);
    daemon.wait_for_state("down");
    eventually("a line", || {
        daemon.next_line().ends_with("could not be started and is tried again: text file busy").then_some(())
    });
    drop(writer);
    eventually("the hook", || (lines(&dir.join("log")) == ["down"]).then_some(()));
    assert!(daemon.no_line());
}

/// What `pingstate` prints with these arguments, and its exit code.
fn output(args: &[&str]) -> (String, Option<i32>) {
    let output = pingstate().args(args).output().expect("runs");
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (String::from_utf8(text).expect("text"), output.status.code())
}

/// Text from a user or a file may contain characters that reorder a line on a terminal (Unicode TR 36).
#[test]
fn output_contains_no_terminal_control_characters() {
    let dir = directory("terminal");
    let file = dir.join("\u{202e}conf");
    let path = file.to_str().expect("text");
    let (server, _) = switched();
    let url = server.url("http");
    for args in [
        &["--\u{202e}foo"][..],
        &["-\u{202e}"],
        &["--interval", "\u{202e}5"],
        &["--header", "\u{202e}"],
        &["--check", "\u{202e}"],
        &["--api-host", "\u{2066}"],
        &["--on-change", "/nowhere/\u{202e}x"],
        &["--on-change", "x \u{feff}|", "\u{202e}"],
        &["http://h/\u{202e}x"],
        &["\u{202e}://h"],
        &["http://me@\u{202e}h"],
        &["--config", "/nowhere/\u{202e}x"],
        &["--config", path],
        &["--check-config", "--config", path],
        &["--ca-file", "/nowhere/\u{202e}x", "https://127.0.0.1:1/"],
    ] {
        fs::write(&file, format!("\u{202e}name {url} --\u{202e}flag\n\u{202e}\n")).expect("written");
        let (text, _) = output(args);
        assert!(!text.contains(['\u{202e}', '\u{2066}', '\u{feff}']), "{args:?}: {text:?}");
        assert!(text.contains("\\u{2"), "{args:?}: {text}");
    }
    fs::write(&file, format!("name {url}\n")).expect("written");
    let (text, code) = output(&["--check-config", "--config", path]);
    assert!(
        code == Some(0) && !text.contains('\u{202e}') && text.contains("\\u{202e}conf: 1 target, ok"),
        "{text}"
    );
}

#[test]
fn hooks_that_cannot_run_are_reported_before_they_are_needed() {
    let dir = directory("missing");
    let (server, _) = switched();
    let url = server.url("http");
    let file = dir.join("conf");
    let path = file.to_str().expect("text");
    let program = dir.join("notify");
    let write_program = || {
        use std::os::unix::fs::PermissionsExt;
        fs::write(&program, "#!/bin/sh\n").expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("set");
    };
    let named = program.to_str().expect("text");
    let why = format!("--on-change: `{}", &named[..40]);
    let text = format!("--on-change {named}\na {url}\nb {url}?b\n");
    fs::write(&file, &text).expect("written");
    for args in
        [&["--config", path][..], &["--check-config", "--config", path], &["--on-change", named, &url]]
    {
        let (said, code) = output(args);
        assert!(
            code == Some(2)
                && said.contains(&why)
                && said.contains("cannot be run: No such file or directory"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "logged once: {said}");
    }
    let (said, code) = output(&["--once", "--config", path]);
    assert_eq!(code, Some(0), "no hook is needed: {said}");
    let (said, code) = output(&["--on-change", "echo $PINGSTATE_TO", &url]);
    assert!(code == Some(2) && said.contains("is shell syntax"), "{said}");

    write_program();
    let daemon = Daemon::start(&["--config", path]);
    daemon.wait_for_state("up");
    // Including that of unchanged targets.
    fs::remove_file(&program).expect("removed");
    daemon.signal("-HUP");
    let reloaded = || Some(daemon.next_line()).filter(|line| line.contains("reload"));
    let line = eventually("a refusal", reloaded);
    assert!(line.contains("reload failed") && line.contains(&why), "{line}");
    write_program();
    daemon.signal("-HUP");
    assert!(eventually("a reload", reloaded).contains("reloaded: 2 targets kept"));
}
