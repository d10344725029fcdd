//! Every program in `examples` runs to completion with the expected output, and every public item has an
//! example in its documentation.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::*;

/// Each example and parts of its expected output, in order.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("shortest", &["true Some(", "HTTP 200"]),
    ("monitor", &["checked: HTTP 200", "state: up, latency: Some(", "ok up HTTP 200"]),
    ("api", &["serving on http://127.0.0.1:", "ok", "up"]),
    ("custom_http_check", &["true: ready in 15 bytes", "false: not ready in 16 bytes"]),
    ("custom_tcp_check", &["true: SSH server: OpenSSH_9.9", "false: no SSH server: 220 mail"]),
    ("redis_ping", &["by hand: PONG", "over the network: PONG", "state: up"]),
    ("blocking", &["healthy: true", "confused: false", "hanging: false: timed out", "still running"]),
    ("own_cadence", &["round 1: up", "round 3: up", "unplugged: degraded", "\"state\": \"degraded\""]),
    ("several_targets", &["all checked"]),
    ("own_loop", &["3 checks, few wakeups"]),
];

#[test]
fn every_example_runs_with_the_expected_output() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut there: Vec<String> = Vec::new();
    for entry in fs::read_dir(root.join("examples")).expect("examples") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            there.push(path.file_stem().expect("a name").to_string_lossy().into_owned());
        }
    }
    there.sort();
    let mut known: Vec<_> = EXAMPLES.iter().map(|(name, _)| (*name).to_owned()).collect();
    known.sort();
    assert_eq!(there, known);
    for (name, gist) in EXAMPLES {
        let printed = run(name);
        let mut rest = &*printed;
        for said in *gist {
            let Some((_, after)) = rest.split_once(said) else { panic!("{name}: no {said:?} in\n{printed}") };
            rest = after;
        }
    }
}

/// The output of an example.
fn run(name: &str) -> String {
    let test = std::env::current_exe().expect("a path");
    let built = test.ancestors().nth(2).expect("target/PROFILE").join("examples").join(name);
    let mut command = Command::new(&built);
    let mut child = match command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => panic!("{}: {error}; `cargo test` alone builds the examples", built.display()),
    };
    let status = eventually(name, || child.try_wait().expect("waits"));
    let output = child.wait_with_output().expect("its output");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(status.success() && errors.is_empty(), "{name}: {status}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn every_public_item_has_an_example() {
    let sources = sources();
    let names = public_names();
    assert!(names.len() > 40, "only {} public names found", names.len());
    let mut missing = Vec::new();
    for name in &names {
        let has = if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
            // A constant may be covered by the example of the item it belongs to.
            sources.iter().flat_map(|source| examples(source)).any(|line| has_word(line, name))
        } else {
            documented(&sources, name).unwrap_or_else(|| panic!("{name} is defined nowhere"))
        };
        if !has {
            missing.push(name);
        }
    }
    assert!(missing.is_empty(), "without an example: {missing:?}");
}

#[test]
fn missing_examples_are_reported() {
    let source = |doc: &str| vec![format!("/// A thing.\n{doc}#[derive(Debug)]\npub struct Thing;\n")];
    assert_eq!(documented(&source(""), "Thing"), Some(false));
    assert_eq!(documented(&source("/// ```\n/// Thing;\n/// ```\n"), "Thing"), Some(true));
    assert_eq!(documented(&source(""), "Thin"), None);
    let lines = "/// ```\n/// a\n/// ```\n/// b\n";
    assert_eq!(examples(lines).collect::<Vec<_>>(), ["/// a"]);
}

fn sources() -> Vec<String> {
    let mut files = Vec::new();
    let mut dirs = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).expect("a directory") {
            let path: PathBuf = entry.expect("an entry").path();
            match path.is_dir() {
                true => dirs.push(path),
                false => files.push(fs::read_to_string(path).expect("a source")),
            }
        }
    }
    files
}

/// The names that `lib.rs` lists with `pub use` after `The public interface is:`.
fn public_names() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let text = fs::read_to_string(path).expect("lib.rs");
    let (_, list) = text.split_once("// The public interface is:\n").expect("the list");
    let mut names = Vec::new();
    for statement in list.split_terminator(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        let path = statement.strip_prefix("pub use ").expect("nothing but `pub use`");
        let (_, last) = path.rsplit_once("::").expect("a path");
        let last = last.trim_start_matches('{').trim_end_matches('}');
        names.extend(last.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()));
    }
    names
}

/// Whether the definition of a public type, trait or function is documented with an example.
fn documented(sources: &[String], name: &str) -> Option<bool> {
    sources.iter().find_map(|source| {
        let lines: Vec<&str> = source.lines().collect();
        let at = lines.iter().position(|line| defines(line, name))?;
        let above = lines[..at].iter().rev().map(|line| line.trim_start());
        let mut doc = above.take_while(|line| line.starts_with("///") || line.starts_with("#["));
        Some(doc.any(|line| line.starts_with("/// ```")))
    })
}

/// Whether this line begins the definition of a public item. A type may be defined in a macro; an indented
/// function is a method.
fn defines(line: &str, name: &str) -> bool {
    let item = |line: &str, kind: &str| {
        let rest = line.strip_prefix("pub ")?.strip_prefix(kind)?.strip_prefix(' ')?.strip_prefix(name)?;
        Some(!rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let types = ["struct", "enum", "trait"].iter().any(|kind| item(line.trim_start(), kind) == Some(true));
    types || item(line, "fn") == Some(true)
}

/// The lines of all examples in a source's documentation.
fn examples(source: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    source.lines().map(str::trim_start).filter(move |line| {
        let fence = line.starts_with("/// ```") || line.starts_with("//! ```");
        inside ^= fence;
        inside && !fence
    })
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}
