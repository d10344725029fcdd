//! Configuration of name resolution, and construction of the event loop.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::api::access::Access;
use crate::engine::limits::Shares;
use crate::engine::{Engine, Schedule};
use crate::monitor::Monitor;
use crate::probe::build::Error;
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
    hold: Duration,
}

impl Default for ResolverConfig {
    /// `/etc/hosts`, then the name servers of `/etc/resolv.conf`.
    fn default() -> Self {
        ResolverConfig {
            servers: Vec::new(),
            hosts: "/etc/hosts".into(),
            resolv_conf: "/etc/resolv.conf".into(),
            mdns: MDNS,
            hold: ResolverConfig::HOLD,
        }
    }
}

impl ResolverConfig {
    /// The default of [`ResolverConfig::hold`]: 30 s.
    pub const HOLD: Duration = Duration::from_secs(30);

    /// The longest hold: one day.
    pub const HOLD_MAX: Duration = Duration::from_secs(24 * 3600);

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

    /// While a name cannot be resolved because no name server answers, or with an error, its last addresses are used for
    /// this long after they have expired (RFC 8767), with [`ProbeWarning::AddressHeld`](crate::ProbeWarning::AddressHeld).
    /// An answer that the name does not exist ends that. Zero: not at all. At most [`ResolverConfig::HOLD_MAX`]; longer
    /// times are an error of the functions that take the configuration. Default: [`ResolverConfig::HOLD`].
    ///
    /// ```
    /// use pingstate::ResolverConfig;
    /// use std::time::Duration;
    ///
    /// let names = ResolverConfig::default().hold(Duration::from_secs(120));
    /// assert!(format!("{names:?}").contains("120s"));
    /// ```
    #[must_use]
    pub fn hold(mut self, hold: Duration) -> Self {
        self.hold = hold;
        self
    }

    pub(crate) fn reactor(
        self,
        monitors: Vec<Monitor>,
        schedule: Schedule,
        access: Access,
    ) -> io::Result<Reactor> {
        monitors.iter().try_for_each(Monitor::validate)?;
        if self.hold > ResolverConfig::HOLD_MAX {
            return Err(Error::DnsHold("must be at most one day".to_owned()).into());
        }
        let mut resolver = Resolver::new(self.servers, self.mdns, Box::new(reactor::random_numbers()));
        resolver.set_hold(self.hold);
        let shares = Shares::of(reactor::free_descriptors());
        let engine = Engine::new(monitors, schedule, resolver, access, shares, reactor::now());
        Reactor::new(engine, self.hosts, self.resolv_conf)
    }
}
