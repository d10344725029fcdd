//! The names of the world: what they stand for, and how that is to be found out.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;

use super::rng::Rng;

/// How the addresses of a name are learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Literal,
    Loopback,
    Hosts,
    /// From a name server, as it stands.
    Plain,
    /// By way of another name.
    Alias,
    /// Only with the domain `lan` behind it.
    Search,
    /// Its answers never fit into a datagram.
    Big,
    Multicast,
    NoName,
    NoData,
    Invalid,
}

/// One name, as a user writes it.
pub(super) struct Host {
    pub(super) text: &'static str,
    pub(super) how: How,
    pub(super) v4: Vec<IpAddr>,
    pub(super) v6: Vec<IpAddr>,
}

impl Host {
    pub(super) fn exists(&self) -> bool {
        !matches!(self.how, How::NoName | How::NoData | How::Invalid)
    }

    /// Whether name servers are asked for it.
    pub(super) fn is_asked(&self) -> bool {
        !matches!(self.how, How::Literal | How::Loopback | How::Invalid)
    }

    /// Whether somebody who resolves it may ask for `full`.
    pub(super) fn may_ask(&self, full: &str) -> bool {
        if !self.is_asked() {
            return false;
        }
        if self.how == How::Alias && full == self.real() {
            return true;
        }
        let bare = self.text.trim_end_matches('.');
        let rest = full.strip_prefix(bare);
        rest.is_some_and(|rest| rest.is_empty() || (bare == self.text && DOMAINS.contains(&rest)))
    }

    /// The name that name servers know.
    fn full(&self) -> String {
        let bare = self.text.trim_end_matches('.');
        if self.how == How::Search { format!("{bare}.lan") } else { bare.to_owned() }
    }

    /// What it is an alias of.
    pub(super) fn real(&self) -> String {
        format!("real.{}", self.full())
    }
}

/// The search list's domains.
const DOMAINS: [&str; 2] = [".lan", ".corp.example"];

/// Where multicast questions go.
pub(super) const MDNS: &str = "224.0.0.251:5353";

/// How many names any target or redirect may have. Those behind them are the crowd's.
pub(super) const CAST: usize = 19;

/// How many targets with names of their own a crowd has: more than there may be queries for.
pub(super) const CROWD: usize = 60;

/// All names there are.
pub(super) fn hosts() -> &'static [Host] {
    static HOSTS: OnceLock<Vec<Host>> = OnceLock::new();
    HOSTS.get_or_init(|| {
        let list = |addresses: &str| -> Vec<IpAddr> {
            addresses.split_whitespace().map(|address| address.parse().unwrap()).collect()
        };
        let rows = [
            ("10.0.0.9", How::Literal, "10.0.0.9", ""),
            ("fd00::9", How::Literal, "", "fd00::9"),
            ("localhost", How::Loopback, "127.0.0.1", "::1"),
            ("hosty", How::Hosts, "10.0.3.1", "fd00::3"),
            ("alpha.example", How::Plain, "10.0.1.1", ""),
            ("alpha.example.", How::Plain, "10.0.1.1", ""),
            ("beta.example", How::Plain, "10.0.2.1", "fd00::21"),
            ("gamma.example", How::Plain, "", "fd00::31 fd00::32"),
            ("delta.example", How::Alias, "10.0.4.1 10.0.4.2", ""),
            ("multi.example", How::Plain, "10.0.5.1 10.0.5.2 10.0.5.3", "fd00::51 fd00::52"),
            ("db", How::Search, "10.0.6.1", "fd00::61"),
            ("box.sub", How::Search, "10.0.6.2", ""),
            ("big.example", How::Big, "10.0.8.1 10.0.8.2", "fd00::81"),
            ("nas.local", How::Multicast, "10.0.7.1", ""),
            ("db.corp.local", How::Plain, "10.0.6.3", ""),
            ("nowhere.example", How::NoName, "", ""),
            ("short", How::NoName, "", ""),
            ("empty.example", How::NoData, "", ""),
            ("x.invalid", How::Invalid, "", ""),
        ];
        let cast: [Host; CAST] =
            rows.map(|(text, how, v4, v6)| Host { text, how, v4: list(v4), v6: list(v6) });
        let crowd = (0..CROWD).map(|n| Host {
            text: format!("crowd{n}.example").leak(),
            how: How::Plain,
            v4: list("10.0.9.1"),
            v6: Vec::new(),
        });
        cast.into_iter().chain(crowd).collect()
    })
}

/// What the name servers know of a full name.
pub(super) fn zone(full: &str) -> Option<&'static Host> {
    let is_known = |host: &&Host| {
        host.is_asked() && host.full() == full || host.how == How::Alias && host.real() == full
    };
    let found = hosts().iter().find(is_known)?;
    (found.how != How::NoName).then_some(found)
}

/// Whether every way to this address leads past another one of its family that may be relied on.
pub(super) fn is_spare(address: IpAddr) -> bool {
    if address == IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]) {
        return true; // localhost has the other family, always.
    }
    let last = |list: &[IpAddr]| list.contains(&address) && list.last() != Some(&address);
    hosts().iter().any(|host| last(&host.v4) || last(&host.v6))
}

/// Whether every way to this address leads past one of the other family.
pub(super) fn has_both(address: IpAddr) -> bool {
    let leads = |host: &&Host| host.v4.contains(&address) || host.v6.contains(&address);
    hosts().iter().filter(leads).all(|host| !host.v4.is_empty() && !host.v6.is_empty())
}

/// How a name server behaves, all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Healthy,
    Dead,
    /// Nobody listens there, and the system says so.
    Closed,
    Servfail,
}

/// One version of the configuration files.
#[derive(Clone)]
pub(super) struct Files {
    pub(super) hosts: String,
    pub(super) resolv_conf: String,
    /// One of the servers is healthy.
    pub(super) sound: bool,
    pub(super) attempts: u64,
    /// Servers are asked over TCP only.
    pub(super) use_vc: bool,
}

/// The address of a name server.
pub(super) fn server(index: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 53 + index as u8], 53))
}

impl Files {
    pub(super) fn roll(rng: &mut Rng, roles: &[Role; 3]) -> Files {
        let mut hosts = "127.0.0.1 localhost\n10.0.3.1 Hosty # here\nfd00::3 hosty\n".to_owned();
        if rng.permille(200) {
            hosts.push_str("10.0.1.1 alpha.example\n");
        }
        let mut list = vec![0, 1, 2];
        let count = rng.range(1, 3) as usize;
        while list.len() > count {
            list.remove(rng.index(list.len()));
        }
        if rng.permille(500) {
            list.reverse();
        }
        let attempts = rng.range(1, 3);
        let mut resolv_conf = String::new();
        for index in &list {
            resolv_conf.push_str(&format!("nameserver {}\n", server(*index).ip()));
        }
        let search = rng.pick(&["lan", "lan corp.example", "corp.example lan"]);
        let timeout = rng.pick(&[1, 2, 5]);
        let ndots = rng.range(0, 2);
        let use_vc = rng.permille(100);
        let vc = if use_vc { " use-vc" } else { "" };
        resolv_conf.push_str(&format!(
            "search {search}\noptions ndots:{ndots} timeout:{timeout} attempts:{attempts}{vc}\n"
        ));
        let sound = list.iter().any(|index| roles[*index] == Role::Healthy);
        Files { hosts, resolv_conf, sound, attempts, use_vc }
    }
}
