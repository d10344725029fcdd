//! A new kind of probe: a Redis server is healthy if it replies to PING. The implementation performs no I/O,
//! so that it can be tested without a network.

mod target;

use std::io::{Read, Write};
use std::time::{Duration, Instant, SystemTime};

use pingstate::{Attempt, Input, Monitor, Now, Output, Probe, ProbeResult, Reason, Transport};

struct RedisProbe {
    host: String,
    port: u16,
}

impl Probe for RedisProbe {
    fn name(&self) -> &str {
        "redis"
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn begin(&self, now: Now) -> Box<dyn Attempt> {
        let host = self.host.clone();
        let connect = Output::Connect { transport: Transport::Tcp, host, port: self.port };
        Box::new(PingAttempt { started_at: now, received: Vec::new(), output: Some(connect) })
    }
}

struct PingAttempt {
    started_at: Now,
    received: Vec<u8>,
    output: Option<Output>,
}

const PONG: &[u8] = b"+PONG\r\n";

impl Attempt for PingAttempt {
    fn handle_input(&mut self, input: Input<'_>, now: Now) {
        self.output = match input {
            Input::Connected(_) => Some(Output::Send(b"PING\r\n".to_vec())),
            Input::Received(bytes) => {
                self.received.extend_from_slice(bytes);
                match &*self.received {
                    PONG => Some(Output::Done(ProbeResult::up(now.since(self.started_at), "PONG"))),
                    received if PONG.starts_with(received) => None, // Incomplete.
                    received => Some(failed(&String::from_utf8_lossy(received))),
                }
            }
            Input::Closed => Some(failed("connection closed without a reply")),
            Input::Failed(failure) => Some(Output::Done(failure.into())),
            _ => None, // Timeout: pingstate reports it.
        };
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.output.take()
    }
}

fn failed(detail: &str) -> Output {
    Output::Done(ProbeResult::down(Reason::Custom, detail))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    run_without_network();

    let port = target::tcp(|mut stream| {
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(PONG);
    })?;
    let monitor = Monitor::new(RedisProbe { host: "localhost".to_owned(), port }).start()?;
    println!("over the network: {}", monitor.check_now().detail);
    println!("state: {}", monitor.state());
    Ok(())
}

/// Runs the probe without a network, with a reply that arrives in two parts.
fn run_without_network() {
    #[allow(clippy::disallowed_methods)] // Programs may read the clock anywhere.
    let now = Now::new(Instant::now(), SystemTime::now());
    let redis = RedisProbe { host: "db.example.com".to_owned(), port: 6379 };
    let mut attempt = redis.begin(now);
    assert!(matches!(attempt.poll_output(), Some(Output::Connect { port: 6379, .. })));
    attempt.handle_input(Input::Connected(([192, 0, 2, 1], 6379).into()), now);
    assert!(matches!(attempt.poll_output(), Some(Output::Send(bytes)) if bytes == b"PING\r\n"));
    attempt.handle_input(Input::Received(b"+PO"), now);
    assert!(attempt.poll_output().is_none(), "the reply is incomplete");
    attempt.handle_input(Input::Received(b"NG\r\n"), now.after(Duration::from_millis(3)));
    let Some(Output::Done(result)) = attempt.poll_output() else { return println!("no result") };
    assert_eq!(result, ProbeResult::up(Duration::from_millis(3), "PONG"));
    println!("by hand: {}", result.detail);
}
