//! The house rules that a compiler does not know: which module may import which, what may touch the
//! operating system, and how long a file may be.
//!
//! The sources are cut into words without comments and strings, and paths are spelled out, so that
//! `use std::{fs, net::TcpStream}` says the same as the two paths in it. What is compiled for tests
//! only (`#[cfg(test)]`, files named `tests.rs`, directories named `tests`) may do more.

#[path = "floors/words.rs"]
mod words;

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The floor of every module: an import may only point to a lower one, or stay in its module.
const FLOORS: &[(&str, u32)] = &[
    ("fuzzing", 9), // reaches everything, and nothing reaches it
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

/// The imports that are allowed between two modules of one floor.
const SIDEWAYS: &[(&str, &str)] = &[("cli", "library"), ("wire", "result")];

const NOWHERE: &[u32] = &[];
const REACTOR: &[u32] = &[7];
const SYSTEM: &[u32] = &[7, 8];

/// Words and paths that belong to some floors only. A path is found wherever its parts follow one
/// another.
const BELONGS: &[(&str, &[u32])] = &[
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
    ("HashMap", REACTOR), // iterates in another order each time
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

/// The longest a source file may be.
const LINES_MAX: usize = 400;

#[test]
fn the_sources_keep_the_house_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for dir in ["src", "tests", "benches"] {
        collect(&root.join(dir), &mut files).unwrap();
    }
    assert!(files.len() > 10, "only {} files found", files.len());
    let mut broken = Vec::new();
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        broken.extend(violations(&name, &source));
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
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

/// What is wrong with the file `name`, a path like `src/probe/tcp.rs`.
fn violations(name: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !source.starts_with("//! ") {
        found.push(format!("{name}:1: does not open with a //! line that says what it is for"));
    }
    let lines = source.lines().count();
    if lines > LINES_MAX {
        found.push(format!("{name}:{LINES_MAX}: has {lines} lines; split it by meaning"));
    }
    let words = words::words(source);
    if let Some(word) = words.iter().find(|word| word.text == "unsafe") {
        found.push(format!("{name}:{}: unsafe", word.line));
    }
    let Some(inner) = name.strip_prefix("src/") else { return found };
    let parts: Vec<&str> = inner.trim_end_matches(".rs").split('/').collect();
    if parts.contains(&"tests") {
        return found;
    }
    let module = parts[0];
    let floor = match floor_of(module) {
        Some(floor) => floor,
        None if module == "lib" => 0,
        None => {
            found.push(format!("{name}:1: {module} has no floor"));
            return found;
        }
    };
    let depth = parts.len() - usize::from(parts.len() > 1 && parts.last() == Some(&"mod"));
    for (line, path) in words::paths(&words::without_tests(words)) {
        let shown = path.join("::").replace("::!", "!");
        if module != "lib" {
            if let Some(error) = import_error(module, floor, depth, &path) {
                found.push(format!("{name}:{line}: {shown}: {error}"));
            }
        }
        for (rule, floors) in BELONGS {
            if !floors.contains(&floor) && mentions(&path, rule) {
                found.push(format!("{name}:{line}: {shown}: {rule} does not belong to floor {floor}"));
            }
        }
    }
    found
}

fn floor_of(module: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// What is wrong with `path` in a file of `module` that lies `depth` modules below the root.
fn import_error(module: &str, floor: u32, depth: usize, path: &[&str]) -> Option<String> {
    let supers = path.iter().take_while(|part| **part == "super").count();
    let target = match (path[0], supers) {
        ("crate", _) => *path.get(1)?,
        (_, up) if up == depth => *path.get(up).filter(|target| floor_of(target).is_some())?,
        _ => return None,
    };
    if target == module || SIDEWAYS.contains(&(module, target)) {
        return None;
    }
    match floor_of(target) {
        None => Some("name the module, so that its floor can be seen".to_owned()),
        Some(below) if below < floor => None,
        Some(above) => Some(format!("{target} is on floor {above}, {module} is on floor {floor}")),
    }
}

/// Whether the parts of `rule` follow one another in `path`; a glob stands for every name.
fn mentions(path: &[&str], rule: &str) -> bool {
    let rule: Vec<&str> = match rule.strip_suffix('!') {
        Some(name) => vec![name, "!"],
        None => rule.split("::").collect(),
    };
    let globbed = rule.len() > 1 && path.ends_with(&[rule[0], "*"]);
    globbed || path.windows(rule.len()).any(|window| window == rule)
}

/// What is found in a file of three lines around `code`.
fn found(name: &str, code: &str) -> Vec<String> {
    violations(name, &format!("//! A file.\n\n{code}\n"))
}

#[test]
fn planted_violations_are_caught() {
    for (name, code, said) in [
        (
            "src/api/mod.rs",
            "use crate::engine::Engine;",
            "src/api/mod.rs:3: crate::engine::Engine: engine is on",
        ),
        ("src/fsm.rs", "fn f() -> crate::check::Check {}", "check is on floor 1, fsm is on floor 1"),
        (
            "src/wire/url/mod.rs",
            "use crate::{clock::Now, result::{Reason, printable}};",
            "clock is on floor 0",
        ),
        (
            "src/probe/mod.rs",
            "use crate::{\n    api as a,\n};",
            "src/probe/mod.rs:4: crate::api: api is on floor 5",
        ),
        ("src/probe/tcp.rs", "use super::super::engine::Engine;", "engine is on floor 6"),
        ("src/fsm.rs", "use super::monitor;", "monitor is on floor 3"),
        ("src/monitor.rs", "use crate::Probe;", "name the module"),
        ("src/monitor.rs", "pub use crate::*;", "name the module"),
        ("src/other.rs", "fn f() {}", "other has no floor"),
        ("src/engine/mod.rs", "use mio::Token;", "mio does not belong to floor 6"),
        ("src/main.rs", "use mio::Token;", "mio does not belong to floor 8"),
        ("src/lib.rs", "use std::fs;", "std::fs does not belong to floor 0"),
        ("src/engine/mod.rs", "fn f() { let a = 'a'; mio::Poll::new(); }", "mio::Poll::new"),
        ("src/engine/mod.rs", "use std::net::{IpAddr, TcpStream};", "std::net::TcpStream"),
        (
            "src/engine/mod.rs",
            "use std::net;\nfn f() { net::UdpSocket::bind() }",
            "mod.rs:4: net::UdpSocket::bind",
        ),
        ("src/engine/mod.rs", "use std::{io, fs as files};", "std::fs"),
        ("src/engine/mod.rs", "use std::*;", "std::fs does not belong"),
        ("src/engine/mod.rs", "use ::std::thread;", "std::thread does not belong"),
        ("src/engine/mod.rs", "fn f() { Instant::now(); }", "Instant::now does not belong"),
        ("src/cli/mod.rs", "fn f() { std::time::SystemTime::now(); }", "SystemTime::now does not belong"),
        ("src/wire/dns.rs", "fn f() { println!(\"x\"); }", "println!: println! does not belong"),
        ("src/wire/dns.rs", "type M = Vec::<HashMap<u8, u8>>;", "HashMap does not belong"),
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
        assert!(found.iter().any(|line| line.contains(said)), "{code}: {found:?}");
    }
    assert_eq!(violations("src/fsm.rs", "use std::fmt;\n").len(), 1, "no //! line");
    let long = |lines| format!("//! A file.\n{}", "\n".repeat(lines - 1));
    assert_eq!(violations("tests/x.rs", &long(LINES_MAX)).len(), 0);
    assert_eq!(violations("tests/x.rs", &long(LINES_MAX + 1)).len(), 1);
}

#[test]
fn what_is_allowed_is_not_reported() {
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
