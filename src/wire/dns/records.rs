//! Queries for records of the common types, and their answers as text in the format of dig (RFC 1035 section 5.1).
//!
//! Answers are untrusted. The text of an answer is limited to [`TEXT_MAX`].

mod presentation;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) use presentation::{ipv6, push_quoted};

use presentation::push_name;

use super::name::read_exact;
use super::read::{CHAIN_MAX, TYPE_CNAME, header, raw, u16_at};
use super::{CLASS_IN, Name, rcode_name};

/// The size of UDP answers that a query offers: it is not fragmented on any common path (DNS flag day 2020).
const EDNS_SIZE: u16 = 1232;
const TYPE_OPT: u16 = 41;
/// The limit of the text of all records of an answer, in bytes. Names may be compressed: the text of a message can be
/// much longer than the message.
const TEXT_MAX: usize = 512 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordType {
    A = 1,
    Ns = 2,
    Cname = 5,
    Soa = 6,
    Ptr = 12,
    Mx = 15,
    Txt = 16,
    Aaaa = 28,
    Srv = 33,
    Caa = 257,
}

/// In the order of error messages.
const TYPES: [(&str, RecordType); 10] = [
    ("A", RecordType::A),
    ("AAAA", RecordType::Aaaa),
    ("CNAME", RecordType::Cname),
    ("MX", RecordType::Mx),
    ("NS", RecordType::Ns),
    ("PTR", RecordType::Ptr),
    ("SOA", RecordType::Soa),
    ("SRV", RecordType::Srv),
    ("TXT", RecordType::Txt),
    ("CAA", RecordType::Caa),
];

impl RecordType {
    #[cfg(any(test, fuzzing))]
    pub(crate) const ALL: [RecordType; 10] = {
        let mut all = [RecordType::A; 10];
        let mut at = 0;
        while at < all.len() {
            all[at] = TYPES[at].1;
            at += 1;
        }
        all
    };

    /// Parses the mnemonic in any case. The error is a message of one line.
    pub(crate) fn parse(text: &str) -> Result<RecordType, String> {
        let known = TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known.map(|(_, kind)| *kind).ok_or_else(|| {
            let names = TYPES.map(|(name, _)| name).join(", ");
            format!("{} is not one of {names}", crate::text::quote(text))
        })
    }

    pub(crate) fn name(self) -> &'static str {
        TYPES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// The name of an address in the reverse zones (RFC 1035 section 3.5, RFC 3596 section 2.5).
pub(crate) fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let nibbles =
                v6.octets().into_iter().rev().map(|byte| format!("{:x}.{:x}.", byte & 15, byte >> 4));
            nibbles.collect::<String>() + "ip6.arpa"
        }
    }
}

/// One query to a name server.
pub(crate) struct RecordQuery<'a> {
    /// Unpredictable, so that a blind attacker cannot forge answers.
    pub(crate) id: u16,
    pub(crate) name: &'a Name,
    pub(crate) kind: RecordType,
    /// Whether it has an OPT record (RFC 6891).
    pub(crate) edns: bool,
}

/// The content of a message, seen as a response to a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    /// Does not match the query: another id, name, type or class, or no DNS message.
    Foreign,
    /// The query must be repeated over TCP.
    Truncated,
    /// The answer section cannot be parsed, its aliases form a loop, or its text is too long.
    Broken,
    Records(Records),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records {
    pub(crate) rcode: u16,
    /// The number of records in the answer section.
    pub(crate) count: u16,
    /// The records of the queried type at the end of the chain of aliases, sorted, without duplicates. Servers rotate
    /// records.
    pub(crate) texts: Vec<String>,
    /// The last target of the chain of aliases, if there is one.
    pub(crate) alias_of: Option<String>,
    pub(crate) soa_serial: Option<u32>,
}

impl RecordQuery<'_> {
    pub(crate) fn write(&self) -> Vec<u8> {
        // RD, one question, and the number of additional records.
        let header = [1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(self.edns)];
        let (kind, class) = ((self.kind as u16).to_be_bytes(), CLASS_IN.to_be_bytes());
        let mut message = [&self.id.to_be_bytes()[..], &header, self.name.wire(), &kind, &class].concat();
        if self.edns {
            message.push(0);
            message.extend(TYPE_OPT.to_be_bytes());
            message.extend(EDNS_SIZE.to_be_bytes());
            message.extend([0; 6]);
        }
        message
    }

    pub(crate) fn read(&self, message: &[u8]) -> Response {
        let Some(header) = header(self.id, self.name, self.kind as u16, false, message) else {
            return Response::Foreign;
        };
        if header.truncated && matches!(header.rcode, 0 | 3) {
            return Response::Truncated;
        }
        match extended_rcode(message, header.answers, header.rcode) {
            0 => self.records(message, header.answers).map_or(Response::Broken, Response::Records),
            rcode => {
                let count = u16_at(message, 6).unwrap_or(0);
                Response::Records(Records { rcode, count, ..Records::default() })
            }
        }
    }

    fn records(&self, message: &[u8], start: usize) -> Option<Records> {
        let (mut aliases, mut found) = (Vec::new(), Vec::new());
        let mut at = start;
        let count = u16_at(message, 6)?;
        for _ in 0..count {
            let record = raw(message, at)?;
            at = record.end;
            if record.class != CLASS_IN {
                continue;
            }
            if record.kind == self.kind as u16 {
                found.push(record);
            } else if record.kind == TYPE_CNAME {
                let (target, end) = Name::read(message, record.data)?;
                aliases.push((record.owner, (end == record.end).then_some(target)?));
            }
        }
        let mut owner = self.name;
        let mut chain = 0;
        while let Some((_, target)) = aliases.iter().find(|(alias, _)| alias == owner) {
            chain += 1;
            owner = (chain <= CHAIN_MAX).then_some(target)?;
        }
        let (mut texts, mut len) = (Vec::new(), 0);
        for record in found.iter().filter(|record| record.owner == *owner) {
            let text = text(self.kind, message, record.data, record.end)?;
            len += text.len();
            texts.push((len <= TEXT_MAX).then_some(text)?);
        }
        let is_soa = self.kind == RecordType::Soa;
        // The names before it hold no space: it would be escaped.
        let serial = texts.first().filter(|_| is_soa).and_then(|text| text.split(' ').nth(2)?.parse().ok());
        texts.sort_unstable();
        texts.dedup();
        let alias_of = (chain > 0).then(|| owner.escaped());
        Some(Records { rcode: 0, count, texts, alias_of, soa_serial: serial })
    }
}

/// The response code with the bits of the OPT record (RFC 6891 section 6.1.3), if there is one. The sections after the
/// answer are often malformed: then it is the code of the header.
fn extended_rcode(message: &[u8], start: usize, code: u8) -> u16 {
    let counts = [6, 8, 10].map(|at| u32::from(u16_at(message, at).unwrap_or(0)));
    let mut at = start;
    for _ in 0..counts.iter().sum() {
        let Some(record) = raw(message, at) else { break };
        if record.kind == TYPE_OPT {
            // The first byte of the TTL, which is before the length of the data.
            let high = message.get(record.data - 6).copied().unwrap_or(0);
            return u16::from(high) << 4 | u16::from(code);
        }
        at = record.end;
    }
    code.into()
}

/// The name of a response code, or its number: `RCODE11`.
pub(crate) fn rcode_text(code: u16) -> String {
    rcode_name(code).map_or_else(|| format!("RCODE{code}"), str::to_owned)
}

/// Parses the text of [`rcode_text`], in any case.
pub(crate) fn parse_rcode(text: &str) -> Option<u16> {
    let text = text.to_ascii_uppercase();
    let known = super::RCODES.iter().find(|(_, name)| *name == text).map(|(code, _)| *code);
    known.or_else(|| crate::text::integer(text.strip_prefix("RCODE")?)?.try_into().ok())
}

/// The data of a record, from `at` to `end`; `None` if it is malformed.
fn text(kind: RecordType, message: &[u8], at: usize, end: usize) -> Option<String> {
    let mut data = Data { message, at, end, text: String::new() };
    match kind {
        RecordType::A => {
            let address = Ipv4Addr::from(<[u8; 4]>::try_from(data.rest()?).ok()?);
            data.push(address);
        }
        RecordType::Aaaa => {
            let address = Ipv6Addr::from(<[u8; 16]>::try_from(data.rest()?).ok()?);
            data.push(ipv6(address));
        }
        RecordType::Ns | RecordType::Cname | RecordType::Ptr => data.name()?,
        RecordType::Mx => {
            data.numbers::<2>(1)?;
            data.name()?;
        }
        RecordType::Srv => {
            data.numbers::<2>(3)?;
            data.name()?;
        }
        RecordType::Soa => {
            data.name()?;
            data.name()?;
            data.numbers::<4>(5)?;
        }
        RecordType::Txt => {
            data.string()?;
            while data.at < end {
                data.string()?;
            }
        }
        RecordType::Caa => {
            data.numbers::<1>(1)?;
            let length = data.take(1)?[0];
            let tag = std::str::from_utf8(data.take(length.into())?).ok()?;
            if tag.is_empty() || !tag.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return None;
            }
            data.push(tag);
            let value = data.rest()?;
            data.push_separator();
            push_quoted(&mut data.text, value);
        }
    }
    (data.at == end).then_some(data.text)
}

/// The unread data of a record, and its text so far.
struct Data<'a> {
    message: &'a [u8],
    at: usize,
    end: usize,
    text: String,
}

impl<'a> Data<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.end)?;
        let bytes = self.message.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn rest(&mut self) -> Option<&'a [u8]> {
        self.take(self.end.checked_sub(self.at)?)
    }

    fn push_separator(&mut self) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
    }

    fn push(&mut self, value: impl ToString) {
        self.push_separator();
        self.text.push_str(&value.to_string());
    }

    /// `count` numbers of this many bytes.
    fn numbers<const SIZE: usize>(&mut self, count: usize) -> Option<()> {
        for _ in 0..count {
            let number = self.take(SIZE)?.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
            self.push(number);
        }
        Some(())
    }

    fn name(&mut self) -> Option<()> {
        let (name, end) = read_exact(self.message, self.at)?;
        self.at = end;
        self.push_separator();
        push_name(&mut self.text, &name);
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        let length = *self.take(1)?.first()?;
        let string = self.take(length.into())?;
        self.push_separator();
        push_quoted(&mut self.text, string);
        Some(())
    }
}
