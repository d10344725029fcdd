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
    assert_eq!(parse_all(vec!["p".into(), bad()]), Err("TARGET: is not UTF-8".into()));
    assert_eq!(
        parse_all(vec!["p".into(), "--name".into(), bad()]),
        Err("--name: the value is not UTF-8".into())
    );
    let flag = OsString::from_vec(b"--na\xffme".to_vec());
    assert!(parse_all(vec!["p".into(), flag]).unwrap_err().starts_with("unknown option --na"));
    assert!(parse_all(vec![bad()]).is_ok(), "the program's own name may be anything");
    assert!(parse_all(vec![]).is_ok());
}
