//! Notifications to a service manager (sd_notify), over real sockets.
#![cfg(target_os = "linux")]

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::{Daemon, PATIENCE, eventually, now, pingstate};
use pingstate::{Monitor, Probe, Server};

/// The manager's socket, and the value of `NOTIFY_SOCKET`.
fn manager(name: &str) -> (UnixDatagram, String) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("notify-{name}"));
    let _ = std::fs::remove_file(&path);
    (UnixDatagram::bind(&path).expect("bound"), path.display().to_string())
}

fn receive(manager: &UnixDatagram, timeout: Duration) -> Option<String> {
    let mut buffer = [0; 4096];
    manager.set_read_timeout(Some(timeout)).expect("set");
    match manager.recv(&mut buffer) {
        // SIGCHLD of another test's process.
        Err(error) if error.kind() == ErrorKind::Interrupted => receive(manager, timeout),
        Ok(len) => Some(String::from_utf8(buffer[..len].to_vec()).expect("text")),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        Err(error) => panic!("{error}"),
    }
}

fn wait_for(manager: &UnixDatagram, text: &str) {
    while wait_for_line(manager, text) != text {}
}

/// The next message with this prefix.
fn wait_for_line(manager: &UnixDatagram, prefix: &str) -> String {
    let start = now();
    let mut messages: Vec<String> = Vec::new();
    loop {
        assert!(now() - start < PATIENCE, "waited too long for {prefix}: {messages:?}");
        messages.extend(receive(manager, PATIENCE));
        if let Some(last) = messages.last().filter(|last| last.starts_with(prefix)) {
            return last.clone();
        }
    }
}

fn daemon(socket: &str, watchdog_us: Option<&str>, targets: &[&str]) -> Daemon {
    let mut command = pingstate();
    command.args(["--api-port", "0", "--interval", "0.05", "--fall", "1"]).args(targets);
    command.env("NOTIFY_SOCKET", socket).env_remove("WATCHDOG_PID").env_remove("WATCHDOG_USEC");
    if let Some(us) = watchdog_us {
        command.env("WATCHDOG_USEC", us);
    }
    Daemon::spawn(command)
}

#[test]
fn service_manager_is_notified_of_start_state_and_stop() {
    let (manager, socket) = manager("state");
    let (stays, goes) = (crate::common::Server::start(drop), crate::common::Server::start(drop));
    let targets = [stays.url("tcp"), goes.url("tcp")];
    let daemon = daemon(&socket, None, &targets.each_ref().map(|url| url.trim_end_matches('/')));
    assert_eq!(receive(&manager, PATIENCE).as_deref(), Some("READY=1\nSTATUS=2 unknown"));
    wait_for(&manager, "STATUS=2 up");
    drop(goes);
    wait_for(&manager, "STATUS=1 up, 1 down");
    let (status, _) = daemon.end("-TERM");
    assert!(status.success());
    assert_eq!(receive(&manager, PATIENCE).as_deref(), Some("STOPPING=1"));
}

#[test]
fn service_manager_is_notified_of_reloads_and_refused_reloads() {
    let (manager, socket) = manager("reload");
    let target = crate::common::Server::start(drop);
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("reload.conf");
    let line = |name: &str| format!("{name} tcp://{}\n", target.address);
    std::fs::write(&file, line("a")).expect("written");
    let daemon = daemon(&socket, None, &["--config", file.to_str().expect("text")]);
    wait_for(&manager, "STATUS=1 up");
    let reload = |text: &str| {
        std::fs::write(&file, text).expect("written");
        let before = monotonic_us();
        daemon.signal("-HUP");
        let reloading = wait_for_line(&manager, "RELOADING=1\nMONOTONIC_USEC=");
        let (_, us) = reloading.rsplit_once('=').expect("a time");
        let us: u64 = us.parse().expect("a number");
        assert!((before..=monotonic_us()).contains(&us), "{us}, not after {before}");
    };
    reload(&(line("a") + &line("b")));
    wait_for(&manager, "READY=1");
    wait_for(&manager, "STATUS=2 up");
    reload("nonsense");
    let status = format!(
        "STATUS=2 up; not reloaded: {}:1: expected NAME URL, but no URL follows `nonsense`",
        file.display()
    );
    let messages: Vec<_> = std::iter::from_fn(|| receive(&manager, Duration::from_millis(1500))).collect();
    assert!(messages.contains(&"READY=1".to_owned()) && messages.contains(&status), "{messages:?}");
    reload(&line("a"));
    wait_for(&manager, "STATUS=1 up");
}

/// The clock of the manager (CLOCK_MONOTONIC).
fn monotonic_us() -> u64 {
    let time = nix::time::ClockId::CLOCK_MONOTONIC.now().expect("a time");
    u64::try_from(time.tv_sec() * 1_000_000 + time.tv_nsec() / 1000).expect("after the boot")
}

#[test]
fn abstract_notify_sockets_work() {
    let name = format!("pingstate-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("an address");
    let manager = UnixDatagram::bind_addr(&address).expect("bound");
    let target = crate::common::Server::start(drop);
    let _daemon = daemon(&format!("@{name}"), None, &[target.url("tcp").trim_end_matches('/')]);
    assert_eq!(receive(&manager, PATIENCE).as_deref(), Some("READY=1\nSTATUS=1 unknown"));
    wait_for(&manager, "STATUS=1 up");
}

#[test]
fn watchdog_pings_continue_while_the_loop_runs() {
    let (manager, socket) = manager("watchdog");
    let target = crate::common::Server::start(drop);
    let daemon = daemon(&socket, Some("200000"), &[target.url("tcp").trim_end_matches('/')]);
    for _ in 0..3 {
        wait_for(&manager, "WATCHDOG=1");
    }
    daemon.signal("-STOP");
    // Messages sent before the stop, then none.
    while receive(&manager, Duration::from_millis(500)).is_some() {}
    assert_eq!(receive(&manager, Duration::from_millis(500)), None);
    daemon.signal("-CONT");
    wait_for(&manager, "WATCHDOG=1");
}

#[test]
fn watchdog_of_another_process_is_ignored() {
    let (manager, socket) = manager("other");
    let target = crate::common::Server::start(drop);
    let url = target.url("tcp");
    let mut command = pingstate();
    command.args(["--api-port", "0", "--interval", "0.05", url.trim_end_matches('/')]);
    command.envs([("NOTIFY_SOCKET", socket.as_str()), ("WATCHDOG_USEC", "20000"), ("WATCHDOG_PID", "1")]);
    let _daemon = Daemon::spawn(command);
    wait_for(&manager, "STATUS=1 up");
    assert_eq!(receive(&manager, Duration::from_millis(300)), None);
}

#[test]
fn full_or_missing_notify_socket_does_not_block() {
    let (manager, socket) = manager("full");
    let target = crate::common::Server::start(drop);
    let url = target.url("tcp");
    let full = daemon(&socket, Some("2000"), &[url.trim_end_matches('/')]);
    let start = now();
    eventually("a full socket", || {
        let filler = UnixDatagram::unbound().expect("a socket");
        filler.set_nonblocking(true).expect("set");
        let refused = (0..2000).any(|_| filler.send_to(b"X=1", &socket).is_err());
        refused.then_some(())
    });
    full.wait_for_state("up");
    assert_eq!(full.get("/state").0, 200);
    assert!(now() - start < PATIENCE);
    // After it is read again, messages arrive again.
    wait_for(&manager, "WATCHDOG=1");
    let (status, _) = full.end("-TERM");
    assert!(status.success());
    wait_for(&manager, "STOPPING=1");
    for socket in ["/nowhere/notify", "@not-there", "vsock:1:2", "", "relative"] {
        let alone = daemon(socket, Some("2000"), &[url.trim_end_matches('/')]);
        alone.wait_for_state("up");
    }
}

/// Not a test: the daemon for the next test; its only check never returns.
#[test]
#[ignore = "started by another test"]
fn stuck_daemon() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("an address").port();
    let stuck = pingstate::probe("tcp", "127.0.0.1", port).check_banner(|_| -> (pingstate::Banner, String) {
        loop {
            std::thread::park();
        }
    });
    let stuck = stuck.build().expect("a probe");
    assert!(!stuck.name().is_empty());
    std::thread::spawn(move || {
        for mut peer in listener.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut peer, b"hello");
            std::mem::forget(peer);
        }
    });
    let mut server =
        Server::builder(Monitor::new(stuck)).notify_systemd().bind(([127, 0, 0, 1], 0)).expect("serves");
    server.run().expect("runs");
}

#[test]
fn stuck_loop_sends_no_watchdog_pings() {
    let (manager, socket) = manager("stuck");
    let mut daemon = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "systemd::stuck_daemon"])
        .envs([("NOTIFY_SOCKET", socket.as_str()), ("WATCHDOG_USEC", "1000000")])
        .env_remove("WATCHDOG_PID")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("runs");
    assert_eq!(receive(&manager, PATIENCE).as_deref(), Some("READY=1\nSTATUS=1 unknown"));
    assert_eq!(receive(&manager, Duration::from_secs(2)), None);
    daemon.kill().expect("killed");
    daemon.wait().expect("reaped");
}

/// Not a test: the daemon for the next test, which polls its own loop on demand and receives a reload
/// request.
#[test]
#[ignore = "started by another test"]
fn daemon_with_its_own_loop() {
    let monitor = Monitor::new(pingstate::blocking("disk", || true)).interval(Duration::from_secs(600));
    let builder = Server::builder(monitor).notify_systemd().reload_on_sighup();
    let mut server = builder.bind(([127, 0, 0, 1], 0)).expect("serves");
    while !server.take_reload_request() {
        server.turn(Duration::from_millis(20)).expect("turns");
    }
    while server.next_turn().is_some_and(|at| at <= now()) {
        server.turn(Duration::ZERO).expect("turns");
    }
}

#[test]
fn custom_loop_is_woken_to_report_the_end_of_a_reload() {
    let (manager, socket) = manager("own-loop");
    let mut daemon = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "systemd::daemon_with_its_own_loop"])
        .env("NOTIFY_SOCKET", &socket)
        .env_remove("WATCHDOG_USEC")
        .stdout(Stdio::null())
        .spawn()
        .expect("runs");
    wait_for(&manager, "STATUS=1 up");
    let pid = daemon.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().expect("kill runs").success());
    assert!(daemon.wait().expect("reaped").success());
    let messages: Vec<_> = std::iter::from_fn(|| receive(&manager, Duration::from_millis(1))).collect();
    assert!(
        messages.len() == 2 && messages[0].starts_with("RELOADING=1") && messages[1] == "READY=1",
        "{messages:?}"
    );
}
