//! Conflicts between arguments, and the defaults that the library does not have.
//!
//! A flag of a target that has no effect on it is an error. Only `--path` and `--no-verify-tls` are ignored for tcp
//! targets, for compatibility with the Python version. In a file this applies to flags after a target; flags on a
//! line of their own need not affect each target below.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use super::args::{CommandLine, DaemonFlags};
use super::config::Config;
use super::flags::{Flag, FlagScope};
use super::{Daemon, Options, Target, TargetOptions};

const PROTOCOL: &str = "tcp";
const ADDRESS: &str = "1.1.1.1";
const PATH: &str = "/";
const API_HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const API_PORT: u16 = 8787;

pub(super) fn resolve(mut line: CommandLine) -> Result<Options, String> {
    if line.check_config && line.config.is_none() {
        return Err("--check-config: needs --config, which names the file".to_owned());
    }
    let (once, check_config) = (line.once, line.check_config);
    if let Some(path) = line.config.take() {
        refuse_targets_beside_a_file(&line)?;
        // A conflict on the command line is reported once, not for each line of the file.
        line.settings.clone().normalised(true)?;
        let daemon = daemon(line.daemon.clone());
        let config = Some(Box::new(Config { path, line }));
        return Ok(Options { targets: Vec::new(), daemon, config, check_config, once });
    }
    refuse_two_ways_to_name_a_target(&line)?;
    let targets = named_targets(&mut line);
    let all_tcp = targets.iter().all(Target::is_tcp);
    refuse_flags_without_effect(&line, all_tcp)?;
    let [tcp, http] = [true, false].map(|is_tcp| line.settings.clone().normalised(is_tcp));
    let (tcp, http, name) = (Rc::new(tcp?), Rc::new(http?), line.name);
    let targets = targets.into_iter().map(|target| {
        let settings = if target.is_tcp() { tcp.clone() } else { http.clone() };
        TargetOptions { target, name: name.clone(), settings, line: 0 }
    });
    let (targets, daemon) = (targets.collect(), daemon(line.daemon));
    Ok(Options { targets, daemon, config: None, check_config, once })
}

fn named_targets(line: &mut CommandLine) -> Vec<Target> {
    if !line.targets.is_empty() {
        return std::mem::take(&mut line.targets).into_iter().map(Target::Url).collect();
    }
    let protocol = line.protocol.unwrap_or(PROTOCOL);
    vec![Target::Parts {
        protocol,
        address: line.address.take().unwrap_or_else(|| ADDRESS.to_owned()),
        port: line.port.unwrap_or(if protocol == "http" { 80 } else { 443 }),
        path: line.path.take().unwrap_or_else(|| PATH.to_owned()),
    }]
}

pub(super) fn daemon(flags: DaemonFlags) -> Daemon {
    Daemon {
        api: SocketAddr::new(flags.api_host.unwrap_or(API_HOST), flags.api_port.unwrap_or(API_PORT)),
        api_allow_hosts: flags.api_allow_hosts,
        dns: flags.dns,
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

/// Refuses flags given with a target that do not affect it; `line.settings` holds everything that applies to it.
pub(super) fn refuse_flags_without_effect(line: &CommandLine, is_tcp: bool) -> Result<(), String> {
    let settings = &line.settings;
    let webhook_trusts = settings.has_https_webhook();
    let is_unused = |flag: &Flag| flag.http_only && !(webhook_trusts && flag.name == "--ca-file");
    if let (true, Some(flag)) = (is_tcp, first(line, |flag, _| is_unused(flag))) {
        return Err(format!("{flag}: is for http and https, but the target is tcp"));
    }
    for seen in &line.seen {
        if let Some((needed, in_force)) = seen.flag.needs {
            if !in_force(settings) {
                return Err(format!("{}: needs {needed}", seen.flag.name));
            }
        }
    }
    let trust_is_unused = settings.no_verify_tls && !webhook_trusts && !is_tcp;
    if trust_is_unused && first(line, |flag, _| flag.name == "--ca-file").is_some() {
        return Err("--ca-file: has no effect with --no-verify-tls".to_owned());
    }
    Ok(())
}

/// The name of the first flag given for which `matches` holds.
pub(super) fn first(line: &CommandLine, matches: impl Fn(&Flag, FlagScope) -> bool) -> Option<&'static str> {
    line.seen.iter().find(|seen| matches(seen.flag, seen.scope)).map(|seen| seen.flag.name)
}
