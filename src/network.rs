//! The local side of the sockets of a target's checks: interface, addresses and name servers.

use std::net::{IpAddr, SocketAddr};

/// The address family of a target's connections, see [`ProbeBuilder::family`](crate::ProbeBuilder::family).
///
/// ```
/// use pingstate::AddressFamily;
///
/// assert_eq!(AddressFamily::default(), AddressFamily::Any);
/// assert_eq!(AddressFamily::V6.as_str(), "6");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressFamily {
    /// IPv6 and IPv4: the first that connects (RFC 8305).
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl AddressFamily {
    pub(crate) fn of(ip: IpAddr) -> AddressFamily {
        if ip.is_ipv4() { AddressFamily::V4 } else { AddressFamily::V6 }
    }

    pub(crate) fn contains(self, ip: IpAddr) -> bool {
        self == AddressFamily::Any || self == AddressFamily::of(ip.to_canonical())
    }

    /// The value of `--family`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            AddressFamily::Any => "any",
            AddressFamily::V4 => "4",
            AddressFamily::V6 => "6",
        }
    }

    /// `IPv4 `, before the word `address`.
    pub(crate) fn adjective(self) -> &'static str {
        match self {
            AddressFamily::Any => "",
            AddressFamily::V4 => "IPv4 ",
            AddressFamily::V6 => "IPv6 ",
        }
    }
}

/// The local side of a target's sockets: those of its probe, of redirects and of lookups. [`Network::default`] has no
/// requirements.
///
/// ```
/// use pingstate::{Network, Probe, probe};
///
/// let backup = probe("https", "example.com", None).interface("wan2").build()?;
/// assert_eq!(backup.network().and_then(|network| network.interface.as_deref()), Some("wan2"));
/// assert_eq!(Network::default().interface, None);
/// # Ok::<(), pingstate::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Network {
    /// The name of the interface that packets leave and arrive through.
    pub interface: Option<String>,
    /// The local address.
    pub source: Option<IpAddr>,
    /// The mark of packets for routing rules and firewalls; not zero.
    pub fwmark: Option<u32>,
    /// The family of the addresses that are used.
    pub family: AddressFamily,
    /// The zone of link-local addresses (RFC 4007): name or number of an interface.
    pub zone: Option<String>,
    /// The name servers; empty for those of [`ResolverConfig`](crate::ResolverConfig).
    pub servers: Vec<SocketAddr>,
}

impl Network {
    /// The longest name of an interface, in bytes (IFNAMSIZ without its final NUL byte).
    pub(crate) const INTERFACE_MAX: usize = 15;

    pub(crate) const SERVERS_MAX: usize = 8;

    /// Whether the API shows it.
    pub(crate) fn is_shown(&self) -> bool {
        self.is_bound() || self.family != AddressFamily::Any
    }

    /// Whether a socket needs more than its default settings, except for a zone.
    pub(crate) fn is_bound(&self) -> bool {
        self.interface.is_some() || self.source.is_some() || self.fwmark.is_some()
    }
}

/// Whether sockets need the zone or interface of this address.
pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}
