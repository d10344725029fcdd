//! The flags of heartbeat targets.

use super::{Flag, put, value};
use crate::cli::values;
use crate::probe::kinds::HEARTBEAT_KINDS;

pub(super) static FLAGS: [Flag; 2] = [
    value("--grace", "SECONDS", "how late a heartbeat may be", |line, text| {
        put(&mut line.settings.grace, values::interval(text))
    })
    .default("a tenth of --interval")
    .kinds(HEARTBEAT_KINDS, |settings| settings.grace = None),
    value(
        "--token-file",
        "FILE",
        "file with the token of the job, which requests /heartbeat/TOKEN; 16 to 128 letters, digits or -._~",
        |line, text| put(&mut line.settings.token_file, values::plain(text).map(Into::into)),
    )
    .kinds(HEARTBEAT_KINDS, |settings| settings.token_file = None),
];
