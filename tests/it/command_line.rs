//! The command line of the real binary: arguments, standard input and output, the log.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use crate::common::*;

fn run(args: &[&str]) -> Output {
    pingstate().args(args).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// A file for one test with this text.
fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("command-line-{name}"));
    fs::write(&path, text).expect("written");
    path
}

/// Runs it with this standard input, through a pipe.
fn run_with_input(args: &[&str], input: &str) -> Output {
    let mut command = pingstate();
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("runs");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("written");
    child.wait_with_output().expect("ends")
}

#[test]
fn all_wrong_targets_get_a_line() {
    let output = run(&["--once", "foo", "tcp://127.0.0.1:0", "web:http://h/", "tcp://127.0.0.1:1"]);
    let lines = text(&output.stderr);
    assert_eq!(
        (output.status.code(), lines.lines().count(), output.stdout.len()),
        (Some(2), 3, 0),
        "{lines}"
    );
    for (line, target) in lines.lines().zip(["foo", "tcp://127.0.0.1:0", "web:http://h/"]) {
        assert!(line.starts_with(&format!("pingstate: TARGET {target}: ")), "{line}");
    }
    let output = run(&["--fall=x", "--rise=y"]);
    assert_eq!((output.status.code(), text(&output.stderr).lines().count()), (Some(2), 2));
}

#[test]
fn a_path_is_refused_with_a_tcp_target_and_ignored_with_the_flags_of_the_python_version() {
    let address = closed_port();
    let port = address.port().to_string();
    let refused = run(&["--once", "--path", "/x", &format!("tcp://{address}")]);
    let expected = "pingstate: --path: cannot be combined with TARGET, which states it already\n";
    assert_eq!((refused.status.code(), text(&refused.stderr)), (Some(2), expected.to_owned()));
    let flags = ["--once", "--protocol", "tcp", "--path", "/x", "--address", "127.0.0.1", "--port", &port];
    assert_eq!(run(&flags).status.code(), Some(1));
}

#[test]
fn the_targets_are_read_from_standard_input() {
    let args = ["--config", "-", "--check-config"];
    let good = run_with_input(&args, "a tcp://127.0.0.1:1\n");
    assert_eq!(
        (good.status.code(), text(&good.stdout)),
        (Some(0), "standard input: 1 target, ok\n".to_owned())
    );
    let wrong = run_with_input(&args, "\na tcp://127.0.0.1:0\n");
    let line = text(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2), "{line}");
    assert!(line.starts_with("pingstate: standard input:2: URL tcp://127.0.0.1:0: port"), "{line}");
    let once = run_with_input(&["--config=-", "--once"], &format!("a tcp://{}\n", closed_port()));
    assert_eq!(once.status.code(), Some(1), "{once:?}");
}

#[test]
fn standard_input_that_every_user_can_write_must_not_run_commands() {
    let run_a = |mode| {
        let path = file("writable", "a exec:true\n");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
        let mut command = pingstate();
        command.args(["--config=-", "--check-config"]).stdin(File::open(path).expect("opened"));
        command.output().expect("runs")
    };
    assert_eq!(run_a(0o644).status.code(), Some(0));
    let refused = text(&run_a(0o666).stderr);
    assert!(refused.starts_with("pingstate: standard input: every user can write to the file"), "{refused}");
    let piped = run_with_input(&["--config=-", "--check-config"], "a exec:true\n");
    assert_eq!(piped.status.code(), Some(0), "{piped:?}");
}

#[test]
fn a_reload_of_standard_input_is_refused() {
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let path = file("stdin", &format!("a {}\n", server.url("http")));
    let mut command = pingstate();
    command.args(["--api-port", "0", "--config", "-"]).stdin(File::open(path).expect("opened"));
    let daemon = Daemon::spawn(command);
    daemon.wait_for_state("up");
    daemon.next_line();
    daemon.signal("-HUP");
    let expected = "pingstate: reload failed, the configuration is unchanged: standard input cannot be read again \
                    (restart, or use --config FILE)";
    assert_eq!(daemon.next_line(), expected);
    assert_eq!(daemon.state(), "up");
    let (status, _) = daemon.end("-TERM");
    assert!(status.success());
}
