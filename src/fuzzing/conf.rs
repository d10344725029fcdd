//! resolv.conf and the hosts file.

use std::net::IpAddr;

use super::Source;
use crate::resolve::conf::Conf;
use crate::resolve::hosts::Hosts;
use crate::wire::dns::Name;

/// One byte chooses the file; the rest is its content.
pub fn conf(data: &[u8]) {
    let mut source = Source::new(data);
    match source.byte() % 2 {
        0 => resolv_conf(source.rest()),
        _ => hosts(source.rest()),
    }
}

/// The parsed values are within their limits, and parsing is stable when they are written out again.
fn resolv_conf(text: &[u8]) {
    let (conf, notes) = Conf::parse(text, &[]);
    assert!(notes.len() <= 8 && notes.iter().all(|note| !note.contains(char::is_control)));
    assert!((1..=3).contains(&conf.servers.len()) && conf.search.len() <= 32);
    assert!(conf.ndots <= 15 && (1..=5).contains(&conf.attempts));
    assert!((1..=30).contains(&conf.timeout.as_secs()) && conf.timeout.subsec_nanos() == 0);
    for domain in &conf.search {
        assert_eq!(Name::parse(domain).map(|name| name.to_string()).as_ref(), Some(domain));
    }
    let mut again = String::new();
    for server in &conf.servers {
        assert_eq!(server.port(), 53);
        let zone = match server {
            std::net::SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("%{}", v6.scope_id()),
            _ => String::new(),
        };
        again.push_str(&format!("nameserver {}{zone}\n", server.ip()));
    }
    again.push_str(&format!("search {}\n", conf.search.join(" ")));
    let (ndots, timeout_s, attempts) = (conf.ndots, conf.timeout.as_secs(), conf.attempts);
    let (vc, v4) = (if conf.use_vc { "use-vc" } else { "" }, if conf.no_aaaa { "no-aaaa" } else { "" });
    again.push_str(&format!("options ndots:{ndots} timeout:{timeout_s} attempts:{attempts} {vc} {v4}\n"));
    assert_eq!(Conf::parse(again.as_bytes(), &[]), (conf, Vec::new()));
}

/// Every name has the addresses that a search through all lines finds.
fn hosts(text: &[u8]) {
    let hosts = Hosts::parse(text);
    let lines = lines(text);
    let names = lines.iter().flat_map(|(_, names)| names);
    for name in names.take(40).filter_map(|name| std::str::from_utf8(name).ok()) {
        let found = hosts.addresses(name);
        assert_eq!(found, search(&lines, name.as_bytes()), "{name:?}");
        let (longer, shorter) =
            (format!("{name}x"), &name[..name.len() - name.chars().last().unwrap().len_utf8()]);
        for other in [&longer, shorter] {
            assert_eq!(hosts.addresses(other), search(&lines, other.as_bytes()), "{other:?}");
        }
    }
    for name in ["", "localhost", "#", " ", "\n"] {
        assert_eq!(hosts.addresses(name), search(&lines, name.as_bytes()), "{name:?}");
    }
}

/// The lines that begin with an address, and their names in lower case.
fn lines(text: &[u8]) -> Vec<(IpAddr, Vec<Vec<u8>>)> {
    let mut lines = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.split(|byte| *byte == b'#').next().unwrap();
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let address = words.next().and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
        let names = words.filter(|word| word.len() <= 253).map(<[u8]>::to_ascii_lowercase).collect();
        lines.extend(address.map(|address| (address, names)));
    }
    lines
}

fn search(lines: &[(IpAddr, Vec<Vec<u8>>)], name: &[u8]) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for (address, names) in lines {
        if names.iter().any(|known| known == name) && !found.contains(address) && found.len() < 64 {
            found.push(*address);
        }
    }
    found
}
