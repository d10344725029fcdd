//! The row of a target, and the facts that are shown when it is opened.

use std::time::Duration;

use super::graphics::{self, Day, Point};
use super::html::Html;
use super::shown::Shown;
use crate::clock::{Now, since_epoch};
use crate::fsm::{Check, Event, Last, State};
use crate::monitor::{History, Slot, Target, Window};
use crate::probe::durations::{long, round_trips};
use crate::snapshot::shown_address;

/// The most changes of state that are listed.
const CHANGES: usize = 3;

pub(super) fn write(out: &mut Html, target: &Target, shown: Shown, has_graphics: bool, now: Now) {
    let fsm = target.fsm();
    let latency =
        fsm.last().and_then(|last| last.latency).map_or("–".to_owned(), |span| round_trips(&[span]));
    out.raw(&["<details class=", shown.word(), "><summary><bdi>"]).text(target.name());
    out.raw(&["</bdi><span class=s>", shown.symbol(), " ", shown.word()]);
    out.raw(&["</span><span class=l>", &latency, "</span>"]);
    let recent: Vec<&Check> = fsm.recent().iter().collect();
    if has_graphics {
        graphics::write_checks(out, &recent.iter().copied().map(point).collect::<Vec<_>>());
        if let Some(history) = target.history() {
            graphics::write_days(out, &history.days(now).map(day).collect::<Vec<_>>());
        }
    }
    let has_reason = matches!(shown, Shown::Down | Shown::Degraded) && !target.is_private();
    if let Some(last) = fsm.last().filter(|_| has_reason) {
        out.raw(&["<small>"]).text(&last.detail).raw(&["</small>"]);
    }
    if let Some(parent) = target.held_by() {
        out.raw(&["<small>held by "]).text(parent).raw(&["</small>"]);
    }
    out.raw(&["</summary><dl>"]);
    write_facts(out, target, &recent, now);
    out.raw(&["</dl></details>"]);
}

fn point(check: &Check) -> Point {
    Point { failed: check.event() == Event::Fail, latency: check.latency() }
}

fn day(slot: Slot) -> Day {
    match (slot.known_s(), slot.down_s()) {
        (0, _) => Day::Unknown,
        (known, down) if down > 0 && down >= known / 100 => Day::Down,
        _ if slot.up_s() == slot.known_s() => Day::Up,
        _ => Day::Degraded,
    }
}

fn write_facts(out: &mut Html, target: &Target, recent: &[&Check], now: Now) {
    let (fsm, is_public) = (target.fsm(), !target.is_private());
    let lasted = fsm.time_in_state(now);
    fact(out, "since").time(now.unix.saturating_sub(lasted)).raw(&[", ", &long(lasted)]);
    if let Some(pause) = target.pause() {
        match pause.until {
            Some(until) => {
                fact(out, "paused until").time(now.after(until.saturating_duration_since(now.instant)).unix)
            }
            None => fact(out, "paused until").raw(&["it is resumed"]),
        };
    }
    for (index, parent) in target.parents().iter().enumerate() {
        match index {
            0 => fact(out, "depends on"),
            _ => out.raw(&[", "]),
        };
        out.text(parent);
    }
    match fsm.last() {
        Some(last) => write_last(out, last, is_public, now),
        None => drop(fact(out, "last check").raw(&["none yet"])),
    }
    if let Some(history) = target.history() {
        write_uptimes(out, history, now);
    }
    if is_public {
        fact(out, "URL").text(target.url());
    }
    let changes = recent.windows(2).rev().filter(|pair| pair[0].state() != pair[1].state()).take(CHANGES);
    for (index, change) in changes.map(|pair| pair[1]).enumerate() {
        if index == 0 {
            fact(out, "changes");
        } else {
            out.raw(&["<br>"]);
        }
        write_change(out, change, is_public);
    }
}

fn write_last(out: &mut Html, last: &Last, is_public: bool, now: Now) {
    fact(out, "last check").time(last.at.unix);
    if is_public {
        out.raw(&[": "]).text(&last.detail);
    }
    if let Some(address) = last.address.filter(|_| is_public) {
        fact(out, "address").raw(&[&shown_address(address)]);
    }
    if let Some(not_after) = last.tls_not_after.map(since_epoch) {
        fact(out, "certificate");
        match not_after.checked_sub(now.unix) {
            Some(left) => {
                out.raw(&["valid until "]).time(not_after).raw(&[", "]).number(left.as_secs() / 86_400);
                out.raw(&[" days"])
            }
            None => out.raw(&["expired "]).time(not_after),
        };
    }
}

/// Without those that are unknown.
fn write_uptimes(out: &mut Html, history: &History, now: Now) {
    let uptimes = Window::ALL.into_iter().filter_map(|window| Some((window, history.uptime(window, now)?)));
    for (index, (window, uptime)) in uptimes.enumerate() {
        match index {
            0 => fact(out, "uptime"),
            _ => out.raw(&[", "]),
        };
        out.raw(&[window.as_str(), " "]).number((uptime / 100).into());
        // Rounded down: 100 % is without any time down.
        if uptime % 100 > 0 {
            out.raw(&[if uptime % 100 < 10 { ".0" } else { "." }]).number((uptime % 100).into());
        }
        out.raw(&[" %"]);
    }
}

fn write_change(out: &mut Html, change: &Check, is_public: bool) {
    out.time(Duration::from_secs(change.unix().as_secs()));
    let state = change.state();
    out.raw(&[" ", Shown::from(state).symbol(), " ", state.as_str()]);
    if is_public && state != State::Up {
        out.raw(&[": "]).text(&change.detail);
    }
}

/// Begins a fact with this name; end tags can be omitted.
fn fact<'a>(out: &'a mut Html, name: &str) -> &'a mut Html {
    out.raw(&["<dt>", name, "<dd>"])
}
