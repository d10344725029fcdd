//! The scripts of `contrib/hooks`: run by dash and by busybox, against servers that require what the public API of
//! each service requires.
#![cfg(target_os = "linux")]

mod mail;
mod messengers;
mod mqtt;
mod restart_wan;
mod services;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::*;

/// Texts from the network that a script may take for something else.
const HOSTILE: [&str; 9] = [
    r#"quotes " and ' and \ and \n, a final \"#,
    "two\nlines\r\n\tand \u{1}\u{1b}[31m\u{7f}",
    "$(touch executed) `touch executed` ${HOME} $HOME; touch executed #",
    "@everyone <!channel> <b>bold</b> &amp; &lt; *b* _i_ ~s~ |x| # h [text](http://192.0.2.1/)",
    "@/etc/passwd",
    "--config /etc/passwd",
    "%s %n %999999d %",
    ".",
    "büro \u{202e} 日本 🦀",
];

fn directory(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("hooks-{name}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a directory");
    dir
}

fn hook(name: &str) -> String {
    format!("{}/contrib/hooks/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn program(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
}

/// A shell, and the `PATH` in which its scripts find awk, sed and the others.
struct Shell {
    words: &'static [&'static str],
    path: String,
}

/// The shells that are installed. `name` is that of the test.
fn shells(name: &str) -> Vec<Shell> {
    let path = std::env::var("PATH").expect("PATH is set");
    let mut shells = Vec::new();
    if has("dash", &["-c", "true"]) {
        shells.push(Shell { words: &["dash"], path: path.clone() });
    }
    let applets = directory(&format!("busybox-{name}"));
    if has("busybox", &["--install", "-s", applets.to_str().expect("text")]) {
        shells.push(Shell { words: &["busybox", "sh"], path: format!("{}:{path}", applets.display()) });
    }
    shells
}

impl Shell {
    /// A script with these arguments in this environment, and no other.
    fn command(&self, words: &[&str], env: &[(&str, &str)]) -> Command {
        let mut command = Command::new(self.words[0]);
        command.args(&self.words[1..]).arg(hook(words[0])).args(&words[1..]);
        command.env_clear().env("PATH", &self.path).envs(env.iter().copied()).stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str], env: &[(&str, &str)]) -> (i32, String) {
        run_to_end(self.command(words, env))
    }
}

/// Exit status, and what was written to either output.
fn run_to_end(mut command: Command) -> (i32, String) {
    let output = command.output().expect("runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("a status"), String::from_utf8_lossy(&text).into_owned())
}

/// What the scripts make of a text: one line of at most 900 bytes without a part of a character at its end.
fn line(text: &str) -> String {
    let mut text = text.replace(|c: char| c.is_ascii_control(), " ");
    if text.len() > 900 {
        // The script removes the last character, if it is not ASCII, whether it is complete or not.
        let end = (0..=900).rev().find(|end| text.is_char_boundary(*end)).expect("0 is one");
        text.truncate(end);
        if end == 900 && text.ends_with(|c: char| !c.is_ascii()) {
            text.pop();
        }
    }
    text
}

fn scripts() -> Vec<(String, String)> {
    let files = fs::read_dir(hook("")).expect("a directory").map(|entry| entry.expect("an entry").path());
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).expect("text").to_owned();
    let scripts = files.filter(|path| path.extension().is_none());
    scripts.map(|path| (name(&path), fs::read_to_string(&path).expect("text"))).collect()
}

#[test]
fn shellcheck_finds_nothing() {
    if has("shellcheck", &["--version"]) {
        let mut command = Command::new("shellcheck");
        command.args(["-s", "sh"]).args(scripts().iter().map(|(name, _)| hook(name)));
        assert_eq!(run_to_end(command), (0, String::new()));
    }
}

#[test]
fn scripts_are_short_and_state_how_they_are_used() {
    let scripts = scripts();
    assert_eq!(scripts.len(), 9);
    for (name, text) in &scripts {
        let mode = fs::metadata(hook(name)).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{name} is executable");
        assert!(text.lines().count() <= 60, "{name} has more than 60 lines");
        let head = text.lines().skip(1).take_while(|line| line.starts_with('#'));
        assert!(head.clone().count() <= 12, "{name} has more than 12 lines of comments at its beginning");
        let usage = format!("/usr/local/lib/pingstate/{name}");
        assert!(head.clone().any(|line| line.contains("--on-change") && line.contains(&usage)), "{name}");
        let is_code = |word: &str| text.lines().any(|line| !line.starts_with('#') && line.contains(word));
        assert!(!is_code("eval "), "{name}");
        for line in text.lines() {
            assert!(line.chars().count() <= 120, "{name}: {line}");
        }
    }
}

/// Each script is copied alone, so that the functions are repeated. They must not differ.
#[test]
fn functions_of_one_name_are_the_same() {
    for name in ["fail", "line", "send"] {
        let start = format!("\n{name}() {{");
        let function = |text: &str| {
            let rest = &text[text.find(&start)? + 1..];
            let end = if rest.lines().next()?.ends_with('}') { "\n" } else { "\n}\n" };
            Some(rest[..rest.find(end)?].to_owned())
        };
        let mut texts: Vec<String> = scripts().iter().filter_map(|(_, text)| function(text)).collect();
        assert!(texts.len() >= 6, "{name}");
        texts.dedup();
        assert_eq!(texts.len(), 1, "{name}: {texts:#?}");
    }
}

/// Reports of a target that fails and recovers, of the running daemon with these arguments and environment.
/// `next` waits for the state in the next report.
fn fail_and_recover(args: &[&str], env: &[(&str, &str)], mut next: impl FnMut() -> String) {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let web = Server::answering(ok);
    let (address, url) = (web.address, web.url("http"));
    let mut command = pingstate();
    command.args(["--api-port", "0", "--interval", "0.1", "--name", "web"]).args(args).arg(&url);
    command.envs(env.iter().copied());
    let daemon = Daemon::spawn(command);
    daemon.wait_for_state("up");
    drop(web);
    while next() != "down" {}
    let _web = Server::start_at(address, move |stream| {
        read_head(&stream);
        let _ = std::io::Write::write_all(&mut &stream, ok.as_bytes());
    });
    while next() != "up" {}
}
