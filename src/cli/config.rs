//! The configuration file: one target per line, with the flags of the command line.
//!
//! ```text
//! # The targets below are checked every ten seconds.
//! --interval 10 --api-port 8080
//! web   https://example.com/healthz   --check status:200
//! ssh   tcp://192.168.1.1:22          --interval 60 --on-change "/usr/local/bin/tell 'the admin'"
//! ```
//!
//! Words are split as by a shell, without expansions. A line that begins with a flag contains only flags: flags of
//! targets apply to the lines below, flags of the daemon to the whole file. Flags of targets on the command line
//! are read before the file; flags of the daemon on the command line override the file.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::rc::Rc;

use lexopt::Parser;

use super::args::{self, CommandLine, DaemonFlags};
use super::conflicts::{daemon, first, refuse_flags_without_effect};
use super::flags::FlagScope;
use super::options::SettingsByKind;
use super::targets::shown_url;
use super::{Daemon, Settings, TARGETS_MAX, TargetOptions, TargetSpec};
use crate::probe::kinds::Kind;
use crate::text::shown;
use crate::text::words::split;

/// The largest file, in bytes, and the longest line in it.
const FILE_MAX: usize = 16 * 1024 * 1024;
const LINE_MAX: usize = 64 * 1024;

/// After this many errors the rest of the file is not checked.
pub(super) const ERRORS_MAX: usize = 1000;

/// A file, and the command line that names it.
#[derive(Debug, PartialEq)]
pub(crate) struct Config {
    pub(super) path: PathBuf,
    pub(super) line: CommandLine,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Loaded {
    pub(crate) targets: Vec<TargetOptions>,
    pub(crate) daemon: Daemon,
    /// Errors with their line numbers, counted from one; zero for the file as a whole.
    pub(crate) errors: Vec<(usize, String)>,
}

impl Config {
    pub(crate) fn name(&self) -> String {
        if self.is_stdin() { "standard input".to_owned() } else { self.path.display().to_string() }
    }

    fn is_stdin(&self) -> bool {
        self.path.as_os_str() == "-"
    }

    fn open(&self) -> io::Result<File> {
        match self.is_stdin() {
            true => io::stdin().as_fd().try_clone_to_owned().map(File::from),
            false => File::open(&self.path),
        }
    }

    pub(crate) fn load(&self) -> Result<Loaded, String> {
        let mut bytes = Vec::new();
        let mut mode = 0;
        self.open()
            .and_then(|file| {
                let metadata = file.metadata()?;
                // The modes of pipes and sockets have no meaning.
                if metadata.is_file() || !self.is_stdin() {
                    mode = metadata.permissions().mode();
                }
                file.take(FILE_MAX as u64 + 1).read_to_end(&mut bytes)
            })
            .map_err(|error| super::log::plain(&error))?;
        if bytes.len() > FILE_MAX {
            return Err(format!("is larger than {} MiB", FILE_MAX >> 20));
        }
        let mut loaded = self.parse(&bytes);
        let runs_commands = loaded.targets.iter().find(|target| target.runs_commands());
        if let Some(target) = runs_commands.filter(|_| mode & 0o002 != 0) {
            let what = if target.target.command().is_some() { "exec: targets" } else { "--on-change" };
            loaded.errors.push((
                0,
                format!(
                    "every user can write to the file, and its {what} run commands (run chmod o-w on it)"
                ),
            ));
        }
        Ok(loaded)
    }

    /// Refuses anything but a regular file: reading a pipe would block the event loop, and standard input was read to
    /// its end.
    pub(super) fn refuse_to_wait(&self) -> Result<(), String> {
        if self.is_stdin() {
            return Err("standard input cannot be read again (restart, or use --config FILE)".to_owned());
        }
        match fs::metadata(&self.path) {
            Ok(file) if !file.is_file() => Err(format!("{}: is not a regular file", self.name())),
            _ => Ok(()),
        }
    }

    pub(super) fn parse(&self, bytes: &[u8]) -> Loaded {
        let mut parser = FileParser { settings: self.line.settings.clone(), ..FileParser::default() };
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            parser.number = number;
            if let Err(error) = parser.line(line.strip_suffix(b"\r").unwrap_or(line)) {
                parser.fail(error);
            }
            if parser.errors.len() >= ERRORS_MAX {
                parser.fail("too many errors: the rest of the file was not checked".to_owned());
                break;
            }
        }
        if parser.targets.is_empty() && parser.errors.is_empty() {
            parser.number = 0;
            parser.fail("no targets: expected lines of the form NAME URL [--FLAG VALUE…]".to_owned());
        }
        let first = parser.first.as_ref().unwrap_or(&parser.settings);
        let daemon = daemon(self.line.daemon.clone().over(parser.daemon), first);
        Loaded { targets: parser.targets, daemon, errors: parser.errors }
    }
}

impl DaemonFlags {
    /// These flags, and those of `others` that are not given here.
    fn over(self, others: DaemonFlags) -> DaemonFlags {
        DaemonFlags {
            api_host: self.api_host.or(others.api_host),
            api_port: self.api_port.or(others.api_port),
            api_allow_hosts: either(self.api_allow_hosts, others.api_allow_hosts),
            api_token_file: self.api_token_file.or(others.api_token_file),
            api_token_reads: self.api_token_reads || others.api_token_reads,
            api_page: self.api_page.or(others.api_page),
            api_frame: self.api_frame.or(others.api_frame),
            log_format: self.log_format.or(others.log_format),
            history_days: self.history_days.or(others.history_days),
            state_file: self.state_file.or(others.state_file),
            state_interval: self.state_interval.or(others.state_interval),
            dns_hold: self.dns_hold.or(others.dns_hold),
            push: self.push.over(others.push),
            alive: self.alive.over(others.alive),
        }
    }
}

fn either<T>(list: Vec<T>, other: Vec<T>) -> Vec<T> {
    if list.is_empty() { other } else { list }
}

#[derive(Default)]
struct FileParser {
    number: usize,
    /// Settings of all targets below the current line.
    settings: Settings,
    /// Those before the first target.
    first: Option<Settings>,
    /// The same for targets without flags.
    shared: SettingsByKind,
    daemon: DaemonFlags,
    targets: Vec<TargetOptions>,
    /// The line of each name.
    names: BTreeMap<String, usize>,
    errors: Vec<(usize, String)>,
}

impl FileParser {
    fn fail(&mut self, error: String) {
        self.errors.push((self.number, error));
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        if line.len() > LINE_MAX {
            return Err(format!("the line is longer than {} KiB", LINE_MAX >> 10));
        }
        if line.contains(&0) {
            return Err("the line contains a NUL byte".to_owned());
        }
        let text = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8".to_owned())?;
        let mut words = split(text)?.into_iter();
        let Some(name) = words.next() else { return Ok(()) };
        if is_flag(&name) {
            return self.flags(std::iter::once(name).chain(words));
        }
        let Some(url) = words.next().filter(|word| !word.is_empty() && !is_flag(word)) else {
            let missing = if name.contains("://") || Kind::of_url(&name).is_some() {
                "name precedes"
            } else {
                "URL follows"
            };
            return Err(format!("expected NAME URL, but no {missing} `{}`", shown_url(&name)));
        };
        if name.ends_with(':') && Kind::of_url(&name).is_some() {
            return Err(format!("expected NAME URL, but no name precedes `{name}`"));
        }
        self.target(name, url, words)
    }

    fn flags(&mut self, words: impl Iterator<Item = String>) -> Result<(), String> {
        let mut line = CommandLine { settings: std::mem::take(&mut self.settings), ..CommandLine::default() };
        line.daemon = std::mem::take(&mut self.daemon);
        let is_valid = self.read(words, &mut line);
        self.shared = SettingsByKind::default();
        (self.settings, self.daemon) = (std::mem::take(&mut line.settings), std::mem::take(&mut line.daemon));
        let conflict = self.settings.check_conflicts();
        if conflict.is_err() {
            // Reported once, not for each target below.
            self.settings.slow_clear = None;
        }
        if let (true, Some(word)) = (is_valid, line.targets.first()) {
            return Err(format!(
                "`{}` is not a flag: a line that begins with a flag contains only flags",
                shown_url(word)
            ));
        }
        conflict
    }

    fn target(&mut self, name: String, url: String, words: std::vec::IntoIter<String>) -> Result<(), String> {
        if let Err(error) = self.add_name(&name) {
            self.fail(error);
        }
        if self.first.is_none() {
            self.first = Some(self.settings.clone());
        }
        let target = TargetSpec::Url(url);
        let is_flag = |word: &String| word == "--interval" || word.starts_with("--interval=");
        if target.kind() == Some(Kind::Heartbeat) && !words.as_slice().iter().any(is_flag) {
            return Err("--interval: is required on the line of a heartbeat target".to_owned());
        }
        let settings = match words.as_slice().is_empty() {
            true => self.shared.get(&self.settings, target.kind()),
            false => match self.parse_settings(words, target.kind())? {
                Some(settings) => settings,
                None => return Ok(()),
            },
        };
        if self.targets.len() < TARGETS_MAX {
            self.targets.push(TargetOptions { target, name: Some(name), settings, line: self.number });
        }
        Ok(())
    }

    /// Reports every duplicate name, and once that there are too many targets.
    fn add_name(&mut self, name: &str) -> Result<(), String> {
        if let Some(line) = self.names.get(name) {
            return Err(format!("duplicate name \"{}\" (first used on line {line})", shown(name)));
        }
        self.names.insert(name.to_owned(), self.number);
        match self.names.len() == TARGETS_MAX + 1 {
            true => Err(format!("too many targets: at most {TARGETS_MAX} are allowed")),
            false => Ok(()),
        }
    }

    /// The settings of a target with flags; `None` if errors have been recorded.
    fn parse_settings(
        &mut self,
        words: std::vec::IntoIter<String>,
        kind: Option<Kind>,
    ) -> Result<Option<Rc<Settings>>, String> {
        let mut line = CommandLine { settings: self.settings.clone(), ..CommandLine::default() };
        if !self.read(words, &mut line) {
            return Ok(None);
        }
        line.settings.depends.is_own = line.seen.contains(&"--depends");
        if let Some(word) = line.targets.first() {
            return Err(format!("unexpected `{}`: a line contains one target", shown_url(word)));
        }
        if let Some(flag) = first(&line, |_, scope| scope == FlagScope::Daemon) {
            return Err(format!("{flag}: does not apply to a single target: move it to a line of flags"));
        }
        refuse_flags_without_effect(&line, &[kind])?;
        line.settings.check_conflicts()?;
        Ok(Some(SettingsByKind::default().get(&line.settings, kind)))
    }

    /// Parses flags into `line` and records errors; returns whether there are none.
    fn read(&mut self, words: impl Iterator<Item = String>, line: &mut CommandLine) -> bool {
        let words: Vec<String> = words.collect();
        let mut errors = Vec::new();
        args::read(Parser::from_args(words), line, &mut errors);
        if let Some(flag) = first(line, |_, scope| scope == FlagScope::Process) {
            errors.push(format!("{flag}: is only allowed on the command line"));
        }
        if let Some(flag) = first(line, |_, scope| scope == FlagScope::Address) {
            errors.push(format!("{flag}: cannot be used in a file: NAME URL states it"));
        }
        let is_valid = errors.is_empty();
        errors.into_iter().for_each(|error| self.fail(error));
        is_valid
    }
}

/// Names do not begin with a hyphen.
fn is_flag(word: &str) -> bool {
    word.starts_with('-')
}
