//! Two hundred programs each five seconds beside a thousand ports: no check of a port is late by an interval.

use crate::common::*;

const PROGRAMS: usize = 200;
const PORTS: usize = 1000;

/// The sum of a metric of the targets whose names begin with `prefix`.
fn sum(metrics: &str, name: &str, prefix: &str) -> u64 {
    let start = format!("{name}{{target=\"{prefix}");
    let lines = metrics.lines().filter(|line| line.starts_with(&start) && !line.contains("\"fail\""));
    lines.map(|line| line.rsplit_once(' ').map_or(0, |(_, value)| value.parse().unwrap_or(0))).sum()
}

#[test]
fn programs_delay_no_check_of_a_port() {
    let _alone = alone();
    let server = Server::start(|_| {});
    let mut lines = String::from("--interval 5\n");
    for i in 0..PROGRAMS {
        lines += &format!("program{i} \"exec:sh -c 'sleep 0.1; echo fine'\"\n");
    }
    for i in 0..PORTS {
        lines += &format!("port{i} {}\n", server.url("tcp"));
    }
    let file = std::env::temp_dir().join(format!("pingstate-programs-{}.conf", std::process::id()));
    std::fs::write(&file, lines).expect("written");
    let daemon = Daemon::start(&["--config", file.to_str().expect("text")]);
    let metrics = || daemon.get("/metrics").1;
    let start = now();
    let last = format!("/targets/port{}", PORTS - 1);
    eventually("the third check of the last port", || {
        (daemon.get(&last).1.matches("\"detail\"").count() >= 3).then_some(())
    });
    let took = now() - start;
    let text = metrics();
    let skipped = text.lines().find_map(|line| line.strip_prefix("pingstate_beats_skipped_total "));
    let programs = sum(&text, "pingstate_checks_total", "program");
    println!("{programs} programs in {took:?}, {skipped:?} skipped");
    assert_eq!(skipped, Some("0"), "neither a port nor a program");
    assert!(programs >= 2 * PROGRAMS as u64, "{programs} programs have ended");
    assert_eq!(daemon.state(), "up");
    let _ = std::fs::remove_file(&file);
}
