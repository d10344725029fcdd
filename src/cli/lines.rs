//! Results of checks as lines for people.

use std::time::Duration;

use pingstate::{Checked, ProbeResult, Reason, State};

use super::{EXIT_FAILED, EXIT_NAME, EXIT_OK};

/// What the log says of a change of state.
pub(crate) fn change_line(checked: &Checked<'_>, from: State, lasted: Duration) -> String {
    let mut line = format!("{} is {}: {}", shown(checked), checked.state, checked.result.detail);
    if let Some(latency) = checked.result.latency {
        line.push_str(&format!(", {}", milliseconds(latency)));
    }
    if from != State::Unknown {
        line.push_str(&format!(" (was {from} for {:.1} s)", lasted.as_secs_f64()));
    }
    line
}

/// What `--once` prints of a check.
pub(crate) fn result_line(checked: &Checked<'_>) -> String {
    let latency = checked.result.latency.map_or_else(|| "-".to_owned(), milliseconds);
    let state = checked.state;
    format!("{state:<4}  {latency:>11}  {}  {}\n", shown(checked), checked.result.detail)
}

/// The exit code that `--once` owes to a check.
pub(crate) fn exit_code(result: &ProbeResult) -> u8 {
    match result.reason {
        Some(Reason::DnsNotFound | Reason::DnsFailed | Reason::DnsTimeout) => EXIT_NAME,
        _ if result.ok => EXIT_OK,
        _ => EXIT_FAILED,
    }
}

/// The target, behind its name if that says something else.
fn shown(checked: &Checked<'_>) -> String {
    match checked.target.contains(checked.name) {
        true => checked.target.to_owned(),
        false => format!("{} ({})", checked.name, checked.target),
    }
}

fn milliseconds(latency: Duration) -> String {
    format!("{:.2} ms", latency.as_secs_f64() * 1000.0)
}
