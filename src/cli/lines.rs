//! Formats results of checks for the log and for `--once`.

use std::time::Duration;

use super::{EXIT_FAILED, EXIT_NAME, EXIT_OK};
use crate::clock::Now;
use crate::fsm::State;
use crate::library::CheckEvent;
use crate::monitor::Target;
use crate::result::Reason;
use crate::snapshot::{View, pretty};

pub(crate) fn change_line(
    checked: &CheckEvent<'_>,
    from: State,
    previous_state_duration: Duration,
) -> String {
    let name = shown(checked.name, checked.url);
    let held = checked.held_by.filter(|_| checked.state == State::Unknown);
    let held = held.map_or_else(String::new, |parent| [", held by ", parent].concat());
    let mut line = format!("{name} is {}{held}: {}", checked.state, checked.result.detail);
    // The detail of a ping has its times.
    if let Some(latency) = checked.result.latency.filter(|_| checked.result.ping.is_none()) {
        line.push_str(&format!(", {}", milliseconds(latency)));
    }
    if from != State::Unknown {
        line.push_str(&format!(" (was {from} for {:.1} s)", previous_state_duration.as_secs_f64()));
    }
    line
}

/// The line of `--once` for a target.
pub(crate) fn result_line(target: &Target) -> String {
    let (name, url, state) = (target.name(), target.url(), target.fsm().state());
    let Some(last) = target.fsm().last() else {
        // Only heartbeats are not checked.
        return format!("{:<4}  {:>11}  {name}  skipped: heartbeat\n", "-", "-");
    };
    let latency = last.latency.map_or_else(|| "-".to_owned(), milliseconds);
    format!("{state:<4}  {latency:>11}  {}  {}\n", shown(name, url), last.detail)
}

/// The object of the API for a target, in one line.
pub(crate) fn json_line(target: &Target, now: Now) -> String {
    // Line feeds in texts are escaped.
    let json = String::from_utf8(pretty(&View::of_target(target, now))).unwrap_or_default();
    let lines = json.lines().map(str::trim_start);
    let mut line: String =
        lines.flat_map(|line| [line, if line.ends_with(',') { " " } else { "" }]).collect();
    line.push('\n');
    line
}

/// The result of a test message.
pub(crate) fn test_line(checked: &CheckEvent<'_>) -> String {
    let result = if checked.result.ok { "sent" } else { "failed" };
    format!("{result:<6}  {}: {}\n", checked.name, checked.result.detail)
}

/// The exit code of `--once` for a target.
pub(crate) fn exit_code(target: &Target) -> u8 {
    match target.fsm().last().and_then(|last| last.reason) {
        Some(Reason::DnsNotFound | Reason::DnsFailed | Reason::DnsTimeout) => EXIT_NAME,
        // A slow target has not failed, but it is degraded, not up.
        _ if target.fsm().state() == State::Up || target.heartbeat().is_some() => EXIT_OK,
        _ => EXIT_FAILED,
    }
}

/// The URL, preceded by the target's name if that differs from the host.
fn shown(name: &str, url: &str) -> String {
    let rest = url.split_once("://").or(url.split_once(':')).map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next();
    match name == url || authority == Some(name) {
        true => url.to_owned(),
        false => format!("{name} ({url})"),
    }
}

fn milliseconds(latency: Duration) -> String {
    format!("{:.2} ms", latency.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test_now;
    use crate::monitor::mute::Mute;
    use crate::monitor::{Monitor, Targets};
    use crate::result::{PingStats, ProbeResult};

    #[test]
    fn the_columns_of_once_are_aligned() {
        let line = |result: &ProbeResult| {
            let probe = crate::probe::build::probe("tcp", "web", 1).name("web").build().expect("valid");
            let mut targets = Targets::new(vec![Monitor::new(probe)], test_now());
            let id = targets.id(0);
            targets.fire(id, result, test_now());
            result_line(targets.get(id).expect("present"))
        };
        let up = line(&ProbeResult::up(Duration::from_micros(410), "connect ok"));
        let down = line(&ProbeResult::down(Reason::Refused, "refused"));
        assert_eq!(up, "up        0.41 ms  web (tcp://web:1)  connect ok\n");
        assert_eq!(down, "down            -  web (tcp://web:1)  refused\n");
    }

    #[test]
    fn the_times_of_a_ping_are_logged_once() {
        let id = Targets::new(vec![Monitor::new(Mute("nas"))], test_now()).id(0);
        let mut result = ProbeResult::up(Duration::from_millis(2), "reply in 2.0 ms");
        let line = |result: &ProbeResult| {
            let (name, url, state) = ("nas", "icmp://nas", State::Up);
            let event = CheckEvent { id, name, url, result, state, held_by: None, changed: None };
            change_line(&event, State::Unknown, Duration::ZERO)
        };
        assert_eq!(line(&result), "icmp://nas is up: reply in 2.0 ms, 2.00 ms");
        result.ping = Some(Box::new(PingStats::new(1, &mut [Duration::from_millis(2)], None)));
        assert_eq!(line(&result), "icmp://nas is up: reply in 2.0 ms");
    }

    #[test]
    fn the_cause_of_an_unknown_state_is_logged() {
        let id = Targets::new(vec![Monitor::new(Mute("nas"))], test_now()).id(0);
        let result = &ProbeResult::down(Reason::Refused, "refused");
        let line = |state| {
            let (name, url, held_by) = ("nas", "nas", Some("router"));
            let event = CheckEvent { id, name, url, result, state, held_by, changed: None };
            change_line(&event, State::Unknown, Duration::ZERO)
        };
        assert_eq!(line(State::Unknown), "nas is unknown, held by router: refused");
        assert_eq!(line(State::Down), "nas is down: refused");
    }

    #[test]
    fn the_name_is_shown_if_it_differs_from_the_host() {
        for (name, target, line) in [
            ("db:5432", "tcp://db:5432", "tcp://db:5432"),
            ("https://h/x?y", "https://h/x?y", "https://h/x?y"),
            ("h", "https://h/health", "https://h/health"),
            ("health", "https://h/health", "health (https://h/health)"),
            ("he", "https://h/health", "he (https://h/health)"),
            ("https", "https://h/health", "https (https://h/health)"),
            ("disk", "disk", "disk"),
            ("", "disk", " (disk)"),
        ] {
            assert_eq!(shown(name, target), line);
        }
    }
}
