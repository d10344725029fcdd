//! What is asked for, in full: every default is filled in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use super::config::Config;
use crate::fsm::Policy;
use crate::monitor::{HOOK_TIMEOUT, INTERVAL, RETRY_INTERVAL};

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

/// How a target is checked, and what follows; `None` is the default of the library.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Settings {
    pub(crate) check: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: Option<u32>,
    pub(crate) retry_interval: Option<Duration>,
    pub(crate) method: Option<String>,
    /// Names and trimmed values, in the order given.
    pub(crate) headers: Vec<(String, String)>,
    /// In bytes.
    pub(crate) max_body: Option<usize>,
    pub(crate) no_redirect: bool,
    /// A PEM file.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) no_verify_tls: bool,
    pub(crate) interval: Option<Duration>,
    pub(crate) interval_down: Option<Duration>,
    pub(crate) interval_fast: Option<Duration>,
    pub(crate) fall: Option<u32>,
    pub(crate) rise: Option<u32>,
    pub(crate) slow: Option<Duration>,
    pub(crate) slow_clear: Option<Duration>,
    /// A program and its arguments.
    pub(crate) on_change: Option<Vec<String>>,
    pub(crate) webhook: Option<String>,
    pub(crate) hook_timeout: Option<Duration>,
    pub(crate) hook_first: bool,
}

impl Settings {
    /// Whether the webhook verifies a certificate, for which `ca_file` is trusted as well.
    pub(super) fn has_https_webhook(&self) -> bool {
        let is_https = |url: &str| url.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"));
        self.webhook.as_deref().is_some_and(is_https)
    }

    /// The settings of a target without those that have no effect on it or state a default: two that are equal have
    /// the same effect, by which a reload recognises targets.
    pub(super) fn normalised(mut self, is_tcp: bool) -> Result<Settings, String> {
        if self.slow.zip(self.slow_clear).is_some_and(|(slow, clear)| clear > slow) {
            return Err("--slow-clear: is more than --slow".to_owned());
        }
        let (slow, interval) = (self.slow, self.interval.unwrap_or(INTERVAL));
        self.slow_clear = self.slow_clear.filter(|clear| slow.is_some_and(|slow| slow != *clear));
        self.retries = self.retries.filter(|retries| *retries > 0);
        self.retry_interval =
            self.retry_interval.filter(|pause| self.retries.is_some() && *pause != RETRY_INTERVAL);
        self.interval = self.interval.filter(|interval| *interval != INTERVAL);
        self.interval_down = self.interval_down.filter(|other| *other != interval);
        self.interval_fast = self.interval_fast.filter(|other| *other != interval);
        self.fall = self.fall.filter(|fall| *fall != Policy::FALL);
        self.rise = self.rise.filter(|rise| *rise != Policy::RISE);
        self.hook_timeout =
            self.hook_timeout.filter(|timeout| self.on_change.is_some() && *timeout != HOOK_TIMEOUT);
        self.hook_first &= self.on_change.is_some() || self.webhook.is_some();
        if is_tcp {
            self.method = None;
            self.headers.clear();
            self.max_body = None;
            self.no_redirect = false;
            self.no_verify_tls = false;
            if !self.has_https_webhook() {
                self.ca_file = None;
            }
        }
        Ok(self)
    }
}
