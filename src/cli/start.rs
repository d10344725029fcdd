//! Starts the daemon from its options, and reloads the configuration file.

use super::advice::warn;
use super::config::{Config, Loaded};
use super::log::{Log, Priority, plain};
use super::periodic::PeriodicRequests;
use super::program::{check_permissions, check_programs};
use super::secret_file::read_secret;
use super::targets::{Fingerprint, monitors, updates};
use super::{Daemon, Options, TargetOptions};
use crate::api::access::Access;
use crate::library::Server;
use crate::monitor::{Monitor, TargetId, TargetUpdate};
use crate::reactor::check_state_path;
use crate::text::printable;
use crate::text::token::Token;

pub(crate) struct Start {
    pub(crate) monitors: Vec<Monitor>,
    pub(crate) daemon: Daemon,
    pub(crate) token: Option<Token>,
    pub(crate) requests: PeriodicRequests,
    /// The intervals of the targets, as text.
    pub(crate) every: String,
    /// `None` without a configuration file.
    pub(crate) source: Option<Source>,
    pub(crate) log: Log,
}

/// The configuration file, as it was last loaded.
pub(crate) struct Source {
    config: Box<Config>,
    /// The settings in force: those of the last start.
    daemon: Daemon,
    /// The fingerprints of the targets, in the order of the server's list.
    fingerprints: Vec<Fingerprint>,
}

impl Start {
    /// Each error is one line that names the flag.
    pub(crate) fn new(options: Options, log: Log) -> Result<Start, Vec<String>> {
        let is_daemon = !options.once || options.test_notify;
        let Some(config) = options.config else {
            let log = log.with_format(options.daemon.log_format);
            let monitors = monitors(&options.targets, is_daemon, log);
            let mut errors = Vec::new();
            check_permissions(&options.targets, &mut errors);
            check_programs(&options.targets, is_daemon, &mut errors);
            let token = if is_daemon { api_token(&options.daemon, &mut errors) } else { None };
            let requests = requests(&options.daemon, is_daemon, log, &mut errors);
            let errors = errors.into_iter().map(|(_, error)| error);
            let monitors = match monitors {
                Ok(monitors) if errors.len() == 0 => monitors,
                made => return Err(made.err().into_iter().flatten().chain(errors).collect()),
            };
            if is_daemon {
                warn(&options.targets, None, log);
            }
            let every = every(&options.targets);
            return Ok(Start { monitors, daemon: options.daemon, token, requests, every, source: None, log });
        };
        let plan = Plan::new(&config, &[], is_daemon, log)?;
        if options.check_config
            && let Some(problem) = state_file_problem(&plan.daemon)
        {
            return Err(vec![[&config.name(), ": ", &problem].concat()]);
        }
        let started = plan.updates.into_iter().filter_map(|update| match update {
            TargetUpdate::Start(monitor) => Some(monitor),
            _ => None,
        });
        let (monitors, daemon) = (started.collect(), plan.daemon);
        let (token, requests, every) = (plan.token, plan.requests, plan.every);
        let source = Some(Source { config, daemon: daemon.clone(), fingerprints: plan.fingerprints });
        Ok(Start { monitors, daemon, token, requests, every, source, log: plan.log })
    }
}

impl Source {
    /// What `--check-config` prints for a file without errors.
    pub(crate) fn approval(&self) -> String {
        format!("{}: {}, ok\n", printable(&self.config.name(), usize::MAX), targets(self.fingerprints.len()))
    }

    /// Reads the file again and replaces the server's targets. On an error the targets are unchanged.
    pub(crate) fn reload(&mut self, server: &mut Server, log: Log) {
        let refuse = |server: &mut Server, reason: &str| {
            server.reload_failed(reason);
            log.line(Priority::Error, &format!("reload failed, the configuration is unchanged: {reason}"));
        };
        let present: Vec<_> = self.fingerprints.iter().copied().zip(server.targets()).collect();
        let is_file = self.config.refuse_to_wait().map_err(|error| vec![error]);
        let plan = match is_file.and_then(|()| Plan::new(&self.config, &present, true, log)) {
            Ok(plan) => plan,
            Err(errors) => {
                let more = match errors.len() {
                    0 | 1 => String::new(),
                    count => format!(" (and {} more)", count - 1),
                };
                let first = errors.first().map_or("", String::as_str);
                return refuse(server, &format!("{first}{more}"));
            }
        };
        let (before, after) = (self.fingerprints.len(), plan.fingerprints.len());
        let kept = plan.updates.iter().filter(|next| !matches!(next, TargetUpdate::Start(_))).count();
        if let Err(error) = server.replace_targets(plan.updates) {
            return refuse(server, &plain(&error));
        }
        server.set_token(plan.token, plan.daemon.api_token_reads);
        self.fingerprints = plan.fingerprints;
        for flag in differences(&self.daemon, &plan.daemon) {
            log.line(Priority::Warning, &format!("{flag}: takes effect after a restart"));
        }
        let (started, dropped) = (after - kept, before - kept);
        let line = format!("reloaded: {} kept, {started} started, {dropped} dropped", targets(kept));
        log.line(Priority::Notice, &line);
    }
}

struct Plan {
    updates: Vec<TargetUpdate>,
    fingerprints: Vec<Fingerprint>,
    daemon: Daemon,
    token: Option<Token>,
    requests: PeriodicRequests,
    every: String,
    log: Log,
}

impl Plan {
    /// `present` are the running targets and their fingerprints.
    #[cold]
    fn new(
        config: &Config,
        present: &[(Fingerprint, TargetId)],
        is_daemon: bool,
        log: Log,
    ) -> Result<Plan, Vec<String>> {
        let name = config.name();
        let loaded = config.load().map_err(|error| vec![format!("{name}: {error}")])?;
        let Loaded { targets, daemon, mut errors } = loaded;
        let log = log.with_format(daemon.log_format);
        let (updates, fingerprints) = updates(&targets, present, is_daemon, log, &mut errors);
        check_programs(&targets, is_daemon, &mut errors);
        check_permissions(&targets, &mut errors);
        // A single check needs no token.
        let token = if is_daemon { api_token(&daemon, &mut errors) } else { None };
        let requests = requests(&daemon, is_daemon, log, &mut errors);
        if errors.is_empty() {
            if is_daemon {
                warn(&targets, Some(&name), log);
            }
            return Ok(Plan { updates, fingerprints, daemon, token, requests, every: every(&targets), log });
        }
        errors.sort_unstable();
        let located = |(line, error)| match line {
            0 => format!("{name}: {error}"),
            _ => format!("{name}:{line}: {error}"),
        };
        Err(errors.into_iter().map(located).collect())
    }
}

fn api_token(daemon: &Daemon, errors: &mut Vec<(usize, String)>) -> Option<Token> {
    let Some(path) = &daemon.api_token_file else {
        if daemon.api_token_reads {
            errors.push((0, "--api-token-reads: needs --api-token-file".to_owned()));
        }
        return None;
    };
    let token = read_secret(path).and_then(|text| Token::parse(text.trim(), Access::TOKEN_PUNCTUATION));
    token.map_err(|error| errors.push((0, format!("--api-token-file: {}: {error}", path.display())))).ok()
}

/// Why the state file cannot be written. The daemon starts nevertheless: that of a monitor matters most while something
/// is wrong with the machine.
pub(super) fn state_file_problem(daemon: &Daemon) -> Option<String> {
    let problem = check_state_path(daemon.state_file.as_ref()?).err()?;
    Some(["--state-file: cannot be written: ", &problem].concat())
}

/// None are sent for a single check of each target.
fn requests(
    daemon: &Daemon,
    is_repeated: bool,
    log: Log,
    errors: &mut Vec<(usize, String)>,
) -> PeriodicRequests {
    match is_repeated {
        true => PeriodicRequests::new(daemon, log, errors),
        false => PeriodicRequests::default(),
    }
}

fn differences(one: &Daemon, other: &Daemon) -> impl Iterator<Item = &'static str> {
    let flags = [
        (one.api.ip() != other.api.ip(), "--api-host"),
        (one.api.port() != other.api.port(), "--api-port"),
        (one.api_allow_hosts != other.api_allow_hosts, "--api-allow-host"),
        (one.api_page != other.api_page, "--api-page"),
        (one.api_frame != other.api_frame, "--api-frame"),
        (one.dns != other.dns, "--dns (for webhooks)"),
        (one.dns_hold != other.dns_hold, "--dns-hold"),
        (one.history_days != other.history_days, "--history-days"),
        (one.state_file != other.state_file, "--state-file"),
        (one.state_interval != other.state_interval, "--state-interval"),
        (one.log_format != other.log_format, "--log-format"),
        (one.push.url != other.push.url, "--push-url"),
        (one.push.interval != other.push.interval, "--push-interval"),
        (one.push.header_file != other.push.header_file, "--push-header-file"),
        (one.alive.url != other.alive.url, "--alive-url"),
        (one.alive.interval != other.alive.interval, "--alive-interval"),
    ];
    flags.into_iter().filter(|(differs, _)| *differs).map(|(_, flag)| flag)
}

fn every(targets: &[TargetOptions]) -> String {
    let seconds = || targets.iter().map(TargetOptions::interval);
    let (least, most) = (seconds().min().unwrap_or_default(), seconds().max().unwrap_or_default());
    match least == most {
        true => format!("{} s", least.as_secs_f64()),
        false => format!("{} to {} s", least.as_secs_f64(), most.as_secs_f64()),
    }
}

fn targets(count: usize) -> String {
    if count == 1 { "1 target".to_owned() } else { format!("{count} targets") }
}
