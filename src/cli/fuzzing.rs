//! What must hold for any command line whatever; the fuzz target `args` calls it, and a test replays
//! that target's corpus.

// A property that does not hold is a panic, here as in a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::log::Log;
use super::{Command, Options, TARGETS_MAX, Target, TargetOptions, parse, targets};

/// Arguments that end with a line feed each.
pub(crate) fn args(data: &[u8]) {
    let args: Vec<OsString> =
        data.split(|byte| *byte == b'\n').map(|arg| OsString::from_vec(arg.to_vec())).collect();
    let parsed = read(&args);
    match &parsed {
        Ok(Command::Run(options)) => sensible(options),
        Ok(Command::Help | Command::Version) => {}
        Err(error) => one_line(error),
    }
    joined(&args, &parsed);
    if let Some(text) = args[0].to_str() {
        password(text);
    }
}

fn read(args: &[OsString]) -> Result<Command, String> {
    let name = std::iter::once(OsString::from("pingstate"));
    parse(name.chain(args.to_vec()))
}

/// An error is one line that can be shown.
fn one_line(error: &str) {
    assert!(!error.contains(char::is_control) && error.chars().count() < 1000, "{error:?}");
}

fn sensible(options: &Options) {
    assert!((1..=TARGETS_MAX).contains(&options.targets.len()) || options.config.is_some());
    assert!(options.config.is_some() || !options.check_config);
    assert!(options.daemon.dns.iter().all(|server| server.port() > 0));
    options.targets.iter().for_each(sensible_target);
    // The file would be read.
    let reads = |options: &TargetOptions| options.settings.http.ca_file.is_some();
    if options.targets.len() < 10 && !options.targets.iter().any(reads) {
        match targets::monitors(&options.targets, Log::new()) {
            Ok(monitors) => assert_eq!(monitors.len(), options.targets.len()),
            Err(error) => one_line(&error),
        }
    }
}

fn sensible_target(options: &TargetOptions) {
    let settings = &options.settings;
    assert!(settings.fall > 0 && settings.rise > 0 && settings.http.max_body != Some(0));
    assert!(settings.slow.is_none_or(|(slow, clear)| clear <= slow && !clear.is_zero()));
    assert!(settings.on_change.as_ref().is_none_or(|words| !words[0].is_empty()));
    let spans = [settings.timeout, settings.interval_down, settings.interval_fast];
    let spans = spans.into_iter().flatten().chain([settings.interval, settings.retry_interval]);
    assert!(spans.chain([settings.hook_timeout]).all(|span| !span.is_zero()));
    match &options.target {
        Target::Url(url) => assert!(!url.is_empty()),
        Target::Parts { port, .. } => assert!(*port > 0),
    }
}

/// A password in a target is not repeated where it is refused.
fn password(text: &str) {
    if text.contains("Pa55") {
        return;
    }
    for target in [format!("http://me:Pa55word@{text}"), format!("me:Pa55word@{text}")] {
        if let Ok(Command::Run(options)) = read(&[target.into()]) {
            let error = targets::monitors(&options.targets, Log::new()).expect_err("it holds a password");
            assert!(!error.contains("Pa55"), "{error}");
        }
    }
}

/// `--flag value` is the same as `--flag=value`.
fn joined(args: &[OsString], parsed: &Result<Command, String>) {
    let [flag, value] = args else { return };
    let (Some(flag), Some(value)) = (flag.to_str(), value.to_str()) else { return };
    if let (true, Ok(command)) = (flag.len() > 2 && flag.starts_with("--") && !flag.contains('='), parsed) {
        let together = read(&[format!("{flag}={value}").into()]);
        let takes_none = together.as_ref().is_err_and(|error| error.ends_with("takes no value"));
        assert!(takes_none || together.as_ref() == Ok(command), "{flag} {value}: {together:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn what_fuzzers_have_found_stays_right() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        // A packaged crate has none.
        for inner in ["corpus/args", "findings/args"] {
            for entry in fs::read_dir(directory.join(inner)).into_iter().flatten() {
                args(&fs::read(entry.expect("an entry").path()).expect("readable"));
            }
        }
        args(b"");
    }

    #[test]
    fn passwords_in_targets_are_not_repeated() {
        for text in ["h", "h:99999/", "h/\x07", "", "://x"] {
            password(text);
        }
    }
}
