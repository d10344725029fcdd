//! The snapshot beside that of the Python original, where its package can be installed.
#![allow(clippy::expect_used, clippy::panic)] // A test that cannot go on says why.

mod common;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::*;

/// Installs the original into the build's own directory; `None`, with a message, where that fails.
fn original() -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("original");
    let command = home.join("bin/pingstate");
    if command.exists() {
        return Some(command);
    }
    let run = |program: &Path, args: &[&str]| {
        let status = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let venv = ["-m", "venv", home.to_str()?];
    let install = ["install", "--quiet", "--retries", "0", "--timeout", "20", "pingstate"];
    if run(Path::new("python3"), &venv) && run(&home.join("bin/pip"), &install) {
        return Some(command);
    }
    common::missing("pip");
    None
}

struct Original(Child);

impl Drop for Original {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The text with every number made the same.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    for c in text.trim_end().chars() {
        match c.is_ascii_digit() {
            true if shape.ends_with('9') => {}
            true => shape.push('9'),
            false => shape.push(c),
        }
    }
    shape
}

#[test]
fn the_snapshot_reads_as_the_original_s() {
    let Some(command) = original() else { return };
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let refused = TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("bound");
    for (protocol, target, state) in
        [("http", server.address, "up"), ("tcp", server.address, "up"), ("http", refused, "down")]
    {
        let port = target.port().to_string();
        let args = ["--protocol", protocol, "--address", "127.0.0.1", "--port", &port, "--interval", "60"];
        let api: SocketAddr = TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("bound");
        let child = Command::new(&command)
            .args(args)
            .args(["--api-port", &api.port().to_string()])
            .stderr(Stdio::null())
            .spawn();
        let _original = Original(child.expect("starts"));
        let theirs = eventually("the original's verdict", || {
            std::net::TcpStream::connect(api).ok()?;
            let (_, _, body) = get(api, "/status");
            body.contains(&format!("\"state\": \"{state}\"")).then_some(body)
        });
        let daemon = Daemon::start(&args);
        daemon.wait_for_state(state);
        let ours = daemon.get("/status").1;
        // What is new follows the last key of the original's.
        let (ours, _) = ours.split_once(",\n  \"name\": ").expect("a name");
        let ours = &format!("{ours}\n}}\n");
        if state == "up" {
            assert_eq!(shape(ours), shape(&theirs), "{ours}\n{theirs}");
        }
        // What the system says of a refusal is worded differently; keys, order and nulls are the same.
        let keys = |text: &str| {
            let key =
                |line: &str| line.split_once(": ").map(|(key, value)| (key.to_owned(), value == "null,"));
            text.lines().filter_map(key).collect::<Vec<_>>()
        };
        assert_eq!(keys(ours), keys(&theirs), "{ours}\n{theirs}");
        for path in ["/state", "/healthz", "/nothing"] {
            let (status, _, body) = get(api, path);
            assert_eq!(daemon.get(path), (status, body), "{path}");
        }
    }
}
