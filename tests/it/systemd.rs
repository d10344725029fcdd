//! The unit under the installed systemd, booted in namespaces: icmp targets with each of the two permissions that the unit's
//! comments name, and plugins with `contrib/systemd/exec.conf`.
#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::*;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const UNIT: &str = include_str!("../../pingstate.service");
const EXEC: &str = include_str!("../../contrib/systemd/exec.conf");
const SYSCTL: &str = include_str!("../../contrib/sysctl.d/90-pingstate.conf");

/// Runs the steps, each with its drop-in file, configuration and preparation. `/status` of each is printed, or the exit
/// status of a service that has not started.
const REPORT: &str = r#"
cd /run/units
status() {
    exec 3<>/dev/tcp/127.0.0.1/8787
    printf 'GET /status HTTP/1.0\r\n\r\n' >&3
    sed '1,/^\r$/d' <&3
    exec 3>&-
}
for step in steps/*; do
    echo "=== ${step#steps/*-}"
    . "$step/prepare"
    mkdir -p pingstate.service.d
    cp "$step/drop-in" pingstate.service.d/test.conf
    cp "$step/conf" /etc/pingstate.conf
    systemctl daemon-reload
    if ! systemctl start pingstate; then
        systemctl show -p Result,ExecMainStatus,NRestarts pingstate
        systemctl reset-failed pingstate
        continue
    fi
    for _ in $(seq 100); do
        status >status
        grep -q '"state": "unknown"' status || break
        sleep 0.1
    done
    cat status
    systemctl stop pingstate
done
"#;

const ICMP: &str = "v4 icmp://127.0.0.1\nv6 icmp://[::1]\n";

/// Plugins that the sandbox of the unit does not permit.
const PLUGINS: &str = "--timeout 30\n\
    icmp \"exec:/usr/lib/nagios/plugins/check_icmp -H 127.0.0.1 -n 1\"\n\
    ping \"exec:/usr/lib/nagios/plugins/check_ping -H 127.0.0.1 -w 1000,90% -c 2000,100% -p 1\"\n\
    load \"exec:/usr/lib/nagios/plugins/check_load -w 1000 -c 2000\"\n\
    procs \"exec:/usr/lib/nagios/plugins/check_procs -w 2:\"\n\
    swap \"exec:/usr/lib/nagios/plugins/check_swap -w 1% -c 1% -n ok\"\n";

/// The lines of the unit's comments that permit ICMP sockets.
fn remedy() -> String {
    let mut lines = UNIT.lines().skip_while(|line| !line.ends_with("would have no effect):")).skip(2);
    let lines: Vec<_> = lines.by_ref().map_while(|line| line.strip_prefix("#   ")).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    format!("[Service]\n{}\n", lines.join("\n"))
}

/// The directory for `.ci/boot-systemd`: the unit, what it depends on, and the steps.
fn directory(steps: &[(&str, &str, &str, &str)]) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("systemd");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a directory");
    let write = |path: PathBuf, text: &str| {
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("written");
    };
    for target in ["network-online", "nss-lookup", "sysinit", "basic", "shutdown", "sockets", "local-fs"] {
        write(dir.join(format!("{target}.target")), "[Unit]\n");
    }
    write(dir.join("default.target"), "[Unit]\nWants=report.service\n");
    write(dir.join("report"), REPORT);
    let report = "[Unit]\nSuccessAction=exit-force\nFailureAction=exit-force\n[Service]\nType=oneshot\n\
                  ExecStart=/bin/bash /run/units/report\nStandardOutput=file:/run/units/out\n\
                  StandardError=file:/run/units/errors\n";
    write(dir.join("report.service"), report);
    write(dir.join("pingstate.service"), UNIT);
    write(dir.join("sysctl"), SYSCTL);
    for (place, (name, prepare, drop_in, conf)) in steps.iter().enumerate() {
        let step = dir.join("steps").join(format!("{place}-{name}"));
        for (file, text) in [("prepare", prepare), ("drop-in", drop_in), ("conf", conf)] {
            write(step.join(file), text);
        }
    }
    dir
}

/// State and detail of each target.
fn results(status: &str) -> HashMap<String, (String, String)> {
    let json: serde_json::Value = serde_json::from_str(status).expect(status);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let targets = json["targets"].as_array().expect(status).iter();
    targets.map(|t| (text(&t["name"]), (text(&t["state"]), text(&t["last_detail"])))).collect()
}

#[test]
fn the_unit_runs_with_its_remedies_under_systemd() {
    const DENIED: &str = "sysctl -qw net.ipv4.ping_group_range='1 0'\n";
    let has_plugins = Path::new("/usr/lib/nagios/plugins/check_icmp").exists();
    if !has_plugins {
        return missing("monitoring-plugins");
    }
    let remedy = remedy();
    let dir = directory(&[
        ("denied", DENIED, "", ICMP),
        ("capability", DENIED, &remedy, ICMP),
        ("plugins", DENIED, EXEC, PLUGINS),
        ("sysctl", "/lib/systemd/systemd-sysctl /run/units/sysctl\n", "", ICMP),
    ]);
    let mut boot = Command::new(format!("{ROOT}/.ci/boot-systemd"));
    let output = boot.arg(&dir).arg(binary()).output().expect("bash runs");
    if output.status.code() == Some(77) {
        return missing("systemd");
    }
    let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap_or_default();
    let (out, errors) = (read("out"), read("errors"));
    println!("{out}\n{errors}\n{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    let steps: HashMap<_, _> = out.split("=== ").skip(1).filter_map(|step| step.split_once('\n')).collect();
    // A restart would not help.
    assert_eq!(steps["denied"], "Result=exit-code\nNRestarts=0\nExecMainStatus=2\n");
    for step in ["capability", "sysctl"] {
        let results = results(steps[step]);
        for name in ["v4", "v6"] {
            assert_eq!(results[name].0, "up", "{step} {name}: {}", results[name].1);
        }
    }
    let results = results(steps["plugins"]);
    for (name, detail) in [
        ("icmp", "OK - 127.0.0.1: rta "),
        ("ping", "PING OK - Packet loss = 0%"),
        ("load", "LOAD OK"),
        ("procs", "PROCS OK"),
        ("swap", "SWAP OK"),
    ] {
        let (state, text) = &results[name];
        assert!(state == "up" && text.starts_with(detail), "{name} {state}: {text}");
    }
    let _ = fs::remove_dir_all(&dir);
}
