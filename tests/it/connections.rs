//! tcp targets on real sockets: text that is sent, and half-open connections.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;

use crate::common::*;

/// The exit code and the line that `--once` prints.
fn once(args: &[&str]) -> (Option<i32>, String) {
    let output = pingstate().arg("--once").args(args).output().expect("runs");
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}

#[test]
fn the_server_does_not_see_half_open_connections() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(address) else {
            missing("ipv6");
            continue;
        };
        listener.set_nonblocking(true).expect("non-blocking");
        let url = format!("tcp://{}", listener.local_addr().expect("bound"));
        for _ in 0..20 {
            let (code, line) = once(&["--half-open", &url]);
            assert!(code == Some(0) && line.ends_with("connect ok\n"), "{line}");
        }
        let accepted = listener.accept().map_err(|error| error.kind());
        assert_eq!(accepted.err(), Some(ErrorKind::WouldBlock));
        // Other connections are seen.
        assert_eq!(once(&[&url]).0, Some(0));
        eventually("a connection", || listener.accept().ok());
        drop(listener);
        let (code, line) = once(&["--half-open", &url]);
        assert!(code == Some(1) && line.contains("connection refused"), "{line}");
    }
}

#[test]
fn many_half_open_connections_leave_no_trace_in_the_daemon() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    listener.set_nonblocking(true).expect("non-blocking");
    let url = format!("tcp://{}", listener.local_addr().expect("bound"));
    let daemon = Daemon::start(&["--half-open", "--interval", "0.01", &url]);
    eventually("many checks", || {
        let metrics = daemon.get("/metrics").1;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("pingstate_checks_total{") && line.contains("ok"))?;
        let count: u32 = line.rsplit(' ').next()?.parse().ok()?;
        (count >= 100).then_some(())
    });
    assert_eq!(daemon.state(), "up");
    assert_eq!(listener.accept().map_err(|error| error.kind()).err(), Some(ErrorKind::WouldBlock));
}

#[test]
fn a_server_gets_the_text_and_its_answer_is_checked() {
    let server = Server::start(|mut stream| {
        let mut request = [0; 9];
        if stream.read_exact(&mut request).is_ok() {
            let _ =
                stream.write_all(if request == *b"PING\0\xff \r\n" { b"+PONG\r\n" } else { b"-ERR\r\n\0" });
        }
    });
    let url = server.url("tcp");
    let (code, line) = once(&["--send", r"PING\x00\xff \r\n", "--check", "banner_contains:+PONG", &url]);
    assert!(code == Some(0) && line.contains("banner: '+PONG'"), "{line}");
    let (code, line) = once(&["--send", r"PING\\tt\r\n", "--check", "banner_contains:+PONG", &url]);
    assert!(code == Some(1) && line.contains("-ERR"), "{line}");
    assert_eq!(once(&["--send", "x", &url]).0, Some(0));
    for (flags, error) in [
        (
            &["--half-open", "--send", "x"][..],
            "--half-open: cannot be combined with --send, which needs a connection",
        ),
        (
            &["--half-open", "--check", "banner_contains:x"],
            "--half-open: cannot be combined with a check of the banner, which needs a connection",
        ),
    ] {
        let output = pingstate().arg("--once").args(flags).arg(&url).output().expect("runs");
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(String::from_utf8_lossy(&output.stderr), format!("pingstate: {error}\n"));
    }
}
