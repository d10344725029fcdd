//! Rules that neither the compiler nor clippy (.clippy.toml) checks: which module may import which, which
//! modules may use the operating system, the maximum length of a file, and the words of the source
//! (layers/words.rs).
//!
//! Code compiled for tests only (`#[cfg(test)]`, files named `tests.rs`, directories named `tests`) is exempt
//! from the rules about imports.
#![allow(clippy::expect_used)] // Tests fail by panicking.

#[path = "layers/paths.rs"]
mod paths;
#[path = "layers/words.rs"]
mod words;

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The layer of every module: an import may only point to a lower layer or stay in its module.
const LAYERS: &[(&str, u32)] = &[
    // They import from all layers; no layer imports them.
    ("fuzzing", 9),
    ("sim", 9),
    ("main", 8),
    ("cli", 8),
    ("library", 8),
    ("reactor", 7),
    ("engine", 6),
    ("api", 5),
    ("snapshot", 4),
    ("monitor", 3),
    ("probe", 2),
    ("resolve", 2),
    ("fsm", 1),
    ("check", 1),
    ("wire", 0),
    ("result", 0),
    ("network", 0),
    ("text", 0),
    ("clock", 0),
];

/// Allowed imports between two modules of one layer.
const SAME_LAYER: &[(&str, &str)] = &[
    ("cli", "library"),
    ("wire", "result"),
    ("wire", "text"),
    ("wire", "network"),
    ("result", "text"),
    ("fuzzing", "sim"),
];

/// The modules of `engine`: each may import from those before it, but not from `engine` itself.
const ENGINE: &[&str] = &[
    "limits",
    "ids",
    "messages",
    "outbox",
    "timers",
    "owners",
    "context",
    "exec_slots",
    "check_queue",
    "listings",
    "event_log",
    "notification",
    "hooks",
    "service_manager",
    "lookups",
    "probe_run",
    "run_table",
    "probe_runs",
    "webhooks",
    "periodic",
    "api_conn",
    "api_conns",
    "eviction",
    "streams",
    "heartbeats",
    "controls",
];

/// Methods of `Engine` in files of their own: they are above all modules of `engine`, which do not import them.
const ENGINE_METHODS: &[&str] = &[
    "addresses",
    "audit",
    "control",
    "liveness",
    "notify",
    "process_stats",
    "reload",
    "requests",
    "state_file",
];

const REACTOR: &[u32] = &[7];
const SYSTEM: &[u32] = &[7, 8];

/// Crates, modules and macros that are restricted to some layers; .clippy.toml lists types and functions.
/// A path matches wherever its parts are consecutive.
const RESTRICTED: &[(&str, &[u32])] = &[
    ("mio", REACTOR),
    ("socket2", SYSTEM), // the log may be written to a socket
    ("signal_hook", REACTOR),
    ("nix", SYSTEM),
    ("close_fds", REACTOR),
    ("getrandom", REACTOR),
    ("std::os", SYSTEM),
    ("std::fs", SYSTEM),
    ("std::env", SYSTEM),
    ("std::thread", SYSTEM),
    ("std::process", SYSTEM),
    ("stdin", SYSTEM),
    ("stdout", SYSTEM),
    ("stderr", SYSTEM),
    ("print!", SYSTEM),
    ("println!", SYSTEM),
    ("eprint!", SYSTEM),
    ("eprintln!", SYSTEM),
    ("dbg!", &[]),
    ("thread_local!", &[]),
];

const LINES_MAX: usize = 400;

#[test]
fn sources_follow_the_layer_rules() {
    let mut errors = Vec::new();
    for (name, source) in sources(&["src", "tests", "benches", "examples"]) {
        errors.extend(violations(&name, &source));
    }
    assert!(errors.is_empty(), "\n{}\n", errors.join("\n"));
}

/// Name and contents of every Rust file in these directories.
fn sources(dirs: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for dir in dirs {
        collect(&root.join(dir), &mut files).expect("a readable directory");
    }
    assert!(files.len() > 10, "only {} files found", files.len());
    let read = |file: PathBuf| {
        let name = file.strip_prefix(root).expect("a file below the root").to_str().expect("a plain name");
        (name.to_owned(), fs::read_to_string(&file).expect("a readable file"))
    };
    files.into_iter().map(read).collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Rule violations in the file `name`, a path like `src/probe/tcp.rs`.
fn violations(name: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !source.starts_with("//! ") {
        found.push(format!("{name}:1: does not begin with a //! line that says what it is for"));
    }
    let lines = source.lines().count();
    if lines > LINES_MAX {
        found.push(format!("{name}:{LINES_MAX}: has {lines} lines; split it by meaning"));
    }
    let Some(inner) = name.strip_prefix("src/") else { return found };
    let mut module: Vec<&str> = inner.trim_end_matches(".rs").split('/').collect();
    if module.contains(&"tests") || module == ["lib"] {
        return found;
    }
    if module.last() == Some(&"mod") {
        module.pop();
    }
    let Some(layer) = layer_of(module[0]) else {
        found.push(format!("{name}:1: {} has no layer", module[0]));
        return found;
    };
    for (line, path) in paths::paths(source) {
        let parts: Vec<&str> = path.split("::").collect();
        let error = absolute(&module, &parts).and_then(|target| import_error(&module, layer, &target));
        let restricted =
            RESTRICTED.iter().find(|(rule, layers)| !layers.contains(&layer) && mentions(&parts, rule));
        let restricted = restricted.map(|(rule, _)| format!("{rule} is not allowed on layer {layer}"));
        for error in error.into_iter().chain(restricted) {
            found.push(format!("{name}:{line}: {path}: {error}"));
        }
    }
    found
}

fn layer_of(module: &str) -> Option<u32> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

/// The parts of `path` below the crate root, if it is the path of an item of this crate.
fn absolute<'a>(module: &[&'a str], path: &[&'a str]) -> Option<Vec<&'a str>> {
    let supers = path.iter().take_while(|part| **part == "super").count();
    match path[0] {
        "crate" => Some(path[1..].to_vec()),
        "super" => Some([&module[..module.len().checked_sub(supers)?], &path[supers..]].concat()),
        _ => None,
    }
}

/// The violation of importing `target` in a file of `module`.
fn import_error(module: &[&str], layer: u32, target: &[&str]) -> Option<String> {
    let first = *target.first()?;
    if first == module[0] {
        return if first == "engine" { engine_error(module, target) } else { None };
    }
    if SAME_LAYER.contains(&(module[0], first)) {
        return None;
    }
    match layer_of(first) {
        None => Some("name the module, so that its layer is known".to_owned()),
        Some(below) if below < layer => None,
        Some(above) => Some(format!("{first} is on layer {above}, {} is on layer {layer}", module[0])),
    }
}

/// The violation of the order inside `engine`.
fn engine_error(module: &[&str], target: &[&str]) -> Option<String> {
    let (from, to) = (*module.get(1)?, *target.get(1)?);
    let position = |name| ENGINE.iter().position(|listed| *listed == name);
    match (position(from), position(to)) {
        _ if from == to || ENGINE_METHODS.contains(&from) => None,
        (None, _) => Some(format!("{from} is not in the order of the modules of engine")),
        (_, None) => Some(format!("{to} is not in a module below {from}")),
        (Some(own), Some(other)) if other > own => Some(format!("{to} is above {from} in engine")),
        _ => None,
    }
}

/// Whether the parts of `rule` are consecutive in `path`; a glob matches every name.
fn mentions(path: &[&str], rule: &str) -> bool {
    let rule: Vec<&str> = rule.split("::").collect();
    let globbed = rule.len() > 1 && path.ends_with(&[rule[0], "*"]);
    globbed || path.windows(rule.len()).any(|window| window == rule)
}

/// Violations in a file of three lines around `code`.
fn found(name: &str, code: &str) -> Vec<String> {
    violations(name, &format!("//! A file.\n\n{code}\n"))
}

#[test]
fn violations_are_reported() {
    for (name, code, expected) in [
        (
            "src/api/mod.rs",
            "use crate::engine::Engine;",
            "src/api/mod.rs:3: crate::engine::Engine: engine is on",
        ),
        ("src/fsm.rs", "fn f() -> crate::check::Check {}", "check is on layer 1, fsm is on layer 1"),
        ("src/wire/url/mod.rs", "use crate::{clock::Now, result::{Reason, X}};", "clock is on layer 0"),
        ("src/probe/mod.rs", "use crate::{\n    api as a,\n};", "src/probe/mod.rs:4: crate::api: api is on"),
        ("src/probe/tcp.rs", "use super::super::engine::Engine;", "engine is on layer 6"),
        ("src/fsm.rs", "use super::monitor;", "monitor is on layer 3"),
        ("src/monitor.rs", "use crate::Probe;", "name the module"),
        ("src/monitor.rs", "pub use crate::*;", "name the module"),
        ("src/other.rs", "fn f() {}", "other has no layer"),
        ("src/engine/mod.rs", "use mio::Token;", "mio is not allowed on layer 6"),
        ("src/main.rs", "use mio::Token;", "mio is not allowed on layer 8"),
        ("src/engine/mod.rs", "fn f() { let a = '{'; mio::Poll::new(); }", "mio::Poll::new"),
        ("src/engine/mod.rs", "use std::{io, fs as files};", "std::fs"),
        ("src/engine/mod.rs", "use std::*;", "std::os is not allowed"),
        ("src/engine/mod.rs", "use ::std::thread;", "std::thread is not allowed"),
        ("src/wire/dns.rs", "fn f() { println!(\"x\"); }", "println!: println! is not allowed"),
        ("src/wire/dns.rs", "#[cfg(not(test))]\nuse std::fs;", "std::fs"),
        ("src/wire/dns.rs", "#[cfg(test)]\nmod tests {\n    use a;\n}\nuse std::fs;", "dns.rs:7: std::fs"),
        ("src/wire/dns.rs", "#[cfg(test)]\nuse a::{b, c};\nuse std::fs;", "std::fs"),
        ("src/wire/dns.rs", "#[cfg(test)]\n#[allow(x)]\nconst A: [u8; 2] = [1; 2];\nuse std::fs;", "std::fs"),
        ("src/wire/dns.rs", "const A: &str = \"http://x\"; use std::fs;", "std::fs"),
        ("src/engine/ids.rs", "use super::hooks::HookId;", "hooks is above ids"),
        ("src/engine/hooks.rs", "use super::Engine;", "Engine is not in a module below hooks"),
        ("src/engine/hooks/a.rs", "use crate::engine::api_conns::C;", "api_conns is above hooks"),
        ("src/engine/new.rs", "use super::ids::Ids;", "new is not in the order"),
    ] {
        let found = found(name, code);
        assert!(found.iter().any(|line| line.contains(expected)), "{code}: {found:?}");
    }
    assert_eq!(violations("src/fsm.rs", "use std::fmt;\n").len(), 1, "no //! line");
    let long = |lines| format!("//! A file.\n{}", "\n".repeat(lines - 1));
    assert_eq!(violations("tests/x.rs", &long(LINES_MAX)).len(), 0);
    assert_eq!(violations("tests/x.rs", &long(LINES_MAX + 1)).len(), 1);
}

#[test]
fn allowed_code_is_not_reported() {
    for (name, code) in [
        (
            "src/engine/mod.rs",
            "use crate::{api, engine::Conn, wire::{dns, http as h}};\nuse std::net::IpAddr;",
        ),
        ("src/engine/hooks.rs", "use super::ids::{ConnId, Ids};\nuse crate::engine::context::Context;"),
        ("src/engine/hooks/a.rs", "use super::Hooks;"),
        (
            "src/probe/tcp.rs",
            "use super::http; use super::super::wire; pub(crate) fn f(c: crate::probe::P) {}",
        ),
        ("src/wire/tls/mod.rs", "use crate::result::Failure; pub(in crate::wire) struct S;"),
        ("src/reactor/mod.rs", "use mio::net::TcpStream; use std::{fs, env};"),
        ("src/cli/log.rs", "use std::os::unix::fs::MetadataExt; fn f() { std::io::stderr(); }"),
        ("src/lib.rs", "mod engine; pub use crate::engine::Engine; pub use probe::Probe;"),
        ("src/wire/dns.rs", "/// See `std::fs` and crate::engine.\nfn f() {} // mio::Poll"),
        ("src/wire/dns.rs", "#[cfg(test)]\nmod tests {\n    use std::fs;\n    fn f() {\n    }\n}"),
        (
            "src/clock.rs",
            "    #[cfg(all(test, unix))]\n    #[allow(a)]\n    fn f() {\n        std::fs::g();\n    }",
        ),
        ("src/api/tests.rs", "use std::net::TcpStream;"),
        ("src/api/tests/pair.rs", "use crate::engine::Engine;"),
        ("src/wire/tls/verify.rs", "fn f(print: u8) { print; if print != 1 {} }"),
        ("tests/x.rs", "use std::fs;"),
    ] {
        assert_eq!(found(name, code), Vec::<String>::new(), "{code}");
    }
}
