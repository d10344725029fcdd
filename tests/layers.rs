//! Rules that the compiler does not check: which module may import which, which modules may use the
//! operating system, and the maximum length of a file.
//!
//! The sources are split into tokens without comments and strings, and `use` groups are expanded, so that
//! `use std::{fs, net::TcpStream}` is equivalent to the two paths in it. Code compiled for tests only
//! (`#[cfg(test)]`, files named `tests.rs`, directories named `tests`) is exempt.

#[path = "layers/tokens.rs"]
mod tokens;

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The layer of every module: an import may only point to a lower layer or stay in its module.
const LAYERS: &[(&str, u32)] = &[
    ("fuzzing", 9), // imports from all layers; no layer imports it
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
    ("clock", 0),
];

/// Allowed imports between two modules of one layer.
const SAME_LAYER: &[(&str, &str)] = &[("cli", "library"), ("wire", "result")];

const NOWHERE: &[u32] = &[];
const REACTOR: &[u32] = &[7];
const SYSTEM: &[u32] = &[7, 8];

/// Identifiers and paths that are restricted to some layers. A path matches wherever its parts are
/// consecutive.
const RESTRICTED: &[(&str, &[u32])] = &[
    ("unsafe", NOWHERE),
    ("AtomicU64", NOWHERE), // 32-bit MIPS has none
    ("AtomicI64", NOWHERE),
    ("ToSocketAddrs", NOWHERE), // links getaddrinfo, which blocks
    ("to_socket_addrs", NOWHERE),
    ("lookup_host", NOWHERE),
    ("mio", REACTOR),
    ("socket2", SYSTEM), // the log may be written to a socket
    ("signal_hook", REACTOR),
    ("nix", SYSTEM),
    ("getrandom", REACTOR),
    ("TcpStream", REACTOR),
    ("TcpListener", REACTOR),
    ("UdpSocket", REACTOR),
    ("UnixDatagram", REACTOR),
    ("Instant::now", REACTOR),
    ("SystemTime::now", REACTOR),
    ("HashMap", REACTOR), // the iteration order is random
    ("HashSet", REACTOR),
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
    ("dbg!", NOWHERE),
    ("thread_local!", NOWHERE),
];

const LINES_MAX: usize = 400;

#[test]
fn sources_follow_the_layer_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for dir in ["src", "tests", "benches"] {
        collect(&root.join(dir), &mut files).unwrap();
    }
    assert!(files.len() > 10, "only {} files found", files.len());
    let mut errors = Vec::new();
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        errors.extend(violations(&name, &source));
    }
    assert!(errors.is_empty(), "\n{}\n", errors.join("\n"));
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
    let tokens = tokens::tokens(source);
    if let Some(token) = tokens.iter().find(|token| token.text == "unsafe") {
        found.push(format!("{name}:{}: unsafe", token.line));
    }
    let Some(inner) = name.strip_prefix("src/") else { return found };
    let parts: Vec<&str> = inner.trim_end_matches(".rs").split('/').collect();
    if parts.contains(&"tests") {
        return found;
    }
    let module = parts[0];
    let layer = match layer_of(module) {
        Some(layer) => layer,
        None if module == "lib" => 0,
        None => {
            found.push(format!("{name}:1: {module} has no layer"));
            return found;
        }
    };
    let depth = parts.len() - usize::from(parts.len() > 1 && parts.last() == Some(&"mod"));
    for (line, path) in tokens::paths(&tokens::without_tests(tokens)) {
        let shown = path.join("::").replace("::!", "!");
        if module != "lib" {
            if let Some(error) = import_error(module, layer, depth, &path) {
                found.push(format!("{name}:{line}: {shown}: {error}"));
            }
        }
        for (rule, layers) in RESTRICTED {
            if !layers.contains(&layer) && mentions(&path, rule) {
                found.push(format!("{name}:{line}: {shown}: {rule} is not allowed on layer {layer}"));
            }
        }
    }
    found
}

fn layer_of(module: &str) -> Option<u32> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

/// The violation of importing `path` in a file of `module`, `depth` modules below the crate root.
fn import_error(module: &str, layer: u32, depth: usize, path: &[&str]) -> Option<String> {
    let supers = path.iter().take_while(|part| **part == "super").count();
    let target = match (path[0], supers) {
        ("crate", _) => *path.get(1)?,
        (_, up) if up == depth => *path.get(up).filter(|target| layer_of(target).is_some())?,
        _ => return None,
    };
    if target == module || SAME_LAYER.contains(&(module, target)) {
        return None;
    }
    match layer_of(target) {
        None => Some("name the module, so that its layer is known".to_owned()),
        Some(below) if below < layer => None,
        Some(above) => Some(format!("{target} is on layer {above}, {module} is on layer {layer}")),
    }
}

/// Whether the parts of `rule` are consecutive in `path`; a glob matches every name.
fn mentions(path: &[&str], rule: &str) -> bool {
    let rule: Vec<&str> = match rule.strip_suffix('!') {
        Some(name) => vec![name, "!"],
        None => rule.split("::").collect(),
    };
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
        (
            "src/wire/url/mod.rs",
            "use crate::{clock::Now, result::{Reason, printable}};",
            "clock is on layer 0",
        ),
        (
            "src/probe/mod.rs",
            "use crate::{\n    api as a,\n};",
            "src/probe/mod.rs:4: crate::api: api is on layer 5",
        ),
        ("src/probe/tcp.rs", "use super::super::engine::Engine;", "engine is on layer 6"),
        ("src/fsm.rs", "use super::monitor;", "monitor is on layer 3"),
        ("src/monitor.rs", "use crate::Probe;", "name the module"),
        ("src/monitor.rs", "pub use crate::*;", "name the module"),
        ("src/other.rs", "fn f() {}", "other has no layer"),
        ("src/engine/mod.rs", "use mio::Token;", "mio is not allowed on layer 6"),
        ("src/main.rs", "use mio::Token;", "mio is not allowed on layer 8"),
        ("src/lib.rs", "use std::fs;", "std::fs is not allowed on layer 0"),
        ("src/engine/mod.rs", "fn f() { let a = 'a'; mio::Poll::new(); }", "mio::Poll::new"),
        ("src/engine/mod.rs", "use std::net::{IpAddr, TcpStream};", "std::net::TcpStream"),
        (
            "src/engine/mod.rs",
            "use std::net;\nfn f() { net::UdpSocket::bind() }",
            "mod.rs:4: net::UdpSocket::bind",
        ),
        ("src/engine/mod.rs", "use std::{io, fs as files};", "std::fs"),
        ("src/engine/mod.rs", "use std::*;", "std::fs is not allowed"),
        ("src/engine/mod.rs", "use ::std::thread;", "std::thread is not allowed"),
        ("src/engine/mod.rs", "fn f() { Instant::now(); }", "Instant::now is not allowed"),
        ("src/cli/mod.rs", "fn f() { std::time::SystemTime::now(); }", "SystemTime::now is not allowed"),
        ("src/wire/dns.rs", "fn f() { println!(\"x\"); }", "println!: println! is not allowed"),
        ("src/wire/dns.rs", "type M = Vec::<HashMap<u8, u8>>;", "HashMap is not allowed"),
        ("src/reactor/mod.rs", "fn f() { unsafe { g() } }", "unsafe"),
        ("src/reactor/tests.rs", "fn f() { unsafe { g() } }", "unsafe"),
        ("tests/x.rs", "fn f() { unsafe { g() } }", "unsafe"),
        ("src/wire/dns.rs", "#[cfg(not(test))]\nuse std::fs;", "std::fs"),
        ("src/wire/dns.rs", "#[cfg(test)]\nmod tests { fn f() { g(); } }\nuse std::fs;", "dns.rs:5: std::fs"),
        ("src/wire/dns.rs", "#[cfg(test)]\nuse a::{b, c};\nuse std::fs;", "std::fs"),
        ("src/wire/dns.rs", "#[cfg(test)]\n#[allow(x)]\nconst A: [u8; 2] = [1; 2];\nuse std::fs;", "std::fs"),
        ("src/wire/dns.rs", "const Q: char = '\\''; use std::fs; const R: char = '\\'';", "std::fs"),
        ("src/wire/dns.rs", "const Q: &str = r#\"\"\"#; use std::fs;", "std::fs"),
        ("src/wire/dns.rs", "fn f<'a>(x: &'a u8) { b'\"'; use std::fs; '\"'; }", "std::fs"),
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
        (
            "src/probe/tcp.rs",
            "use super::http; use super::super::wire; pub(crate) fn f(c: crate::probe::P) {}",
        ),
        ("src/wire/tls/mod.rs", "use crate::result::Failure; pub(in crate::wire) struct S;"),
        ("src/reactor/mod.rs", "use mio::net::TcpStream; use std::{fs, env}; fn f() { Instant::now(); }"),
        ("src/cli/log.rs", "use std::os::unix::fs::MetadataExt; fn f() { std::io::stderr(); }"),
        ("src/lib.rs", "mod engine; pub use crate::engine::Engine; pub use probe::Probe;"),
        ("src/wire/dns.rs", "/// See `std::fs` and crate::engine.\n/* unsafe /* mio */ HashMap */ fn f() {}"),
        (
            "src/wire/dns.rs",
            "const A: &str = \"use std::fs; \\\" unsafe\"; const B: &[u8] = br##\"\"# mio\"##;",
        ),
        ("src/wire/dns.rs", "#[cfg(test)]\nmod tests { use std::fs; fn f() { Instant::now(); } }"),
        ("src/clock.rs", "#[cfg(all(test, unix))]\n#[allow(a)]\nfn f() -> [u8; 2] { Instant::now(); }"),
        ("src/api/tests.rs", "use std::net::TcpStream;"),
        ("src/api/tests/pair.rs", "use crate::engine::Engine;"),
        ("src/wire/tls/verify.rs", "fn f(print: u8) { print; if print != 1 {} }"),
        ("tests/x.rs", "use std::collections::HashMap;"),
    ] {
        assert_eq!(found(name, code), Vec::<String>::new(), "{code}");
    }
}
