//! Messages of servers, for tests.

// Assertions about the messages of tests.
#![allow(clippy::unwrap_used)]

pub(crate) const A: u16 = 1;
pub(crate) const CNAME: u16 = 5;
pub(crate) const SOA: u16 = 6;
pub(crate) const AAAA: u16 = 28;

/// The second byte pair of a header: a plain response, and a truncated one.
pub(crate) const ANSWER: u8 = 0x81;
pub(crate) const TRUNCATED: u8 = 0x83;

/// A name as messages carry it, whatever its labels hold.
pub(crate) fn wire(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend(label.bytes());
    }
    out.push(0);
    out
}

/// A record of the class Internet.
pub(crate) fn record(owner: &str, kind: u16, ttl_s: u32, data: &[u8]) -> Vec<u8> {
    raw_record(&wire(owner), kind, 1, ttl_s, data)
}

/// The address 192.0.2.1 of db.example behind this many aliases, each with a TTL of 9 s.
#[cfg(test)]
pub(crate) fn chain(links: usize) -> Vec<Vec<u8>> {
    let name = |i: usize| if i == 0 { "db.example".to_owned() } else { format!("n{i}.example") };
    let mut records: Vec<_> = (0..links).map(|i| record(&name(i), CNAME, 9, &wire(&name(i + 1)))).collect();
    records.push(record(&name(links), A, 9, &[192, 0, 2, 1]));
    records
}

pub(crate) fn raw_record(owner: &[u8], kind: u16, class: u16, ttl_s: u32, data: &[u8]) -> Vec<u8> {
    let mut out = owner.to_vec();
    out.extend(kind.to_be_bytes());
    out.extend(class.to_be_bytes());
    out.extend(ttl_s.to_be_bytes());
    out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    out.extend(data);
    out
}

/// An answer to `query` with these flags, response code and answer records.
pub(crate) fn answer(query: &[u8], flags: u8, rcode: u8, records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = question(query).to_vec();
    out[2] = flags;
    out[3] = 0x80 | rcode;
    out[6..8].copy_from_slice(&u16::try_from(records.len()).unwrap_or(u16::MAX).to_be_bytes());
    out[10..12].fill(0);
    out.extend(records.concat());
    out
}

/// The query without an OPT record.
pub(crate) fn question(query: &[u8]) -> &[u8] {
    let is_edns = query[11] == 1;
    &query[..query.len() - if is_edns { 11 } else { 0 }]
}
