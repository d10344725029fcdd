//! ICMP sockets: a ping socket (icmp(7), SOCK_DGRAM) if it is permitted, otherwise a raw one.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU8;
use std::os::fd::{AsRawFd, OwnedFd};

use mio::net::UdpSocket;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use super::io_error::is_resource_exhaustion;
use super::local::{self, LocalError};
use crate::network::Network;
use crate::result::Failure;
use crate::wire::icmp::{self, Version};

/// What the user can do about a missing permission.
pub(crate) const PERMISSION: &str = "no permission for ICMP sockets: set the sysctl net.ipv4.ping_group_range to \
     \"0 2147483647\", grant the capability CAP_NET_RAW, or run as root";

/// Errors that one read passes over.
const IGNORED_MAX: usize = 16;

/// Whether this process may open ICMP sockets; the same setting applies to both address families. A family that the
/// kernel does not have is no lack of permission.
#[cfg(feature = "cli")]
pub(crate) fn has_permission() -> bool {
    [Version::V4, Version::V6]
        .into_iter()
        .all(|version| !open(version).is_err_and(|error| LocalError::of(&error).is_some()))
}

pub(super) struct IcmpSocket {
    /// Not a UDP socket, but it is used as one.
    pub(super) socket: UdpSocket,
    version: Version,
    is_raw: bool,
    /// The kernel may have queued errors about requests.
    pub(super) has_errors: bool,
}

/// Space for the control messages of a message: one number.
#[repr(align(8))]
struct Control([u8; 64]);

pub(super) enum Received {
    Message {
        start: usize,
        len: usize,
        hop_limit: Option<u8>,
    },
    /// The message that the error is about is in the buffer.
    Error {
        failure: Failure,
        len: usize,
    },
}

impl IcmpSocket {
    /// Connected: otherwise a raw socket would receive every ICMP message of the machine.
    pub(super) fn open(
        to: SocketAddr,
        hop_limit: Option<NonZeroU8>,
        network: Option<&Network>,
    ) -> io::Result<IcmpSocket> {
        let version = Version::of(to.ip());
        let (socket, is_raw) = open(version)?;
        match version {
            Version::V4 => {
                setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
                if !is_raw {
                    setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?;
                }
                hop_limit.map(|limit| socket.set_ttl_v4(limit.get().into())).transpose()?;
            }
            Version::V6 => {
                setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?;
                setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
                hop_limit.map(|limit| socket.set_unicast_hops_v6(limit.get().into())).transpose()?;
            }
        }
        if let Some(network) = network {
            local::configure(&socket, to, network)?;
        }
        socket.connect(&to.into())?;
        let socket = UdpSocket::from_std(OwnedFd::from(socket).into());
        Ok(IcmpSocket { socket, version, is_raw, has_errors: false })
    }

    pub(super) fn send(&mut self, message: &[u8]) -> io::Result<usize> {
        let with_checksum;
        let mut message = message;
        if self.is_raw && self.version == Version::V4 {
            with_checksum = icmp::with_checksum(message);
            message = &with_checksum;
        }
        match self.socket.send(message) {
            // Perhaps a pending error about an earlier message, which is also in the error queue. The second call returns
            // the result of this one.
            Err(error) if error.kind() != ErrorKind::WouldBlock => self.socket.send(message),
            sent => sent,
        }
    }

    /// Reads one message or one error about a message that was sent.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        for _ in 0..IGNORED_MAX {
            if self.has_errors {
                match self.receive_error(buffer)? {
                    Some(error) => return Ok(error),
                    None => self.has_errors = false,
                }
            }
            let mut control = Control([0; 64]);
            let mut iov = [IoSliceMut::new(buffer)];
            let fd = self.socket.as_raw_fd();
            let (len, hop_limit) = match recvmsg::<()>(fd, &mut iov, Some(&mut control.0), MsgFlags::empty())
            {
                Ok(message) => {
                    let mut messages = message.cmsgs().into_iter().flatten();
                    (message.bytes, messages.find_map(|message| hop_limit(&message)))
                }
                Err(errno @ (Errno::EAGAIN | Errno::EINTR | Errno::ENOMEM | Errno::ENOBUFS)) => {
                    return Err(errno.into());
                }
                // The last of the queued errors.
                Err(_) => {
                    self.has_errors = true;
                    continue;
                }
            };
            if !self.is_raw || self.version == Version::V6 {
                return Ok(Received::Message { start: 0, len, hop_limit });
            }
            if let Some((start, ttl)) = icmp::ipv4_header(&buffer[..len]) {
                return Ok(Received::Message { start, len: len - start, hop_limit: Some(ttl) });
            }
        }
        // The next read continues.
        Ok(Received::Message { start: 0, len: 0, hop_limit: None })
    }

    /// The next error in the queue that means that a request is lost.
    fn receive_error(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        for _ in 0..IGNORED_MAX {
            let mut control = cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6, libc::c_int);
            let mut iov = [IoSliceMut::new(buffer)];
            let flags = MsgFlags::MSG_ERRQUEUE;
            let received = match recvmsg::<()>(self.socket.as_raw_fd(), &mut iov, Some(&mut control), flags) {
                Ok(received) => received,
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            };
            let mut messages = received.cmsgs().into_iter().flatten();
            let own = self.socket.local_addr().ok().map(|own| own.ip());
            if let Some(failure) = messages.find_map(|message| failure(&message, own)) {
                return Ok(Some(Received::Error { failure, len: received.bytes }));
            }
        }
        Ok(None)
    }
}

/// Returns the socket and whether it is raw.
fn open(version: Version) -> io::Result<(Socket, bool)> {
    let (domain, protocol) = match version {
        Version::V4 => (Domain::IPV4, Protocol::ICMPV4),
        Version::V6 => (Domain::IPV6, Protocol::ICMPV6),
    };
    match Socket::new(domain, Type::DGRAM.nonblocking(), Some(protocol)) {
        Ok(socket) => return Ok((socket, false)),
        // A raw socket could be refused before the kernel notices that it has no descriptor either.
        Err(error) if is_resource_exhaustion(&error) => return Err(error),
        Err(_) => {}
    }
    match Socket::new(domain, Type::RAW.nonblocking(), Some(protocol)) {
        Ok(socket) => Ok((socket, true)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(LocalError::io(PERMISSION)),
        Err(error) => Err(error),
    }
}

fn hop_limit(message: &ControlMessageOwned) -> Option<u8> {
    match message {
        ControlMessageOwned::Ipv4Ttl(limit) | ControlMessageOwned::Ipv6HopLimit(limit) => {
            u8::try_from(*limit).ok()
        }
        _ => None,
    }
}

fn failure(message: &ControlMessageOwned, own: Option<IpAddr>) -> Option<Failure> {
    let (version, error, from) = match message {
        ControlMessageOwned::Ipv4RecvErr(error, from) => {
            let from = from.map(|from| Ipv4Addr::from(u32::from_be(from.sin_addr.s_addr)));
            (Version::V4, error, from.map(IpAddr::V4))
        }
        ControlMessageOwned::Ipv6RecvErr(error, from) => {
            let from = from.map(|from| Ipv6Addr::from(from.sin6_addr.s6_addr));
            (Version::V6, error, from.map(IpAddr::V6))
        }
        _ => return None,
    };
    let origin = match version {
        Version::V4 => libc::SO_EE_ORIGIN_ICMP,
        Version::V6 => libc::SO_EE_ORIGIN_ICMP6,
    };
    // Errors of other origins are also those of a call.
    (error.ee_origin == origin).then(|| icmp::failure(version, error.ee_type, error.ee_code, from, own))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_missing_permission_is_reported_as_one() {
        assert_eq!(LocalError::of(&LocalError::io(PERMISSION)), Some(PERMISSION));
        for errno in [Errno::EPERM, Errno::EMFILE, Errno::EAFNOSUPPORT] {
            assert_eq!(LocalError::of(&io::Error::from(errno)), None, "{errno}");
        }
        let to = SocketAddr::from(([127, 0, 0, 1], 0));
        if has_permission() {
            let mut socket = IcmpSocket::open(to, NonZeroU8::new(9), None).expect("opened");
            let empty = socket.receive(&mut [0; 64]).map(|_| ()).map_err(|error| error.kind());
            assert_eq!(empty, Err(ErrorKind::WouldBlock));
        } else {
            assert!(
                IcmpSocket::open(to, None, None)
                    .is_err_and(|error| LocalError::of(&error) == Some(PERMISSION))
            );
        }
    }
}
