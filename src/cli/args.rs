//! Parses the arguments one by one. Conflicts between them are checked in `conflicts`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::TARGETS_MAX;
use super::flags::{self, Flag, FlagScope, Set, push};
use super::options::Settings;
use crate::probe::kinds::Kind;
use crate::text::{quote, shown};

/// The arguments as given; `None` and empty where a flag was not given.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct CommandLine {
    pub(super) targets: Vec<String>,
    pub(super) kind: Option<Kind>,
    pub(super) address: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) path: Option<String>,
    pub(super) name: Option<String>,
    pub(super) settings: Settings,
    pub(super) daemon: DaemonFlags,
    pub(super) once: bool,
    pub(super) config: Option<PathBuf>,
    pub(super) check_config: bool,
    /// The flags that were given, without duplicates.
    pub(super) seen: Vec<Seen>,
}

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
enum ArgError {
    /// Parsing can continue with the next argument.
    Recoverable(String),
    /// The meaning of the following arguments is unknown.
    Fatal(String),
}

impl From<String> for ArgError {
    fn from(error: String) -> Self {
        ArgError::Recoverable(error)
    }
}

/// Parses arguments into `line`, and appends errors to `errors`. The last value of a flag that is not repeatable
/// applies. `--help` and `--version` end the parsing.
pub(super) fn read(mut p: Parser, line: &mut CommandLine, errors: &mut Vec<String>) -> Action {
    loop {
        match read_one(&mut p, line) {
            Ok(None) => return Action::Run,
            Ok(Some(Action::Run)) => {}
            Ok(Some(action)) => return action,
            Err(ArgError::Recoverable(error)) => errors.push(error),
            Err(ArgError::Fatal(error)) => {
                errors.push(error);
                return Action::Run;
            }
        }
    }
}

/// Parses the next argument; `None` at the end.
fn read_one(p: &mut Parser, line: &mut CommandLine) -> Result<Option<Action>, ArgError> {
    let Some(arg) = p.next().map_err(|error| ArgError::Fatal(describe(error)))? else { return Ok(None) };
    let found = match arg {
        Arg::Value(target) => {
            let target = target.into_string().map_err(|_| "TARGET: is not UTF-8".to_owned())?;
            if target.is_empty() {
                return Err("TARGET: is empty".to_owned().into());
            }
            push(&mut line.targets, Ok(target), TARGETS_MAX).map_err(|error| format!("TARGET: {error}"))?;
            return Ok(Some(Action::Run));
        }
        Arg::Short(short) => flags::all()
            .find(|(flag, _)| flag.short == Some(short))
            .ok_or_else(|| unknown(&format!("-{short}"))),
        Arg::Long(name) => flags::all()
            .find(|(flag, _)| flag.name.strip_prefix("--") == Some(name))
            .ok_or_else(|| unknown(&format!("--{name}"))),
    };
    let (flag, scope) = found.map_err(ArgError::Fatal)?;
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

/// The value of `flag` as text. An argument that looks like a flag is only accepted as a value after an equals
/// sign, so that a missing value is detected. Negative numbers are accepted here and refused as out of range.
fn text(p: &mut Parser, flag: &str) -> Result<String, ArgError> {
    let (value, attached) = match p.optional_value() {
        Some(value) => (value, true),
        None => (p.value().map_err(|_| ArgError::Fatal(format!("{flag}: missing value")))?, false),
    };
    let value = value.into_string().map_err(|_| format!("{flag}: the value is not UTF-8"))?;
    if !attached && looks_like_a_flag(&value) {
        let before = quote(&value);
        return Err(ArgError::Fatal(format!(
            "{flag}: missing value before {before} (or write {flag}=VALUE)"
        )));
    }
    Ok(value)
}

fn describe(error: lexopt::Error) -> String {
    match error {
        lexopt::Error::UnexpectedValue { option, .. } => format!("{}: takes no value", shown(&option)),
        _ => "the arguments cannot be read".to_owned(),
    }
}

fn unknown(flag: &str) -> String {
    let mut known = flags::all().map(|(known, _)| known.name);
    let completed =
        flags::all().map(|(known, _)| known.name).find(|known| flag.len() >= 4 && known.starts_with(flag));
    match completed.or_else(|| known.find(|known| is_close(flag, known))) {
        Some(known) => format!("unknown option {} (did you mean {known}?)", shown(flag)),
        None => format!("unknown option {} (see --help)", shown(flag)),
    }
}

/// `-1`, `-.5` and `-inf` are numbers; a lone `-` is text.
fn looks_like_a_flag(text: &str) -> bool {
    match text.strip_prefix('-') {
        None | Some("" | "inf" | "nan") => false,
        Some(rest) => !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'),
    }
}

/// Whether `typed` begins with `known` or differs from it by one typing error.
fn is_close(typed: &str, known: &str) -> bool {
    let (t, k) = (typed.as_bytes(), known.as_bytes());
    if typed.starts_with(known) {
        return true;
    }
    let head = t.iter().zip(k).take_while(|(a, b)| a == b).count();
    let (t, k) = (&t[head..], &k[head..]);
    let tail = t.iter().rev().zip(k.iter().rev()).take_while(|(a, b)| a == b).count();
    let (t, k) = (&t[..t.len() - tail], &k[..k.len() - tail]);
    // One character inserted, removed or replaced, or two adjacent ones swapped.
    t.len().max(k.len()) <= 1 || (t.len() == 2 && k.len() == 2 && t[0] == k[1] && t[1] == k[0])
}
