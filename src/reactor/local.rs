//! The local side of sockets: interface, source address and mark of a target.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use socket2::{Domain, Protocol, Socket, Type};

use crate::network::{Network, is_link_local};

/// Why a socket cannot be used, as a message: a setting of this machine, not the target.
#[derive(Debug)]
pub(super) struct LocalError(pub(super) String);

impl LocalError {
    pub(super) fn io(text: impl Into<String>) -> io::Error {
        io::Error::other(LocalError(text.into()))
    }

    pub(super) fn of(error: &io::Error) -> Option<&str> {
        error.get_ref()?.downcast_ref::<LocalError>().map(|error| error.0.as_str())
    }
}

impl std::error::Error for LocalError {}

impl std::fmt::Display for LocalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `to` with the zone of the network, if it is a link-local address without one.
pub(super) fn with_zone(to: SocketAddr, network: Option<&Network>) -> io::Result<SocketAddr> {
    let SocketAddr::V6(mut v6) = to else { return Ok(to) };
    let zone = network.and_then(|network| network.zone.as_deref().or(network.interface.as_deref()));
    let Some(zone) = zone.filter(|_| is_link_local(to.ip()) && v6.scope_id() == 0) else { return Ok(to) };
    let index = match zone.parse() {
        Ok(index) => index,
        Err(_) => if_nametoindex(zone).map_err(|_| no_interface(zone))?,
    };
    v6.set_scope_id(index);
    Ok(v6.into())
}

/// A non-blocking socket that is connected or connecting. `prepare` is called before it connects.
pub(super) fn connect(
    to: SocketAddr,
    kind: Type,
    network: Option<&Network>,
    prepare: impl FnOnce(&Socket) -> io::Result<()>,
) -> io::Result<Socket> {
    let protocol = if kind == Type::STREAM { Protocol::TCP } else { Protocol::UDP };
    let socket = Socket::new(Domain::for_address(to), kind.nonblocking(), Some(protocol))?;
    if let Some(network) = network {
        configure(&socket, to, network)?;
    }
    prepare(&socket)?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => Err(error),
        _ => Ok(socket),
    }
}

/// Applies the settings to a socket that is not connected.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn configure(socket: &Socket, to: SocketAddr, network: &Network) -> io::Result<()> {
    if let Some(interface) = &network.interface {
        socket.bind_device(Some(interface.as_bytes())).map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => LocalError::io(
                "no permission for --interface: Linux before 5.7 requires \
                the capability CAP_NET_RAW or root",
            ),
            _ => no_interface(interface),
        })?;
    }
    if let Some(mark) = network.fwmark {
        socket.set_mark(mark).map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => LocalError::io(MARK_PERMISSION),
            _ => error,
        })?;
    }
    // A name server may have an address of the other family.
    if let Some(source) = network.source.filter(|source| source.is_ipv4() == to.is_ipv4()) {
        // The kernel chooses the port when the socket connects: one that is free for this peer suffices.
        let _ = nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true);
        let address = match (source, to) {
            (IpAddr::V6(ip), SocketAddr::V6(to)) if is_link_local(source) => {
                std::net::SocketAddrV6::new(ip, 0, 0, to.scope_id()).into()
            }
            _ => SocketAddr::new(source, 0),
        };
        socket.bind(&address.into()).map_err(|error| match error.kind() {
            ErrorKind::AddrNotAvailable => {
                LocalError::io(format!("this machine does not have the address {source}"))
            }
            _ => error,
        })?;
    }
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn configure(_: &Socket, _: SocketAddr, network: &Network) -> io::Result<()> {
    match network.is_bound() {
        true => Err(LocalError::io("--interface, --source and --fwmark require Linux")),
        false => Ok(()),
    }
}

pub(crate) const MARK_PERMISSION: &str = "no permission for --fwmark: grant the capability CAP_NET_ADMIN \
    (from Linux 5.17 on CAP_NET_RAW suffices), or run as root";

fn no_interface(name: &str) -> io::Error {
    LocalError::io(["no interface ", name].concat())
}

/// An error if this process must not use the settings on any interface.
#[cfg(feature = "cli")]
pub(crate) fn check_permission(network: &Network) -> Result<(), String> {
    let any = SocketAddr::from(([127, 0, 0, 1], 9));
    let Ok(socket) = Socket::new(Domain::IPV4, Type::DGRAM, None) else { return Ok(()) };
    // An interface or address that is absent may appear later.
    let network = Network {
        interface: Some("lo".to_owned()).filter(|_| network.interface.is_some()),
        source: None,
        ..network.clone()
    };
    match configure(&socket, any, &network) {
        Err(error) => LocalError::of(&error)
            .filter(|text| text.contains("permission"))
            .map_or(Ok(()), |text| Err(text.to_owned())),
        Ok(()) => Ok(()),
    }
}
