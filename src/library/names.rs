//! How names are resolved, and the loop that does it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::api::host::HostGuard;
use crate::engine::{Engine, Schedule};
use crate::monitor::Monitor;
use crate::reactor::{self, Reactor};
use crate::resolve::Resolver;

/// Where multicast DNS is asked (RFC 6762 section 3).
const MDNS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251)), 5353);

/// How names are resolved: IP addresses stand for themselves, `localhost` is loopback, then the hosts
/// file, then the name servers; `nas.local` and other names with a single label before `.local` are
/// resolved by multicast DNS. The files are read again when they change, which is looked for once per
/// second at most.
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
    /// `/etc/hosts`, then the name servers of `/etc/resolv.conf`; both are read again when they change.
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
    /// Asks these name servers instead of those of resolv.conf; its other lines count.
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

    /// Asks for `.local` names here instead of at the multicast group 224.0.0.251:5353.
    #[must_use]
    pub fn mdns(mut self, address: SocketAddr) -> Self {
        self.mdns = address;
        self
    }

    /// A loop for these monitors.
    pub(crate) fn reactor(
        self,
        monitors: Vec<Monitor>,
        schedule: Schedule,
        guard: HostGuard,
    ) -> io::Result<Reactor> {
        let resolver = Resolver::new(self.servers, self.mdns, Box::new(reactor::random));
        let engine = Engine::new(monitors, schedule, resolver, guard, reactor::now());
        Reactor::new(engine, self.hosts, self.resolv_conf)
    }
}
