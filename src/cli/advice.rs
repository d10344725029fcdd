//! Warnings about settings that are valid, but hardly meant.

use super::TargetOptions;
use super::log::{Log, Priority};
use crate::monitor::Monitor;
use crate::probe::durations::seconds;
use crate::text::shown;

/// Logs one line for each kind of warning, however many targets have it. `file` lists the targets.
pub(super) fn warn(targets: &[TargetOptions], file: Option<&str>, log: Log) {
    for find in [long_check, colon] {
        let mut found = targets.iter().filter_map(|options| Some((options.line, find(options)?)));
        let Some((line, text)) = found.next() else { continue };
        let place = file.map(|name| format!("{name}:{line}: ")).unwrap_or_default();
        let more = match found.count() {
            0 => String::new(),
            1 => " (and 1 more target)".to_owned(),
            count => format!(" (and {count} more targets)"),
        };
        log.line(Priority::Warning, &format!("{place}{text}{more}"));
    }
}

/// A check that can last until after the next one is due. Default timeouts are not reported.
fn long_check(options: &TargetOptions) -> Option<String> {
    let (settings, interval) = (&options.settings, options.interval());
    let retries = settings.retries.unwrap_or(0);
    let timeout = settings.probe.timeout.or(options.target.kind().map(|kind| kind.timeout()))?;
    let pause = settings.retry_interval.unwrap_or(Monitor::RETRY_INTERVAL);
    let what = if settings.probe.timeout.is_some() && timeout > interval {
        format!("--timeout: a check can take {}", seconds(timeout))
    } else if retries > 0 && timeout * (retries + 1) + pause * retries > interval {
        format!(
            "--retries: all attempts of a check can take {}",
            seconds(timeout * (retries + 1) + pause * retries)
        )
    } else {
        return None;
    };
    let interval = seconds(interval);
    Some(format!("{what}, but the next one is due after {interval} and is then skipped (raise --interval)"))
}

/// A name that ends with a colon, as in other formats of files.
fn colon(options: &TargetOptions) -> Option<String> {
    let name = options.name.as_deref().filter(|_| options.line > 0)?;
    let before = name.strip_suffix(':')?;
    Some(format!("NAME {}: the colon is a part of the name (write {})", shown(name), shown(before)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, parse};

    fn targets(args: &[&str]) -> Vec<TargetOptions> {
        let args: Vec<_> = ["pingstate"].iter().chain(args).map(Into::into).collect();
        match parse(args.into_iter()) {
            Ok(Command::Run(options)) => options.targets,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_check_that_can_outlast_the_interval_is_reported() {
        let end = "but the next one is due after 5 s and is then skipped (raise --interval)";
        let timeout = |time: &str| format!("--timeout: a check can take {time}, {end}");
        let retries = |time: &str| format!("--retries: all attempts of a check can take {time}, {end}");
        for (args, expected) in [
            (&["tcp://h:1"][..], None),
            (&["--interval=0.1", "tcp://h:1"], None),
            (&["--timeout=5", "tcp://h:1"], None),
            (&["--timeout=5.5", "tcp://h:1"], Some(timeout("5.5 s"))),
            (&["--timeout=60", "exec:x"], None),
            (&["--timeout=6", "--retries=2", "tcp://h:1"], Some(timeout("6 s"))),
            (&["--retries=1", "tcp://h:1"], None),
            (&["--retries=2", "tcp://h:1"], Some(retries("8 s"))),
            (&["--retries=1", "--retry-interval=100ms", "http://h"], Some(retries("10.1 s"))),
            (&["--retries=2", "--interval=8", "tcp://h:1"], None),
        ] {
            assert_eq!(long_check(&targets(args)[0]), expected, "{args:?}");
        }
    }
}
