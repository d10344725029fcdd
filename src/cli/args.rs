//! The arguments, one by one: each value is checked by its own rules, not against others.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::TARGETS_MAX;
use super::flags::{self, Flag, FlagScope, Set, push};
use super::options::Settings;
use super::values::{quote, shown};

/// What was given; `None` and empty where nothing was.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct CommandLine {
    pub(super) targets: Vec<String>,
    pub(super) protocol: Option<&'static str>,
    pub(super) address: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) path: Option<String>,
    pub(super) name: Option<String>,
    pub(super) settings: Settings,
    pub(super) daemon: DaemonFlags,
    pub(super) once: bool,
    pub(super) config: Option<PathBuf>,
    pub(super) check_config: bool,
    /// The flags that were given, each once.
    pub(super) seen: Vec<Seen>,
}

/// A flag that was given.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) flag: &'static Flag,
    pub(super) scope: FlagScope,
}

impl PartialEq for Seen {
    fn eq(&self, other: &Seen) -> bool {
        self.flag.name == other.flag.name
    }
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.flag.name)
    }
}

/// Flags of the daemon as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct DaemonFlags {
    pub(super) api_host: Option<IpAddr>,
    pub(super) api_port: Option<u16>,
    pub(super) api_allow_hosts: Vec<String>,
    pub(super) dns: Vec<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Run,
    Help,
    Version,
}

/// Why an argument is refused.
enum Wrong {
    /// It alone; those behind it can be read.
    This(String),
    /// With it, what the others are is not known either.
    Rest(String),
}

impl From<String> for Wrong {
    fn from(error: String) -> Self {
        Wrong::This(error)
    }
}

/// Reads arguments into `line`, and appends what is wrong with them to `errors`. Of a flag that is given
/// twice and cannot be repeated, the last value counts; `--help` and `--version` end the reading.
pub(super) fn read(mut p: Parser, line: &mut CommandLine, errors: &mut Vec<String>) -> Action {
    loop {
        match read_one(&mut p, line) {
            Ok(None) => return Action::Run,
            Ok(Some(Action::Run)) => {}
            Ok(Some(asked)) => return asked,
            Err(Wrong::This(error)) => errors.push(error),
            Err(Wrong::Rest(error)) => {
                errors.push(error);
                return Action::Run;
            }
        }
    }
}

/// Reads the next argument, if there is one.
fn read_one(p: &mut Parser, line: &mut CommandLine) -> Result<Option<Action>, Wrong> {
    let Some(arg) = p.next().map_err(|error| Wrong::Rest(describe(error)))? else { return Ok(None) };
    let found = match arg {
        Arg::Value(target) => {
            let target = target.into_string().map_err(|_| "a target is not UTF-8".to_owned())?;
            if target.is_empty() {
                return Err("a target is empty".to_owned().into());
            }
            push(&mut line.targets, Ok(target), TARGETS_MAX).map_err(|error| format!("TARGET: {error}"))?;
            return Ok(Some(Action::Run));
        }
        Arg::Short(letter) => flags::all()
            .find(|(flag, _)| flag.short == Some(letter))
            .ok_or_else(|| unknown(&format!("-{letter}"))),
        Arg::Long(name) => flags::all()
            .find(|(flag, _)| flag.name.strip_prefix("--") == Some(name))
            .ok_or_else(|| unknown(&format!("--{name}"))),
    };
    let (flag, scope) = found.map_err(Wrong::Rest)?;
    let seen = Seen { flag, scope };
    if !line.seen.contains(&seen) {
        line.seen.push(seen);
    }
    match flag.set {
        Set::Help => return Ok(Some(Action::Help)),
        Set::Version => return Ok(Some(Action::Version)),
        Set::Switch(set) => set(line),
        Set::Value(set) => {
            let text = text(p, flag.name)?;
            set(line, &text).map_err(|error| format!("{}: {error}", flag.name))?;
        }
    }
    Ok(Some(Action::Run))
}

/// The value of `flag` as it stands there. What looks like another flag is not taken for a value
/// (a forgotten value would swallow it), except behind an equals sign; numbers may be negative, and
/// are refused for what they are.
fn text(p: &mut Parser, flag: &str) -> Result<String, Wrong> {
    let (value, attached) = match p.optional_value() {
        Some(value) => (value, true),
        None => (p.value().map_err(|_| Wrong::Rest(format!("{flag}: a value is missing")))?, false),
    };
    let value = value.into_string().map_err(|_| format!("{flag}: the value is not UTF-8"))?;
    if !attached && looks_like_a_flag(&value) {
        let before = quote(&value);
        return Err(Wrong::Rest(format!(
            "{flag}: a value is missing before {before} (or write {flag}=VALUE)"
        )));
    }
    Ok(value)
}

fn describe(error: lexopt::Error) -> String {
    match error {
        lexopt::Error::UnexpectedValue { option, .. } => format!("{}: takes no value", shown(&option)),
        _ => "the arguments can not be read".to_owned(),
    }
}

fn unknown(flag: &str) -> String {
    let mut known = flags::all().map(|(known, _)| known.name);
    let begun =
        flags::all().map(|(known, _)| known.name).find(|known| flag.len() >= 4 && known.starts_with(flag));
    match begun.or_else(|| known.find(|known| is_close(flag, known))) {
        Some(known) => format!("unknown option {} (did you mean {known}?)", shown(flag)),
        None => format!("unknown option {} (see --help)", shown(flag)),
    }
}

/// `-1`, `-.5` and `-inf` are numbers, however useless; a lone `-` is just text.
fn looks_like_a_flag(text: &str) -> bool {
    match text.strip_prefix('-') {
        None | Some("" | "inf" | "nan") => false,
        Some(rest) => !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'),
    }
}

/// Whether too much was typed, or they differ by one slip of the finger.
fn is_close(typed: &str, known: &str) -> bool {
    let (t, k) = (typed.as_bytes(), known.as_bytes());
    if typed.starts_with(known) {
        return true;
    }
    let head = t.iter().zip(k).take_while(|(a, b)| a == b).count();
    let (t, k) = (&t[head..], &k[head..]);
    let tail = t.iter().rev().zip(k.iter().rev()).take_while(|(a, b)| a == b).count();
    let (t, k) = (&t[..t.len() - tail], &k[..k.len() - tail]);
    // A letter too many, too few or wrong, or two neighbours swapped.
    t.len().max(k.len()) <= 1 || (t.len() == 2 && k.len() == 2 && t[0] == k[1] && t[1] == k[0])
}
