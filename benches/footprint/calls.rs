//! System calls per probe, counted by strace, and wake-ups of an idle daemon.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::listener::Listeners;
use super::peers::{self, Workplace};
use super::process::{Process, pingstate};
use super::site::Site;
use super::table::{Goal, Table};

/// Measurement time for system calls.
const WINDOW: Duration = Duration::from_secs(3);

/// Measurement time for wake-ups: four checks at the default interval.
const REST: Duration = Duration::from_secs(20);

pub(crate) fn measure(table: &mut Table) {
    let listeners = Listeners::open(1_000);
    let mut rest = Process::spawn(&mut pingstate(&listeners.urls(1)));
    if peers::is_installed("strace", "-V") {
        let workplace = Workplace::new();
        let (http, https) = (Site::http(), Site::https(&workplace));
        let calls = |mut urls: Vec<String>, interval: &str| {
            urls.extend(["--interval", interval].map(str::to_owned));
            calls(&workplace, &urls)
        };
        let one = calls(listeners.urls(1), "0.02");
        table.alone("system calls per TCP probe, 1 target", one, "", Goal::Most(8.0));
        let many = calls(listeners.urls(1_000), "0.5");
        table.alone("system calls per TCP probe, 2000 probes/s", many, "", Goal::Most(8.0));
        table.alone("system calls per HTTP probe", calls(http.urls(1), "0.02"), "", Goal::None);
        let mut trusting = https.urls(1);
        trusting.extend(["--ca-file".to_owned(), https.ca.as_ref().expect("signed").display().to_string()]);
        table.alone("system calls per HTTPS probe", calls(trusting, "0.02"), "", Goal::None);
    } else {
        table.note("system calls: skipped, strace is not installed");
        thread::sleep(WINDOW);
    }
    let before = rest.wakeups();
    thread::sleep(REST);
    let each = (rest.wakeups() - before) / REST.as_secs_f64();
    assert!(rest.is_running());
    table.alone("wake-ups when idle, 1 target every 5 s", each, "/s", Goal::Most(0.5));
}

/// Runs pingstate and returns its system calls per `connect`.
fn calls(workplace: &Workplace, args: &[String]) -> f64 {
    let mut process = Process::spawn(&mut pingstate(args));
    thread::sleep(Duration::from_secs(1));
    assert!(process.is_running());
    let report = workplace.file("calls", "");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-U", "calls,name", "-p", &process.id().to_string(), "-o"]).arg(&report);
    let mut strace = strace.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("strace starts");
    thread::sleep(WINDOW);
    // On SIGINT, strace detaches and writes its summary.
    let told = Command::new("kill").args(["-INT", &strace.id().to_string()]).status();
    assert!(told.expect("kill runs").success());
    strace.wait().expect("ends");
    let text = std::fs::read_to_string(&report).expect("a report");
    let calls = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.ends_with(&format!(" {name}")));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN)
    };
    calls("total") / calls("connect")
}
