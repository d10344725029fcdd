//! What was given, taken together: defaults filled in, and contradictions refused.
//!
//! A flag that says something about a target and would have no effect on it is an error: somebody
//! meant something by it. Only `--path` and `--no-verify-tls` are passed over for tcp targets, as in
//! the Python original, whose command lines are to work here. In a file that is so for the target that
//! the flag stands with; what a line says of all that follow need not be of use to each of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use super::args::{About, Args, DaemonArgs, Given};
use super::config::Config;
use super::{Daemon, Http, Options, Settings, Target, TargetOptions};

/// The defaults of the flags that have one.
const PROTOCOL: &str = "tcp";
const ADDRESS: &str = "1.1.1.1";
const PATH: &str = "/";
const INTERVAL: Duration = Duration::from_secs(5);
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
const HOOK_TIMEOUT: Duration = Duration::from_secs(30);
const API_HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const API_PORT: u16 = 8787;
const FALL: u32 = 2;
const RISE: u32 = 1;

/// What has no effect on tcp targets and is refused for them.
const HTTP_ONLY: [&str; 5] = ["--method", "--header", "--max-body", "--no-redirect", "--ca-file"];

/// What the command line asks for.
pub(super) fn settle(mut args: Args) -> Result<Options, String> {
    if args.check_config && args.config.is_none() {
        return Err("--check-config: needs --config, which names the file".to_owned());
    }
    let (once, check_config) = (args.once, args.check_config);
    if let Some(path) = args.config.take() {
        refuse_targets_beside_a_file(&args)?;
        // What contradicts itself before the file has said a word.
        settings(args.given.clone(), true)?;
        let daemon = daemon(args.daemon.clone());
        let config = Some(Box::new(Config { path, args }));
        return Ok(Options { targets: Vec::new(), daemon, config, check_config, once });
    }
    refuse_two_ways_to_name_a_target(&args)?;
    let targets = places(&mut args);
    let all_tcp = targets.iter().all(Target::is_tcp);
    refuse_flags_without_effect(&args, &args.given, all_tcp)?;
    let [tcp, http] = [true, false].map(|is_tcp| settings(args.given.clone(), is_tcp));
    let (tcp, http, name) = (Rc::new(tcp?), Rc::new(http?), args.name);
    let targets = targets.into_iter().map(|target| {
        let settings = if target.is_tcp() { tcp.clone() } else { http.clone() };
        TargetOptions { target, name: name.clone(), settings, line: 0 }
    });
    let (targets, daemon) = (targets.collect(), daemon(args.daemon));
    Ok(Options { targets, daemon, config: None, check_config, once })
}

fn places(args: &mut Args) -> Vec<Target> {
    if !args.targets.is_empty() {
        return std::mem::take(&mut args.targets).into_iter().map(Target::Url).collect();
    }
    let protocol = args.protocol.unwrap_or(PROTOCOL);
    vec![Target::Parts {
        protocol,
        address: args.address.take().unwrap_or_else(|| ADDRESS.to_owned()),
        port: args.port.unwrap_or(if protocol == "http" { 80 } else { 443 }),
        path: args.path.take().unwrap_or_else(|| PATH.to_owned()),
    }]
}

pub(super) fn daemon(args: DaemonArgs) -> Daemon {
    Daemon {
        api: SocketAddr::new(args.api_host.unwrap_or(API_HOST), args.api_port.unwrap_or(API_PORT)),
        api_allow_hosts: args.api_allow_hosts,
        dns: args.dns,
    }
}

/// What is asked of a target, tcp or not.
pub(super) fn settings(given: Given, is_tcp: bool) -> Result<Settings, String> {
    let slow = match (given.slow, given.slow_clear) {
        (Some(slow), Some(clear)) if clear > slow => {
            return Err("--slow-clear: is more than --slow".to_owned());
        }
        (slow, clear) => slow.map(|slow| (slow, clear.unwrap_or(slow))),
    };
    let webhook = given.webhook.map(|url| {
        let ca_file = given.ca_file.clone().filter(|_| is_https(&url));
        (url, ca_file)
    });
    let http = Http {
        method: given.method,
        headers: given.headers,
        max_body: given.max_body,
        follow_redirects: !given.no_redirect,
        verify_tls: !given.no_verify_tls,
        ca_file: given.ca_file,
    };
    let (retries, hooked) = (given.retries.unwrap_or(0), given.on_change.is_some());
    let interval = given.interval.unwrap_or(INTERVAL);
    let other = |special: Option<Duration>| special.filter(|special| *special != interval);
    Ok(Settings {
        check: given.check,
        timeout: given.timeout,
        retries,
        retry_interval: given.retry_interval.filter(|_| retries > 0).unwrap_or(RETRY_INTERVAL),
        http: if is_tcp { Http::default() } else { http },
        interval,
        interval_down: other(given.interval_down),
        interval_fast: other(given.interval_fast),
        fall: given.fall.unwrap_or(FALL),
        rise: given.rise.unwrap_or(RISE),
        slow,
        on_change: given.on_change,
        hook_timeout: given.hook_timeout.filter(|_| hooked).unwrap_or(HOOK_TIMEOUT),
        hook_first: given.hook_first && (hooked || webhook.is_some()),
        webhook,
    })
}

fn refuse_two_ways_to_name_a_target(args: &Args) -> Result<(), String> {
    if args.targets.is_empty() {
        return Ok(());
    }
    if let Some(flag) = first(args, |flag, about| about == About::Place && flag != "--name") {
        return Err(format!("{flag}: can not be combined with TARGET, which says it all"));
    }
    if args.name.is_some() && args.targets.len() > 1 {
        return Err(format!("--name: can not name {} targets", args.targets.len()));
    }
    Ok(())
}

fn refuse_targets_beside_a_file(args: &Args) -> Result<(), String> {
    if !args.targets.is_empty() {
        return Err("--config: can not be combined with TARGET: the file says what is probed".to_owned());
    }
    match first(args, |_, about| about == About::Place) {
        Some(flag) => Err(format!("{flag}: can not be combined with --config: the file says what is probed")),
        None => Ok(()),
    }
}

/// Of the flags seen, those that are of no use to the target they stand with; `given` is all that is
/// said of it.
pub(super) fn refuse_flags_without_effect(args: &Args, given: &Given, is_tcp: bool) -> Result<(), String> {
    let trusts = given.webhook.as_deref().is_some_and(is_https);
    let is_lost = |flag: &str| HTTP_ONLY.contains(&flag) && !(trusts && flag == "--ca-file");
    if let (true, Some(flag)) = (is_tcp, first(args, |flag, _| is_lost(flag))) {
        return Err(format!("{flag}: is for http and https, but the target is tcp"));
    }
    let hooked = given.on_change.is_some();
    let either = hooked || given.webhook.is_some();
    for (flag, has_effect, needed) in [
        ("--retry-interval", given.retries.is_some_and(|retries| retries > 0), "--retries"),
        ("--slow-clear", given.slow.is_some(), "--slow"),
        ("--hook-timeout", hooked, "--on-change"),
        ("--hook-first", either, "--on-change or --webhook"),
    ] {
        if !has_effect && first(args, |seen, _| seen == flag).is_some() {
            return Err(format!("{flag}: needs {needed}"));
        }
    }
    if given.no_verify_tls && !trusts && !is_tcp && first(args, |flag, _| flag == "--ca-file").is_some() {
        return Err("--ca-file: has no effect beside --no-verify-tls".to_owned());
    }
    Ok(())
}

fn is_https(url: &str) -> bool {
    url.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"))
}

/// The first of the flags seen that are so.
pub(super) fn first(args: &Args, is_so: impl Fn(&str, About) -> bool) -> Option<&'static str> {
    args.seen.iter().find(|(flag, about)| is_so(flag, *about)).map(|(flag, _)| *flag)
}
