//! `/etc/hosts`: names that are resolved without a server.

use std::net::IpAddr;

use memchr::memchr;

use crate::wire::url::NAME_MAX;

/// Limit of the file's size, in bytes: block lists have several megabytes.
pub(crate) const HOSTS_MAX: usize = 8 * 1024 * 1024;
pub(crate) const NAMES_MAX: usize = 1024 * 1024;
pub(crate) const ADDRESSES_MAX: usize = 64;

/// The names of a hosts file, sorted. To save memory with block lists of hundreds of thousands of names, it
/// keeps the text and four bytes per name, and parses an address when its name is looked up.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    text: Vec<u8>,
    /// Offsets of the names in the text. Sorted by name; equal names in the order of the file.
    names: Vec<u32>,
    /// Whether the file exceeds the limits, so that part of it is not used.
    pub(crate) is_cut: bool,
}

impl Hosts {
    /// Parses the file. Lines without an address are skipped. The text is not copied: on a router a block
    /// list can be larger than the rest of the process.
    pub(crate) fn parse(text: impl Into<Vec<u8>>) -> Hosts {
        let mut text: Vec<u8> = text.into();
        let mut is_cut = text.len() > HOSTS_MAX;
        if is_cut {
            // Cut at a line end: part of a name could be another valid name.
            text.truncate(text[..=HOSTS_MAX].iter().rposition(|byte| *byte == b'\n').unwrap_or(0));
        }
        text.make_ascii_lowercase();
        let mut names = Vec::new();
        let mut start = 0;
        while let Some(rest) = text.get(start..) {
            let length = memchr(b'\n', rest).unwrap_or(rest.len());
            let line = &rest[..memchr(b'#', &rest[..length]).unwrap_or(length)];
            if address(line).is_some() {
                for at in word_starts(line).skip(1) {
                    is_cut |= names.len() == NAMES_MAX;
                    if names.len() < NAMES_MAX && word_at(line, at).len() <= NAME_MAX {
                        // The text has fewer than 4 GiB.
                        names.push((start + at) as u32);
                    }
                }
            }
            start += length + 1;
        }
        names
            .sort_unstable_by(|a, b| (word_at(&text, *a as usize), a).cmp(&(word_at(&text, *b as usize), b)));
        names.shrink_to_fit();
        Hosts { text, names, is_cut }
    }

    /// The addresses of `name` (in lower case, without a final dot), in the order of the file.
    pub(crate) fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let name_at = |at: &u32| word_at(&self.text, *at as usize);
        let first = self.names.partition_point(|at| name_at(at) < name.as_bytes());
        let mut found = Vec::new();
        for at in self.names.iter().skip(first) {
            if name_at(at) != name.as_bytes() || found.len() == ADDRESSES_MAX {
                break;
            }
            let before = &self.text[..*at as usize];
            let line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            if let Some(address) = address(&before[line..]).filter(|address| !found.contains(address)) {
                found.push(address);
            }
        }
        found
    }
}

fn word_starts(line: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let is_space = |at: usize| line[at].is_ascii_whitespace();
    (0..line.len()).filter(move |at| !is_space(*at) && (*at == 0 || is_space(*at - 1)))
}

/// The word that starts here. Comments start anywhere, as in glibc.
fn word_at(text: &[u8], start: usize) -> &[u8] {
    let rest = text.get(start..).unwrap_or_default();
    let end = rest.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'#');
    &rest[..end.unwrap_or(rest.len())]
}

fn address(line: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(word_at(line.trim_ascii_start(), 0)).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(text: &str, name: &str) -> Vec<String> {
        Hosts::parse(text.as_bytes()).addresses(name).iter().map(IpAddr::to_string).collect()
    }

    const TEXT: &str = "127.0.0.1\tlocalhost\n\
        # comment 10.0.0.1 commented\n\
        \x2010.0.0.2   NAS nas.lan  backup.lan # the box, not.a.name\r\n\
        fd00::2 nas.lan\n\
        10.0.0.3 printer#.lan\n\
        300.1.1.1 bad\n\
        fe80::1%lo0 zone\n\
        10.0.0.4\n\
        10.0.0.5 nas.lan\n\
        10.0.0.2 nas.lan";

    #[test]
    fn names_are_found_in_the_order_of_the_file() {
        assert_eq!(lookup(TEXT, "nas.lan"), ["10.0.0.2", "fd00::2", "10.0.0.5"]);
        assert_eq!(lookup(TEXT, "nas"), ["10.0.0.2"]);
        assert_eq!(lookup(TEXT, "backup.lan"), ["10.0.0.2"]);
        assert_eq!(lookup(TEXT, "printer"), ["10.0.0.3"]);
    }

    #[test]
    fn other_words_are_not_entries() {
        for name in
            ["", "#", "commented", "not.a.name", "bad", "zone", "10.0.0.2", "na", "nas.la", "nas.lan.", "the"]
        {
            assert_eq!(lookup(TEXT, name), [""; 0], "{name}");
        }
        assert_eq!(lookup("", "nas"), [""; 0]);
    }

    #[test]
    fn arbitrary_bytes_are_skipped() {
        let hosts = Hosts::parse(b"\xff\x00 a\n10.0.0.1 \xff\xfe b\0c ok\n\n\n \n#\n10.0.0.9");
        assert_eq!(hosts.addresses("ok"), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(hosts.names.len(), 3);
    }

    #[test]
    fn every_prefix_can_be_read() {
        for cut in 0..TEXT.len() {
            let hosts = Hosts::parse(&TEXT.as_bytes()[..cut]);
            assert!(hosts.addresses("nas.lan").len() <= 3);
        }
    }

    #[test]
    fn names_and_files_up_to_their_limits_are_read() {
        let name = |len: usize| "x".repeat(len);
        let hosts = Hosts::parse(format!("10.0.0.1 {} {}", name(254), name(253)));
        assert_eq!((hosts.names.len(), hosts.addresses(&name(253)).len()), (1, 1));
        let line = "\n10.0.0.1 nas";
        for (more, found) in [(0, 1), (1, 0)] {
            let text = format!("#{}{line}", name(HOSTS_MAX - line.len() - 1 + more));
            let hosts = Hosts::parse(text);
            assert_eq!(hosts.is_cut, more > 0);
            assert_eq!((hosts.addresses("nas").len(), hosts.addresses("na").len()), (found, 0), "{more}");
        }
    }

    /// Block lists have hundreds of thousands of lines, and the machine's own names may follow them.
    #[test]
    fn the_last_name_of_a_long_block_list_is_found() {
        let mut text: String = (0..150_000).map(|i| format!("0.0.0.0 ad{i}.example\n")).collect();
        text.push_str("127.0.0.1 last.example\n");
        let hosts = Hosts::parse(text);
        assert_eq!((hosts.names.len(), hosts.is_cut), (150_001, false));
        assert_eq!(hosts.addresses("last.example"), ["127.0.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(hosts.addresses("ad149999.example"), ["0.0.0.0".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn names_beyond_the_limit_are_reported() {
        for (more, is_cut) in [(0, false), (1, true)] {
            let hosts = Hosts::parse(format!("10.0.0.1{}", " a".repeat(NAMES_MAX + more)));
            assert_eq!((hosts.names.len(), hosts.is_cut), (NAMES_MAX, is_cut));
        }
    }

    #[test]
    fn one_name_has_many_addresses_in_the_order_of_the_file() {
        let one_name: String = (0..1000)
            .map(|i| format!("10.0.{}.{} box\n10.1.0.1 n{}\n", i / 250, i % 250, i * 7 % 1000))
            .collect();
        let addresses = Hosts::parse(one_name).addresses("box");
        let first: Vec<IpAddr> = (0..64).map(|i| IpAddr::from([10, 0, 0, i])).collect();
        assert_eq!((addresses.len(), addresses), (ADDRESSES_MAX, first));
    }
}
