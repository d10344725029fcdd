//! DNS messages, compared with a straightforward decoder.

use std::net::IpAddr;

use super::{Source, message};
use crate::wire::dns::{Kind, Name, Question, Reply};

/// Three bytes choose the question and how the response is made; the rest is the response's content.
pub fn dns(data: &[u8]) {
    let (question, message) = conversation(data);
    let reply = question.read(&message);
    assert_eq!(reply, read(&question, &message), "{question:?} {message:02x?}");
    if let Reply::Addresses { addresses, .. } = &reply {
        assert!(addresses.len() <= 32 && addresses.iter().all(|a| a.is_ipv4() == (question.kind == Kind::A)));
    }
    let text = String::from_utf8_lossy(data);
    if let Some(name) = Name::parse(&text) {
        assert_eq!(name.to_string(), text.to_ascii_lowercase());
        assert_eq!(Name::parse(&name.to_string()).as_ref(), Some(&name));
        own_query(&Question { name, ..question });
    }
}

/// A decoded message, for comparison with other decoders.
#[derive(Debug)]
pub struct DnsReading {
    /// The message.
    pub message: Vec<u8>,
    /// The queried name.
    pub name: String,
    /// Whether the query type is AAAA rather than A.
    pub ipv6: bool,
    /// The addresses, if the message can be decoded.
    pub addresses: Option<Vec<IpAddr>>,
}

/// Decodes the message made of these bytes; `None` if the query is multicast, or the message is truncated or not a
/// response to the query.
#[must_use]
pub fn dns_reading(data: &[u8]) -> Option<DnsReading> {
    let (question, message) = conversation(data);
    let addresses = match question.read(&message) {
        Reply::Addresses { addresses, .. } => Some(addresses),
        Reply::Foreign | Reply::Truncated => return None,
        _ => None,
    };
    let ipv6 = question.kind == Kind::Aaaa;
    (!question.multicast).then(|| DnsReading { message, name: question.name.to_string(), ipv6, addresses })
}

fn conversation(data: &[u8]) -> (Question, Vec<u8>) {
    let mut source = Source::new(data);
    let (name, multicast) =
        *source.choose(&[("db.example", false), ("a.b.c.d", false), ("nas.local", true), ("a", false)]);
    let kind = *source.choose(&[Kind::A, Kind::Aaaa]);
    let question = Question { id: 0x1234, name: Name::parse(name).expect("a name"), kind, multicast };
    let message = match source.byte() % 3 {
        0 => message::answer(&question.write(), &mut source),
        1 => [&question.write()[..2], &[0x81, 0x80], source.rest()].concat(),
        _ => source.rest().to_vec(),
    };
    (question, message)
}

/// A query with the response bit set is a response without addresses; a prefix of it is no response.
fn own_query(question: &Question) {
    let mut message = question.write();
    assert_eq!(question.read(&message), Reply::Foreign);
    message[2] |= 0x80;
    assert_eq!(question.read(&message), Reply::Addresses { addresses: Vec::new(), ttl_s: u32::MAX });
    for end in 0..message.len() {
        assert_eq!(question.read(&message[..end]), Reply::Foreign);
    }
}

/// Decodes the whole message, one rule after the other.
fn read(question: &Question, message: &[u8]) -> Reply {
    if message.len() < 12 {
        return Reply::Foreign;
    }
    let word = |at: usize| Some(u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?));
    let (is_response, opcode) = (message[2] >> 7 == 1, message[2] >> 3 & 15);
    if word(0) != Some(question.id) || !is_response || opcode != 0 {
        return Reply::Foreign;
    }
    let is_truncated = message[2] & 2 == 2 && !question.multicast;
    let rcode = if question.multicast { 0 } else { message[3] & 15 };
    let (questions, answers) = (word(4).expect("header"), word(6).expect("header"));
    let mut at = 12;
    match questions {
        0 if question.multicast || !matches!(rcode, 0 | 3) => {}
        1 => {
            let wanted: Vec<Vec<u8>> =
                question.name.to_string().split('.').map(|l| l.as_bytes().to_vec()).collect();
            let code = if question.kind == Kind::A { 1 } else { 28 };
            let Some((labels, end)) = labels(message, 12, 32) else { return Reply::Foreign };
            let class = word(end + 2).map(|class| if question.multicast { class & 0x7fff } else { class });
            if labels != wanted || word(end) != Some(code) || class != Some(1) {
                return Reply::Foreign;
            }
            at = end + 4;
        }
        _ => return Reply::Foreign,
    }
    match rcode {
        0 | 3 if is_truncated => Reply::Truncated,
        0 => match records(question, message, at, answers) {
            Some((records, end)) => match follow(question, &records) {
                Reply::Alias { ttl_s, .. } if is_denied(message, end) => {
                    Reply::Addresses { addresses: Vec::new(), ttl_s }
                }
                reply => reply,
            },
            None => Reply::Broken,
        },
        3 => Reply::NoName,
        code => Reply::Refused(code),
    }
}

type Labels = Vec<Vec<u8>>;

/// The name at `start` and its end: labels up to a zero byte or a pointer (RFC 1035 section 4.1.4, RFC 9267
/// section 2).
fn labels(message: &[u8], start: usize, jumps: usize) -> Option<(Labels, usize)> {
    let (mut labels, mut at) = (Labels::new(), start);
    let end = loop {
        let length = usize::from(*message.get(at)?);
        match length >> 6 {
            0 if length == 0 => break at + 1,
            0 => labels.push(message.get(at + 1..at + 1 + length)?.to_ascii_lowercase()),
            3 => {
                let target = (length & 63) << 8 | usize::from(*message.get(at + 1)?);
                if target >= start || jumps == 0 {
                    return None;
                }
                labels.extend(self::labels(message, target, jumps - 1)?.0);
                break at + 2;
            }
            _ => return None,
        }
        at += 1 + length;
    };
    let length: usize = labels.iter().map(|label| label.len() + 1).sum();
    (length < 255).then_some((labels, end))
}

type Record = (Labels, Data, u32);

enum Data {
    Alias(Labels),
    Address(IpAddr),
}

/// Whether one of the authority records, which start at `at`, is a SOA.
fn is_denied(message: &[u8], mut at: usize) -> bool {
    let count = u16::from_be_bytes([message[8], message[9]]);
    for _ in 0..count.min(4096) {
        let Some((_, fixed)) = labels(message, at, 32) else { return false };
        let Some([kind @ .., l1, l2]) = message.get(fixed..fixed + 10) else { return false };
        at = fixed + 10 + usize::from(u16::from_be_bytes([*l1, *l2]));
        if at > message.len() || kind[..2] == [0, 6] {
            return at <= message.len();
        }
    }
    false
}

/// The relevant records among the first 4,096, and the end of the records.
fn records(question: &Question, message: &[u8], start: usize, count: u16) -> Option<(Vec<Record>, usize)> {
    let (mut records, mut at) = (Vec::new(), start);
    for _ in 0..count.min(4096) {
        let (owner, fixed) = labels(message, at, 32)?;
        let [t1, t2, c1, c2, ttl @ .., l1, l2] = message.get(fixed..fixed + 10)? else { return None };
        let (kind, mut class) = (u16::from_be_bytes([*t1, *t2]), u16::from_be_bytes([*c1, *c2]));
        let ttl_s = u32::from_be_bytes(ttl.try_into().ok()?);
        let ttl_s = if ttl_s > 0x7fff_ffff { 0 } else { ttl_s };
        at = fixed + 10 + usize::from(u16::from_be_bytes([*l1, *l2]));
        let data = message.get(fixed + 10..at)?;
        if question.multicast {
            class &= 0x7fff;
        }
        let data = match (class, kind, question.kind) {
            (1, 5, _) => match labels(message, fixed + 10, 32)? {
                (target, end) if end == at => Data::Alias(target),
                _ => return None,
            },
            (1, 1, Kind::A) => Data::Address(<[u8; 4]>::try_from(data).ok()?.into()),
            (1, 28, Kind::Aaaa) => Data::Address(<[u8; 16]>::try_from(data).ok()?.into()),
            _ => continue,
        };
        records.push((owner, data, ttl_s));
    }
    Some((records, at))
}

/// Follows at most 64 aliases from the name to its addresses, or to a name that is not in the response.
fn follow(question: &Question, records: &[Record]) -> Reply {
    let queried: Labels = question.name.to_string().split('.').map(|l| l.as_bytes().to_vec()).collect();
    let mut owner = queried.clone();
    let mut least = u32::MAX;
    for _ in 0..65 {
        let (mut addresses, mut alias) = (Vec::new(), None);
        for (_, data, ttl_s) in records.iter().filter(|record| record.0 == owner) {
            match data {
                Data::Address(address) => {
                    least = least.min(*ttl_s);
                    addresses.push(*address);
                }
                Data::Alias(target) => alias = alias.or(Some((target, *ttl_s))),
            }
        }
        match alias {
            Some((target, ttl_s)) if addresses.is_empty() => {
                least = least.min(ttl_s);
                owner.clone_from(target);
            }
            None if addresses.is_empty() && owner != queried => {
                let mut wire: Vec<u8> =
                    owner.iter().flat_map(|label| [&[label.len() as u8], &label[..]].concat()).collect();
                wire.push(0);
                let target = Name::read(&wire, 0).expect("a valid name").0;
                return Reply::Alias { target, ttl_s: least };
            }
            _ => {
                let mut unique = Vec::new();
                for address in addresses {
                    if !unique.contains(&address) && unique.len() < 32 {
                        unique.push(address);
                    }
                }
                return Reply::Addresses { addresses: unique, ttl_s: least };
            }
        }
    }
    Reply::Broken
}
