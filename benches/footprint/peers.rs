//! Programs to compare with, if they are installed.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::listener::address;

/// A temporary directory, removed on drop.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> TempDir {
        let dir = std::env::temp_dir().join(format!("pingstate-footprint-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("create a temporary directory");
        TempDir(dir)
    }

    /// Writes a file and returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("write a temporary file");
        path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether `program` runs with the argument that prints its version.
pub(crate) fn is_installed(program: &str, version_arg: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(version_arg).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// HAProxy with one thread, without logging, and with `servers` as the lines of its only backend.
pub(crate) fn haproxy(temp_dir: &TempDir, servers: &str) -> Command {
    let socket = temp_dir.0.join("haproxy.sock");
    let config = format!(
        "global\n nbthread 1\n\
         defaults\n mode http\n timeout connect 1s\n timeout check 1s\n timeout server 1s\n timeout client 1s\n\
         frontend unused\n bind unix@{}\n\
         backend targets\n{servers}",
        socket.display()
    );
    let mut command = Command::new("haproxy");
    command.args(["-q", "-db", "-f"]).arg(temp_dir.file("haproxy.cfg", &config));
    command
}

/// Backend lines that check TCP targets once per second.
pub(crate) fn haproxy_tcp(port: u16, targets: usize) -> String {
    (0..targets)
        .map(|target| format!(" server s{target} {} check inter 1s\n", address(target, port)))
        .collect()
}

/// Backend lines that check HTTP targets once per second; HTTPS targets if `ca` is given.
pub(crate) fn haproxy_http(port: u16, targets: usize, ca: Option<&Path>) -> String {
    let host = address(0, port);
    let check = format!(" option httpchk\n http-check send meth GET uri / ver HTTP/1.1 hdr Host {host}\n");
    let tls = ca.map_or_else(String::new, |ca| {
        format!("check-ssl verify required ca-file {} no-ssl-reuse", ca.display())
    });
    let server = |target| format!(" server s{target} {host} check {tls} inter 1s\n");
    check + &(0..targets).map(server).collect::<String>()
}

/// nginx with a single process that returns a constant body, and its address. `None` if it is not
/// installed.
pub(crate) fn nginx(temp_dir: &TempDir) -> Option<(Command, SocketAddr)> {
    if !is_installed("nginx", "-v") {
        return None;
    }
    let address =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let dir = temp_dir.0.display();
    let temp_paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!(" {name}_temp_path {dir}/{name};\n"))
        .concat();
    let config = format!(
        "daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log /dev/null;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n{temp_paths} access_log off; keepalive_requests 1000000000; default_type text/plain;\n\
         server {{ listen {address}; location / {{ return 200 \"up\\n\"; }} }} }}\n"
    );
    let mut command = Command::new("nginx");
    command.arg("-c").arg(temp_dir.file("nginx.conf", &config));
    Some((command, address))
}

/// The Python version of pingstate, with `interval` in seconds. `PINGSTATE_PYTHON` contains its path, since
/// its executable has the same name.
pub(crate) fn python(target: &str, interval: &str) -> Option<Command> {
    let (host, port) = target.rsplit_once(':').expect("a port");
    let mut command = Command::new(std::env::var_os("PINGSTATE_PYTHON")?);
    command.args(["--address", host, "--port", port, "--interval", interval, "--api-port", "0"]);
    Some(command)
}
