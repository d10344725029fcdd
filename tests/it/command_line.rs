//! The command line of the real binary: arguments, standard input and output, the log.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, Write};
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

#[test]
fn results_are_printed_in_the_given_order_as_soon_as_possible() {
    let (sender, requests) = std::sync::mpsc::channel();
    let slow = Server::start(move |stream| {
        read_head(&stream);
        let _ = sender.send(stream);
    });
    let closed = format!("tcp://{}", closed_port());
    let targets = [closed, slow.url("http"), format!("http://{}/", closed_port())];
    let mut command = pingstate();
    command.arg("--once").args(&targets).arg("tcp://name.invalid:1");
    let mut child = command.stdout(Stdio::piped()).spawn().expect("runs");
    let mut lines = std::io::BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut next = || lines.next().and_then(Result::ok).unwrap_or_default();
    assert!(next().contains(&targets[0]), "the first result is printed before the second is known");
    let stream = requests.recv_timeout(PATIENCE).expect("a request");
    (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("answered");
    assert!(next().starts_with("up "));
    assert!(next().contains(&targets[2]));
    assert!(next().contains("name.invalid"));
    assert_eq!((next(), child.wait().expect("ends").code()), (String::new(), Some(3)));
}

#[test]
fn results_are_printed_as_json_lines() {
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let token = file("token", "s3cret-s3cret-s3cret");
    fs::set_permissions(&token, Permissions::from_mode(0o600)).expect("set");
    let config = format!(
        "gone tcp://{}\n'my \"web' {}\njob heartbeat: --interval 1d --token-file {}\n",
        closed_port(),
        server.url("http"),
        token.display()
    );
    let output = run_with_input(&["--once", "--json", "--config=-"], &config);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), String::new()));
    let out = text(&output.stdout);
    let objects: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("one object per line")).collect();
    let fields: Vec<_> = objects.iter().map(|object| (&object["name"], &object["state"])).collect();
    let expected = [("gone", "down"), ("my \"web", "up"), ("job", "unknown")];
    assert_eq!(fields.len(), expected.len(), "{out}");
    for ((name, state), expected) in fields.into_iter().zip(expected) {
        assert_eq!((name.as_str(), state.as_str()), (Some(expected.0), Some(expected.1)));
    }
    assert_eq!((&objects[0]["error"], &objects[1]["http_status"]), (&"refused".into(), &200.into()));
    let daemon = Daemon::start(&["--name", "web", &server.url("http")]);
    let api: serde_json::Value = serde_json::from_str(&daemon.get("/targets/web").1).expect("JSON");
    let keys = |object: &serde_json::Value| {
        object.as_object().expect("an object").keys().cloned().collect::<Vec<_>>()
    };
    // A single check has no history.
    let expected: Vec<_> = keys(&api).into_iter().filter(|key| key != "uptime").collect();
    assert_eq!(keys(&objects[1]), expected, "the keys are those of the API");
    let refused = run(&["--json", "tcp://127.0.0.1:1"]);
    assert_eq!(text(&refused.stderr), "pingstate: --json: needs --once\n");
}

#[test]
fn a_single_check_ignores_pauses_and_notifications() {
    let path = file("hook-ran", "");
    fs::remove_file(&path).expect("removed");
    let config = format!(
        "--notify all --webhook http://{}/ --webhook-header-file /nonexistent --hook-first\n\
         --on-change \"sh -c 'echo x >{}'\"\n\
         a tcp://{} --paused\nb tcp://{} --on-change /nonexistent/program\n",
        closed_port(),
        path.display(),
        closed_port(),
        closed_port(),
    );
    let output = run_with_input(&["--once", "--config=-"], &config);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), String::new()));
    assert_eq!(text(&output.stdout).matches("connection refused").count(), 2);
    assert!(!path.exists(), "the command ran");
}

#[test]
fn output_that_cannot_be_written_is_exit_4() {
    let closed = format!("tcp://{}", closed_port());
    for args in [&["--once", &closed, "tcp://name.invalid:1"][..], &["--help"], &["--version"]] {
        let full = File::create("/dev/full").expect("linux");
        let output = pingstate().args(args).stdout(full).stderr(Stdio::piped()).output().expect("runs");
        let expected = "pingstate: cannot write to standard output: No space left on device\n";
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(4), expected.to_owned()), "{args:?}");
    }
    let mut child = pingstate()
        .args(["--once", "--timeout=60", "--config=-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    // The reader is gone before the first result; the second target would take a minute.
    drop(child.stdout.take());
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let url = silent.local_addr().expect("bound");
    let config = format!("a {closed}\nb http://{url}/\n");
    child.stdin.take().expect("piped").write_all(config.as_bytes()).expect("written");
    let start = now();
    let output = child.wait_with_output().expect("ends");
    let line = text(&output.stderr);
    assert_eq!(
        (output.status.code(), &*line),
        (Some(4), "pingstate: cannot write to standard output: Broken pipe\n")
    );
    assert!(now() - start < PATIENCE);
}

/// The first line of a daemon with these arguments, as it is on its standard error.
fn first_line(args: &[&str]) -> String {
    let mut command = pingstate();
    command.args(["--api-port", "0"]).args(args).arg("tcp://127.0.0.1:1");
    first_line_of(command.stderr(Stdio::piped()))
}

fn first_line_of(command: &mut std::process::Command) -> String {
    let mut child = command.spawn().expect("runs");
    let (out, errors) = (child.stdout.take(), child.stderr.take());
    let pipe: Box<dyn std::io::Read> = match errors {
        Some(errors) => Box::new(errors),
        None => Box::new(out.expect("piped")),
    };
    let mut line = String::new();
    let read = std::io::BufReader::new(pipe).read_line(&mut line);
    let _ = child.kill();
    let _ = child.wait();
    read.expect("a line");
    line
}

#[test]
fn lines_of_a_daemon_have_the_time_unless_their_reader_adds_it() {
    let start = "probing tcp://127.0.0.1:1 every 5 s";
    for args in [&[][..], &["--log-format=auto"], &["--log-format=time"]] {
        let line = first_line(args);
        let (time, rest) = line.split_once(' ').expect("words");
        assert!(rest.starts_with(&format!("pingstate: {start}")), "{line}");
        let shape = time.replace(|c: char| c.is_ascii_digit(), "0");
        assert_eq!(shape, "0000-00-00T00:00:00Z", "{line}");
        // The same day by date(1), unless midnight was between them.
        let date = || {
            let output =
                std::process::Command::new("date").args(["-u", "+%Y-%m-%d"]).output().expect("date runs");
            text(&output.stdout).trim().to_owned()
        };
        assert!([&time[..10], &first_line(args)[..10]].contains(&date().as_str()), "{line}");
    }
    assert!(first_line(&["--log-format=plain"]).starts_with(&format!("pingstate: {start}")));
    assert!(first_line(&["--log-format=journal"]).starts_with(&format!("<6>{start}")));
    let once = run(&["--once", "--header=Cookie: x", "http://name.invalid/"]);
    assert!(text(&once.stderr).starts_with("pingstate: --header: "), "a single check has no time");
    let wrong = run(&["--log-format=time", "--fall=x"]);
    assert_eq!(text(&wrong.stderr), "pingstate: --fall: `x` is not a whole number\n");
    let unknown = run(&["--log-format=iso"]);
    let expected = "pingstate: --log-format: `iso` is not auto, plain, time or journal\n";
    assert_eq!(text(&unknown.stderr), expected);
}

#[test]
fn the_format_of_the_log_is_set_in_the_file_and_by_a_terminal() {
    let path = file("format", "--log-format plain\na tcp://127.0.0.1:1\n");
    let path = path.to_str().expect("text");
    let mut command = pingstate();
    let line = first_line_of(command.args(["--api-port=0", "--config", path]).stderr(Stdio::piped()));
    assert!(line.starts_with("pingstate: probing "), "{line}");
    if !has("script", &["--version"]) {
        return;
    }
    let daemon = format!("exec {} --api-port 0 tcp://127.0.0.1:1", binary().to_string_lossy());
    let mut command = std::process::Command::new("script");
    command.args(["-qefc", &daemon, "/dev/null"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let line = first_line_of(command.env_remove("JOURNAL_STREAM"));
    assert!(line.starts_with("pingstate: probing "), "{line:?}");
}

#[test]
fn settings_that_are_hardly_meant_are_reported_once_for_all_targets() {
    let start = "--timeout 10\n".to_owned();
    let lines = (0..500).map(|i| format!("n{i} tcp://127.0.0.1:{}\n", i + 1)).collect::<String>();
    let warning = "standard input:2: --timeout: a check can take 10 s, but the next one is due after 5 s and is then \
                   skipped (raise --interval) (and 499 more targets)";
    let checked = run_with_input(&["--config=-", "--check-config"], &(start + &lines));
    assert_eq!((checked.status.code(), text(&checked.stderr)), (Some(0), format!("pingstate: {warning}\n")));
    let output = run_with_input(&["--config=-", "--check-config"], "a tcp://127.0.0.1:1\nweb: http://h\n");
    let warning = "pingstate: standard input:2: NAME web:: the colon is a part of the name (write web)\n";
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), warning.to_owned()));
    let daemon = Daemon::start(&["--retries=9", "tcp://127.0.0.1:1"]);
    let warning = "pingstate: --retries: all attempts of a check can take 29 s, but the next one is due after 5 s and is \
                   then skipped (raise --interval)";
    assert_eq!(daemon.warnings, [warning]);
    let once = run(&["--once", "--timeout=60", "tcp://127.0.0.1:1"]);
    assert_eq!(text(&once.stderr), "");
}

#[test]
fn mistakes_in_notifications_are_reported_before_an_outage() {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let script = file("script", "#!/bin/sh\n");
    fs::set_permissions(&script, Permissions::from_mode(0o644)).expect("set");
    let readable = file("readable", "A: b\n");
    fs::set_permissions(&readable, Permissions::from_mode(0o644)).expect("set");
    let (script, readable) = (script.display(), readable.display());
    for (flags, expected) in [
        (
            format!("--on-change {script}"),
            format!("--on-change: `{script}` is not executable here (chmod +x"),
        ),
        ("--on-change /none/x".to_owned(), "--on-change: `/none/x` cannot be run: No such file".to_owned()),
        ("--on-change 'echo x | mail me'".to_owned(), "--on-change: `|` is shell syntax, but".to_owned()),
        ("--webhook ntfy.sh/x".to_owned(), "--webhook: the URL does not begin with http:// or".to_owned()),
        ("--webhook https://ntfy,sh/x".to_owned(), "--webhook: host `ntfy,sh` cannot hold `,`".to_owned()),
        (
            format!("--webhook http://h --webhook-header-file {readable}"),
            format!("--webhook-header-file: {readable}: others can read it: it has mode 644 (run chmod 600)"),
        ),
        (
            format!("--webhook http://h --webhook-header-file {}/none", directory.display()),
            format!("--webhook-header-file: {}/none: No such file", directory.display()),
        ),
    ] {
        let output =
            run_with_input(&["--config=-", "--check-config"], &format!("a tcp://127.0.0.1:1 {flags}\n"));
        let line = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags}: {line}");
        assert!(line.starts_with(&format!("pingstate: standard input:1: {expected}")), "{flags}: {line}");
    }
}
