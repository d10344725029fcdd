//! The files of `contrib` that are generated from the table of flags and the manual: man pages and completions.
//!
//! `PINGSTATE_BLESS=1 cargo test --lib generated` writes them.

mod completions;
mod man;

use std::fs;
use std::path::Path;

use crate::cli::flags::{self, Flag, FlagScope, Set};

/// The values of flags that accept a few words only.
fn words(flag: &Flag) -> Vec<&'static str> {
    match flag.name {
        "--protocol" => crate::probe::kinds::ANY.iter().map(|kind| kind.name()).collect(),
        "--notify" => vec!["down", "all"],
        "--api-page" => vec!["on", "off"],
        "--webhook-format" => vec!["json", "text"],
        "--log-format" => vec!["auto", "plain", "time", "journal"],
        _ => Vec::new(),
    }
}

fn has_value(flag: &Flag) -> bool {
    matches!(flag.set, Set::Value(_))
}

fn is_file(flag: &Flag) -> bool {
    ["FILE", "PEM"].contains(&flag.value)
}

fn generate() -> [(&'static str, String); 5] {
    [
        ("contrib/man/pingstate.1", man::command()),
        ("contrib/man/pingstate.conf.5", man::file()),
        ("contrib/completions/pingstate.bash", completions::bash()),
        ("contrib/completions/_pingstate", completions::zsh()),
        ("contrib/completions/pingstate.fish", completions::fish()),
    ]
}

#[test]
fn generated_files_are_up_to_date() {
    let is_requested = std::env::var_os("PINGSTATE_BLESS").is_some();
    let mut stale = Vec::new();
    for (name, text) in generate() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        if is_requested {
            fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            fs::write(&path, &text).expect("written");
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        if there != text {
            let different = there.lines().zip(text.lines()).take_while(|(old, new)| old == new).count();
            stale.push(format!("{name}:{}", different + 1));
        }
    }
    assert!(
        stale.is_empty(),
        "stale: {stale:?}; run PINGSTATE_BLESS=1 cargo test --lib generated, and commit"
    );
}

#[test]
fn generated_files_contain_every_flag() {
    for (name, text) in generate() {
        // The spelling of --flag in each kind of file, with the character before it.
        let spelling = |flag: &Flag| match name.rsplit('.').next() {
            Some("1" | "5") => format!("B{}\\fR", flag.name.replace('-', "\\-")),
            Some("bash") => format!(" {}", flag.name),
            Some("fish") => format!(" -l {}", flag.name.trim_start_matches('-')),
            _ => flag.name.to_owned(),
        };
        for (flag, scope) in flags::all() {
            let is_in_files = matches!(scope, FlagScope::Target | FlagScope::Daemon);
            if is_in_files || !name.ends_with('5') {
                assert!(text.contains(&spelling(flag)), "{name}: {}", flag.name);
            }
        }
    }
}

#[test]
fn words_are_all_that_the_flags_accept() {
    for (flag, _) in flags::all() {
        let mut line = crate::cli::args::CommandLine::default();
        let Set::Value(set) = flag.set else { continue };
        for word in words(flag) {
            assert_eq!(set(&mut line, word), Ok(()), "{}", flag.name);
            // Each is in the name of the value or in the description.
            let mut texts = flag.value.split('|').chain(flag.help.split([' ', ',', ':']));
            let is_there = texts.any(|part| part == word);
            assert!(is_there, "{}: {word}", flag.name);
        }
        let is_enumerable = ["WHEN", "FORMAT", "on|off"].contains(&flag.value) || flag.name == "--protocol";
        assert_eq!(!words(flag).is_empty(), is_enumerable, "{}", flag.name);
    }
}
