//! The arguments, flag by flag: each value is read by its own rules, none is judged beside another.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser};

use super::TARGETS_MAX;
use super::values::{self, quote, shown};

/// What was given; `None` and empty where nothing was.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Args {
    pub(super) targets: Vec<String>,
    pub(super) protocol: Option<&'static str>,
    pub(super) address: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) path: Option<String>,
    pub(super) name: Option<String>,
    pub(super) given: Given,
    pub(super) daemon: DaemonArgs,
    pub(super) once: bool,
    pub(super) config: Option<PathBuf>,
    pub(super) check_config: bool,
    /// The flags that were given, each once.
    pub(super) seen: Vec<(&'static str, About)>,
}

/// What was given that can be said of any target.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Given {
    pub(super) check: Option<String>,
    pub(super) timeout: Option<Duration>,
    pub(super) retries: Option<u32>,
    pub(super) retry_interval: Option<Duration>,
    pub(super) method: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) max_body: Option<usize>,
    pub(super) no_redirect: bool,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) no_verify_tls: bool,
    pub(super) interval: Option<Duration>,
    pub(super) interval_down: Option<Duration>,
    pub(super) interval_fast: Option<Duration>,
    pub(super) fall: Option<u32>,
    pub(super) rise: Option<u32>,
    pub(super) slow: Option<Duration>,
    pub(super) slow_clear: Option<Duration>,
    pub(super) on_change: Option<Vec<String>>,
    pub(super) webhook: Option<String>,
    pub(super) hook_timeout: Option<Duration>,
    pub(super) hook_first: bool,
}

/// What was given that is about the daemon as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct DaemonArgs {
    pub(super) api_host: Option<IpAddr>,
    pub(super) api_port: Option<u16>,
    pub(super) api_allow_hosts: Vec<String>,
    pub(super) dns: Vec<SocketAddr>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Run,
    Help,
    Version,
}

/// What a flag is about, which says where it may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// How targets are checked and what follows.
    Target,
    /// Which target: what a URL and a name in front of it say as well.
    Place,
    Daemon,
    Process,
}

/// Every flag.
pub(super) const FLAGS: [(&str, About); 35] = [
    ("--protocol", About::Place),
    ("--address", About::Place),
    ("--port", About::Place),
    ("--path", About::Place),
    ("--name", About::Place),
    ("--check", About::Target),
    ("--timeout", About::Target),
    ("--retries", About::Target),
    ("--retry-interval", About::Target),
    ("--method", About::Target),
    ("--header", About::Target),
    ("--max-body", About::Target),
    ("--no-redirect", About::Target),
    ("--ca-file", About::Target),
    ("--no-verify-tls", About::Target),
    ("--interval", About::Target),
    ("--interval-down", About::Target),
    ("--interval-fast", About::Target),
    ("--fall", About::Target),
    ("--rise", About::Target),
    ("--slow", About::Target),
    ("--slow-clear", About::Target),
    ("--on-change", About::Target),
    ("--webhook", About::Target),
    ("--hook-timeout", About::Target),
    ("--hook-first", About::Target),
    ("--api-host", About::Daemon),
    ("--api-port", About::Daemon),
    ("--api-allow-host", About::Daemon),
    ("--dns", About::Daemon),
    ("--config", About::Process),
    ("--check-config", About::Process),
    ("--once", About::Process),
    ("--help", About::Process),
    ("--version", About::Process),
];

/// How often a flag counts that may be repeated.
const HEADERS_MAX: usize = 64;
const DNS_MAX: usize = 8;
const ALLOW_HOSTS_MAX: usize = 64;

/// Why an argument is refused.
enum Wrong {
    /// It alone; those behind it can be read.
    This(String),
    /// With it, what the others are is not known either.
    Rest(String),
}

impl From<String> for Wrong {
    fn from(error: String) -> Self {
        Wrong::This(error)
    }
}

/// Reads arguments into `a`, and adds what is wrong with them to `errors`. Of a flag that is given
/// twice and can not be repeated, the last value counts; `--help` and `--version` end the reading.
pub(super) fn read(mut p: Parser, a: &mut Args, errors: &mut Vec<String>) -> Asked {
    loop {
        match read_one(&mut p, a) {
            Ok(None) => return Asked::Run,
            Ok(Some(Asked::Run)) => {}
            Ok(Some(asked)) => return asked,
            Err(Wrong::This(error)) => errors.push(error),
            Err(Wrong::Rest(error)) => {
                errors.push(error);
                return Asked::Run;
            }
        }
    }
}

/// Reads the next argument, if there is one.
fn read_one(p: &mut Parser, a: &mut Args) -> Result<Option<Asked>, Wrong> {
    let Some(arg) = p.next().map_err(|error| Wrong::Rest(describe(error)))? else { return Ok(None) };
    let (g, d) = (&mut a.given, &mut a.daemon);
    let (flag, about) = match arg {
        Arg::Short('h') | Arg::Long("help") => return Ok(Some(Asked::Help)),
        Arg::Short('V') | Arg::Long("version") => return Ok(Some(Asked::Version)),
        Arg::Value(target) => {
            let target = target.into_string().map_err(|_| "a target is not UTF-8".to_owned())?;
            if target.is_empty() {
                return Err("a target is empty".to_owned().into());
            }
            push(&mut a.targets, target, TARGETS_MAX, "TARGET")?;
            return Ok(Some(Asked::Run));
        }
        Arg::Short(letter) => return Err(Wrong::Rest(unknown(&format!("-{letter}")))),
        Arg::Long(name) => {
            match FLAGS.iter().find(|(flag, _)| flag.len() == name.len() + 2 && flag.ends_with(name)) {
                Some(known) => *known,
                None => return Err(Wrong::Rest(unknown(&format!("--{name}")))),
            }
        }
    };
    if !a.seen.contains(&(flag, about)) {
        a.seen.push((flag, about));
    }
    match flag {
        "--protocol" => a.protocol = Some(value(p, flag, values::protocol)?),
        "--address" => a.address = Some(value(p, flag, values::plain)?),
        "--port" => a.port = Some(value(p, flag, values::port)?),
        "--path" => a.path = Some(value(p, flag, values::path)?),
        "--name" => a.name = Some(value(p, flag, values::plain)?),
        "--check" => g.check = Some(text(p, flag)?),
        "--timeout" => g.timeout = Some(value(p, flag, values::timeout)?),
        "--retries" => g.retries = Some(value(p, flag, values::retries)?),
        "--retry-interval" => g.retry_interval = Some(value(p, flag, values::timeout)?),
        "--method" => g.method = Some(value(p, flag, values::method)?),
        "--header" => push(&mut g.headers, value(p, flag, values::header)?, HEADERS_MAX, flag)?,
        "--max-body" => g.max_body = Some(value(p, flag, values::max_body)?),
        "--no-redirect" => g.no_redirect = true,
        "--ca-file" => g.ca_file = Some(value(p, flag, values::plain)?.into()),
        "--no-verify-tls" => g.no_verify_tls = true,
        "--interval" => g.interval = Some(value(p, flag, values::interval)?),
        "--interval-down" => g.interval_down = Some(value(p, flag, values::interval)?),
        "--interval-fast" => g.interval_fast = Some(value(p, flag, values::interval)?),
        "--fall" => g.fall = Some(value(p, flag, values::count)?),
        "--rise" => g.rise = Some(value(p, flag, values::count)?),
        "--slow" => g.slow = Some(value(p, flag, values::milliseconds)?),
        "--slow-clear" => g.slow_clear = Some(value(p, flag, values::milliseconds)?),
        "--on-change" => g.on_change = Some(value(p, flag, values::command)?),
        "--webhook" => g.webhook = Some(value(p, flag, values::webhook)?),
        "--hook-timeout" => g.hook_timeout = Some(value(p, flag, values::timeout)?),
        "--hook-first" => g.hook_first = true,
        "--api-host" => d.api_host = Some(value(p, flag, values::api_host)?),
        "--api-port" => d.api_port = Some(value(p, flag, values::api_port)?),
        "--api-allow-host" => {
            push(&mut d.api_allow_hosts, value(p, flag, values::host_name)?, ALLOW_HOSTS_MAX, flag)?;
        }
        "--dns" => push(&mut d.dns, value(p, flag, values::dns_server)?, DNS_MAX, flag)?,
        "--config" => a.config = Some(value(p, flag, values::plain)?.into()),
        "--check-config" => a.check_config = true,
        _ => a.once = true,
    }
    Ok(Some(Asked::Run))
}

/// The value of `flag`, read by `read`.
fn value<T>(p: &mut Parser, flag: &str, read: fn(&str) -> Result<T, String>) -> Result<T, Wrong> {
    Ok(read(&text(p, flag)?).map_err(|error| format!("{flag}: {error}"))?)
}

/// The value of `flag` as it stands there. What looks like another flag is not taken for a value
/// (a forgotten value would swallow it), except behind an equals sign; numbers may be negative, and
/// are refused for what they are.
fn text(p: &mut Parser, flag: &str) -> Result<String, Wrong> {
    let (value, attached) = match p.optional_value() {
        Some(value) => (value, true),
        None => (p.value().map_err(|_| Wrong::Rest(format!("{flag}: a value is missing")))?, false),
    };
    let value = value.into_string().map_err(|_| format!("{flag}: the value is not UTF-8"))?;
    if !attached && looks_like_a_flag(&value) {
        let before = quote(&value);
        return Err(Wrong::Rest(format!(
            "{flag}: a value is missing before {before} (or write {flag}=VALUE)"
        )));
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
    let mut known = FLAGS.iter().map(|(known, _)| *known);
    let begun = known.clone().find(|known| flag.len() >= 4 && known.starts_with(flag));
    match begun.or_else(|| known.find(|known| is_close(flag, known))) {
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

/// Whether too much was typed, or they differ by one slip of the finger.
fn is_close(typed: &str, known: &str) -> bool {
    let (t, k) = (typed.as_bytes(), known.as_bytes());
    if typed.starts_with(known) {
        return true;
    }
    let head = t.iter().zip(k).take_while(|(a, b)| a == b).count();
    let (t, k) = (&t[head..], &k[head..]);
    let tail = t.iter().rev().zip(k.iter().rev()).take_while(|(a, b)| a == b).count();
    let (t, k) = (&t[..t.len() - tail], &k[..k.len() - tail]);
    // A letter too many, too few or wrong, or two neighbours swapped.
    t.len().max(k.len()) <= 1 || (t.len() == 2 && k.len() == 2 && t[0] == k[1] && t[1] == k[0])
}
