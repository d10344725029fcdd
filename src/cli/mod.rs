//! The command line: what people ask for, as values.
//!
//! Everything is checked that can be checked without the library: numbers and their limits, which
//! flags go together, and whatever would end a line early. Hosts, URLs and checks are text here; the
//! library's builder has the last word on them.

mod args;
pub(crate) mod config;
mod conflicts;
mod flags;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod help;
mod hooks;
pub(crate) mod lines;
pub(crate) mod log;
mod options;
mod program;
mod run;
pub(crate) mod start;
pub(crate) mod targets;
#[cfg(test)]
mod tests;
mod trust;
mod values;

use std::ffi::OsString;

use lexopt::Parser;

use args::{Action, CommandLine};
pub(crate) use help::{VERSION, help};
pub(crate) use options::{Daemon, Options, Settings, Target, TargetOptions};
pub use run::main;

/// The most targets that one process watches.
pub(crate) const TARGETS_MAX: usize = 10_000;

/// The process did what it was action to; with `--once`, every target is up.
pub(crate) const EXIT_OK: u8 = 0;
/// With `--once`: some target failed. Otherwise: the API could not be served.
pub(crate) const EXIT_FAILED: u8 = 1;
/// The command line can not be understood.
pub(crate) const EXIT_USAGE: u8 = 2;
/// With `--once`: the name of a target does not resolve.
pub(crate) const EXIT_NAME: u8 = 3;

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    /// Watch targets, or check them once.
    Run(Box<Options>),
    /// Print [`help`].
    Help,
    /// Print [`VERSION`].
    Version,
}

/// Reads the arguments of the process, the program's own name first, as `std::env::args_os` gives
/// them. The error is one line that names the flag.
pub(crate) fn parse(args: impl Iterator<Item = OsString> + 'static) -> Result<Command, String> {
    let (mut line, mut errors) = (CommandLine::default(), Vec::new());
    let action = args::read(Parser::from_iter(args), &mut line, &mut errors);
    if !errors.is_empty() {
        return Err(errors.swap_remove(0));
    }
    match action {
        Action::Run => Ok(Command::Run(Box::new(conflicts::resolve(line)?))),
        Action::Help => Ok(Command::Help),
        Action::Version => Ok(Command::Version),
    }
}
