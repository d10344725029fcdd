//! See `src/fuzzing/dns.rs`. Also compares the decoded addresses with those decoded by simple-dns.
#![no_main]

use std::net::IpAddr;

use pingstate::fuzzing::DnsReading;
use simple_dns::rdata::RData;
use simple_dns::{Name, Packet};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    pingstate::fuzzing::dns(data);
    if let Some(reading) = pingstate::fuzzing::dns_reading(data) {
        compare(&reading);
    }
});

/// The labels of a name in lower case, as bytes: converting to text would map distinct invalid bytes to the
/// same character.
type Labels = Vec<Vec<u8>>;

fn labels(name: &Name<'_>) -> Labels {
    name.as_bytes().map(<[u8]>::to_ascii_lowercase).collect()
}

/// Compares only messages that both decoders accept: simple-dns rejects a message with an error in any record,
/// also in unused ones, and has no limits.
fn compare(reading: &DnsReading) {
    let (Ok(packet), Some(addresses)) = (Packet::parse(&reading.message), &reading.addresses) else { return };
    if packet.questions.len() != 1
        || packet.rcode() != simple_dns::RCODE::NoError
        || packet.answers.len() > 16
    {
        return;
    }
    let mut owner: Labels =
        reading.name.split('.').map(|label| label.to_ascii_lowercase().into_bytes()).collect();
    for _ in 0..17 {
        let mut found = Vec::new();
        let mut alias = None;
        for record in &packet.answers {
            // simple-dns treats the top bit of the class as mDNS cache-flush, also in unicast responses.
            let is_in = record.class == simple_dns::CLASS::IN && !record.cache_flush;
            if !is_in || labels(&record.name) != owner {
                continue;
            }
            let address: IpAddr = match &record.rdata {
                RData::A(a) if !reading.ipv6 => IpAddr::from(a.address.to_be_bytes()),
                RData::AAAA(aaaa) if reading.ipv6 => IpAddr::from(aaaa.address.to_be_bytes()),
                RData::CNAME(target) => {
                    alias.get_or_insert_with(|| labels(&target.0));
                    continue;
                }
                _ => continue,
            };
            if !found.contains(&address) {
                found.push(address);
            }
        }
        match alias {
            Some(target) if found.is_empty() => owner = target,
            _ => return assert_eq!(addresses, &found, "{:02x?}", reading.message),
        }
    }
    panic!("simple-dns follows a longer CNAME chain: {:02x?}", reading.message);
}
