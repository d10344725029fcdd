//! `/etc/resolv.conf`: which servers are asked, with which patience, for which names.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use crate::wire::dns::Name;

/// The port of name servers.
pub(crate) const PORT: u16 = 53;
/// How much of the file is read, in bytes.
pub(crate) const CONF_MAX: usize = 64 * 1024;
/// How many servers are used, as in glibc.
const SERVERS_MAX: usize = 3;
/// How many search domains are used.
const SEARCH_MAX: usize = 32;
/// The limits of the options, as in glibc.
const NDOTS_MAX: usize = 15;
const TIMEOUT_S_MAX: usize = 30;
const ATTEMPTS_MAX: usize = 5;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conf {
    /// Never empty.
    pub(crate) servers: Vec<SocketAddr>,
    /// The domains that names are looked for in: valid names in lower case.
    pub(crate) search: Vec<String>,
    /// How many dots a name must have to be asked for as it is first.
    pub(crate) ndots: usize,
    /// How long one query waits for its answer.
    pub(crate) timeout: Duration,
    /// How often each server is asked.
    pub(crate) attempts: usize,
}

impl Default for Conf {
    /// What an empty file means: the server of this machine.
    fn default() -> Self {
        Conf {
            servers: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))],
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
        }
    }
}

impl Conf {
    /// Reads the file. Lines that cannot be read are skipped, the others count.
    pub(crate) fn parse(text: &[u8]) -> Conf {
        let mut conf = Conf::default();
        let mut servers = Vec::new();
        for line in text[..text.len().min(CONF_MAX)].split(|b| *b == b'\n') {
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let mut words = line.split_ascii_whitespace().take_while(|word| !word.starts_with(['#', ';']));
            match words.next() {
                Some("nameserver") if servers.len() < SERVERS_MAX => {
                    servers.extend(words.next().and_then(server))
                }
                Some("domain") => conf.search = words.take(1).filter_map(domain).collect(),
                Some("search") => conf.search = words.filter_map(domain).take(SEARCH_MAX).collect(),
                Some("options") => words.for_each(|option| conf.set(option)),
                _ => {}
            }
        }
        if !servers.is_empty() {
            conf.servers = servers;
        }
        conf
    }

    fn set(&mut self, option: &str) {
        let Some((key, value)) = option.split_once(':') else { return };
        let Ok(value) = value.parse::<usize>() else { return };
        match key {
            "ndots" => self.ndots = value.min(NDOTS_MAX),
            "timeout" => self.timeout = Duration::from_secs(value.clamp(1, TIMEOUT_S_MAX) as u64),
            "attempts" => self.attempts = value.clamp(1, ATTEMPTS_MAX),
            _ => {}
        }
    }
}

/// A server's address. A zone (`fe80::1%2`) must be a number: names of interfaces mean nothing here.
fn server(word: &str) -> Option<SocketAddr> {
    let Some((address, zone)) = word.split_once('%') else {
        return Some(SocketAddr::new(word.parse::<IpAddr>().ok()?, PORT));
    };
    Some(SocketAddrV6::new(address.parse().ok()?, PORT, 0, zone.parse().ok()?).into())
}

fn domain(word: &str) -> Option<String> {
    let word = word.strip_suffix('.').unwrap_or(word);
    Name::parse(word).map(|_| word.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(text: &str) -> Vec<String> {
        Conf::parse(text.as_bytes()).servers.iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn an_ordinary_file() {
        let text = b"# by DHCP\n; too\nnameserver 192.0.2.53\nnameserver\t2001:db8::53 # second\r\n\
            search Example.com. lan\noptions ndots:2 timeout:3 attempts:4 rotate edns0\n";
        let conf = Conf::parse(text);
        assert_eq!(conf.servers, ["192.0.2.53:53".parse().unwrap(), "[2001:db8::53]:53".parse().unwrap()]);
        assert_eq!(conf.search, ["example.com", "lan"]);
        assert_eq!((conf.ndots, conf.timeout, conf.attempts), (2, Duration::from_secs(3), 4));
    }

    #[test]
    fn an_empty_file_means_this_machine() {
        let conf = Conf::parse(b"");
        assert_eq!(conf, Conf::default());
        assert_eq!(conf.servers, ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!((conf.ndots, conf.timeout, conf.attempts), (1, Duration::from_secs(5), 2));
    }

    #[test]
    fn three_servers_at_most_bad_ones_not_counted() {
        let text = "nameserver nonsense\nnameserver\nnameserver 1.1.1.1\nnameserver 1.2.3\nnameserver 2.2.2.2\n\
            nameserver 3.3.3.3\nnameserver 4.4.4.4\n";
        assert_eq!(servers(text), ["1.1.1.1:53", "2.2.2.2:53", "3.3.3.3:53"]);
        assert_eq!(servers("nameserver fe80::1%eth0\nnameserver fe80::1%3\n"), ["[fe80::1%3]:53"]);
        assert_eq!(Conf::parse(b"nameserver fe80::1%3").servers, ["[fe80::1%3]:53".parse().unwrap()]);
        assert_eq!(servers("nameservers 1.1.1.1\n#nameserver 1.1.1.1\n"), ["127.0.0.1:53"]);
    }

    #[test]
    fn the_last_search_or_domain_line_wins() {
        let search = |text: &[u8]| Conf::parse(text).search;
        assert_eq!(search(b"search a b\ndomain c d\n"), ["c"]);
        assert_eq!(search(b"domain c\nsearch a . b..c b # x\n"), ["a", "b"]);
        assert_eq!(search(b"search a\nsearch\n"), [""; 0]);
        let many: String = (0..99).map(|i| format!(" d{i}")).collect();
        assert_eq!(search(format!("search{many}").as_bytes()).len(), SEARCH_MAX);
    }

    #[test]
    fn options_are_kept_within_their_limits() {
        let options = |text: &[u8]| {
            let conf = Conf::parse(text);
            (conf.ndots, conf.timeout.as_secs(), conf.attempts)
        };
        assert_eq!(options(b"options ndots:99 timeout:99 attempts:99"), (15, 30, 5));
        assert_eq!(options(b"options ndots:0 timeout:0 attempts:0"), (0, 1, 1));
        assert_eq!(options(b"options ndots: timeout:x attempts:-1 :4 99999999999999999999"), (1, 5, 2));
        assert_eq!(options(b"options ndots:99999999999999999999999\noptions attempts:3"), (1, 5, 3));
    }

    #[test]
    fn bad_lines_are_skipped_and_the_rest_counts() {
        let text = b"\xff\xfe\x00\nnameserver \xff\n\0\nnameserver 9.9.9.9\nsearch gr\xc3\xbcn lan\n";
        let conf = Conf::parse(text);
        assert_eq!(conf.servers, ["9.9.9.9:53".parse().unwrap()]);
        assert_eq!(conf.search, ["lan"]);
    }

    #[test]
    fn only_the_start_of_a_huge_file_is_read() {
        let mut text = vec![b'\n'; CONF_MAX];
        text.extend(b"nameserver 9.9.9.9\n");
        assert_eq!(Conf::parse(&text), Conf::default());
        let line = "nameserver 9.9.9.99";
        let text = "\n".repeat(CONF_MAX + 1 - line.len()) + line;
        assert_eq!(servers(&text), ["9.9.9.9:53"]);
    }
}
