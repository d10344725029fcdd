//! Arguments that cannot be read.

use super::*;

#[test]
fn a_missing_value_is_detected_before_the_next_flag() {
    assert_eq!(refusal(&["--port"]), "--port: missing value");
    let error = refusal(&["--name", "--once"]);
    assert_eq!(error, "--name: missing value before `--once` (or write --name=VALUE)");
    assert!(refusal(&["--name", "-h"]).contains("missing value"));
    assert!(refusal(&["--name", "--"]).contains("missing value"));
    assert_eq!(refusal(&["--once=1"]), "--once: takes no value");
}

#[test]
fn unknown_flags_are_named_and_similar_ones_suggested() {
    assert_eq!(refusal(&["--foo"]), "unknown option --foo (see --help)");
    assert_eq!(refusal(&["--foo=1"]), "unknown option --foo (see --help)");
    assert_eq!(refusal(&["-x"]), "unknown option -x (see --help)");
    assert_eq!(refusal(&["-1"]), "unknown option -1 (see --help)");
    for (typed, meant) in [
        ("--prot", "--protocol"),
        ("--addr", "--address"),
        ("--ports", "--port"),
        ("--prt", "--port"),
        ("--porrt", "--port"),
        ("--pory", "--port"),
        ("--prot=tcp", "--protocol"),
        ("--pahts", "--path"),
        ("--headers", "--header"),
        ("--intreval", "--interval"),
        ("--no-verify", "--no-verify-tls"),
    ] {
        let error = refusal(&[typed]);
        if typed == "--pahts" {
            assert!(error.ends_with("(see --help)"), "two typing errors");
        } else {
            assert!(error.ends_with(&format!("(did you mean {meant}?)")), "{error}");
        }
    }
    assert!(refusal(&["--\x1b[2J"]).contains("--\\u{1b}[2J"));
}

#[test]
fn arguments_must_be_text() {
    use std::os::unix::ffi::OsStringExt;
    let bad = || OsString::from_vec(b"tcp://\xff:1".to_vec());
    let parse_all = |args: Vec<OsString>| parse(args.into_iter());
    assert_eq!(parse_all(vec!["p".into(), bad()]), Err(vec!["TARGET: is not UTF-8".into()]));
    assert_eq!(
        parse_all(vec!["p".into(), "--name".into(), bad()]),
        Err(vec!["--name: the value is not UTF-8".into()])
    );
    let flag = OsString::from_vec(b"--na\xffme".to_vec());
    assert!(parse_all(vec!["p".into(), flag]).unwrap_err()[0].starts_with("unknown option --na"));
    assert!(parse_all(vec![bad()]).is_ok(), "the program's own name may be anything");
    assert!(parse_all(vec![]).is_ok());
}

#[test]
fn all_wrong_arguments_are_reported() {
    let errors = command(&["--fall=x", "", "--rise=0", "--dns=1", "--dns=1"]).expect_err("they are wrong");
    let expected = [
        "--fall: `x` is not a whole number",
        "TARGET: is empty",
        "--rise: 0 is not between 1 and 1000000",
        "--dns: `1` is not ADDRESS[:PORT], like 9.9.9.9 or [2620:fe::fe]:53",
    ];
    assert_eq!(errors, expected);
}

#[test]
fn wrong_settings_of_the_page_are_reported() {
    let errors = command(&["--api-page=no", "--api-frame=home.example", "--api-frame=https://h/path"]);
    let expected = [
        "--api-page: `no` is not on or off",
        "--api-frame: `home.example` is not an origin (https://home.example) or *",
        "--api-frame: `https://h/path` is not an origin (https://home.example) or *",
    ];
    assert_eq!(errors.expect_err("they are wrong"), expected);
}

#[test]
fn methods_are_sent_in_upper_case() {
    assert_eq!(settings(&["--protocol=http", "--method=head"]).probe.method.as_deref(), Some("HEAD"));
}

/// The errors of the targets on this command line.
fn wrong_targets(args: &[&str]) -> Vec<String> {
    targets::monitors(&options(args).targets, true, log::Log::new()).expect_err("they are wrong")
}

#[test]
fn all_wrong_targets_are_reported() {
    let errors = wrong_targets(&["foo", "tcp://h:1", "tcp://h:0", "http://a b/", "foo"]);
    let expected = [
        "TARGET foo: `foo` is not a URL: it must begin with",
        "TARGET tcp://h:0: port `0` is not between",
        "TARGET http://a b/: ",
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:?}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.starts_with(expected), "{error}");
    }
    assert_eq!(
        wrong_targets(&["--check=x", "tcp://h:1", "tcp://h:2"]).len(),
        1,
        "the flag is wrong, not they"
    );
    let twice = wrong_targets(&["tcp://h:1", "tcp://i:1", "tcp://h:1", "TCP://h:1", "tcp://i:1/"]);
    assert_eq!(twice, ["duplicate TARGET tcp://h:1", "duplicate TARGET tcp://i:1"]);
    let many: Vec<String> = (0..TARGETS_MAX).map(|i| format!("h{i}")).collect();
    let errors = wrong_targets(&many.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((errors.len(), errors[1000].starts_with("too many errors")), (1001, true));
}

#[test]
fn a_name_before_a_url_gets_a_hint() {
    for target in ["web:", "web:https://h", "web: https://h", "web:dns:h", "nas:heartbeat:"] {
        let expected = format!(
            "TARGET {target}: a NAME cannot precede a URL here (use --name, or list NAME URL in a file for --config)"
        );
        assert_eq!(wrong_targets(&[target]), [expected]);
    }
    assert_eq!(wrong_targets(&["web:https://me:pw@h"])[0].split(": a NAME").next(), Some("TARGET …@h"));
    for target in ["h:443", "web://h", "http:x", "exec://h", "web:1:https"] {
        assert!(!wrong_targets(&[target])[0].contains("NAME cannot"), "{target}");
    }
}
