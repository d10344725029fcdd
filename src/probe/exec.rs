//! The kind exec: it runs a program, such as a Nagios plugin, and evaluates its exit status and first line.

use std::sync::Arc;
use std::time::Duration;

use super::build::{Error, Plan, ProbeBuilder};
use super::durations::seconds;
use super::kinds::Info;
use super::{Attempt, Exit, Input, Output, Program};
use crate::clock::Now;
use crate::result::{ProbeResult, ProbeWarning, Reason};
use crate::text::words::command;
use crate::wire::url::{Form, Scheme, Url};

static SCHEME: Scheme = Scheme::new("exec", Form::Text);

pub(super) static EXEC: Info = Info {
    interval: Duration::from_secs(60),
    default_name: |_| None,
    shown_url,
    ..Info::new(&SCHEME, 0, ProbeBuilder::EXEC_TIMEOUT, build)
};

/// Exit statuses of the plugin API whose meaning the line of output states: critical and unknown.
const DESCRIBED: [i32; 2] = [2, 3];

/// The program without its arguments, which may contain secrets.
fn shown_url(url: &Url) -> String {
    let words = command(&url.path).unwrap_or_default();
    format!("{}:{}", SCHEME.name, words.first().map_or("", String::as_str))
}

fn build(url: Url, timeout: Duration, _probe: &mut ProbeBuilder) -> Result<Arc<dyn Plan>, Error> {
    let program = Program::new(command(&url.path).map_err(Error::Url)?);
    Ok(Arc::new(ExecPlan { program, timeout }))
}

struct ExecPlan {
    program: Program,
    timeout: Duration,
}

impl Plan for ExecPlan {
    fn begin(self: Arc<Self>, now: Now) -> Box<dyn Attempt> {
        let output = Some(Output::Exec(self.program.clone()));
        Box::new(ExecAttempt { plan: self, started_at: now, output })
    }

    fn runs_program(&self) -> bool {
        true
    }
}

struct ExecAttempt {
    plan: Arc<ExecPlan>,
    started_at: Now,
    output: Option<Output>,
}

impl Attempt for ExecAttempt {
    fn handle_input(&mut self, input: Input<'_>, now: Now) {
        let result = match input {
            Input::Exited(exit, output) => evaluate(exit, output, now.since(self.started_at)),
            Input::Failed(failure) => failure.into(),
            Input::TimedOut => {
                let detail =
                    format!("timed out after {}: the program was killed", seconds(self.plan.timeout));
                ProbeResult::down(Reason::Exec, &detail)
            }
            _ => return,
        };
        self.output = Some(Output::Done(result));
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.output.take()
    }
}

fn evaluate(exit: Exit, output: &[u8], latency: Duration) -> ProbeResult {
    let line = first_line(output);
    let described = |what: String| match line.is_empty() {
        true => what,
        false => format!("{what}: {line}"),
    };
    let failed = |detail: &str| ProbeResult::down(Reason::Exec, detail).with_latency(latency);
    match exit {
        Exit::Status(status) if line.is_empty() && ![0, 1].contains(&status) => {
            failed(&format!("exit status {status} without output"))
        }
        Exit::Status(status) if DESCRIBED.contains(&status) => failed(&line),
        Exit::Status(status @ (0 | 1)) => {
            let detail = if line.is_empty() { format!("exit status {status}") } else { line };
            let mut result = ProbeResult::up(latency, &detail);
            if status == 1 {
                result.warnings.insert(ProbeWarning::Plugin);
            }
            result
        }
        Exit::Status(status) => failed(&described(format!("exit status {status}"))),
        Exit::Signal(signal) => failed(&described(format!("ended by signal {signal}"))),
    }
}

/// The first line with text, up to the performance data after `|`.
fn first_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let text = text.trim_start_matches('\u{feff}');
    let lines = text.lines().map(|line| line.split('|').next().unwrap_or_default().trim());
    lines.into_iter().find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::build::{ProbeBuilder, probe};
    use crate::probe::harness::Harness;
    use crate::probe::{Probe, Program};
    use crate::result::Failure;

    const MS: Duration = Duration::from_millis(1);

    fn begin() -> Harness {
        let probe = probe("exec", "check 'a b' s3cret", None).name("p").build().expect("a probe");
        assert_eq!((probe.url(), probe.timeout()), ("exec:check", Duration::from_secs(10)));
        assert!(probe.runs_program());
        let mut harness = Harness::begin(&probe);
        assert_eq!(harness.program(), Program::new(["check", "a b", "s3cret"]));
        harness.wait(MS * 5);
        harness
    }

    fn exited(exit: Exit, output: &[u8]) -> ProbeResult {
        let mut harness = begin();
        harness.input(Input::Exited(exit, output));
        harness.result()
    }

    #[test]
    fn the_exit_status_decides_and_the_first_line_is_the_detail() {
        for (status, output, ok, detail) in [
            (0, "OK - load 0.1|load=0.1;1;2\nmore\n", true, "OK - load 0.1"),
            (0, "", true, "exit status 0"),
            (0, "|perf=1", true, "exit status 0"),
            (0, "\r\n\n  second  \r\n", true, "second"),
            (1, "WARNING - 85%", true, "WARNING - 85%"),
            (1, "\n", true, "exit status 1"),
            (2, "CRITICAL - 95% | x=1", false, "CRITICAL - 95%"),
            (3, "UNKNOWN", false, "UNKNOWN"),
            (2, "", false, "exit status 2 without output"),
            (4, "odd", false, "exit status 4: odd"),
            (127, "sh: x: not found\n", false, "exit status 127: sh: x: not found"),
            (255, "|", false, "exit status 255 without output"),
        ] {
            let result = exited(Exit::Status(status), output.as_bytes());
            assert_eq!((result.ok, result.detail.as_str()), (ok, detail), "{status}");
            assert_eq!(result.reason, (!ok).then_some(Reason::Exec));
            assert_eq!(result.warnings.contains(ProbeWarning::Plugin), status == 1);
            assert_eq!(result.latency, Some(MS * 5));
        }
    }

    #[test]
    fn a_signal_is_a_failure() {
        assert_eq!(exited(Exit::Signal(9), b"half a li").detail, "ended by signal 9: half a li");
        assert_eq!(exited(Exit::Signal(11), b"").detail, "ended by signal 11");
    }

    #[test]
    fn output_is_made_printable_and_cut() {
        let hostile = exited(Exit::Status(0), b"a\x1b[2J\xff\xfe\0b");
        assert_eq!(hostile.detail, "a\\u{1b}[2J\u{fffd}\u{fffd}\\u{0}b");
        let long = exited(Exit::Status(2), &[b'x'; 8192]);
        assert_eq!(long.detail.chars().count(), ProbeResult::DETAIL_MAX);
    }

    #[test]
    fn a_program_that_does_not_start_or_end_is_a_failure() {
        let mut harness = begin();
        harness.failed(Failure::new(Reason::Exec, "check could not be started"));
        assert_eq!(harness.result(), ProbeResult::down(Reason::Exec, "check could not be started"));
        let mut harness = begin();
        harness.input(Input::TimedOut);
        let detail = "timed out after 10 s: the program was killed";
        assert_eq!(harness.result(), ProbeResult::down(Reason::Exec, detail));
    }

    #[test]
    fn commands_are_validated() {
        let error = |text: &str| ProbeBuilder::from_url(text).name("p").build().expect_err(text).to_string();
        assert_eq!(error("exec:"), "url: the command is empty");
        assert_eq!(error("exec:'a"), "url: unclosed quote");
        assert!(error("exec:check | grep x").contains("is shell syntax"));
        let unnamed = ProbeBuilder::from_url("exec:check").build().expect_err("no name");
        assert_eq!(unnamed.to_string(), "name: is required for a target of the kind exec");
        let checked = probe("exec", "check", None).name("p").check("status:200").build();
        assert_eq!(checked.expect_err("a check").to_string(), "check: does not apply to exec");
    }
}
