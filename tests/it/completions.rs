//! The completions in `contrib/completions`, in the shells that they are for.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::common::*;

fn completion(name: &str) -> String {
    format!("{}/contrib/completions/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A directory with two files, and a directory of a name that begins in the same way.
fn files(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("completions-{name}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("targets.d")).expect("a directory");
    for file in ["targets.conf", "a file"] {
        fs::write(dir.join(file), "").expect("written");
    }
    dir
}

/// The lines of the output, sorted. A shell that writes to standard error fails the test.
fn lines(command: &mut Command) -> Vec<String> {
    let output = command.output().expect("runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines.dedup();
    lines
}

/// The words of a command line, the last of which is completed, and the completions.
const CASES: [(&[&str], &[&str]); 9] = [
    (&["--on"], &["--on-change", "--once"]),
    (&["--once", "--api-t"], &["--api-token-file", "--api-token-reads"]),
    (&["--protocol", "h"], &["heartbeat", "http", "https"]),
    (&["--notify", ""], &["all", "down"]),
    (&["--webhook-format", "t"], &["text"]),
    (&["--config", "targets"], &["targets.conf", "targets.d"]),
    (&["--ca-file", "a"], &["a file"]),
    (&["--interval", ""], &[]),
    (&["--once", "http"], &["http://", "https://"]),
];

#[test]
fn bash_completes_flags_values_and_targets() {
    if !has("bash", &["--version"]) {
        return;
    }
    let dir = files("bash");
    let complete = |words: &[&str]| {
        // Only the completion of an interactive shell has compopt.
        let script = "compopt() { :; }; source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
            set -u; _pingstate; for reply in \"${COMPREPLY[@]}\"; do printf '%s\\n' \"$reply\"; done";
        let mut command = Command::new("bash");
        command.args(["--norc", "-c", script, "bash", &completion("pingstate.bash"), "pingstate"]);
        lines(command.args(words).current_dir(&dir))
    };
    for (words, expected) in CASES {
        assert_eq!(complete(words), expected, "{words:?}");
    }
    assert_eq!(complete(&["--notify", "="]), ["all", "down"]);
    assert_eq!(complete(&["--notify", "=", "d"]), ["down"]);
    let programs = complete(&["--on-change", "bas"]);
    assert!(programs.iter().any(|name| name == "bash"), "{programs:?}");
}

#[test]
fn bash_completes_in_an_interactive_shell() {
    if !has("bash", &["--version"]) || !has("script", &["--version"]) {
        return;
    }
    let mut command = Command::new("timeout");
    // `script` provides the terminal that readline needs.
    command.args(["20", "script", "-qec", "bash --noprofile --norc -i", "/dev/null"]).env("TERM", "dumb");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = child.stdout.take().expect("piped");
    let mut text = String::new();
    let mut read_until = |end: &str| {
        while !text.contains(end) {
            let mut buffer = [0; 4096];
            let length = stdout.read(&mut buffer).expect("reads");
            assert!(length > 0, "no {end:?} in {text:?}");
            text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        std::mem::take(&mut text)
    };
    let source = format!("source '{}'; PS1='REA''DY> '\n", completion("pingstate.bash"));
    stdin.write_all(source.as_bytes()).expect("written");
    read_until("READY> ");
    // The first tab completes what is common, the second lists the matches. Ctrl-U deletes the line.
    stdin.write_all(b"pingstate --on\t\t").expect("written");
    assert!(read_until("--once").contains("--on-change"));
    stdin.write_all(b"\x15pingstate --webhook-fo\tte\t").expect("written");
    read_until("--webhook-format text ");
    stdin.write_all(b"\x15exit\n").expect("written");
    assert!(child.wait().expect("ends").success());
}

#[test]
fn shellcheck_accepts_the_completion_of_bash() {
    if has("shellcheck", &["--version"]) {
        let mut command = Command::new("shellcheck");
        assert_eq!(lines(command.args(["-s", "bash", &completion("pingstate.bash")])), [""; 0]);
    }
}

#[test]
fn fish_completes_flags_values_and_targets() {
    if !has("fish", &["--version"]) {
        return;
    }
    let dir = files("fish");
    let complete = |line: &str| {
        let mut command = Command::new("fish");
        let script = format!("source {}; complete -C $argv", completion("pingstate.fish"));
        command.args(["--no-config", "-c", &script, line]).current_dir(&dir).env("HOME", &dir);
        let lines = lines(&mut command);
        lines.iter().map(|line| line.split('\t').next().unwrap_or(line).to_owned()).collect::<Vec<_>>()
    };
    for (words, expected) in CASES {
        let line = format!("pingstate {}", words.join(" "));
        let expected: Vec<String> = expected
            .iter()
            .map(|text| if text.ends_with(".d") { format!("{text}/") } else { (*text).to_owned() })
            .collect();
        assert_eq!(complete(&line), expected, "{line}");
    }
    assert_eq!(complete("pingstate --notify=d"), ["--notify=down"]);
}

/// Types a line and a tab in an interactive shell on a pseudoterminal.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "fpath=(${(q)1} \$fpath); cd ${(q)2}; PROMPT=; LISTMAX=10000; unsetopt automenu"
zpty -w shell "autoload -U compinit; compinit -u -D"
# Replaces compadd, which is what shows the matches, by one that prints them.
zpty -w shell 'compadd() {
    builtin compadd "$@"
    local result=$?
    if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)* ]]; then
        local -a matches
        builtin compadd -A matches "$@"
        print -rl -- "" "match:"${^matches}
    fi
    return $result
}'
zpty -w shell 'finish() { print; print END; exit }; zle -N finish; bindkey "^X" finish; print REA""DY'
zpty -r shell output $'*READY\r*'
zpty -w -n shell "$3"$'\t\x18'
zpty -r shell output $'*END\r*'
print -r -- "$output"
"#;

#[test]
fn zsh_completes_flags_values_and_targets() {
    if !has("zsh", &["--version"]) {
        return;
    }
    let dir = files("zsh");
    let complete = |line: &str| {
        let mut command = Command::new("timeout");
        command.args([
            "20",
            "zsh",
            "-f",
            "-c",
            ZSH,
            "zsh",
            &completion(""),
            dir.to_str().expect("text"),
            line,
        ]);
        command.env("HOME", &dir).env("TERM", "dumb");
        let lines = lines(&mut command);
        lines.iter().filter_map(|line| line.trim_end().strip_prefix("match:")).map(str::to_owned).collect()
    };
    for (words, expected) in CASES {
        let line = format!("pingstate {}", words.join(" "));
        let mut found: Vec<String> = complete(&line);
        found.sort();
        let expected: Vec<String> = expected.iter().map(|text| text.replace(' ', "\\ ")).collect();
        assert_eq!(found, expected, "{line}");
    }
}
