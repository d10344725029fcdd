//! The options of a run.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::config::Config;
use super::depends::Depends;
use super::flags;
use super::log::LogFormat;
use crate::fsm::Policy;
use crate::monitor::{Hook, Monitor, Notify};
use crate::probe::build::{self as probe, WebhookFormat};
use crate::probe::kinds::Kind;

#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    /// At most [`TARGETS_MAX`](super::TARGETS_MAX); empty if a file lists them.
    pub(crate) targets: Vec<TargetOptions>,
    pub(crate) daemon: Daemon,
    pub(crate) config: Option<Box<Config>>,
    pub(crate) check_config: bool,
    pub(crate) test_notify: bool,
    pub(crate) once: bool,
    pub(crate) json: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Daemon {
    /// The address of the API; port 0 is any free port.
    pub(crate) api: SocketAddr,
    /// Host names that the API accepts in addition to loopback ones, in lower case.
    pub(crate) api_allow_hosts: Vec<String>,
    /// With the token of control requests.
    pub(crate) api_token_file: Option<PathBuf>,
    pub(crate) api_token_reads: bool,
    pub(crate) api_page: bool,
    /// The pages that may show the status page in a frame, besides those of the API.
    pub(crate) api_frame: Option<String>,
    pub(crate) log_format: LogFormat,
    /// The name servers for webhooks and periodic requests; empty for those of resolv.conf.
    pub(crate) dns: Vec<SocketAddr>,
    pub(crate) history_days: u8,
    pub(crate) state_file: Option<PathBuf>,
    pub(crate) state_interval: Duration,
    pub(crate) dns_hold: Duration,
    pub(crate) push: RequestFlags,
    pub(crate) alive: RequestFlags,
}

/// The settings of a periodic request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RequestFlags {
    pub(crate) url: Option<String>,
    pub(crate) interval: Option<Duration>,
    pub(crate) header_file: Option<PathBuf>,
    /// The --ca-file in force where the URL is given.
    pub(crate) ca_file: Option<PathBuf>,
}

impl RequestFlags {
    /// These settings, and those of `others` that are not given here.
    pub(super) fn over(self, others: RequestFlags) -> RequestFlags {
        RequestFlags {
            ca_file: if self.url.is_some() { self.ca_file } else { others.ca_file },
            url: self.url.or(others.url),
            interval: self.interval.or(others.interval),
            header_file: self.header_file.or(others.header_file),
        }
    }

    pub(super) fn is_https(&self) -> bool {
        self.url.as_deref().and_then(Kind::of_url) == Some(Kind::Https)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TargetOptions {
    pub(crate) target: TargetSpec,
    /// Default: `HOST:PORT`.
    pub(crate) name: Option<String>,
    /// Shared by targets with the same settings.
    pub(crate) settings: Rc<Settings>,
    /// The line in the file; zero for the command line.
    pub(crate) line: usize,
}

impl TargetOptions {
    pub(super) fn group(&self) -> Option<&str> {
        self.settings.group.as_deref()
    }

    pub(super) fn interval(&self) -> Duration {
        self.settings.interval.unwrap_or(self.target.kind().map_or(Monitor::INTERVAL, Kind::interval))
    }

    /// Whether it makes the configuration run commands.
    pub(super) fn runs_commands(&self) -> bool {
        self.settings.notifications.on_change.is_some() || self.target.kind() == Some(Kind::Exec)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TargetSpec {
    /// A positional argument: `https://host/path`. Not validated yet.
    Url(String),
    /// `--protocol`, `--address`, `--port` and `--path`, or their defaults.
    Parts { kind: Kind, address: String, port: Option<u16>, path: String },
}

impl TargetSpec {
    /// The command of an exec target.
    pub(super) fn command(&self) -> Option<&str> {
        match self {
            TargetSpec::Url(url) if self.kind() == Some(Kind::Exec) => {
                url.split_once(':').map(|(_, text)| text)
            }
            TargetSpec::Parts { kind: Kind::Exec, address, .. } => Some(address),
            _ => None,
        }
    }

    /// `None` if the URL has no known scheme; other parts of it may be invalid.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            TargetSpec::Url(url) => Kind::of_url(url),
            TargetSpec::Parts { kind, .. } => Some(*kind),
        }
    }
}

/// How a target is checked; `None` is the library's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Settings {
    pub(crate) probe: probe::Settings,
    pub(crate) retries: Option<u32>,
    pub(crate) retry_interval: Option<Duration>,
    /// Instead of the body in `probe`.
    pub(crate) body_file: Option<PathBuf>,
    pub(crate) basic_auth_file: Option<PathBuf>,
    pub(crate) header_file: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) ca_only: bool,
    pub(crate) no_verify_tls: bool,
    /// PEM files of the client certificate and its key.
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) grace: Option<Duration>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) interval: Option<Duration>,
    pub(crate) interval_down: Option<Duration>,
    pub(crate) interval_fast: Option<Duration>,
    pub(crate) fall: Option<u32>,
    pub(crate) rise: Option<u32>,
    pub(crate) slow: Option<Duration>,
    pub(crate) slow_clear: Option<Duration>,
    pub(crate) paused: bool,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) private: bool,
    pub(crate) depends: Depends,
    pub(crate) notifications: NotificationSettings,
}

/// Those that a reload can change without a restart of the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct NotificationSettings {
    pub(crate) on_change: Option<Vec<String>>,
    pub(crate) hook_timeout: Option<Duration>,
    pub(crate) hook_first: bool,
    pub(crate) webhook: Option<String>,
    pub(crate) webhook_format: Option<WebhookFormat>,
    pub(crate) webhook_text_key: Option<String>,
    pub(crate) webhook_header_file: Option<PathBuf>,
    pub(crate) notify: Option<Notify>,
    pub(crate) remind: Option<Duration>,
}

impl NotificationSettings {
    pub(super) fn has_receiver(&self) -> bool {
        self.on_change.is_some() || self.webhook.is_some()
    }

    fn normalised(mut self) -> NotificationSettings {
        if !self.has_receiver() {
            return NotificationSettings::default();
        }
        let has_hook = self.on_change.is_some();
        self.hook_timeout = self.hook_timeout.filter(|timeout| has_hook && *timeout != Hook::TIMEOUT);
        self.webhook_format = self.webhook_format.filter(|format| *format != WebhookFormat::default());
        self.notify = self.notify.filter(|notify| *notify != Notify::default());
        self
    }

    /// Whether the webhook uses TLS, so that `ca_file` applies to it.
    pub(super) fn has_https_webhook(&self) -> bool {
        self.webhook.as_deref().and_then(Kind::of_url) == Some(Kind::Https)
    }
}

impl Settings {
    pub(super) fn check_conflicts(&self) -> Result<(), String> {
        match self.slow.zip(self.slow_clear) {
            Some((slow, clear)) if clear > slow => Err("--slow-clear: must not exceed --slow".to_owned()),
            _ => Ok(()),
        }
    }

    /// Removes settings that have no effect on a target of this kind or state a default, so that equal settings
    /// have the same effect: a reload compares them to find unchanged targets.
    fn normalised(mut self, kind: Option<Kind>) -> Settings {
        let usual = kind.map_or(Monitor::INTERVAL, Kind::interval);
        let (slow, interval) = (self.slow, self.interval.unwrap_or(usual));
        self.slow_clear = self.slow_clear.filter(|clear| slow.is_some_and(|slow| slow != *clear));
        self.retries = self.retries.filter(|retries| *retries > 0);
        self.retry_interval =
            self.retry_interval.filter(|pause| self.retries.is_some() && *pause != Monitor::RETRY_INTERVAL);
        self.interval = self.interval.filter(|interval| *interval != usual);
        self.interval_down = self.interval_down.filter(|other| *other != interval);
        self.interval_fast = self.interval_fast.filter(|other| *other != interval);
        self.fall = self.fall.filter(|fall| *fall != Policy::FALL);
        self.rise = self.rise.filter(|rise| *rise != Policy::RISE);
        self.ca_only &= self.ca_file.is_some();
        self.key = self.key.filter(|_| self.cert.is_some());
        self.probe.ping.normalise();
        self.notifications = self.notifications.normalised();
        if let Some(kind) = kind {
            let without_effect = flags::all().filter(|(flag, _)| !flag.kinds.contains(&kind));
            without_effect.for_each(|(flag, _)| (flag.clear)(&mut self));
        }
        self
    }
}

/// The same settings for targets of different kinds.
#[derive(Debug, Default)]
pub(super) struct SettingsByKind(Vec<(Option<Kind>, Rc<Settings>)>);

impl SettingsByKind {
    /// Returns `settings`, normalised and shared by all targets of the kind.
    pub(super) fn get(&mut self, settings: &Settings, kind: Option<Kind>) -> Rc<Settings> {
        if let Some((_, settings)) = self.0.iter().find(|(known, _)| *known == kind) {
            return settings.clone();
        }
        let settings = Rc::new(settings.clone().normalised(kind));
        self.0.push((kind, settings.clone()));
        settings
    }
}
