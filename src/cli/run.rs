//! Runs the command: reads the command line, then checks once or serves until a signal arrives.

use std::io::{self, ErrorKind};
use std::process::ExitCode;

use super::lines;
use super::log::{Log, Priority};
use super::request_files::command_line_warning;
use super::start::Start;
use super::{Command, Options};
use crate::fsm::State;
use crate::library::{CheckEvent, Server, check_in_order, send_test_messages};
use crate::monitor::Target;

pub fn main() -> ExitCode {
    let log = Log::new();
    match super::parse(std::env::args_os()) {
        Ok(Command::Help) => printed(&super::help(), log),
        Ok(Command::Version) => printed(super::VERSION, log),
        Ok(Command::Run(options)) => run(*options, log),
        Err(lines) => usage_errors(&lines, log),
    }
}

fn printed(text: &str, log: Log) -> ExitCode {
    exit_code(super::log::print(text), super::EXIT_OK, log)
}

/// The exit code if the output was written, or that for output that was not.
fn exit_code(written: io::Result<()>, code: u8, log: Log) -> ExitCode {
    ExitCode::from(match written {
        Ok(()) => code,
        Err(error) => {
            let line = format!("cannot write to standard output: {}", super::log::plain(&error));
            log.line(Priority::Error, &line);
            super::EXIT_OUTPUT
        }
    })
}

fn usage_errors(lines: &[String], log: Log) -> ExitCode {
    log.errors(lines);
    ExitCode::from(super::EXIT_USAGE)
}

fn run(options: Options, log: Log) -> ExitCode {
    let (once, json) = (options.once, options.json);
    let (check_config, test_notify) = (options.check_config, options.test_notify);
    let log = if once || check_config || test_notify { log } else { log.of_daemon() };
    let warning = command_line_warning(&options);
    let start = match Start::new(options, log) {
        Ok(start) => start,
        Err(lines) => return usage_errors(&lines, log),
    };
    let log = start.log;
    if let Some(warning) = warning {
        log.line(Priority::Warning, &warning);
    }
    if let (true, Some(source)) = (check_config, &start.source) {
        return printed(&source.approval(), log);
    }
    if test_notify {
        return test_notifications(start, log);
    }
    if once {
        return check_once(start, json, log);
    }
    match serve(start, log) {
        Ok(()) => ExitCode::from(super::EXIT_OK),
        Err(line) => {
            log.line(Priority::Error, &line);
            ExitCode::from(super::EXIT_FAILED)
        }
    }
}

/// Runs until SIGINT or SIGTERM, and reloads the file on SIGHUP.
fn serve(start: Start, log: Log) -> Result<(), String> {
    let Start { monitors, daemon, token, requests, every, mut source, .. } = start;
    let what = match &monitors[..] {
        [monitor] => monitor.url().to_owned(),
        several => format!("{} targets", several.len()),
    };
    if let Some(problem) = super::start::state_file_problem(&daemon) {
        log.line(Priority::Warning, &problem);
    }
    let mut builder = Server::builder(monitors)
        .resolver(super::targets::names(&daemon))
        .stop_on_signals()
        .reap_orphans()
        .notify_systemd()
        .history_days(daemon.history_days)
        .state_interval(daemon.state_interval)
        .on_check(move |checked| log_change(checked, log))
        .on_warning(move |notice| log.line(Priority::Warning, &notice.text));
    for host in daemon.api_allow_hosts {
        builder = builder.allow_host(host);
    }
    if let Some(token) = token {
        builder = builder.token(token.as_str());
    }
    if daemon.api_token_reads {
        builder = builder.protect_reads();
    }
    builder = builder.status_page(daemon.api_page);
    if let Some(origin) = daemon.api_frame {
        builder = builder.frame_ancestor(origin);
    }
    if let Some(path) = daemon.state_file {
        builder = builder.state_file(path);
    }
    if let Some(push) = requests.push {
        builder = builder.push(push);
    }
    if let Some(alive) = requests.alive {
        builder = builder.alive(alive);
    }
    if source.is_some() {
        builder = builder.reload_on_sighup();
    }
    let mut server = builder.bind(daemon.api).map_err(|error| {
        format!("cannot serve on {}: {}{}", daemon.api, super::log::plain(&error), remedy(&error))
    })?;
    log.line(
        Priority::Info,
        &format!("probing {what} every {every}, serving on http://{}", server.address()),
    );
    if source.is_some() {
        server.always_list();
    }
    while server.turn(None).map_err(cannot_continue)? {
        if let (true, Some(source)) = (server.take_reload_request(), &mut source) {
            source.reload(&mut server, log);
        }
    }
    log.line(Priority::Info, "stopped");
    Ok(())
}

/// What to do if the API's address cannot be bound.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => " (is pingstate already running? --api-port selects another port)",
        ErrorKind::AddrNotAvailable => " (--api-host must be an address of this machine)",
        ErrorKind::PermissionDenied => " (--api-port below 1024 needs root or CAP_NET_BIND_SERVICE)",
        _ => "",
    }
}

fn cannot_continue(error: io::Error) -> String {
    format!("cannot continue: {}", super::log::plain(&error))
}

fn check_once(start: Start, json: bool, log: Log) -> ExitCode {
    let (mut worst, mut written) = (super::EXIT_OK, Ok(()));
    let on_target = |target: &Target, now| {
        let line = if json { lines::json_line(target, now) } else { lines::result_line(target) };
        worst = worst.max(lines::exit_code(target));
        written = super::log::print(&line);
        written.is_ok()
    };
    let on_warning = |text: &str| log.line(Priority::Warning, text);
    let names = super::targets::names(&start.daemon);
    if let Err(error) = check_in_order(start.monitors, names, on_target, on_warning) {
        log.line(Priority::Error, &cannot_continue(error));
        worst = super::EXIT_FAILED;
    }
    exit_code(written, worst, log)
}

/// Prints the result of each hook and webhook.
fn test_notifications(start: Start, log: Log) -> ExitCode {
    let names = super::targets::names(&start.daemon);
    let (mut status, mut written) = (super::EXIT_OK, Ok(()));
    let on_result = |checked: &CheckEvent<'_>| {
        if let Err(error) = super::log::print(&lines::test_line(checked)) {
            written = Err(error);
        }
        if !checked.result.ok {
            status = super::EXIT_FAILED;
        }
    };
    match send_test_messages(start.monitors, names, on_result) {
        Ok(0) => usage_errors(&["--test-notify: no target has --on-change or --webhook".to_owned()], log),
        Ok(_) => exit_code(written, status, log),
        Err(error) => {
            log.line(Priority::Error, &cannot_continue(error));
            ExitCode::from(super::EXIT_FAILED)
        }
    }
}

fn log_change(checked: &CheckEvent<'_>, log: Log) {
    let Some((from, previous_state_duration)) = checked.changed else { return };
    let priority = if checked.state == State::Down { Priority::Error } else { Priority::Warning };
    log.line(priority, &lines::change_line(checked, from, previous_state_duration));
}
