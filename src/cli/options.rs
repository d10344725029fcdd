//! What is asked for, in full: every default is filled in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use super::config::Config;

/// A command line that makes sense.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    /// At most [`TARGETS_MAX`](super::TARGETS_MAX); empty only if a file says what they are.
    pub(crate) targets: Vec<TargetOptions>,
    pub(crate) daemon: Daemon,
    /// The file that says the targets, and more of the daemon.
    pub(crate) config: Option<Box<Config>>,
    /// Say what is wrong with the file, and exit.
    pub(crate) check_config: bool,
    /// Check every target once, print the results and exit.
    pub(crate) once: bool,
}

/// What is asked of the daemon as a whole.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Daemon {
    /// Where the API listens; port 0 is any free one.
    pub(crate) api: SocketAddr,
    /// Host names that the API answers to besides loopback ones, in lower case.
    pub(crate) api_allow_hosts: Vec<String>,
    /// The name servers to ask; empty for those of resolv.conf.
    pub(crate) dns: Vec<SocketAddr>,
}

/// What is asked of one target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TargetOptions {
    pub(crate) target: Target,
    /// Its name; without one it is called `HOST:PORT`.
    pub(crate) name: Option<String>,
    /// Shared by targets of which the same is asked.
    pub(crate) settings: Rc<Settings>,
    /// Where in the file this stands; zero for the command line.
    pub(crate) line: usize,
}

/// One target, as it was given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    pub(super) fn is_tcp(&self) -> bool {
        match self {
            Target::Url(url) => url.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("tcp://")),
            Target::Parts { protocol, .. } => *protocol == "tcp",
        }
    }
}

/// How a target is checked, and what follows. What has no effect is as if it were not asked for: two
/// that are equal have the same effect.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Settings {
    /// A check spec.
    pub(crate) check: Option<String>,
    /// The time one try may take; without it, the protocol's default.
    pub(crate) timeout: Option<Duration>,
    /// Further tries in one check.
    pub(crate) retries: u32,
    pub(crate) retry_interval: Duration,
    pub(crate) http: Http,
    pub(crate) interval: Duration,
    /// The interval while the target is down; without it, the usual one.
    pub(crate) interval_down: Option<Duration>,
    /// The interval while it is not known whether it will be down or up.
    pub(crate) interval_fast: Option<Duration>,
    /// Consecutive failures until down.
    pub(crate) fall: u32,
    /// Consecutive successes that leave down.
    pub(crate) rise: u32,
    /// An answer that takes longer than the first is slow, until one takes at most the second.
    pub(crate) slow: Option<(Duration, Duration)>,
    /// A command to run on each change of state, and its arguments.
    pub(crate) on_change: Option<Vec<String>>,
    /// Where to post each change of state, and a PEM file of certificates to trust there.
    pub(crate) webhook: Option<(String, Option<PathBuf>)>,
    pub(crate) hook_timeout: Duration,
    /// The first state is a change as well.
    pub(crate) hook_first: bool,
}

/// What is about http and https only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Http {
    pub(crate) method: Option<String>,
    /// Names and trimmed values, in the order given.
    pub(crate) headers: Vec<(String, String)>,
    /// How much of a body is read, in bytes.
    pub(crate) max_body: Option<usize>,
    pub(crate) follow_redirects: bool,
    pub(crate) verify_tls: bool,
    /// A PEM file of certificates to trust besides the built-in roots.
    pub(crate) ca_file: Option<PathBuf>,
}

impl Default for Http {
    fn default() -> Self {
        Http {
            method: None,
            headers: Vec::new(),
            max_body: None,
            follow_redirects: true,
            verify_tls: true,
            ca_file: None,
        }
    }
}
