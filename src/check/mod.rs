//! Evaluation of responses and banners, by check specs and by closures.

mod http;
mod needle;
mod tcp;

pub(crate) use http::{Answer, HttpCheck, HttpClosure};
pub use http::{CheckVerdict, HttpResponse};
pub(crate) use needle::Search;
pub use tcp::{Banner, BannerVerdict};
pub(crate) use tcp::{Ending, TcpCheck, TcpClosure};

use crate::result::printable;

/// The longest spec, in bytes. It also limits the text that is searched for in a body.
pub(crate) const SPEC_MAX: usize = 4096;

/// The length of a spec in an error message, in characters.
const SHOWN_MAX: usize = 40;

/// Splits a spec into its name and the argument after the first colon.
fn split(spec: &str) -> Result<(&str, Option<&str>), String> {
    if spec.len() > SPEC_MAX {
        return Err(format!("longer than {SPEC_MAX} bytes"));
    }
    Ok(match spec.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (spec, None),
    })
}

/// The error for a `spec` that is not a check of the protocol; it may belong to the other protocol.
fn unknown(spec: &str, name: &str, other_checks: &[&str], other_protocol: &str, checks: &str) -> String {
    if other_checks.contains(&name) {
        return format!("{name} belongs to {other_protocol}");
    }
    format!("unknown check {}; there are: {checks}", shown(spec))
}

/// Quotes a part of a spec for an error message.
fn shown(text: &str) -> String {
    format!("`{}`", printable(text, SHOWN_MAX))
}
