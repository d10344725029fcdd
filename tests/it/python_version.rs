//! The snapshot compared with that of the Python version, where its package can be installed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::common::*;

/// Installs the Python version into the build directory; `None`, with a message, on failure.
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
    crate::common::missing("pip");
    None
}

struct PythonVersion(Child);

impl Drop for PythonVersion {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The text with every number replaced by the same one.
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
fn snapshot_matches_the_python_version() {
    let Some(command) = original() else { return };
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let refused = closed_port();
    for (protocol, target, state) in
        [("http", server.address, "up"), ("tcp", server.address, "up"), ("http", refused, "down")]
    {
        let port = target.port().to_string();
        let args = ["--protocol", protocol, "--address", "127.0.0.1", "--port", &port, "--interval", "60"];
        let api = closed_port();
        let child = Command::new(&command)
            .args(args)
            .args(["--api-port", &api.port().to_string()])
            .stderr(Stdio::null())
            .spawn();
        let _python = PythonVersion(child.expect("starts"));
        let theirs = eventually("the result of the Python version", || {
            std::net::TcpStream::connect(api).ok()?;
            let (_, _, body) = get(api, "/status");
            body.contains(&format!("\"state\": \"{state}\"")).then_some(body)
        });
        let daemon = Daemon::start(&args);
        daemon.wait_for_state(state);
        let ours = daemon.get("/status").1;
        // New keys follow the last key of the Python version.
        let (ours, _) = ours.split_once(",\n  \"name\": ").expect("a name");
        let ours = &format!("{ours}\n}}\n");
        if state == "up" {
            assert_eq!(shape(ours), shape(&theirs), "{ours}\n{theirs}");
        }
        // The text of a connection error differs; keys, order and nulls are the same.
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
