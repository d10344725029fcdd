//! Decodes answers: untrusted input, also after it has matched the question.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{CLASS_IN, HEADER, Kind, Name, Question, Reply};

/// Limit of records read from an answer; further ones are ignored. A message can hold this many addresses.
const RECORDS_MAX: u16 = 4096;
/// Limit of aliases between the queried name and the name that has the addresses.
pub(crate) const CHAIN_MAX: usize = 64;
/// Limit of addresses of one kind: more than fit into a datagram of 512 bytes.
pub(super) const ADDRESSES_MAX: usize = 32;

pub(super) const TYPE_CNAME: u16 = 5;
const TYPE_SOA: u16 = 6;
/// In multicast DNS the class's top bit tells caches to flush older records (RFC 6762 section 10.2).
const CACHE_FLUSH: u16 = 0x8000;

impl Question {
    /// Decodes `message` as an answer to this question. See [`Reply`] for malformed and unmatched messages.
    pub(crate) fn read(&self, message: &[u8]) -> Reply {
        let Some(header) = header(self.id, &self.name, self.kind as u16, self.multicast, message) else {
            return Reply::Foreign;
        };
        match header.rcode {
            0 | 3 if header.truncated => Reply::Truncated,
            0 => addresses(self, message, header.answers).unwrap_or(Reply::Broken),
            3 => Reply::NoName,
            code => Reply::Refused(code),
        }
    }
}

/// What the header of an answer says.
pub(super) struct Header {
    pub(super) truncated: bool,
    pub(super) rcode: u8,
    /// The position of the answer section.
    pub(super) answers: usize,
}

/// Decodes the header and the question section; `None` if the message is no answer to this question.
pub(super) fn header(id: u16, name: &Name, kind: u16, multicast: bool, message: &[u8]) -> Option<Header> {
    let header = message.get(..HEADER)?;
    let [flags, codes] = [header[2], header[3]];
    let is_answer = flags & 0xf8 == 0x80;
    if !is_answer || u16_at(message, 0) != Some(id) {
        return None;
    }
    // Multicast answers have neither response codes nor truncation (RFC 6762 section 18).
    let (truncated, rcode) = if multicast { (false, 0) } else { (flags & 0x02 != 0, codes & 0x0f) };
    let answers = match u16_at(message, 4) {
        Some(1) => {
            let (asked, at) = Name::read(message, HEADER)?;
            let class = u16_at(message, at + 2)?;
            let same = asked == *name && u16_at(message, at)? == kind && has_class(class, multicast);
            same.then_some(at + 4)?
        }
        // Some responders omit the question, as those on port 5353 must.
        Some(0) if multicast => HEADER,
        // Servers that cannot parse the question, or refuse it, may omit it.
        Some(0) if rcode != 0 && rcode != 3 => HEADER,
        _ => return None,
    };
    Some(Header { truncated, rcode, answers })
}

fn has_class(class: u16, multicast: bool) -> bool {
    class & !(if multicast { CACHE_FLUSH } else { 0 }) == CLASS_IN
}

struct Record<T> {
    owner: Name,
    data: T,
    ttl_s: u32,
}

/// A record's fields (RFC 1035 section 4.1.3), and the positions of its data and its end.
pub(super) struct Raw {
    pub(super) owner: Name,
    pub(super) kind: u16,
    pub(super) class: u16,
    ttl_s: u32,
    pub(super) data: usize,
    pub(super) end: usize,
}

pub(super) fn raw(message: &[u8], at: usize) -> Option<Raw> {
    let (owner, at) = Name::read(message, at)?;
    let data = at + 10;
    let end = data + usize::from(u16_at(message, at + 8)?);
    let ttl_s = u32::from(u16_at(message, at + 4)?) << 16 | u32::from(u16_at(message, at + 6)?);
    // A time to live with its top bit set counts as zero (RFC 2181 section 8).
    let ttl_s = if ttl_s >> 31 == 0 { ttl_s } else { 0 };
    let (kind, class) = (u16_at(message, at)?, u16_at(message, at + 2)?);
    (end <= message.len()).then_some(Raw { owner, kind, class, ttl_s, data, end })
}

/// Reduces the answer section to the addresses at the end of the chain of aliases. Later sections are
/// often malformed; they are read only for an alias without addresses.
fn addresses(question: &Question, message: &[u8], start: usize) -> Option<Reply> {
    let mut aliases: Vec<Record<Name>> = Vec::new();
    let mut hosts: Vec<Record<IpAddr>> = Vec::new();
    let mut at = start;
    for _ in 0..u16_at(message, 6)?.min(RECORDS_MAX) {
        let Raw { owner, kind, class, ttl_s, data, end } = raw(message, at)?;
        at = end;
        if !has_class(class, question.multicast) {
            continue;
        }
        if kind == TYPE_CNAME {
            let (target, target_end) = Name::read(message, data)?;
            if target_end != end {
                return None;
            }
            aliases.push(Record { owner, data: target, ttl_s });
        } else if kind == question.kind as u16 {
            hosts.push(Record { owner, data: address(question.kind, message.get(data..end)?)?, ttl_s });
        }
    }
    match follow(&question.name, &aliases, &hosts)? {
        // The SOA record in the authority section says that the target has no address (RFC 2308 section 2.2).
        Reply::Alias { ttl_s, .. } if has_soa(message, at) => {
            Some(Reply::Addresses { addresses: Vec::new(), ttl_s })
        }
        reply => Some(reply),
    }
}

/// Whether the authority section, which starts at `at`, has an SOA record.
fn has_soa(message: &[u8], mut at: usize) -> bool {
    for _ in 0..u16_at(message, 8).unwrap_or(0).min(RECORDS_MAX) {
        match raw(message, at) {
            Some(record) if record.kind == TYPE_SOA => return true,
            Some(record) => at = record.end,
            None => return false,
        }
    }
    false
}

/// Follows the aliases from `name` to the addresses; the order of the records does not matter.
fn follow(name: &Name, aliases: &[Record<Name>], hosts: &[Record<IpAddr>]) -> Option<Reply> {
    let mut owner = name;
    let mut ttl_s = u32::MAX;
    for _ in 0..=CHAIN_MAX {
        let mut addresses = Vec::new();
        for host in hosts.iter().filter(|host| host.owner == *owner) {
            ttl_s = ttl_s.min(host.ttl_s);
            if addresses.len() < ADDRESSES_MAX && !addresses.contains(&host.data) {
                addresses.push(host.data);
            }
        }
        match aliases.iter().find(|alias| alias.owner == *owner) {
            Some(alias) if addresses.is_empty() => {
                ttl_s = ttl_s.min(alias.ttl_s);
                owner = &alias.data;
            }
            None if addresses.is_empty() && owner != name => {
                return Some(Reply::Alias { target: owner.clone(), ttl_s });
            }
            _ => return Some(Reply::Addresses { addresses, ttl_s }),
        }
    }
    None
}

fn address(kind: Kind, bytes: &[u8]) -> Option<IpAddr> {
    match kind {
        Kind::A => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        Kind::Aaaa => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
    }
}

pub(super) fn u16_at(message: &[u8], at: usize) -> Option<u16> {
    let [high, low] = *message.get(at..at + 2)? else { return None };
    Some(u16::from_be_bytes([high, low]))
}
