//! Periodic requests: metrics pushed to Debian's VictoriaMetrics and Pushgateway, and requests to monitors that expect
//! them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;

use crate::common::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A program that receives metrics, with a directory for its data.
pub(crate) struct Receiver {
    child: Child,
    pub(crate) address: SocketAddr,
    directory: PathBuf,
}

impl Receiver {
    pub(crate) fn start(program: &str, version: &str, args: &[&str]) -> Option<Receiver> {
        if !has(program, &[version]) {
            return None;
        }
        let address = closed_port();
        let directory = std::env::temp_dir().join(format!("pingstate-push-{}", address.port()));
        let replaced = |arg: &&str| {
            arg.replace("ADDRESS", &address.to_string())
                .replace("DIRECTORY", &directory.display().to_string())
        };
        let child = Command::new(program)
            .args(args.iter().map(replaced))
            .env("GOMAXPROCS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        eventually(program, || TcpStream::connect(address).ok());
        Some(Receiver { child, address, directory })
    }

    /// The body of the response.
    pub(crate) fn get(&self, path: &str) -> String {
        body(self.address, path)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn body(address: SocketAddr, path: &str) -> String {
    // HTTP/1.0 has no chunks.
    let response = talk(address, format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes());
    let response = String::from_utf8(response).expect("text");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains(" 200 ") || head.contains(" 204 "), "{path}: {response}");
    body.to_owned()
}

/// The series in the text format, as the receivers name them: labels in order, and without `job` and `instance`.
fn series(text: &str) -> BTreeSet<String> {
    let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let canonical = |line: &str| {
        let (series, _) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        // An empty label is no label, which VictoriaMetrics leaves out.
        let labels = labels.trim_end_matches('}').split(',');
        let labels = labels.filter(|label| !label.is_empty() && !label.ends_with("=\"\""));
        let labels: BTreeSet<_> =
            labels.filter(|label| !label.starts_with("job=") && !label.starts_with("instance=")).collect();
        format!("{name} {labels:?}")
    };
    samples.map(canonical).collect()
}

/// The same of the lines of JSON that VictoriaMetrics exports.
fn exported(lines: &str) -> BTreeSet<String> {
    let canonical = |line: &str| {
        let json: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let metric = json["metric"].as_object().expect("labels");
        let labels: BTreeSet<_> = metric
            .iter()
            .filter(|(name, value)| *name != "__name__" && *value != "")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("{} {labels:?}", metric["__name__"].as_str().expect("a name"))
    };
    lines.lines().map(canonical).collect()
}

fn assert_no_failure(mut daemon: Daemon) {
    let lines: Vec<String> = daemon.stderr().try_iter().collect();
    assert!(!lines.iter().any(|line| line.contains("will be retried")), "{lines:?}");
}

#[test]
fn series_arrive_in_victoria_metrics_and_in_a_pushgateway() {
    let victoria = Receiver::start(
        "victoria-metrics",
        "-version",
        &["-httpListenAddr=ADDRESS", "-storageDataPath=DIRECTORY", "-memory.allowedBytes=64MiB"],
    );
    let gateway = Receiver::start(
        "prometheus-pushgateway",
        "--version",
        &["--web.listen-address=ADDRESS", "--persistence.file="],
    );
    let up = Server::answering(OK);
    let targets = [up.url("http"), format!("tcp://{}", closed_port())];
    let start = |url: &str| {
        let daemon = Daemon::start(&["--push-url", url, "--push-interval", "1", &targets[0], &targets[1]]);
        eventually("both targets have a state", || {
            let text = daemon.get("/metrics").1;
            (text.matches("\npingstate_up{").count() == 2).then_some(())
        });
        daemon
    };
    if let Some(victoria) = victoria {
        let daemon = start(&format!("http://{}/api/v1/import/prometheus", victoria.address));
        let expected = series(&daemon.get("/metrics").1);
        assert!(expected.len() > 50, "{expected:?}");
        eventually("VictoriaMetrics has all series", || {
            victoria.get("/internal/force_flush");
            let found = exported(&victoria.get("/api/v1/export?match%5B%5D=%7B__name__!=%22%22%7D"));
            expected.is_subset(&found).then_some(())
        });
        assert_no_failure(daemon);
    }
    if let Some(gateway) = gateway {
        let daemon = start(&format!("http://{}/metrics/job/pingstate", gateway.address));
        let expected = series(&daemon.get("/metrics").1);
        eventually("the Pushgateway has all series", || {
            let pushed = gateway.get("/metrics");
            let pushed: String =
                pushed.split_inclusive('\n').filter(|line| line.contains("job=\"pingstate\"")).collect();
            expected.is_subset(&series(&pushed)).then_some(())
        });
        assert_no_failure(daemon);
    }
}

#[test]
fn a_receiver_that_is_down_at_first_gets_the_header_fields_of_the_file() {
    let address = closed_port();
    let file = std::env::temp_dir().join(format!("pingstate-push-headers-{}", std::process::id()));
    fs::write(&file, "Authorization: Bearer s3cret\n").expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("set");
    let url = format!("http://{address}/api/s3cret");
    let target = format!("tcp://{address}");
    let daemon = Daemon::start(&[
        "--push-url",
        &url,
        "--push-interval",
        "1",
        "--push-header-file",
        file.to_str().expect("text"),
        "--interval=1d",
        &target,
    ]);
    let line =
        format!("pingstate: push to http://{address}: connection refused by {address}, will be retried");
    eventually("the failure", || (daemon.next_line() == line).then_some(()));
    let (sender, received) = channel();
    let _server = Server::start_at(address, move |stream| {
        let head = read_head(&stream);
        let _ = (&stream).write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        let _ = sender.send(head);
        // Closing with unread bytes would reset the connection before the response is read.
        let _ = (&stream).read_to_end(&mut Vec::new());
    });
    eventually("the recovery", || {
        let line = daemon.next_line();
        line.starts_with(&format!("pingstate: push to http://{address}: works again after ")).then_some(())
    });
    let head = eventually("the push", || {
        let head = received.recv_timeout(PATIENCE).expect("a request");
        head.starts_with("POST ").then_some(head)
    });
    assert!(head.starts_with("POST /api/s3cret HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nAuthorization: Bearer s3cret\r\n"), "{head}");
    let _ = fs::remove_file(&file);
}

#[cfg(feature = "tls")]
#[test]
fn alive_requests_trust_the_certificates_of_ca_file() {
    use crate::https::{answer, server_config};

    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let config = server_config(&certificate, &key);
    let (sender, answered) = channel();
    let server = Server::start(move |stream| {
        answer(stream, config.clone());
        let _ = sender.send(());
    });
    let file = std::env::temp_dir().join(format!("pingstate-alive-{}.pem", std::process::id()));
    fs::write(&file, certificate.pem()).expect("written");
    let url = format!("https://localhost:{}/s3cret", server.address.port());
    let target = format!("tcp://{}", server.address);
    let daemon = Daemon::start(&["--alive-url", &url, "--no-verify-tls", "--interval=1d", &target]);
    let start = format!("pingstate: alive request to https://localhost:{}: ", server.address.port());
    let line = eventually("the failure", || Some(daemon.next_line()).filter(|line| line.starts_with(&start)));
    assert!(line.contains("certificate") && line.ends_with(", will be retried"), "{line}");
    drop(daemon);
    while answered.try_recv().is_ok() {}
    let file_name = file.to_str().expect("text");
    let daemon = Daemon::start(&[
        "--alive-url",
        &url,
        "--alive-interval",
        "1",
        "--ca-file",
        file_name,
        "--interval=1d",
        &target,
    ]);
    // The check of the target is one of three connections.
    for _ in 0..3 {
        answered.recv_timeout(PATIENCE).expect("a request");
    }
    assert_no_failure(daemon);
    let _ = fs::remove_file(&file);
}

#[test]
fn single_checks_ignore_the_requests_and_the_file_is_validated() {
    let server = Server::answering(OK);
    let args = ["--once", "--push-url", "http://127.0.0.1:1/", "--push-header-file", "/none"];
    let output = pingstate().args(args).arg(server.url("http")).output().expect("runs");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    let config = std::env::temp_dir().join(format!("pingstate-push-{}.conf", std::process::id()));
    fs::write(&config, "--push-url http://h/s3cret --push-header-file /none\na tcp://h:1\n")
        .expect("written");
    let name = config.to_str().expect("text");
    let output = pingstate().args(["--check-config", "--config", name]).output().expect("runs");
    let stderr = String::from_utf8(output.stderr).expect("text");
    let line = format!("pingstate: {name}: --push-header-file: /none: No such file or directory\n");
    assert_eq!((output.status.code(), stderr), (Some(2), line));
    let _ = fs::remove_file(&config);
}
