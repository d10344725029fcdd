//! Checks of dns targets.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::{Failed, NOT, parse_all, split, split_not, unknown};
use crate::result::{ProbeResult, Reason};
use crate::text::quote;
use crate::wire::dns::records::{RecordType, Records, ipv6, parse_rcode, push_quoted, rcode_text};

/// The number of records in a detail.
const SHOWN_MAX: usize = 16;

pub(crate) struct DnsCheck {
    /// NOERROR and at least one record of the type are required, unless a condition decides the response code.
    needs_record: bool,
    conditions: Box<[Condition]>,
}

struct Condition {
    is_negated: bool,
    test: Test,
}

enum Test {
    /// One of these response codes.
    Rcode(Vec<u16>),
    /// These records in [`comparable`] form, sorted, and no others.
    Equals(Vec<String>),
    /// A record with this text.
    Contains(String),
}

impl DnsCheck {
    /// Parses specs for records of this type.
    pub(crate) fn parse(specs: &[impl AsRef<str>], kind: RecordType) -> Result<Self, String> {
        let conditions = parse_all(specs, |spec| Condition::parse(spec, kind))?;
        let needs_record = !conditions.iter().any(|condition| matches!(condition.test, Test::Rcode(_)));
        Ok(DnsCheck { needs_record, conditions })
    }

    pub(crate) fn evaluate(&self, records: &Records, kind: RecordType, latency: Duration) -> ProbeResult {
        match self.failed(records, kind) {
            Err((reason, detail)) => ProbeResult::down(reason, &detail).with_latency(latency),
            Ok(()) if records.texts.is_empty() => ProbeResult::up(latency, &rcode_text(records.rcode)),
            Ok(()) => ProbeResult::up(latency, &list(&records.texts)),
        }
    }

    fn failed(&self, records: &Records, kind: RecordType) -> Result<(), Failed> {
        if self.needs_record && records.rcode != 0 {
            return Err((Reason::DnsRcode, explained(records.rcode)));
        }
        if self.needs_record && records.texts.is_empty() {
            let detail = match &records.alias_of {
                Some(target) => format!("no {} record: the name is an alias of {target}", kind.name()),
                None => format!("no {} record", kind.name()),
            };
            return Err((Reason::DnsAnswer, detail));
        }
        self.conditions.iter().try_for_each(|condition| condition.evaluate(records, kind))
    }
}

impl Condition {
    /// `None` is the default check.
    fn parse(spec: &str, kind: RecordType) -> Result<Option<Self>, String> {
        let (rest, is_negated) = split_not(spec, "answer_contains:v=spf1")?;
        let test = match split(rest)? {
            ("" | "default", None) | ("answer_contains", Some("")) if !is_negated => return Ok(None),
            ("answer_contains", Some("")) => {
                return Err(format!("{NOT}answer_contains: every record contains an empty text"));
            }
            ("rcode", list) => Test::Rcode(parse_rcodes(list.unwrap_or_default())?),
            ("answer", list) => Test::Equals(parse_records(list.unwrap_or_default(), kind)?),
            ("answer_contains", Some(text)) => Test::Contains(text.to_owned()),
            ("answer_contains", None) => {
                return Err("answer_contains needs a text, as in answer_contains:v=spf1".to_owned());
            }
            (name, _) => return Err(unknown(rest, name, "dns", "dns")),
        };
        Ok(Some(Condition { is_negated, test }))
    }

    fn evaluate(&self, records: &Records, kind: RecordType) -> Result<(), Failed> {
        match (self.test.evaluate(records, kind), &self.test) {
            (outcome, _) if !self.is_negated => outcome,
            (Err(_), _) => Ok(()),
            (Ok(()), Test::Rcode(_)) => Err((Reason::DnsRcode, explained(records.rcode))),
            (Ok(()), Test::Equals(_)) => {
                Err((Reason::DnsAnswer, format!("records: {}", list(&records.texts))))
            }
            (Ok(()), Test::Contains(text)) => {
                let detail = format!("a record contains {}: {}", quote(text), list(&records.texts));
                Err((Reason::DnsAnswer, detail))
            }
        }
    }
}

impl Test {
    fn evaluate(&self, records: &Records, kind: RecordType) -> Result<(), Failed> {
        match self {
            Test::Rcode(codes) if codes.contains(&records.rcode) => Ok(()),
            Test::Rcode(_) => Err((Reason::DnsRcode, explained(records.rcode))),
            Test::Equals(expected) => match difference(expected, &records.texts, kind) {
                None => Ok(()),
                Some(difference) => Err((Reason::DnsAnswer, difference)),
            },
            Test::Contains(text) => {
                let mut texts = records.texts.iter().map(|record| canonical(record, kind));
                if texts.any(|record| record.contains(text)) {
                    return Ok(());
                }
                let mut detail = format!("no record contains {}", quote(text));
                if !records.texts.is_empty() {
                    detail.push_str(&format!(": {}", list(&records.texts)));
                }
                Err((Reason::DnsAnswer, detail))
            }
        }
    }
}

/// What is missing and what is not expected.
fn difference(expected: &[String], texts: &[String], kind: RecordType) -> Option<String> {
    let actual: Vec<String> = texts.iter().map(|text| comparable(text, kind)).collect();
    let missing: Vec<&String> = expected.iter().filter(|text| !actual.contains(text)).collect();
    let others: Vec<&String> = actual.iter().filter(|text| expected.binary_search(text).is_err()).collect();
    match (&missing[..], &others[..]) {
        ([], []) => None,
        ([], others) => Some(format!("the answer also has {}", list(others))),
        (missing, []) => Some(format!("the answer lacks {}", list(missing))),
        (missing, others) => {
            Some(format!("the answer lacks {}; instead it has {}", list(missing), list(others)))
        }
    }
}

fn list<S: AsRef<str>>(texts: &[S]) -> String {
    let shown: Vec<&str> = texts.iter().take(SHOWN_MAX).map(AsRef::as_ref).collect();
    let more = if texts.len() > SHOWN_MAX { ", …" } else { "" };
    shown.join(", ") + more
}

/// The response code with what it usually means.
fn explained(code: u16) -> String {
    let meaning = match code {
        2 => ": the server cannot resolve the name",
        3 => ": the name does not exist",
        5 => ": the server does not answer this client, or not for this name",
        9 => ": the server is not responsible for the name",
        _ => "",
    };
    rcode_text(code) + meaning
}

fn parse_rcodes(list: &str) -> Result<Vec<u16>, String> {
    let parse = |item| {
        parse_rcode(item).ok_or_else(|| format!("{} is not a response code, as NXDOMAIN", quote(item)))
    };
    items(list).map(parse).collect()
}

fn parse_records(list: &str, kind: RecordType) -> Result<Vec<String>, String> {
    let mut records: Vec<String> =
        items(list).map(|item| parse_record(item, kind)).collect::<Result<_, _>>()?;
    records.sort_unstable();
    records.dedup();
    Ok(records)
}

/// Splits a list at the commas outside of quotes.
fn items(list: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts = list.split(move |c| {
        let is_end = c == ',' && !is_quoted;
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    });
    parts.map(str::trim)
}

/// Parses an expected record, as dig prints it. The final dots of names and the quotes of texts are optional.
fn parse_record(text: &str, kind: RecordType) -> Result<String, String> {
    let record = match kind {
        RecordType::A => text.parse().ok().map(|address: Ipv4Addr| address.to_string()),
        RecordType::Aaaa => text.parse::<Ipv6Addr>().ok().map(ipv6),
        RecordType::Txt if text.starts_with('"') => Some(canonical(text, kind)),
        RecordType::Txt => (!text.is_empty()).then(|| quoted(text)),
        RecordType::Caa => match text.splitn(3, ' ').collect::<Vec<_>>()[..] {
            [flags, tag, value] if value.starts_with('"') => Some(format!("{flags} {tag} {value}")),
            [flags, tag, value] => Some(format!("{flags} {tag} {}", quoted(value))),
            _ => None,
        },
        RecordType::Ns | RecordType::Cname | RecordType::Ptr => fields(text, &[NAME]),
        RecordType::Mx => fields(text, &[NUMBER, NAME]),
        RecordType::Srv => fields(text, &[NUMBER, NUMBER, NUMBER, NAME]),
        RecordType::Soa => fields(text, &[NAME, NAME, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER]),
    };
    record.ok_or_else(|| {
        let example = match kind {
            RecordType::A => "192.0.2.1",
            RecordType::Aaaa => "2001:db8::1",
            RecordType::Txt => "\"v=spf1 -all\"",
            RecordType::Caa => "0 issue \"letsencrypt.org\"",
            RecordType::Ns | RecordType::Cname | RecordType::Ptr => "host.example.com.",
            RecordType::Mx => "10 mail.example.com.",
            RecordType::Srv => "0 5 5060 sip.example.com.",
            RecordType::Soa => "ns.example.com. admin.example.com. 1 7200 3600 1209600 3600",
        };
        format!("{} is not the data of a record of type {}, as {example}", quote(text), kind.name())
    })
}

const NAME: bool = true;
const NUMBER: bool = false;

/// The fields of a record, in [comparable] form.
fn fields(text: &str, layout: &[bool]) -> Option<String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let mut out = String::new();
    for (word, is_name) in words.iter().zip(layout) {
        if !is_name && word.parse::<u32>().is_err() {
            return None;
        }
        out.push_str(if out.is_empty() { "" } else { " " });
        out.push_str(&word.to_ascii_lowercase());
        out.push_str(if *is_name && !word.ends_with('.') { "." } else { "" });
    }
    (words.len() == layout.len()).then_some(out)
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    push_quoted(&mut out, text.as_bytes());
    out
}

/// A record with the strings of a TXT record joined: how a long text is divided does not matter.
fn canonical(text: &str, kind: RecordType) -> String {
    match kind {
        RecordType::Txt => text.replace("\" \"", ""),
        _ => text.to_owned(),
    }
}

/// [`canonical`], and names in lower case.
fn comparable(text: &str, kind: RecordType) -> String {
    match kind {
        RecordType::Txt | RecordType::Caa => canonical(text, kind),
        _ => text.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests;
