//! `/etc/hosts`: names that need no server.

use std::net::IpAddr;

/// How much of the file is read, in bytes.
pub(crate) const HOSTS_MAX: usize = 4 * 1024 * 1024;
/// How many names are kept; block lists grow long.
pub(crate) const NAMES_MAX: usize = 65_536;
/// How many addresses one name may have.
const ADDRESSES_MAX: usize = 32;
/// The longest name that can be asked for.
const NAME_MAX: usize = 253;

/// The file's names, sorted. It keeps the text itself and eight bytes per name, and reads an address
/// again when its name is asked for: files with tens of thousands of lines stay cheap.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    /// The lines that hold names, in lower case.
    text: Vec<u8>,
    /// Sorted by name, names of the same spelling in the order of the file.
    entries: Vec<Entry>,
}

/// Where in the text a name and its address start.
#[derive(Clone, Copy, Debug)]
struct Entry {
    name: u32,
    address: u32,
}

impl Hosts {
    /// Reads the file. Lines without an address are skipped.
    pub(crate) fn parse(text: &[u8]) -> Hosts {
        let mut hosts = Hosts::default();
        for line in text[..text.len().min(HOSTS_MAX)].split(|b| *b == b'\n') {
            hosts.add(line);
        }
        let text = &hosts.text;
        hosts.entries.sort_unstable_by(|a, b| {
            (word_at(text, a.name), a.address).cmp(&(word_at(text, b.name), b.address))
        });
        hosts.text.shrink_to_fit();
        hosts.entries.shrink_to_fit();
        hosts
    }

    fn add(&mut self, line: &[u8]) {
        let line = line.split(|b| *b == b'#').next().unwrap_or_default().trim_ascii();
        let start = self.text.len();
        if address(word_at(line, 0)).is_none() || self.entries.len() == NAMES_MAX {
            return;
        }
        self.text.extend(line.iter().map(u8::to_ascii_lowercase));
        self.text.push(b'\n');
        let mut at = start + word_at(line, 0).len();
        while at < self.text.len() && self.entries.len() < NAMES_MAX {
            let Ok(name) = u32::try_from(at) else { return };
            let length = word_at(&self.text, name).len();
            if (1..=NAME_MAX).contains(&length) {
                // The address starts before its name, so it fits as well.
                self.entries.push(Entry { name, address: start as u32 });
            }
            at += length + 1;
        }
    }

    /// The addresses of `name` (in lower case, without a final dot), in the order of the file.
    pub(crate) fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let start = self.entries.partition_point(|entry| word_at(&self.text, entry.name) < name.as_bytes());
        let mut found = Vec::new();
        for entry in self.entries.iter().skip(start) {
            if word_at(&self.text, entry.name) != name.as_bytes() || found.len() == ADDRESSES_MAX {
                break;
            }
            if let Some(address) = address(word_at(&self.text, entry.address)) {
                if !found.contains(&address) {
                    found.push(address);
                }
            }
        }
        found
    }
}

/// The word that starts here; empty if a space does.
fn word_at(text: &[u8], start: u32) -> &[u8] {
    let rest = text.get(start as usize..).unwrap_or_default();
    let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
    &rest[..end]
}

fn address(word: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(word).ok()?.parse().ok()
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
    fn what_is_no_entry() {
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
        assert_eq!(hosts.entries.len(), 3);
    }

    #[test]
    fn every_prefix_can_be_read() {
        for cut in 0..TEXT.len() {
            let hosts = Hosts::parse(&TEXT.as_bytes()[..cut]);
            assert!(hosts.addresses("nas.lan").len() <= 3);
        }
    }

    #[test]
    fn names_and_files_may_be_as_long_as_their_caps() {
        let name = |len: usize| "x".repeat(len);
        let hosts = Hosts::parse(format!("10.0.0.1 {} {}", name(254), name(253)).as_bytes());
        assert_eq!((hosts.entries.len(), hosts.addresses(&name(253)).len()), (1, 1));
        let line = "\n10.0.0.1 nas";
        let text = format!("#{}{line}", name(HOSTS_MAX - line.len()));
        assert_eq!((lookup(&text, "nas").len(), lookup(&text, "na").len()), (0, 1));
    }

    #[test]
    fn long_files_stay_cheap() {
        let mut text: String = (0..70_000).map(|i| format!("0.0.0.0 ads{i}.example\n")).collect();
        text.push_str("10.0.0.1 last\n");
        let hosts = Hosts::parse(text.as_bytes());
        assert_eq!(hosts.entries.len(), NAMES_MAX);
        assert!(hosts.text.ends_with(b" ads65535.example\n"), "nothing after the last name is kept");
        assert_eq!(hosts.addresses("ads65535.example").len(), 1);
        assert_eq!(hosts.addresses("last").len(), 0);
        let one_line = format!("10.0.0.1{}", " a".repeat(100_000));
        assert_eq!(Hosts::parse(one_line.as_bytes()).entries.len(), NAMES_MAX);
        let one_name: String = (0..1000)
            .map(|i| format!("10.0.{}.{} box\n10.1.0.1 n{}\n", i / 250, i % 250, i * 7 % 1000))
            .collect();
        let addresses = Hosts::parse(one_name.as_bytes()).addresses("box");
        let first: Vec<IpAddr> = (0..32).map(|i| IpAddr::from([10, 0, 0, i])).collect();
        assert_eq!((addresses.len(), addresses), (ADDRESSES_MAX, first));
    }
}
