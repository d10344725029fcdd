//! What was given, taken together: defaults filled in, and contradictions refused.
//!
//! A flag that says something about a target and would have no effect on it is an error: somebody
//! meant something by it. Only `--path` and `--no-verify-tls` are passed over for tcp targets, as in
//! the Python original, whose command lines are to work here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::args::Args;
use super::{Options, Target};

/// The defaults of the flags that have one.
const PROTOCOL: &str = "tcp";
const ADDRESS: &str = "1.1.1.1";
const PATH: &str = "/";
const INTERVAL: Duration = Duration::from_secs(5);
const API_HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const API_PORT: u16 = 8787;
const FALL: u32 = 2;
const RISE: u32 = 1;

pub(super) fn settle(mut args: Args) -> Result<Options, String> {
    refuse_two_ways_to_name_a_target(&args)?;
    let urls = std::mem::take(&mut args.targets);
    let targets = targets(urls, args.protocol, args.address.take(), args.port, args.path.take());
    refuse_flags_without_effect(&args, &targets)?;
    let api = SocketAddr::new(args.api_host.unwrap_or(API_HOST), args.api_port.unwrap_or(API_PORT));
    Ok(Options {
        targets,
        check: args.check,
        timeout: args.timeout,
        verify_tls: !args.no_verify_tls,
        interval: args.interval.unwrap_or(INTERVAL),
        api,
        api_allow_hosts: args.api_allow_hosts,
        once: args.once,
        method: args.method,
        headers: args.headers,
        max_body: args.max_body,
        name: args.name,
        follow_redirects: !args.no_redirect,
        dns: args.dns,
        ca_file: args.ca_file,
        fall: args.fall.unwrap_or(FALL),
        rise: args.rise.unwrap_or(RISE),
    })
}

fn targets(
    urls: Vec<String>,
    protocol: Option<&'static str>,
    address: Option<String>,
    port: Option<u16>,
    path: Option<String>,
) -> Vec<Target> {
    if !urls.is_empty() {
        return urls.into_iter().map(Target::Url).collect();
    }
    let protocol = protocol.unwrap_or(PROTOCOL);
    vec![Target::Parts {
        protocol,
        address: address.unwrap_or_else(|| ADDRESS.to_owned()),
        port: port.unwrap_or(if protocol == "http" { 80 } else { 443 }),
        path: path.unwrap_or_else(|| PATH.to_owned()),
    }]
}

fn refuse_two_ways_to_name_a_target(args: &Args) -> Result<(), String> {
    if args.targets.is_empty() {
        return Ok(());
    }
    let flags = [
        (args.protocol.is_some(), "--protocol"),
        (args.address.is_some(), "--address"),
        (args.port.is_some(), "--port"),
        (args.path.is_some(), "--path"),
    ];
    if let Some(flag) = first(&flags) {
        return Err(format!("{flag}: can not be combined with TARGET, which says it all"));
    }
    if args.name.is_some() && args.targets.len() > 1 {
        return Err(format!("--name: can not name {} targets", args.targets.len()));
    }
    Ok(())
}

fn refuse_flags_without_effect(args: &Args, targets: &[Target]) -> Result<(), String> {
    let http_only = [
        (args.method.is_some(), "--method"),
        (!args.headers.is_empty(), "--header"),
        (args.max_body.is_some(), "--max-body"),
        (args.no_redirect, "--no-redirect"),
        (args.ca_file.is_some(), "--ca-file"),
    ];
    if let (true, Some(flag)) = (targets.iter().all(Target::is_tcp), first(&http_only)) {
        return Err(format!("{flag}: is for http and https, but the target is tcp"));
    }
    Ok(())
}

/// The first flag that was given.
fn first(flags: &[(bool, &'static str)]) -> Option<&'static str> {
    flags.iter().find(|(given, _)| *given).map(|(_, flag)| *flag)
}
