//! Checks what only the system knows before the start: the programs of hooks and of exec targets, and the permission to
//! ping.

use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::TargetOptions;
use crate::probe::kinds::Kind;
use crate::reactor;
use crate::text::quote;
use crate::text::words::command;

/// The number of bytes of a file from which Linux determines how to execute it (`BINPRM_BUF_SIZE`).
const HEAD_MAX: u64 = 256;

/// The search path if PATH is not set.
const PATH_DEFAULT: &str = "/usr/local/bin:/bin:/usr/bin";

/// Adds an error for each program that cannot be run, with the line of the first target that has it.
pub(super) fn check_programs(targets: &[TargetOptions], runs_hooks: bool, errors: &mut Vec<(usize, String)>) {
    let mut checked = Vec::new();
    for options in targets {
        // A command that cannot be split has been reported.
        let words = options.target.command().and_then(|text| command(text).ok());
        let program = words.and_then(|words| words.into_iter().next()).map(|program| ("exec:", program));
        let hook = options.settings.notifications.on_change.as_ref().filter(|_| runs_hooks);
        let hook = hook.and_then(|words| words.first()).map(|program| ("--on-change: ", program.clone()));
        for (what, program) in program.into_iter().chain(hook) {
            if checked.contains(&program) {
                continue;
            }
            if let Err(error) = check(&program) {
                errors.push((options.line, format!("{what}{} {error}", quote(&program))));
            }
            checked.push(program);
        }
    }
}

/// Adds an error at the first icmp target if ICMP sockets are not permitted, and at the first targets with settings of
/// sockets that are not permitted.
pub(super) fn check_permissions(targets: &[TargetOptions], errors: &mut Vec<(usize, String)>) {
    let ping = targets.iter().find(|options| options.target.kind() == Some(Kind::Icmp));
    if let Some(options) = ping.filter(|_| !reactor::has_permission()) {
        errors.push((options.line, reactor::PERMISSION.to_owned()));
    }
    let bound = targets.iter().find(|options| options.settings.probe.network.interface.is_some());
    let marked = targets.iter().find(|options| options.settings.probe.network.fwmark.is_some());
    for options in bound.into_iter().chain(marked) {
        if let Err(error) = reactor::check_permission(&options.settings.probe.network) {
            errors.push((options.line, error));
        }
    }
}

fn check(program: &str) -> Result<(), String> {
    let path = find(program)?;
    let mut head = Vec::new();
    // An executable file need not be readable.
    let Ok(file) = File::open(&path) else { return Ok(()) };
    if file.take(HEAD_MAX).read_to_end(&mut head).is_err() {
        return Ok(());
    }
    let Some(line) = head.strip_prefix(b"#!") else {
        return match head.contains(&0) {
            true => Ok(()),
            false => Err("is a script without #! (write #!/bin/sh as its first line)".to_owned()),
        };
    };
    let line = String::from_utf8_lossy(line.split(|byte| *byte == b'\n').next().unwrap_or_default());
    let mut words = line.trim_matches([' ', '\t']).split([' ', '\t']).filter(|word| !word.is_empty());
    let interpreter = words.next().unwrap_or_default();
    let windows = if line.ends_with('\r') { " (it has CRLF line endings)" } else { "" };
    let describe = |interpreter: &str, error| {
        format!("is a script whose interpreter {} {error}{windows}", quote(interpreter))
    };
    executable(Path::new(interpreter)).map_err(|error| describe(interpreter, error))?;
    match words.next() {
        // env(1) searches PATH for the program.
        Some(program)
            if interpreter.ends_with("/env") && !program.starts_with('-') && !program.contains('=') =>
        {
            find(program).map(drop).map_err(|error| describe(program, error))
        }
        _ => Ok(()),
    }
}

/// The path of a program: a name without a slash is searched for in PATH.
fn find(program: &str) -> Result<PathBuf, String> {
    if program.contains('/') {
        return executable(Path::new(program)).map(|()| program.into());
    }
    let path = env::var("PATH").unwrap_or_else(|_| PATH_DEFAULT.to_owned());
    let files = path.split(':').map(|directory| Path::new(directory).join(program));
    let mut error = "is not in PATH (write its full path)".to_owned();
    for file in files {
        match executable(&file) {
            Ok(()) => return Ok(file),
            Err(other) if file.is_file() => error = other,
            Err(_) => {}
        }
    }
    Err(error)
}

fn executable(path: &Path) -> Result<(), String> {
    let file = fs::metadata(path).map_err(|error| format!("cannot be run: {}", super::log::plain(&error)))?;
    if !file.is_file() {
        return Err(if file.is_dir() { "is a directory" } else { "is not a file" }.to_owned());
    }
    match access(path, AccessFlags::X_OK) {
        Ok(()) => Ok(()),
        Err(_) => Err("is not executable here (chmod +x, or its file system is mounted noexec)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn programs_that_cannot_be_run_are_refused() {
        let dir = env::temp_dir().join(format!("pingstate-{}-programs", std::process::id()));
        fs::create_dir_all(&dir).expect("created");
        let file = |name: &str, text: &str, mode: u32| {
            let path = dir.join(name);
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
            path.display().to_string()
        };
        let wrong = [
            ("/nowhere/program".to_owned(), "cannot be run: No such file or directory"),
            ("/etc/hosts/program".to_owned(), "cannot be run: Not a directory"),
            ("pingstate-no-such-program".to_owned(), "is not in PATH (write its full path)"),
            ("/tmp".to_owned(), "is a directory"),
            ("/dev/null".to_owned(), "is not a file"),
            (file("plain", "#!/bin/sh\n", 0o644), "is not executable here"),
            (file("bare", "echo x\n", 0o755), "is a script without #!"),
            (file("empty", "", 0o755), "is a script without #!"),
            (
                file("gone", "#! /nowhere/sh -e\n", 0o755),
                "whose interpreter `/nowhere/sh` cannot be run: No such file",
            ),
            (file("none", "#!\n", 0o755), "whose interpreter `` cannot be run: No such file"),
            (
                file("windows", "#!/bin/sh\r\necho\r\n", 0o755),
                "whose interpreter `/bin/sh\\r` cannot be run: No such file or directory (it has CRLF line endings)",
            ),
            (
                file("env", "#!/usr/bin/env pingstate-no-such\n", 0o755),
                "whose interpreter `pingstate-no-such` is not in PATH",
            ),
        ];
        for (program, expected) in wrong {
            let error = check(&program).expect_err(&program);
            assert!(error.contains(expected), "{program}: {error}");
        }
        for program in [
            "sh".to_owned(),
            "/bin/sh".to_owned(),
            file("good", "#!/bin/sh\n", 0o755),
            file("options", "#!/usr/bin/env -S sh -e\n", 0o755),
            file("one", "#!/usr/bin/env sh", 0o755),
            env::current_exe().expect("this").display().to_string(),
        ] {
            assert_eq!(check(&program), Ok(()), "{program}");
        }
        let _ = fs::remove_dir_all(&dir);
    }
}
