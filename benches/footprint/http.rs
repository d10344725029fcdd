//! CPU time per HTTP and HTTPS probe, each on a new connection.

use std::process::Command;
use std::time::Duration;

use super::baseline;
use super::cpu::{ROUNDS, cpu_per_probe};
use super::peers::{self, TempDir};
use super::process::pingstate;
use super::table::{Goal, Table};
use super::web_server::WebServer;

const SECOND: Duration = Duration::from_secs(1);

/// Low enough for the server on the same machine to keep up.
const HTTP_TARGETS: usize = 1_000;
const HTTPS_TARGETS: usize = 300;

pub(crate) fn measure_http(table: &mut Table) {
    let server = WebServer::http();
    let baseline = baseline::http(server.port(), HTTP_TARGETS, SECOND);
    let goals = [Goal::None, Goal::None];
    compare(
        table,
        &server,
        HTTP_TARGETS,
        ["CPU per HTTP probe / baseline", "CPU per HTTP probe / HAProxy"],
        baseline,
        goals,
    );
}

pub(crate) fn measure_https(table: &mut Table) {
    let temp_dir = TempDir::new();
    let server = WebServer::https(&temp_dir);
    let baseline = baseline::https(
        server.port(),
        HTTPS_TARGETS,
        SECOND,
        server.ca.as_deref().expect("https server has a CA"),
    );
    let goals = [Goal::MaxRatio(1.15), Goal::None];
    compare(
        table,
        &server,
        HTTPS_TARGETS,
        ["CPU per HTTPS probe / baseline", "CPU per HTTPS probe / HAProxy"],
        baseline,
        goals,
    );
}

/// Compares pingstate with the baseline and with HAProxy.
fn compare(
    table: &mut Table,
    server: &WebServer,
    targets: usize,
    names: [&str; 2],
    mut baseline: Command,
    goals: [Goal; 2],
) {
    let temp_dir = TempDir::new();
    let has_haproxy = peers::is_installed("haproxy", "-v");
    if !has_haproxy {
        table.note(format!("{}: skipped, not installed", names[1]));
    }
    let mut args = vec!["--interval".to_owned(), "1".to_owned()];
    if let Some(ca) = &server.ca {
        args.extend(["--ca-file".to_owned(), ca.display().to_string()]);
    }
    args.extend(server.urls(targets));
    let count = || server.count();
    let (mut baseline_pairs, mut haproxy_pairs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let ours = cpu_per_probe(count, targets, &mut pingstate(&args));
        baseline_pairs.push((ours, cpu_per_probe(count, targets, &mut baseline)));
        if has_haproxy {
            let servers = peers::haproxy_http(server.port(), targets, server.ca.as_deref());
            haproxy_pairs
                .push((ours, cpu_per_probe(count, targets, &mut peers::haproxy(&temp_dir, &servers))));
        }
    }
    table.add_comparison(names[0], &baseline_pairs, "µs", goals[0]);
    if has_haproxy {
        table.add_comparison(names[1], &haproxy_pairs, "µs", goals[1]);
    }
}
