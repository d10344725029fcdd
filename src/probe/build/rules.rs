//! Validation of the settings of a probe.

use super::{Error, ProbeBuilder};
use crate::check::HttpCheck;
use crate::result::printable;
use crate::wire::http::write::parse_header;

/// Limits of user header fields, their number and total size: servers accept little more.
pub(super) const HEADERS_MAX: usize = 64;
pub(super) const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Validates a name for log lines and the API.
pub(super) fn checked_name(name: String) -> Result<String, Error> {
    if name.trim().is_empty() {
        return Err(Error::Name("is empty".to_owned()));
    }
    if printable(&name, ProbeBuilder::NAME_MAX) != name {
        return Err(Error::Name(format!(
            "must be printable and at most {} characters long",
            ProbeBuilder::NAME_MAX
        )));
    }
    Ok(name)
}

pub(crate) fn checked_headers(headers: Vec<(String, String)>) -> Result<Vec<(String, String)>, Error> {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        let limits = format!("at most {HEADERS_MAX} headers of {HEADER_BYTES_MAX} bytes in all can be added");
        return Err(Error::Header(limits));
    }
    let checked = headers.into_iter().map(|(name, value)| {
        if name.contains(':') {
            return Err("a header name contains ':'".to_owned());
        }
        parse_header(&format!("{name}:{value}"))
    });
    checked.collect::<Result<_, _>>().map_err(Error::Header)
}

/// Validates that the method and the body limit allow the check to succeed.
pub(crate) fn check_body(check: &HttpCheck, method: &str, max_body: usize) -> Result<(), Error> {
    if max_body > ProbeBuilder::BODY_MAX {
        return Err(Error::MaxBody(format!("can be at most {}", ProbeBuilder::BODY_MAX)));
    }
    let needed = check.body_min();
    if needed > 0 && method == "HEAD" {
        return Err(Error::Check("body_contains needs a body, and HEAD asks for none".to_owned()));
    }
    if needed > max_body {
        return Err(Error::MaxBody(format!("is less than the {needed} bytes that body_contains needs")));
    }
    Ok(())
}
