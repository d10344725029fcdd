//! Few descriptors, many clients, hostile targets: memory stays bounded, healthy targets stay up.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A daemon with this descriptor limit.
fn limited(descriptors: u32, args: &[&str]) -> Daemon {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {descriptors} && exec \"$0\" --api-port 0 \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_pingstate")]).args(args);
    command.env_remove("JOURNAL_STREAM").env_remove("SSL_CERT_FILE");
    Daemon::spawn(command)
}

/// The processor time a process has used, in clock ticks.
fn ticks(daemon: &Daemon) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).expect("linux");
    let fields: Vec<_> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
    fields[11..13].iter().map(|n| n.parse::<u64>().expect("a number")).sum()
}

#[test]
fn clients_using_all_descriptors_turn_no_target_down() {
    let _alone = crate::common::alone();
    let server = Server::answering(OK);
    let daemon = limited(64, &["--interval", "0.1", &server.url("http")]);
    daemon.wait_for_state("up");
    let line = daemon.next_line();
    assert!(line.contains(" is up"), "{line}");
    let idle: Vec<_> = (0..100).map(|_| TcpStream::connect(daemon.api).expect("connects")).collect();
    let checks = |daemon: &Daemon| {
        let (status, body) = daemon.get("/status");
        let snapshot: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((status, snapshot["transitions"].as_u64()), (200, Some(1)), "{body}");
        snapshot["last_check_ts"].as_f64().expect("a time")
    };
    let before = (checks(&daemon), ticks(&daemon));
    eventually("checks for two seconds", || (checks(&daemon) - before.0 > 2.0).then_some(()));
    let used = ticks(&daemon) - before.1;
    assert!(used < 100, "busy: {used} ticks in two seconds");
    assert_eq!(daemon.state(), "up");
    assert!(daemon.no_line());
    drop(idle);
}

/// It waits in the accept queue behind silent clients that have connected at the same moment.
#[test]
fn client_behind_descriptor_exhaustion_is_answered_soon() {
    let _alone = crate::common::alone();
    let server = Server::answering(OK);
    for clients in [100, 150] {
        let daemon = limited(64, &["--interval", "5", &server.url("http")]);
        daemon.wait_for_state("up");
        // Once more after the pending response to that client is dropped.
        eventually("no client", || (daemon.descriptors() < 20).then_some(()));
        let waited = (0..3).map(|_| {
            let idle: Vec<_> =
                (0..clients).map(|_| TcpStream::connect(daemon.api).expect("connects")).collect();
            let start = now();
            assert_eq!(daemon.state(), "up");
            let waited = now() - start;
            drop(idle);
            waited
        });
        let waited: Vec<_> = waited.collect();
        println!("behind {clients}: {waited:?}");
        // A busy machine may be late once.
        assert!(waited.iter().min() < Some(&Duration::from_millis(100)), "{waited:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn clients_using_all_descriptors_do_not_prevent_hooks() {
    let _alone = crate::common::alone();
    let log = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("limits-hook");
    let _ = std::fs::remove_file(&log);
    let server = Server::answering(OK);
    let hook = format!("sh -c 'echo $PINGSTATE_TO >> {}'", log.display());
    let daemon = limited(64, &["--interval", "0.2", "--on-change", &hook, &server.url("http")]);
    daemon.wait_for_state("up");
    let clients: Vec<_> = (0..150)
        .map(|_| {
            let mut client = TcpStream::connect(daemon.api).expect("connects");
            let _ = client.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
            client
        })
        .collect();
    assert_eq!(daemon.state(), "up", "after all of them were accepted");
    drop(server);
    let words = || std::fs::read_to_string(&log).unwrap_or_default();
    eventually("the hook", || (words() == "down\n").then_some(()));
    assert!(daemon.next_line().contains(" is up") && daemon.next_line().contains(" is degraded"));
    assert!(daemon.next_line().contains(" is down") && daemon.no_line());
    drop(clients);
}

/// A silent target has a connection for its whole timeout; together they would use all descriptors.
#[cfg(target_os = "linux")]
#[test]
fn silent_targets_take_no_descriptors_from_others() {
    let _alone = crate::common::alone();
    let dir = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (log, file) = (dir.join("limits-silent"), dir.join("limits-conf"));
    let _ = std::fs::remove_file(&log);
    let (healthy, failing) = (Server::answering(OK), Server::answering(OK));
    let silent = Server::start(|mut stream| drop(stream.read(&mut [0; 64 * 1024])));
    let mut text = "--interval 0.5\n--timeout 1\n--fall 1\n".to_owned();
    text += &format!("--on-change \"sh -c 'echo $PINGSTATE_TARGET $PINGSTATE_TO >> {}'\"\n", log.display());
    for i in 0..80 {
        text += &format!("silent{i} {} --check banner_contains:x\n", silent.url("tcp").trim_end_matches('/'));
    }
    text += &format!("healthy {}\nfailing {}\n", healthy.url("http"), failing.url("http"));
    std::fs::write(&file, text).expect("written");
    let daemon = limited(64, &["--config", file.to_str().expect("text")]);
    let state = |name: &str| daemon.get(&format!("/targets/{name}/state")).1;
    for name in ["healthy", "failing"] {
        eventually("a first check", || (state(name) == "up\n").then_some(()));
    }
    let clients: Vec<_> = (0..150).map(|_| TcpStream::connect(daemon.api).expect("connects")).collect();
    drop(failing);
    eventually("the other failure", || (state("failing") == "down\n").then_some(()));
    let words = || std::fs::read_to_string(&log).unwrap_or_default();
    eventually("its hook", || words().contains("failing down\n").then_some(()));
    let waits = (0..20).map(|_| {
        let start = now();
        assert_eq!(state("healthy"), "up\n");
        now() - start
    });
    let slowest = waits.max();
    let (_, healthy) = daemon.get("/targets/healthy");
    assert!(healthy.contains("\"transitions\": 1,"), "{healthy}");
    // A busy machine may be late.
    assert!(slowest < Some(Duration::from_millis(500)), "{slowest:?}");
    assert!(daemon.descriptors() < 64 - 6, "room to start a hook");
    drop(clients);
}

/// A pipe holds 64 KiB, this socket a few lines; a line has about 100 bytes.
#[cfg(target_os = "linux")]
#[test]
fn unread_log_does_not_block_the_daemon() {
    let _alone = crate::common::alone();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    flap_unread(reader, writer.into());
    let (reader, writer) = std::os::unix::net::UnixStream::pair().expect("a pair");
    socket2::SockRef::from(&writer).set_send_buffer_size(4096).expect("set");
    flap_unread(reader, std::os::fd::OwnedFd::from(writer).into());
}

/// Reads only the first line of a daemon with a target that constantly changes state.
#[cfg(target_os = "linux")]
fn flap_unread(mut reader: impl Read, stderr: Stdio) {
    let checks = AtomicUsize::new(0);
    let flapping = Server::start(move |mut stream| {
        read_head(&stream);
        let status = [200, 500][checks.fetch_add(1, Ordering::Relaxed) % 2];
        let _ = write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
    });
    let mut command = pingstate();
    command.args(["--api-port", "0", "--interval", "0.001", &flapping.url("http")]);
    let mut child = command.stderr(stderr).spawn().expect("the binary starts");
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        reader.read_exact(&mut byte).expect("a first line");
        line.extend(byte);
    }
    let line = String::from_utf8(line).expect("text");
    let (_, api) = line.trim_end().rsplit_once("http://").expect("the URL of the API");
    let api = api.parse().expect("an address");
    let transitions = || {
        let snapshot: serde_json::Value = serde_json::from_str(&get(api, "/status").2).expect("JSON");
        snapshot["transitions"].as_u64().expect("a count")
    };
    eventually("a thousand lines", || (transitions() > 1000).then_some(()));
    child.kill().expect("killed");
    child.wait().expect("gone");
}

#[test]
fn idle_clients_are_closed_after_the_timeout() {
    let _alone = crate::common::alone();
    let server = Server::answering(OK);
    let daemon = Daemon::start(&[&server.url("http")]);
    let mut idle = TcpStream::connect(daemon.api).expect("connects");
    let mut half = TcpStream::connect(daemon.api).expect("connects");
    half.write_all(b"GET /state HTTP/1.1\r\nHo").expect("sent");
    let start = now();
    let mut answer = String::new();
    half.set_read_timeout(Some(PATIENCE)).expect("set");
    half.read_to_string(&mut answer).expect("read");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    idle.set_read_timeout(Some(PATIENCE)).expect("set");
    assert_eq!(idle.read(&mut [0]).expect("closed in order"), 0);
    assert!(now() - start < Duration::from_secs(10));
}

#[test]
fn memory_does_not_grow_with_clients_that_pipeline_and_never_read() {
    let _alone = crate::common::alone();
    let server = Server::answering(OK);
    let daemon = Daemon::start(&["--interval", "0.1", &server.url("http")]);
    daemon.wait_for_state("up");
    let before = daemon.figure("VmHWM");
    let requests = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20_000);
    let greedy: Vec<_> = (0..20)
        .map(|_| {
            let stream = TcpStream::connect(daemon.api).expect("connects");
            stream.set_nonblocking(true).expect("set");
            let _ = (&stream).write(&requests);
            stream
        })
        .collect();
    for _ in 0..50 {
        let start = now();
        assert_eq!(daemon.state(), "up");
        assert!(now() - start < Duration::from_millis(500));
    }
    let grown = daemon.figure("VmHWM").saturating_sub(before);
    assert!(grown < 1024, "grew by {grown} kB");
    drop(greedy);
}

#[test]
fn memory_does_not_grow_with_hostile_targets() {
    let _alone = crate::common::alone();
    let flood = |first: &'static str, piece: String| {
        Server::start(move |mut stream| {
            read_head(&stream);
            let mut sent = stream.write_all(first.as_bytes());
            while sent.is_ok() {
                sent = stream.write_all(piece.as_bytes());
            }
        })
    };
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let servers = [
        flood("HTTP/1.1 200 OK\r\n", format!("X: {}\r\n", "y".repeat(1000))),
        flood("HTTP/1.1 200 OK\r\nX: ", "y".repeat(4096)),
        flood("", "HTTP/1.1 102 Processing\r\n\r\n".to_owned()),
        flood("HTTP/1.1 200 OK\r\n\r\n", "y".repeat(65_536)),
        flood(chunked, format!("1000\r\n{}\r\n", "y".repeat(4096))),
        flood("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", ";x=y".repeat(1000)),
        flood("", "\0\u{7f}garbage\u{1}".repeat(1000)),
    ];
    let urls: Vec<_> = servers.iter().map(|server| server.url("http")).collect();
    let mut args = vec!["--interval", "0.05", "--timeout", "0.5", "--check", "body_contains:needle"];
    args.extend(urls.iter().map(String::as_str));
    let daemon = Daemon::start(&args);
    daemon.wait_for_state("down");
    let checks = || daemon.get("/status").1.matches("\"event\"").count();
    eventually("full histories", || (checks() == 20 * urls.len()).then_some(()));
    let before = daemon.figure("VmHWM");
    let start = now();
    eventually("three seconds of it", || (now() - start > Duration::from_secs(3)).then_some(()));
    let grown = daemon.figure("VmHWM").saturating_sub(before);
    assert!(grown < 512, "grew by {grown} kB over {before} kB");
    assert!(daemon.figure("Threads") == 1);
}

#[test]
fn memory_does_not_grow_with_uptime() {
    let _alone = crate::common::alone();
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = Server::start(move |mut stream| {
        read_head(&stream);
        let _ = stream.write_all(OK.as_bytes());
        let _ = sender.send(());
    });
    let daemon = Daemon::start(&["--interval", "0.001", &server.url("http")]);
    let checks = |count: usize| {
        for _ in 0..count {
            receiver.recv_timeout(PATIENCE).expect("a check");
        }
    };
    checks(500);
    let (before, descriptors) = (daemon.figure("VmHWM"), daemon.descriptors());
    checks(4000);
    let grown = daemon.figure("VmHWM").saturating_sub(before);
    assert!(grown <= 256, "grew by {grown} kB in 4,000 checks");
    assert!(daemon.descriptors() <= descriptors + 4, "{} of {descriptors}", daemon.descriptors());
}
