//! The arguments, flag by flag: each value is read by its own rules, none is judged beside another.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser};

use super::TARGETS_MAX;
use super::values::{self, quote, shown};

/// What was given; `None` and empty where nothing was.
#[derive(Debug, Default)]
pub(super) struct Args {
    pub(super) targets: Vec<String>,
    pub(super) protocol: Option<&'static str>,
    pub(super) address: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) path: Option<String>,
    pub(super) check: Option<String>,
    pub(super) timeout: Option<Duration>,
    pub(super) no_verify_tls: bool,
    pub(super) interval: Option<Duration>,
    pub(super) api_host: Option<IpAddr>,
    pub(super) api_port: Option<u16>,
    pub(super) api_allow_hosts: Vec<String>,
    pub(super) once: bool,
    pub(super) method: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) max_body: Option<usize>,
    pub(super) name: Option<String>,
    pub(super) no_redirect: bool,
    pub(super) dns: Vec<SocketAddr>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) fall: Option<u32>,
    pub(super) rise: Option<u32>,
}

/// What to do.
pub(super) enum Asked {
    Run(Box<Args>),
    Help,
    Version,
}

/// Every flag that may have been meant by one that is not.
pub(super) const FLAGS: [&str; 23] = [
    "--protocol",
    "--address",
    "--port",
    "--path",
    "--check",
    "--timeout",
    "--no-verify-tls",
    "--interval",
    "--api-host",
    "--api-port",
    "--api-allow-host",
    "--once",
    "--method",
    "--header",
    "--max-body",
    "--name",
    "--no-redirect",
    "--dns",
    "--ca-file",
    "--fall",
    "--rise",
    "--help",
    "--version",
];

/// How often a flag counts that may be repeated.
const HEADERS_MAX: usize = 64;
const DNS_MAX: usize = 8;
const ALLOW_HOSTS_MAX: usize = 64;

/// Reads all arguments, the program's name first. Of a flag that is given twice and can not be
/// repeated, the last value counts; `--help` and `--version` end the reading.
pub(super) fn read(args: impl Iterator<Item = OsString> + 'static) -> Result<Asked, String> {
    let p = &mut Parser::from_iter(args);
    let mut a = Args::default();
    while let Some(arg) = p.next().map_err(describe)? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Asked::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Asked::Version),
            Arg::Long("protocol") => a.protocol = Some(value(p, "--protocol", values::protocol)?),
            Arg::Long("address") => a.address = Some(value(p, "--address", values::plain)?),
            Arg::Long("port") => a.port = Some(value(p, "--port", values::port)?),
            Arg::Long("path") => a.path = Some(value(p, "--path", values::path)?),
            Arg::Long("check") => a.check = Some(text(p, "--check")?),
            Arg::Long("timeout") => a.timeout = Some(value(p, "--timeout", values::timeout)?),
            Arg::Long("no-verify-tls") => a.no_verify_tls = true,
            Arg::Long("interval") => a.interval = Some(value(p, "--interval", values::interval)?),
            Arg::Long("api-host") => a.api_host = Some(value(p, "--api-host", values::api_host)?),
            Arg::Long("api-port") => a.api_port = Some(value(p, "--api-port", values::api_port)?),
            Arg::Long("api-allow-host") => {
                let host = value(p, "--api-allow-host", values::host_name)?;
                push(&mut a.api_allow_hosts, host, ALLOW_HOSTS_MAX, "--api-allow-host")?;
            }
            Arg::Long("once") => a.once = true,
            Arg::Long("method") => a.method = Some(value(p, "--method", values::method)?),
            Arg::Long("header") => {
                let header = value(p, "--header", values::header)?;
                push(&mut a.headers, header, HEADERS_MAX, "--header")?;
            }
            Arg::Long("max-body") => a.max_body = Some(value(p, "--max-body", values::max_body)?),
            Arg::Long("name") => a.name = Some(value(p, "--name", values::plain)?),
            Arg::Long("no-redirect") => a.no_redirect = true,
            Arg::Long("dns") => {
                let server = value(p, "--dns", values::dns_server)?;
                push(&mut a.dns, server, DNS_MAX, "--dns")?;
            }
            Arg::Long("ca-file") => a.ca_file = Some(value(p, "--ca-file", values::plain)?.into()),
            Arg::Long("fall") => a.fall = Some(value(p, "--fall", values::count)?),
            Arg::Long("rise") => a.rise = Some(value(p, "--rise", values::count)?),
            Arg::Value(target) => {
                let target = target.into_string().map_err(|_| "a target is not UTF-8")?;
                if target.is_empty() {
                    return Err("a target is empty".to_owned());
                }
                push(&mut a.targets, target, TARGETS_MAX, "TARGET")?;
            }
            Arg::Short(letter) => return Err(unknown(&format!("-{letter}"))),
            Arg::Long(name) => return Err(unknown(&format!("--{name}"))),
        }
    }
    Ok(Asked::Run(Box::new(a)))
}

/// The value of `flag`, read by `read`.
fn value<T>(p: &mut Parser, flag: &str, read: fn(&str) -> Result<T, String>) -> Result<T, String> {
    read(&text(p, flag)?).map_err(|error| format!("{flag}: {error}"))
}

/// The value of `flag` as it stands there. What looks like another flag is not taken for a value
/// (a forgotten value would swallow it), except behind an equals sign; numbers may be negative, and
/// are refused for what they are.
fn text(p: &mut Parser, flag: &str) -> Result<String, String> {
    let (value, attached) = match p.optional_value() {
        Some(value) => (value, true),
        None => (p.value().map_err(|_| format!("{flag}: a value is missing"))?, false),
    };
    let value = value.into_string().map_err(|_| format!("{flag}: the value is not UTF-8"))?;
    if !attached && looks_like_a_flag(&value) {
        return Err(format!("{flag}: a value is missing before {} (or write {flag}=VALUE)", quote(&value)));
    }
    Ok(value)
}

fn push<T>(list: &mut Vec<T>, item: T, max: usize, flag: &str) -> Result<(), String> {
    if list.len() >= max {
        return Err(format!("{flag}: at most {max} are possible"));
    }
    list.push(item);
    Ok(())
}

fn describe(error: lexopt::Error) -> String {
    match error {
        lexopt::Error::UnexpectedValue { option, .. } => format!("{}: takes no value", shown(&option)),
        _ => "the arguments can not be read".to_owned(),
    }
}

fn unknown(flag: &str) -> String {
    match FLAGS.iter().find(|known| is_close(flag, known)) {
        Some(known) => format!("unknown option {} (did you mean {known}?)", shown(flag)),
        None => format!("unknown option {} (see --help)", shown(flag)),
    }
}

/// `-1`, `-.5` and `-inf` are numbers, however useless; a lone `-` is just text.
fn looks_like_a_flag(text: &str) -> bool {
    match text.strip_prefix('-') {
        None | Some("" | "inf" | "nan") => false,
        Some(rest) => !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'),
    }
}

/// Whether one is the beginning of the other, or they differ by one slip of the finger.
fn is_close(typed: &str, known: &str) -> bool {
    let (t, k) = (typed.as_bytes(), known.as_bytes());
    if t.len() >= 4 && (known.starts_with(typed) || typed.starts_with(known)) {
        return true;
    }
    let head = t.iter().zip(k).take_while(|(a, b)| a == b).count();
    let (t, k) = (&t[head..], &k[head..]);
    let tail = t.iter().rev().zip(k.iter().rev()).take_while(|(a, b)| a == b).count();
    let (t, k) = (&t[..t.len() - tail], &k[..k.len() - tail]);
    // A letter too many, too few or wrong, or two neighbours swapped.
    t.len().max(k.len()) <= 1 || (t.len() == 2 && k.len() == 2 && t[0] == k[1] && t[1] == k[0])
}
