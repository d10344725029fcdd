//! Notifications of the binary: formats of webhooks, and test messages.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Output;
use std::sync::mpsc::{Receiver, channel};

use crate::common::*;

/// A receiver that responds with this status, and the head and body of each request.
fn receiver(status: &'static str) -> (Server, Receiver<(String, String)>) {
    let (sender, requests) = channel();
    let server = Server::start(move |stream| {
        let head = read_head(&stream);
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        (&stream).read_exact(&mut body).expect("a body");
        let _ = (&stream).write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes());
        let _ = sender.send((head, String::from_utf8(body).expect("text")));
    });
    (server, requests)
}

/// A file that only its owner can read.
fn secret(name: &str, text: &str) -> String {
    let path = std::env::temp_dir().join(format!("pingstate-{name}-{}", std::process::id()));
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("set");
    path.to_str().expect("text").to_owned()
}

fn run(args: &[&str]) -> Output {
    std::process::Command::new(binary()).args(args).output().expect("runs")
}

#[test]
fn a_webhook_posts_the_sentence_alone_with_fields_of_a_file() {
    let (server, requests) = receiver("200 OK");
    let fields = secret("fields", "Authorization: Bearer s3cret\nTitle: pingstate\n");
    let closed = format!("tcp://{}", closed_port());
    let url = server.url("http") + "topic";
    let _daemon = Daemon::start(&[
        "--interval",
        "0.1",
        "--webhook",
        &url,
        "--webhook-format",
        "text",
        "--webhook-header-file",
        &fields,
        &closed,
    ]);
    let (head, body) = requests.recv_timeout(PATIENCE).expect("a request");
    let address = closed.strip_prefix("tcp://").expect("an address");
    assert_eq!(body, format!("{address} is down: connection refused by {address}"));
    for line in
        ["Authorization: Bearer s3cret", "Title: pingstate", "Content-Type: text/plain; charset=utf-8"]
    {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{head}");
    }
    std::fs::remove_file(fields).expect("removed");
}

#[test]
fn test_messages_reach_each_receiver_once() {
    let (server, requests) = receiver("204 No Content");
    let (first, second) = (server.url("http") + "first", server.url("http") + "second");
    let config = secret(
        "receivers",
        &format!(
            "a tcp://127.0.0.1:1 --webhook {first} --webhook-text-key content --remind 1h\n\
             b tcp://127.0.0.1:1 --webhook {first} --webhook-text-key content\n\
             c tcp://127.0.0.1:1 --webhook {second} --on-change \"sh -c 'echo $PINGSTATE_TEST $PINGSTATE_TEXT'\"\n\
             d tcp://127.0.0.1:1\n"
        ),
    );
    let output = run(&["--config", &config, "--test-notify"]);
    let text = String::from_utf8(output.stdout).expect("text");
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    let url = server.url("http");
    let url = url.trim_end_matches('/');
    let expected = [
        format!("sent    {url} (of a): HTTP 204"),
        format!("sent    {url} (of c): HTTP 204"),
        "sent    sh (of c): exit status 0: 1 c: this is a test of the notifications".to_owned(),
    ];
    assert_eq!((lines, output.status.code()), (expected.iter().map(String::as_str).collect(), Some(0)));
    let mut bodies: Vec<_> = (0..2).map(|_| requests.recv_timeout(PATIENCE).expect("a request").1).collect();
    bodies.sort_unstable();
    for (body, name, has_key) in [(&bodies[0], "a", true), (&bodies[1], "c", false)] {
        let json: serde_json::Value = serde_json::from_str(body).expect("JSON");
        let sentence = format!("{name}: this is a test of the notifications");
        assert_eq!((&json["test"], &json["target"]), (&true.into(), &name.into()), "{body}");
        assert_eq!(json["text"], sentence);
        assert_eq!(json["content"] == sentence, has_key);
    }
    assert!(requests.try_recv().is_err(), "another request");
    std::fs::remove_file(config).expect("removed");
}

#[test]
fn a_receiver_that_fails_its_test_is_reported() {
    let (server, _requests) = receiver("403 Forbidden");
    let url = server.url("http") + "s3cret";
    let hook = "sh -c 'echo no such topic >&2; exit 3'";
    let output = run(&["--test-notify", "--on-change", hook, "--webhook", &url, "tcp://127.0.0.1:1"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("failed  sh (of 127.0.0.1:1): exit status 3: no such topic\n"), "{text}");
    assert!(text.contains(" (of 127.0.0.1:1): HTTP 403\n") && !text.contains("s3cret"), "{text}");
    assert_eq!(output.status.code(), Some(1));
    let output = run(&["--test-notify", "tcp://127.0.0.1:1"]);
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(text, "pingstate: --test-notify: no target has --on-change or --webhook\n");
    assert_eq!(output.status.code(), Some(2));
}
