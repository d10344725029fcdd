//! Maps I/O errors to failures of the engine.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use nix::errno::Errno;

use super::local::LocalError;
use super::socket::Socket;
use crate::engine::Transport;
use crate::network::is_link_local;
use crate::result::{Failure, Reason};

const EXHAUSTED: [i32; 3] = [Errno::ENFILE as i32, Errno::EMFILE as i32, Errno::ENOBUFS as i32];

/// Whether the error is local and temporary: no descriptors, buffers, memory or ports, or too many epoll
/// watches (`ENOSPC`).
pub(super) fn is_resource_exhaustion(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| EXHAUSTED.contains(&code))
        || matches!(
            error.kind(),
            ErrorKind::OutOfMemory | ErrorKind::StorageFull | ErrorKind::WouldBlock | ErrorKind::Interrupted
        )
}

/// Whether connecting to `to` failed because no local port is free: `EADDRNOTAVAIL` for an unbound socket,
/// `EADDRINUSE` for a UDP socket bound to port 0. Over IPv6, `EADDRNOTAVAIL` can also mean that no local
/// address can reach `to`: then UDP fails with the same error.
fn lacks_port(error: &io::Error, to: SocketAddr) -> bool {
    match error.kind() {
        ErrorKind::AddrInUse => true,
        ErrorKind::AddrNotAvailable => {
            let is_same = |other: io::Error| other.kind() == error.kind();
            to.is_ipv4() || !Socket::open(Transport::Udp, to, None).is_err_and(is_same)
        }
        _ => false,
    }
}

/// Without a port, `to` is the peer of an ICMP socket.
pub(super) fn of_connect(error: &io::Error, to: SocketAddr) -> Failure {
    if let Some(text) = LocalError::of(error) {
        return Failure::new(Reason::Local, text);
    }
    if lacks_port(error, to) {
        return Failure::exhausted(format!("no socket for {to}: no local port is free"));
    }
    let text = text(error);
    if is_resource_exhaustion(error) {
        return Failure::exhausted(format!("no socket for {to}: {text}"));
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => Failure::new(Reason::Refused, format!("connection refused by {to}")),
        ErrorKind::TimedOut => Failure::new(Reason::ConnectTimeout, format!("no answer from {to}")),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
            Failure::new(Reason::Reset, format!("connection to {to} reset"))
        }
        kind => {
            let reason = match kind {
                // A local route or firewall: "permission denied" would suggest that the target refused.
                ErrorKind::PermissionDenied => "administratively prohibited",
                ErrorKind::InvalidInput if is_link_local(to.ip()) => "the address needs an interface",
                // Linux returns this for a blackhole route.
                ErrorKind::InvalidInput => "no route to host (blackhole)",
                _ => &text,
            };
            let detail = match to.port() {
                0 => format!("cannot reach {}: {reason}", to.ip()),
                _ => format!("cannot connect to {to}: {reason}"),
            };
            Failure::new(Reason::Unreachable, detail)
        }
    }
}

pub(super) fn of_stream(error: &io::Error, to: SocketAddr) -> Failure {
    match error.kind() {
        // An ICMP error after a datagram.
        ErrorKind::ConnectionRefused => of_connect(error, to),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            Failure::new(Reason::Reset, format!("connection reset by {to}"))
        }
        _ => Failure::new(Reason::Reset, format!("connection to {to} broke: {}", text(error))),
    }
}

/// The error text without the error number, in lower case.
pub(super) fn text(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.find(" (os error") {
        text.truncate(end);
    }
    text.make_ascii_lowercase();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_map_to_failures() {
        let to = SocketAddr::from(([192, 0, 2, 1], 80));
        let error = |errno: Errno| io::Error::from_raw_os_error(errno as i32);
        let connect = |errno| of_connect(&error(errno), to);
        let parts = |f: Failure| (f.reason, f.detail);
        assert_eq!(
            parts(connect(Errno::ECONNREFUSED)),
            (Reason::Refused, "connection refused by 192.0.2.1:80".into())
        );
        assert_eq!(
            parts(connect(Errno::ENETUNREACH)),
            (Reason::Unreachable, "cannot connect to 192.0.2.1:80: network is unreachable".into())
        );
        assert_eq!(connect(Errno::EHOSTUNREACH).reason, Reason::Unreachable);
        let ping = of_connect(&error(Errno::EHOSTUNREACH), SocketAddr::from(([192, 0, 2, 1], 0)));
        assert_eq!(ping.detail, "cannot reach 192.0.2.1: no route to host");
        for errno in [Errno::EPERM, Errno::EACCES] {
            let detail = "cannot connect to 192.0.2.1:80: administratively prohibited".to_owned();
            assert_eq!(parts(connect(errno)), (Reason::Unreachable, detail), "rejected by a firewall");
        }
        assert_eq!(
            connect(Errno::EINVAL).detail,
            "cannot connect to 192.0.2.1:80: no route to host (blackhole)"
        );
        let local = of_connect(&error(Errno::EINVAL), "[fe80::1]:80".parse().expect("an address"));
        assert_eq!(local.detail, "cannot connect to [fe80::1]:80: the address needs an interface");
        assert_eq!(
            parts(connect(Errno::EADDRNOTAVAIL)),
            (Reason::Local, "no socket for 192.0.2.1:80: no local port is free".into())
        );
        assert_eq!(connect(Errno::EADDRINUSE).reason, Reason::Local, "no port for a UDP socket");
        use Errno::*;
        for local in [EMFILE, ENFILE, ENOBUFS, ENOSPC, ENOMEM, EAGAIN, EINTR] {
            assert_eq!(connect(local).reason, Reason::Local, "{local}");
        }
        let reset = of_stream(&error(Errno::ECONNRESET), to);
        assert_eq!(parts(reset), (Reason::Reset, "connection reset by 192.0.2.1:80".into()));
    }
}
