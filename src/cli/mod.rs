//! The command line.
//!
//! Numbers and their limits, conflicts between flags, and control characters are checked here. Hosts, URLs and
//! checks stay text; the library's builder validates them.

mod advice;
mod args;
pub(crate) mod config;
mod conflicts;
mod depends;
mod escapes;
mod flags;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod help;

pub(crate) mod lines;
pub(crate) mod log;
mod options;
mod periodic;
mod program;
mod receivers;
mod request_files;
mod run;
mod secret_file;
mod shared;
pub(crate) mod start;
pub(crate) mod targets;
#[cfg(test)]
mod tests;
mod trust;
mod values;

use std::ffi::OsString;

use lexopt::Parser;

use args::CommandLine;
pub(crate) use help::{VERSION, help};
pub(crate) use options::{Daemon, Options, Settings, TargetOptions, TargetSpec};
pub use run::main;

pub(crate) const TARGETS_MAX: usize = 10_000;

/// Success; with `--once`: every target is up.
pub(crate) const EXIT_OK: u8 = 0;
/// With `--once`: a target failed. Otherwise: the API could not be served.
pub(crate) const EXIT_FAILED: u8 = 1;
/// The command line or the file is invalid.
pub(crate) const EXIT_USAGE: u8 = 2;
/// With `--once`: the name of a target does not resolve.
pub(crate) const EXIT_NAME: u8 = 3;
/// Standard output cannot be written.
pub(crate) const EXIT_OUTPUT: u8 = 4;

#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Run(Box<Options>),
    Help,
    Version,
}

/// `args` begins with the program's name. Each error is one line that names the flag.
pub(crate) fn parse(args: impl Iterator<Item = OsString> + 'static) -> Result<Command, Vec<String>> {
    let (mut line, mut errors) = (CommandLine::default(), Vec::new());
    let action = args::read(Parser::from_iter(args), &mut line, &mut errors);
    // A flag that is repeated too often.
    errors.dedup();
    match action {
        _ if !errors.is_empty() => Err(errors),
        Some(command) => Ok(command),
        None => Ok(Command::Run(Box::new(conflicts::resolve(line).map_err(|error| vec![error])?))),
    }
}
