//! The API behind the usual reverse proxies and load balancers, with minimal configurations.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A running proxy, killed when dropped.
pub(crate) struct Proxy {
    child: Child,
    pub(crate) address: SocketAddr,
    directory: PathBuf,
}

impl Proxy {
    /// Starts a proxy with a configuration in which `ADDRESS` and `PORT` are its listener, `API` is the
    /// daemon, and `DIR` its own directory; `FILE` in the arguments is that configuration.
    pub(crate) fn start(name: &str, api: SocketAddr, config: &str, args: &[&str]) -> Proxy {
        let address = closed_port();
        let directory = std::env::temp_dir().join(format!("pingstate-proxies-{name}-{}", address.port()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let path = directory.display().to_string();
        let config = config
            .replace("ADDRESS", &address.to_string())
            .replace("PORT", &address.port().to_string())
            .replace("API", &api.to_string())
            .replace("DIR", &path);
        let file = directory.join("config");
        std::fs::write(&file, config).expect("written");
        let file = file.display().to_string();
        let mut command = Command::new(name);
        command.args(args.iter().map(|arg| arg.replace("FILE", &file).replace("DIR", &path)));
        for variable in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            command.env(variable, &path);
        }
        let log = std::fs::File::create(directory.join("log")).expect("a log");
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("it starts");
        let mut proxy = Proxy { child, address, directory };
        eventually("the proxy listens", || {
            let ended = proxy.child.try_wait().expect("waits");
            assert!(ended.is_none(), "{name}: {ended:?}: {}", proxy.log());
            TcpStream::connect(address).ok()
        });
        proxy
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// `proxy_pass` and nothing else, which is HTTP/1.0 without keep-alive; under `/sub` with an extra slash; and
/// a second server with keep-alive connections.
pub(crate) const NGINX: &str = "daemon off; master_process off; pid DIR/pid; error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
    upstream kept { server API; keepalive 4; }
    server {
        listen ADDRESS;
        location / { proxy_pass http://API; }
        location /sub { proxy_pass http://API/; }
        location /kept/ {
            proxy_pass http://kept/;
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_set_header Host localhost;
        }
    }
}
";

const HAPROXY: &str = "defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend all
    bind ADDRESS
    http-request return status 200 content-type text/plain lf-string '%[nbsrv(plain)] %[nbsrv(options)] %[nbsrv(get)] %[nbsrv(host)] %[nbsrv(late)]' if { path /servers }
    default_backend plain
backend plain
    server s API check inter 100ms
backend options
    option httpchk
    server s API check inter 100ms
backend get
    option httpchk GET /healthz
    server s API check inter 100ms
backend host
    option httpchk
    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host localhost
    server s API check inter 100ms
backend late
    option httpchk HEAD /healthz
    http-check expect status 200
    server s API check inter 100ms
";

const CADDY: &str = "{
    admin off
    auto_https off
}
:PORT {
    bind 127.0.0.1
    reverse_proxy API
}
";

/// A daemon with 41 targets that are up, behind a proxy.
fn daemon() -> (Server, Daemon) {
    let server = Server::answering(OK);
    let port = server.address.port();
    // All of 127.0.0.0/8 is loopback.
    let servers: Vec<_> = (2..42).map(|n| format!("http://127.0.0.{n}:{port}/")).collect();
    drop(server);
    let server = Server::start_at(SocketAddr::from(([0, 0, 0, 0], port)), |stream| {
        read_head(&stream);
        let _ = (&stream).write_all(OK.as_bytes());
    });
    let mut args = vec!["--interval", "1", "--api-allow-host", "status.example.com"];
    args.extend(servers.iter().map(String::as_str));
    let daemon = Daemon::start(&args);
    daemon.wait_for_state("up");
    (server, daemon)
}

/// The response to a request with these fields.
fn ask(to: SocketAddr, method: &str, path: &str, fields: &str) -> String {
    let head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n{fields}\r\n");
    String::from_utf8(talk(to, head.as_bytes())).expect("text")
}

/// Requests that must work through every proxy.
fn serves(proxy: SocketAddr, server: &Server) {
    for (path, status, body) in [
        ("/state", 200, "up\n"),
        ("/healthz", 200, "ok\n"),
        ("/nothing", 404, "not found\n"),
        ("/wait?state=up&timeout=20", 200, "up\n"),
        ("/wait?state=down&timeout=0.2", 503, "up\n"),
    ] {
        let (received, head, text) = get(proxy, path);
        assert_eq!((received, &*text), (status, body), "{path}: {head}");
    }
    let (status, head, body) = get(proxy, "/status");
    let all: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, all["targets"].as_array().map(Vec::len)), (200, Some(40)), "{head}");
    let head = ask(proxy, "HEAD", "/status", "Host: localhost\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    for body in ["hello", &"x".repeat(100_000)] {
        let fields = format!("Host: localhost\r\nContent-Length: {}\r\nConnection: close", body.len());
        let request = format!("POST /state HTTP/1.1\r\n{fields}\r\n\r\n{body}");
        let mut stream = TcpStream::connect(proxy).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        let mut piece = [0; 4096];
        // Caddy often resets the connection after the response to a body that the server did not read.
        while !answer.ends_with("method not allowed\n") {
            let Ok(len @ 1..) = stream.read(&mut piece) else { break };
            answer.push_str(&String::from_utf8_lossy(&piece[..len]));
        }
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("llow: GET, HEAD\r\n"), "{answer}");
        assert!(answer.ends_with("method not allowed\n"), "{answer}");
    }
    let cookies = format!("Host: localhost\r\nCookie: {}\r\n", "a=bcdef;".repeat(980));
    assert!(ask(proxy, "GET", "/state", &cookies).ends_with("up\n"), "7.8 KiB of cookies");
    let public = ask(proxy, "GET", "/state", "Host: status.example.com\r\n");
    assert!(public.starts_with("HTTP/1.1 200 "), "{public}");
    streams(proxy, server);
}

/// Check events arrive immediately, although their text does not fill the buffer of a proxy.
fn streams(proxy: SocketAddr, server: &Server) {
    let port = server.address.port();
    let mut stream = TcpStream::connect(proxy).expect("connects");
    let start = now();
    let path = format!("/events?checks=1&target=127.0.0.2:{port}");
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).expect("sent");
    let mut text = String::new();
    while !text.contains("event: check\n") {
        let left = Duration::from_secs(2).checked_sub(now() - start).unwrap_or_default();
        assert!(!left.is_zero(), "no event in two seconds: {text}");
        stream.set_read_timeout(Some(left)).expect("set");
        let mut piece = [0; 4096];
        let len = stream.read(&mut piece).unwrap_or_else(|error| panic!("{error}: {text}"));
        let _ = write!(text, "{}", String::from_utf8_lossy(&piece[..len]));
    }
    let text = text.to_lowercase();
    assert!(text.contains("\r\ncache-control: no-store, no-transform\r\n"), "{text}");
}

#[test]
fn nginx_serves_the_api_with_its_defaults() {
    if !has("nginx", &["-v"]) {
        return;
    }
    let (server, daemon) = daemon();
    let nginx = Proxy::start("nginx", daemon.api, NGINX, &["-p", "DIR", "-c", "FILE"]);
    serves(nginx.address, &server);
    // `proxy_pass http://API/` under a location without a slash requests `//state`.
    assert_eq!(get(nginx.address, "/sub/state").2, "up\n");
    for _ in 0..30 {
        let (status, head, body) = get(nginx.address, "/kept/healthz");
        assert_eq!((status, &*body), (200, "ok\n"), "{head}");
    }
    streams(nginx.address, &server);
    let cookies = format!("Cookie: {}\r\n", "x".repeat(7_000)).repeat(3);
    let answer = ask(nginx.address, "GET", "/state", &format!("Host: localhost\r\n{cookies}"));
    assert!(answer.ends_with("up\n"), "what nginx accepts is accepted: {answer}");
}

#[test]
fn haproxy_serves_the_api_and_its_checks_are_answered() {
    if !has("haproxy", &["-v"]) {
        return;
    }
    let (server, daemon) = daemon();
    let haproxy = Proxy::start("haproxy", daemon.api, HAPROXY, &["-db", "-f", "FILE"]);
    serves(haproxy.address, &server);
    let foreign = ask(haproxy.address, "GET", "/state", "Host: evil.example\r\n");
    assert!(foreign.starts_with("HTTP/1.1 421 "), "{foreign}");
    let servers = || get(haproxy.address, "/servers").2;
    eventually("every kind of check succeeds", || (servers() == "1 1 1 1 1").then_some(()));
    drop(server);
    eventually("those of /healthz fail", || (servers() == "1 1 0 0 0").then_some(()));
}

#[test]
fn caddy_serves_the_api_with_its_defaults() {
    if !has("caddy", &["version"]) {
        return;
    }
    let (server, daemon) = daemon();
    let args = ["run", "--config", "FILE", "--adapter", "caddyfile"];
    let caddy = Proxy::start("caddy", daemon.api, CADDY, &args);
    serves(caddy.address, &server);
    let foreign = ask(caddy.address, "GET", "/state", "Host: evil.example\r\n");
    assert!(foreign.starts_with("HTTP/1.1 421 "), "{foreign}");
}
