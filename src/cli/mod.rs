//! The command line: what people ask for, as values.
//!
//! Everything is checked that can be checked without the library: numbers and their limits, which
//! flags go together, and whatever would end a line early. Hosts, URLs and checks are text here; the
//! library's builder has the last word on them.

mod args;
mod conflicts;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod help;
pub(crate) mod log;
pub(crate) mod targets;
#[cfg(test)]
mod tests;
mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use help::{HELP, VERSION};

/// The most targets that one process watches.
pub(crate) const TARGETS_MAX: usize = 10_000;

/// The process did what it was asked to; with `--once`, every target is up.
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
    /// Print [`HELP`].
    Help,
    /// Print [`VERSION`].
    Version,
}

/// One target, as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A positional argument: `https://host/path`. Not read yet.
    Url(String),
    /// The flags of that name, or their defaults.
    Parts {
        /// `tcp`, `http` or `https`.
        protocol: &'static str,
        address: String,
        /// The protocol's default if none was given.
        port: u16,
        path: String,
    },
}

impl Target {
    /// Whether it is a tcp target, as far as its beginning says so.
    fn is_tcp(&self) -> bool {
        match self {
            Target::Url(url) => url.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("tcp://")),
            Target::Parts { protocol, .. } => *protocol == "tcp",
        }
    }
}

/// A command line that makes sense.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    /// Never empty, at most [`TARGETS_MAX`].
    pub(crate) targets: Vec<Target>,
    /// A check spec, for all targets.
    pub(crate) check: Option<String>,
    /// The time one probe may take; without it, the protocol's default.
    pub(crate) timeout: Option<Duration>,
    pub(crate) verify_tls: bool,
    pub(crate) interval: Duration,
    /// Where the API listens; port 0 is any free one.
    pub(crate) api: SocketAddr,
    /// Host names that the API answers to besides loopback ones, in lower case.
    pub(crate) api_allow_hosts: Vec<String>,
    /// Check every target once, print the results and exit.
    pub(crate) once: bool,
    pub(crate) method: Option<String>,
    /// Names and trimmed values, in the order given.
    pub(crate) headers: Vec<(String, String)>,
    /// How much of a body is read, in bytes.
    pub(crate) max_body: Option<usize>,
    /// The target's name; only with a single target.
    pub(crate) name: Option<String>,
    pub(crate) follow_redirects: bool,
    /// The name servers to ask; empty for those of resolv.conf.
    pub(crate) dns: Vec<SocketAddr>,
    /// A PEM file of certificates to trust besides the built-in roots.
    pub(crate) ca_file: Option<PathBuf>,
    /// Consecutive failures until down.
    pub(crate) fall: u32,
    /// Consecutive successes that leave down.
    pub(crate) rise: u32,
}

/// Reads the arguments of the process, the program's own name first, as `std::env::args_os` gives
/// them. The error is one line that names the flag.
pub(crate) fn parse(args: impl Iterator<Item = OsString> + 'static) -> Result<Command, String> {
    match args::read(args)? {
        args::Asked::Run(args) => Ok(Command::Run(Box::new(conflicts::settle(*args)?))),
        args::Asked::Help => Ok(Command::Help),
        args::Asked::Version => Ok(Command::Version),
    }
}
