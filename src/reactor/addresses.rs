//! Whether this machine has an address that other machines can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use super::Reactor;
use crate::clock::Now;
use crate::network::is_link_local;

/// Many checks may fail at the same time.
const REFRESH_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Default)]
pub(super) struct Addresses {
    has_usable: bool,
    refreshed: Option<Instant>,
}

impl Addresses {
    pub(super) fn has_usable(&mut self, now: Instant) -> bool {
        if self.refreshed.is_none_or(|at| now.saturating_duration_since(at) >= REFRESH_INTERVAL) {
            self.refreshed = Some(now);
            self.has_usable = read_addresses();
        }
        self.has_usable
    }
}

impl Reactor {
    pub(super) fn check_addresses(&mut self, now: Now) {
        let has_address = self.addresses.has_usable(now.instant);
        self.engine.handle_addresses(has_address, now);
    }
}

fn read_addresses() -> bool {
    // Without an answer of the kernel, failures count: an outage must not be hidden.
    let Ok(addresses) = getifaddrs() else { return true };
    let entries: Vec<_> =
        addresses.filter(|entry| !entry.flags.contains(InterfaceFlags::IFF_LOOPBACK)).collect();
    // A machine without any network has none to lose: its targets are its own.
    entries.is_empty()
        || entries.into_iter().any(|entry| {
            let Some(address) = entry.address.filter(|_| entry.flags.contains(InterfaceFlags::IFF_UP)) else {
                return false;
            };
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            let v6 = address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()));
            v4.or(v6).is_some_and(is_usable)
        })
}

fn is_usable(ip: IpAddr) -> bool {
    let is_private_to_link = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(_) => is_link_local(ip),
    };
    !ip.is_loopback() && !is_private_to_link && ip != Ipv4Addr::UNSPECIFIED && ip != Ipv6Addr::UNSPECIFIED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_and_of_a_link_are_not_usable() {
        for (text, usable) in [
            ("127.0.0.1", false),
            ("127.3.0.1", false),
            ("169.254.1.1", false),
            ("0.0.0.0", false),
            ("::1", false),
            ("fe80::1", false),
            ("10.0.0.1", true),
            ("100.64.0.1", true),
            ("192.0.2.1", true),
            ("fd00::1", true),
            ("2001:db8::1", true),
        ] {
            assert_eq!(is_usable(text.parse().expect("an address")), usable, "{text}");
        }
    }
}
