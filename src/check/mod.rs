//! Judgement on what a target answered: the check specs of the command line, and closures.

mod http;
mod needle;
mod tcp;

pub(crate) use http::{Answer, HttpCheck, HttpClosure};
pub use http::{CheckVerdict, HttpResponse};
pub(crate) use needle::Search;
pub use tcp::{Banner, BannerVerdict};
pub(crate) use tcp::{Ending, TcpCheck, TcpClosure};

use crate::result::printable;

/// The longest spec, in bytes. It also bounds the text that is looked for in a body.
pub(crate) const SPEC_MAX: usize = 4096;

/// How much of a spec an error repeats, in characters.
const SHOWN_MAX: usize = 40;

/// A spec in two: its name, and what follows the first colon.
fn split(spec: &str) -> Result<(&str, Option<&str>), String> {
    if spec.len() > SPEC_MAX {
        return Err(format!("longer than {SPEC_MAX} bytes"));
    }
    Ok(match spec.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (spec, None),
    })
}

/// Why `spec` is none of a protocol's checks: perhaps it is the other protocol's.
fn unknown(spec: &str, name: &str, theirs: &[&str], them_not_us: &str, ours: &str) -> String {
    if theirs.contains(&name) {
        return format!("{name} belongs to {them_not_us}");
    }
    format!("unknown check {}; there are: {ours}", shown(spec))
}

/// A piece of a spec, fit to stand in an error.
fn shown(text: &str) -> String {
    format!("`{}`", printable(text, SHOWN_MAX))
}
