//! The systemd unit: it matches the README, systemd accepts it, and it is sandboxed.
//!
//! `systemd-analyze` rates the unit; where it is not installed, that part is skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The highest accepted exposure, in tenths, on systemd's scale from 0 to 100.
const EXPOSURE_MAX: &str = "12";

const UNIT: &str = include_str!("../../pingstate.service");
const UNIT_PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pingstate.service");
const BINARY: &str = env!("CARGO_BIN_EXE_pingstate");
const INSTALLED: &str = "/usr/local/bin/pingstate";

/// Runs `systemd-analyze`; `None` if it is not installed.
fn systemd_analyze(args: &[&str], unit: &Path) -> Option<Output> {
    match Command::new("systemd-analyze").args(args).arg(unit).env("LC_ALL", "C").output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("systemd-analyze: {error}");
            crate::common::missing("systemd-analyze");
            None
        }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn unit_matches_the_readme() {
    for line in [
        "Wants=network-online.target",
        "After=network-online.target nss-lookup.target",
        "DynamicUser=yes",
        "Type=notify",
        "NotifyAccess=main",
        "WatchdogSec=30",
        "ExecStart=/usr/local/bin/pingstate --config /etc/pingstate.conf --state-file %S/pingstate/state",
        "ExecReload=sh -c \"kill -HUP $MAINPID\"",
        "StateDirectory=pingstate",
        "Restart=always",
        "RestartSec=5",
        "WantedBy=multi-user.target",
    ] {
        assert!(UNIT.lines().any(|l| l == line), "{line}");
    }
}

/// The binary accepts the unit's command line: an appended `--help` is reached.
#[test]
fn the_unit_starts_the_daemon_with_arguments_it_knows() {
    let start = UNIT.lines().find_map(|line| line.strip_prefix("ExecStart=/")).expect("ExecStart");
    let mut words = start.split_whitespace();
    assert_eq!(words.next(), INSTALLED.strip_prefix('/'));
    let output = Command::new(BINARY).args(words).arg("--help").output().expect("the binary runs");
    assert!(output.status.success(), "{}", text(&output));
}

/// systemd checks that the executable exists, so the unit names the binary built by cargo.
#[test]
fn systemd_accepts_the_unit() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("service");
    fs::create_dir_all(&dir).expect("a directory for the copy");
    let copy = dir.join("pingstate.service");
    let binary = BINARY.replace('%', "%%").replace('$', "$$").replace(' ', "\\x20");
    fs::write(&copy, UNIT.replace(INSTALLED, &binary)).expect("the copy is written");
    let Some(output) = systemd_analyze(&["verify"], &copy) else { return };
    assert!(output.status.success() && !text(&output).contains("pingstate.service"), "{}", text(&output));
}

#[test]
fn unit_exposure_is_low() {
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let args = ["security", "--offline=true", "--no-pager", &threshold];
    let Some(output) = systemd_analyze(&args, Path::new(UNIT_PATH)) else { return };
    let lines = text(&output);
    assert!(output.status.success(), "{lines}");
    println!("{}", lines.lines().last().unwrap_or_default());
}

/// Hooks are programs of the system, and the notification socket is a Unix socket.
#[test]
fn unit_permits_hooks_and_notifications() {
    let setting = |name| UNIT.lines().find_map(|line| line.strip_prefix(name));
    let closed = setting("NoExecPaths=").unwrap_or_default();
    assert!(closed.split_whitespace().all(|path| path.trim_start_matches('-').contains("tmp")), "{closed}");
    assert!(setting("RestrictAddressFamilies=").is_some_and(|families| families.contains("AF_UNIX")));
    let tasks = setting("TasksMax=").and_then(|tasks| tasks.parse::<u32>().ok());
    assert!(tasks.is_some_and(|tasks| tasks >= 64));
}
