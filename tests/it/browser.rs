//! Control from web pages in Chromium: pages of other origins cannot pause anything, the API's own page can.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::common::*;
use crate::control::{directory, token_file};
use crate::proxies::{NGINX, Proxy};

const TOKEN: &str = "0123456789abcdef";

/// The whole test takes at most this long.
const LIMIT: Duration = Duration::from_secs(28);

/// A browser, killed when dropped.
struct Chromium(Child);

impl Chromium {
    /// Opens a page. Only the two names in the rules resolve, and nothing but loopback is contacted.
    fn open(dir: PathBuf, url: &str) -> Chromium {
        let rules =
            "MAP status.example 127.0.0.1, MAP evil.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1";
        let child = Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-default-apps", "--no-proxy-server", "--disable-domain-reliability"])
            .arg(format!("--host-resolver-rules={rules}"))
            .arg(format!("--user-data-dir={}", dir.display()))
            .arg(url)
            .env("HOME", &dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Chromium(child.expect("chromium starts"))
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves a page at every path, reports the head of every request, and permits every origin everything.
fn web_server(page: String, heads: Sender<String>) -> Server {
    Server::start(move |stream| {
        let head = read_head(&stream);
        let permission = "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: authorization";
        let fields = format!("Content-Type: text/html\r\n{permission}\r\nContent-Length: {}", page.len());
        let _ = std::io::Write::write_all(
            &mut &stream,
            format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{page}").as_bytes(),
        );
        let _ = heads.send(head);
    })
}

/// A page that tries to pause everything at these addresses, with the token, in all ways that a page has. It then
/// requests /done of its own server.
fn attack(bases: &[String]) -> String {
    let bases = bases.iter().map(|base| format!("'{base}'")).collect::<Vec<_>>().join(",");
    let script = r#"
const bases = [BASES], tries = [];
const post = (url, more) => tries.push(fetch(url, {method: 'POST', ...more}).catch(() => 0));
for (const base of bases) {
    for (const path of ['/pause', '/targets/web/pause?for=30d']) {
        const url = base + path, headers = {Authorization: 'Bearer TOKEN'};
        for (const mode of ['cors', 'no-cors']) {
            post(url, {mode});
            post(url, {mode, headers});
            post(url, {mode, body: 'for=30d'});
            post(url, {mode, body: new URLSearchParams({for: '30d'}), credentials: 'include'});
            post(url, {mode, keepalive: true, referrerPolicy: 'no-referrer'});
        }
        post(url.replace('://', '://user:TOKEN@'), {mode: 'no-cors'});
        navigator.sendBeacon(url, 'x');
        const request = new XMLHttpRequest();
        request.open('POST', url);
        request.setRequestHeader('Authorization', 'Bearer TOKEN');
        tries.push(new Promise(done => { request.onloadend = done; request.send('x'); }));
        for (const enctype of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data']) {
            const frame = document.createElement('iframe'), form = document.createElement('form');
            frame.name = 'frame' + tries.length;
            Object.assign(form, {method: 'post', action: url, target: frame.name, enctype});
            form.innerHTML = '<input name=for value=30d>';
            document.body.append(frame, form);
            tries.push(new Promise(done => { frame.onload = done; setTimeout(done, 2000); form.submit(); }));
        }
    }
}
const done = () => fetch('/done' + location.pathname);
const next = () => location.pathname == '/sandbox' ? 0 : location.pathname == '/first' ? SECOND : document.body.innerHTML += SANDBOX;
Promise.all(tries).then(done).then(next);
"#;
    // The second page is of a name, and contains a frame with an opaque origin.
    let second = "(location = location.href.replace('127.0.0.1', 'evil.example').replace('first', 'second'))";
    let sandbox = r#"'<iframe sandbox="allow-scripts allow-forms" src="/sandbox"></iframe>'"#;
    let script = script
        .replace("BASES", &bases)
        .replace("TOKEN", TOKEN)
        .replace("SECOND", second)
        .replace("SANDBOX", sandbox);
    format!("<!doctype html><title>x</title><body><script>{script}</script></body>")
}

/// The next request of a path that the filter accepts, and all others before it.
fn wait_for(heads: &Receiver<String>, start: std::time::Instant, what: &str) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let left = LIMIT.checked_sub(now() - start).unwrap_or_default();
        let head = heads.recv_timeout(left).unwrap_or_else(|_| panic!("no {what} in {LIMIT:?}: {seen:#?}"));
        let is_wanted = head.lines().next().is_some_and(|line| line.contains(what));
        seen.push(head);
        if is_wanted {
            return seen;
        }
    }
}

fn paused(api: SocketAddr) -> serde_json::Value {
    let status: serde_json::Value = serde_json::from_str(&get(api, "/status").2).expect("JSON");
    status["paused_until_ts"].clone()
}

#[test]
fn only_the_own_page_can_pause() {
    if !has("chromium", &["--version"]) || !has("nginx", &["-v"]) {
        return;
    }
    let start = now();
    let dir = directory("browser");
    let file = token_file(&dir, TOKEN);
    let target = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let args = [
        "--name",
        "web",
        "--api-token-file",
        &file,
        "--api-allow-host",
        "status.example",
        &target.url("http"),
    ];
    let daemon = Daemon::start(&args);
    // The page of the API, which a proxy serves beside it.
    let own = dir.join("own.html");
    let config = NGINX.replace(
        "location / {",
        &format!("location = /own {{ default_type text/html; alias {}; }} location / {{", own.display()),
    );
    let nginx = Proxy::start("nginx", daemon.api, &config, &["-p", "DIR", "-c", "FILE"]);
    let (sender, attacked) = channel();
    let stand_in = web_server(String::new(), sender);
    let status_page = format!("http://status.example:{}", nginx.address.port());
    let bases = [
        format!("http://{}", daemon.api),
        format!("http://{}", nginx.address),
        status_page.clone(),
        format!("http://{}", stand_in.address),
    ];
    let (sender, heads) = channel();
    let evil = web_server(attack(&bases), sender);
    {
        let _browser = Chromium::open(dir.join("evil"), &format!("http://{}/first", evil.address));
        for page in ["/done/first", "/done/second", "/done/sandbox"] {
            wait_for(&heads, start, page);
        }
    }
    assert!(paused(daemon.api).is_null(), "a page of another origin has paused the target");
    // The requests were sent, and where the server permits it, with the token.
    let attacks: Vec<String> = attacked.try_iter().map(|head| head.to_lowercase()).collect();
    for (line, field) in [
        ("post /pause ", "sec-fetch-site: same-site"),
        ("post /pause ", "sec-fetch-site: cross-site"),
        ("post /pause ", "origin: null"),
        ("post /pause ", "origin: http://evil.example"),
        ("post /pause ", "content-type: multipart/form-data"),
        ("post /targets/web/pause?for=30d ", "authorization: bearer 0123456789abcdef"),
        ("options /pause ", "access-control-request-headers: authorization"),
    ] {
        let found = attacks.iter().any(|head| head.starts_with(line) && head.contains(field));
        assert!(found, "no {line} with {field}: {attacks:#?}");
    }
    let script = format!(
        "fetch('/targets/web/pause?for=10m', {{method: 'POST', headers: {{Authorization: 'Bearer {TOKEN}'}}}})
            .then(response => fetch('http://{}/own/' + response.status, {{mode: 'no-cors'}}))",
        stand_in.address
    );
    fs::write(&own, format!("<!doctype html><title>x</title><script>{script}</script>")).expect("written");
    let _browser = Chromium::open(dir.join("own"), &format!("{status_page}/own"));
    let head = wait_for(&attacked, start, "/own/").pop().expect("a request");
    assert!(head.starts_with("GET /own/200 "), "{head}");
    assert!(paused(daemon.api).is_f64());
}
