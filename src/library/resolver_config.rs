//! Configuration of name resolution, and construction of the event loop.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::api::access::Access;
use crate::engine::limits::Shares;
use crate::engine::{Engine, Schedule};
use crate::monitor::Monitor;
use crate::reactor::{self, Reactor};
use crate::resolve::Resolver;

/// The multicast DNS group (RFC 6762 section 3).
const MDNS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251)), 5353);

/// Configures name resolution: `localhost` is loopback; other names are resolved by the hosts file, then
/// by the name servers. Names with a single label before `.local` (`nas.local`) use multicast DNS
/// (RFC 6762). Changed files are reread; they are checked at most once per second.
///
/// ```
/// # use std::net::TcpListener;
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// use pingstate::{ResolverConfig, check_with, probe};
///
/// # let dir = std::env::temp_dir().join(format!("pingstate-names-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let path = dir.join("hosts");
/// std::fs::write(&path, "127.0.0.1 db.example\n")?;
/// let names = ResolverConfig::default().hosts(&path).servers([([192, 0, 2, 53], 53).into()]);
/// let probe = probe("tcp", "db.example", port).build()?;
/// assert!(check_with(&probe, names).ok);
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ResolverConfig {
    servers: Vec<SocketAddr>,
    hosts: PathBuf,
    resolv_conf: PathBuf,
    mdns: SocketAddr,
}

impl Default for ResolverConfig {
    /// `/etc/hosts`, then the name servers of `/etc/resolv.conf`.
    fn default() -> Self {
        ResolverConfig {
            servers: Vec::new(),
            hosts: "/etc/hosts".into(),
            resolv_conf: "/etc/resolv.conf".into(),
            mdns: MDNS,
        }
    }
}

impl ResolverConfig {
    /// Uses these name servers instead of those in resolv.conf; its other lines still apply.
    #[must_use]
    pub fn servers(mut self, servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.servers = servers.into_iter().collect();
        self
    }

    /// Reads this file instead of `/etc/hosts`.
    #[must_use]
    pub fn hosts(mut self, path: impl Into<PathBuf>) -> Self {
        self.hosts = path.into();
        self
    }

    /// Reads this file instead of `/etc/resolv.conf`.
    #[must_use]
    pub fn resolv_conf(mut self, path: impl Into<PathBuf>) -> Self {
        self.resolv_conf = path.into();
        self
    }

    /// Sends queries for `.local` names to this address. Default: the group 224.0.0.251:5353.
    #[must_use]
    pub fn mdns(mut self, address: SocketAddr) -> Self {
        self.mdns = address;
        self
    }

    pub(crate) fn reactor(
        self,
        monitors: Vec<Monitor>,
        schedule: Schedule,
        access: Access,
    ) -> io::Result<Reactor> {
        monitors.iter().try_for_each(Monitor::validate)?;
        let resolver = Resolver::new(self.servers, self.mdns, Box::new(reactor::random_numbers()));
        let shares = Shares::of(reactor::free_descriptors());
        let engine = Engine::new(monitors, schedule, resolver, access, shares, reactor::now());
        Reactor::new(engine, self.hosts, self.resolv_conf)
    }
}
