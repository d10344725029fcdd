//! Properties of all command lines and files. The fuzz targets `args` and `config` check them, and a test replays
//! their corpora.

// A violated property is a panic, as in a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::config::Loaded;
use super::log::Log;
use super::options::Settings;
use super::{Command, Options, TARGETS_MAX, TargetOptions, TargetSpec, parse, targets};
use crate::clock::test_now;
use crate::monitor::{TargetUpdate, Targets};
use crate::text::words::split;

/// `data` is a list of arguments separated by line feeds.
pub fn args(data: &[u8]) {
    let args: Vec<OsString> =
        data.split(|byte| *byte == b'\n').map(|arg| OsString::from_vec(arg.to_vec())).collect();
    let parsed = read(&args);
    match &parsed {
        Ok(Command::Run(options)) => sensible(options),
        Ok(Command::Help | Command::Version) => {}
        Err(errors) => errors.iter().for_each(|error| one_line(error)),
    }
    joined(&args, &parsed);
    if let Some(text) = args[0].to_str() {
        password(text);
    }
}

fn read(args: &[OsString]) -> Result<Command, Vec<String>> {
    let name = std::iter::once(OsString::from("pingstate"));
    parse(name.chain(args.to_vec()))
}

/// An error is one printable line.
fn one_line(error: &str) {
    assert!(!error.contains(char::is_control) && error.chars().count() < 1000, "{error:?}");
}

fn sensible(options: &Options) {
    assert!((1..=TARGETS_MAX).contains(&options.targets.len()) || options.config.is_some());
    assert!(options.config.is_some() || !options.check_config);
    assert!(options.daemon.dns.iter().all(|server| server.port() > 0));
    options.targets.iter().for_each(sensible_target);
    // Building would read the file.
    let reads = |options: &TargetOptions| reads_files(&options.settings);
    if options.targets.len() < 10 && !options.targets.iter().any(reads) {
        match targets::monitors(&options.targets, true, Log::new()) {
            Ok(monitors) => assert_eq!(monitors.len(), options.targets.len()),
            Err(errors) => errors.iter().for_each(|error| one_line(error)),
        }
    }
}

fn reads_files(settings: &Settings) -> bool {
    let files = [
        &settings.ca_file,
        &settings.cert,
        &settings.body_file,
        &settings.basic_auth_file,
        &settings.header_file,
        &settings.token_file,
    ];
    files.into_iter().any(Option::is_some)
}

fn sensible_target(options: &TargetOptions) {
    let settings = &options.settings;
    assert!(settings.fall != Some(0) && settings.rise != Some(0) && settings.probe.max_body != Some(0));
    assert!(settings.slow_clear.is_none_or(|clear| Some(clear) < settings.slow && !clear.is_zero()));
    assert!(settings.notifications.on_change.as_ref().is_none_or(|words| !words[0].is_empty()));
    let spans = [settings.probe.timeout, settings.interval, settings.interval_down, settings.interval_fast];
    let spans = spans.into_iter().chain([settings.retry_interval, settings.notifications.hook_timeout]);
    assert!(spans.flatten().all(|span| !span.is_zero()));
    match &options.target {
        TargetSpec::Url(url) => assert!(!url.is_empty()),
        TargetSpec::Parts { port, .. } => assert_ne!(*port, Some(0)),
    }
}

/// The error does not repeat a password in a target.
fn password(text: &str) {
    if text.contains("Pa55") {
        return;
    }
    for target in [format!("http://me:Pa55word@{text}"), format!("me:Pa55word@{text}")] {
        if let Ok(Command::Run(options)) = read(&[target.into()]) {
            let error =
                targets::monitors(&options.targets, true, Log::new()).expect_err("it contains a password");
            assert!(!error.concat().contains("Pa55"), "{error:?}");
        }
    }
}

/// `--flag value` is the same as `--flag=value`.
fn joined(args: &[OsString], parsed: &Result<Command, Vec<String>>) {
    let [flag, value] = args else { return };
    let (Some(flag), Some(value)) = (flag.to_str(), value.to_str()) else { return };
    if let (true, Ok(command)) = (flag.len() > 2 && flag.starts_with("--") && !flag.contains('='), parsed) {
        let together = read(&[format!("{flag}={value}").into()]);
        let takes_none = together.as_ref().is_err_and(|error| error.concat().ends_with("takes no value"));
        assert!(takes_none || together.as_ref() == Ok(command), "{flag} {value}: {together:?}");
    }
}

/// `data` is a file.
pub fn config(data: &[u8]) {
    let loaded = parse_file(data);
    let lines = data.split(|byte| *byte == b'\n').count();
    for (line, error) in &loaded.errors {
        assert!(*line <= lines);
        one_line(error);
    }
    assert!(loaded.targets.len() <= TARGETS_MAX && !(loaded.targets.is_empty() && loaded.errors.is_empty()));
    loaded.targets.iter().for_each(sensible_target);
    if !data.contains(&b'\r') {
        let text = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
        let lines_of_text: Vec<_> = text.split(|byte| *byte == b'\n').collect();
        assert_eq!(parse_file(&[b"\xef\xbb\xbf", &lines_of_text.join(&b"\r\n"[..])[..]].concat()), loaded);
    }
    if lines == 1 {
        as_on_the_command_line(data, &loaded);
    }
    let reads = |options: &TargetOptions| reads_files(&options.settings);
    if loaded.targets.len() < 10 && !loaded.targets.iter().any(reads) {
        reload(&loaded);
    }
}

fn parse_file(data: &[u8]) -> Loaded {
    match read(&["--config=f".into()]) {
        Ok(Command::Run(options)) => options.config.expect("a file").parse(data),
        other => panic!("{other:?}"),
    }
}

/// A target has the same settings in a file as on the command line.
fn as_on_the_command_line(line: &[u8], loaded: &Loaded) {
    let ([target], []) = (&loaded.targets[..], &loaded.errors[..]) else { return };
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let text = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).expect("UTF-8");
    let mut words = split(text).expect("words").into_iter();
    let name = words.next().map(|name| format!("--name={name}")).expect("a name");
    let args: Vec<OsString> = std::iter::once(name).chain(words).map(OsString::from).collect();
    if let Ok(Command::Run(options)) = read(&args) {
        let [same] = &options.targets[..] else { panic!("{args:?}") };
        assert_eq!((&same.name, &same.target), (&target.name, &target.target));
        assert_eq!(same.settings, target.settings);
    }
}

/// A reload of an unchanged file keeps all targets.
fn reload(loaded: &Loaded) {
    let mut errors = Vec::new();
    let (started, fingerprints) = targets::updates(&loaded.targets, &[], true, Log::new(), &mut errors);
    errors.iter().for_each(|(_, error)| one_line(error));
    assert!(started.iter().all(|next| matches!(next, TargetUpdate::Start(_))));
    if errors.is_empty() && loaded.errors.is_empty() {
        let monitors = started.into_iter().filter_map(|update| match update {
            TargetUpdate::Start(monitor) => Some(monitor),
            _ => None,
        });
        let running = Targets::new(monitors.collect(), test_now());
        let present: Vec<_> = fingerprints.iter().copied().zip(running.ids()).collect();
        let (kept, same) = targets::updates(&loaded.targets, &present, true, Log::new(), &mut errors);
        assert!(
            kept.iter()
                .zip(running.ids())
                .all(|(next, id)| matches!(next, TargetUpdate::Keep(kept) if *kept == id))
        );
        assert_eq!((kept.len(), &same, errors.len()), (loaded.targets.len(), &fingerprints, 0));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn corpora_and_findings_pass() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        // A packaged crate has no corpora.
        for (name, property) in [("args", args as fn(&[u8])), ("config", config)] {
            for inner in ["corpus", "findings"] {
                for entry in fs::read_dir(directory.join(inner).join(name)).into_iter().flatten() {
                    property(&fs::read(entry.expect("an entry").path()).expect("readable"));
                }
            }
            property(b"");
        }
    }

    #[test]
    fn passwords_in_targets_are_not_repeated() {
        for text in ["h", "h:99999/", "h/\x07", "", "://x"] {
            password(text);
        }
    }
}
