//! System calls per probe, counted by strace, and wake-ups of an idle daemon.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::listener::Listeners;
use super::peers::{self, TempDir};
use super::process::{Process, pingstate};
use super::table::{Goal, Table};
use super::web_server::WebServer;

/// Measurement time for system calls.
const WINDOW: Duration = Duration::from_secs(3);

/// Measurement time for wake-ups: four checks at the default interval.
const IDLE_WINDOW: Duration = Duration::from_secs(20);

pub(crate) fn measure(table: &mut Table) {
    let listeners = Listeners::open(1_000);
    let mut idle = Process::spawn(&mut pingstate(&listeners.urls(1)));
    if peers::is_installed("strace", "-V") {
        let temp_dir = TempDir::new();
        let (http, https) = (WebServer::http(), WebServer::https(&temp_dir));
        let calls = |mut urls: Vec<String>, interval: &str| {
            urls.extend(["--interval", interval].map(str::to_owned));
            calls_per_connect(&temp_dir, &urls)
        };
        let one = calls(listeners.urls(1), "0.02");
        table.add("system calls per TCP probe, 1 target", one, "", Goal::Max(8.0));
        let many = calls(listeners.urls(1_000), "0.5");
        table.add("system calls per TCP probe, 2000 probes/s", many, "", Goal::Max(8.0));
        table.add("system calls per HTTP probe", calls(http.urls(1), "0.02"), "", Goal::None);
        let mut https_args = https.urls(1);
        https_args.extend([
            "--ca-file".to_owned(),
            https.ca.as_ref().expect("https server has a CA").display().to_string(),
        ]);
        table.add("system calls per HTTPS probe", calls(https_args, "0.02"), "", Goal::None);
    } else {
        table.note("system calls: skipped, strace is not installed");
        thread::sleep(WINDOW);
    }
    let before = idle.wakeups();
    thread::sleep(IDLE_WINDOW);
    let rate = (idle.wakeups() - before) / IDLE_WINDOW.as_secs_f64();
    assert!(idle.is_running());
    table.add("wake-ups when idle, 1 target every 5 s", rate, "/s", Goal::Max(0.5));
}

/// Runs pingstate and returns its system calls per `connect`.
fn calls_per_connect(temp_dir: &TempDir, args: &[String]) -> f64 {
    let mut process = Process::spawn(&mut pingstate(args));
    thread::sleep(Duration::from_secs(1));
    assert!(process.is_running());
    let report = temp_dir.file("calls", "");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-U", "calls,name", "-p", &process.id().to_string(), "-o"]).arg(&report);
    let mut strace = strace.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("start strace");
    thread::sleep(WINDOW);
    // On SIGINT, strace detaches and writes its summary.
    let interrupted = Command::new("kill").args(["-INT", &strace.id().to_string()]).status();
    assert!(interrupted.expect("run kill").success());
    strace.wait().expect("wait for strace");
    let text = std::fs::read_to_string(&report).expect("read the summary of strace");
    let calls = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.ends_with(&format!(" {name}")));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN)
    };
    calls("total") / calls("connect")
}
