//! From the command line's words to monitors, and from their results to lines for people.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use pingstate::{
    BuiltProbe, Checked, Error, Monitor, NAME_MAX, Names, Policy, Probe, ProbeBuilder, ProbeResult, Reason,
    State, Trust, probe,
};

use super::log::{Log, Priority};
use super::values::shown as shown_text;
use super::{EXIT_FAILED, EXIT_NAME, EXIT_OK, Options, Target};

/// The monitors that the options ask for. The error is one line that names the flag.
pub(crate) fn monitors(options: &Options, log: Log) -> Result<Vec<Monitor>, String> {
    let trust = trust(options, log)?;
    let mut probes = Vec::with_capacity(options.targets.len());
    for target in &options.targets {
        probes.push(build(target, options, trust.as_ref(), None)?);
    }
    tell_apart(&mut probes, options, trust.as_ref())?;
    let policy = Policy::Thresholds { fall: options.fall, rise: options.rise };
    let monitor = |probe| Monitor::new(probe).interval(options.interval).policy(policy.clone());
    Ok(probes.into_iter().map(monitor).collect())
}

/// How the options want names resolved.
pub(crate) fn names(options: &Options) -> Names {
    Names::default().servers(options.dns.iter().copied())
}

fn build(
    target: &Target,
    options: &Options,
    trust: Option<&Trust>,
    name: Option<&str>,
) -> Result<BuiltProbe, String> {
    let builder = match target {
        Target::Url(url) => ProbeBuilder::from_url(url),
        Target::Parts { protocol, address, port, path } => probe(protocol, address, *port).path(path),
    };
    let mut builder = builder.follow_redirects(options.follow_redirects).verify_tls(options.verify_tls);
    if let Some(trust) = trust {
        builder = builder.trust(trust);
    }
    if let Some(check) = &options.check {
        builder = builder.check(check);
    }
    if let Some(timeout) = options.timeout {
        builder = builder.timeout(timeout);
    }
    if let Some(method) = &options.method {
        builder = builder.method(method);
    }
    for (name, value) in &options.headers {
        builder = builder.header(name, value);
    }
    if let Some(bytes) = options.max_body {
        builder = builder.max_body(bytes);
    }
    if let Some(name) = name.or(options.name.as_deref()) {
        builder = builder.name(name);
    }
    builder.build().map_err(|error| explain(&error, target))
}

fn explain(error: &Error, target: &Target) -> String {
    match (error.field(), target) {
        ("url", Target::Url(url)) => match url.rsplit_once('@') {
            // What stands before it may be a password.
            Some((_, host)) => format!("TARGET …@{}: {}", shown_text(host), error.message()),
            None => format!("TARGET {}: {}", shown_text(url), error.message()),
        },
        ("url", Target::Parts { .. }) => format!("--address: {}", error.message()),
        (flag, _) => format!("--{flag}: {}", error.message()),
    }
}

/// Targets are called `HOST:PORT`; where several share that, by their URL, or if that is too long for a
/// name, by their place: `HOST:PORT-2`. The same URL twice would be two targets that nobody could tell
/// apart.
fn tell_apart(probes: &mut [BuiltProbe], options: &Options, trust: Option<&Trust>) -> Result<(), String> {
    let mut urls = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut shared = BTreeSet::new();
    for probe in probes.iter() {
        if !urls.insert(probe.target().to_owned()) {
            return Err(format!("TARGET {}: is given twice", probe.target()));
        }
        if !names.insert(probe.name().to_owned()) {
            shared.insert(probe.name().to_owned());
        }
    }
    for (place, (probe, target)) in (1..).zip(probes.iter_mut().zip(&options.targets)) {
        if shared.contains(probe.name()) {
            let name = match probe.target() {
                url if url.len() <= NAME_MAX => url.to_owned(),
                _ => format!("{}-{place}", probe.name()),
            };
            *probe = build(target, options, trust, Some(&name))?;
        }
    }
    Ok(())
}

/// The most that is read of a file of certificates: ten times what the largest bundles have.
const PEM_MAX: u64 = 4 * 1024 * 1024;

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(PEM_MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// Certificates to trust, and that trust.
type Source = (Vec<u8>, Trust);

/// Whom https targets trust, shared by all of them; `None` for the usual roots.
fn trust(options: &Options, log: Log) -> Result<Option<Trust>, String> {
    match (from_flag(options)?, from_environment(options, log)) {
        (None, None) => Ok(None),
        (Some((_, trust)), None) | (None, Some((_, trust))) => Ok(Some(trust)),
        (Some((flag, _)), Some((environment, _))) => {
            let both = [flag, b"\n".to_vec(), environment].concat();
            let trust = Trust::new(options.verify_tls, &both);
            trust.map(Some).map_err(|error| format!("--ca-file: {}", error.message()))
        }
    }
}

fn from_flag(options: &Options) -> Result<Option<Source>, String> {
    let Some(path) = &options.ca_file else { return Ok(None) };
    let pem = read(path)
        .map_err(|error| format!("--ca-file: {}: {}", path.display(), super::log::plain(&error)))?;
    if pem.is_empty() {
        return Err(format!("--ca-file: {}: is empty", path.display()));
    }
    match Trust::new(options.verify_tls, &pem) {
        Ok(trust) => Ok(Some((pem, trust))),
        Err(error) => Err(format!("--ca-file: {}", error.message())),
    }
}

/// What `SSL_CERT_FILE` names, if it is of use; a file that is not is no reason not to start.
fn from_environment(options: &Options, log: Log) -> Option<Source> {
    let path = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty())?;
    if !options.verify_tls || options.targets.iter().all(Target::is_tcp) {
        return None;
    }
    let read = read(path.as_ref()).map_err(|error| super::log::plain(&error));
    // Nothing in it is nothing to trust beside the usual roots.
    if read.as_ref().is_ok_and(Vec::is_empty) {
        return None;
    }
    let source = read.and_then(|pem| match Trust::new(true, &pem) {
        Ok(trust) => Ok((pem, trust)),
        Err(error) => Err(error.message().to_owned()),
    });
    match source {
        Ok(source) => Some(source),
        Err(error) => {
            let path = path.to_string_lossy();
            log.line(Priority::Warning, &format!("SSL_CERT_FILE {path} is not used: {error}"));
            None
        }
    }
}

/// What the log says of a change of state.
pub(crate) fn change_line(checked: &Checked<'_>, from: State, lasted: Duration) -> String {
    let mut line = format!("{} is {}: {}", shown(checked), checked.state, checked.result.detail);
    if let Some(latency) = checked.result.latency {
        line.push_str(&format!(", {}", milliseconds(latency)));
    }
    if from != State::Unknown {
        line.push_str(&format!(" (was {from} for {:.1} s)", lasted.as_secs_f64()));
    }
    line
}

/// What `--once` prints of a check.
pub(crate) fn result_line(checked: &Checked<'_>) -> String {
    let latency = checked.result.latency.map_or_else(|| "-".to_owned(), milliseconds);
    let state = checked.state;
    format!("{state:<4}  {latency:>11}  {}  {}\n", shown(checked), checked.result.detail)
}

/// The exit code that `--once` owes to a check.
pub(crate) fn exit_code(result: &ProbeResult) -> u8 {
    match result.reason {
        Some(Reason::DnsNotFound | Reason::DnsFailed | Reason::DnsTimeout) => EXIT_NAME,
        _ if result.ok => EXIT_OK,
        _ => EXIT_FAILED,
    }
}

/// The target, behind its name if that says something else.
fn shown(checked: &Checked<'_>) -> String {
    match checked.target.contains(checked.name) {
        true => checked.target.to_owned(),
        false => format!("{} ({})", checked.name, checked.target),
    }
}

fn milliseconds(latency: Duration) -> String {
    format!("{:.2} ms", latency.as_secs_f64() * 1000.0)
}
