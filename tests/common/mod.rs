//! Shared code of the tests that run the real daemon: the binary under test, a plain HTTP client, and
//! servers with scripted answers, all on loopback and free ports.
#![allow(dead_code, unreachable_pub)] // Each test binary uses a part of it.
#![allow(clippy::expect_used)] // Tests fail by panicking.

pub mod dns;
pub mod fault;
pub mod net;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Time limit for any expected event, with a margin for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn now() -> Instant {
    #[allow(clippy::disallowed_methods)] // Tests live in real time.
    Instant::now()
}

/// Polls until `question` returns a value; panics after [`PATIENCE`].
pub fn eventually<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let start = now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(now() - start < PATIENCE, "waited too long for: {what}");
        #[allow(clippy::disallowed_methods)] // Another process gives no event to wait for.
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs tests that measure the machine one after another: each holds the guard until it ends.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A failed test does not affect the next one.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reports that a test cannot run without `tool`. Fails instead if `PINGSTATE_REQUIRE` (a comma-separated
/// list, set by `.ci/run`) names the tool: in CI no test may pass by skipping.
pub fn missing(tool: &str) {
    let required = std::env::var("PINGSTATE_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|name| name == tool), "{tool} is required and does not work here");
    println!("skipped: {tool} does not work here");
}

/// True if `program` can be run with `args` and succeeds; otherwise calls [`missing`].
pub fn has(program: &str, args: &[&str]) -> bool {
    let works = Command::new(program).args(args).output().is_ok_and(|output| output.status.success());
    if !works {
        missing(program);
    }
    works
}

/// The binary under test: cargo's, or another build of it that `PINGSTATE_BINARY` names.
pub fn binary() -> std::ffi::OsString {
    std::env::var_os("PINGSTATE_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_pingstate").into())
}

pub fn pingstate() -> Command {
    let mut command = Command::new(binary());
    command.env_remove("JOURNAL_STREAM").env_remove("SSL_CERT_FILE").stdin(Stdio::null());
    command
}

/// A line of the log without the time, which its readers do not need.
fn without_time(line: String) -> String {
    match line.get(..22).is_some_and(|start| start.ends_with("Z p") && start.as_bytes()[10] == b'T') {
        true => line[21..].to_owned(),
        false => line,
    }
}

/// A running daemon, killed when dropped.
pub struct Daemon {
    child: Child,
    pub api: SocketAddr,
    /// Lines before the first one.
    pub warnings: Vec<String>,
    /// The line with the URL of the API.
    pub first_line: String,
    lines: Receiver<String>,
}

impl Daemon {
    /// Starts the daemon on a free API port with these arguments.
    pub fn start(args: &[&str]) -> Daemon {
        let mut command = pingstate();
        command.args(["--api-port", "0"]).args(args);
        Daemon::spawn(command)
    }

    /// Starts a command that executes the daemon.
    pub fn spawn(mut command: Command) -> Daemon {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary starts");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(without_time(line));
            }
        });
        // If it does not start, dropping it ends the process.
        let api = ([127, 0, 0, 1], 0).into();
        let mut daemon = Daemon { child, api, warnings: Vec::new(), first_line: String::new(), lines };
        loop {
            let line = daemon.lines.recv_timeout(PATIENCE).unwrap_or_default();
            assert!(!line.is_empty(), "no line with the URL of the API after {:?}", daemon.warnings);
            if let Some((_, address)) = line.split_once(" serving on http://") {
                daemon.api = address.parse().expect("an address");
                daemon.first_line = line;
                return daemon;
            }
            daemon.warnings.push(line);
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Status and body of the response to a GET.
    pub fn get(&self, path: &str) -> (u16, String) {
        let (status, _, body) = get(self.api, path);
        (status, body)
    }

    pub fn state(&self) -> String {
        self.get("/state").1.trim().to_owned()
    }

    pub fn wait_for_state(&self, state: &str) {
        eventually(state, || (self.state() == state).then_some(()));
    }

    pub fn next_line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("another line on stderr")
    }

    /// Lines of standard error from now on, readable also after the exit.
    pub fn stderr(&mut self) -> Receiver<String> {
        std::mem::replace(&mut self.lines, channel().1)
    }

    pub fn no_line(&self) -> bool {
        self.lines.try_recv().is_err()
    }

    /// Sends a signal and waits for the exit; returns the status and the time it took.
    pub fn end(mut self, signal: &str) -> (ExitStatus, Duration) {
        let start = now();
        self.signal(signal);
        let status = eventually("the daemon's end", || self.child.try_wait().expect("waits"));
        (status, now() - start)
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// A number from `/proc/PID/status`; sizes are in kB.
    pub fn figure(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("linux");
        let line = text.lines().find(|line| line.starts_with(name)).expect("the figure");
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
    }

    /// Number of open descriptors.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("linux").count()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status, head and body of the response to one GET.
pub fn get(api: SocketAddr, path: &str) -> (u16, String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let answer = talk(api, request.as_bytes());
    let text = String::from_utf8(answer).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
    (status, head.to_owned(), body.to_owned())
}

/// Sends bytes and reads to the end.
pub fn talk(to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(bytes).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    answer
}

/// A server that handles each connection in a thread of its own until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    pub fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Server {
        Server::start_at("127.0.0.1:0".parse().expect("an address"), serve)
    }

    pub fn start_at(address: SocketAddr, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind(address).expect("bound");
        let address = listener.local_addr().expect("an address");
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (stopped, serve) = (stop.clone(), std::sync::Arc::new(serve));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(std::sync::atomic::Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), serve) = (stream, serve.clone()) else { continue };
                thread::spawn(move || serve(stream));
            }
        });
        Server { address, stop, thread: Some(thread) }
    }

    /// Starts a server that sends this response to every request and closes.
    pub fn answering(answer: &'static str) -> Server {
        Server::start(move |stream| {
            read_head(&stream);
            let _ = (&stream).write_all(answer.as_bytes());
        })
    }

    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/", self.address)
    }
}

impl Drop for Server {
    /// Stops listening before it returns, so that the next connection is refused.
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An address at which nothing listens.
pub fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// Reads and returns a request's head.
pub fn read_head(mut stream: &TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}
