//! Redirects compared with the installed curl: the same request to the same host for each Location.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::common::dns::NameServer;
use crate::common::*;

/// The target's path, the base of a relative Location.
const BASE: &str = "/d/b;p?q";

/// Values of Location for which both send the same request, or both send none. `PORT` is the server's port.
const SAME: &[&[u8]] = &[
    // Absolute paths, relative paths, dot segments.
    b"/ok",
    b"ok",
    b"./ok",
    b"../ok",
    b"../../../ok",
    b"ok/.",
    b"ok/..",
    b".",
    b"..",
    b"/",
    b"/..",
    b"/a/./ok",
    b"/a/../ok",
    b"/a//../ok",
    b"/a/b/..",
    b"/a/...",
    b"/%2e%2e/ok",
    b"/a/.%2E/ok",
    b"/a/..;/ok",
    b";x",
    b"ok;x?y",
    b"./a:b",
    b"a/b:c",
    b"&x",
    // Queries and fragments.
    b"?",
    b"?x",
    b"?a:b",
    b"ok?",
    b"ok?a#b",
    b"/ok#f",
    b"/a?b?c",
    b"/?a/../b",
    b"?a#b?c",
    b"http://127.0.0.1:PORT/#",
    // White space.
    b" /ok",
    b"/ok ",
    b"\t/ok\t",
    b"  http://127.0.0.1:PORT/ok  ",
    b"/o k",
    b"/ok; path=x",
    // Empty.
    b"",
    b" ",
    // Hosts, with too few and too many slashes.
    b"http://127.0.0.1:PORT",
    b"http://127.0.0.1:PORT/ok",
    b"HtTp://127.0.0.1:PORT/ok",
    b"http://127.0.0.1:PORT?x",
    b"http:/127.0.0.1:PORT/ok",
    b"http:///127.0.0.1:PORT/ok",
    b"http:////127.0.0.1:PORT/ok",
    b"//127.0.0.1:PORT/ok",
    b"///127.0.0.1:PORT/ok",
    b"////127.0.0.1:PORT/ok",
    b"//127.0.0.1:PORT//ok",
    b"http:127.0.0.1:PORT/ok",
    b"http:",
    b"http:/",
    b"http://",
    b"http:///",
    b"http:/ok",
    b"//",
    b"///",
    b"http://:PORT/ok",
    b"http://localhost:PORT/ok",
    b"http://LocalHost:PORT/ok",
    b"http://localhost.:PORT/ok",
    b"http://A.example:PORT/ok",
    b"http://a_b.example.:PORT/ok",
    b"http://xn--mnchen-3ya.example:PORT/ok",
    b"http://a b.example:PORT/ok",
    b"http://a%20b.example:PORT/ok",
    b"http://a,b.example:PORT/ok",
    // Ports.
    b"http://127.0.0.1:0PORT/ok",
    b"http://127.0.0.1:000000000PORT/ok",
    b"http://127.0.0.1:+PORT/ok",
    b"http://127.0.0.1:PORTx/ok",
    b"http://127.0.0.1:99999/ok",
    b"http://127.0.0.1:-1/ok",
    // User and password.
    b"http://u:p@127.0.0.1:PORT/ok",
    b"http://u@127.0.0.1:PORT/ok",
    b"http://:@127.0.0.1:PORT/ok",
    b"http://u:p:q@127.0.0.1:PORT/ok",
    b"http://u%40x:p@127.0.0.1:PORT/ok",
    b"//u:p@127.0.0.1:PORT/ok",
    b"http://u:p@x@127.0.0.1:PORT/ok",
    b"http://127.0.0.1:PORT@a.example:PORT/ok",
    b"/u:p@x/ok",
    // Addresses.
    b"http://[::1]:PORT/ok",
    b"http://[0:0:0:0:0:0:0:1]:PORT/ok",
    b"http://[::FFFF:127.0.0.1]:PORT/ok",
    b"http://::1:PORT/ok",
    b"http://[::1:PORT/ok",
    b"http://[]:PORT/ok",
    b"http://[::1]PORT/ok",
    b"http://127.1:PORT/ok",
    b"http://127.0.1:PORT/ok",
    b"http://2130706433:PORT/ok",
    b"http://0x7f.1:PORT/ok",
    b"http://0x7F000001:PORT/ok",
    b"http://0177.0.0.01:PORT/ok",
    b"http://127.0.0.0x1:PORT/ok",
    // Backslashes, and other bytes that are invalid in a URL.
    b"\\ok",
    b"/\\127.0.0.1:PORT/ok",
    b"\\\\127.0.0.1:PORT/ok",
    b"http:\\\\127.0.0.1:PORT/ok",
    b"http://127.0.0.1:PORT\\ok",
    b"http://u\\@127.0.0.1:PORT/ok",
    b"/a/\\../ok",
    b"/\"<>^`{|}'?\"<>^`{|}'",
    b"<http://127.0.0.1:PORT/ok>",
    b"'/ok'",
    b"/\xc3\xbc?\xc3\xbc",
    b"/\xfc?\xfc",
    b"/\xe2\x82\xac\xff",
    b"/o\tk",
    b"/ok\x01",
    b"/ok\x7f",
    b"/ok\0",
    b"/%6fk",
    b"/%zz%",
    b"/ok%0d%0aX:%20y%00",
    // Schemes.
    b"ftp://127.0.0.1:PORT/ok",
    b"file:///etc/hosts",
    b"tcp://127.0.0.1:PORT/ok",
    b"ws://127.0.0.1:PORT/ok",
    b"1http://127.0.0.1:PORT/ok",
    b"foo:bar",
    b"mailto:x@127.0.0.1:PORT",
    b"javascript:alert(1)",
    b"localhost:PORT/ok",
    b"127.0.0.1:PORT/ok",
    b"://127.0.0.1:PORT/ok",
    b":ok",
    b"h ttp://127.0.0.1:PORT/ok",
    b"http//127.0.0.1:PORT/ok",
    b"http:://127.0.0.1:PORT/ok",
    b"x?http://127.0.0.1:PORT/ok",
    b"/ok,http://127.0.0.1:PORT/no",
];

/// Intended differences: the Location, pingstate's request (or none), and the reason.
const DIFFERENT: &[(&[u8], Option<&str>, &str)] = &[
    (b"#f", None, "RFC 3986 section 5.2.2: the same URL, so a loop; this curl drops the last segment"),
    (b"/ok?a b", Some("/ok?a%20b"), "as browsers; `+` is a space only in form decoding"),
    (b"http://u p@127.0.0.1:PORT/ok", Some("/ok"), "what is dropped need not be valid"),
    (b"http://[::1%25lo]:PORT/ok", None, "a zone is a name of this machine, not of the server"),
    (b"http://[::1%lo]:PORT/ok", None, "a zone is a name of this machine, not of the server"),
    (b"http://%6cocalhost:PORT/ok", None, "no host name needs escapes, and a filter may not undo them"),
    (b"http://m\xc3\xbcnchen.example:PORT/ok", None, "IDNA's tables are too large; the detail says so"),
    (b"http://127.0.0.1.:PORT/ok", None, "neither an address nor a name"),
    (b"http://127.0.0.256:PORT/ok", None, "neither an address nor a name"),
    (b"http://127.0.0.08:PORT/ok", None, "neither an address nor a name"),
    (b"http://4294967296:PORT/ok", None, "neither an address nor a name"),
    (b"http://a..example:PORT/ok", None, "no DNS name"),
    (b"http://a~b.example:PORT/ok", None, "no DNS name"),
];

/// pingstate's request, or none, and the reason for the difference to curl.
type Difference = (Option<&'static str>, &'static str);

/// Complete heads, with intended differences as above.
const HEADS: &[(&str, Option<Difference>)] = &[
    ("200 OK\r\nLocation: /ok", None),
    ("201 Created\r\nLocation: /ok", None),
    ("200 OK\r\nRefresh: 0; url=/ok", None),
    ("301 Moved\r\nLocation: /ok", None),
    ("302 Found\r\nlocation:/ok", None),
    ("303 Other\r\nLOCATION: /ok", None),
    ("307 Temporary\r\nLocation: /ok", None),
    ("308 Permanent\r\nLocation: /ok", None),
    ("302 Found\r\nX: y", None),
    ("302 Found\r\nURI: /ok", None),
    ("302 Found\r\nContent-Location: /ok", None),
    ("302 Found\r\nLocation: /ok\r\nLocation: /no", None),
    ("302 Found\r\nLocation:\r\nLocation: /ok", None),
    ("300 Choices\r\nX: y", None),
    ("300 Choices\r\nLocation: /ok", Some((None, "there is a choice to make"))),
    ("304 Not Modified\r\nLocation: /ok", Some((None, "no redirect (RFC 9110 section 15.4.5)"))),
    ("305 Use Proxy\r\nLocation: /ok", Some((None, "deprecated for security (section 15.4.6)"))),
    ("306 Unused\r\nLocation: /ok", Some((None, "no redirect (section 15.4.7)"))),
    ("399 New\r\nLocation: /ok", Some((None, "no known redirect"))),
    ("302 Found\r\nLocation : /ok", Some((Some("/ok"), "read as every other field with a blank"))),
    ("302 Found\r\nLocation:\r\n /ok", Some((Some("/ok"), "folding (RFC 9112 section 5.2)"))),
];

/// Responses that set cookies.
const COOKIES: &[(&str, Option<Difference>)] = &[
    // Only the first response is a redirect.
    ("302 Found\r\nSet-Cookie: a=1\r\nLocation: /d/b;p?q", None),
    ("302 Found\r\nset-cookie:a=1; Path=/; HttpOnly; SameSite=Lax\r\nLocation: ", None),
    ("302 Found\r\nSet-Cookie: a=1\r\nLocation: /d/x/y", None),
    ("302 Found\r\nSet-Cookie: a=1\r\nLocation: /ok", None),
    ("302 Found\r\nSet-Cookie: a=1; Path=/ok\r\nLocation: /ok/x?y", None),
    ("302 Found\r\nSet-Cookie: a=1; Path=/o\r\nLocation: /ok", None),
    ("302 Found\r\nSet-Cookie: a=1; Path=ok\r\nLocation: /d/ok", None),
    ("302 Found\r\nSet-Cookie: a=1\r\nSet-Cookie: a=2\r\nLocation: /d/ok", None),
    ("302 Found\r\nSet-Cookie: a=1\r\nSet-Cookie: a=; Max-Age=0\r\nLocation: /d/ok", None),
    ("302 Found\r\nSet-Cookie: a=1; Max-Age=-1\r\nLocation: /d/ok", None),
    ("302 Found\r\nSet-Cookie: a=1; Max-Age=9\r\nLocation: /d/ok", None),
    ("302 Found\r\nSet-Cookie: a=1; Expires=Thu, 01 Jan 1970 00:00:01 GMT\r\nLocation: /d/ok", None),
    ("302 Found\r\nSet-Cookie: a=1; Expires=Thu, 01-Jan-1970 00:00:01 GMT\r\nLocation: /d/ok", None),
    ("302 Found\r\nSet-Cookie: a=1; Expires=Wed, 01 Jan 2098 00:00:00 GMT\r\nLocation: /d/ok", None),
    ("302 Found\r\nSet-Cookie: a=1; Secure\r\nLocation: /d/ok", None),
    ("302 Found\r\nSet-Cookie: a=1; Domain=other.example\r\nLocation: /d/ok", None),
    ("302 Found\r\nSet-Cookie: a=1; Domain=127.0.0.1\r\nLocation: /d/ok", None),
    ("302 Found\r\nSet-Cookie: a=1; Path=/\r\nLocation: http://localhost:PORT/ok", None),
    ("302 Found\r\nSet-Cookie: a = \"b c\" ; x\r\nLocation: /d/ok", None),
    ("302 Found\r\nSet-Cookie: a=b=c\r\nLocation: /d/ok", None),
    ("302 Found\r\nSet-Cookie: =b\r\nLocation: /d/ok", None),
];

/// The start of a request: its line, its Host (normalized), and its Cookie.
type Asked = (String, String, String);

/// Answers the first request of a client with a head that the test chooses, all others with 200.
struct Redirector {
    ipv4: Server,
    _ipv6: Server,
    head: Arc<Mutex<Vec<u8>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Redirector {
    fn start() -> Redirector {
        let (head, asked) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (heads, requests) = (head.clone(), asked.clone());
        let serve = move |mut stream: TcpStream| {
            let request = read_head(&stream);
            if request.is_empty() {
                return; // The server stops.
            }
            assert!(request.starts_with("GET /") && request.ends_with("\r\n\r\n"), "{request:?}");
            let field = |name: &str| request.lines().find_map(|line| line.strip_prefix(name));
            let host = field("Host: ").expect("a Host").to_ascii_lowercase();
            let cookie = field("Cookie: ").unwrap_or_default().to_owned();
            let line = upper_case_escapes(request.lines().next().expect("a line"));
            let count = {
                let mut requests = requests.lock().expect("no panic");
                requests.push((line, host, cookie));
                requests.len()
            };
            let head = match count {
                1 => heads.lock().expect("no panic").clone(),
                _ => b"200 OK".to_vec(),
            };
            let end = b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(&[b"HTTP/1.1 ", &*head, end].concat());
            let _ = stream.read(&mut [0]);
        };
        let serve = Arc::new(serve);
        let (on_ipv4, on_ipv6) = (serve.clone(), serve);
        let ipv4 = Server::start(move |stream| on_ipv4(stream));
        let at = SocketAddr::new("::1".parse().expect("an address"), ipv4.address.port());
        Redirector { ipv4, _ipv6: Server::start_at(at, move |stream| on_ipv6(stream)), head, asked }
    }

    /// The request that `client` sends after its first request is answered with `head`. A final 200
    /// makes the client succeed.
    fn follow(&self, head: &[u8], client: &mut Command) -> Vec<Asked> {
        *self.head.lock().expect("no panic") = head.to_vec();
        self.asked.lock().expect("no panic").clear();
        let output = client.arg(format!("http://{}{BASE}", self.ipv4.address)).output().expect("runs");
        let asked = std::mem::take(&mut *self.asked.lock().expect("no panic"));
        assert!(!asked.is_empty(), "{client:?} {}", String::from_utf8_lossy(&output.stderr));
        asked[1..].to_vec()
    }

    fn with_port(&self, text: &[u8]) -> Vec<u8> {
        let port = self.ipv4.address.port().to_string();
        let text: String = text.iter().copied().map(char::from).collect();
        text.replace("PORT", &port).chars().map(|c| c as u8).collect()
    }
}

/// RFC 3986 section 2.1: the case of an escape does not matter.
fn upper_case_escapes(line: &str) -> String {
    let mut out = String::new();
    for c in line.chars() {
        let in_escape = out.ends_with('%') || out.chars().rev().nth(1) == Some('%');
        out.push(if in_escape { c.to_ascii_uppercase() } else { c });
    }
    out
}

/// curl without a configuration, proxy or name server of this machine, following redirects.
pub(crate) fn curl(port: u16) -> Command {
    let mut curl = Command::new("curl");
    // An empty cookie file enables the cookie engine.
    curl.args(["-q", "-sL", "-b", "", "--noproxy", "*", "--proto-redir", "=http", "--max-time", "20"]);
    for port in [port, 80] {
        curl.args(["--resolve", &format!("*:{port}:127.0.0.1")]);
    }
    curl
}

fn probe(name_server: &NameServer) -> Command {
    let mut command = pingstate();
    command.args(["--once", "--timeout", "20", "--dns", &name_server.address.to_string()]);
    command
}

#[test]
fn redirects_match_curl() {
    if !has("curl", &["--version"]) {
        return;
    }
    let names = NameServer::with(&["127.0.0.1"], 60);
    let server = Redirector::start();
    let port = server.ipv4.address.port();
    let mut wrong = Vec::new();
    let mut compare = |head: &[u8], different: Option<Difference>| {
        let ours = server.follow(head, &mut probe(&names));
        let (expected, why) = match different {
            None => (server.follow(head, &mut curl(port)), "curl"),
            Some((path, why)) => {
                let (_, host, cookie) = ours.first().cloned().unwrap_or_default();
                let asked = |path: &str| vec![(format!("GET {path} HTTP/1.1"), host.clone(), cookie.clone())];
                (path.map_or(Vec::new(), asked), why)
            }
        };
        if ours != expected {
            wrong.push(format!("{}: {ours:?}, expected {expected:?} ({why})", head.escape_ascii()));
        }
    };
    let found = |location: &[u8]| [b"302 Found\r\nLocation: ", &*server.with_port(location)].concat();
    for location in SAME {
        compare(&found(location), None);
    }
    for (location, path, why) in DIFFERENT {
        compare(&found(location), Some((*path, why)));
    }
    for (head, different) in HEADS.iter().chain(COOKIES) {
        compare(&server.with_port(head.as_bytes()), *different);
    }
    for length in [8_000, 9_000, 30_000, 60_000] {
        compare(&found(format!("/ok?{}", "a/".repeat(length / 2)).as_bytes()), None);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(SAME.len() >= 60);
}
