//! Makes monitors of options.

use std::path::Path;
use std::sync::Arc;

use super::config::ERRORS_MAX;
use super::depends::{self, Depends};
use super::log::Log;
use super::options::{NotificationSettings, Settings};
use super::receivers::{Receivers, WebhookFiles};
use super::request_files::{Files, HeaderFields, RequestFiles};
use super::secret_file::read_secret;
use super::shared::{fingerprint, lasting_fingerprint};
use super::trust::{TrustFlags, Trusted, Trusts};
use super::{Daemon, TargetOptions, TargetSpec};
use crate::fsm::Policy;
use crate::library::ResolverConfig;
use crate::monitor::{Monitor, Notifications, TargetId, TargetUpdate, first_collision};
use crate::probe::Probe;
use crate::probe::build::{Error, NetProbe, ProbeBuilder, probe};
use crate::probe::kinds::{Kind, TLS_KINDS};
use crate::text::shown;

/// The monitors of the targets on the command line. Each error is one line that names the flag or the target.
pub(crate) fn monitors(
    targets: &[TargetOptions],
    notifies: bool,
    log: Log,
) -> Result<Vec<Monitor>, Vec<String>> {
    let mut resources = SharedResources::new(notifies, log);
    let mut loaded = Vec::with_capacity(targets.len());
    let mut probes = Vec::with_capacity(targets.len());
    let mut errors = Vec::new();
    for options in targets {
        let built = resources.load(options).and_then(|files| {
            probes.push(build(options, &files, options.name.as_deref())?);
            loaded.push(files);
            Ok(())
        });
        // An error of a flag is the same for all targets.
        errors.extend(built.err().flatten().filter(|error| !errors.contains(error)));
        if errors.len() >= ERRORS_MAX {
            errors.push("too many errors: the remaining targets were not checked".to_owned());
            break;
        }
    }
    if errors.is_empty() {
        make_names_unique(&mut probes, targets, &loaded, &mut errors);
    }
    let mut parents = Vec::new();
    if errors.is_empty() && notifies {
        let named = probes.iter().zip(targets);
        let named = named.map(|(probe, options)| (probe.name(), &options.settings.depends));
        match depends::parents(named) {
            Ok(found) => parents = found,
            Err((_, error)) => errors.push(error),
        }
        let labels: Vec<_> =
            targets.iter().zip(&probes).map(|(options, probe)| (options.group(), probe.name())).collect();
        errors.extend(first_collision(&labels).map(|(_, error)| error));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let parents = parents.into_iter().chain(std::iter::repeat_with(Vec::new));
    let watched = probes.into_iter().zip(targets).zip(loaded.iter().zip(parents));
    let monitor = |((probe, options), (files, parents))| resources.monitor(probe, options, files, parents);
    watched.map(monitor).collect::<Result<_, _>>().map_err(|error| error.into_iter().collect())
}

/// The updates from the running targets, with their fingerprints, to those of the file, and the fingerprints of
/// the latter. Errors are appended with their line numbers.
pub(crate) fn updates(
    targets: &[TargetOptions],
    present: &[(Fingerprint, TargetId)],
    notifies: bool,
    log: Log,
    errors: &mut Vec<(usize, String)>,
) -> (Vec<TargetUpdate>, Vec<Fingerprint>) {
    let mut resources = SharedResources::new(notifies, log);
    let mut running = present.to_vec();
    running.sort_unstable_by_key(|(key, _)| *key);
    let mut updates = Vec::with_capacity(targets.len());
    let mut fingerprints = Vec::with_capacity(targets.len());
    let mut parents = Vec::new();
    // Names that are not unique have been reported.
    if notifies && errors.is_empty() {
        let named =
            targets.iter().map(|options| (options.name.as_deref().unwrap_or(""), &options.settings.depends));
        match depends::parents(named) {
            Ok(found) => parents = found,
            Err((place, error)) => errors.push((targets[place].line, error)),
        }
    }
    for (options, parents) in targets.iter().zip(parents.into_iter().chain(std::iter::repeat_with(Vec::new)))
    {
        let update = resources.load(options).and_then(|files| {
            let key = files.fingerprint(options, &parents);
            fingerprints.push(key);
            if let Ok(index) = running.binary_search_by_key(&key.target, |(key, _)| key.target) {
                let (present, id) = running[index];
                return match present.others == key.others {
                    true => Ok(TargetUpdate::Keep(id)),
                    false => {
                        let probe = build(options, &files, options.name.as_deref())?;
                        Ok(TargetUpdate::KeepWith(id, resources.monitor(probe, options, &files, parents)?))
                    }
                };
            }
            let probe = build(options, &files, options.name.as_deref())?;
            resources.monitor(probe, options, &files, parents).map(TargetUpdate::Start)
        });
        match update {
            Ok(update) => updates.push(update),
            Err(error) => errors.extend(error.map(|error| (options.line, error))),
        }
    }
    if notifies {
        let labels: Vec<_> =
            targets.iter().map(|options| (options.group(), options.name.as_deref().unwrap_or(""))).collect();
        let collision = first_collision(&labels);
        errors.extend(collision.map(|(place, error)| (targets[place].line, error)));
    }
    (updates, fingerprints)
}

pub(crate) fn names(daemon: &Daemon) -> ResolverConfig {
    ResolverConfig::default().servers(daemon.dns.iter().copied()).hold(daemon.dns_hold)
}

struct SharedResources {
    /// False for single checks: the files of receivers are not read.
    notifies: bool,
    trusts: Trusts,
    receivers: Receivers,
    files: Files,
    /// The tokens of heartbeats, and the names of their targets.
    tokens: Vec<(String, String)>,
}

/// Of the settings of a target and the contents of their files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fingerprint {
    target: u64,
    /// Of the settings that can change without a restart of the target.
    others: u64,
}

/// The files that the settings of a target name.
struct LoadedFiles {
    target: Trusted,
    webhook: WebhookFiles,
    request: RequestFiles,
    /// Of a heartbeat.
    token: Option<String>,
}

impl LoadedFiles {
    fn fingerprint(&self, options: &TargetOptions, parents: &[Arc<str>]) -> Fingerprint {
        let mut settings = (*options.settings).clone();
        settings.depends = Depends::default();
        let others = (
            std::mem::take(&mut settings.notifications),
            settings.group.take(),
            std::mem::take(&mut settings.private),
        );
        let files = (self.target.fingerprint, self.request.fingerprint, &self.token);
        Fingerprint {
            target: fingerprint(&(&options.name, &options.target, &settings, files)),
            others: fingerprint(&(others, self.webhook.fingerprint(), parents)),
        }
    }
}

/// Of the settings whose change makes it another target for the state file. Other contents of files do not: passwords and
/// certificates are renewed.
fn saved_settings(options: &TargetOptions) -> u64 {
    let settings = Settings {
        notifications: NotificationSettings::default(),
        group: None,
        private: false,
        ..(*options.settings).clone()
    };
    lasting_fingerprint(&(&options.target, settings))
}

impl SharedResources {
    fn new(notifies: bool, log: Log) -> SharedResources {
        SharedResources {
            notifies,
            trusts: Trusts::new(log),
            receivers: Receivers::new(log),
            files: Files::default(),
            tokens: Vec::new(),
        }
    }

    /// The error is one line that names the flag; it is `None` if it was reported before.
    fn load(&mut self, options: &TargetOptions) -> Result<LoadedFiles, Option<String>> {
        let settings = &options.settings;
        let uses_trust = options.target.kind().is_none_or(|kind| TLS_KINDS.contains(&kind));
        let target = match uses_trust {
            false => Trusted::default(),
            true => self.trusts.of(TrustFlags::of(settings))?,
        };
        let webhook = settings.notifications.webhook.as_ref().filter(|_| self.notifies);
        let trusted = match (webhook, settings.notifications.has_https_webhook()) {
            (None, _) => Trusted::default(),
            (Some(_), false) => self.trusts.of(TrustFlags::of_webhook(None))?,
            (Some(_), true) => self.trusts.of(TrustFlags::of_webhook(settings.ca_file.as_deref()))?,
        };
        let headers = match &settings.notifications.webhook_header_file {
            Some(path) if webhook.is_some() => self.files.webhook_headers(path)?,
            _ => HeaderFields::default(),
        };
        let webhook = WebhookFiles { trusted, headers };
        let token = settings.token_file.as_deref().map(|path| self.token(path, options)).transpose()?;
        Ok(LoadedFiles { target, webhook, request: self.files.of(settings)?, token })
    }

    fn token(&mut self, path: &Path, options: &TargetOptions) -> Result<String, String> {
        let text = read_secret(path).map_err(|error| format!("--token-file: {}: {error}", path.display()))?;
        let token = text.trim().to_owned();
        if let Some((_, other)) = self.tokens.iter().find(|(known, _)| *known == token) {
            return Err(format!("--token-file: the target \"{}\" has the same token", shown(other)));
        }
        self.tokens.push((token.clone(), options.name.clone().unwrap_or_default()));
        Ok(token)
    }

    fn notifications(
        &mut self,
        options: &TargetOptions,
        files: &LoadedFiles,
    ) -> Result<Option<Arc<Notifications>>, Option<String>> {
        match self.notifies {
            true => self.receivers.notifications(&options.settings.notifications, &files.webhook),
            false => Ok(None),
        }
    }

    fn monitor(
        &mut self,
        probe: NetProbe,
        options: &TargetOptions,
        files: &LoadedFiles,
        parents: Vec<Arc<str>>,
    ) -> Result<Monitor, Option<String>> {
        let settings = &options.settings;
        let (fall, rise) = (settings.fall.unwrap_or(Policy::FALL), settings.rise.unwrap_or(Policy::RISE));
        let mut monitor = Monitor::new(probe)
            .policy(Policy::Thresholds { fall, rise })
            .retries(settings.retries.unwrap_or(0))
            .retry_interval(settings.retry_interval.unwrap_or(Monitor::RETRY_INTERVAL))
            .paused(settings.paused)
            .private(settings.private)
            .settings(saved_settings(options));
        if let Some(interval) = settings.interval {
            monitor = monitor.interval(interval);
        }
        if let Some(slow) = settings.slow {
            monitor = monitor.slow(slow).slow_clear(settings.slow_clear.unwrap_or(slow));
        }
        if let Some(interval) = settings.interval_down {
            monitor = monitor.interval_down(interval);
        }
        if let Some(interval) = settings.interval_fast {
            monitor = monitor.interval_fast(interval);
        }
        if let Some(group) = &settings.group {
            monitor = monitor.group(group.clone());
        }
        monitor = parents.into_iter().fold(monitor, Monitor::depends_on);
        let notifications = self.notifications(options, files)?;
        Ok(match notifications {
            Some(notifications) => monitor.notifications(notifications),
            None => monitor,
        })
    }
}

fn build(options: &TargetOptions, files: &LoadedFiles, name: Option<&str>) -> Result<NetProbe, String> {
    if options.interval().is_zero() {
        return Err("--interval: is required for a heartbeat target".to_owned());
    }
    if options.settings.private && options.name.is_none() {
        return Err("--private: needs --name, since the default is the address".to_owned());
    }
    let mut builder = match &options.target {
        TargetSpec::Url(url) => ProbeBuilder::from_url(url),
        TargetSpec::Parts { kind, address, port, path } => {
            let builder = probe(kind.name(), address, *port);
            // As in the Python version, a path is ignored if the protocol has none.
            if kind.scheme().has_path() { builder.path(path) } else { builder }
        }
    };
    let mut settings = options.settings.probe.clone();
    files.request.apply(&mut settings);
    builder = builder.settings(settings);
    if options.settings.no_verify_tls {
        builder = builder.verify_tls(false);
    }
    if let Some(grace) = options.settings.grace {
        builder = builder.grace(grace);
    }
    if let Some(token) = &files.token {
        builder = builder.token(token);
    }
    if let Some(trust) = &files.target.trust {
        builder = builder.trust(trust);
    }
    if let Some(name) = name {
        builder = builder.name(name);
    }
    builder.build().map_err(|error| explain(&error, options))
}

fn explain(error: &Error, options: &TargetOptions) -> String {
    let message = error.message();
    match (error.field(), &options.target) {
        ("url", TargetSpec::Url(url)) => {
            let what = if options.line > 0 { "URL" } else { "TARGET" };
            match is_named(url) {
                true if options.line > 0 => {
                    format!("{what} {}: a space must follow the NAME", shown_url(url))
                }
                true => format!(
                    "{what} {}: a NAME cannot precede a URL here (use --name, or list NAME URL in a file for --config)",
                    shown_url(url)
                ),
                false => format!("{what} {}: {message}", shown_url(url)),
            }
        }
        ("url", TargetSpec::Parts { .. }) => format!("--address: {message}"),
        ("name", _) if options.line > 0 => format!("NAME: {message}"),
        (flag, _) => format!("--{flag}: {message}"),
    }
}

/// Whether it is a name and a colon before a URL or nothing: `web:`, `web: https://h`, `web:https://h`.
fn is_named(text: &str) -> bool {
    let Some((name, url)) = text.split_once(':') else { return false };
    Kind::parse(name).is_err() && (url.is_empty() || Kind::of_url(url.trim_start()).is_some())
}

/// A URL for an error message, without the part before an `@`, which may be a password.
pub(super) fn shown_url(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, host)) => format!("…@{}", shown(host)),
        None => shown(url),
    }
}

/// Names targets that share `HOST:PORT` after their URL or, if that is too long for a name, after their position:
/// `HOST:PORT-2`. The same URL twice is an error: the targets could not be distinguished.
fn make_names_unique(
    probes: &mut [NetProbe],
    targets: &[TargetOptions],
    loaded: &[LoadedFiles],
    errors: &mut Vec<String>,
) {
    let mut same = duplicates(probes.iter().map(Probe::url));
    same.dedup();
    errors.extend(same.iter().map(|url| format!("duplicate TARGET {url}")));
    let shared = duplicates(probes.iter().map(Probe::name));
    for (position, (probe, (options, files))) in (1..).zip(probes.iter_mut().zip(targets.iter().zip(loaded)))
    {
        if shared.binary_search_by(|name| name.as_str().cmp(probe.name())).is_ok() {
            let name = match probe.url() {
                url if url.len() <= ProbeBuilder::NAME_MAX => url.to_owned(),
                _ => format!("{}-{position}", probe.name()),
            };
            match build(options, files, Some(&name)) {
                Ok(renamed) => *probe = renamed,
                Err(error) => errors.push(error),
            }
        }
    }
}

/// The texts that occur several times, sorted.
fn duplicates<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut texts: Vec<&str> = texts.collect();
    texts.sort_unstable();
    let pairs = texts.windows(2).filter(|pair| pair[0] == pair[1]);
    pairs.map(|pair| pair[0].to_owned()).collect()
}
