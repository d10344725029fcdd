//! Conflicts between arguments, and the defaults that the library does not have.
//!
//! A flag of a target that has no effect on it is an error. Only `--path` and `--no-verify-tls` are ignored for tcp
//! targets, for compatibility with the Python version. In a file this applies to flags after a target; flags on a
//! line of their own need not affect each target below.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::args::{CommandLine, DaemonFlags};
use super::config::Config;
use super::flags::{self, Flag, FlagScope};
use super::options::{Settings, SettingsByKind};
use super::{Daemon, Options, TargetOptions, TargetSpec};
use crate::library::{ResolverConfig, ServerBuilder};
use crate::monitor::History;
use crate::probe::kinds::Kind;
use crate::text::listed;

const ADDRESS: &str = "1.1.1.1";
const PATH: &str = "/";
const API_HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const API_PORT: u16 = 8787;

pub(super) fn resolve(mut line: CommandLine) -> Result<Options, String> {
    if line.check_config && line.config.is_none() {
        return Err("--check-config: needs --config, which names the file".to_owned());
    }
    if line.json && !line.once {
        return Err("--json: needs --once".to_owned());
    }
    let (once, json) = (line.once, line.json);
    let (check_config, test_notify) = (line.check_config, line.test_notify);
    if let Some(path) = line.config.take() {
        refuse_targets_beside_a_file(&line)?;
        // A conflict on the command line is reported once, not for each line of the file.
        line.settings.check_conflicts()?;
        let daemon = daemon(line.daemon.clone(), &line.settings);
        let config = Some(Box::new(Config { path, line }));
        return Ok(Options { targets: Vec::new(), daemon, config, check_config, test_notify, once, json });
    }
    refuse_two_ways_to_name_a_target(&line)?;
    let targets = named_targets(&mut line);
    let kinds: Vec<_> = targets.iter().map(TargetSpec::kind).collect();
    refuse_flags_without_effect(&line, &kinds)?;
    line.settings.check_conflicts()?;
    let (mut settings, name) = (SettingsByKind::default(), line.name);
    let targets = targets.into_iter().zip(kinds).map(|(target, kind)| {
        let settings = settings.get(&line.settings, kind);
        TargetOptions { target, name: name.clone(), settings, line: 0 }
    });
    let (targets, daemon) = (targets.collect(), daemon(line.daemon, &line.settings));
    Ok(Options { targets, daemon, config: None, check_config, test_notify, once, json })
}

fn named_targets(line: &mut CommandLine) -> Vec<TargetSpec> {
    if !line.targets.is_empty() {
        return std::mem::take(&mut line.targets).into_iter().map(TargetSpec::Url).collect();
    }
    let kind = line.kind.unwrap_or(Kind::Tcp);
    vec![TargetSpec::Parts {
        kind,
        address: line.address.take().unwrap_or_else(|| ADDRESS.to_owned()),
        port: line.port,
        path: line.path.take().unwrap_or_else(|| PATH.to_owned()),
    }]
}

/// `settings` are those in force before the first target.
pub(super) fn daemon(flags: DaemonFlags, settings: &Settings) -> Daemon {
    Daemon {
        api: SocketAddr::new(flags.api_host.unwrap_or(API_HOST), flags.api_port.unwrap_or(API_PORT)),
        api_allow_hosts: flags.api_allow_hosts,
        api_token_file: flags.api_token_file,
        api_token_reads: flags.api_token_reads,
        api_page: flags.api_page.unwrap_or(true),
        api_frame: flags.api_frame,
        log_format: flags.log_format.unwrap_or_default(),
        dns: settings.probe.network.servers.clone(),
        dns_hold: flags.dns_hold.unwrap_or(ResolverConfig::HOLD),
        history_days: flags.history_days.unwrap_or(History::DAYS_MAX),
        state_file: flags.state_file,
        state_interval: flags.state_interval.unwrap_or(ServerBuilder::STATE_INTERVAL),
        push: flags.push,
        alive: flags.alive,
    }
}

fn refuse_two_ways_to_name_a_target(line: &CommandLine) -> Result<(), String> {
    if line.targets.is_empty() {
        return Ok(());
    }
    if let Some(flag) = first(line, |flag, scope| scope == FlagScope::Address && flag.name != "--name") {
        return Err(format!("{flag}: cannot be combined with TARGET, which states it already"));
    }
    if line.name.is_some() && line.targets.len() > 1 {
        return Err(format!("--name: cannot name {} targets", line.targets.len()));
    }
    Ok(())
}

fn refuse_targets_beside_a_file(line: &CommandLine) -> Result<(), String> {
    if !line.targets.is_empty() {
        return Err("--config: cannot be combined with TARGET: the file lists the targets".to_owned());
    }
    match first(line, |_, scope| scope == FlagScope::Address) {
        Some(flag) => Err(format!("{flag}: cannot be combined with --config: the file lists the targets")),
        None => Ok(()),
    }
}

/// Refuses flags that affect none of the targets of these kinds; `line.settings` holds everything that applies to
/// them.
pub(super) fn refuse_flags_without_effect(line: &CommandLine, kinds: &[Option<Kind>]) -> Result<(), String> {
    let settings = &line.settings;
    for (flag, _) in given(line) {
        let applies_to = |kind: &Option<Kind>| kind.is_none_or(|kind| flag.kinds.contains(&kind));
        let is_trusted = flag.name == "--ca-file" && has_https_receiver(line);
        let is_used = flag.is_tolerated || is_trusted || kinds.iter().any(applies_to);
        if let (false, Some(Some(kind))) = (is_used, kinds.first()) {
            let applies = listed(flag.kinds.iter().map(|kind| kind.name()), " and ");
            return Err(format!("{}: is for {applies}, but the target is {}", flag.name, kind.name()));
        }
    }
    for (flag, _) in given(line) {
        if let Some((needed, in_force)) = flag.needs {
            if !in_force(settings) {
                return Err(format!("{}: needs {needed}", flag.name));
            }
        }
    }
    if settings.no_verify_tls && settings.ca_only {
        return Err("--ca-only: has no effect with --no-verify-tls".to_owned());
    }
    let trust_is_unused = settings.no_verify_tls && !has_https_receiver(line);
    if trust_is_unused && first(line, |flag, _| flag.name == "--ca-file").is_some() {
        return Err("--ca-file: has no effect with --no-verify-tls".to_owned());
    }
    Ok(())
}

/// Whether --ca-file applies to a webhook or a periodic request.
fn has_https_receiver(line: &CommandLine) -> bool {
    let requests = [&line.daemon.push, &line.daemon.alive];
    line.settings.notifications.has_https_webhook() || requests.iter().any(|request| request.is_https())
}

/// The name of the first flag given for which `matches` holds.
pub(super) fn first(line: &CommandLine, matches: impl Fn(&Flag, FlagScope) -> bool) -> Option<&'static str> {
    given(line).find(|(flag, scope)| matches(flag, *scope)).map(|(flag, _)| flag.name)
}

/// The flags on the command line, in its order.
fn given(line: &CommandLine) -> impl Iterator<Item = (&'static Flag, FlagScope)> {
    line.seen.iter().filter_map(|name| flags::find(|flag| flag.name == *name))
}
