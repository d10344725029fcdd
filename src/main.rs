//! The pingstate command: reads the command line, starts the daemon, tells people what happens.

mod cli;

use std::process::ExitCode;

use cli::log::{Log, Priority};
use cli::{Command, Options};
use pingstate::{Checked, Monitor, Server, State, check_all};

fn main() -> ExitCode {
    let log = Log::new();
    match cli::parse(std::env::args_os()) {
        Ok(Command::Help) => printed(cli::HELP),
        Ok(Command::Version) => printed(cli::VERSION),
        Ok(Command::Run(options)) => run(&options, log),
        Err(line) => usage_error(&line, log),
    }
}

fn printed(text: &str) -> ExitCode {
    ExitCode::from(if cli::log::print(text) { cli::EXIT_OK } else { cli::EXIT_FAILED })
}

fn usage_error(line: &str, log: Log) -> ExitCode {
    log.error(line);
    ExitCode::from(cli::EXIT_USAGE)
}

fn run(options: &Options, log: Log) -> ExitCode {
    let monitors = match cli::targets::monitors(options, log) {
        Ok(monitors) => monitors,
        Err(line) => return usage_error(&line, log),
    };
    if options.once {
        return once(monitors, options, log);
    }
    match serve(monitors, options, log) {
        Ok(()) => ExitCode::from(cli::EXIT_OK),
        Err(line) => {
            log.error(&line);
            ExitCode::from(cli::EXIT_FAILED)
        }
    }
}

/// Watches and serves until a signal says stop.
fn serve(monitors: Vec<Monitor>, options: &Options, log: Log) -> Result<(), String> {
    let what = match &monitors[..] {
        [monitor] => monitor.target().to_owned(),
        several => format!("{} targets", several.len()),
    };
    let mut builder = Server::builder(monitors)
        .names(cli::targets::names(options))
        .stop_on_signals()
        .notify_systemd()
        .on_check(move |checked| tell_change(checked, log))
        .on_notice(move |notice| log.line(Priority::Warning, &notice.text));
    for host in &options.api_allow_hosts {
        builder = builder.allow_host(host);
    }
    let mut server = builder
        .bind(options.api)
        .map_err(|error| format!("cannot serve on {}: {}", options.api, cli::log::plain(&error)))?;
    let every = options.interval.as_secs_f64();
    log.line(
        Priority::Info,
        &format!("probing {what} every {every} s, serving on http://{}", server.address()),
    );
    server.run().map_err(|error| format!("cannot go on: {}", cli::log::plain(&error)))?;
    log.line(Priority::Info, "stopped");
    Ok(())
}

/// Checks every target once and prints a line each.
fn once(monitors: Vec<Monitor>, options: &Options, log: Log) -> ExitCode {
    let mut worst = cli::EXIT_OK;
    let checked = check_all(monitors, cli::targets::names(options), |checked| {
        cli::log::print(&cli::targets::result_line(checked));
        worst = worst.max(cli::targets::exit_code(checked.result));
    });
    if let Err(error) = checked {
        log.error(&format!("cannot go on: {}", cli::log::plain(&error)));
        worst = cli::EXIT_FAILED;
    }
    ExitCode::from(worst)
}

/// One line per change of state, nothing per ordinary check.
fn tell_change(checked: &Checked<'_>, log: Log) {
    let Some((from, lasted)) = checked.changed else { return };
    let priority = match checked.state {
        State::Down => Priority::Error,
        State::Degraded => Priority::Warning,
        State::Up | State::Unknown => Priority::Notice,
    };
    log.line(priority, &cli::targets::change_line(checked, from, lasted));
}
