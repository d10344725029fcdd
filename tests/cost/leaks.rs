//! Starting and stopping ten thousand times leaks no descriptor, thread or memory.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use crate::common::eventually;
use pingstate::*;

/// Monitors that are started and stopped with a probe that needs no network.
const CYCLES: usize = 9_000;

/// The same over real connections: each leaves a port in TIME_WAIT for a minute.
const CONNECTED: usize = 1_000;

/// Allowed growth of the process, in kB: what allocators and thread stacks keep.
const GROWTH_KB: u64 = 4 * 1024;

/// Set for the process that starts and stops.
const CHILD: &str = "PINGSTATE_LEAKS_CHILD";

/// A probe with an immediate result.
struct Done;

impl Probe for Done {
    fn name(&self) -> &str {
        "done"
    }
    fn timeout(&self) -> Duration {
        Duration::from_secs(1)
    }
    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        struct Verdict(Option<Output>);
        impl Attempt for Verdict {
            fn handle_input(&mut self, _input: Input<'_>, _now: Now) {}
            fn poll_output(&mut self) -> Option<Output> {
                self.0.take()
            }
        }
        Box::new(Verdict(Some(Output::Done(ProbeResult::up(Duration::ZERO, "done")))))
    }
}

fn count(dir: &str) -> usize {
    fs::read_dir(dir).expect("linux").count()
}

fn held() -> (usize, usize) {
    (count("/proc/self/fd"), count("/proc/self/task"))
}

fn resident_kb() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("linux");
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).expect("the figure");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("a number")
}

#[test]
fn stopping_releases_all_resources() {
    if std::env::var_os(CHILD).is_some() {
        return start_and_stop();
    }
    // A process of its own: all counted resources belong to the test.
    let _alone = crate::common::alone();
    let mut child = Command::new(std::env::current_exe().expect("a path"));
    child.args(["--exact", "leaks::stopping_releases_all_resources", "--nocapture"]).env(CHILD, "1");
    assert!(child.status().expect("started").success());
}

fn start_and_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || listener.incoming().flatten().for_each(drop));
    let tcp = probe("tcp", "127.0.0.1", port).build().expect("a probe");

    let cycle = |connected: bool, check: bool| {
        let monitor = if connected { Monitor::new(tcp.clone()) } else { Monitor::new(Done) };
        let handle = monitor.start().expect("starts");
        assert!(!check || handle.check_now().ok);
    };
    let serve_once = || {
        let mut server = Server::builder(Monitor::new(Done)).stop_on_signals().bind(([127, 0, 0, 1], 0));
        let server = server.as_mut().expect("serves");
        server.shutdown_handle().expect("a stopper").stop();
        server.run().expect("runs");
    };
    let work_once = || assert!(check(&blocking("work", || true)).ok);

    for _ in 0..100 {
        cycle(false, true);
        cycle(true, true);
        serve_once();
        work_once();
    }
    let before = eventually("rest", || Some(held()).filter(|(_, threads)| *threads <= 3));
    let resident = resident_kb();
    for round in 0..CYCLES {
        cycle(false, round % 2 == 0);
    }
    for round in 0..CONNECTED {
        cycle(true, round % 2 == 0);
        if round % 5 == 0 {
            serve_once();
            work_once();
        }
    }
    let no_more = |now: (usize, usize)| now.0 <= before.0 && now.1 <= before.1;
    eventually("all that was started to be gone", || no_more(held()).then_some(()));
    let grown = resident_kb().saturating_sub(resident);
    assert!(grown <= GROWTH_KB, "grown by {grown} kB");
    println!("held {before:?}, grown by {grown} kB");
}
