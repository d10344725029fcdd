//! The graphics of a row: the latencies of the last checks, and a bar for each day.
//!
//! Colours and thickness are set by the style. Bad days are higher than good ones, and failed checks are vertical lines:
//! both are visible without colours.

use std::time::Duration;

use super::html::Html;
use crate::probe::durations::round_trips;

/// The most recent checks that are shown.
const CHECKS: usize = 20;
/// The distance between two of them.
const STEP: usize = 6;
/// The height of both graphics, in which a latency of zero is at the bottom.
const HEIGHT: u128 = 16;
/// The width of a bar and the gap after it.
const BAR: usize = 3;

/// The latency of a check, if it has one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) failed: bool,
    pub(super) latency: Option<Duration>,
}

/// Nothing is written for checks without latencies, such as those of heartbeats, unless one has failed.
pub(super) fn write_checks(out: &mut Html, points: &[Point]) {
    let points = points.get(points.len().saturating_sub(CHECKS)..).unwrap_or(points);
    let latencies = || points.iter().filter(|point| !point.failed).filter_map(|point| point.latency);
    let failed = points.iter().filter(|point| point.failed).count();
    let max = latencies().max().unwrap_or_default();
    if max.is_zero() && failed == 0 {
        return;
    }
    begin(out, "p", "-1", (CHECKS - 1) * STEP + 2);
    out.raw(&["last checks: "]);
    if let Some(min) = latencies().min() {
        out.raw(&[&round_trips(&[min, max])]);
    }
    if failed > 0 {
        out.raw(&[if max.is_zero() { "" } else { ", " }]).number(failed as u64).raw(&[" failed"]);
    }
    out.raw(&["\"><path d=\""]);
    let first = CHECKS - points.len();
    let mut line = 0;
    for (index, point) in (first..).zip(points) {
        match point.latency.filter(|_| !point.failed) {
            Some(latency) => {
                let height = (HEIGHT - 1) * latency.as_nanos() / max.as_nanos().max(1);
                out.raw(&[if line == 0 { "M" } else { " " }]).number((index * STEP) as u64);
                out.raw(&[" "]).number((HEIGHT - height) as u64);
                line += 1;
            }
            None => end_line(out, std::mem::take(&mut line)),
        }
    }
    end_line(out, line);
    if failed > 0 {
        out.raw(&["\"/><path class=f d=\""]);
        for (index, _) in (first..).zip(points).filter(|(_, point)| point.failed) {
            out.raw(&["M"]).number((index * STEP) as u64).raw(&[" 0v16"]);
        }
    }
    out.raw(&["\"/></svg>"]);
}

/// A single point is a short line.
fn end_line(out: &mut Html, points: usize) {
    if points == 1 {
        out.raw(&["h2"]);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Day {
    Unknown,
    Up,
    /// Some of the time degraded or down.
    Degraded,
    /// At least 1 % of the time down.
    Down,
}

/// One bar for each day, oldest first.
pub(super) fn write_days(out: &mut Html, days: &[Day]) {
    let count = |wanted| days.iter().filter(|day| **day == wanted).count() as u64;
    begin(out, "b", "0", days.len() * BAR);
    out.number(days.len() as u64 - count(Day::Unknown)).raw(&[" days: "]);
    out.number(count(Day::Down)).raw(&[" down, "]).number(count(Day::Degraded)).raw(&[" degraded\">"]);
    for (wanted, class) in
        [(Day::Up, ""), (Day::Degraded, " class=g"), (Day::Down, " class=d"), (Day::Unknown, " class=n")]
    {
        if count(wanted) == 0 {
            continue;
        }
        out.raw(&["<path", class, " d=\""]);
        let mut start = 0;
        for run in days.chunk_by(|one, other| one == other) {
            if run.first() == Some(&wanted) {
                out.raw(&["M"]).number((start * BAR) as u64).raw(&[" 16h"]).number((run.len() * BAR) as u64);
            }
            start += run.len();
        }
        out.raw(&["\"/>"]);
    }
    out.raw(&["</svg>"]);
}

/// The start of an image up to its description.
fn begin(out: &mut Html, class: &str, left: &str, width: usize) {
    out.raw(&["<svg class=", class, " viewBox=\"", left, " 0 "]).number(width as u64);
    out.raw(&[" 16\" preserveAspectRatio=none role=img aria-label=\""]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(write: impl Fn(&mut Html)) -> String {
        let mut out = Html::with_capacity(0);
        write(&mut out);
        String::from_utf8(out.into_bytes()).expect("text")
    }

    /// A check of `_` failed, others have the latency of the digit in milliseconds, `-` none.
    fn checks(text: &str) -> String {
        let points = text.chars().map(|c| Point {
            failed: c == '_',
            latency: c.to_digit(10).map(|ms| Duration::from_millis(ms.into())),
        });
        html(|out| write_checks(out, &points.clone().collect::<Vec<_>>()))
    }

    #[test]
    fn latencies_are_a_line_from_zero_with_gaps() {
        assert_eq!(
            checks("5_63"),
            "<svg class=p viewBox=\"-1 0 116 16\" preserveAspectRatio=none role=img \
             aria-label=\"last checks: 3.0/6.0 ms, 1 failed\">\
             <path d=\"M96 4h2M108 1 114 9\"/><path class=f d=\"M102 0v16\"/></svg>"
        );
        assert_eq!(checks(""), "");
        assert_eq!(checks("--"), "");
        assert!(checks("-_-").contains("aria-label=\"last checks: 1 failed\"><path d=\"\"/><path class=f"));
        assert!(checks(&"1".repeat(20)).contains("M0 1 6 1 12 1"));
        assert_eq!(checks(&"1".repeat(50)), checks(&"1".repeat(20)), "only the last ones");
        assert!(checks("0").is_empty() && checks("01").contains("M108 16 114 1"));
    }

    #[test]
    fn days_are_runs_of_bars() {
        use Day::*;
        assert_eq!(
            html(|out| write_days(out, &[Unknown, Unknown, Up, Down, Up, Up, Degraded])),
            "<svg class=b viewBox=\"0 0 21 16\" preserveAspectRatio=none role=img \
             aria-label=\"5 days: 1 down, 1 degraded\">\
             <path d=\"M6 16h3M12 16h6\"/><path class=g d=\"M18 16h3\"/><path class=d d=\"M9 16h3\"/>\
             <path class=n d=\"M0 16h6\"/></svg>"
        );
        let all: String = html(|out| write_days(out, &[Up; 90]));
        assert!(all.contains("<path d=\"M0 16h270\"/></svg>"), "{all}");
    }
}
