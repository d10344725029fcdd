//! The socket of one connection and its readiness.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use mio::event::{Event, Source};
use mio::net::{TcpStream, UdpSocket};
use mio::{Interest, Registry, Token};
use socket2::{SockRef, Type};

use super::icmp::{self, IcmpSocket};
use super::local;
use crate::engine::Transport;
use crate::network::Network;
use crate::result::Failure;

/// Socket send buffer of an API client in bytes. By default the kernel buffers megabytes for each client
/// that does not read.
const SEND_BUFFER: usize = 64 * 1024;

/// epoll reports a socket as writable only once it is connected, and reports errors separately. This saves
/// two system calls per connection.
const CONNECTED_IS_WRITABLE: bool = cfg!(any(target_os = "linux", target_os = "android"));

pub(super) struct Socket {
    io: Io,
    /// The peer or the multicast group.
    pub(super) to: SocketAddr,
    pub(super) connecting: bool,
    /// There may be unread data without a further event (events are edge-triggered).
    pub(super) unread: bool,
    /// The kernel has reported that the peer closed its side.
    ending: bool,
    /// The connection was reset: report its end as an error.
    reset: bool,
    accepted: bool,
    is_write_blocked: bool,
}

enum Io {
    Tcp(TcpStream),
    Udp(UdpSocket),
    Multicast(UdpSocket),
    Icmp(IcmpSocket),
}

pub(super) enum Received {
    Bytes(usize),
    Datagram(SocketAddr, usize),
    IcmpMessage {
        start: usize,
        len: usize,
        hop_limit: Option<u8>,
    },
    /// The beginning of the message that the error is about is in the buffer.
    IcmpError {
        failure: Failure,
        len: usize,
    },
    End,
    Nothing,
}

impl Socket {
    pub(super) fn open(
        transport: Transport,
        to: SocketAddr,
        network: Option<&Network>,
    ) -> io::Result<Socket> {
        let to = local::with_zone(to, network)?;
        let network = network.filter(|network| network.is_bound());
        let mut connecting = false;
        let io = match transport {
            Transport::Tcp | Transport::HalfOpenTcp => {
                let stream = match (transport, network) {
                    (Transport::HalfOpenTcp, _) => {
                        stream(local::connect(to, Type::STREAM, network, half_open)?)
                    }
                    (_, Some(_)) => stream(local::connect(to, Type::STREAM, network, |_| Ok(()))?),
                    (_, None) => TcpStream::connect(to)?,
                };
                // Over loopback the handshake is complete when `connect` returns. This check is cheaper
                // than waiting for an event.
                connecting = !to.ip().is_loopback() || is_unconnected(stream.peer_addr())?;
                if !connecting {
                    refuse_self_connection(&stream, to)?;
                }
                Io::Tcp(stream)
            }
            Transport::Udp => {
                let socket =
                    UdpSocket::from_std(local::connect(to, Type::DGRAM, network, |_| Ok(()))?.into());
                if is_self_connected(to, &|| socket.local_addr(), &|| socket.peer_addr())? {
                    // It would receive its own query instead of an ICMP error.
                    return Err(ErrorKind::ConnectionRefused.into());
                }
                Io::Udp(socket)
            }
            Transport::Multicast => {
                let socket = UdpSocket::bind(any_port(to))?;
                if let Some(network) = network {
                    // An address is bound already.
                    let network = Network { source: None, ..network.clone() };
                    let socket = socket2::Socket::from(socket.as_fd().try_clone_to_owned()?);
                    local::configure(&socket, to, &network)?;
                }
                Io::Multicast(socket)
            }
            Transport::Icmp { hop_limit } => Io::Icmp(IcmpSocket::open(to, hop_limit, network)?),
        };
        Ok(Socket { connecting, ..Socket::new(io, to) })
    }

    pub(super) fn accepted(stream: TcpStream, from: SocketAddr) -> Socket {
        // Responses are written as a whole; a small one must not wait for the previous one's ACK.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
        Socket { accepted: true, ..Socket::new(Io::Tcp(stream), from) }
    }

    fn new(io: Io, to: SocketAddr) -> Socket {
        Socket {
            io,
            to,
            connecting: false,
            unread: false,
            ending: false,
            reset: false,
            accepted: false,
            is_write_blocked: false,
        }
    }

    pub(super) fn is_icmp(&self) -> bool {
        matches!(self.io, Io::Icmp(_))
    }

    pub(super) fn note_event(&mut self, event: &Event) {
        self.ending |= event.is_read_closed() || event.is_error();
        self.unread |= event.is_readable() || self.ending;
        if let Io::Icmp(icmp) = &mut self.io {
            icmp.has_errors |= event.is_error();
        }
        // After a client has closed its side, reads return only the end of the stream.
        self.reset |= self.accepted && event.is_error();
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let (source, interest): (&mut dyn Source, _) = match &mut self.io {
            Io::Tcp(stream) => (stream, Interest::READABLE | Interest::WRITABLE),
            Io::Udp(socket) | Io::Multicast(socket) => (socket, Interest::READABLE),
            Io::Icmp(icmp) => (&mut icmp.socket, Interest::READABLE),
        };
        source.register(registry, token, interest).inspect_err(|_| {
            // In debug builds mio marks the source as registered in spite of the failure.
            let _ = source.deregister(registry);
        })
    }

    /// Whether a connecting socket is connected after `event`.
    ///
    /// If the event is not conclusive, the socket is queried: `take_error` returns a refusal once;
    /// `peer_addr` alone cannot distinguish it from a pending connection. After a reset or a broken pipe,
    /// the connection was established and has ended since.
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

    /// Reads once. After [`Received::Nothing`], new data makes an event.
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
            Io::Icmp(icmp) => icmp.receive(buffer).map(|received| match received {
                icmp::Received::Message { start, len, hop_limit } => {
                    Received::IcmpMessage { start, len, hop_limit }
                }
                icmp::Received::Error { failure, len } => Received::IcmpError { failure, len },
            }),
        };
        match result {
            Ok(Received::Bytes(len)) if len < buffer.len() && !self.ending => {
                // After a short read the stream is empty: the next byte makes an event.
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

    /// Writes once; `None` if that would block: an event follows when it is possible.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let result = match &mut self.io {
            Io::Tcp(stream) => stream.write(bytes),
            Io::Udp(socket) => socket.send(bytes),
            Io::Multicast(socket) => socket.send_to(bytes, self.to),
            Io::Icmp(icmp) => icmp.send(bytes),
        };
        match result {
            Ok(count) => {
                self.is_write_blocked = count < bytes.len();
                Ok(Some(count))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.is_write_blocked = true;
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

    /// Closes the socket. Unread data is read first: otherwise the kernel would send a reset instead of a
    /// FIN. A connection with a blocked write is reset: otherwise the kernel would keep the unsent data for
    /// minutes.
    pub(super) fn close(mut self, buffer: &mut [u8]) {
        let Io::Tcp(stream) = &self.io else { return };
        if self.is_write_blocked {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        } else if self.unread && !self.connecting {
            let _ = self.receive(buffer);
        }
    }
}

/// Makes the socket connect without sending the last acknowledgement of the handshake for about 200 ms (tcp(7),
/// TCP_QUICKACK). It sends a reset when it is closed, which the server receives in the state SYN-RECEIVED.
fn half_open(socket: &socket2::Socket) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_quickack(false)?;
    socket.set_linger(Some(Duration::ZERO))
}

fn stream(socket: socket2::Socket) -> TcpStream {
    TcpStream::from_std(socket.into())
}

/// Whether `peer`, the result of `peer_addr`, means that the connection is not established (yet).
fn is_unconnected(peer: io::Result<SocketAddr>) -> io::Result<bool> {
    match peer {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(true),
        Err(error) => Err(error),
    }
}

/// Refuses a connection of a socket to itself: if nothing listens on the target's port, the kernel may
/// choose it as the local port (simultaneous open, RFC 9293 section 3.5). The connection is reset:
/// TIME_WAIT would block the port for its server.
fn refuse_self_connection(stream: &TcpStream, to: SocketAddr) -> io::Result<()> {
    if is_self_connected(to, &|| stream.local_addr(), &|| stream.peer_addr())? {
        let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        return Err(ErrorKind::ConnectionRefused.into());
    }
    Ok(())
}

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
    // A connection to an unspecified address goes to loopback: compare with the actual peer address.
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

    /// Waits for an event and evaluates it.
    fn is_connected(socket: &mut Socket) -> io::Result<bool> {
        let mut poll = Poll::new().expect("a poll");
        let mut events = Events::with_capacity(1);
        socket.register(poll.registry(), Token(0)).expect("registered");
        poll.poll(&mut events, None).expect("an event");
        socket.is_connected(events.iter().next().expect("an event"))
    }

    #[test]
    fn a_connection_is_connected_if_accepted_and_not_if_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("bound");
        let mut socket = Socket::open(Transport::Tcp, address, None).expect("opened");
        assert!(is_connected(&mut socket).expect("accepted"));
        drop(listener);
        let mut socket = Socket::open(Transport::Tcp, address, None).expect("opened");
        assert_eq!(
            is_connected(&mut socket).map_err(|error| error.kind()),
            Err(ErrorKind::ConnectionRefused)
        );
    }

    #[test]
    fn a_connection_that_was_reset_at_once_was_connected() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("bound");
        let mut socket = Socket::open(Transport::Tcp, address, None).expect("opened");
        let (peer, _) = listener.accept().expect("accepted");
        socket.send(b"x").expect("sent");
        peer.peek(&mut [0]).expect("arrived");
        drop(peer); // With unread data: sends a reset.
        assert!(is_connected(&mut socket).expect("was connected"));
    }
}
