//! The status page: all targets in one HTML document without external resources, complete without its script.
//!
//! ```text
//!  header ─ headline: worst state and counts
//!  main ─── section of a group ─ row of a target ─ name, state, latency, graphics; facts when opened
//!  footer ─ version, links
//! ```
//!
//! Groups and rows are ordered by severity. The script reloads the document after a change of state and replaces
//! its parts; nothing is rendered twice. Names, details and addresses are escaped by [`Html::text`].

mod graphics;
mod html;
mod row;
mod shown;

use crate::clock::Now;
use crate::fsm::State;
use crate::monitor::{Target, Targets};
use html::Html;
use shown::Shown;

/// With more targets, those that are up have no graphics.
const GRAPHICS_MAX: usize = 200;
/// With more targets, those that are up are not listed.
const LISTED_MAX: usize = 1000;

const SHELL_CAPACITY: usize = 8 * 1024;
const ROW_CAPACITY: usize = 1536;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");
/// The SHA-256 of both, in Base64: the browser applies nothing else.
const STYLE_HASH: &str = "nmEPywK2UDS5i2QQdFHSOy9aMRPPSWyITq43rT/HxfY=";
const SCRIPT_HASH: &str = "dq9O4wHi/oSlaGWdFDk4v+o/btDJQtyKx4fPOpmULT0=";

pub(crate) const CONTENT_TYPE: &str = "text/html; charset=utf-8";

/// The header fields of the page. Pages of this additional origin may show it in a frame.
pub(crate) fn header_fields(frame_ancestor: &str) -> String {
    [
        "Content-Security-Policy: default-src 'none'; style-src 'sha256-",
        STYLE_HASH,
        "'; script-src 'sha256-",
        SCRIPT_HASH,
        "'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
        if frame_ancestor.is_empty() { "" } else { " " },
        frame_ancestor,
        "\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n",
    ]
    .concat()
}

/// Whether a policy can name these pages: an origin, perhaps with `*.` for all names below a domain, or `*` for all.
pub(crate) fn is_frame_ancestor(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]*".contains(&byte);
    text == "*" || host.is_some_and(|host| !host.is_empty() && host.bytes().all(is_known))
}

#[cold]
pub(crate) fn render(targets: &Targets, now: Now) -> Vec<u8> {
    let count = targets.list().len();
    let lists_all = count <= LISTED_MAX;
    let listed = targets.list().iter().filter(|target| lists_all || Shown::of(target) != Shown::Up);
    let sections = sections(listed);
    let rows = sections.iter().fold(0, |sum, section| sum + section.targets.len());
    let mut out = Html::with_capacity(SHELL_CAPACITY + ROW_CAPACITY * rows);
    let (shown, headline) = headline(targets);
    begin(&mut out, shown, &headline);
    out.raw(&["<main><p>as of "]).time(now.unix).raw(&["</p>"]);
    for worst in Shown::ALL {
        for section in sections.iter().filter(|section| section.worst == worst) {
            section.write(&mut out, sections.len() == 1, count, now);
        }
    }
    if !lists_all {
        let up = count_of(targets, Shown::Up).to_string();
        out.raw(&["<p>", &up, " more are up and not listed</p>"]);
    }
    out.raw(&["</main><footer><a href=status>JSON</a> · <a href=metrics>metrics</a> · pingstate "]);
    out.raw(&[env!("CARGO_PKG_VERSION"), "</footer><script>", SCRIPT, "</script>"]);
    out.into_bytes()
}

fn begin(out: &mut Html, shown: Shown, headline: &str) {
    out.raw(&["<!doctype html><html lang=en><meta charset=utf-8>"]);
    out.raw(&["<meta name=viewport content=\"width=device-width\">"]);
    out.raw(&["<title>", headline, " – pingstate</title><link rel=icon href=\"", &shown.icon(), "\">"]);
    out.raw(&["<noscript><meta http-equiv=refresh content=30></noscript><style>", STYLE, "</style>"]);
    // The role on the heading itself would replace that of a heading. Its text is announced when it changes.
    out.raw(&["<header><h1 class=", shown.word(), "><span role=status>", headline, "</span></h1>"]);
    out.raw(&["<p id=live>reloads every 30 s</p></header>"]);
}

/// The worst state, and how many targets are in each: `▼ 1 of 5 down, 1 degraded`.
fn headline(targets: &Targets) -> (Shown, String) {
    let counts = Shown::ALL.map(|shown| (shown, count_of(targets, shown)));
    let present = || counts.into_iter().filter(|(_, count)| *count > 0);
    // The state of all is not that of the paused ones, unless there are no others.
    let others = present().find(|(shown, _)| *shown != Shown::Paused);
    let (worst, count) = others.or(present().next()).unwrap_or((Shown::Unknown, 0));
    let (total, count) = (targets.list().len(), count.to_string());
    let mut text = [worst.symbol(), " "].concat();
    match total {
        0 => text.push_str("no targets"),
        1 => text.push_str(worst.word()),
        _ if counts.contains(&(Shown::Up, total)) => text.extend(["all ", &*count, " up"]),
        _ => text.extend([&*count, " of ", &*total.to_string(), " ", worst.word()]),
    }
    for (shown, count) in present().filter(|(shown, _)| *shown != worst && *shown != Shown::Up) {
        text.extend([", ", &*count.to_string(), " ", shown.word()]);
    }
    (worst, text)
}

fn count_of(targets: &Targets, shown: Shown) -> usize {
    let state = match shown {
        Shown::Down => State::Down,
        Shown::Degraded => State::Degraded,
        Shown::Unknown => State::Unknown,
        Shown::Up => State::Up,
        Shown::Paused => return targets.counts().paused,
    };
    targets.counts().by_state[state.index()]
}

/// The targets of a group.
struct Section<'a> {
    group: Option<&'a str>,
    worst: Shown,
    targets: Vec<&'a Target>,
}

/// In the configured order. Loops instead of sorting: the code of a sort is larger than the rest of this file.
fn sections<'a>(targets: impl Iterator<Item = &'a Target>) -> Vec<Section<'a>> {
    let mut sections: Vec<Section> = Vec::new();
    for target in targets {
        let (group, shown) = (target.group().map(AsRef::as_ref), Shown::of(target));
        // Members of a group are often configured together.
        match sections.iter_mut().rev().find(|section| section.group == group) {
            Some(section) => {
                section.targets.push(target);
                section.worst = section.worst.min(shown);
            }
            None => sections.push(Section { group, worst: shown, targets: vec![target] }),
        }
    }
    sections
}

impl Section<'_> {
    /// `count` is the number of all targets.
    fn write(&self, out: &mut Html, is_only: bool, count: usize, now: Now) {
        out.raw(&["<section>"]);
        match self.group {
            Some(group) => drop(out.raw(&["<h2>"]).text(group).raw(&["</h2>"])),
            None if is_only => {}
            None => drop(out.raw(&["<h2>other targets</h2>"])),
        }
        for shown in Shown::ALL {
            let has_graphics = count <= GRAPHICS_MAX || shown != Shown::Up;
            for target in self.targets.iter().filter(|target| Shown::of(target) == shown) {
                row::write(out, target, shown, has_graphics, now);
            }
        }
        out.raw(&["</section>"]);
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod sample;
