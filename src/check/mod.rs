//! Evaluation of responses, records and banners, by check specs and by closures.

mod condition;
mod dns;
mod fact;
mod header;
mod http;
pub(crate) mod json;
pub(crate) mod needle;
mod tcp;

pub(crate) use dns::DnsCheck;
pub use http::{CheckVerdict, HttpResponse};
pub(crate) use http::{HttpCheck, HttpClosure, PartialResponse};
use needle::Search;
pub use tcp::{Banner, BannerVerdict};
pub(crate) use tcp::{Ending, TcpCheck, TcpClosure};

use crate::result::Reason;
use crate::text::quote;

/// The longest spec, in bytes. It also limits the text that is searched for in a body.
pub(crate) const SPEC_MAX: usize = 4096;

/// The most checks of one target.
pub(crate) const CHECKS_MAX: usize = 16;

/// Negates the check that follows it.
const NOT: &str = "not:";

/// Why a condition does not hold.
type Failed = (Reason, String);

/// How far the checks of a target have been evaluated.
#[derive(Clone, Default)]
pub(crate) struct Progress {
    /// They are evaluated in order.
    passed: usize,
    /// The state of the next check.
    search: Search,
    /// The end of the last text found, in bytes.
    end: usize,
}

impl Progress {
    fn pass(&mut self) {
        self.passed += 1;
        self.search = Search::default();
    }
}

/// Parses specs of checks, of which all must pass. `None` is the default check of the kind.
fn parse_all<C>(
    specs: &[impl AsRef<str>],
    parse: impl Fn(&str) -> Result<Option<C>, String>,
) -> Result<Box<[C]>, String> {
    if specs.len() > CHECKS_MAX {
        return Err(format!("at most {CHECKS_MAX} are allowed"));
    }
    specs.iter().filter_map(|spec| parse(spec.as_ref()).transpose()).collect()
}

/// Whether the check is negated, and the rest of the spec.
fn split_not<'a>(spec: &'a str, example: &str) -> Result<(&'a str, bool), String> {
    match spec.strip_prefix(NOT) {
        Some("") => Err(format!("{NOT} needs a check, as in {NOT}{example}")),
        Some(rest) => Ok((rest, true)),
        None => Ok((spec, false)),
    }
}

fn split(spec: &str) -> Result<(&str, Option<&str>), String> {
    if spec.len() > SPEC_MAX {
        return Err(format!("longer than {SPEC_MAX} bytes"));
    }
    Ok(match spec.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (spec, None),
    })
}

/// Name, example and protocol.
const CHECKS: [(&str, &str, &str); 10] = [
    ("port_open", "port_open", "tcp"),
    ("banner_contains", "banner_contains:TEXT", "tcp"),
    ("status_2xx", "status_2xx", "http"),
    ("status", "status:200,204", "http"),
    ("body_contains", "body_contains:TEXT", "http"),
    ("header", "header:NAME=TEXT", "http"),
    ("json", "json:/pointer OPERATOR VALUE", "http"),
    ("rcode", "rcode:NXDOMAIN,NOERROR", "dns"),
    ("answer", "answer:RECORD,RECORD", "dns"),
    ("answer_contains", "answer_contains:TEXT", "dns"),
];

/// `kind` is that of the target.
fn unknown(spec: &str, name: &str, protocol: &str, kind: &str) -> String {
    if let Some((_, _, other)) = CHECKS.iter().find(|(known, _, _)| *known == name) {
        return format!("{name} belongs to {other}, not {kind}");
    }
    let mut checks = String::new();
    for (_, example, _) in CHECKS.iter().filter(|(_, _, of)| *of == protocol) {
        checks.push_str(if checks.is_empty() { "" } else { ", " });
        checks.push_str(example);
    }
    format!("unknown check {}; there are: {checks}", quote(spec))
}
