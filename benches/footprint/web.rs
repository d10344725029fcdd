//! CPU time per HTTP and HTTPS probe, each on a new connection.

use std::process::Command;
use std::time::Duration;

use super::cost::{ROUNDS, cost};
use super::floor;
use super::peers::{self, Workplace};
use super::process::pingstate;
use super::site::Site;
use super::table::{Goal, Table};

const SECOND: Duration = Duration::from_secs(1);

/// Low enough for the server on the same machine to keep up.
const HTTP_TARGETS: usize = 1_000;
const HTTPS_TARGETS: usize = 300;

pub(crate) fn measure_http(table: &mut Table) {
    let site = Site::http();
    let bare = floor::http(site.port(), HTTP_TARGETS, SECOND);
    let goals = [Goal::None, Goal::None];
    compare(
        table,
        &site,
        HTTP_TARGETS,
        ["CPU per HTTP probe / baseline", "CPU per HTTP probe / HAProxy"],
        bare,
        goals,
    );
}

pub(crate) fn measure_https(table: &mut Table) {
    let workplace = Workplace::new();
    let site = Site::https(&workplace);
    let bare = floor::https(site.port(), HTTPS_TARGETS, SECOND, site.ca.as_deref().expect("signed"));
    let goals = [Goal::RatioMost(1.15), Goal::None];
    compare(
        table,
        &site,
        HTTPS_TARGETS,
        ["CPU per HTTPS probe / baseline", "CPU per HTTPS probe / HAProxy"],
        bare,
        goals,
    );
}

/// Compares pingstate with the baseline and with HAProxy.
fn compare(
    table: &mut Table,
    site: &Site,
    targets: usize,
    figures: [&str; 2],
    mut bare: Command,
    goals: [Goal; 2],
) {
    let workplace = Workplace::new();
    let has_haproxy = peers::is_installed("haproxy", "-v");
    if !has_haproxy {
        table.note(format!("{}: skipped, not installed", figures[1]));
    }
    let mut args = vec!["--interval".to_owned(), "1".to_owned()];
    if let Some(ca) = &site.ca {
        args.extend(["--ca-file".to_owned(), ca.display().to_string()]);
    }
    args.extend(site.urls(targets));
    let count = || site.count();
    let (mut floors, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let ours = cost(count, targets, &mut pingstate(&args));
        floors.push((ours, cost(count, targets, &mut bare)));
        if has_haproxy {
            let servers = peers::haproxy_web(site.port(), targets, site.ca.as_deref());
            peer.push((ours, cost(count, targets, &mut peers::haproxy(&workplace, &servers))));
        }
    }
    table.beside(figures[0], &floors, "µs", goals[0]);
    if has_haproxy {
        table.beside(figures[1], &peer, "µs", goals[1]);
    }
}
