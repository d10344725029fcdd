//! One connection's socket and what is known of its readiness.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::time::Duration;

use mio::event::{Event, Source};
use mio::net::{TcpStream, UdpSocket};
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use crate::engine::Transport;

/// Bytes of answers that the system may hold for an API client. Left to itself it takes megabytes for
/// each one that never reads.
const SEND_BUFFER: usize = 64 * 1024;

/// epoll calls a socket writable only once it is connected, and names errors beside that: two system
/// calls less for each connection.
const CONNECTED_IS_WRITABLE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A connection's socket.
pub(super) struct Socket {
    io: Io,
    /// The peer, or the group.
    pub(super) to: SocketAddr,
    pub(super) connecting: bool,
    /// The system may hold bytes that it will not announce again (it announces edges only).
    pub(super) unread: bool,
    /// The system has announced the peer's end.
    pub(super) ending: bool,
    /// The connection was reset: its end is no ordinary one.
    reset: bool,
    /// The peer opened it.
    accepted: bool,
    /// The system has not taken all of what was last to be sent.
    stuck: bool,
}

enum Io {
    Tcp(TcpStream),
    Udp(UdpSocket),
    Multicast(UdpSocket),
}

/// What came of one read.
pub(super) enum Received {
    Bytes(usize),
    Datagram(SocketAddr, usize),
    End,
    Nothing,
}

impl Socket {
    /// Opens a socket and starts to connect it.
    pub(super) fn open(transport: Transport, to: SocketAddr) -> io::Result<Socket> {
        let mut connecting = false;
        let io = match transport {
            Transport::Tcp => {
                let stream = TcpStream::connect(to)?;
                // Over loopback the handshake is complete when `connect` returns. To see that here saves
                // the wait for an event, which pays for the check.
                connecting = !to.ip().is_loopback() || is_unconnected(stream.peer_addr())?;
                if !connecting {
                    refuse_self_connection(&stream, to)?;
                }
                Io::Tcp(stream)
            }
            Transport::Udp => {
                let socket = UdpSocket::bind(any_port(to))?;
                socket.connect(to)?;
                if is_self_connected(to, &|| socket.local_addr(), &|| socket.peer_addr())? {
                    // It would receive its own query instead of an ICMP error.
                    return Err(ErrorKind::ConnectionRefused.into());
                }
                Io::Udp(socket)
            }
            Transport::Multicast => Io::Multicast(UdpSocket::bind(any_port(to))?),
        };
        Ok(Socket {
            io,
            to,
            connecting,
            unread: false,
            ending: false,
            reset: false,
            accepted: false,
            stuck: false,
        })
    }

    /// An API client's connection.
    pub(super) fn accepted(stream: TcpStream, from: SocketAddr) -> Socket {
        // Answers are written whole; a small one must not wait for the last one's acknowledgement.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
        Socket {
            io: Io::Tcp(stream),
            to: from,
            connecting: false,
            unread: false,
            ending: false,
            reset: false,
            accepted: true,
            stuck: false,
        }
    }

    /// An API client may have ended its side long before it is gone. Reading tells no more than that end
    /// from then on; the event of a reset does.
    pub(super) fn note_error(&mut self, event: &Event) {
        self.reset |= self.accepted && event.is_error();
    }

    /// Registers the socket. After a failure this may be called again.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let (source, interest): (&mut dyn Source, _) = match &mut self.io {
            Io::Tcp(stream) => (stream, Interest::READABLE | Interest::WRITABLE),
            Io::Udp(socket) | Io::Multicast(socket) => (socket, Interest::READABLE),
        };
        source.register(registry, token, interest).inspect_err(|_| {
            // In debug builds mio takes the source for registered although it is not.
            let _ = source.deregister(registry);
        })
    }

    /// Whether a connection that is being made stands now, of which the system has announced `event`.
    ///
    /// Where the event does not tell, the socket does: a refusal is told once by `take_error`, and
    /// `peer_addr` alone cannot tell it from "not yet". A reset or a broken pipe is no refusal: the
    /// connection stood, and is gone again before anybody looked.
    pub(super) fn is_connected(&mut self, event: &Event) -> io::Result<bool> {
        let Io::Tcp(stream) = &self.io else { return Ok(true) };
        if CONNECTED_IS_WRITABLE && event.is_writable() && !event.is_error() && !event.is_write_closed() {
            refuse_self_connection(stream, self.to)?;
            return Ok(true);
        }
        match stream.take_error()? {
            Some(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                self.reset = true;
                return Ok(true);
            }
            Some(error) => return Err(error),
            None => {}
        }
        if is_unconnected(stream.peer_addr())? {
            return Ok(false);
        }
        refuse_self_connection(stream, self.to)?;
        Ok(true)
    }

    /// Reads once. After [`Received::Nothing`] the system will announce what comes next.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let result = match &mut self.io {
            Io::Tcp(stream) => stream.read(buffer).and_then(|len| match len {
                0 if self.reset => Err(ErrorKind::ConnectionReset.into()),
                0 => Ok(Received::End),
                len => Ok(Received::Bytes(len)),
            }),
            Io::Udp(socket) => socket.recv(buffer).map(|len| Received::Datagram(self.to, len)),
            Io::Multicast(socket) => {
                socket.recv_from(buffer).map(|(len, from)| Received::Datagram(from, len))
            }
        };
        match result {
            Ok(Received::Bytes(len)) if len < buffer.len() && !self.ending => {
                // A short read has emptied a stream: the next byte makes an edge of its own.
                self.unread = false;
                Ok(Received::Bytes(len))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.unread = false;
                Ok(Received::Nothing)
            }
            other => other,
        }
    }

    /// Writes once; `None` if the system takes nothing now and will announce when it does.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let result = match &mut self.io {
            Io::Tcp(stream) => stream.write(bytes),
            Io::Udp(socket) => socket.send(bytes),
            Io::Multicast(socket) => socket.send_to(bytes, self.to),
        };
        match result {
            Ok(count) => {
                self.stuck = count < bytes.len();
                Ok(Some(count))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.stuck = true;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn shutdown(&self) {
        if let Io::Tcp(stream) = &self.io {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    /// Closes the socket. What is known to lie unread is taken first: a close on top of it would be
    /// sent as a reset instead of an ordinary end. A peer that does not take what it is sent is reset:
    /// an ordinary end would wait behind the rest, for minutes and in the system's memory.
    pub(super) fn close(mut self, buffer: &mut [u8]) {
        let Io::Tcp(stream) = &self.io else { return };
        if self.stuck {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        } else if self.unread && !self.connecting {
            let _ = self.receive(buffer);
        }
    }
}

/// Whether `peer`, as the system gives it, says that a connection is not established (yet).
fn is_unconnected(peer: io::Result<SocketAddr>) -> io::Result<bool> {
    match peer {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(true),
        Err(error) => Err(error),
    }
}

/// A connection whose two ends are one socket: the system has chosen the target's port as the local one,
/// on which nothing listens, and the socket's SYN has met itself (simultaneous open, RFC 9293 section
/// 3.5). It is reset: TIME_WAIT would keep the port from its server.
fn refuse_self_connection(stream: &TcpStream, to: SocketAddr) -> io::Result<()> {
    if is_self_connected(to, &|| stream.local_addr(), &|| stream.peer_addr())? {
        let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        return Err(ErrorKind::ConnectionRefused.into());
    }
    Ok(())
}

/// Whether both ends of a socket connected to `to` are the socket itself.
fn is_self_connected(
    to: SocketAddr,
    local: &dyn Fn() -> io::Result<SocketAddr>,
    peer: &dyn Fn() -> io::Result<SocketAddr>,
) -> io::Result<bool> {
    // Linux never chooses a privileged port as the local one (ip_local_port_range in ip(7)).
    if to.port() < 1024 {
        return Ok(false);
    }
    let local = local()?;
    // A connection to an unspecified address is one to loopback: the peer's own address counts.
    Ok(local.port() == to.port() && local.ip() == peer()?.ip())
}

fn any_port(to: SocketAddr) -> SocketAddr {
    let any = match to {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(any, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll};
    use std::net::TcpListener;

    /// What the system announces next of `socket`, and what is made of it.
    fn is_connected(socket: &mut Socket) -> io::Result<bool> {
        let mut poll = Poll::new().expect("a poll");
        let mut events = Events::with_capacity(1);
        socket.register(poll.registry(), Token(0)).expect("registered");
        poll.poll(&mut events, None).expect("an event");
        socket.is_connected(events.iter().next().expect("an event"))
    }

    #[test]
    fn a_connection_stands_once_it_is_accepted_and_not_if_it_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("bound");
        let mut socket = Socket::open(Transport::Tcp, address).expect("opened");
        assert!(is_connected(&mut socket).expect("accepted"));
        drop(listener);
        let mut socket = Socket::open(Transport::Tcp, address).expect("opened");
        assert_eq!(
            is_connected(&mut socket).map_err(|error| error.kind()),
            Err(ErrorKind::ConnectionRefused)
        );
    }

    #[test]
    fn a_connection_that_was_reset_at_once_has_stood() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("bound");
        let mut socket = Socket::open(Transport::Tcp, address).expect("opened");
        let (peer, _) = listener.accept().expect("accepted");
        socket.send(b"x").expect("sent");
        peer.peek(&mut [0]).expect("arrived");
        drop(peer); // On top of what was not read: a reset.
        assert!(is_connected(&mut socket).expect("it stood"));
    }
}
