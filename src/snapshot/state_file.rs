//! The state file: what the targets keep across a restart of the program, one line for each.
//!
//! ```text
//! db6bc880 pingstate-state 1 1795377152471 2
//! 5ac78259 web 0 1795377152471 up 86400000 up - 120,3 refused:3 0,2,1,1 … down - - - 997432:… 20780:…
//! ```
//!
//! A line begins with the CRC-32 of the rest. The first one has the version of the format, the time in milliseconds since
//! 1970, and the number of targets. Durations are in milliseconds (the sum of the latencies in
//! microseconds), and relative to the time in the same line. Further fields at the end of a line are ignored.

use std::fmt::Write;
use std::str::Split;
use std::time::Duration;

use super::SECONDS_MAX;
use crate::fsm::{SavedFsm, State};
use crate::monitor::{Saved, SavedHeartbeat, SavedHistory, SavedPause, SavedRing, Slot};
use crate::result::{ProbeWarning, ProbeWarnings, Reason};
use crate::wire::base64;
use crate::wire::crc32::crc32;

const WORD: &str = "pingstate-state";
const VERSION: u64 = 1;

/// A longer line is invalid.
pub(crate) const LINE_MAX: usize = 16 * 1024;

/// The largest number of slots of a ring.
const SLOTS_MAX: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) unix: Duration,
    pub(crate) targets: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidHeader {
    /// It is damaged, or that of another file.
    Broken,
    /// Of another format.
    Version(u64),
}

impl InvalidHeader {
    pub(crate) fn describe(self) -> String {
        match self {
            InvalidHeader::Broken => "is damaged".to_owned(),
            InvalidHeader::Version(version) => {
                format!("has the format {version} of another version of pingstate")
            }
        }
    }
}

pub(crate) fn write_header(out: &mut Vec<u8>, header: Header) {
    push_line(out, &format!("{WORD} {VERSION} {} {}", millis(header.unix), header.targets));
}

/// Parses a line, without its line feed.
pub(crate) fn parse_header(line: &[u8]) -> Result<Header, InvalidHeader> {
    let text = payload(line).ok_or(InvalidHeader::Broken)?;
    let mut fields = Fields(text.split(' '));
    if fields.0.next() != Some(WORD) {
        return Err(InvalidHeader::Broken);
    }
    match fields.number() {
        Some(VERSION) => {}
        Some(version) => return Err(InvalidHeader::Version(version)),
        None => return Err(InvalidHeader::Broken),
    }
    let mut header = || Some(Header { unix: fields.span()?, targets: fields.number()? });
    header().ok_or(InvalidHeader::Broken)
}

pub(crate) fn write_target(out: &mut Vec<u8>, saved: &Saved) {
    let fsm = &saved.fsm;
    let warnings: Vec<_> = fsm.warnings.iter().map(ProbeWarning::as_str).collect();
    let failure = |(reason, count): &(Reason, u64)| [reason.as_str(), ":", &count.to_string()].concat();
    let failures: Vec<_> = fsm.failures.iter().map(failure).collect();
    let fields = [
        escaped(&saved.name),
        saved.settings.to_string(),
        millis(saved.unix),
        fsm.state.as_str().to_owned(),
        millis(fsm.age),
        fsm.policy_state.as_str().to_owned(),
        optional(warnings.join(",")),
        fsm.checks.map(|count| count.to_string()).join(","),
        optional(failures.join(",")),
        fsm.changes_to.map(|count| count.to_string()).join(","),
        fsm.time_in.map(millis).join(","),
        fsm.latency_sum.as_micros().to_string(),
        fsm.latencies.to_string(),
        saved.notified.as_str().to_owned(),
        saved
            .reminders
            .map_or(NONE.to_owned(), |(count, rest)| [&count.to_string(), ",", &millis(rest)].concat()),
        match saved.pause {
            SavedPause::None => NONE.to_owned(),
            SavedPause::Rest(rest) => millis(rest),
            SavedPause::UntilResumed => UNTIL_RESUMED.to_owned(),
        },
        saved.heartbeat.map_or(NONE.to_owned(), |last| [last.age, last.rest].map(millis).join(",")),
        saved.history.as_ref().map_or(NONE.to_owned(), |history| ring(&history.half_hours)),
        saved.history.as_ref().map_or(NONE.to_owned(), |history| ring(&history.days)),
    ];
    push_line(out, &fields.join(" "));
}

/// Parses a line, without its line feed. `None` if it is invalid.
pub(crate) fn parse_target(line: &[u8]) -> Option<Saved> {
    let mut fields = Fields(payload(line)?.split(' '));
    Some(Saved {
        name: unescaped(fields.0.next()?)?,
        settings: fields.number()?,
        unix: fields.span()?,
        fsm: SavedFsm {
            state: fields.state()?,
            age: fields.span()?,
            policy_state: fields.state()?,
            warnings: warnings(fields.0.next()?)?,
            checks: fields.numbers()?,
            failures: failures(fields.0.next()?)?,
            changes_to: fields.numbers()?,
            time_in: fields.numbers()?.map(Duration::from_millis),
            latency_sum: Duration::from_micros(fields.count()?),
            latencies: fields.count()?,
        },
        notified: fields.state()?,
        reminders: fields.optional(|field| {
            let (count, rest) = field.split_once(',')?;
            Some((number(count)?.try_into().ok()?, span(rest)?))
        })?,
        pause: match fields.0.next()? {
            NONE => SavedPause::None,
            UNTIL_RESUMED => SavedPause::UntilResumed,
            rest => SavedPause::Rest(span(rest)?),
        },
        heartbeat: fields.optional(|field| {
            let (age, rest) = field.split_once(',')?;
            Some(SavedHeartbeat { age: span(age)?, rest: span(rest)? })
        })?,
        history: {
            let (half_hours, days) = (fields.optional(parse_ring)?, fields.optional(parse_ring)?);
            half_hours.zip(days).map(|(half_hours, days)| SavedHistory { half_hours, days })
        },
    })
}

const NONE: &str = "-";
const UNTIL_RESUMED: &str = "until_resumed";

struct Fields<'a>(Split<'a, char>);

impl Fields<'_> {
    fn number(&mut self) -> Option<u64> {
        number(self.0.next()?)
    }

    fn numbers<const N: usize>(&mut self) -> Option<[u64; N]> {
        let numbers: Vec<u64> = self.0.next()?.split(',').map(count).collect::<Option<_>>()?;
        numbers.try_into().ok()
    }

    fn count(&mut self) -> Option<u64> {
        count(self.0.next()?)
    }

    fn span(&mut self) -> Option<Duration> {
        span(self.0.next()?)
    }

    fn state(&mut self) -> Option<State> {
        self.0.next()?.parse().ok()
    }

    /// The outer `None` is an invalid field.
    fn optional<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
        match self.0.next()? {
            NONE => Some(None),
            field => parse(field).map(Some),
        }
    }
}

fn number(text: &str) -> Option<u64> {
    // Without signs, as written.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A counter that can still grow: sums of some cannot overflow.
fn count(text: &str) -> Option<u64> {
    number(text).filter(|count| *count < 1 << 53)
}

/// Times to the year 9999, and durations as long: they cannot overflow the clock.
fn span(text: &str) -> Option<Duration> {
    number(text).map(Duration::from_millis).filter(|span| span.as_secs() <= SECONDS_MAX)
}

fn millis(span: Duration) -> String {
    let span = span.min(Duration::from_secs(SECONDS_MAX));
    span.as_millis().to_string()
}

fn optional(text: String) -> String {
    if text.is_empty() { NONE.to_owned() } else { text }
}

fn warnings(text: &str) -> Option<ProbeWarnings> {
    let mut warnings = ProbeWarnings::default();
    if text != NONE {
        for word in text.split(',') {
            warnings.insert(ProbeWarning::ALL.into_iter().find(|known| known.as_str() == word)?);
        }
    }
    Some(warnings)
}

fn failures(text: &str) -> Option<Vec<(Reason, u64)>> {
    if text == NONE {
        return Some(Vec::new());
    }
    let failure = |field: &str| {
        let (reason, count) = field.split_once(':')?;
        Some((reason.parse().ok()?, self::count(count)?))
    };
    let failures: Vec<(Reason, u64)> = text.split(',').map(failure).collect::<Option<_>>()?;
    failures.is_sorted_by_key(|(reason, _)| *reason).then_some(failures)
}

fn ring(ring: &SavedRing) -> String {
    let bytes: Vec<u8> = ring.slots.iter().flat_map(|slot| slot.bits().to_le_bytes()).collect();
    let numbers = [ring.newest.into(), ring.latency_sum_us, ring.latency_count.into()];
    [numbers.map(|number: u64| number.to_string()).join(":"), base64::encode(&bytes)].join(":")
}

fn parse_ring(text: &str) -> Option<SavedRing> {
    let mut fields = text.split(':');
    let mut next = || number(fields.next()?);
    let (newest, latency_sum_us, latency_count) = (next()?, next()?, next()?);
    let bytes = base64::decode(fields.next()?)?;
    let chunks = bytes.chunks_exact(8);
    if chunks.len() > SLOTS_MAX || !chunks.remainder().is_empty() {
        return None;
    }
    let slot =
        |bytes: &[u8]| Slot::from_bits(bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte)));
    let slots = chunks.map(slot).collect();
    Some(SavedRing {
        newest: newest.try_into().ok()?,
        latency_sum_us,
        latency_count: latency_count.try_into().ok()?,
        slots,
    })
}

/// A name without spaces and control characters.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '\0'..=' ' | '%' | '\x7f' => {
                let _ = write!(text, "%{:02x}", c as u32);
            }
            c => text.push(c),
        }
    }
    text
}

fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let code = u8::from_str_radix(part.get(..2)?, 16).ok()?;
        name.push(code.is_ascii().then(|| char::from(code))?);
        name.push_str(&part[2..]);
    }
    Some(name)
}

fn push_line(out: &mut Vec<u8>, payload: &str) {
    out.extend_from_slice(format!("{:08x} ", crc32(payload.as_bytes())).as_bytes());
    out.extend_from_slice(payload.as_bytes());
    out.push(b'\n');
}

/// A line with this payload, without its line feed.
#[cfg(any(test, fuzzing))]
pub(crate) fn with_sum(payload: &str) -> Vec<u8> {
    let mut out = Vec::new();
    push_line(&mut out, payload);
    out.pop();
    out
}

/// What follows the checksum, if that is right.
fn payload(line: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(line).ok().filter(|line| line.len() <= LINE_MAX)?;
    let (sum, payload) = text.split_once(' ')?;
    (sum.len() == 8 && u32::from_str_radix(sum, 16) == Ok(crc32(payload.as_bytes()))).then_some(payload)
}

#[cfg(test)]
mod tests;
