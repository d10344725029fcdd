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
    let mut line = Line(String::new());
    line.word(WORD);
    for number in [VERSION, millis(header.unix), header.targets] {
        line.numbers(&[number]);
    }
    line.push_to(out);
}

/// Parses a line, without its line feed.
pub(crate) fn parse_header(line: &[u8]) -> Result<Header, InvalidHeader> {
    let mut fields = Fields::of(payload(line).ok_or(InvalidHeader::Broken)?);
    if fields.next() != WORD {
        return Err(InvalidHeader::Broken);
    }
    match fields.number() {
        version if version != VERSION && fields.are_valid => return Err(InvalidHeader::Version(version)),
        _ => {}
    }
    let header = Header { unix: fields.span(), targets: fields.number() };
    fields.are_valid.then_some(header).ok_or(InvalidHeader::Broken)
}

#[cold]
pub(crate) fn write_target(out: &mut Vec<u8>, saved: &Saved) {
    let fsm = &saved.fsm;
    let mut line = Line(String::new());
    line.word(&escaped(&saved.name));
    line.numbers(&[saved.settings]);
    line.numbers(&[millis(saved.unix)]);
    line.word(fsm.state.as_str());
    line.numbers(&[millis(fsm.age)]);
    line.word(fsm.policy_state.as_str());
    line.list(&mut fsm.warnings.iter().map(|warning| warning.as_str().to_owned()));
    line.numbers(&fsm.checks);
    let failure = |(reason, count): &(Reason, u64)| [reason.as_str(), ":", &count.to_string()].concat();
    line.list(&mut fsm.failures.iter().map(failure));
    line.numbers(&fsm.changes_to);
    line.numbers(&fsm.time_in.map(millis));
    line.numbers(&[u64::try_from(fsm.latency_sum.as_micros()).unwrap_or(u64::MAX)]);
    line.numbers(&[fsm.latencies]);
    line.word(saved.notified.as_str());
    match saved.reminders {
        Some((count, rest)) => line.numbers(&[count.into(), millis(rest)]),
        None => line.word(NONE),
    }
    match saved.pause {
        SavedPause::None => line.word(NONE),
        SavedPause::Rest(rest) => line.numbers(&[millis(rest)]),
        SavedPause::UntilResumed => line.word(UNTIL_RESUMED),
    }
    match saved.heartbeat {
        Some(last) => line.numbers(&[last.age, last.rest].map(millis)),
        None => line.word(NONE),
    }
    let rings = saved.history.as_ref().map(|history| [&history.half_hours, &history.days]);
    for ring in rings.map_or([None; 2], |rings| rings.map(Some)) {
        line.word(&ring.map_or(NONE.to_owned(), self::ring));
    }
    line.push_to(out);
}

/// Parses a line, without its line feed. `None` if it is invalid.
#[cold]
pub(crate) fn parse_target(line: &[u8]) -> Option<Saved> {
    let mut fields = Fields::of(payload(line)?);
    let saved = Saved {
        name: fields.name(),
        settings: fields.number(),
        unix: fields.span(),
        fsm: SavedFsm {
            state: fields.state(),
            age: fields.span(),
            policy_state: fields.state(),
            warnings: fields.warnings(),
            checks: fields.counts(),
            failures: fields.failures(),
            changes_to: fields.counts(),
            time_in: fields.counts().map(Duration::from_millis),
            latency_sum: Duration::from_micros(fields.counts::<1>()[0]),
            latencies: fields.counts::<1>()[0],
        },
        notified: fields.state(),
        reminders: fields.pair().map(|(count, rest)| (fields.valid(count.try_into().ok()), rest)),
        pause: match fields.next() {
            NONE => SavedPause::None,
            UNTIL_RESUMED => SavedPause::UntilResumed,
            rest => SavedPause::Rest(fields.valid(span(rest))),
        },
        heartbeat: fields.pair().map(|(age, rest)| {
            let age = fields.valid(within_years(age));
            SavedHeartbeat { age, rest }
        }),
        history: {
            let (half_hours, days) = (fields.ring(), fields.ring());
            half_hours.zip(days).map(|(half_hours, days)| SavedHistory { half_hours, days })
        },
    };
    fields.are_valid.then_some(saved)
}

const NONE: &str = "-";
const UNTIL_RESUMED: &str = "until_resumed";

/// The payload of a line. A space follows each field.
struct Line(String);

impl Line {
    fn word(&mut self, word: &str) {
        self.0.push_str(word);
        self.0.push(' ');
    }

    fn numbers(&mut self, numbers: &[u64]) {
        self.list(&mut numbers.iter().map(u64::to_string));
    }

    fn list(&mut self, items: &mut dyn Iterator<Item = String>) {
        let start = self.0.len();
        for item in items {
            if self.0.len() > start {
                self.0.push(',');
            }
            self.0.push_str(&item);
        }
        self.word(if self.0.len() > start { "" } else { NONE });
    }

    fn push_to(mut self, out: &mut Vec<u8>) {
        self.0.pop();
        push_line(out, &self.0);
    }
}

/// The fields of a payload. An invalid or missing one has a default, so that it needs no branch in [`parse_target`].
struct Fields<'a> {
    rest: Split<'a, char>,
    are_valid: bool,
}

impl<'a> Fields<'a> {
    fn of(payload: &'a str) -> Self {
        Fields { rest: payload.split(' '), are_valid: true }
    }

    fn valid<T: Default>(&mut self, value: Option<T>) -> T {
        self.are_valid &= value.is_some();
        value.unwrap_or_default()
    }

    fn next(&mut self) -> &'a str {
        let field = self.rest.next();
        self.valid(field)
    }

    /// `None` for the word of absent values.
    fn next_value(&mut self) -> Option<&'a str> {
        Some(self.next()).filter(|field| *field != NONE)
    }

    fn name(&mut self) -> String {
        let name = unescaped(self.next());
        self.valid(name)
    }

    fn number(&mut self) -> u64 {
        let number = number(self.next());
        self.valid(number)
    }

    fn counts<const N: usize>(&mut self) -> [u64; N] {
        let mut counts = [0; N];
        self.read_counts(&mut counts);
        counts
    }

    fn read_counts(&mut self, counts: &mut [u64]) {
        let mut parts = self.next().split(',');
        for place in counts {
            *place = self.valid(parts.next().and_then(count));
        }
        self.are_valid &= parts.next().is_none();
    }

    fn span(&mut self) -> Duration {
        let span = span(self.next());
        self.valid(span)
    }

    fn state(&mut self) -> State {
        let state = self.next().parse().ok();
        self.are_valid &= state.is_some();
        state.unwrap_or(State::Unknown)
    }

    fn pair(&mut self) -> Option<(u64, Duration)> {
        let (first, second) = self.next_value()?.split_once(',').unwrap_or_default();
        Some((self.valid(number(first)), self.valid(span(second))))
    }

    fn warnings(&mut self) -> ProbeWarnings {
        let mut warnings = ProbeWarnings::default();
        for word in self.next_value().map(|words| words.split(',')).into_iter().flatten() {
            match ProbeWarning::ALL.into_iter().find(|known| known.as_str() == word) {
                Some(warning) => warnings.insert(warning),
                None => self.are_valid = false,
            }
        }
        warnings
    }

    fn failures(&mut self) -> Vec<(Reason, u64)> {
        let mut failures = Vec::new();
        for field in self.next_value().map(|fields| fields.split(',')).into_iter().flatten() {
            let (reason, count) = field.split_once(':').unwrap_or_default();
            match (reason.parse(), self::count(count)) {
                (Ok(reason), Some(count)) => failures.push((reason, count)),
                _ => self.are_valid = false,
            }
        }
        self.are_valid &= failures.is_sorted_by_key(|(reason, _)| *reason);
        failures
    }

    fn ring(&mut self) -> Option<SavedRing> {
        let ring = parse_ring(self.next_value()?);
        self.are_valid &= ring.is_some();
        ring
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

fn span(text: &str) -> Option<Duration> {
    number(text).and_then(within_years)
}

/// Times to the year 9999, and durations as long: they cannot overflow the clock.
fn within_years(millis: u64) -> Option<Duration> {
    Some(Duration::from_millis(millis)).filter(|span| span.as_secs() <= SECONDS_MAX)
}

fn millis(span: Duration) -> u64 {
    // The year 9999 has 48 bits.
    span.min(Duration::from_secs(SECONDS_MAX)).as_millis() as u64
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
