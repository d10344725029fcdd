//! Rules for the settings of all kinds of probes.

use super::{Error, ProbeBuilder};
use crate::text::printable;

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
