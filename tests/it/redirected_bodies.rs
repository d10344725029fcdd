//! Redirects of requests with a body, compared with the installed curl: methods and bodies of all requests.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::common::*;
use crate::redirects::curl;

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

const BODY: &str = "a=1&b=%32\n";

/// The arguments of pingstate, and those of curl for the same request. `FILE` contains [`BODY`].
const SAME: &[(&[&str], &[&str])] = &[
    (&[], &[]),
    (&["--body", BODY], &["--data-raw", BODY]),
    (&["--body-file", "FILE"], &["--data-binary", "@FILE"]),
    (&["--body", ""], &["--data-raw", ""]),
    (&["--method", "POST", "--body", BODY], &["--data-raw", BODY]),
    (&["--method", "POST"], &["--data-raw", ""]),
    // Of curl's two forms of a PUT, this one is more than another word in the request line. It would wait for `100
    // Continue`.
    (&["--method", "PUT", "--body", BODY], &["-T", "FILE", "-H", "Expect:"]),
    (&["--method", "HEAD"], &["-I"]),
];

/// With `-X`, curl replaces the word in the request line of every request, and treats the request as the GET or POST that
/// it would be without it: after 301, 302 and 303 it sends the method without the body. pingstate follows RFC 9110
/// section 15.4 and browsers: 301 and 302 change a POST only, and 303 leads to a GET. 307 and 308 are equal.
const WORDS: [&str; 4] = ["PUT", "PATCH", "DELETE", "GET"];

/// The method, the path, the value of Content-Length and the body.
type Request = (String, String, Option<String>, String);

/// Answers the requests of a client with redirects of these statuses, and then with 200.
struct Redirector {
    server: Server,
    statuses: Arc<Mutex<Vec<u16>>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Redirector {
    fn start() -> Redirector {
        let (statuses, requests) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (all, received) = (statuses.clone(), requests.clone());
        let server = Server::start(move |mut stream| {
            let head = read_head(&stream);
            if head.is_empty() {
                return; // The server stops.
            }
            let mut words = head.split(' ').map(str::to_owned);
            let (method, path) = (words.next().expect("a method"), words.next().expect("a path"));
            let length =
                head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).map(str::to_owned);
            let mut body = vec![0; length.as_deref().map_or(0, |length| length.parse().expect("a length"))];
            stream.read_exact(&mut body).expect("a body");
            let body = String::from_utf8(body).expect("text");
            let count = {
                let mut requests = received.lock().expect("no panic");
                requests.push((method, path, length, body));
                requests.len()
            };
            let head = match all.lock().expect("no panic").get(count - 1) {
                // Another host than 127.0.0.1 after every second redirect.
                Some(status) => {
                    let host = if count % 2 == 0 { "127.0.0.1" } else { "localhost" };
                    let port = stream.local_addr().expect("an address").port();
                    format!("{status} Elsewhere\r\nLocation: http://{host}:{port}/{count}")
                }
                None => "200 OK".to_owned(),
            };
            let end = "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(format!("HTTP/1.1 {head}{end}").as_bytes());
            let _ = stream.read(&mut [0]);
        });
        Redirector { server, statuses, requests }
    }

    /// The requests of a client that receives these statuses.
    fn follow(&self, statuses: &[u16], mut client: Command) -> Vec<Request> {
        *self.statuses.lock().expect("no panic") = statuses.to_vec();
        self.requests.lock().expect("no panic").clear();
        let output = client.arg(self.server.url("http") + "start").output().expect("runs");
        assert!(output.status.success(), "{client:?} {output:?}");
        std::mem::take(&mut *self.requests.lock().expect("no panic"))
    }

    fn probe(&self, statuses: &[u16], args: &[&str]) -> Vec<Request> {
        let mut command = pingstate();
        command.args(["--once", "--timeout", "20"]).args(args);
        self.follow(statuses, command)
    }

    fn curl(&self, statuses: &[u16], args: &[&str]) -> Vec<Request> {
        let mut command = curl(self.server.address.port());
        command.args(args);
        self.follow(statuses, command)
    }
}

#[test]
fn redirects_of_requests_with_a_body_match_curl() {
    if !has("curl", &["--version"]) {
        return;
    }
    let server = Redirector::start();
    let file = std::env::temp_dir().join(format!("pingstate-body-{}", std::process::id()));
    std::fs::write(&file, BODY).expect("written");
    let file = file.to_str().expect("text");
    let mut wrong = Vec::new();
    let singles = STATUSES.iter().map(|status| vec![*status]);
    // One status of each behaviour, followed by another one.
    let pairs = [301, 303, 307].iter().flat_map(|a| [302, 303, 308].iter().map(|b| vec![*a, *b]));
    for statuses in singles.chain(pairs) {
        let is_compared = |args: &&(&[&str], _)| statuses.len() == 1 || args.0.contains(&BODY);
        for (ours, theirs) in SAME.iter().filter(is_compared) {
            let [ours, theirs] = [ours, theirs]
                .map(|args| args.iter().map(|arg| arg.replace("FILE", file)).collect::<Vec<_>>());
            let [ours, theirs] =
                [&ours, &theirs].map(|args| args.iter().map(String::as_str).collect::<Vec<_>>());
            let asked = server.probe(&statuses, &ours);
            let expected = server.curl(&statuses, &theirs);
            if asked != expected {
                wrong.push(format!("{statuses:?} {ours:?}: {asked:?}, curl {expected:?}"));
            }
        }
    }
    for word in WORDS {
        for status in STATUSES {
            let asked = server.probe(&[status], &["--method", word, "--body", BODY]);
            let theirs = server.curl(&[status], &["-X", word, "--data-raw", BODY]);
            let first = (word.to_owned(), "/start".to_owned(), Some(BODY.len().to_string()), BODY.to_owned());
            let mut second = first.clone();
            second.1 = "/1".to_owned();
            let without_body = |method: &str| (method.to_owned(), "/1".to_owned(), None, String::new());
            let (our_second, their_second) = match status {
                303 => (without_body("GET"), without_body(word)),
                301 | 302 => (second, without_body(word)),
                _ => (second.clone(), second),
            };
            for (who, asked, second) in [("pingstate", asked, our_second), ("curl", theirs, their_second)] {
                if asked != [first.clone(), second] {
                    wrong.push(format!("{who}, {word} {status}: {asked:?}"));
                }
            }
        }
    }
    let _ = std::fs::remove_file(file);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
