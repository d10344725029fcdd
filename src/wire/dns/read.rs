//! Answers read: hostile until matched, and then still not trusted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{CLASS_IN, HEADER, Kind, Name, Question, Reply};

/// How many records of an answer are looked at; those after them are ignored.
const RECORDS_MAX: u16 = 256;
/// How many aliases may lead from the name asked for to the one that has the addresses.
const CHAIN_MAX: usize = 16;
/// How many addresses of one kind are kept.
pub(super) const ADDRESSES_MAX: usize = 16;

const TYPE_CNAME: u16 = 5;
/// In multicast DNS the class's top bit tells caches to forget older records (RFC 6762 section 10.2).
const CACHE_FLUSH: u16 = 0x8000;

/// What `message` says to `question`.
pub(super) fn read(question: &Question, message: &[u8]) -> Reply {
    let Some(header) = message.get(..HEADER) else { return Reply::Foreign };
    let [flags, codes] = [header[2], header[3]];
    let rcode = codes & 0x0f;
    let is_answer = flags & 0xf8 == 0x80;
    if !is_answer || u16_at(message, 0) != Some(question.id) {
        return Reply::Foreign;
    }
    // Multicast answers have neither response codes nor truncation (RFC 6762 section 18).
    let (truncated, rcode) = if question.multicast { (false, 0) } else { (flags & 0x02 != 0, rcode) };
    let start = match u16_at(message, 4) {
        Some(1) => question_end(question, message),
        // Some responders leave the question away, as those on port 5353 have to.
        Some(0) if question.multicast => Some(HEADER),
        // So do servers that could not, or would not, read it.
        Some(0) if rcode != 0 && rcode != 3 => Some(HEADER),
        _ => None,
    };
    let Some(start) = start else { return Reply::Foreign };
    match rcode {
        0 | 3 if truncated => Reply::Truncated,
        0 => addresses(question, message, start).unwrap_or(Reply::Broken),
        3 => Reply::NoName,
        code => Reply::Refused(code),
    }
}

/// The position after the question section, if it holds just this question.
fn question_end(question: &Question, message: &[u8]) -> Option<usize> {
    let (name, at) = Name::read(message, HEADER)?;
    let same = name == question.name
        && u16_at(message, at)? == question.kind.code()
        && u16_at(message, at + 2)? & !cache_flush(question) == CLASS_IN;
    same.then_some(at + 4)
}

/// A record that may matter: its owner, what it leads to, and for how many seconds.
struct Record<T> {
    owner: Name,
    data: T,
    ttl_s: u32,
}

/// The answer section, boiled down to the addresses at the end of the chain of aliases. The
/// sections after it are not looked at: they often are broken, and never matter.
fn addresses(question: &Question, message: &[u8], start: usize) -> Option<Reply> {
    let mut aliases: Vec<Record<Name>> = Vec::new();
    let mut hosts: Vec<Record<IpAddr>> = Vec::new();
    let mut at = start;
    for _ in 0..u16_at(message, 6)?.min(RECORDS_MAX) {
        let (owner, fixed) = Name::read(message, at)?;
        let kind = u16_at(message, fixed)?;
        let class = u16_at(message, fixed + 2)? & !cache_flush(question);
        let ttl_s =
            ttl(u32::from(u16_at(message, fixed + 4)?) << 16 | u32::from(u16_at(message, fixed + 6)?));
        let data = fixed + 10;
        let end = data + usize::from(u16_at(message, fixed + 8)?);
        let bytes = message.get(data..end)?;
        at = end;
        if class != CLASS_IN {
            continue;
        }
        if kind == TYPE_CNAME {
            let (target, target_end) = Name::read(message, data)?;
            if target_end != end {
                return None;
            }
            aliases.push(Record { owner, data: target, ttl_s });
        } else if kind == question.kind.code() {
            hosts.push(Record { owner, data: address(question.kind, bytes)?, ttl_s });
        }
    }
    follow(&question.name, &aliases, &hosts)
}

/// Follows the aliases from `name` to the addresses, in whatever order the records came.
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
        let alias = aliases.iter().find(|alias| alias.owner == *owner);
        match alias {
            Some(alias) if addresses.is_empty() => {
                ttl_s = ttl_s.min(alias.ttl_s);
                owner = &alias.data;
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

/// A time to live with its top bit set counts as zero (RFC 2181 section 8).
fn ttl(seconds: u32) -> u32 {
    if seconds >> 31 == 0 { seconds } else { 0 }
}

fn cache_flush(question: &Question) -> u16 {
    if question.multicast { CACHE_FLUSH } else { 0 }
}

fn u16_at(message: &[u8], at: usize) -> Option<u16> {
    let [high, low] = *message.get(at..at + 2)? else { return None };
    Some(u16::from_be_bytes([high, low]))
}
