//! A probe over UDP that a program has written.

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use pingstate::*;

use super::*;

/// Sends datagrams and expects each of them back, unchanged.
struct Echo {
    port: u16,
    datagrams: Vec<Vec<u8>>,
}

impl Probe for Echo {
    fn name(&self) -> &str {
        "echo"
    }
    fn timeout(&self) -> Duration {
        PATIENCE
    }
    fn begin(&self, now: Now) -> Box<dyn Attempt> {
        let host = "127.0.0.1".to_owned();
        let connect = Output::Connect { transport: Transport::Udp, host, port: self.port };
        let expected = self.datagrams.clone();
        Box::new(EchoAttempt { started_at: now, expected, outputs: vec![connect] })
    }
}

struct EchoAttempt {
    started_at: Now,
    expected: Vec<Vec<u8>>,
    /// In reverse order.
    outputs: Vec<Output>,
}

impl Attempt for EchoAttempt {
    fn handle_input(&mut self, input: Input<'_>, now: Now) {
        match input {
            Input::Connected(_) => {
                self.outputs = self.expected.iter().rev().cloned().map(Output::Send).collect();
            }
            Input::Received(datagram) => {
                if datagram != self.expected.remove(0) {
                    let detail = format!("{} bytes", datagram.len());
                    self.outputs.push(Output::Done(ProbeResult::down(Reason::Custom, &detail)));
                } else if self.expected.is_empty() {
                    self.outputs.push(Output::Done(ProbeResult::up(now.since(self.started_at), "echo")));
                }
            }
            Input::Failed(failure) => self.outputs.push(Output::Done(failure.into())),
            _ => {}
        }
    }
    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop()
    }
}

fn bind() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let port = socket.local_addr().expect("bound").port();
    (socket, port)
}

#[test]
fn each_send_is_one_datagram_and_each_datagram_one_input() {
    let (socket, port) = bind();
    let datagrams: Vec<Vec<u8>> = [1, 2, 500, 9000].map(|len| vec![b'x'; len]).into();
    let count = datagrams.len();
    let server = thread::spawn(move || {
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        let mut buffer = [0; 10_000];
        for _ in 0..count {
            let (len, peer) = socket.recv_from(&mut buffer).expect("a datagram");
            socket.send_to(&buffer[..len], peer).expect("sent");
        }
    });
    let result = check(&Echo { port, datagrams });
    assert_eq!((result.ok, &*result.detail), (true, "echo"), "{result:?}");
    assert_eq!(result.address, Some(([127, 0, 0, 1], port).into()));
    server.join().expect("no panic");
}

#[test]
fn a_closed_port_refuses() {
    let (socket, port) = bind();
    drop(socket);
    let result = check(&Echo { port, datagrams: vec![b"x".to_vec()] });
    assert_eq!(result.reason, Some(Reason::Refused), "{result:?}");
    assert_eq!(result.detail, format!("connection refused by 127.0.0.1:{port}"));
}

/// Sends two datagrams and does not wait for a response.
struct SendOnly(u16);

impl Probe for SendOnly {
    fn name(&self) -> &str {
        "send only"
    }
    fn timeout(&self) -> Duration {
        PATIENCE
    }
    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        let host = "127.0.0.1".to_owned();
        Box::new(SendOnlyAttempt(vec![Output::Connect { transport: Transport::Udp, host, port: self.0 }]))
    }
}

/// The outputs in reverse order.
struct SendOnlyAttempt(Vec<Output>);

impl Attempt for SendOnlyAttempt {
    fn handle_input(&mut self, input: Input<'_>, _now: Now) {
        let result = match input {
            Input::Connected(_) => ProbeResult::up(Duration::ZERO, "sent"),
            Input::Failed(failure) => failure.into(),
            _ => return,
        };
        self.0.extend([Output::Done(result), Output::Send(b"two".to_vec()), Output::Send(b"one".to_vec())]);
    }
    fn poll_output(&mut self) -> Option<Output> {
        self.0.pop()
    }
}

#[test]
fn datagrams_are_sent_before_the_socket_is_closed() {
    let (socket, port) = bind();
    assert_eq!(check(&SendOnly(port)).detail, "sent");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut buffer = [0; 10];
    for expected in [b"one", b"two"] {
        let len = socket.recv(&mut buffer).expect("a datagram");
        assert_eq!(&buffer[..len], expected);
    }
}
