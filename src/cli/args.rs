//! Parses the arguments one by one. Conflicts between them are checked in `conflicts`.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser};

use super::flags::{self, Set, push};
use super::log::LogFormat;
use super::options::{RequestFlags, Settings};
use super::{Command, TARGETS_MAX};
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
    pub(super) json: bool,
    pub(super) config: Option<PathBuf>,
    pub(super) check_config: bool,
    pub(super) test_notify: bool,
    /// The names of the flags that were given, without duplicates.
    pub(super) seen: Vec<&'static str>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct DaemonFlags {
    pub(super) api_host: Option<IpAddr>,
    pub(super) api_port: Option<u16>,
    pub(super) api_allow_hosts: Vec<String>,
    pub(super) api_token_file: Option<PathBuf>,
    pub(super) api_token_reads: bool,
    pub(super) api_page: Option<bool>,
    pub(super) api_frame: Option<String>,
    pub(super) log_format: Option<LogFormat>,
    pub(super) history_days: Option<u8>,
    pub(super) state_file: Option<PathBuf>,
    pub(super) state_interval: Option<Duration>,
    pub(super) dns_hold: Option<Duration>,
    pub(super) push: RequestFlags,
    pub(super) alive: RequestFlags,
}

/// Parses arguments into `line`, and appends errors to `errors`. The last value of a flag that is not repeatable
/// applies; the first of one that [replaces](Flag::replaces) removes those in `line`. `--help` and `--version` end the parsing and are returned.
pub(super) fn read(p: Parser, line: &mut CommandLine, errors: &mut Vec<String>) -> Option<Command> {
    let command = read_all(p, line, errors).unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    for (flag, request) in [("--push-url", &mut line.daemon.push), ("--alive-url", &mut line.daemon.alive)] {
        if line.seen.contains(&flag) {
            request.ca_file.clone_from(&line.settings.ca_file);
        }
    }
    command
}

/// `Err` is an error after which the meaning of the following arguments is unknown.
fn read_all(
    mut p: Parser,
    line: &mut CommandLine,
    errors: &mut Vec<String>,
) -> Result<Option<Command>, String> {
    while let Some(arg) = p.next().map_err(describe)? {
        let found = match arg {
            Arg::Value(target) => {
                let target = match target.into_string() {
                    Ok(target) if target.is_empty() => Err("is empty".to_owned()),
                    target => target.map_err(|_| "is not UTF-8".to_owned()),
                };
                let added = push(&mut line.targets, target, TARGETS_MAX);
                errors.extend(added.err().map(|error| format!("TARGET: {error}")));
                continue;
            }
            Arg::Short(short) => {
                flags::find(|flag| flag.short == Some(short)).ok_or_else(|| format!("-{short}"))
            }
            Arg::Long(name) => flags::find(|flag| flag.name.strip_prefix("--") == Some(name))
                .ok_or_else(|| format!("--{name}")),
        };
        let (flag, _) = found.map_err(|flag| unknown(&flag))?;
        if !line.seen.contains(&flag.name) {
            line.seen.push(flag.name);
            if flag.replaces {
                (flag.clear)(&mut line.settings);
            }
        }
        match flag.set {
            Set::Help => return Ok(Some(Command::Help)),
            Set::Version => return Ok(Some(Command::Version)),
            Set::Switch(set) => set(line),
            Set::Value(set) => {
                let value = value(&mut p, flag.name)?.into_string();
                let set = value
                    .map_err(|_| "the value is not UTF-8".to_owned())
                    .and_then(|value| set(line, &value));
                errors.extend(set.err().map(|error| format!("{}: {error}", flag.name)));
            }
        }
    }
    Ok(None)
}

/// The value of `flag`. An argument that looks like a flag is only accepted as a value after an equals sign, so that a
/// missing value is detected. Negative numbers are accepted here and refused as out of range.
fn value(p: &mut Parser, flag: &str) -> Result<OsString, String> {
    if let Some(value) = p.optional_value() {
        return Ok(value);
    }
    let value = p.value().map_err(|_| format!("{flag}: missing value"))?;
    match value.to_str() {
        Some(text) if looks_like_a_flag(text) => {
            Err(format!("{flag}: missing value before {} (or write {flag}=VALUE)", quote(text)))
        }
        _ => Ok(value),
    }
}

fn describe(error: lexopt::Error) -> String {
    match error {
        lexopt::Error::UnexpectedValue { option, .. } => format!("{}: takes no value", shown(&option)),
        _ => "the arguments cannot be read".to_owned(),
    }
}

fn unknown(flag: &str) -> String {
    let completed = flags::find(|known| flag.len() >= 4 && known.name.starts_with(flag));
    match completed.or_else(|| flags::find(|known| is_close(flag, known.name))) {
        Some((known, _)) => format!("unknown option {} (did you mean {}?)", shown(flag), known.name),
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
