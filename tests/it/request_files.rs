//! Request bodies, logins and secret files with real servers, and checks of their responses.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::common::*;

/// A directory that is removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("pingstate-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("created");
        Directory(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("written");
        set_mode(&path, 0o600);
        path.display().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
}

/// Answers with the request as JSON: `method`, `auth`, `token` and `body`.
fn mirror() -> Server {
    Server::start(|stream| {
        let head = read_head(&stream);
        let field = |name: &str| {
            let line = head.lines().find(|line| line.to_lowercase().starts_with(name));
            line.and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value.trim())
        };
        let mut body = vec![0; field("content-length:").parse().unwrap_or(0)];
        (&stream).read_exact(&mut body).expect("a body");
        let json = format!(
            "{{\"method\": \"{}\", \"auth\": \"{}\", \"token\": \"{}\", \"body\": {}, \"length\": {}}}",
            head.split(' ').next().unwrap_or_default(),
            field("authorization:"),
            field("x-token:"),
            serde_json::to_string(&String::from_utf8_lossy(&body)).expect("JSON"),
            body.len(),
        );
        let _ = write!(&stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{json}", json.len());
    })
}

/// The output of `--once` on both streams, and its exit code.
fn once(args: &[&str]) -> (Option<i32>, String) {
    let output = pingstate().arg("--once").args(args).output().expect("runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("text"))
}

#[test]
fn bodies_and_secrets_are_sent() {
    let (server, directory) = (mirror(), Directory::new("request"));
    let auth = directory.file("auth", "me:s3cret\n");
    let headers = directory.file("headers", "# For the NAS.\nX-Token: t0ken\n");
    let large = directory.file("body", &"x".repeat(64 * 1024));
    let url = server.url("http");
    let (code, text) = once(&[
        "--body",
        "ping",
        "--basic-auth-file",
        &auth,
        "--header-file",
        &headers,
        &url,
        "--check",
        "json:/method = POST",
        "--check",
        "json:/body = ping",
        "--check",
        "json:/auth = Basic bWU6czNjcmV0",
        "--check",
        "json:/token = t0ken",
    ]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) =
        once(&["--body-file", &large, "--max-body=99999", &url, "--check", "json:/length = 65536"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = once(&["--method", "PUT", "--body", "", &url, "--check", "json:/method = GET"]);
    assert!(code == Some(1) && text.contains("/method is \"PUT\", not \"GET\""), "{text}");
}

#[test]
fn a_secret_on_the_command_line_is_a_warning() {
    let server = mirror();
    let (code, text) = once(&["--header", "Authorization: Bearer s3cret", &server.url("http")]);
    assert_eq!(code, Some(0));
    assert!(text.contains("--header: other users can read Authorization in the list of processes"), "{text}");
    assert!(text.contains("--header-file") && !text.contains("s3cret"), "{text}");
}

#[test]
fn unusable_files_are_errors_that_name_the_remedy() {
    let directory = Directory::new("unusable");
    let auth = directory.file("auth", "s3cret\n");
    let (code, text) = once(&["--basic-auth-file", &auth, "http://127.0.0.1:1/"]);
    assert_eq!(
        (code, text),
        (Some(2), format!("pingstate: --basic-auth-file: {auth}: is not name:password\n"))
    );
    set_mode(&auth, 0o640);
    let (code, text) = once(&["--header-file", &auth, "http://127.0.0.1:1/"]);
    let error = "others can read it: it has mode 640 (run chmod 600)";
    assert_eq!((code, text), (Some(2), format!("pingstate: --header-file: {auth}: {error}\n")));

    // Below the directory of the credentials, the group's permissions are those of the service.
    directory.file("auth", "me:s3cret\n");
    set_mode(&auth, 0o440);
    let server = mirror();
    let config = directory.file(
        "conf",
        &format!(
            "web {} --basic-auth-file ${{CREDENTIALS_DIRECTORY}}/auth --check 'json:/auth ~ Basic'\n",
            server.url("http")
        ),
    );
    let run = |credentials: Option<&Path>| {
        let mut command = pingstate();
        command.env_remove("CREDENTIALS_DIRECTORY").args(["--once", "--config", &config]);
        if let Some(path) = credentials {
            command.env("CREDENTIALS_DIRECTORY", path);
        }
        let output = command.output().expect("runs");
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).expect("text"))
    };
    let (code, text) = run(Some(&directory.0));
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = run(None);
    let error = "CREDENTIALS_DIRECTORY is not set (LoadCredential= in a systemd unit sets it)";
    assert!(code == Some(2) && text.contains(":1: --basic-auth-file: $"), "{text}");
    assert!(text.contains(error), "{text}");
}

#[test]
fn a_changed_secret_restarts_the_target_on_reload() {
    let (server, directory) = (mirror(), Directory::new("reload"));
    let auth = directory.file("auth", "me:old");
    let line = format!("web {} --basic-auth-file {auth} --interval 60", server.url("http"));
    let config = directory.file("conf", &format!("{line}\nother {}\n", server.url("http")));
    let mut daemon = Daemon::start(&["--config", &config]);
    let lines = daemon.stderr();
    let reloaded = |daemon: &Daemon| {
        daemon.signal("-HUP");
        loop {
            let line = lines.recv_timeout(PATIENCE).expect("a line");
            if line.contains("reload") {
                return line;
            }
        }
    };
    assert!(reloaded(&daemon).contains("2 targets kept, 0 started"));
    directory.file("auth", "me:new");
    assert!(reloaded(&daemon).contains("1 target kept, 1 started, 1 dropped"));
    set_mode(&auth, 0o644);
    assert!(reloaded(&daemon).contains("reload failed, the configuration is unchanged"));
}
