//! The settings of the sockets of a probe.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{Error, ProbeBuilder};
use crate::network::{AddressFamily, Network, is_link_local};
use crate::probe::kinds::Kind;
use crate::wire::url::Url;

/// Settings of all sockets of a probe: those of redirects and lookups, too. They do not apply to exec and heartbeat.
impl ProbeBuilder {
    /// The most name servers of a probe: 8.
    pub const NAME_SERVERS_MAX: usize = Network::SERVERS_MAX;

    /// Sends and receives packets through this network interface only (socket(7), SO_BINDTODEVICE), of 1 to 15 bytes.
    /// While it does not exist, checks fail with [`Reason::Local`](crate::Reason::Local). Linux before 5.7 requires the
    /// capability CAP_NET_RAW. Name servers on loopback addresses are queried on sockets without this setting.
    ///
    /// ```
    /// use pingstate::{Reason, probe};
    ///
    /// let backup = probe("tcp", "192.0.2.1", 443).interface("no-such-link").build()?;
    /// let result = backup.check();
    /// assert_eq!(result.reason, Some(Reason::Local));
    /// assert_eq!(result.detail, "no interface no-such-link");
    /// assert!(probe("tcp", "192.0.2.1", 443).interface("a name that is too long").build().is_err());
    /// # Ok::<(), pingstate::Error>(())
    /// ```
    pub fn interface(mut self, name: &str) -> Self {
        self.settings.network.interface = Some(name.to_owned());
        self
    }

    /// Connects from this local address; only addresses of its family are used. While this machine does not have it,
    /// checks fail with [`Reason::Local`](crate::Reason::Local).
    ///
    /// ```
    /// # use std::net::TcpListener;
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// use pingstate::probe;
    ///
    /// let probe = probe("tcp", "127.0.0.1", port).source([127, 0, 0, 2]).build()?;
    /// assert!(probe.check().ok);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn source(mut self, address: impl Into<IpAddr>) -> Self {
        self.settings.network.source = Some(address.into());
        self
    }

    /// Marks packets for routing rules and firewalls (socket(7), SO_MARK); not 0. Requires the capability
    /// CAP_NET_ADMIN, or from Linux 5.17 on CAP_NET_RAW; without it, checks fail with
    /// [`Reason::Local`](crate::Reason::Local).
    ///
    /// ```
    /// use pingstate::{Reason, probe};
    ///
    /// let result = probe("tcp", "127.0.0.1", 9).fwmark(2).timeout(std::time::Duration::from_secs(1)).build()?.check();
    /// assert!(matches!(result.reason, Some(Reason::Refused | Reason::Local)) || result.ok);
    /// # Ok::<(), pingstate::Error>(())
    /// ```
    pub fn fwmark(mut self, mark: u32) -> Self {
        self.settings.network.fwmark = Some(mark);
        self
    }

    /// Uses addresses of this family only. Default: [`AddressFamily::Any`].
    ///
    /// ```
    /// # use std::net::TcpListener;
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// use pingstate::{AddressFamily, probe};
    ///
    /// let probe = probe("tcp", "localhost", port).family(AddressFamily::V4).build()?;
    /// assert!(probe.check().ok);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn family(mut self, family: AddressFamily) -> Self {
        self.settings.network.family = family;
        self
    }

    /// Adds a name server to query instead of those of [`ResolverConfig`](crate::ResolverConfig); at most
    /// [`ProbeBuilder::NAME_SERVERS_MAX`].
    ///
    /// ```
    /// use pingstate::probe;
    ///
    /// let probe = probe("https", "example.com", None).interface("wan2").name_server(([192, 0, 2, 53], 53)).build()?;
    /// # Ok::<(), pingstate::Error>(())
    /// ```
    pub fn name_server(mut self, server: impl Into<SocketAddr>) -> Self {
        self.settings.network.servers.push(server.into());
        self
    }

    /// Takes the settings; `None` if all are the default.
    pub(super) fn take_network(
        &mut self,
        kind: Kind,
        peer: Option<Url>,
    ) -> Result<Option<Arc<Network>>, Error> {
        if !kind.has_sockets() {
            return Ok(None);
        }
        let mut network = std::mem::take(&mut self.settings.network);
        if let Some(interface) = &network.interface {
            check_interface(interface).map_err(Error::Interface)?;
        }
        if network.fwmark == Some(0) {
            return Err(Error::Fwmark("must not be 0".to_owned()));
        }
        if network.servers.len() > Network::SERVERS_MAX {
            return Err(Error::Dns(format!("at most {} are allowed", Network::SERVERS_MAX)));
        }
        if let Some(source) = network.source {
            if !network.family.contains(source) {
                return Err(Error::Source([&source.to_string(), " is not of the --family"].concat()));
            }
            network.family = AddressFamily::of(source);
        }
        if let Some(url) = peer {
            network.zone = url.zone;
            check_peer(&url.host, &network)?;
        }
        Ok((network != Network::default()).then(|| Arc::new(network)))
    }
}

fn check_peer(host: &str, network: &Network) -> Result<(), Error> {
    let Ok(ip) = host.parse::<IpAddr>() else { return Ok(()) };
    if !network.family.contains(ip) {
        let error: fn(String) -> Error = if network.source.is_some() { Error::Source } else { Error::Family };
        return Err(error(["does not fit to ", host].concat()));
    }
    if is_link_local(ip) && network.zone.is_none() && network.interface.is_none() {
        let message = ["is required for ", host, ", or a zone: ", host, "%eth0"].concat();
        return Err(Error::Interface(message));
    }
    Ok(())
}

/// Whether an interface can have this name.
pub(crate) fn check_interface(name: &str) -> Result<(), String> {
    let is_odd = |c: char| c == '/' || c.is_whitespace() || c.is_control();
    match name.len() {
        1..=Network::INTERFACE_MAX if !name.contains(is_odd) => Ok(()),
        _ => Err("is not the name of a network interface: 1 to 15 bytes, like eth0 or wan2".to_owned()),
    }
}
