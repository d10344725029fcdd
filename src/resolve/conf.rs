//! `/etc/resolv.conf`: name servers, search domains and options.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use crate::text::printable;
use crate::wire::dns::Name;

pub(crate) const PORT: u16 = 53;
pub(crate) const CONF_MAX: usize = 64 * 1024;
/// Limit of servers, as in glibc (MAXNS).
const SERVERS_MAX: usize = 3;
const SEARCH_MAX: usize = 32;
const SHOWN_MAX: usize = 60;
const NOTES_MAX: usize = 8;
/// The limits of the options, as in glibc.
const NDOTS_MAX: usize = 15;
const TIMEOUT_S_MAX: usize = 30;
const ATTEMPTS_MAX: usize = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conf {
    /// Never empty.
    pub(crate) servers: Vec<SocketAddr>,
    /// Search domains: valid names in lower case.
    pub(crate) search: Vec<String>,
    /// Names with at least this many dots are queried as they are before the search list is used.
    pub(crate) ndots: usize,
    pub(crate) timeout: Duration,
    /// Rounds of queries before the intervals grow.
    pub(crate) attempts: usize,
    pub(crate) use_vc: bool,
    pub(crate) no_aaaa: bool,
}

impl Default for Conf {
    /// The settings of an empty file: the server of this machine.
    fn default() -> Self {
        Conf {
            servers: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))],
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            use_vc: false,
            no_aaaa: false,
        }
    }
}

impl Conf {
    /// Parses the file. Returns a log line for each entry that is not used. `own` servers, if any, replace
    /// those of the file.
    pub(crate) fn parse(text: &[u8], own: &[SocketAddr]) -> (Conf, Vec<String>) {
        let mut conf = Conf::default();
        let mut servers = own.to_vec();
        let mut notes = Vec::new();
        let mut used = text;
        if text.len() > CONF_MAX {
            used = &text[..text[..=CONF_MAX].iter().rposition(|byte| *byte == b'\n').unwrap_or(0)];
            notes.push("resolv.conf: only the first 64 KiB are read".to_owned());
        }
        for line in used.split(|b| *b == b'\n') {
            let line = String::from_utf8_lossy(line);
            let mut words = line.split_ascii_whitespace().take_while(|word| !word.starts_with(['#', ';']));
            match words.next() {
                Some("nameserver") if own.is_empty() => {
                    let word = words.next().unwrap_or_default();
                    match server(word) {
                        Some(server) if servers.len() < SERVERS_MAX => servers.push(server),
                        Some(_) => note(&mut notes, "name server", word, "it is not among the first 3"),
                        None if word.contains('%') => {
                            note(&mut notes, "name server", word, "the zone must be a number");
                        }
                        None => note(&mut notes, "name server", word, "it must be an IP address"),
                    }
                }
                Some(key @ ("domain" | "search")) => {
                    let most = if key == "domain" { 1 } else { usize::MAX };
                    conf.search.clear();
                    // The root adds nothing to a name.
                    for word in words.take(most).filter(|word| *word != ".") {
                        match domain(word) {
                            Some(domain) if conf.search.len() < SEARCH_MAX => conf.search.push(domain),
                            Some(_) => {
                                note(&mut notes, "search domain", word, "it is not among the first 32")
                            }
                            None => note(&mut notes, "search domain", word, "it is not a domain name"),
                        }
                    }
                }
                Some("options") => words.for_each(|option| conf.set(option)),
                _ => {}
            }
        }
        if !servers.is_empty() {
            conf.servers = servers;
        }
        (conf, notes)
    }

    /// With these servers instead of its own, if there are any.
    pub(super) fn with_servers(mut self, servers: &[SocketAddr]) -> Conf {
        if !servers.is_empty() {
            self.servers = servers.to_vec();
        }
        self
    }

    fn set(&mut self, option: &str) {
        match option {
            "use-vc" => self.use_vc = true,
            "no-aaaa" => self.no_aaaa = true,
            _ => {}
        }
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

#[cold]
fn note(notes: &mut Vec<String>, what: &str, word: &str, why: &str) {
    if notes.len() < NOTES_MAX {
        let word = printable(word, SHOWN_MAX);
        notes.push(format!("resolv.conf: {what} \"{word}\" is not used: {why}"));
    }
}

/// Parses a server's address. A zone (`fe80::1%2`) must be a number: interface names are not resolved here.
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

    fn parse(text: &[u8]) -> Conf {
        Conf::parse(text, &[]).0
    }

    fn notes(text: &str) -> Vec<String> {
        Conf::parse(text.as_bytes(), &[]).1
    }

    fn servers(text: &str) -> Vec<String> {
        parse(text.as_bytes()).servers.iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn an_ordinary_file() {
        let text = b"# by DHCP\n; too\nnameserver 192.0.2.53\nnameserver\t2001:db8::53 # second\r\n\
            search Example.com. lan\noptions ndots:2 timeout:3 attempts:4 rotate edns0\n";
        let conf = parse(text);
        assert_eq!(conf.servers, ["192.0.2.53:53".parse().unwrap(), "[2001:db8::53]:53".parse().unwrap()]);
        assert_eq!(conf.search, ["example.com", "lan"]);
        assert_eq!((conf.ndots, conf.timeout, conf.attempts), (2, Duration::from_secs(3), 4));
    }

    #[test]
    fn an_empty_file_selects_the_local_server() {
        let conf = parse(b"");
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
        assert_eq!(parse(b"nameserver fe80::1%3").servers, ["[fe80::1%3]:53".parse().unwrap()]);
        assert_eq!(servers("nameservers 1.1.1.1\n#nameserver 1.1.1.1\n"), ["127.0.0.1:53"]);
    }

    #[test]
    fn the_last_search_or_domain_line_wins() {
        let search = |text: &[u8]| parse(text).search;
        assert_eq!(search(b"search a b\ndomain c d\n"), ["c"]);
        assert_eq!(search(b"domain c\nsearch a . b..c b # x\n"), ["a", "b"]);
        assert_eq!(search(b"search a\nsearch\n"), [""; 0]);
        let many: String = (0..99).map(|i| format!(" d{i}")).collect();
        assert_eq!(search(format!("search{many}").as_bytes()).len(), SEARCH_MAX);
    }

    #[test]
    fn options_are_kept_within_their_limits() {
        let options = |text: &[u8]| {
            let conf = parse(text);
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
        let conf = parse(text);
        assert_eq!(conf.servers, ["9.9.9.9:53".parse().unwrap()]);
        assert_eq!(conf.search, ["lan"]);
    }

    #[test]
    fn unused_entries_are_reported() {
        let text = "nameserver 1.1.1.1#5353\nnameserver fe80::1%eth0\nnameserver\nnameserver 1.1.1.1\n\
            nameserver 2.2.2.2\nnameserver ::3\nnameserver 4.4.4.4\nsearch lan . b..c \n\
            options rotate edns0 trust-ad inet6 single-request ndots:1 nonsense\nsortlist 10.0.0.0\nfamily inet4\n";
        let expected = [
            "name server \"1.1.1.1#5353\" is not used: it must be an IP address",
            "name server \"fe80::1%eth0\" is not used: the zone must be a number",
            "name server \"\" is not used: it must be an IP address",
            "name server \"4.4.4.4\" is not used: it is not among the first 3",
            "search domain \"b..c\" is not used: it is not a domain name",
        ];
        assert_eq!(notes(text), expected.map(|note| format!("resolv.conf: {note}")));
        assert_eq!(servers(text), ["1.1.1.1:53", "2.2.2.2:53", "[::3]:53"]);
        let own = ["10.0.0.1:5300".parse().unwrap(); 4];
        let (conf, notes) = Conf::parse(b"nameserver x\nsearch lan\n", &own);
        assert_eq!((conf.servers.as_slice(), conf.search.len(), notes.len()), (own.as_slice(), 1, 0));
    }

    #[test]
    fn reports_are_limited_and_printable() {
        let many: String = (0..34).map(|i| format!(" d{i}")).collect();
        let search = notes(&format!("search{many}\n"));
        assert_eq!(search.len(), 2);
        assert_eq!(search[0], "resolv.conf: search domain \"d32\" is not used: it is not among the first 32");
        let hostile = format!("nameserver \x1b[31m{}\n", "x".repeat(999)).repeat(99);
        let notes = notes(&hostile);
        assert_eq!(notes.len(), NOTES_MAX);
        assert!(notes.iter().all(|note| note.len() < 160 && !note.contains(char::is_control)), "{notes:?}");
    }

    #[test]
    fn flags_are_honoured() {
        let flags = |text: &[u8]| (parse(text).use_vc, parse(text).no_aaaa);
        assert_eq!(flags(b"options use-vc"), (true, false));
        assert_eq!(flags(b"options ndots:2 no-aaaa\r\noptions rotate\n"), (false, true));
        assert_eq!(flags(b"options no-aaaa:1 use-vcs\n# options use-vc no-aaaa\n"), (false, false));
    }

    #[test]
    fn only_the_start_of_a_huge_file_is_read() {
        let mut text = vec![b'\n'; CONF_MAX];
        text.extend(b"nameserver 9.9.9.9\n");
        assert_eq!(parse(&text), Conf::default());
        assert_eq!(notes(&String::from_utf8(text).unwrap()), ["resolv.conf: only the first 64 KiB are read"]);
        let line = "nameserver 9.9.9.99";
        let text = "\n".repeat(CONF_MAX + 1 - line.len()) + line;
        assert_eq!(servers(&text), ["127.0.0.1:53"], "part of an address is not used");
    }
}
