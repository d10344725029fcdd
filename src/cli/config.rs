//! The configuration file: the words of the command line, a target on each line.
//!
//! ```text
//! # What follows is checked every ten seconds.
//! --interval 10 --api-port 8080
//! web   https://example.com/healthz   --check status:200
//! ssh   tcp://192.168.1.1:22          --interval 60 --on-change "/usr/local/bin/tell 'the admin'"
//! ```
//!
//! Words are cut as by a shell, which runs nothing and replaces nothing here. A line that begins with a
//! flag holds only flags: those of targets count for the lines that follow, those of the daemon for the
//! whole. The command line's own flags come before the file, except for those of the daemon, which win.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::rc::Rc;

use lexopt::Parser;

use super::args::{self, CommandLine, DaemonFlags};
use super::conflicts::{daemon, first, refuse_flags_without_effect};
use super::flags::FlagScope;
use super::targets::shown_url;
use super::values::{quote, split};
use super::{Daemon, Settings, TARGETS_MAX, Target, TargetOptions};

/// The largest file, in bytes, and the longest line in it.
const FILE_MAX: usize = 16 * 1024 * 1024;
const LINE_MAX: usize = 64 * 1024;

/// With this many errors nobody reads on.
const ERRORS_MAX: usize = 1000;

/// A file, and the command line that it was named on.
#[derive(Debug, PartialEq)]
pub(crate) struct Config {
    pub(super) path: PathBuf,
    pub(super) line: CommandLine,
}

/// What a file says.
#[derive(Debug, PartialEq)]
pub(crate) struct Loaded {
    pub(crate) targets: Vec<TargetOptions>,
    pub(crate) daemon: Daemon,
    /// What is wrong with it, each with its line, counted from one; zero for the file as a whole.
    pub(crate) errors: Vec<(usize, String)>,
}

impl Config {
    /// The file's name as it was given.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Reads the file anew. The error says why that is not possible.
    pub(crate) fn load(&self) -> Result<Loaded, String> {
        let bytes = self.read().map_err(|error| super::log::plain(&error))?;
        if bytes.len() > FILE_MAX {
            return Err(format!("is larger than {} MiB", FILE_MAX >> 20));
        }
        Ok(self.understand(&bytes))
    }

    /// The loop does not wait for what may never come, as through a pipe.
    pub(super) fn refuse_to_wait(&self) -> Result<(), String> {
        match fs::metadata(&self.path) {
            Ok(file) if !file.is_file() => Err(format!("{}: is not a file any more", self.name())),
            _ => Ok(()),
        }
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(&self.path)?.take(FILE_MAX as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// What these bytes of the file say.
    pub(super) fn understand(&self, bytes: &[u8]) -> Loaded {
        let mut reading = Reading::new(self.line.settings.clone());
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            reading.number = number;
            if let Err(error) = reading.line(line.strip_suffix(b"\r").unwrap_or(line)) {
                reading.fail(error);
            }
            if reading.errors.len() >= ERRORS_MAX {
                reading.fail("there is more wrong than this".to_owned());
                break;
            }
        }
        if reading.targets.is_empty() && reading.errors.is_empty() {
            reading.errors.push((0, "there is no target in it: NAME URL [--FLAG VALUE...]".to_owned()));
        }
        let daemon = daemon(self.line.daemon.clone().over(reading.daemon));
        Loaded { targets: reading.targets, daemon, errors: reading.errors }
    }
}

impl DaemonFlags {
    /// What these say, and where they say nothing, what the others do.
    fn over(self, others: DaemonFlags) -> DaemonFlags {
        DaemonFlags {
            api_host: self.api_host.or(others.api_host),
            api_port: self.api_port.or(others.api_port),
            api_allow_hosts: either(self.api_allow_hosts, others.api_allow_hosts),
            dns: either(self.dns, others.dns),
        }
    }
}

fn either<T>(list: Vec<T>, other: Vec<T>) -> Vec<T> {
    if list.is_empty() { other } else { list }
}

/// A file being read, up to a line.
struct Reading {
    /// The line's number.
    number: usize,
    /// What is said of all targets that follow.
    settings: Settings,
    /// The same with its defaults, for targets of which no more is said: tcp and others.
    usual: [Option<Rc<Settings>>; 2],
    daemon: DaemonFlags,
    targets: Vec<TargetOptions>,
    /// The lines on which names stand.
    names: BTreeMap<String, usize>,
    errors: Vec<(usize, String)>,
}

impl Reading {
    fn new(settings: Settings) -> Reading {
        Reading {
            number: 0,
            settings,
            usual: [None, None],
            daemon: DaemonFlags::default(),
            targets: Vec::new(),
            names: BTreeMap::new(),
            errors: Vec::new(),
        }
    }

    fn fail(&mut self, error: String) {
        self.errors.push((self.number, error));
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        if line.len() > LINE_MAX {
            return Err(format!("the line is longer than {} KiB", LINE_MAX >> 10));
        }
        if line.contains(&0) {
            return Err("there is a NUL byte in the line".to_owned());
        }
        let text = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8".to_owned())?;
        let mut words = split(text)?.into_iter();
        let Some(name) = words.next() else { return Ok(()) };
        if is_flag(&name) {
            return self.flags(std::iter::once(name).chain(words));
        }
        let Some(url) = words.next().filter(|word| !word.is_empty() && !is_flag(word)) else {
            let missing = if name.contains("://") { "name before" } else { "URL behind" };
            return Err(format!("NAME URL is expected, and there is no {missing} `{}`", shown_url(&name)));
        };
        self.target(name, url, words)
    }

    /// A line of flags.
    fn flags(&mut self, words: impl Iterator<Item = String>) -> Result<(), String> {
        let mut line = CommandLine { settings: std::mem::take(&mut self.settings), ..CommandLine::default() };
        line.daemon = std::mem::take(&mut self.daemon);
        let sound = self.read(words, &mut line);
        self.usual = [None, None];
        (self.settings, self.daemon) = (std::mem::take(&mut line.settings), std::mem::take(&mut line.daemon));
        if let (true, Some(word)) = (sound, line.targets.first()) {
            return Err(format!("`{}` is no flag, and the line begins with one", shown_url(word)));
        }
        if let Err(error) = self.settings.clone().normalised(true) {
            self.settings.slow_clear = None;
            return Err(error);
        }
        Ok(())
    }

    /// A target and the flags behind it.
    fn target(&mut self, name: String, url: String, words: std::vec::IntoIter<String>) -> Result<(), String> {
        if let Err(error) = self.note_name(&name) {
            self.fail(error);
        }
        let target = Target::Url(url);
        let settings = match words.as_slice().is_empty() {
            true => self.usual(target.is_tcp())?,
            false => match self.own(words, target.is_tcp())? {
                Some(settings) => Rc::new(settings),
                None => return Ok(()),
            },
        };
        if self.targets.len() < TARGETS_MAX {
            self.targets.push(TargetOptions { target, name: Some(name), settings, line: self.number });
        }
        Ok(())
    }

    /// One error for each name too many, and one for all targets too many.
    fn note_name(&mut self, name: &str) -> Result<(), String> {
        if let Some(line) = self.names.get(name) {
            return Err(format!("NAME {}: is that of line {line} already", quote(name)));
        }
        self.names.insert(name.to_owned(), self.number);
        match self.names.len() == TARGETS_MAX + 1 {
            true => Err(format!("at most {TARGETS_MAX} targets are possible")),
            false => Ok(()),
        }
    }

    /// What is action of targets of which no more is said than of all.
    fn usual(&mut self, is_tcp: bool) -> Result<Rc<Settings>, String> {
        let usual = &mut self.usual[usize::from(is_tcp)];
        if let Some(settings) = usual {
            return Ok(settings.clone());
        }
        let settings = Rc::new(self.settings.clone().normalised(is_tcp)?);
        *usual = Some(settings.clone());
        Ok(settings)
    }

    /// What is action of a target with flags of its own; `None` if what is wrong with them is noted.
    fn own(&mut self, words: std::vec::IntoIter<String>, is_tcp: bool) -> Result<Option<Settings>, String> {
        let mut line = CommandLine { settings: self.settings.clone(), ..CommandLine::default() };
        if !self.read(words, &mut line) {
            return Ok(None);
        }
        if let Some(word) = line.targets.first() {
            return Err(format!("`{}` is too much: a line holds one target", shown_url(word)));
        }
        if let Some(flag) = first(&line, |_, scope| scope == FlagScope::Daemon) {
            return Err(format!("{flag}: is not about a target, and belongs on a line of flags"));
        }
        refuse_flags_without_effect(&line, is_tcp)?;
        line.settings.normalised(is_tcp).map(Some)
    }

    /// Reads flags into `line`; says whether nothing is wrong with them, and notes what is.
    fn read(&mut self, words: impl Iterator<Item = String>, line: &mut CommandLine) -> bool {
        let words: Vec<String> = words.collect();
        let mut errors = Vec::new();
        args::read(Parser::from_args(words), line, &mut errors);
        if let Some(flag) = first(line, |_, scope| scope == FlagScope::Process) {
            errors.push(format!("{flag}: belongs on the command line"));
        }
        if let Some(flag) = first(line, |_, scope| scope == FlagScope::Address) {
            errors.push(format!("{flag}: is said by NAME URL"));
        }
        let sound = errors.is_empty();
        errors.into_iter().for_each(|error| self.fail(error));
        sound
    }
}

/// Whether a word that begins a line is a flag. No name begins like one.
fn is_flag(word: &str) -> bool {
    word.starts_with('-')
}
