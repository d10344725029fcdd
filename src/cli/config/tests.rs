//! Valid and invalid configuration files.

use std::time::Duration;

use super::*;
use crate::cli::options::RequestFlags;
use crate::cli::{Command, parse};

/// The file of a command line with these flags.
fn config(args: &[&str]) -> Config {
    let args = ["pingstate", "--config", "f"].iter().chain(args).map(Into::into).collect::<Vec<_>>();
    match parse(args.into_iter()) {
        Ok(Command::Run(options)) => *options.config.expect("a file"),
        other => panic!("{other:?}"),
    }
}

fn read(text: &str) -> Loaded {
    config(&[]).parse(text.as_bytes())
}

fn good(text: &str) -> Vec<TargetOptions> {
    let loaded = read(text);
    assert_eq!(loaded.errors, [], "{text:?}");
    loaded.targets
}

/// The errors, one per line: `LINE: error`.
fn errors(text: &[u8]) -> String {
    let errors = config(&[]).parse(text).errors;
    errors.iter().map(|(line, error)| format!("{line}: {error}\n")).collect()
}

fn one_error(line: &str) -> String {
    let message = errors(format!("good tcp://h:1\n{line}\nbetter tcp://h:2\n").as_bytes());
    let message = message.strip_prefix("2: ").and_then(|message| message.strip_suffix('\n'));
    let message = message.filter(|message| !message.contains('\n')).expect(line);
    message.to_owned()
}

#[test]
fn a_line_is_parsed_like_a_command_line() {
    let text = "# three targets\n\n\
        web https://example.com/healthz?x=#1 --check 'body_contains:all is well' --header 'A: b'  # good\n\
        \t \n\
        'the \"ssh\"' tcp://[::1]:22 --interval=60 --fall 3\r\n\
        plain http://h";
    let targets = good(text);
    let of = |target: &TargetOptions| (target.name.clone().unwrap_or_default(), target.line);
    let names = targets.iter().map(of).collect::<Vec<_>>();
    assert_eq!(names, [("web".to_owned(), 3), ("the \"ssh\"".to_owned(), 5), ("plain".to_owned(), 6)]);
    assert_eq!(targets[0].target, TargetSpec::Url("https://example.com/healthz?x=#1".into()));
    assert_eq!(targets[0].settings.probe.checks, ["body_contains:all is well"]);
    assert_eq!(targets[0].settings.probe.headers, [("A".to_owned(), "b".to_owned())]);
    assert_eq!(targets[1].settings.interval, Some(Duration::from_secs(60)));
    assert_eq!((targets[1].settings.fall, targets[2].settings.fall), (Some(3), None));
}

#[test]
fn lines_of_flags_apply_to_the_lines_below_and_later_values_override() {
    let config = config(&["--interval", "9", "--fall", "4", "--header", "A: 1"]);
    let text = "a http://h\n--interval 8 --header 'B: 2'\nb http://h\n--interval 7\n\
        c http://h --header 'C: 3' --interval 6\nd http://h\n";
    let loaded = config.parse(text.as_bytes());
    assert_eq!(loaded.errors, []);
    let seconds = |target: &TargetOptions| target.settings.interval.map_or(5, |interval| interval.as_secs());
    assert_eq!(loaded.targets.iter().map(seconds).collect::<Vec<_>>(), [9, 8, 6, 7]);
    assert!(loaded.targets.iter().all(|target| target.settings.fall == Some(4)));
    let headers = |target: &TargetOptions| target.settings.probe.headers.len();
    assert_eq!(loaded.targets.iter().map(headers).collect::<Vec<_>>(), [1, 2, 3, 2]);
}

#[test]
fn an_interval_equal_to_the_default_is_removed() {
    let targets = good("--interval 60\na tcp://h:1 --interval-down 60 --interval-fast 60\nb tcp://h:1\n");
    assert_eq!(targets[0].settings, targets[1].settings);
}

#[test]
fn settings_without_effect_on_a_tcp_target_are_removed() {
    let one = good("a tcp://h:1\n");
    let other = good("--method HEAD --no-verify-tls --retry-interval 3 --hook-first\na tcp://h:1\n");
    assert_eq!(one[0].settings, other[0].settings);
    let shared =
        good("--method HEAD\na tcp://h:1\nb http://h\nc tcp://i:1\nd http://i\n--fall 2\ne tcp://h:1\n");
    let same = |a: usize, b: usize| Rc::ptr_eq(&shared[a].settings, &shared[b].settings);
    assert!(same(0, 2) && same(1, 3) && !same(0, 1) && !same(0, 4));
    assert_eq!(shared[0].settings, shared[4].settings);
}

#[test]
fn the_command_line_overrides_the_files_flags_of_the_daemon() {
    let text = b"--api-port 1 --dns ::1\na tcp://h:1\n--api-host ::1 --dns ::2 --api-allow-host x\n";
    let daemon = config(&[]).parse(text).daemon;
    assert_eq!(daemon.api.to_string(), "[::1]:1");
    assert_eq!(
        daemon.dns.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["[::1]:53"],
        "before the first target"
    );
    assert_eq!(daemon.api_allow_hosts, ["x"]);
    let over = config(&["--api-port=2", "--dns=1.1.1.1", "--api-allow-host=y"]).parse(text).daemon;
    assert_eq!(over.api.to_string(), "[::1]:2");
    assert_eq!(over.dns, daemon.dns, "the file's flags of targets replace those of the command line");
    assert_eq!(over.api_allow_hosts, ["y"]);
}

#[test]
fn byte_order_marks_and_crlf_are_ignored() {
    let targets = config(&[]).parse(b"\xef\xbb\xbf--fall 3\r\na tcp://h:1\r\n\r\n# x\r\n");
    assert_eq!(
        (targets.errors.len(), targets.targets.len(), targets.targets[0].settings.fall),
        (0, 1, Some(3))
    );
}

#[test]
fn errors_have_line_numbers() {
    for (line, message) in [
        ("ssh", "expected NAME URL, but no URL follows `ssh`"),
        ("ssh --fall 3", "expected NAME URL, but no URL follows `ssh`"),
        ("ssh ''", "expected NAME URL, but no URL follows `ssh`"),
        ("heartbeat: --interval 1d", "expected NAME URL, but no name precedes `heartbeat:`"),
        ("exec: /bin/true", "expected NAME URL, but no name precedes `exec:`"),
        ("https://me:pw@h/", "expected NAME URL, but no name precedes `…@h/`"),
        ("a tcp://h:1 b", "unexpected `b`: a line contains one target"),
        ("a tcp://h:1 b:pw@h", "unexpected `…@h`: a line contains one target"),
        ("good tcp://h:3", "duplicate name \"good\" (first used on line 1)"),
        ("a 'tcp://h:1", "unclosed quote"),
        ("a \"tcp://h:1", "unclosed quote"),
        ("a tcp://h:1 \\", "trailing backslash: a line cannot be continued"),
        ("a tcp://h:1 --frob", "unknown option --frob (see --help)"),
        ("a tcp://h:1 --fal 3", "unknown option --fal (did you mean --fall?)"),
        ("a tcp://h:1 --slow-clea 3", "unknown option --slow-clea (did you mean --slow-clear?)"),
        ("a tcp://h:1 -x", "unknown option -x (see --help)"),
        ("a tcp://h:1 --fall", "--fall: missing value"),
        ("a tcp://h:1 --fall --rise", "--fall: missing value before `--rise` (or write --fall=VALUE)"),
        ("a tcp://h:1 --hook-first=1", "--hook-first: takes no value"),
        ("a tcp://h:1 --interval 0", "--interval: 0 is not between 0.001 and 315360000 seconds"),
        ("a tcp://h:1 --method GET", "--method: is for http and https, but the target is tcp"),
        (
            "a tcp://h:1 --api-port 1",
            "--api-port: does not apply to a single target: move it to a line of flags",
        ),
        ("a tcp://h:1 --port 1", "--port: cannot be used in a file: NAME URL states it"),
        ("a tcp://h:1 --name b", "--name: cannot be used in a file: NAME URL states it"),
        ("--address h", "--address: cannot be used in a file: NAME URL states it"),
        ("a tcp://h:1 --once", "--once: is only allowed on the command line"),
        ("--config x", "--config: is only allowed on the command line"),
        ("--check-config", "--check-config: is only allowed on the command line"),
        ("--help", "--help: is only allowed on the command line"),
        ("a tcp://h:1 -V", "--version: is only allowed on the command line"),
        ("--fall 3 a tcp://h:1", "`a` is not a flag: a line that begins with a flag contains only flags"),
        ("-- a", "`a` is not a flag: a line that begins with a flag contains only flags"),
        ("--slow 3 --slow-clear 4", "--slow-clear: must not exceed --slow"),
        ("a tcp://h:1 --slow 3 --slow-clear 4", "--slow-clear: must not exceed --slow"),
        ("a tcp://h:1 --slow-clear 4", "--slow-clear: needs --slow"),
        ("a tcp://h:1 --slow 0", "--slow: 0 is not between 0.001 and 3600000 milliseconds"),
        ("a tcp://h:1 --slow 5x", "--slow: `5x` is not a time, like 500, 500ms or 2s"),
        ("a tcp://h:1 --retries 101", "--retries: 101 is not between 0 and 100"),
        ("a tcp://h:1 --retry-interval 1", "--retry-interval: needs --retries"),
        ("a tcp://h:1 --retry-interval 1 --retries 0", "--retry-interval: needs --retries"),
        ("a https://h --no-verify-tls --ca-file x", "--ca-file: has no effect with --no-verify-tls"),
        ("a tcp://h:1 --hook-first", "--hook-first: needs --on-change or --webhook"),
        ("a tcp://h:1 --hook-timeout 1", "--hook-timeout: needs --on-change"),
        ("a tcp://h:1 --on-change ''", "--on-change: the command is empty"),
        ("a tcp://h:1 --on-change '# x'", "--on-change: the command is empty"),
        ("a tcp://h:1 --on-change '\"\" x'", "--on-change: the command is empty"),
        ("a tcp://h:1 --on-change \"x 'y\"", "--on-change: unclosed quote"),
        ("a tcp://h:1 --on-change 'x\ty'", "--on-change: `x\\ty` contains a control character"),
        (
            "a tcp://h:1 --push-url http://h",
            "--push-url: does not apply to a single target: move it to a line of flags",
        ),
        ("--push-url secret", "--push-url: the URL does not begin with http:// or https://"),
        ("--alive-interval 0.9", "--alive-interval: 0.9 is not between 1 and 86400 seconds"),
        ("a tcp://h:1 --webhook-format text", "--webhook-format: needs --webhook"),
        ("a tcp://h:1 --webhook-text-key content", "--webhook-text-key: needs --webhook"),
        ("a tcp://h:1 --webhook-header-file f", "--webhook-header-file: needs --webhook"),
        (
            "a tcp://h:1 --webhook http://h --webhook-format xml",
            "--webhook-format: `xml` is not json or text",
        ),
        ("a tcp://h:1 --notify all", "--notify: needs --on-change or --webhook"),
        ("a tcp://h:1 --webhook http://h --notify up", "--notify: `up` is not down or all"),
        ("a tcp://h:1 --webhook http://h --remind 59", "--remind: 59 is less than 60 seconds"),
        ("a tcp://h:1 --webhook ftp://secret/", "--webhook: the URL does not begin with http:// or https://"),
    ] {
        assert_eq!(one_error(line), message, "{line}");
    }
    assert_eq!(one_error(&"x".repeat(LINE_MAX + 1)), "the line is longer than 64 KiB");
    let all = errors(b"a tcp://h:1 --fall x --rise y\na\0b\nc \xff\na --interval\n--port 1 --fall 0 z\n");
    let expected = "1: --fall: `x` is not a whole number\n1: --rise: `y` is not a whole number\n\
        2: the line contains a NUL byte\n3: the line is not UTF-8\n\
        4: expected NAME URL, but no URL follows `a`\n\
        5: --fall: 0 is not between 1 and 1000000\n5: --port: cannot be used in a file: NAME URL states it\n";
    assert_eq!(all, expected);
    assert!(!all.contains('\0'));
}

#[test]
fn a_duplicate_name_is_reported_with_the_other_errors() {
    let message = errors(b"a tcp://h:1 --fall x\n\na tcp://h:2 --rise y\n");
    let expected = "1: --fall: `x` is not a whole number\n3: duplicate name \"a\" (first used on line 1)\n\
        3: --rise: `y` is not a whole number\n";
    assert_eq!(message, expected);
}

#[test]
fn a_file_without_targets_is_an_error() {
    for text in ["", "\n", "# a tcp://h:1\n", "--fall 3\n", "\u{feff}"] {
        assert_eq!(
            errors(text.as_bytes()),
            "0: no targets: expected lines of the form NAME URL [--FLAG VALUE…]\n"
        );
    }
}

#[test]
fn targets_and_errors_are_limited() {
    let lines = |count: usize| (0..count).map(|i| format!("n{i} tcp://h:1\n")).collect::<String>();
    assert_eq!(good(&lines(TARGETS_MAX)).len(), TARGETS_MAX);
    let message = errors(lines(TARGETS_MAX + 5).as_bytes());
    assert_eq!(message, "10001: too many targets: at most 10000 are allowed\n");
    let message = errors("x\n".repeat(5000).as_bytes());
    assert_eq!(message.lines().count(), ERRORS_MAX + 1);
    assert!(message.ends_with("1000: too many errors: the rest of the file was not checked\n"));
}

#[test]
fn targets_cannot_be_combined_with_a_file() {
    let refusal = |args: &[&str]| {
        let args: Vec<_> = ["pingstate"].iter().chain(args).map(Into::into).collect();
        parse(args.into_iter()).expect_err("it is invalid").concat()
    };
    let beside = "cannot be combined with --config: the file lists the targets";
    let slow = refusal(&["--config=f", "--slow=5", "--slow-clear=9"]);
    assert_eq!(slow, "--slow-clear: must not exceed --slow", "an error of the command line");
    assert_eq!(refusal(&["--config=f", "--port=1"]), format!("--port: {beside}"));
    assert_eq!(refusal(&["--name=x", "--config=f"]), format!("--name: {beside}"));
    let target = refusal(&["--config", "f", "tcp://h:1"]);
    assert_eq!(target, "--config: cannot be combined with TARGET: the file lists the targets");
    assert_eq!(refusal(&["--check-config"]), "--check-config: needs --config, which names the file");
    assert_eq!(refusal(&["--config="]), "--config: the value is empty");
    let twice = "--config: is given twice: list all targets in one file";
    assert_eq!(refusal(&["--config=f", "--config", "g"]), twice);
}

#[test]
fn checks_replace_those_of_the_lines_above() {
    let targets = good(
        "--check status:200\n--check status:201 --check body_contains:x\na http://h:1\n\
         b http://h:2 --check status:202 --check status:203\nc http://h:3 --timeout 9\n\
         --check status:204\nd http://h:4\ne http://h:5 --check ''\n",
    );
    let checks: Vec<_> = targets.iter().map(|target| target.settings.probe.checks.clone()).collect();
    assert_eq!(
        checks,
        [
            &["status:201", "body_contains:x"][..],
            &["status:202", "status:203"],
            &["status:201", "body_contains:x"],
            &["status:204"],
            &[""],
        ]
    );
}

#[test]
fn parents_replace_those_of_the_lines_above() {
    let targets = good(
        "--depends x\n--depends a --depends b\na tcp://h:1\nb tcp://h:2 --depends c --depends d\n\
         c tcp://h:3 --timeout 9\n--depends e\nd tcp://h:4\n",
    );
    let depends = targets.iter().map(|target| &target.settings.depends);
    let depends: Vec<_> = depends.map(|depends| (depends.names.join("+"), depends.is_own)).collect();
    let expected = [("a+b", false), ("c+d", true), ("a+b", false), ("e", false)];
    assert_eq!(depends, expected.map(|(names, is_own)| (names.to_owned(), is_own)));
    assert_eq!(one_error("a tcp://h:1 --depends ''"), "--depends: is empty");
    let many = (0..17).map(|number| format!(" --depends {number}")).collect::<String>();
    assert_eq!(one_error(&format!("a tcp://h:1{many}")), "--depends: at most 16 are allowed");
}

#[test]
fn periodic_requests_of_the_file_have_the_ca_file_above_them() {
    let text = b"--ca-file a\n--push-url https://h/a\n--ca-file b\n--push-interval 30\na tcp://h:1\n";
    let push = config(&[]).parse(text).daemon.push;
    let file = RequestFlags {
        url: Some("https://h/a".into()),
        interval: Some(Duration::from_secs(30)),
        header_file: None,
        ca_file: Some("a".into()),
    };
    assert_eq!(push, file);
    let push = config(&["--push-url=http://h/b", "--ca-file=c"]).parse(text).daemon.push;
    assert_eq!(push, RequestFlags { url: Some("http://h/b".into()), ca_file: Some("c".into()), ..file });
}
