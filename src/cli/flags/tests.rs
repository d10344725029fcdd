//! The table against help, manual, dictionaries and the list of kinds.

use std::ffi::OsString;

use super::*;
use crate::cli::{Command, Options, help, parse};
use crate::probe::kinds::ANY;

fn options(args: &[&str]) -> Options {
    let args: Vec<OsString> = ["pingstate"].iter().chain(args).map(Into::into).collect();
    match parse(args.clone().into_iter()) {
        Ok(Command::Run(options)) => *options,
        other => panic!("{args:?}: {other:?}"),
    }
}

#[test]
fn the_help_fits_a_terminal_and_describes_every_flag() {
    let help = help();
    for line in help.lines() {
        assert!(line.is_ascii() && line.len() < 80 && line.trim_end() == line, "{line:?}");
    }
    for (flag, _) in all() {
        assert!(help.contains(&format!("{} ", flag.name)), "{}", flag.name);
        assert!(!flag.help.is_empty() || !flag.default.is_empty(), "{}", flag.name);
    }
}

#[test]
fn stated_defaults_are_the_values_in_force_without_the_flag() {
    for (flag, _) in all() {
        let kind = if flag.kinds.contains(&Kind::Http) { Kind::Http } else { flag.kinds[0] };
        let parsed = |args: &[&str]| options(&[&["--protocol", kind.name(), "--slow=9"], args].concat());
        // Descriptions of several defaults, and defaults that the library's tests check.
        let elsewhere = flag.default.contains(' ')
            || ["GET", "65536", "tcp", "HOST:PORT", "15", "60"].contains(&flag.default);
        if flag.default.is_empty() || elsewhere {
            continue;
        }
        let value = match flag.default {
            "--interval" => "5",
            "--slow" => "9",
            value => value,
        };
        let needed = ["--retries=1", "--on-change=x", "--webhook=http://h", "--ping-count=2"];
        let needed: Vec<&str> = needed
            .into_iter()
            .filter(|needed| {
                flag.needs
                    .is_some_and(|(names, _)| names.starts_with(needed.split('=').next().unwrap_or(needed)))
            })
            .collect();
        let with = parsed(&[&needed[..], &[flag.name, value]].concat());
        assert_eq!(with, parsed(&needed), "{}", flag.name);
    }
}

#[test]
fn the_manual_and_the_fuzz_dictionary_contain_every_flag() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let manual = include_str!("../../manual.md");
    let dictionary = std::fs::read_to_string(root.join("fuzz/dict/args.dict"));
    for (flag, scope) in all() {
        let is_described =
            manual.contains(&format!("`{}", flag.name)) || manual.contains(&format!("{}` ", flag.name));
        assert!(is_described || ["--help", "--version"].contains(&flag.name), "{}", flag.name);
        // A packaged crate has no dictionary.
        if let Ok(dictionary) = &dictionary {
            assert!(dictionary.contains(flag.name) || scope == FlagScope::Process, "{}", flag.name);
        }
    }
}

#[test]
fn help_manual_and_dictionary_contain_every_kind() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/dict/args.dict");
    let dictionary = std::fs::read_to_string(path);
    let flag = |name: &str| all().find(|(flag, _)| flag.name == name).expect(name).0;
    let manual = include_str!("../../manual.md");
    for kind in ANY {
        let name = kind.name();
        let scheme = format!("{name}{}", kind.scheme().separator());
        assert!(help().contains(&scheme) && manual.contains(&format!(" {scheme}")), "{name}");
        let is_listed = |text: &str| text.split([' ', ',']).any(|word| word == name);
        assert!(is_listed(flag("--protocol").help), "{name}");
        // A packaged crate has no dictionary.
        assert!(dictionary.as_ref().map_or(true, |text| text.contains(&scheme)), "{name}");
        let port = ("--port", u64::from(kind.port()));
        let timeout = if kind.interval().is_zero() { 0 } else { kind.timeout().as_secs() };
        let defaults = [port, ("--timeout", timeout)];
        for (flag_name, value) in defaults.into_iter().filter(|(_, value)| *value > 0) {
            let default = flag(flag_name).default;
            let stated = default.split("; ").find(|part| is_listed(part)).expect(name);
            assert!(stated.starts_with(&format!("{value} for ")), "{flag_name}, {name}: {default}");
        }
    }
}

#[test]
fn a_flag_that_does_not_apply_to_a_kind_leaves_no_setting() {
    for (flag, scope) in all().filter(|(flag, _)| flag.kinds != ANY) {
        assert_eq!(scope, FlagScope::Target, "{}", flag.name);
        let value = match flag.name {
            "--timeout" | "--retries" | "--interval-down" | "--interval-fast" | "--slow" | "--grace" => "=9",
            "--retry-interval" | "--slow-clear" => "=5",
            "--token-file" => "=x",
            "--check" => "=x",
            "--ping-count" => "=2",
            "--ping-interval" => "=9",
            "--ping-required" | "--ping-loss" | "--ping-ttl" => "=7",
            "--ping-size" => "=99",
            "--method" => "=HEAD",
            "--body" | "--body-file" | "--basic-auth-file" | "--header-file" => "=x",
            "--header" => "=A: b",
            "--max-body" => "=1",
            "--ca-file" => "=x",
            "--cert-days" => "=30",
            "--pin" | "--tls-name" | "--connect-to" | "--cert" => "=x",
            "--send" => "=x",
            "--key" => "=y",
            "--interface" => "=wan2",
            "--source" | "--dns" => "=192.0.2.1",
            "--fwmark" => "=2",
            "--family" => "=4",
            "--no-redirect" | "--no-verify-tls" | "--ca-only" | "--dns-tcp" | "--half-open" => "",
            other => panic!("{other} has no value in this test"),
        };
        let argument = format!("{}{value}", flag.name);
        let needed = match flag.name {
            "--ca-only" => &["--ca-file=x"][..],
            "--key" => &["--cert=x"],
            "--retry-interval" => &["--retries=2"],
            "--slow-clear" => &["--slow=9"],
            _ => &[],
        };
        for kind in ANY {
            // A target of another kind, so that the flag is not refused.
            let url = |kind: Kind| match kind.scheme().has_port() {
                true => format!("{}://h:1", kind.name()),
                false => format!("{}://h", kind.name()),
            };
            let (name, other) = (kind.name(), url(flag.kinds[0]));
            let mut args = needed.to_vec();
            args.push(&argument);
            args.extend((*flag.kinds == [Kind::Icmp]).then_some("--ping-count=2"));
            let (this, other) = (url(*kind), other);
            args.extend([&*this, &*other]);
            let targets = options(&args).targets;
            let is_kept = *targets[0].settings != Settings::default();
            assert_eq!(is_kept, flag.kinds.contains(kind), "{}, {name}", flag.name);
        }
    }
}
